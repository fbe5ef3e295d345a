package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tael-sql/tael-sql/bench/workload"
)

// postgres is a PostgreSQL server of its own with the same tables, attributes
// as jsonb, and the indexes that somebody who asks these questions would make.
type postgres struct {
	dir  string
	cmd  *exec.Cmd
	conn *pgx.Conn
}

// postgresPrograms is where Debian has the server's programs.
const postgresPrograms = "/usr/lib/postgresql/15/bin/"

// mostForPostgres is the scale up to which it is asked: at a million spans
// everything is in its shared buffers, beyond it would be the disk's time.
const mostForPostgres = 0.2

const postgresTables = `
CREATE TABLE spans (trace_id text, span_id text, parent_span_id text, service text, operation text, start_time timestamptz,
  start_time_unix_nano int8, duration_ns int8, duration_ms float8, status text, attributes jsonb);
CREATE TABLE logs (timestamp timestamptz, trace_id text, span_id text, service text, severity text, body text);
CREATE TABLE metrics (time_unix_nano int8, service text, name text, value float8, attributes jsonb);
CREATE TABLE llm (start_time timestamptz, model text, input_tokens int8, output_tokens int8, cost_usd float8, prompt text);
CREATE TABLE comments (trace_id text);`

const postgresIndexes = `
CREATE INDEX ON spans (trace_id); CREATE INDEX ON spans (service, start_time); CREATE INDEX ON spans (start_time);
CREATE INDEX ON spans (status) WHERE status = 'error';
CREATE INDEX ON logs (timestamp); CREATE INDEX ON logs (trace_id, span_id); CREATE INDEX ON metrics (name, service, time_unix_nano);
CREATE INDEX ON comments (trace_id); CREATE INDEX ON llm USING gin (to_tsvector('simple', prompt));`

// openPostgres starts a server on a socket in a folder of its own; nil if there
// is no PostgreSQL 15 here.
func openPostgres(ctx context.Context, workers int) (p *postgres, err error) {
	if _, err := os.Stat(postgresPrograms + "postgres"); err != nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "bench-postgres-")
	if err != nil {
		return nil, err
	}
	p = &postgres{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	as := func(name string, args ...string) *exec.Cmd { return exec.Command(postgresPrograms+name, args...) }
	if os.Geteuid() == 0 { // the server refuses to run as root
		owner, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.ParseUint(owner.Uid, 10, 32)
		gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		as = func(name string, args ...string) *exec.Cmd {
			cmd := exec.Command(postgresPrograms+name, args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
			cmd.Dir = dir
			return cmd
		}
	}
	data := filepath.Join(dir, "data")
	if out, err := as("initdb", "-D", data, "-U", "bench", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	p.cmd = as("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "timezone=UTC", "-c", "shared_buffers=4GB", "-c", "work_mem=1GB",
		"-c", "maintenance_work_mem=1GB", "-c", "max_wal_size=16GB", "-c", "fsync=off", "-c", "max_parallel_workers_per_gather="+strconv.Itoa(workers-1),
		"-c", "jit=off", "-c", "random_page_cost=1.1", "-c", "effective_cache_size=12GB")
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if p.conn, err = pgx.Connect(ctx, "host="+dir+" user=bench dbname=postgres"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return p, err
}

func (p *postgres) close() error {
	var errs []error
	if p.conn != nil {
		errs = append(errs, p.conn.Close(context.Background()))
	}
	if p.cmd != nil && p.cmd.Process != nil {
		errs = append(errs, p.cmd.Process.Signal(syscall.SIGINT), p.cmd.Wait())
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}

// load fills the tables and makes the indexes.
func (p *postgres) load(ctx context.Context, data workload.Data) error {
	if _, err := p.conn.Exec(ctx, postgresTables); err != nil {
		return err
	}
	for _, t := range []struct {
		name    string
		columns []string
		rows    func(add func(...any))
	}{
		{"spans", []string{"trace_id", "span_id", "parent_span_id", "service", "operation", "start_time", "start_time_unix_nano", "duration_ns", "duration_ms", "status", "attributes"}, func(add func(...any)) {
			data.Spans(func(s *workload.Span) {
				var parent any
				if !s.Root {
					parent = hex.EncodeToString(s.ParentID[:])
				}
				status := "unset"
				if s.Failed {
					status = "error"
				}
				add(hex.EncodeToString(s.TraceID[:]), hex.EncodeToString(s.SpanID[:]), parent, s.Service, s.Operation,
					time.UnixMicro(s.StartNanos/1000), s.StartNanos, s.DurationNanos, float64(s.DurationNanos)/1e6, status, jsonAttributes(s))
			})
			data.Calls(func(c *workload.Call) {
				add(hex.EncodeToString(c.TraceID[:]), hex.EncodeToString(c.SpanID[:]), nil, workload.CallService, c.Operation(),
					time.UnixMicro(c.StartNanos/1000), c.StartNanos, c.DurationNanos, float64(c.DurationNanos)/1e6, "unset", "{}")
			})
		}},
		{"logs", []string{"timestamp", "trace_id", "span_id", "service", "severity", "body"}, func(add func(...any)) {
			data.Logs(func(l *workload.Log) {
				var trace, span any
				if l.HasTrace {
					trace, span = hex.EncodeToString(l.TraceID[:]), hex.EncodeToString(l.SpanID[:])
				}
				add(time.UnixMicro(l.Nanos/1000), trace, span, l.Service, l.Severity, l.Body)
			})
		}},
		{"metrics", []string{"time_unix_nano", "service", "name", "value", "attributes"}, func(add func(...any)) {
			data.Points(func(m *workload.Point) { add(m.Nanos, m.Service, m.Name, m.Value, `{"pod": "`+m.Pod+`"}`) })
		}},
		{"llm", []string{"start_time", "model", "input_tokens", "output_tokens", "cost_usd", "prompt"}, func(add func(...any)) {
			data.Calls(func(c *workload.Call) {
				add(time.UnixMicro(c.StartNanos/1000), c.Model, c.Input, c.Output, c.Cost, c.Prompt)
			})
		}},
		{"comments", []string{"trace_id"}, func(add func(...any)) {
			data.Comments(func(trace [16]byte) { add(hex.EncodeToString(trace[:])) })
		}},
	} {
		rows := make(chan []any, 1024)
		go func() {
			defer close(rows)
			t.rows(func(values ...any) { rows <- values })
		}()
		_, err := p.conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) { return <-rows, nil }))
		for range rows { // what is left after an error
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	for _, sql := range []string{postgresIndexes, "VACUUM ANALYZE"} {
		if _, err := p.conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// jsonAttributes gives the attributes of a span as JSON text.
func jsonAttributes(s *workload.Span) string {
	m := make(map[string]any, 10)
	for _, a := range []struct {
		key string
		v   any
		has bool
	}{
		{"http.request.method", s.Method, s.Method != ""},
		{"http.response.status_code", s.Status, s.Status != 0},
		{"http.route", s.Route, s.Route != ""},
		{"db.query.text", s.Statement, s.Statement != ""},
		{"region", s.Region, s.Region != ""},
		{"user.id", s.User, s.User != ""},
		{"session.id", s.Session, s.Session != ""},
		{"cache.hit", s.CacheHit == 2, s.CacheHit != 0},
		{"pod", s.Pod, s.Pod != ""},
		{"shard", s.Shard, s.Shard != 0},
	} {
		if a.has {
			m[a.key] = a.v
		}
	}
	text, _ := json.Marshal(m) // strings and numbers
	return string(text)
}

func (p *postgres) run(ctx context.Context, query string, discard bool) (out [][]string, err error) {
	rows, err := p.conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if discard {
			continue
		}
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			if n, ok := v.(pgtype.Numeric); ok {
				f, err := n.Float64Value()
				if err != nil {
					return nil, err
				}
				v = f.Float64
			}
			row[i] = canonical(v)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
