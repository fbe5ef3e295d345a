package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The audit log says who did what and what was denied, and never a value.
func TestAudit(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "audit.jsonl")
	t.Setenv("TAEL_SQL_AUDIT_FILE", file)
	run := func(level string, do func(g *gateway)) (events []string) {
		t.Helper()
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TAEL_SQL_AUDIT_LEVEL", level)
		g := testGateway(t, dir)
		do(g)
		stopGateway(t, g, dir)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hidden", "first password", "4711"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%q is in the log:\n%s", secret, raw)
			}
		}
		for line := range strings.Lines(string(raw)) {
			var e struct{ Msg, User, Tag, SQLSTATE, SQL string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			events = append(events, strings.TrimRight(strings.Join([]string{e.Msg, e.User, e.Tag, e.SQLSTATE, e.SQL}, "|"), "|"))
		}
		return events
	}
	check := func(level string, got []string, want ...string) {
		t.Helper()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", level, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	got := run(auditChanges, func(g *gateway) {
		conn := connect(t, g)
		for _, sql := range []string{
			"SELECT 4711 -- hidden", "INSERT INTO comments (trace_id, body) VALUES (repeat('a', 32), 'hidden') /* hidden */",
			"CREATE ROLE ann LOGIN PASSWORD 'first password'", "SELECT 'hidden", "UPDATE comments SET body = $$hidden$$, nothing = 4711",
		} {
			_ = ask(conn, sql)
		}
		if _, err := conn.Exec(t.Context(), "DELETE FROM comments WHERE body = $1", pgx.QueryExecModeCacheStatement, "hidden"); err != nil {
			t.Fatal(err)
		}
		if _, err := login(t, g, "ann", "hidden", "sslmode=disable"); err == nil {
			t.Error("a wrong password is taken")
		}
		ann, err := login(t, g, "ann", "first password", "sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		_ = ask(ann, "DELETE FROM comments WHERE body = 'hidden'")
	})
	check(auditChanges, got,
		"login|tael",
		"statement|tael|INSERT 0 1|00000|INSERT INTO comments ( trace_id , body ) VALUES ( repeat ( $ , $ ) , $ )",
		"statement|tael|CREATE ROLE|00000|CREATE ROLE ann LOGIN PASSWORD $",
		"statement|tael|UPDATE|42703|UPDATE comments SET body = $ , nothing = $",
		"statement|tael|DELETE 1|00000|DELETE FROM comments WHERE body = $1",
		"login failed|ann||28P01",
		"login|ann",
		"denied|ann|DELETE|42501|DELETE FROM comments WHERE body = $",
	)
	addUserWith(t, dir, "battery staple", "bob", "--role", "admin")
	got = run(auditAll, func(g *gateway) {
		conn, err := login(t, g, "bob", "battery staple", "sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"SELECT 4711", "SELECT 'hidden", "FETCH 1 FROM nowhere"} {
			_ = ask(conn, sql)
		}
	})
	check(auditAll, got, "login|bob", "statement|bob|SELECT 1|00000|SELECT $", "statement|bob||42601", "statement|bob|FETCH|34000|FETCH $ FROM nowhere")
	got = run(auditLogins, func(g *gateway) {
		conn, err := login(t, g, "ann", "first password", "sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		_ = ask(conn, "SELECT 1")
		_ = ask(conn, "CHECKPOINT")
	})
	check(auditLogins, got, "login|ann", "denied|ann|CHECKPOINT|42501|CHECKPOINT")

	t.Setenv("TAEL_SQL_AUDIT_LEVEL", "some")
	if _, err := loadConfig(newServe().Flags()); err == nil || !strings.Contains(err.Error(), "audit.level") {
		t.Error(err)
	}
}

// An address has only so many connections.
func TestConnectionsPerHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("TAEL_SQL_LIMITS_CONNECTIONS_PER_HOST", "2")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	connect(t, g)
	connect(t, g)
	if _, err := pgx.Connect(t.Context(), "postgres://tael@"+g.endpoints.PG+"/tael?sslmode=disable"); err == nil || !strings.Contains(err.Error(), `too many connections from host "127.0.0.1" (SQLSTATE 53300)`) {
		t.Error(err)
	}
}
