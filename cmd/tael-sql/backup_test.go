package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runCommand runs a sub-command and gives what it prints and its error.
func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader("of a test\n")) // a password
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// A gateway is backed up while it runs, and when it is stopped; what is
// restored answers the same and takes more.
func TestBackupCommand(t *testing.T) {
	base := t.TempDir()
	dir, restored := filepath.Join(base, "data"), filepath.Join(base, "restored")
	g := testGateway(t, dir)
	im := &importer{out: &bytes.Buffer{}}
	files, err := filepath.Glob("testdata/checkout/*.jsonl")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, g)
	if out := ask(conn, `INSERT INTO comments (id, trace_id, author, body, created_at)
		VALUES ('1', '0af7651916cd43dd8448eb211c80319c', 'ann', 'kept', '2023-11-14 23:00:00Z')`); out != "INSERT 0 1\n" {
		t.Fatal(out)
	}
	const questions = `SELECT * FROM spans ORDER BY span_id; SELECT * FROM logs ORDER BY timestamp, body; SELECT * FROM metrics ORDER BY timestamp, name, series_id;
		SELECT * FROM comments; SELECT * FROM attribute_keys ORDER BY 1, 2, 3`
	before := ask(conn, questions)
	if out := ask(conn, "SELECT tael_backup('/tmp/nowhere')"); out != "42501 permission denied for function tael_backup\n" {
		t.Fatalf("over TCP: %s", out)
	}

	running := filepath.Join(base, "running")
	out, err := runCommand(t, "backup", "--data-dir", dir, "--out", running)
	if err != nil || !strings.Contains(out, "comments              1 rows") {
		t.Fatal(out, err)
	}
	if out, err := runCommand(t, "backup", "--data-dir", dir, "--out", running); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Fatal(out, err)
	}
	if out := ask(conn, "DELETE FROM comments"); out != "DELETE 1\n" {
		t.Fatal(out)
	}
	stopGateway(t, g, dir)
	stopped := filepath.Join(base, "stopped")
	if out, err := runCommand(t, "backup", "--data-dir", dir, "--out", stopped); err != nil || !strings.Contains(out, "comments              0 rows") {
		t.Fatal(out, err)
	}

	if out, err := runCommand(t, "restore", "--data-dir", dir, "--from", running); err == nil {
		t.Fatalf("restored over a data folder: %s", out)
	}
	out, err = runCommand(t, "restore", "--data-dir", restored, "--from", running)
	if err != nil || !strings.Contains(out, "comments              1 rows") {
		t.Fatal(out, err)
	}
	if out, err := runCommand(t, "check", restored); err != nil {
		t.Fatal(out, err)
	}
	g = testGateway(t, restored)
	conn = connect(t, g)
	if after := ask(conn, questions); after != before {
		t.Fatalf("restored:\n%s\nbacked up:\n%s", after, before)
	}
	if out := ask(conn, "INSERT INTO comments (trace_id, author, body) VALUES ('0af7651916cd43dd8448eb211c80319c', 'bob', 'more')"); out != "INSERT 0 1\n" {
		t.Fatal(out)
	}
	if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files[:1]); err != nil {
		t.Fatal(err)
	}
	stopGateway(t, g, restored)
}

// psql reaches the gateway by its data folder; nobody else's process does. A
// socket that a killed gateway left is no obstacle.
func TestSocket(t *testing.T) {
	program := needPsql(t)
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, ".s.PGSQL.5433"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	g := testGateway(t, dir)
	_, port, err := net.SplitHostPort(g.endpoints.PG)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	var e endpoints
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil || e.PGSocket != filepath.Join(dir, ".s.PGSQL."+port) {
		t.Fatalf("%s: %v", raw, err)
	}
	info, err := os.Stat(e.PGSocket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatal(info.Mode(), err)
	}
	cmd := exec.Command(program, "-X", "-At", "-h", dir, "-p", port, "-U", user, "-d", database, "-c", `\conninfo`, "-c", "SELECT 6*7")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `via socket in "`+dir) || !strings.Contains(string(out), "\n42\n") {
		t.Fatalf("%s: %v", out, err)
	}
	stopGateway(t, g, dir)
	if left, err := filepath.Glob(filepath.Join(dir, ".s*")); err != nil || left != nil {
		t.Fatal(left, err)
	}
}

// A data folder whose path is too long for a socket is served without one.
func TestSocketPathTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	g := testGateway(t, dir)
	if g.endpoints.PGSocket != "" {
		t.Fatal(g.endpoints.PGSocket)
	}
	if out, err := runCommand(t, "backup", "--data-dir", dir, "--out", filepath.Join(t.TempDir(), "b")); err == nil || !strings.Contains(err.Error(), "no Unix socket") {
		t.Fatal(out, err)
	}
	stopGateway(t, g, dir)
}

// A damaged folder is named by the check, refused or reads around the damage,
// and repaired only on a word.
func TestCheckCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	im := &importer{out: &bytes.Buffer{}}
	files, err := filepath.Glob("testdata/checkout/*.jsonl")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
		t.Fatal(err)
	}
	stopGateway(t, g, dir)
	out, err := runCommand(t, "check", "--row-hash", dir)
	if err != nil || !strings.Contains(out, "is sound") || !strings.Contains(out, "spans                 7 rows") {
		t.Fatal(out, err)
	}
	manifests, err := filepath.Glob(filepath.Join(dir, "hot", "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(err)
	}
	for _, name := range manifests {
		if err := os.WriteFile(name, []byte("not a manifest"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := runCommand(t, "check", dir); err == nil || !strings.Contains(err.Error(), "1 problems in "+dir) || !strings.Contains(out, "corrupt") {
		t.Fatal(out, err)
	}
	if out, err := runCommand(t, "check", "--repair", dir); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Fatal(out, err)
	}
	out, err = runCommand(t, "check", "--repair", "--yes", "--row-hash", dir)
	if err != nil || !strings.Contains(out, "is sound") || !strings.Contains(out, "spans                 7 rows") ||
		!strings.Contains(out, "repair: what was taken out is in "+filepath.Join(dir, "quarantine")) {
		t.Fatal(out, err)
	}
	g = testGateway(t, dir)
	if out := ask(connect(t, g), "SELECT count(*) FROM logs"); out != "count\n3\nSELECT 1\n" {
		t.Fatal(out)
	}
	stopGateway(t, g, dir)
}
