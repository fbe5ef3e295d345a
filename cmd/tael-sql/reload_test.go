package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Settings that are read again are in force for those who connect later and for
// statements that begin later; a file with a mistake changes nothing.
func TestReload(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "tael-sql.yaml")
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	t.Setenv("TAEL_SQL_AUDIT_LEVEL", auditAll)
	t.Setenv("TAEL_SQL_AUDIT_FILE", audit)
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	conn := connect(t, g)
	const sort = "SELECT max(n) FROM (SELECT n FROM generate_series(1, 200000) n ORDER BY n % 7) s"
	if out := ask(conn, sort); !strings.Contains(out, "SELECT 1") {
		t.Fatal(out)
	}
	if err := os.Rename(audit, audit+".1"); err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	reload := func(settings string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		flags := newServe().Flags()
		if err := flags.Set("config", file); err != nil {
			t.Fatal(err)
		}
		g.reload(flags, level)
	}
	reload("log: {level: debug}\nlimits: {query_memory: 65536, connections_per_host: 1}\n")
	if level.Level() != slog.LevelDebug {
		t.Error(level)
	}
	if out := ask(conn, sort); !strings.HasPrefix(out, "53200") {
		t.Error(out)
	}
	dsn := "postgres://tael@" + g.endpoints.PG + "/tael?sslmode=disable"
	if _, err := pgx.Connect(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "53300") {
		t.Error(err)
	}
	if raw, err := os.ReadFile(audit); err != nil || !strings.Contains(string(raw), "53200") {
		t.Errorf("%s %v", raw, err)
	}
	reload("limits: {query_memory: many}\nlog: {level: info}\n")
	if level.Level() != slog.LevelDebug {
		t.Error("half of a bad file was taken up")
	}
	reload("{}")
	if out := ask(conn, sort); !strings.Contains(out, "SELECT 1") || level.Level() != slog.LevelInfo {
		t.Error(out, level)
	}
}
