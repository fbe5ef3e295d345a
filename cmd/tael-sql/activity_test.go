package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// Connections see each other's statements, as they are.
func TestActivity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	other, conn := connect(t, g), connect(t, g)
	seen := func() string {
		t.Helper()
		return strings.TrimSpace(strings.SplitN(ask(conn, `SELECT usename, state, query, xact_start IS NULL AS outside, query_start <= state_change AS ordered
			FROM pg_stat_activity WHERE pid <> pg_backend_pid()`), "\n", 2)[1])
	}
	for _, c := range [][2]string{
		{"SELECT 1 AS one", "tael | idle | SELECT 1 AS one | t | t"},
		{"BEGIN", "tael | idle in transaction | BEGIN | f | t"},
		{"SELECT 1/0", "tael | idle in transaction (aborted) | SELECT 1/0 | f | t"},
		{"ROLLBACK", "tael | idle | ROLLBACK | t | t"},
		{"SELECT '" + strings.Repeat("é", 600) + "'", "tael | idle | SELECT '" + strings.Repeat("é", 508) + " | t | t"},
	} {
		ask(other, c[0])
		if got := seen(); !strings.HasPrefix(got, c[1]) {
			t.Errorf("after %s: %s", c[0], got)
		}
	}
	if got := ask(conn, "SELECT state, query FROM pg_stat_activity WHERE pid = pg_backend_pid()"); !strings.Contains(got, "active | SELECT state, query FROM") {
		t.Error(got)
	}
}
