package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The anomalies of a real incident: in the last minute the network in front of
// recommendationservice was slow, in the two minutes before all was well. The
// minutes are of different hours, and are moved to end at 00:10. The rows are
// the same in the memtable and in blocks.
func TestIncident(t *testing.T) {
	needIncident(t)
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	end := time.Date(2024, 1, 1, 0, 10, 0, 0, time.UTC)
	for _, m := range []struct {
		window string
		began  time.Time
		before time.Duration // the end
	}{
		{"0353", time.Date(2022, 8, 22, 3, 52, 19, 0, time.UTC), 183 * time.Second},
		{"0635", time.Date(2022, 8, 22, 6, 34, 18, 0, time.UTC), 122 * time.Second},
		{"0654", time.Date(2022, 8, 22, 6, 53, 18, 0, time.UTC), 61 * time.Second},
	} {
		im := &importer{out: &bytes.Buffer{}, shift: int64(end.Add(-m.before).Sub(m.began))}
		files, err := filepath.Glob(filepath.Dir(filepath.Dir(incident)) + "/ob-2022-08-22/" + m.window + ".*.zst")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, g)
	for _, placement := range []string{"memtable", "blocks"} {
		datadriven.Walk(t, "testdata/incident", func(t *testing.T, path string) {
			datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
		})
		if t.Failed() {
			t.Fatalf("with the data in the placement %q", placement)
		}
		if out := ask(conn, "CHECKPOINT"); out != "CHECKPOINT\n" {
			t.Fatal(out)
		}
	}
	stopGateway(t, g, dir)
}
