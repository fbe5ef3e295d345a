package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// What metrics_5m gives does not change when its points expire and are deleted,
// step by step over restarts and wherever they lie: it is always what a gateway
// that keeps all points makes of them.
func TestRollupOfExpiredPoints(t *testing.T) {
	ctx := context.Background()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	modelDir, dir := t.TempDir(), t.TempDir()
	model := testGateway(t, modelDir)
	defer func() { stopGateway(t, model, modelDir) }()
	keeps := connect(t, model)
	// The clock moves on during the test: points stay a while away from where anything expires.
	now := time.Now().Truncate(time.Second)
	level := make(map[int]float64)
	points := func(from, to time.Duration, n int) string {
		var rows []string
		for i := range n { // times differ: of two points of one time and one request none is the later
			at := now.Add(-from + time.Duration(rng.Int64N(int64((from-to)/time.Second)))*time.Second + time.Duration(i)*time.Microsecond)
			rows = append(rows, fmt.Sprintf("('s', 'gauge', '%s', 'gauge', NULL, NULL, NULL, %d, NULL, NULL, '{\"k\": \"%d\"}')", at.Format(time.RFC3339Nano), rng.IntN(100), rng.IntN(3)))
		}
		for series := range 3 {
			for i := range n / 3 {
				at := now.Add(-from + time.Duration(i)*(from-to)/time.Duration(n/3)).Format(time.RFC3339)
				if level[series] += float64(rng.IntN(20)); rng.IntN(6) == 0 {
					level[series] = float64(rng.IntN(5))
				}
				start := now.Add(-100 * time.Hour).Format(time.RFC3339)
				rows = append(rows, fmt.Sprintf("('s', 'counter', '%s', 'sum', 'cumulative', true, '%s', %g, NULL, NULL, '{\"k\": \"%d\"}')", at, start, level[series], series),
					fmt.Sprintf("('s', 'histogram', '%s', 'histogram', 'cumulative', NULL, '%s', NULL, %g, %g, '{\"k\": \"%d\"}')", at, start, level[series], 2*level[series], series))
			}
		}
		return "INSERT INTO metrics (service, name, timestamp, metric_type, temporality, is_monotonic, start_time, value, count, sum, attributes) VALUES " + strings.Join(rows, ", ")
	}
	const all = `SELECT extract(epoch FROM bucket)::int8 AS at, name, attributes, metric_type, count, sum, min, max, avg, last FROM metrics_5m ORDER BY 1, 2, 3::text`
	const retain = "SELECT rows_dropped FROM tael_apply_retention() WHERE relation = 'metrics'"
	moves := []string{"SELECT 1::int8", retain, "SELECT sum(rows_moved)::int8 FROM tael_compact(now())", retain, "SELECT 1::int8"}
	var dropped int64
	for stage, hours := range []int{0, 80, 50, 20, 4} {
		if hours > 0 {
			t.Setenv("TAEL_SQL_RETENTION_METRICS", fmt.Sprintf("%dh", hours))
		}
		g := testGateway(t, dir)
		conn := connect(t, g)
		from := []time.Duration{90, 76, 46, 16, 3}[stage]
		sql := points(from*time.Hour, (from-2)*time.Hour, 60) + "; " + points(time.Duration(5-stage)*30*time.Minute, time.Duration(4-stage)*30*time.Minute, 20)
		if _, err := keeps.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
		want := ask(keeps, all)
		for _, move := range moves {
			var n int64
			if err := conn.QueryRow(ctx, move).Scan(&n); err != nil {
				t.Fatalf("%s: %v", move, err)
			}
			if strings.Contains(move, "retention") {
				dropped += n
			}
			if got := ask(conn, all); got != want {
				t.Fatalf("points kept for %d h, after %s: %s", hours, move, firstDifference(got, want))
			}
		}
		if got := ask(conn, "SELECT coalesce(sum(rows_out), 0) > 0 AS stored FROM tael_jobs WHERE job = 'rollup'"); strings.Contains(got, "\nt\n") != (hours > 0) {
			t.Errorf("points kept for %d h: %s", hours, got)
		}
		stopGateway(t, g, dir)
	}
	if got := ask(keeps, "SELECT * FROM rollup_rows"); !strings.HasPrefix(got, "42P01") {
		t.Errorf("an internal table can be read: %s", got)
	}
	if dropped == 0 {
		t.Error("no points were deleted")
	}
}

// firstDifference is the first line in which two texts differ.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%s, want %s (%d and %d lines)", a[i], b[i], len(a), len(b))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}
