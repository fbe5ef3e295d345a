package bind_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

func bindText(sql string, params ...pgtypes.OID) (*bind.Query, error) {
	stmt, err := syntax.ParseOne(sql)
	if err != nil {
		return nil, err
	}
	return bind.Bind(stmt, bind.Environment{
		Catalog: newSchema(), Database: "bind_oracle", Path: []string{"public", "pg_catalog"}, ParamTypes: params,
		Style: &pgtypes.TextStyle{},
	})
}

// Each case of testdata is a statement: "plan" prints its columns and its plan,
// "error" its error with the text from the error's position on.
func TestBind(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.HasSuffix(path, ".sql") {
			return
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			q, err := bindText(d.Input)
			if err != nil {
				return describeError(err, d.Input)
			}
			if d.Cmd == "types" {
				return describeColumns(q) + "\n"
			}
			return describeColumns(q) + "\n" + bind.Format(q.Root)
		})
	})
}

func describeColumns(q *bind.Query) string {
	parts := make([]string, len(q.Columns))
	for i, c := range q.Columns {
		parts[i] = c.Name + " " + pgtypes.FormatType(c.Type)
	}
	s := strings.Join(parts, ", ")
	for i, p := range q.Params {
		s += fmt.Sprintf("; $%d %s", i+1, pgtypes.FormatType(pgtypes.Of(p)))
	}
	return s
}

func describeError(err error, sql string) string {
	e := pgerr.From(err)
	out := fmt.Sprintf("%s: %s\n", e.Code, e.Message)
	if e.Position > 0 && e.Position <= len(sql)+1 {
		out += "at " + fmt.Sprint(e.Position) + ": " + strings.SplitN(string([]rune(sql)[e.Position-1:]), "\n", 2)[0] + "\n"
	}
	if e.Detail != "" {
		out += "DETAIL: " + e.Detail + "\n"
	}
	if e.Hint != "" {
		out += "HINT: " + e.Hint + "\n"
	}
	return out
}
