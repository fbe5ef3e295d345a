package clients

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	idleConnections = 10_000
	idleKiB         = 20 // each, at most
)

// Idle connections cost the gateway little: resident memory with and without
// them, after a statement on each.
func TestIdle(t *testing.T) {
	if !*all {
		t.Skip("-all opens ten thousand connections")
	}
	client(t, "idle", func(t *testing.T) string {
		dir := t.TempDir()
		t.Setenv("TAEL_SQL_LIMITS_CONNECTIONS", strconv.Itoa(idleConnections+100))
		s, p, err := startEmpty(*binary, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := p.stop(os.Interrupt); err != nil {
				t.Error(err)
			}
		}()
		var conns []*pgconn.PgConn
		defer func() {
			for _, c := range conns {
				_ = c.Conn().Close()
			}
		}()
		open := func(n int) {
			for range n {
				c, err := pgconn.Connect(t.Context(), s.dsn())
				if err == nil {
					err = c.Exec(t.Context(), "SELECT 1").Close()
				}
				if err != nil {
					t.Fatalf("after %d connections: %v", len(conns), err)
				}
				conns = append(conns, c)
			}
		}
		open(100)
		before := resident(t, p.cmd.Process.Pid)
		open(idleConnections)
		each := float64(resident(t, p.cmd.Process.Pid)-before) / idleConnections
		if each > idleKiB {
			t.Errorf("%.1f KiB for a connection, want %d at most", each, idleKiB)
		}
		if err := conns[len(conns)/2].Exec(context.Background(), "SELECT count(*) FROM spans").Close(); err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("%d connections, %.1f KiB each", idleConnections, each)
	})
}

// resident is a process' resident memory in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
