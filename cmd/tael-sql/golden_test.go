package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/engine/layout"
)

var makeGolden = flag.String("make-golden", "", "make testdata/golden/NAME of today's formats; what is there is never made again")

// Data folders and backups of every format that a release has written open, and
// answer as they did then. A folder of testdata/golden has
//
//	data/        with rows in parts, in blocks, with texts outside, and in the WAL alone
//	backup/      of the same rows
//	questions.sql, answers.txt  of every column that there was
//
// None is ever changed: another format gets another folder.
func TestGolden(t *testing.T) {
	if *makeGolden != "" {
		writeGolden(t, filepath.Join("testdata/golden", *makeGolden))
	}
	list, err := filepath.Glob("testdata/golden/*")
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, golden := range list {
		questions, err := os.ReadFile(filepath.Join(golden, "questions.sql"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(golden, "answers.txt"))
		if err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(t.TempDir(), "data")
		copyGolden(t, filepath.Join(golden, "data"), data)
		restored := filepath.Join(t.TempDir(), "data")
		if out, err := runCommand(t, "restore", "--from", filepath.Join(golden, "backup"), "--data-dir", restored); err != nil {
			t.Fatal(out, err)
		}
		for _, dir := range []string{data, restored} {
			g := testGateway(t, dir)
			if got := goldenAnswers(t, g, string(questions)); got != string(want) {
				t.Errorf("%s in %s answers\n%s\nnot\n%s", golden, dir, got, want)
			}
			stopGateway(t, g, dir)
		}
	}
}

// goldenAnswers asks, and gives for long lines their length and hash.
func goldenAnswers(t *testing.T, g *gateway, questions string) string {
	t.Helper()
	conn := connect(t, g)
	var b strings.Builder
	for q := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(questions), ";"), ";") {
		for line := range strings.Lines(ask(conn, q)) {
			if len(line) > 4000 {
				line = fmt.Sprintf("%s… %d bytes, SHA-256 %x\n", line[:200], len(line), sha256.Sum256([]byte(line)))
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// makeQuestions asks for every column of today's tables but llm, which new
// conventions change.
func makeQuestions(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []struct{ name, order string }{
		{"spans", "start_time, span_id"}, {"logs", "timestamp, service, severity"}, {"metrics", "timestamp, name, series_id"}, {"comments", "id"},
	} {
		var columns string
		err := conn.QueryRow(t.Context(), `SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name = $1 AND column_name <> 'llm'`, table.name).Scan(&columns)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "SELECT %s FROM %s ORDER BY %s;\n", columns, table.name, table.order)
	}
	b.WriteString("SELECT count(*) FROM logs WHERE body LIKE '%longer%';\n")
	return b.String()
}

// writeGolden makes a folder with all that there is, and copies it as a kill
// would leave it.
func writeGolden(t *testing.T, golden string) {
	t.Helper()
	if _, err := os.Stat(golden); err == nil {
		t.Fatalf("%s is there already", golden)
	}
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("TAEL_SQL_INGEST_DEDUPE_WINDOW", "0s") // some files are sent twice
	g := testGateway(t, dir)
	conn := connect(t, g)
	im := &importer{out: &bytes.Buffer{}}
	send := func(files ...string) {
		if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
			t.Fatal(err)
		}
	}
	run := func(sql string) {
		if out := ask(conn, sql); strings.Contains(out, "ERROR") || !strings.Contains(out, "INSERT") && !strings.Contains(out, "CHECKPOINT") && !strings.Contains(out, "DELETE") && !strings.Contains(out, "UPDATE") {
			t.Fatal(out)
		}
	}
	files, err := filepath.Glob("testdata/checkout/*.jsonl")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	send(files...)
	run(`INSERT INTO logs (timestamp, service, severity, body) VALUES ('2023-11-14 22:13:20Z', 'archive', 'info', repeat('long ', 2000)),
		('2023-11-14 22:13:21Z', 'archive', 'info', repeat('longer ', 10000))`)
	run(`INSERT INTO comments (id, trace_id, author, body, created_at) VALUES ('1', '0af7651916cd43dd8448eb211c80319c', 'ann', 'first', '2023-11-14 23:00:00Z'),
		('2', '0af7651916cd43dd8448eb211c80319c', 'ann', 'deleted', '2023-11-14 23:00:00Z')`)
	run("CHECKPOINT")
	if _, err := g.db.Compact(t.Context(), 1<<62); err != nil { // into parts
		t.Fatal(err)
	}
	send(files[2]) // the spans replace themselves
	run(`INSERT INTO spans (trace_id, span_id, service, operation, start_time, end_time, attributes) VALUES
		('0af7651916cd43dd8448eb211c80319c', '00000000000000ff', 'agent', 'chat', '2023-11-14 22:13:22Z', '2023-11-14 22:13:23Z',
		'{"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 12, "list": [1, "two"], "deep": {"a": null},
		"gen_ai.input.messages": "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"` + strings.Repeat("why? ", 500) + `\"}]}]"}')`)
	run("UPDATE comments SET body = 'second' WHERE id = '1'")
	run("CHECKPOINT") // into blocks
	run(`INSERT INTO logs (timestamp, service, severity, body) VALUES ('2023-11-14 22:13:24Z', 'wal', 'warn', 'in no block')`)
	run("DELETE FROM comments WHERE id = '2'")

	copyKilled(t, dir, filepath.Join(golden, "data"))
	out, err := filepath.Abs(filepath.Join(golden, "backup"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runCommand(t, "backup", "--data-dir", dir, "--out", out); err != nil {
		t.Fatal(out, err)
	}
	questions := makeQuestions(t, conn)
	for name, text := range map[string]string{"questions.sql": questions, "answers.txt": goldenAnswers(t, g, questions)} {
		if err := writeGoldenFile(filepath.Join(golden, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	stopGateway(t, g, dir)
}

// copyKilled copies a folder that is open, but for what belongs to the process;
// segments of the log without what was never written of them.
func copyKilled(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
		if os.IsNotExist(err) {
			return nil // a segment on its way, which has its name now
		}
		name, relErr := filepath.Rel(from, path)
		if err != nil || relErr != nil || info.IsDir() || !info.Mode().IsRegular() || slices.Contains([]string{layout.LockFile, layout.EndpointsFile}, filepath.Base(name)) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(name) == ".wal" {
			used := len(bytes.TrimRight(raw, "\x00"))
			if used == 0 {
				return nil // a spare
			}
			raw = raw[:(used+4095)&^4095]
		}
		return writeGoldenFile(filepath.Join(to, name), raw)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyGolden(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
		name, relErr := filepath.Rel(from, path)
		if err != nil || relErr != nil || info.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeGoldenFile(filepath.Join(to, name), raw)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func writeGoldenFile(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}
