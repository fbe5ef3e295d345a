package catalog

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// noRows is a table without rows.
type noRows struct{ rel *Relation }

func (t noRows) Relation() *Relation { return t.rel }
func (t noRows) Rows() int64         { return 0 }
func (t noRows) Scan(context.Context, *ScanRequest) ([]vector.Reader, error) {
	return nil, nil
}

// sample is a catalog with an object of every kind.
func sample() *Catalog {
	c := New("tael", "tael")
	text := pgtypes.Of(pgtypes.Text)
	columns := []Column{
		{Name: "id", Type: text, NotNull: true, Default: "gen_random_uuid()", Comment: "Its id"},
		{Name: "at", Type: pgtypes.Of(pgtypes.Timestamptz), NotNull: true, Default: "now()"},
		{Name: "names", Type: pgtypes.Of(pgtypes.TextArray)},
	}
	c.AddTable(noRows{&Relation{OID: 20001, Schema: PublicSchema, Name: "notes", Kind: 'r', Columns: columns, PrimaryKey: []int{0, 1}, Comment: "Notes"}})
	c.AddTable(noRows{&Relation{OID: 20002, Schema: PublicSchema, Name: "more notes", Kind: 'r', Columns: columns, PrimaryKey: []int{0}}})
	c.AddView(&Relation{OID: 20003, Schema: PublicSchema, Name: "recent", Kind: 'v', Columns: columns[:2], Definition: " SELECT id, at FROM notes;"})
	c.AddFunction(&SQLFunction{
		Result:     &Relation{OID: 20101, Schema: PublicSchema, Name: "noted", Kind: 'f', Columns: columns, Definition: "SELECT * FROM notes"},
		Parameters: []Arg{{Name: "since", Type: text, Default: "NULL"}},
	})
	return c
}

// allRows gives the rows of a system relation.
func allRows(t *testing.T, c *Catalog, name string) (*Relation, [][]any) {
	t.Helper()
	return rowsOf(t, c, SystemSchema, name)
}

func rowsOf(t *testing.T, c *Catalog, schema, name string) (*Relation, [][]any) {
	t.Helper()
	table, rel := c.Relation(schema, name, nil)
	if table == nil {
		t.Fatalf("there is no %s", name)
	}
	system := table.(*systemTable)
	var rows [][]any
	if system.source != nil {
		system.source(c, &expr.Env{User: "tael"}, func(row map[string]any) { rows = append(rows, system.complete(row)) })
	}
	return rel, rows
}

// tuple is the text of some columns of a row.
func tuple(rel *Relation, row []any, columns []string) string {
	values := make([]string, len(columns))
	for i, name := range columns {
		values[i] = fmt.Sprint(row[rel.Index(name)])
	}
	return strings.Join(values, ",")
}

const foreignKeysQuery = `
select fktable, array_to_string(fkcols, ','), pktable, array_to_string(pkcols, ','), is_array, is_opt
from pg_get_catalog_foreign_keys() order by 1::text, 2`

// empty are the references that lead nowhere, though PostgreSQL's never do.
var empty = map[string]string{
	"pg_aggregate aggtransfn":   "aggregates have no transition functions that SQL could call",
	"pg_aggregate aggtranstype": "the same",
	"pg_index indclass":         "there are no operator classes",
}

// Every reference from one system catalog to another finds its row: the
// references are those that PostgreSQL 15 lists of its own.
func TestReferences(t *testing.T) {
	refresh(t, "testdata/references.txt", foreignKeysQuery)
	raw, err := os.ReadFile("testdata/references.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := sample()
	checked := 0
	for line := range strings.Lines(string(raw)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		from, rows := allRows(t, c, f[0])
		to, targets := allRows(t, c, f[2])
		known := make(map[string]bool)
		for _, row := range targets {
			known[tuple(to, row, strings.Split(f[3], ","))] = true
		}
		columns := strings.Split(f[1], ",")
		failed := 0
		for _, row := range rows {
			list := []string{tuple(from, row, columns)}
			if f[4] == "true" {
				list = nil
				if array, ok := row[from.Index(columns[len(columns)-1])].(*pgtypes.Array); ok {
					for _, elem := range array.Elems {
						list = append(list, strings.TrimPrefix(tuple(from, row, columns[:len(columns)-1])+","+fmt.Sprint(elem), ","))
					}
				}
			}
			for _, ref := range list {
				none := ref == "<nil>" || (f[5] == "true" || empty[f[0]+" "+f[1]] != "") && (ref == "0" || strings.HasSuffix(ref, ",0"))
				if checked++; !none && !known[ref] && failed < 3 {
					failed++
					t.Errorf("%s (%s) refers to %s (%s) = %s, which there is not: %s", f[0], f[1], f[2], f[3], ref, strings.TrimSpace(fmt.Sprintln(row...)))
				}
			}
		}
	}
	if checked < 10_000 {
		t.Errorf("only %d references checked", checked)
	}
}

// Within a system catalog, keys are unique.
func TestKeys(t *testing.T) {
	c := sample()
	for name, key := range map[string]string{
		"pg_class": "oid", "pg_type": "oid", "pg_proc": "oid", "pg_operator": "oid", "pg_cast": "oid", "pg_namespace": "oid",
		"pg_constraint": "oid", "pg_attrdef": "oid", "pg_language": "oid", "pg_collation": "oid", "pg_am": "oid",
		"pg_attribute": "attrelid,attnum", "pg_description": "objoid,classoid,objsubid", "pg_index": "indexrelid",
		"pg_aggregate": "aggfnoid",
	} {
		rel, rows := allRows(t, c, name)
		seen := make(map[string]bool)
		for _, row := range rows {
			at := tuple(rel, row, strings.Split(key, ","))
			if seen[at] {
				t.Errorf("%s has %s = %s twice", name, key, at)
			}
			seen[at] = true
		}
		if len(rows) == 0 {
			t.Errorf("%s has no rows", name)
		}
	}
}

// Every system relation with a source can be read; those that need a session
// are empty without one.
func TestSources(t *testing.T) {
	c := sample()
	for _, rel := range systemRelations() {
		_, rows := rowsOf(t, c, rel.Schema, rel.Name)
		if sources[rel.Schema+"."+rel.Name] != nil && len(rows) == 0 && rel.Name != "pg_settings" && rel.Name != "pg_stat_activity" {
			t.Errorf("%s.%s has no rows", rel.Schema, rel.Name)
		}
		for _, row := range rows {
			for i, col := range rel.Columns {
				if row[i] == nil && col.NotNull {
					t.Errorf("%s.%s has a NULL in %s", rel.Schema, rel.Name, col.Name)
				}
			}
		}
	}
	for name := range sources {
		schema, name, _ := strings.Cut(name, ".")
		if _, rel := c.Relation(schema, name, nil); rel == nil {
			t.Errorf("there is no %s.%s", schema, name)
		}
	}
}

// refresh makes a file of testdata anew from the oracle, with -rewrite.
func refresh(t *testing.T, file, query string) {
	t.Helper()
	if *oracle == "" || !*rewrite {
		return
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, query).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, row := range results[0].Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = strings.NewReplacer("\n", `\n`, "\t", " ").Replace(string(v))
			switch {
			case v == nil:
				cells[i] = `\N`
			case results[0].FieldDescriptions[i].DataTypeOID == uint32(pgtypes.Bool):
				cells[i] = map[string]string{"t": "true", "f": "false"}[cells[i]]
			}
		}
		fmt.Fprintln(&b, strings.Join(cells, "\t"))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sameAsPostgreSQL lists rows that must be PostgreSQL's own, with the columns
// that are compared; the first is the key. Functions are compared by OID.
var sameAsPostgreSQL = []struct {
	relation, columns string
}{
	{
		relation: "pg_type", columns: "oid,typname,typnamespace,typowner,typlen,typbyval,typtype,typcategory,typispreferred,typisdefined,typdelim," +
			"typrelid,typsubscript::oid,typelem,typarray,typinput::oid,typoutput::oid,typreceive::oid,typsend::oid,typmodin::oid,typmodout::oid," +
			"typanalyze::oid,typalign,typstorage,typnotnull,typbasetype,typtypmod,typndims,typcollation,typdefaultbin,typdefault,typacl",
	},
	{
		relation: "pg_proc", columns: "oid,proname,provariadic,prokind,proisstrict,proretset,provolatile,pronargs,pronargdefaults,prorettype,proargtypes," +
			"proallargtypes,proargmodes,proargnames",
	},
	{relation: "pg_operator", columns: "oid,oprname,oprnamespace,oprowner,oprkind,oprleft,oprright,oprresult,oprcode::oid"},
	{relation: "pg_cast", columns: "oid,castsource,casttarget,castfunc,castcontext,castmethod"},
	{relation: "pg_am", columns: "oid,amname,amhandler::oid,amtype"},
	{relation: "pg_aggregate", columns: "aggfnoid::oid,aggkind,aggnumdirectargs"},
	{relation: "pg_description", columns: "objoid||','||classoid||','||objsubid,description"},
}

// The rows of built-in objects are PostgreSQL 15's, column by column.
func TestRows(t *testing.T) {
	if *oracle == "" {
		t.Skip("no -oracle")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	c := New("tael", "tael")
	for _, same := range sameAsPostgreSQL {
		results, err := conn.PgConn().Exec(ctx, "SELECT "+same.columns+" FROM "+same.relation).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]string)
		for _, row := range results[0].Rows {
			want[string(row[0])] = string(slices.Concat(joined(row)...))
		}
		rel, rows := allRows(t, c, same.relation)
		compared := 0
		for _, row := range rows {
			var cells [][]byte
			for column := range strings.SplitSeq(same.columns, ",") {
				cells = append(cells, cell(t, rel, row, column))
			}
			if same.relation == "pg_description" {
				cells = [][]byte{[]byte(tuple(rel, row, []string{"objoid", "classoid", "objsubid"})), cell(t, rel, row, "description")}
			}
			key := string(cells[0])
			got := string(slices.Concat(joined(cells)...))
			if number, _, _ := strings.Cut(key, ","); want[key] == "" && (len(number) >= 5 || number > "9000") {
				continue // an object that PostgreSQL does not have
			}
			if compared++; got != want[key] {
				t.Errorf("%s differs:\n  %s\nnot\n  %s", same.relation, got, want[key])
			}
		}
		t.Logf("%s: %d rows compared", same.relation, compared)
	}
}

// joined puts bars between cells.
func joined(cells [][]byte) [][]byte {
	out := make([][]byte, 0, 2*len(cells))
	for _, c := range cells {
		if c == nil {
			c = []byte(`\N`)
		}
		out = append(out, c, []byte("|"))
	}
	return out
}

// cell prints a column as the server does; reg* types by OID.
func cell(t *testing.T, rel *Relation, row []any, column string) []byte {
	t.Helper()
	name, _, byOID := strings.Cut(column, "::")
	at := rel.Index(name)
	if at < 0 || row[at] == nil {
		return nil
	}
	typ := rel.Columns[at].Type
	if byOID {
		typ = pgtypes.Of(pgtypes.Oid)
	}
	out, err := pgtypes.AppendText([]byte{}, typ, row[at], &pgtypes.TextStyle{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
