package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var rewriteDocs = flag.Bool("rewrite-docs", false, "put what the questions answer into docs/questions.md")

// sqlBlock is a block of SQL in a document, and the block of its output.
var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)\n```\n(?:\n```text\n(.*?)```\n)?")

// The answers in docs/questions.md are what the gateway gives, with the rows in
// the memtable, in blocks and in parts.
func TestQuestions(t *testing.T) {
	const path = "../../docs/questions.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../docs/questions.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer stopGateway(t, g, dir)
	conn := connect(t, g)
	if out := ask(conn, string(data)); !strings.HasSuffix(out, "INSERT 0 390\n") {
		t.Fatal(out)
	}
	for _, placement := range placements {
		n := 0
		now := sqlBlock.ReplaceAllStringFunc(string(doc), func(block string) string {
			n++
			m := sqlBlock.FindStringSubmatch(block)
			got := answer(t, conn, m[1])
			if !*rewriteDocs && got != m[2] {
				t.Errorf("%s: %s\n got\n%s\nwant\n%s", placement, m[1], got, m[2])
			}
			return "```sql\n" + m[1] + "\n```\n\n```text\n" + got + "```\n"
		})
		if n != 20 {
			t.Errorf("%d questions", n)
		}
		if *rewriteDocs {
			if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		move(t, g, placement)
	}
}

// answer prints a query's rows as a reader would see them.
func answer(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out bytes.Buffer
	printTable(&out, results[0].FieldDescriptions, results[0].Rows)
	return out.String()
}
