package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"
)

// One trace of a shop with everything that telemetry can hold, small enough to
// check by hand. frontend calls cart and payment; payment publishes a message
// that outlasts it; email's parent is not there:
//
//	0                                                  100       150 ms
//	frontend ==========================================|
//	     cart =============|     payment ===============|     email ====|
//	       db  =========|          bank ============|
//	                                   kafka ==================|
//
// The same statements give the same rows in the memtable, in blocks and in parts.
func TestCheckout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	im := &importer{out: &bytes.Buffer{}}
	files, err := filepath.Glob("testdata/checkout/*.jsonl")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, g)
	if out := ask(conn, `INSERT INTO comments (id, trace_id, span_id, author, body, created_at)
		VALUES ('1', '0AF7651916cd43dd8448eb211c80319c', '00000000000000c1', 'ann', 'card of a tester', '2023-11-14 23:00:00Z')`); out != "INSERT 0 1\n" {
		t.Fatal(out)
	}
	for _, placement := range placements {
		datadriven.Walk(t, "testdata/checkout/sql", func(t *testing.T, path string) {
			datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
		})
		if t.Failed() {
			t.Fatalf("with the data in the placement %q", placement)
		}
		move(t, g, placement)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec} {
		var spans, depth int64
		var services []string
		err := conn.QueryRow(context.Background(),
			`SELECT s.span_count, t.services, (SELECT max(depth) FROM trace_tree($4))
			 FROM summary($1, service => $2, at => $3) AS s, trace_summary($4) AS t`,
			mode, 3600, "payment", time.Unix(1_700_000_060, 0), "0AF7651916CD43DD8448EB211C80319C").Scan(&spans, &services, &depth)
		if err != nil || spans != 3 || len(services) != 4 || depth != 2 {
			t.Errorf("%s: %d spans, services %v, depth %d: %v", mode, spans, services, depth, err)
		}
	}
	stopGateway(t, g, dir)
}
