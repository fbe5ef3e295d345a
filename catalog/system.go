package catalog

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// relationsText lists the relations of pg_catalog and information_schema of
// PostgreSQL 15 with their OIDs and columns, one relation a paragraph:
//
//	schema.name kind oid
//	  column type [!]
//
// where ! stands for NOT NULL. Domains of information_schema are given by
// their base types, as RowDescription reports them.
//
//go:embed relations.txt
var relationsText string

var systemRelations = sync.OnceValue(func() []*Relation {
	var list []*Relation
	for line := range strings.Lines(relationsText) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if !strings.HasPrefix(line, " ") {
			schema, name, _ := strings.Cut(fields[0], ".")
			oid, err := strconv.ParseUint(fields[2], 10, 32)
			if err != nil {
				panic("BUG: relations.txt: " + err.Error())
			}
			list = append(list, &Relation{
				OID: pgtypes.OID(oid), Schema: schema, Name: name, Kind: fields[1][0],
			})
			continue
		}
		oid, ok := pgtypes.ByName(fields[1])
		if fields[1] == "char" {
			oid, ok = pgtypes.Char, true
		}
		if !ok {
			panic("BUG: relations.txt: type " + fields[1])
		}
		rel := list[len(list)-1]
		rel.Columns = append(rel.Columns, Column{
			Name: fields[0], Type: pgtypes.Of(oid), NotNull: len(fields) > 2,
		})
	}
	return list
})

// A rowSource adds the rows of a system relation, by column name; columns that
// are left out are NULL, or where that is not allowed the zero of their type.
type rowSource func(c *Catalog, env *expr.Env, add func(row map[string]any))

// systemTable is a relation of pg_catalog or information_schema, derived from
// the objects of the catalog when it is read.
type systemTable struct {
	catalog *Catalog
	rel     *Relation
	source  rowSource // nil: always empty
}

func systemTables(c *Catalog) []Table {
	var tables []Table
	for _, rel := range systemRelations() {
		tables = append(tables, &systemTable{catalog: c, rel: rel, source: sources[rel.Schema+"."+rel.Name]})
	}
	return tables
}

// sources has the relations that have rows.
var sources = map[string]rowSource{
	"pg_catalog.pg_namespace":                            namespaceRows,
	"pg_catalog.pg_class":                                classRows,
	"pg_catalog.pg_attribute":                            attributeRows,
	"pg_catalog.pg_type":                                 typeRows,
	"pg_catalog.pg_proc":                                 procRows,
	"pg_catalog.pg_operator":                             operatorRows,
	"pg_catalog.pg_aggregate":                            aggregateRows,
	"pg_catalog.pg_cast":                                 castRows,
	"pg_catalog.pg_database":                             databaseRows,
	"pg_catalog.pg_roles":                                roleRows,
	"pg_catalog.pg_authid":                               roleRows,
	"pg_catalog.pg_group":                                groupRows,
	"pg_catalog.pg_auth_members":                         memberRows,
	"pg_catalog.pg_shadow":                               userRows,
	"pg_catalog.pg_user":                                 userRows,
	"pg_catalog.pg_am":                                   amRows,
	"pg_catalog.pg_description":                          descriptionRows,
	"pg_catalog.pg_index":                                indexRows,
	"pg_catalog.pg_constraint":                           constraintRows,
	"pg_catalog.pg_attrdef":                              attrdefRows,
	"pg_catalog.pg_tablespace":                           tablespaceRows,
	"pg_catalog.pg_collation":                            collationRows,
	"pg_catalog.pg_language":                             languageRows,
	"pg_catalog.pg_settings":                             settingRows,
	"pg_catalog.pg_stat_activity":                        activityRows,
	"pg_catalog.pg_tables":                               tablesRows,
	"pg_catalog.pg_views":                                viewsRows,
	"pg_catalog.pg_indexes":                              indexesRows,
	"information_schema.information_schema_catalog_name": catalogNameRows,
	"information_schema.schemata":                        schemataRows,
	"information_schema.tables":                          infoTablesRows,
	"information_schema.columns":                         infoColumnsRows,
	"information_schema.views":                           infoViewsRows,
	"information_schema.table_constraints":               tableConstraintsRows,
	"information_schema.key_column_usage":                keyColumnRows,
	"information_schema.character_sets":                  characterSetRows,
	"information_schema.collations":                      infoCollationRows,
	"information_schema.enabled_roles":                   enabledRoleRows,
	"information_schema.table_privileges":                tablePrivilegeRows,
	"information_schema.role_table_grants":               tablePrivilegeRows,
	"information_schema.constraint_column_usage":         constraintColumnRows,
	"information_schema.constraint_table_usage":          constraintTableRows,
	"information_schema.element_types":                   elementTypeRows,
	"pg_catalog.pg_timezone_names":                       zoneRows,
}

func (t *systemTable) Relation() *Relation { return t.rel }

// Rows estimates: catalogs are small, and an exact count would build them.
func (t *systemTable) Rows() int64 {
	switch {
	case t.source == nil:
		return 1
	case t.rel.Name == "pg_attribute", t.rel.Name == "pg_proc", t.rel.Name == "columns":
		return 3000
	default:
		return 300
	}
}

// Scan builds the rows once in a statement, and each column that is asked for.
func (t *systemTable) Scan(_ context.Context, req *ScanRequest) ([]vector.Reader, error) {
	if t.source == nil {
		return []vector.Reader{&single{batch: vector.NewBatch(0, make([]*vector.Column, len(req.Columns)))}}, nil
	}
	rows := req.Env.Memo.Get(t, func() any {
		var rows [][]any
		t.source(t.catalog, req.Env, func(row map[string]any) { rows = append(rows, t.complete(row)) })
		return rows
	}).([][]any)
	cols := make([]*vector.Column, len(req.Columns))
	for i, ref := range req.Columns {
		cols[i] = req.Env.Memo.Get(systemColumn{t, ref}, func() any { return buildColumn(t.rel, ref, rows) }).(*vector.Column)
	}
	if req.Stats != nil {
		req.Stats.Rows.Add(int64(len(rows)))
		req.Stats.Memtable.Add(int64(len(rows)))
	}
	return []vector.Reader{&single{batch: vector.NewBatch(len(rows), cols)}}, nil
}

// systemColumn is the key of a column that was built.
type systemColumn struct {
	table *systemTable
	ref   ColumnRef
}

func buildColumn(rel *Relation, ref ColumnRef, rows [][]any) *vector.Column {
	kind := vector.String
	if ref.Key == "" {
		kind = expr.KindOf(rel.Columns[ref.Index].Type.OID)
	}
	b := vector.NewBuilder(kind, len(rows))
	for _, row := range rows {
		b.Append(cellOf(row, ref))
	}
	return b.Finish()
}

func cellOf(row []any, ref ColumnRef) any {
	if doc, ok := row[ref.Index].(string); ok && ref.Key != "" {
		return attribute(doc, ref.Key)
	}
	return row[ref.Index]
}

// complete puts a row in the order of the columns.
func (t *systemTable) complete(row map[string]any) []any {
	out := make([]any, len(t.rel.Columns))
	used := 0
	for i, col := range t.rel.Columns {
		v, ok := row[col.Name]
		if ok {
			used++
		}
		if v == nil && col.NotNull {
			v = zero(col.Type.OID)
		}
		out[i] = v
	}
	if used != len(row) {
		for name := range row {
			if t.rel.Index(name) < 0 {
				panic(fmt.Sprintf("BUG: %s has no column %s", t.rel.Name, name))
			}
		}
	}
	return out
}

// zero is the value of a NOT NULL column about which there is nothing to say.
func zero(oid pgtypes.OID) any {
	switch expr.KindOf(oid) {
	case vector.Bool:
		return false
	case vector.Int64:
		return int64(0)
	case vector.Float:
		return 0.0
	case vector.String:
		return ""
	}
	if pgtypes.IsArray(oid) || oid == pgtypes.Int2Vector || oid == pgtypes.OidVector {
		return pgtypes.NewArray(pgtypes.ElemOf(oid), nil)
	}
	if oid == pgtypes.Xid {
		v, err := pgtypes.DecodeText(pgtypes.Of(oid), "0", &pgtypes.TextStyle{})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return v
	}
	return nil
}

// attribute is doc ->> key.
func attribute(doc, key string) any {
	raw, ok := pgtypes.JSONGet(doc, key)
	if !ok {
		return nil
	}
	text, null := pgtypes.JSONText(raw)
	if null {
		return nil
	}
	return text
}

// single gives one batch.
type single struct{ batch *vector.Batch }

func (s *single) Next(context.Context) (*vector.Batch, error) {
	b := s.batch
	s.batch = nil
	if b == nil || b.N == 0 {
		return nil, nil
	}
	return b, nil
}

func (s *single) Close() {}
