package bind_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// table is a relation without rows.
type table struct{ rel *catalog.Relation }

func (t table) Relation() *catalog.Relation { return t.rel }
func (t table) Rows() int64                 { return 0 }
func (t table) Scan(context.Context, *catalog.ScanRequest) ([]vector.Reader, error) {
	return nil, nil
}

// tableFunc is anomalies(current_seconds, baseline_seconds, service, at).
type tableFunc struct{}

func (tableFunc) Relation() *catalog.Relation {
	return &catalog.Relation{Name: "anomalies", Kind: 'f', Columns: []catalog.Column{
		{Name: "service", Type: pgtypes.Of(pgtypes.Text)},
		{Name: "kind", Type: pgtypes.Of(pgtypes.Text)},
		{Name: "score", Type: pgtypes.Of(pgtypes.Float8)},
		{Name: "evidence_trace_id", Type: pgtypes.Of(pgtypes.Text)},
	}}
}

func (tableFunc) Args() []catalog.Arg {
	return []catalog.Arg{
		{Name: "current_seconds", Type: pgtypes.Of(pgtypes.Int8)},
		{Name: "baseline_seconds", Type: pgtypes.Of(pgtypes.Int8), Default: "3600"},
		{Name: "service", Type: pgtypes.Of(pgtypes.Text), Default: "NULL"},
		{Name: "at", Type: pgtypes.Of(pgtypes.Timestamptz), Default: "now()"},
	}
}

func (tableFunc) Call(context.Context, *expr.Env, []any) (vector.Reader, error) { return nil, nil }

// schema is the catalog of the tests. oracleSQL makes the same in PostgreSQL.
type schema struct{ relations []*catalog.Relation }

func column(name, typ string) catalog.Column {
	oid, ok := pgtypes.ByName(typ)
	if !ok {
		panic("no type " + typ)
	}
	return catalog.Column{Name: name, Type: pgtypes.Of(oid)}
}

func relation(oid pgtypes.OID, name string, key []int, columns ...string) *catalog.Relation {
	r := &catalog.Relation{OID: oid, Schema: "public", Name: name, Kind: 'r', PrimaryKey: key}
	for i := 0; i < len(columns); i += 2 {
		r.Columns = append(r.Columns, column(columns[i], columns[i+1]))
	}
	return r
}

func newSchema() schema {
	return schema{relations: []*catalog.Relation{
		relation(20001, "spans", []int{0, 1}, "trace_id", "text", "span_id", "text", "parent_span_id", "text",
			"service", "text", "operation", "text", "start_time", "timestamptz", "end_time", "timestamptz",
			"duration_ms", "float8", "duration_ns", "int8", "status", "text", "attributes", "jsonb",
			"http_status_code", "int4", "is_root", "bool"),
		relation(20002, "logs", nil, "timestamp", "timestamptz", "trace_id", "text", "span_id", "text",
			"severity", "text", "body", "text", "service", "text", "log_id", "int8"),
		relation(20003, "metrics", nil, "timestamp", "timestamptz", "service", "text", "name", "text",
			"value", "float8", "bucket_counts", "int8[]", "attributes", "jsonb"),
		relation(20004, "kinds", []int{0}, "id", "int4", "small", "int2", "big", "int8", "num", "numeric", "f4", "float4",
			"f8", "float8", "t", "text", "v", "varchar", "c", "character", "n", "name", "b", "boolean", "d", "date",
			"ts", "timestamp", "tz", "timestamptz", "iv", "interval", "tm", "time", "u", "uuid", "j", "json", "jb", "jsonb",
			"by", "bytea", "ia", "int4[]", "ta", "text[]", "o", "oid", "rc", "regclass"),
		{
			OID: 20005, Schema: "public", Name: "recent_spans", Kind: 'v',
			Columns:    []catalog.Column{column("trace_id", "text"), column("service", "text"), column("ms", "float8")},
			Definition: "SELECT trace_id, service, duration_ms AS ms FROM spans WHERE start_time > now() - interval '1 hour'",
		},
		{
			OID: 20006, Schema: "public", Name: "services", Kind: 'v',
			Columns:    []catalog.Column{column("service", "text"), column("span_count", "int8")},
			Definition: "SELECT service, count(*) FROM spans GROUP BY service",
		},
	}}
}

const oracleSQL = `
CREATE TABLE spans (trace_id text, span_id text, parent_span_id text, service text, operation text, start_time timestamptz,
  end_time timestamptz, duration_ms float8, duration_ns int8, status text, attributes jsonb, http_status_code int4, is_root bool,
  PRIMARY KEY (trace_id, span_id));
CREATE TABLE logs (timestamp timestamptz, trace_id text, span_id text, severity text, body text, service text, log_id int8);
CREATE TABLE metrics (timestamp timestamptz, service text, name text, value float8, bucket_counts int8[], attributes jsonb);
CREATE TABLE kinds (id int4 PRIMARY KEY, small int2, big int8, num numeric, f4 float4, f8 float8, t text, v varchar, c bpchar, n name,
  b boolean, d date, ts timestamp, tz timestamptz, iv interval, tm time, u uuid, j json, jb jsonb, by bytea, ia int4[], ta text[],
  o oid, rc regclass);
CREATE VIEW recent_spans AS SELECT trace_id, service, duration_ms AS ms FROM spans WHERE start_time > now() - interval '1 hour';
CREATE VIEW services AS SELECT service, count(*) AS span_count FROM spans GROUP BY service;
CREATE FUNCTION anomalies(current_seconds int8, baseline_seconds int8 DEFAULT 3600, service text DEFAULT NULL, at timestamptz DEFAULT now())
  RETURNS TABLE (service text, kind text, score float8, evidence_trace_id text) LANGUAGE sql AS 'SELECT NULL::text, NULL::text, 1.0::float8, NULL::text';
`

func (s schema) Internal(string) catalog.Table { return nil }

func (s schema) Relation(schema, name string, path []string) (catalog.Table, *catalog.Relation) {
	for _, r := range s.relations {
		if r.Name != name || schema != "" && schema != r.Schema || schema == "" && !slices.Contains(path, r.Schema) {
			continue
		}
		if r.Kind == 'v' {
			return nil, r
		}
		return table{r}, r
	}
	return nil, nil
}

func (schema) TableFunction(schema, name string, path []string) catalog.TableFunction {
	if name == "anomalies" && (schema == "" || schema == "public") {
		return tableFunc{}
	}
	return nil
}

func (schema) Type(string, string, []string) (pgtypes.OID, bool) { return 0, false }

func (schema) HasSchema(name string) bool {
	return name == "public" || name == "pg_catalog" || name == "information_schema"
}

// The tests inside the package use the same catalog.
func TestMain(m *testing.M) {
	bind.TestCatalog = newSchema()
	os.Exit(m.Run())
}
