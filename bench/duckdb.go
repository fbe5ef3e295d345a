package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/tael-sql/tael-sql/bench/workload"
)

// duck is DuckDB with a native table for each signal, attributes as columns of
// their types: its best case.
type duck struct {
	connector *duckdb.Connector
	db        *sql.DB
}

const duckTables = `
CREATE TABLE spans (trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, service VARCHAR, operation VARCHAR, start_time TIMESTAMP,
  start_time_unix_nano BIGINT, duration_ns BIGINT, duration_ms DOUBLE, status VARCHAR, method VARCHAR, status_code BIGINT, route VARCHAR,
  statement VARCHAR, region VARCHAR, user_id VARCHAR, session_id VARCHAR, cache_hit BOOLEAN, pod VARCHAR, shard BIGINT);
CREATE TABLE logs (timestamp TIMESTAMP, trace_id VARCHAR, span_id VARCHAR, service VARCHAR, severity VARCHAR, body VARCHAR);
CREATE TABLE comments (trace_id VARCHAR);
CREATE TABLE llm (start_time TIMESTAMP, model VARCHAR, input_tokens BIGINT, output_tokens BIGINT, cost_usd DOUBLE, prompt VARCHAR);
CREATE TABLE metrics (time_unix_nano BIGINT, service VARCHAR, name VARCHAR, value DOUBLE, pod VARCHAR);`

func openDuck(threads int) (*duck, error) {
	c, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	d := &duck{connector: c, db: sql.OpenDB(c)}
	_, err = d.db.Exec(duckTables + fmt.Sprintf("SET threads = %d;", threads))
	return d, err
}

func (d *duck) close() error { return errors.Join(d.db.Close(), d.connector.Close()) }

// null gives NULL for a zero value.
func null[T comparable](v T) driver.Value {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// load fills the tables.
func (d *duck) load(ctx context.Context, data workload.Data) error {
	err := d.fill(ctx, "spans", func(add func(...driver.Value)) {
		data.Spans(func(s *workload.Span) {
			var parent, hit driver.Value
			if !s.Root {
				parent = hex.EncodeToString(s.ParentID[:])
			}
			if s.CacheHit != 0 {
				hit = s.CacheHit == 2
			}
			status := "unset"
			if s.Failed {
				status = "error"
			}
			add(hex.EncodeToString(s.TraceID[:]), hex.EncodeToString(s.SpanID[:]), parent, s.Service, s.Operation,
				time.UnixMicro(s.StartNanos/1000).UTC(), s.StartNanos, s.DurationNanos, float64(s.DurationNanos)/1e6, status,
				null(s.Method), null(s.Status), null(s.Route), null(s.Statement), null(s.Region), null(s.User), null(s.Session),
				hit, null(s.Pod), null(s.Shard))
		})
		data.Calls(func(c *workload.Call) {
			add(hex.EncodeToString(c.TraceID[:]), hex.EncodeToString(c.SpanID[:]), nil, workload.CallService, c.Operation(),
				time.UnixMicro(c.StartNanos/1000).UTC(), c.StartNanos, c.DurationNanos, float64(c.DurationNanos)/1e6, "unset",
				nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)
		})
	})
	if err != nil {
		return err
	}
	err = d.fill(ctx, "logs", func(add func(...driver.Value)) {
		data.Logs(func(l *workload.Log) {
			var trace, span driver.Value
			if l.HasTrace {
				trace, span = hex.EncodeToString(l.TraceID[:]), hex.EncodeToString(l.SpanID[:])
			}
			add(time.UnixMicro(l.Nanos/1000).UTC(), trace, span, l.Service, l.Severity, l.Body)
		})
	})
	if err != nil {
		return err
	}
	err = d.fill(ctx, "llm", func(add func(...driver.Value)) {
		data.Calls(func(c *workload.Call) {
			add(time.UnixMicro(c.StartNanos/1000).UTC(), c.Model, c.Input, c.Output, c.Cost, c.Prompt)
		})
	})
	if err != nil {
		return err
	}
	err = d.fill(ctx, "comments", func(add func(...driver.Value)) {
		data.Comments(func(trace [16]byte) { add(hex.EncodeToString(trace[:])) })
	})
	if err != nil {
		return err
	}
	return d.fill(ctx, "metrics", func(add func(...driver.Value)) {
		data.Points(func(p *workload.Point) { add(p.Nanos, p.Service, p.Name, p.Value, p.Pod) })
	})
}

func (d *duck) fill(ctx context.Context, table string, rows func(add func(...driver.Value))) error {
	conn, err := d.connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	a, err := duckdb.NewAppenderFromConn(conn, "", table)
	if err != nil {
		return err
	}
	rows(func(values ...driver.Value) {
		if err == nil {
			err = a.AppendRow(values...)
		}
	})
	return errors.Join(err, a.Close())
}

func (d *duck) run(ctx context.Context, query string, discard bool) (out [][]string, err error) {
	rows, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		if discard {
			continue
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = canonical(v)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
