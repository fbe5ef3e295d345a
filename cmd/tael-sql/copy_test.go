package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The first line of a copy is the statement, the others are the data: as they
// are, or Go's string literals one after the other if they begin with a quote.
func TestCopyFrom(t *testing.T) {
	var conn *pgx.Conn
	if *oracle != "" {
		var err error
		if conn, err = pgx.Connect(context.Background(), *oracle); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		if out := ask(conn, oracleTables); !strings.Contains(out, "CREATE") {
			t.Fatal(out)
		}
	} else {
		dir := filepath.Join(t.TempDir(), "data")
		g := testGateway(t, dir)
		t.Cleanup(func() { stopGateway(t, g, dir) })
		conn = connect(t, g)
	}
	datadriven.Walk(t, "testdata/copy", func(t *testing.T, path string) {
		if *oracle != "" && strings.HasSuffix(path, "telemetry.txt") {
			t.Skip("PostgreSQL has no such tables")
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "query" {
				return ask(conn, d.Input)
			}
			sql, data, _ := strings.Cut(d.Input, "\n")
			if data != "" && data[0] != '"' {
				data += "\n"
			} else {
				data = unquoteAll(t, data)
			}
			tag, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader(data), sql)
			if e, ok := errors.AsType[*pgconn.PgError](err); ok {
				out := e.Code + " " + e.Message + "\n"
				for _, more := range [][2]string{{"DETAIL", e.Detail}, {"HINT", e.Hint}, {"CONTEXT", e.Where}} {
					if more[1] != "" && !strings.Contains(more[1], "Failing row") {
						out += more[0] + ": " + strconv.Quote(more[1]) + "\n"
					}
				}
				return out
			}
			if err != nil {
				t.Fatal(err)
			}
			return tag.String() + "\n"
		})
	})
}

func unquoteAll(t *testing.T, lines string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(lines) {
		s, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		b.WriteString(s)
	}
	return b.String()
}

// pgx's CopyFrom sends binary rows; what it sends into a telemetry table is
// there as after INSERT.
func TestCopyBinary(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	conn := connect(t, g)
	const n = 3000
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{"shop", fmt.Sprintf("line %d", i), int64(i)}
	}
	got, err := conn.CopyFrom(t.Context(), pgx.Identifier{"logs"}, []string{"service", "body", "time_unix_nano"}, pgx.CopyFromRows(rows))
	if err != nil || got != n {
		t.Fatal(got, err)
	}
	if out := ask(conn, "SELECT count(*), count(DISTINCT body), min(source) FROM logs"); out != "count | count | min\n3000 | 3000 | sql\nSELECT 1\n" {
		t.Error(out)
	}
	// A client that gives up leaves nothing, and its connection goes on.
	rows = append(rows, []any{"shop", "the last", "no number"})
	if _, err = conn.CopyFrom(t.Context(), pgx.Identifier{"logs"}, []string{"service", "body", "time_unix_nano"}, pgx.CopyFromRows(rows)); err == nil {
		t.Error("a row that cannot be encoded was sent")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err = conn.PgConn().CopyFrom(ctx, &cancelling{cancel: cancel}, "COPY logs (body) FROM STDIN"); err == nil {
		t.Error("a copy that was cancelled has ended well")
	}
	other := connect(t, g)
	if out := ask(other, "SELECT count(*) FROM logs"); out != "count\n3000\nSELECT 1\n" {
		t.Error(out)
	}
}

// cancelling gives some data, then cancels.
type cancelling struct {
	cancel context.CancelFunc
	reads  int
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.reads++; c.reads > 3 {
		c.cancel()
		return 0, errors.New("given up")
	}
	return copy(p, "a line\n"), nil
}
