package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// insertUntil inserts log records one by one until done is closed, and gives
// how many.
func insertUntil(t *testing.T, conn *pgx.Conn, service string, done <-chan struct{}) (n int64) {
	for {
		select {
		case <-done:
			return n
		default:
		}
		if _, err := conn.Exec(context.Background(), "INSERT INTO logs (timestamp, service, severity, body) VALUES (now(), 'other', 'info', 'noise'), (now(), $1, 'warn', 'line')", service); err != nil {
			t.Error(err)
			return n
		}
		n++
	}
}

// A cursor over tail() gives rows that arrive after it was opened, those of the
// filter alone, and says how many it has passed over when a reader is slow.
func TestTailCursor(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	writer, reader := connect(t, g), connect(t, g)
	if _, err := writer.Exec(ctx, "INSERT INTO logs (timestamp, service, severity, body) VALUES (now(), 'api', 'warn', 'before')"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT service, severity, body, dropped FROM tail('logs', $$service IN ('api', 'flood') AND severity = 'warn'$$)"} {
		if _, err := reader.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	var service, severity, body string
	var dropped int64
	fetch := func() error {
		return reader.QueryRow(ctx, "FETCH 1 FROM c").Scan(&service, &severity, &body, &dropped)
	}
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		failed <- fetch()
	}()
	n := insertUntil(t, writer, "api", done)
	if err := <-failed; err != nil || service != "api" || severity != "warn" || body != "line" || dropped != 0 {
		t.Fatal(service, severity, body, dropped, err)
	}
	if _, err := writer.Exec(ctx, "INSERT INTO logs (timestamp, service, severity, body) SELECT now(), 'flood', 'warn', i::text FROM generate_series(1, 12000) i"); err != nil {
		t.Fatal(err)
	}
	for rows := int64(1); ; rows++ {
		if err := fetch(); err != nil {
			t.Fatal(err)
		}
		if service != "flood" {
			continue
		}
		// What waited was at most two rows of each insert, and the flood.
		if dropped < 2000 || dropped > 2000+2*n {
			t.Errorf("%d dropped after %d rows, with %d inserts before 12000 rows", dropped, rows, n)
		}
		break
	}
}

// COPY of tail() sends a row when it arrives, and ends when it is cancelled.
func TestTailCopy(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	writer, reader := connect(t, g), connect(t, g)
	pipe, into := io.Pipe()
	var ended error
	var wg sync.WaitGroup
	wg.Go(func() {
		_, ended = reader.PgConn().CopyTo(ctx, into, "COPY (SELECT body FROM tail('logs', 'service = ''api''')) TO STDOUT")
		into.Close()
	})
	lines := bufio.NewScanner(pipe)
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		if !lines.Scan() || lines.Text() != "line" {
			t.Error(lines.Text(), lines.Err())
		}
	})
	insertUntil(t, writer, "api", done)
	if err := reader.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	wg.Wait()
	var failure *pgconn.PgError
	if !errors.As(ended, &failure) || failure.Code != "57014" {
		t.Error(ended)
	}
}

func TestTailErrors(t *testing.T) {
	dir := t.TempDir()
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	conn := connect(t, g)
	for sql, want := range map[string]string{
		"SELECT * FROM tail('traces')":                             "22023 unknown signal: \"traces\"",
		"SELECT * FROM tail(NULL)":                                 "22023 unknown signal: \"\"",
		"SELECT * FROM tail('logs', 'service =')":                  "42601 ",
		"SELECT * FROM tail('logs', 'true LIMIT 1')":               "42601 filter is not a condition",
		"SELECT * FROM tail('logs', 'true; DROP TABLE x')":         "42601 ",
		"SELECT * FROM tail('logs', 'nope = 1')":                   "42703 column \"nope\" does not exist",
		"SELECT * FROM tail('logs', 'body')":                       "42804 argument of filter must be type boolean",
		"SELECT t.body FROM spans s, tail(s.service) t":            "0A000 argument \"signal\" of function tail must be a literal",
		"SELECT * FROM (SELECT 1 AS a) x, tail('logs', 'a = 1') t": "42703 column \"a\" does not exist",
	} {
		if got := ask(conn, sql); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}
