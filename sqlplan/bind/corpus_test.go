package bind_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// serverSchema is the relations of a PostgreSQL server.
type serverSchema struct {
	schema
	byName map[string]*catalog.Relation
}

func (s serverSchema) Relation(schema, name string, path []string) (catalog.Table, *catalog.Relation) {
	schemas := []string{schema}
	if schema == "" {
		schemas = append([]string{"pg_catalog"}, path...)
	}
	for _, sc := range schemas {
		if r := s.byName[sc+"."+name]; r != nil {
			return table{r}, r
		}
	}
	return nil, nil
}

func readSchema(t *testing.T, ctx context.Context, conn *pgconn.PgConn) serverSchema {
	s := serverSchema{byName: make(map[string]*catalog.Relation)}
	result := conn.ExecParams(ctx, `SELECT n.nspname, c.relname, c.oid, a.attname, CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'e' THEN 25 ELSE t.oid END, a.atttypmod,
		coalesce((SELECT a.attnum = ANY (i.indkey) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), false)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		JOIN pg_type t ON t.oid = a.atttypid WHERE c.relkind IN ('r', 'v') ORDER BY c.oid, a.attnum`, nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	for _, row := range result.Rows {
		name := string(row[0]) + "." + string(row[1])
		r := s.byName[name]
		if r == nil {
			oid, _ := strconv.Atoi(string(row[2]))
			r = &catalog.Relation{OID: pgtypes.OID(oid), Schema: string(row[0]), Name: string(row[1]), Kind: 'r'}
			s.byName[name] = r
		}
		typ, _ := strconv.Atoi(string(row[4]))
		mod, _ := strconv.Atoi(string(row[5]))
		if string(row[6]) == "t" {
			r.PrimaryKey = append(r.PrimaryKey, len(r.Columns))
		}
		r.Columns = append(r.Columns, catalog.Column{Name: string(row[3]), Type: pgtypes.Type{OID: pgtypes.OID(typ), Mod: int32(mod)}})
	}
	return s
}

// TestOracleCorpus binds what real clients send over the relations of a real
// server, and compares the columns with those that the server gave them.
func TestOracleCorpus(t *testing.T) {
	dsn := os.Getenv("TAEL_ORACLE")
	if dsn == "" {
		t.Skip("TAEL_ORACLE is not set")
	}
	f, err := os.Open("../../../shared/clients/corpus-dev.jsonl")
	if err != nil {
		t.Skip("no corpus beside the repository: ", err)
	}
	defer f.Close()
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, dsn+" dbname=tael")
	if err != nil {
		t.Skip("the server has no database with the fixture's schema: ", err)
	}
	defer conn.Close(ctx)
	env := bind.Environment{Catalog: readSchema(t, ctx, conn), Path: []string{"public", "pg_catalog"}}
	oid := regexp.MustCompile(`\{\{oid:[^}]*\}\}`)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c struct {
			ID, SQL  string
			Expect   struct{ Columns [][2]any }
			Declared []pgtypes.OID `json:"declared_param_oids"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			continue
		}
		stmts, err := syntax.Parse(oid.ReplaceAllString(c.SQL, "16384"))
		if err != nil || len(stmts) != 1 || stmts[0].Kind != syntax.Select || len(c.Expect.Columns) == 0 {
			continue
		}
		if strings.Contains(c.SQL, "severity_text_enum") || strings.Contains(c.SQL, "ARRAY[severity]") {
			continue // enum types: there are none here
		}
		n++
		env.ParamTypes = c.Declared
		q, err := bind.Bind(stmts[0], env)
		if err != nil {
			t.Errorf("%s: %s\n%s", c.ID, describeError(pgerr.From(err), c.SQL), c.SQL)
			continue
		}
		var want, got []string
		for _, col := range c.Expect.Columns {
			want = append(want, fmt.Sprintf("%v:%v", col[0], col[1]))
		}
		for _, col := range q.Columns {
			got = append(got, fmt.Sprintf("%s:%d", col.Name, col.Type.OID))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %s\nwant %s\n%s", c.ID, strings.Join(got, " "), strings.Join(want, " "), c.SQL)
		}
	}
	t.Logf("%d statements", n)
}
