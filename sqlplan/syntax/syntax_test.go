package syntax_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

func TestParse(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			statements, err := syntax.Parse(d.Input)
			if err != nil {
				e := pgerr.From(err)
				return fmt.Sprintf("%s: %s at %d\n", e.Code, e.Message, e.Position)
			}
			var out strings.Builder
			for _, s := range statements {
				fmt.Fprintf(&out, "%d %s @%d %q\n", s.Kind, s.Tag, s.Offset, s.Text)
			}
			return out.String()
		})
	})
}

// Text that would overflow the C parser's stack is refused before it gets there.
func TestDepth(t *testing.T) {
	deep := map[string]string{
		"parentheses":    "SELECT " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"sum":            "SELECT 1" + strings.Repeat("+1", 100_000),
		"sign":           "SELECT " + strings.Repeat("- ", 100_000) + "1",
		"not":            "SELECT " + strings.Repeat("NOT ", 100_000) + "true",
		"case":           "SELECT " + strings.Repeat("CASE WHEN true THEN ", 5000) + "1" + strings.Repeat(" END", 5000),
		"case end names": "SELECT " + strings.Repeat("CASE WHEN t.end THEN ", 5000) + "1" + strings.Repeat(" END", 5000),
		"brackets":       "SELECT " + strings.Repeat("ARRAY[", 1000) + "1" + strings.Repeat("]", 1000),
		"union":          "SELECT 1" + strings.Repeat(" UNION SELECT 1", 100_000),
		"join":           "SELECT 1 FROM t" + strings.Repeat(" CROSS JOIN t", 100_000),
		"cast":           "SELECT 1" + strings.Repeat("::int", 100_000),
		"is null":        "SELECT 1" + strings.Repeat(" IS NULL", 100_000),
		"quote trick":    `SELECT date'\', ` + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"escape trick":   `SELECT E'\'', ` + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
	}
	for name, text := range deep {
		t.Run(name, func(t *testing.T) {
			if _, err := syntax.Parse(text); !pgerr.HasCode(err, pgerr.StatementTooComplex) {
				t.Errorf("got %v, want SQLSTATE 54001", err)
			}
		})
	}
	wide := map[string]string{
		"values":   "VALUES (1+1)" + strings.Repeat(", (1+1)", 20_000),
		"in list":  "SELECT 1 IN (1" + strings.Repeat(", -1", 20_000) + ")",
		"nesting":  "SELECT " + strings.Repeat("(", 190) + "1" + strings.Repeat(")", 190),
		"operator": "SELECT 1" + strings.Repeat("+1", 1900),
		"string":   "SELECT '" + strings.Repeat("(", 1000) + "', $$" + strings.Repeat("(", 1000) + "$$, $a$" + strings.Repeat("(", 1000) + "$a$",
		"comment":  "SELECT 1 /* " + strings.Repeat("(", 1000) + " */ -- " + strings.Repeat("(", 1000),
	}
	for name, text := range wide {
		t.Run(name, func(t *testing.T) {
			if _, err := syntax.Parse(text); err != nil {
				t.Error(err)
			}
		})
	}
}

// What real clients send must parse.
func TestClientCorpus(t *testing.T) {
	f, err := os.Open("../../../shared/clients/corpus-dev.jsonl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no corpus beside the repository: ", err)
	}
	defer f.Close()
	oid := regexp.MustCompile(`\{\{oid:[^}]*\}\}`)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c struct{ ID, SQL, Notes string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c.SQL, `\watch`) {
			continue // a psql command that its -c passes on: PostgreSQL refuses it too
		}
		if _, err := syntax.Parse(oid.ReplaceAllString(c.SQL, "16384")); err != nil {
			t.Errorf("%s: %v\n%s", c.ID, err, c.SQL)
		}
		n++
	}
	if n < 500 {
		t.Errorf("only %d statements in the corpus", n)
	}
}
