package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What is older than retention says is not seen from the next start on, by no
// way of reading it, and cannot be written; what is younger is untouched.
func TestRetention(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	g := testGateway(t, dir)
	conn := connect(t, g)
	write := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		`INSERT INTO spans (trace_id, span_id, service, operation, start_time, duration_ms) VALUES
			('000000000000000000000000000000aa', '0000000000000001', 'shop', 'old', now() - interval '3 days', 1),
			('000000000000000000000000000000aa', '0000000000000002', 'shop', 'younger', now() - interval '1 day', 1)`,
		`INSERT INTO logs (timestamp, service, body) VALUES (now() - interval '3 days', 'shop', 'old'), (now(), 'shop', 'new')`,
		`INSERT INTO metrics (timestamp, service, name, metric_type, otel_type, value) VALUES (now() - interval '3 days', 'shop', 'old', 'gauge', 'gauge', 1)`,
	} {
		write(sql)
	}
	write(`INSERT INTO comments (trace_id, body, created_at) VALUES ('aa', 'old', now() - interval '2 days'), ('aa', 'new', now())`)
	stopGateway(t, g, dir)
	t.Setenv("TAEL_SQL_RETENTION_SPANS", "2d")
	t.Setenv("TAEL_SQL_RETENTION_COMMENTS", "1d")
	t.Setenv("TAEL_SQL_RETENTION_METRICS", "48h")
	g = testGateway(t, dir)
	conn = connect(t, g)
	defer func() { stopGateway(t, g, dir) }()
	for sql, want := range map[string]string{
		"SELECT count(*) FROM spans":                                                                  "1",
		"SELECT string_agg(operation, ',') FROM spans":                                                "younger",
		"SELECT count(*) FROM spans WHERE trace_id = '000000000000000000000000000000aa'":              "1",
		"SELECT span_count FROM traces":                                                               "1",
		"SELECT span_count FROM services":                                                             "1",
		"SELECT span_count FROM trace_summary('000000000000000000000000000000aa')":                    "1",
		"SELECT count(*) FROM trace_tree('000000000000000000000000000000aa')":                         "1",
		"SELECT string_agg(body, ',' ORDER BY body) FROM logs":                                        "new,old",
		"SELECT count(*) FROM metrics":                                                                "0",
		"SELECT count(*) FROM metric_names":                                                           "0",
		"SELECT count(*) FROM attribute_keys WHERE signal = 'metrics'":                                "0",
		"SELECT reltuples FROM pg_class WHERE relname = 'spans'":                                      "1",
		"WITH s AS (SELECT * FROM spans) SELECT count(*) FROM s a LEFT JOIN spans b USING (trace_id)": "1",
	} {
		var got string
		if err := conn.QueryRow(ctx, "SELECT ("+sql+")::text").Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", sql, got, err, want)
		}
	}
	rows, err := conn.Query(ctx, "EXPLAIN ANALYZE SELECT * FROM metrics")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !strings.Contains(strings.Join(lines, "\n"), "retention") {
		t.Errorf("EXPLAIN names no retention: %q, %v", lines, err)
	}
	var dropped int64
	err = conn.QueryRow(ctx, "SELECT sum(rows_dropped)::int8 FROM tael_apply_retention() WHERE relation IN ('metrics', 'comments')").Scan(&dropped)
	if err != nil || dropped != 2 {
		t.Errorf("retention dropped %d rows, %v, want 2", dropped, err)
	}
	if got := ask(conn, `SELECT body FROM comments;
		SELECT rows_dropped FROM tael_apply_retention() WHERE relation = 'comments'; SELECT body FROM comments`); got !=
		"body\nnew\nSELECT 1\nrows_dropped\n0\nSELECT 1\nbody\nnew\nSELECT 1\n" {
		t.Errorf("comments:\n%s", got)
	}
	_, err = conn.Exec(ctx, "INSERT INTO metrics (timestamp, service, name, metric_type, otel_type, value) VALUES (now() - interval '3 days', 'shop', 'late', 'gauge', 'gauge', 1)")
	if bad, ok := errors.AsType[*pgconn.PgError](err); !ok || bad.Code != "22008" {
		t.Errorf("an expired row can be written: %v", err)
	}
	write("INSERT INTO metrics (timestamp, service, name, metric_type, otel_type, value) VALUES (now() - interval '1 day', 'shop', 'young', 'gauge', 'gauge', 1)")
}

func TestParseKeep(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0d": 0, "30d": 720 * time.Hour, "720h": 720 * time.Hour, "1m": time.Minute,
		"30": -1, "30 d": -1, "-1d": -1, "59s": -1, "-5m": -1, "1.5d": -1, "d": -1, "": -1, "99999d": -1,
	} {
		if got, err := parseKeep(text); want < 0 != (err != nil) || err == nil && got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	t.Setenv("TAEL_SQL_RETENTION_LOGS", "1.5d")
	cmd := newConfig()
	cmd.SetArgs([]string{"print"})
	cmd.SetOut(&bytes.Buffer{})
	cmd.SetErr(&bytes.Buffer{})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "retention.logs") {
		t.Errorf("a bad retention.logs gives %v", err)
	}
}
