package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A result is what a server answered to a statement.
type result struct {
	columns []string // name:type OID
	rows    []string
	tag     string
	code    string // SQLSTATE
	message string
}

func (r result) String() string {
	if r.code != "" {
		return r.code + " " + r.message + "\n"
	}
	var b strings.Builder
	if len(r.columns) > 0 {
		fmt.Fprintln(&b, strings.Join(r.columns, " "))
	}
	for _, row := range r.rows {
		fmt.Fprintln(&b, row)
	}
	return b.String()
}

// answer runs a script by the simple protocol and gives its last result.
func answer(conn *pgconn.PgConn, sql string) result {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out result
	reader := conn.Exec(ctx, sql)
	for reader.NextResult() {
		r := reader.ResultReader()
		out = result{}
		for _, f := range r.FieldDescriptions() {
			column := fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID)
			if f.TypeModifier != -1 {
				column += fmt.Sprintf("(%d)", f.TypeModifier)
			}
			out.columns = append(out.columns, column)
		}
		for r.NextRow() {
			cells := make([]string, len(r.Values()))
			for i, v := range r.Values() {
				cells[i] = string(v)
				if v == nil {
					cells[i] = "NULL"
				}
			}
			out.rows = append(out.rows, strings.Join(cells, " | "))
		}
		tag, _ := r.Close() // the error comes again
		out.tag = tag.String()
	}
	if err := reader.Close(); err != nil {
		out = result{code: "?", message: err.Error()}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok {
			out = result{code: e.Code, message: e.Message}
		}
	}
	return out
}

// open connects to a server until the test ends.
func open(t *testing.T, s server) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), s.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

var ordered = regexp.MustCompile(`(?is)\border\s+by\b[^)]*$`)

// settle makes results comparable: rows without an order are sorted.
func (r result) settle(sql string) string {
	if !ordered.MatchString(sql) {
		slices.Sort(r.rows)
	}
	if r.code != "" {
		return r.String()
	}
	return r.String() + r.tag + "\n"
}

// Each line of testdata/oracle/*.sql is a statement that both servers answer
// alike — names, types and values, or SQLSTATE and message — but for those that
// docs/differences.md lists with the reason and both answers.
func TestOracle(t *testing.T) {
	client(t, "oracle", func(t *testing.T) string {
		pg, tael := open(t, postgres), open(t, gateway)
		files, err := filepath.Glob("testdata/oracle/*.sql")
		if err != nil || len(files) == 0 {
			t.Fatal("no statements: ", err)
		}
		n := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line := 0
			for sql := range strings.Lines(string(text)) {
				line++
				if sql = strings.TrimSpace(sql); sql == "" || strings.HasPrefix(sql, "--") {
					continue
				}
				n++
				if tael.IsClosed() {
					tael = open(t, gateway)
				}
				want, got := answer(pg, sql), answer(tael, sql)
				if a, b := want.settle(sql), got.settle(sql); a != b {
					t.Errorf("%s:%d: %s\ndiffers from PostgreSQL (-) on the gateway (+):\n%s", file, line, sql,
						difference(a, b))
				}
			}
		}
		listed := checkDifferences(t, pg, tael)
		return fmt.Sprintf("%d statements alike, %d that differ as listed", n, listed)
	})
}

const differencesFile = "../../../docs/differences.md"

// checkDifferences holds docs/differences.md against both servers. A
// difference is a block of SQL, one statement, and a block of text with both
// answers. One that is gone is reported, and taken out by -rewrite.
func checkDifferences(t *testing.T, pg, tael *pgconn.PgConn) (n int) {
	t.Helper()
	raw, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```sql\n(.*?)\n```\n```text\n(.*?)```\n")
	text := example.ReplaceAllStringFunc(string(raw), func(block string) string {
		n++
		m := example.FindStringSubmatch(block)
		a, b := answer(pg, m[1]), answer(tael, m[1])
		if a.settle(m[1]) == b.settle(m[1]) {
			note("docs/differences.md: both answer alike now: %s", m[1])
			return ""
		}
		now := "PostgreSQL 15\n" + indent(a) + "tael-sql\n" + indent(b)
		if now != m[2] && !rewrite() {
			t.Errorf("docs/differences.md: %s\ndiffers from what it says (-):\n%s", m[1], difference(m[2], now))
		}
		return "```sql\n" + m[1] + "\n```\n```text\n" + now + "```\n"
	})
	if rewrite() {
		if err := os.WriteFile(differencesFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func indent(r result) string {
	var b strings.Builder
	text := r.String()
	if text == "" {
		text = r.tag + "\n"
	}
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}
