package main

import (
	"context"
	"fmt"
	"testing"
)

// The functions that explain: the tree of a trace of 1,000 spans, and
// anomalies() over a million spans in eleven minutes, in blocks, as a client
// sees them.
func BenchmarkAnalysis(b *testing.B) {
	ctx := context.Background()
	g := testGateway(b, b.TempDir())
	defer func() { _ = g.stop(ctx) }()
	conn := connect(b, g)
	exec := func(sql string) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	const columns = "INSERT INTO spans (trace_id, span_id, parent_span_id, service, operation, start_time, end_time, kind) "
	exec(columns + `SELECT repeat('f', 32), lpad(to_hex(n), 16, '0'), CASE WHEN n > 1 THEN lpad(to_hex(n / 3 + 1), 16, '0') END, 'service-' || n % 12, 'op-' || n % 40,
		t, t + (1001 - n) * interval '10 ms', 'server' FROM (SELECT n, timestamptz '2026-01-05 09:00:00Z' + n * interval '1 ms' AS t FROM generate_series(1, 1000) n) s`)
	const million, step = 1_000_000, 20_000
	for from := 0; from < million; from += step {
		exec(fmt.Sprintf(columns+`SELECT lpad(to_hex(n / 10 + 1), 32, '0'), lpad(to_hex(n + 1), 16, '0'),
			CASE WHEN n %% 10 > 0 THEN lpad(to_hex(n - n %% 10 + (n %% 10 - 1) / 2 + 1), 16, '0') END,
			'service-' || (n / 10 + n %% 10) %% 20, 'op-' || n %% 10, t, t + interval '1 ms' * (60 - 5 * (n %% 10) + n %% 7), 'server'
			FROM (SELECT n, timestamptz '2026-01-05 10:00:00Z' + n / 10 * interval '6.6 ms' + n %% 10 * interval '1 ms' AS t FROM generate_series(%d, %d) n) s`, from, from+step-1))
	}
	exec("CHECKPOINT")
	for _, c := range []struct{ name, sql string }{
		{"trace_tree/spans=1000", "SELECT * FROM trace_tree('ffffffffffffffffffffffffffffffff')"},
		{"critical_path/spans=1000", "SELECT * FROM critical_path('ffffffffffffffffffffffffffffffff')"},
		{"anomalies/spans=1000000", "SELECT * FROM anomalies(60, 600, at => '2026-01-05 10:11:00Z')"},
		{"summary/spans=1000000", "SELECT * FROM summary(660, at => '2026-01-05 10:11:00Z')"},
		{"service_graph/spans=1000000", "SELECT * FROM service_graph('2026-01-05 10:00:00Z', '2026-01-05 10:11:00Z')"},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				rows, err := conn.Query(ctx, c.sql)
				if err != nil {
					b.Fatal(err)
				}
				for n = 0; rows.Next(); n++ {
				}
				if err := rows.Err(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}
