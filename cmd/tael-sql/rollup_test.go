package main

import (
	"context"
	"strings"
	"testing"
)

// Five-minute steps of series of each kind, whose figures are worked out by hand
// beside them, with the points in the memtable, in blocks and in parts.
func TestRollup(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	conn := connect(t, g)
	write := func(columns, rows string) {
		t.Helper()
		if _, err := conn.Exec(ctx, "INSERT INTO metrics (service, name, timestamp, "+columns+") VALUES "+rows); err != nil {
			t.Fatalf("%s: %v", rows, err)
		}
	}
	write("metric_type, value", `
		('s', 'gauge', '2026-01-15 10:00:00+00', 'gauge', 10), ('s', 'gauge', '2026-01-15 10:01:00+00', 'gauge', 30),
		('s', 'gauge', '2026-01-15 10:04:59.999+00', 'gauge', 20), ('s', 'gauge', '2026-01-15 10:05:00+00', 'gauge', 7)`)
	// Of two points of one time the later counts.
	write("metric_type, value", `('s', 'gauge', '2026-01-15 10:05:00+00', 'gauge', 8)`)
	// A counter: 5 since its start in the bucket, 12 - 5, then anew from 0 to 3 by its value, to 9 by its start.
	write("metric_type, temporality, is_monotonic, start_time, value", `
		('s', 'counter', '2026-01-15 10:01:00+00', 'sum', 'cumulative', true, '2026-01-15 10:00:30+00', 5),
		('s', 'counter', '2026-01-15 10:04:00+00', 'sum', 'cumulative', true, '2026-01-15 10:00:30+00', 12),
		('s', 'counter', '2026-01-15 10:06:00+00', 'sum', 'cumulative', true, '2026-01-15 10:00:30+00', 3),
		('s', 'counter', '2026-01-15 10:08:00+00', 'sum', 'cumulative', true, '2026-01-15 10:07:00+00', 9),
		('s', 'counter', '2026-01-15 10:12:00+00', 'sum', 'cumulative', true, '2026-01-15 10:07:00+00', 9)`)
	// Counters whose first point says nothing of when it grew; a sum of changes; a sum that goes up and down.
	write("metric_type, temporality, is_monotonic, start_time, value", `
		('s', 'old counter', '2026-01-15 10:01:00+00', 'sum', 'cumulative', true, '2026-01-15 09:00:00+00', 100),
		('s', 'old counter', '2026-01-15 10:02:00+00', 'sum', 'cumulative', true, '2026-01-15 09:00:00+00', 101),
		('s', 'delta', '2026-01-15 10:01:00+00', 'sum', 'delta', true, '2026-01-15 10:00:00+00', 4),
		('s', 'delta', '2026-01-15 10:02:00+00', 'sum', 'delta', true, '2026-01-15 10:01:00+00', 2),
		('s', 'level', '2026-01-15 10:01:00+00', 'sum', 'cumulative', false, '2026-01-15 09:00:00+00', 6),
		('s', 'level', '2026-01-15 10:02:00+00', 'sum', 'cumulative', false, '2026-01-15 09:00:00+00', 4)`)
	// Histograms: of changes; and counted from a start before the bucket, anew at the third point.
	write("metric_type, temporality, start_time, count, sum, min, max, bucket_counts, explicit_bounds", `
		('s', 'delta histogram', '2026-01-15 10:01:00+00', 'histogram', 'delta', '2026-01-15 10:00:00+00', 2, 5, 1, 4, '{1,1}', '{2}'),
		('s', 'delta histogram', '2026-01-15 10:02:00+00', 'histogram', 'delta', '2026-01-15 10:01:00+00', 3, 10, 2, 6, '{1,2}', '{2}'),
		('s', 'histogram', '2026-01-15 10:01:00+00', 'histogram', 'cumulative', '2026-01-15 09:00:00+00', 10, 50, 1, 9, '{5,5}', '{2}'),
		('s', 'histogram', '2026-01-15 10:02:00+00', 'histogram', 'cumulative', '2026-01-15 09:00:00+00', 14, 62, 1, 9, '{6,8}', '{2}'),
		('s', 'histogram', '2026-01-15 10:06:00+00', 'histogram', 'cumulative', '2026-01-15 10:05:30+00', 20, 70, 1, 9, '{9,11}', '{2}')`)
	// One series of two: they are not mixed.
	write("metric_type, value, attributes", `
		('s', 'two', '2026-01-15 10:00:00+00', 'gauge', 1, '{"cpu": "0"}'), ('s', 'two', '2026-01-15 10:00:00+00', 'gauge', 'NaN', '{"cpu": "1"}')`)
	const sql = `SELECT to_char(bucket AT TIME ZONE 'UTC', 'HH24:MI') AS at, name, attributes->>'cpu' AS cpu, count, sum, min, max, avg, last
		FROM metrics_5m WHERE service = 's' ORDER BY 2, 1, 3`
	want := strings.TrimLeft(`
at | name | cpu | count | sum | min | max | avg | last
10:00 | counter | NULL | 2 | 12 | 5 | 12 | 6 | 12
10:05 | counter | NULL | 2 | 12 | 3 | 9 | 6 | 9
10:10 | counter | NULL | 1 | 0 | 9 | 9 | 0 | 9
10:00 | delta | NULL | 2 | 6 | 2 | 4 | 3 | 2
10:00 | delta histogram | NULL | 5 | 15 | 1 | 6 | 3 | 10
10:00 | gauge | NULL | 3 | 60 | 10 | 30 | 20 | 20
10:05 | gauge | NULL | 1 | 8 | 8 | 8 | 8 | 8
10:00 | histogram | NULL | 4 | 12 | 1 | 9 | 3 | 62
10:05 | histogram | NULL | 20 | 70 | 1 | 9 | 3.5 | 70
10:00 | level | NULL | 2 | 10 | 4 | 6 | 5 | 4
10:00 | old counter | NULL | 2 | 1 | 100 | 101 | 0.5 | 101
10:00 | two | 0 | 1 | 1 | 1 | 1 | 1 | 1
10:00 | two | 1 | 1 | NaN | NaN | NaN | NaN | NaN
SELECT 13
`, "\n")
	for _, move := range []string{"SELECT 1", "CHECKPOINT", "SELECT * FROM tael_compact(now())"} {
		if _, err := conn.Exec(ctx, move); err != nil {
			t.Fatalf("%s: %v", move, err)
		}
		if got := ask(conn, sql); got != want {
			t.Errorf("after %s:\n%s\nwant\n%s", move, got, want)
		}
	}
	// Late data corrects its bucket.
	write("metric_type, value", `('s', 'gauge', '2026-01-15 10:02:00+00', 'gauge', 40)`)
	write("metric_type, temporality, is_monotonic, start_time, value", `
		('s', 'counter', '2026-01-15 10:03:00+00', 'sum', 'cumulative', true, '2026-01-15 10:00:30+00', 20)`)
	got := ask(conn, `SELECT name, count, sum, max FROM metrics_5m WHERE name IN ('gauge', 'counter') AND bucket = '2026-01-15 10:00:00+00' ORDER BY name`)
	// The counter: 5, 20 - 5, and 12 is less than 20: anew.
	if want := "name | count | sum | max\ncounter | 3 | 32 | 20\ngauge | 4 | 100 | 40\nSELECT 2\n"; got != want {
		t.Errorf("after late points:\n%s\nwant\n%s", got, want)
	}
}
