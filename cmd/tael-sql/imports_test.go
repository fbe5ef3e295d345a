package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/wal/record"
)

func importFiles(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newImport()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(args)
	var out bytes.Buffer
	cmd.SetOut(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// An import that stopped goes on after what was acknowledged, and one that is
// complete sends nothing, under whatever name the file has. Without its notes,
// or asked to, it sends all.
func TestImportResumes(t *testing.T) {
	t.Setenv("TAEL_SQL_INGEST_DEDUPE_WINDOW", "0") // which would know requests that are sent again
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	conn := connect(t, g)
	count := func() string {
		t.Helper()
		return strings.Fields(ask(conn, "SELECT count(*) FROM logs"))[1]
	}
	var whole []byte
	for seed := range uint64(5) {
		body := otlptest.Requests(seed + 100)[record.Logs]
		whole = append(binary.BigEndian.AppendUint32(whole, uint32(len(body))), body...)
	}
	out := t.TempDir()
	put := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(out, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := put("a.logs.otlp", whole)
	hash, err := fileHash(path)
	if err != nil {
		t.Fatal(err)
	}
	// As if it had been stopped within the line about the third request.
	state := `{"file":"` + hash + `","requests":1}` + "\n" + `{"file":"` + hash + `","requests":2}` + "\n" + `{"file":"` + hash
	if err := os.WriteFile(filepath.Join(dir, importsFile), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := importFiles(t, "--data-dir", dir, path); err != nil || !strings.Contains(out, "going on after 2 requests") || !strings.Contains(out, "3 requests with") {
		t.Fatalf("%s %v", out, err)
	}
	some := count()
	if out, err := importFiles(t, "--data-dir", dir, put("b.logs.otlp", whole)); err != nil || !strings.Contains(out, "was imported before") || count() != some {
		t.Errorf("%s %v: %s rows, not %s", out, err, count(), some)
	}
	if out, err := importFiles(t, "--data-dir", dir, "--again", path); err != nil || !strings.Contains(out, "5 requests with") || count() == some {
		t.Errorf("%s %v: %s rows", out, err, count())
	}
	if out, err := importFiles(t, "--to", "http://"+g.endpoints.OTLPHTTP, path); err != nil || !strings.Contains(out, "5 requests with") {
		t.Errorf("%s %v", out, err)
	}
	// What cannot be read is told with its place; what came before is noted.
	cut := put("cut.logs.otlp", whole[:len(whole)-1])
	if out, err := importFiles(t, "--data-dir", dir, cut); err == nil || !strings.Contains(err.Error(), "read request 5") {
		t.Errorf("%s %v", out, err)
	}
	if _, err := importFiles(t, "--data-dir", dir, filepath.Join(out, "none.logs.otlp")); err == nil {
		t.Error("a file that is not there was imported")
	}
}

// An import that moves times to now keeps its shift when it goes on.
func TestImportResumesShift(t *testing.T) {
	state, err := openImports(filepath.Join(t.TempDir(), importsFile), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = state.close() })
	path := filepath.Join(t.TempDir(), "a.logs.otlp")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hash, err := fileHash(path)
	if err != nil {
		t.Fatal(err)
	}
	im := &importer{state: state, toNow: true}
	for _, done := range []bool{false, true} {
		if err := state.note(imported{File: hash, Shift: 42, ToNow: true, Requests: 1, Done: done}); err != nil {
			t.Fatal(err)
		}
		if shift, err := im.shiftToNow([]string{path}); err != nil || (shift == 42) == done {
			t.Errorf("done %t: shift %d, %v", done, shift, err)
		}
	}
}

// Jaeger's JSON is known by its content, whatever its name.
func TestImportJaeger(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "deathstarbench", "jaeger-traces-socialnetwork.json.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	if out, err := importFiles(t, "--data-dir", dir, path); err != nil || !strings.Contains(out, "20 requests with") {
		t.Fatalf("%s %v", out, err)
	}
	got := ask(connect(t, g), "SELECT count(*), count(DISTINCT trace_id), count(parent_span_id), count(*) FILTER (WHERE service = 'unknown') FROM spans")
	if want := "count | count | count | count\n660 | 20 | 640 | 0"; !strings.Contains(got, want) {
		t.Error(got)
	}
}
