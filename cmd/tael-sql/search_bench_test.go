package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// search() over 20,000 prompts of 60 words, all indexed and in blocks: as a
// client sees it.
func BenchmarkSearch(b *testing.B) {
	ctx := context.Background()
	g := testGateway(b, b.TempDir())
	defer func() { _ = g.stop(ctx) }()
	conn := connect(b, g)
	const insert = `INSERT INTO spans (trace_id, span_id, service, operation, start_time, end_time, kind, attributes)
		SELECT lpad(to_hex(n / 4 + 1), 32, '0'), lpad(to_hex(n), 16, '0'), 'agent', 'chat', t, t + interval '1 s', 'llm',
			jsonb_build_object('gen_ai.operation.name', 'chat', 'gen_ai.input.messages', '[{"role":"user","parts":[{"type":"text","content":"'
				|| (SELECT string_agg('w' || floor(exp(random() * 9.2))::int, ' ') FROM generate_series(n * 0, 59)) || '"}]}]')
		FROM (SELECT n, timestamptz '2026-01-05 10:00:00Z' + n * interval '100 ms' AS t FROM generate_series(%d, %d) n) s`
	for from := 1; from <= 20_000; from += 2000 {
		if _, err := conn.Exec(ctx, fmt.Sprintf(insert, from, from+1999)); err != nil {
			b.Fatal(err)
		}
	}
	for _, sql := range []string{"CHECKPOINT", "REINDEX TABLE spans"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct{ name, sql string }{
		{"rare", "SELECT score, trace_id, snippet FROM search('w9000')"},
		{"two", "SELECT score, trace_id, snippet FROM search('w1000 w10')"},
		{"phrase", `SELECT score, trace_id, snippet FROM search('"w3 w5"')`},
		{"common,best", "SELECT score, trace_id, snippet FROM search('w20', max_hits => 20)"},
		{"common,ordered", "SELECT score, trace_id, snippet FROM search('w20') ORDER BY score DESC LIMIT 20"},
		{"common,count", "SELECT count(*) FROM search('w20')"},
	} {
		b.Run("prompts=20000/query="+strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
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
