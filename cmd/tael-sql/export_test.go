package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/internal/ingest/files"
	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/wal/record"
)

// rowTexts gives every row of a table in binary, sorted, without the columns
// that are of its arrival.
func rowTexts(t *testing.T, conn *pgx.Conn, table string) (rows []string) {
	t.Helper()
	described, err := conn.Prepare(t.Context(), "", "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range described.Fields {
		switch {
		case f.Name == "log_id" || f.Name == "ingested_at":
		case f.Name == "timestamp" && table == "logs":
			names = append(names, "CASE WHEN coalesce(time_unix_nano, observed_time_unix_nano) IS NOT NULL THEN timestamp END")
		case f.Name == "timestamp" && table == "metrics":
			names = append(names, "CASE WHEN time_unix_nano <> 0 THEN timestamp END")
		default:
			names = append(names, f.Name)
		}
	}
	r := conn.PgConn().ExecParams(t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM "+table, nil, nil, nil, []int16{pgx.BinaryFormatCode})
	for r.NextRow() {
		var b strings.Builder
		for i, v := range r.Values() {
			fmt.Fprintf(&b, "%s = %t %q\n", names[i], v == nil, v)
		}
		rows = append(rows, b.String())
	}
	if _, err := r.Close(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return rows
}

// What was exported and imported elsewhere is the same in every column, in
// each of the forms that files have.
func TestExport(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	client, err := ingest.NewClient("grpc://" + g.endpoints.OTLPGRPC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for i := range uint64(100) {
		for signal, body := range otlptest.Requests(seed + i) {
			if _, _, err := client.Send(t.Context(), signal, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	long, err := files.FromJSON(record.Logs, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"`+
		strings.Repeat("long ", 5000)+`"}}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Send(t.Context(), record.Logs, long); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, g)
	ask(conn, "CHECKPOINT") // texts leave their rows
	tables := []string{"spans", "logs", "metrics"}
	want := make(map[string][]string)
	for _, table := range tables {
		want[table] = rowTexts(t, conn, table)
		if len(want[table]) < 100 {
			t.Fatalf("%d rows of %s", len(want[table]), table)
		}
	}
	for _, form := range []string{"otlp.zst", "otlp", "jsonl.gz", "json"} {
		out := t.TempDir()
		var paths []string
		for i, signal := range []string{"traces", "logs", "metrics"} {
			path := filepath.Join(out, "all."+signal+"."+form)
			paths = append(paths, path)
			cmd := newExport()
			cmd.SetArgs([]string{"--out", path, "--data-dir", dir})
			var report bytes.Buffer
			cmd.SetOut(&report)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(report.String(), fmt.Sprintf(": %d rows of %s ", len(want[tables[i]]), tables[i])) {
				t.Error(report.String())
			}
		}
		otherDir := filepath.Join(t.TempDir(), "data")
		other := testGateway(t, otherDir)
		im := &importer{out: io.Discard}
		if err := im.run(t.Context(), "grpc://"+other.endpoints.OTLPGRPC, paths); err != nil {
			t.Fatal(err)
		}
		otherConn := connect(t, other)
		for _, table := range tables {
			got := rowTexts(t, otherConn, table)
			if len(got) != len(want[table]) {
				t.Fatalf("%s by %s: %d rows, not %d", table, form, len(got), len(want[table]))
			}
			for i := range got {
				if got[i] != want[table][i] {
					t.Fatalf("%s by %s:\n%s\nnot\n%s", table, form, got[i], want[table][i])
				}
			}
		}
		_ = otherConn.Close(context.Background())
		stopGateway(t, other, otherDir)
	}
}

// The range, a service and a condition choose rows; a failed export leaves no
// file, and one that exists is not written over.
func TestExportChooses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	ask(connect(t, g), `INSERT INTO logs (timestamp, service, body) VALUES
		('2026-01-01 00:00Z', 'a', 'one'), ('2026-01-02 00:00Z', 'a', 'two'), ('2026-01-03 00:00Z', 'b', 'three'), (now(), 'a', 'four')`)
	out := t.TempDir()
	for i, c := range []struct {
		args []string
		rows string
	}{
		{nil, "4 rows"},
		{[]string{"--from", "2026-01-02 00:00Z", "--to", "2026-01-03 00:00Z"}, "1 rows"},
		{[]string{"--from", "1h"}, "1 rows"},
		{[]string{"--service", "a"}, "3 rows"},
		{[]string{"--where", "body LIKE 't%' -- as SQL has it", "--service", "b"}, "1 rows"},
		{[]string{"--service", "x' OR true --"}, "0 rows"},
		{[]string{"--where", "no_such_column"}, `column "no_such_column" does not exist`},
		{[]string{"--out", filepath.Join(out, "0.logs.otlp")}, "file already exists"},
	} {
		path := filepath.Join(out, fmt.Sprintf("%d.logs.otlp", i))
		cmd := newExport()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append([]string{"--out", path, "--data-dir", dir}, c.args...))
		var report bytes.Buffer
		cmd.SetOut(&report)
		err := cmd.ExecuteContext(t.Context())
		if text := fmt.Sprint(report.String(), err); !strings.Contains(text, c.rows) {
			t.Errorf("%q: %s", c.args, text)
		}
		if _, found := os.Stat(path); (found == nil) != (err == nil) {
			t.Errorf("%q: %v, but the file: %v", c.args, err, found)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(out, "*.partial")); len(left) > 0 {
		t.Error(left)
	}
}
