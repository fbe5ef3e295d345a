package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/bench/workload"
	"github.com/tael-sql/tael-sql/internal/session"
	"github.com/tael-sql/tael-sql/pgwire"
)

// streamed is what Q20 streams: twelve columns.
const streamed = `SELECT trace_id, span_id, parent_span_id, service, operation, start_time, start_time_unix_nano, duration_ns, duration_ms, status,
	attributes->>'http.route', attributes->>'user.id' FROM spans LIMIT 1000000`

// overTheWire compares what both servers answer over a connection: a prepared
// SELECT 1, a trace by id, and the rows of Q20 a second.
func overTheWire(ctx context.Context, o options, us *ours, p *postgres, data workload.Data) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := pgwire.NewServer(session.NewHandler(session.Options{
		Catalog: us.catalog, Database: "tael", User: "tael", Store: us.store, Checkpoint: us.db.Checkpoint, QueryMemory: 4 << 30, TotalMemory: 8 << 30,
	}), pgwire.Options{})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() { err = errors.Join(err, server.Shutdown(ctx), <-ended) }()
	conn, err := pgx.Connect(ctx, "postgres://tael@"+listener.Addr().String()+"/tael?sslmode=disable")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var ids []string
	data.Comments(func(trace [16]byte) { ids = append(ids, hex.EncodeToString(trace[:])) })

	fmt.Printf("%-45s %10s %10s %7s\n", "over the wire", "tael-sql", "Postgres", "ratio")
	both := func(title string, f func(conn *pgx.Conn) (float64, error), show func(float64) string) error {
		our, err := f(conn)
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		their, err := f(p.conn)
		if err != nil {
			return fmt.Errorf("%s on PostgreSQL: %w", title, err)
		}
		fmt.Printf("%-45s %10s %10s %7.2f\n", title, show(our), show(their), our/their)
		return nil
	}
	micros := func(v float64) string { return fmt.Sprintf("%.0f µs", v) }
	rate := func(v float64) string { return fmt.Sprintf("%.0f k/s", v/1000) }
	return errors.Join(
		both("SELECT 1, prepared, p50", func(c *pgx.Conn) (float64, error) {
			return p50(5000, func(int) error { _, err := c.Exec(ctx, "SELECT 1 + $1::int4", 1); return err })
		}, micros),
		both("Q4 trace by id, p50", func(c *pgx.Conn) (float64, error) {
			return p50(len(ids), func(i int) error {
				n := 0
				rows, err := c.Query(ctx, "SELECT trace_id, span_id, parent_span_id, service, operation, start_time, duration_ns, status, attributes FROM spans WHERE trace_id = $1", ids[i])
				if err != nil {
					return err
				}
				for rows.Next() {
					n++
				}
				if n == 0 {
					return errors.Join(rows.Err(), errors.New("no such trace"))
				}
				return rows.Err()
			})
		}, micros),
		both("Q20 text by COPY, rows/s", func(c *pgx.Conn) (float64, error) {
			return fastest(o.rounds, func() (int64, error) {
				tag, err := c.PgConn().CopyTo(ctx, io.Discard, "COPY ("+streamed+") TO STDOUT")
				return tag.RowsAffected(), err
			})
		}, rate),
		both("Q20 by a binary cursor, rows/s", func(c *pgx.Conn) (float64, error) {
			return fastest(o.rounds, func() (rows int64, err error) {
				tx, err := c.Begin(ctx)
				if err != nil {
					return 0, err
				}
				if _, err := tx.Exec(ctx, "DECLARE q20 BINARY NO SCROLL CURSOR FOR "+streamed); err != nil {
					return 0, err
				}
				for {
					result := c.PgConn().ExecParams(ctx, "FETCH 10000 FROM q20", nil, nil, nil, []int16{1})
					got := int64(0)
					for result.NextRow() {
						got++
					}
					if _, err := result.Close(); err != nil {
						return 0, err
					}
					if rows += got; got < 10_000 {
						return rows, tx.Rollback(ctx)
					}
				}
			})
		}, rate))
}

// p50 gives the median time of n calls in µs, after as many to warm up, a
// thousand at most.
func p50(n int, f func(i int) error) (float64, error) {
	for i := range min(n, 1000) {
		if err := f(i); err != nil {
			return 0, err
		}
	}
	times := make([]time.Duration, n)
	for i := range times {
		start := time.Now()
		if err := f(i); err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return float64(percentile(times, 0.5).Nanoseconds()) / 1000, nil
}

// fastest gives the highest number of rows a second of some rounds.
func fastest(rounds int, f func() (int64, error)) (best float64, err error) {
	for range rounds {
		start := time.Now()
		rows, err := f()
		if err != nil {
			return 0, err
		}
		best = max(best, float64(rows)/time.Since(start).Seconds())
	}
	return best, nil
}
