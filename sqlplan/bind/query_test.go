package bind_test

import (
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// Values replace parameters everywhere, and the query itself stays as it was.
func TestWith(t *testing.T) {
	q, err := bindText(`SELECT service FROM spans s WHERE duration_ms > $1
		AND EXISTS (SELECT 1 FROM logs l WHERE l.trace_id = s.trace_id AND l.severity = $2) LIMIT $3`)
	if err != nil {
		t.Fatal(err)
	}
	before := bind.Format(q.Root)
	got := bind.Format(q.With([]any{1.5, "error", int64(7)}).Root)
	for _, want := range []string{"> '1.5'::double precision", "= 'error'::text", "count='7'::bigint"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "$") {
		t.Errorf("a parameter is left:\n%s", got)
	}
	if bind.Format(q.Root) != before {
		t.Error("With changed the query")
	}
}

// A CTE that the query and a sub-query of it read stays one CTE: its rows are
// computed once.
func TestWithKeepsCTE(t *testing.T) {
	q, err := bindText(`WITH x AS (SELECT service, $1::int AS n FROM spans)
		SELECT * FROM x WHERE n = (SELECT max(n) FROM x)`)
	if err != nil {
		t.Fatal(err)
	}
	text := bind.Format(q.With([]any{int64(1)}).Root)
	if n := strings.Count(text, "Scan spans"); n != 1 {
		t.Errorf("the CTE is printed %d times:\n%s", n, text)
	}
}

// Declared parameter types decide before any context does.
func TestDeclaredParameters(t *testing.T) {
	q, err := bindText("SELECT $1, $2, $3 + 1", pgtypes.Int8, 0, pgtypes.Unknown)
	if err != nil {
		t.Fatal(err)
	}
	want := []pgtypes.OID{pgtypes.Int8, pgtypes.Text, pgtypes.Int4}
	for i, p := range q.Params {
		if p != want[i] {
			t.Errorf("$%d is %d, not %d", i+1, p, want[i])
		}
	}
	if _, err := bindText("SELECT upper($1)", pgtypes.Int8); err == nil {
		t.Error("upper(bigint) was bound")
	}
}

// The arguments of EXECUTE are coerced to the parameters' types.
func TestArguments(t *testing.T) {
	for sql, want := range map[string]string{
		"EXECUTE p(1 + 1, 'a')":          "((1 + 1))::bigint, 'a'::text",
		"EXECUTE p('7', upper('a'))":     "'7'::bigint, upper('a'::text)",
		"EXECUTE p(1)":                   "wrong number of parameters for prepared statement \"p\" (SQLSTATE 42601)",
		"EXECUTE p(now(), 'a')":          "parameter $1 of type timestamp with time zone cannot be coerced to the expected type bigint (SQLSTATE 42804)",
		"EXECUTE p(1, service)":          "column \"service\" does not exist (SQLSTATE 42703)",
		"EXECUTE p(count(*), 'a')":       "aggregate functions are not allowed in EXECUTE parameters (SQLSTATE 42803)",
		"EXECUTE p((SELECT 1), 'a')":     "cannot use subquery in EXECUTE parameter (SQLSTATE 0A000)",
		"EXECUTE p('seven', NULL::text)": "invalid input syntax for type bigint: \"seven\" (SQLSTATE 22P02)",
	} {
		stmt, err := syntax.ParseOne(sql)
		if err != nil {
			t.Fatal(err)
		}
		exec := stmt.Node.Node.(*pg.Node_ExecuteStmt).ExecuteStmt
		args, err := bind.Arguments(stmt, exec.Name, exec.Params, []pgtypes.OID{pgtypes.Int8, pgtypes.Text},
			bind.Environment{Catalog: newSchema()})
		got := ""
		for i, a := range args {
			if i > 0 {
				got += ", "
			}
			got += a.String()
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}

func BenchmarkBind(b *testing.B) {
	for name, sql := range map[string]string{
		"aggregate": "SELECT service, count(*), avg(duration_ms) FROM spans WHERE start_time > now() - interval '1 hour' GROUP BY service ORDER BY 2 DESC LIMIT 10",
		"join":      "SELECT s.service, l.body FROM spans s JOIN logs l USING (trace_id) WHERE s.status = 'error' AND l.severity = $1",
		"exists":    "SELECT trace_id FROM spans s WHERE EXISTS (SELECT 1 FROM logs l WHERE l.trace_id = s.trace_id)",
	} {
		stmt, err := syntax.ParseOne(sql)
		if err != nil {
			b.Fatal(err)
		}
		env := bind.Environment{Catalog: newSchema(), Path: []string{"public"}}
		b.Run("query="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bind.Bind(stmt, env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
