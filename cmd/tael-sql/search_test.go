package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Search finds the same wherever rows and index are: nothing is indexed, all is,
// the index is damaged or gone.
func TestSearch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	conn := connect(t, g)
	walk := func(state string) {
		t.Helper()
		datadriven.RunTest(t, "testdata/search/queries", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
		if t.Failed() {
			t.Fatalf("with %s", state)
		}
	}
	datadriven.RunTest(t, "testdata/search/rows", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
	for _, placement := range placements {
		walk("the data in the placement " + placement)
		if out := ask(conn, "REINDEX DATABASE tael"); out != "REINDEX\n" {
			t.Fatal(out)
		}
		walk("all indexed, the data in the placement " + placement)
		move(t, g, placement)
	}
	search := filepath.Join(dir, "search")
	for state, damage := range map[string]func() error{
		"the folder as it was": func() error { return nil },
		"no folder":            func() error { return os.RemoveAll(search) },
		"an empty list":        func() error { return os.WriteFile(filepath.Join(search, "root.bolt"), nil, 0o600) },
		"another list":         func() error { return os.WriteFile(filepath.Join(search, "root.bolt"), make([]byte, 1<<16), 0o600) },
	} {
		_ = conn.Close(context.Background())
		stopGateway(t, g, dir)
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		g = testGateway(t, dir)
		conn = connect(t, g)
		walk(state)
		if err := g.db.Reindex(context.Background()); err != nil {
			t.Fatal(err)
		}
		walk(state + ", indexed again")
	}
	stopGateway(t, g, dir)
}
