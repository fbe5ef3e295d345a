package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"
)

var oracle = flag.String("oracle", "", "a PostgreSQL 15 to run the transaction scripts on instead: with -rewrite it makes the expectations")

// oracleTables are the keyed tables, for PostgreSQL.
const oracleTables = `
DROP TABLE IF EXISTS comments, llm_prices, logs;
CREATE TABLE logs (timestamp timestamptz, service text, severity text, body text);
CREATE TABLE comments (id text PRIMARY KEY DEFAULT gen_random_uuid()::text, trace_id text NOT NULL, span_id text,
  author text NOT NULL DEFAULT current_user, body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE llm_prices (provider text, model_pattern text, valid_from timestamptz DEFAULT '-infinity', input_per_mtok float8,
  output_per_mtok float8, cache_read_per_mtok float8, cache_write_per_mtok float8, PRIMARY KEY (provider, model_pattern, valid_from));`

// Scripts of several sessions give what PostgreSQL gives. A line "a> SQL" runs
// a statement in session a and waits for it; "a& SQL" starts one that another
// session may have to let go on, and "a<" waits for it. "a!" waits for a
// notification while a is idle, "a?" prints those that came. The directive restart
// stops the gateway and starts it again.
func TestTransactions(t *testing.T) {
	datadriven.Walk(t, "testdata/transactions", func(t *testing.T, path string) {
		open := func() *pgx.Conn {
			conn, err := pgx.Connect(context.Background(), *oracle)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			return conn
		}
		dir := filepath.Join(t.TempDir(), "data")
		var g *gateway
		switch {
		case *oracle == "":
			g = testGateway(t, dir)
			t.Cleanup(func() { stopGateway(t, g, dir) })
			open = func() *pgx.Conn { return connect(t, g) }
		case strings.HasSuffix(path, "telemetry.txt"):
			t.Skip("PostgreSQL has no such tables")
		}
		if *oracle != "" {
			if out := ask(open(), oracleTables); !strings.Contains(out, "CREATE") {
				t.Fatal(out)
			}
		}
		sessions := map[string]*pgx.Conn{}
		started := map[string]chan string{}
		var aside sync.WaitGroup
		defer aside.Wait()
		session := func(name string) *pgx.Conn {
			if sessions[name] == nil {
				sessions[name] = open()
			}
			return sessions[name]
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "restart" {
				stopGateway(t, g, dir)
				g = testGateway(t, dir)
				clear(sessions)
				return ""
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				line = strings.TrimSpace(line)
				name, mode, sql := line[:1], line[1], strings.TrimSpace(line[2:])
				fmt.Fprintln(&out, line)
				switch mode {
				case '>':
					out.WriteString(ask(session(name), sql))
				case '&':
					conn, done := session(name), make(chan string, 1)
					started[name] = done
					aside.Go(func() { done <- ask(conn, sql) })
				case '<':
					out.WriteString(<-started[name])
				case '?':
					_ = ask(session(name), "")
					out.WriteString(notifications(sessions, name, 0))
				case '!':
					out.WriteString(notifications(sessions, name, 10*time.Second))
				default:
					t.Fatalf("%s: %s", d.Pos, line)
				}
			}
			return out.String()
		})
	})
}

// notifications prints those that a session has, or waits for the next one.
func notifications(sessions map[string]*pgx.Conn, name string, wait time.Duration) string {
	var out strings.Builder
	for {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		n, err := sessions[name].WaitForNotification(ctx)
		cancel()
		if err != nil {
			if wait > 0 {
				return err.Error() + "\n"
			}
			return out.String()
		}
		for from, conn := range sessions {
			if conn.PgConn().PID() == n.PID {
				fmt.Fprintf(&out, "%s %q from %s\n", n.Channel, n.Payload, from)
			}
		}
		if wait > 0 {
			return out.String()
		}
	}
}
