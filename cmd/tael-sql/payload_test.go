package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/tables"
)

// Payloads of calls to models read the same in their rows and outside of them,
// in attributes, events and what follows from both.
func TestPayloads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	conn := connect(t, g)
	walk := func(placement string) {
		t.Helper()
		datadriven.RunTest(t, "testdata/payloads/queries", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
		if t.Failed() {
			t.Fatalf("with the data in the placement %q", placement)
		}
	}
	datadriven.RunTest(t, "testdata/payloads/rows", func(t *testing.T, d *datadriven.TestData) string { return ask(conn, d.Input) })
	for _, placement := range placements {
		walk(placement)
		move(t, g, placement)
	}
	_ = conn.Close(context.Background())
	stopGateway(t, g, dir)
	g = testGateway(t, dir)
	conn = connect(t, g)
	walk("after a restart")
	stopGateway(t, g, dir)
	r, err := engine.Check(vfs.Default, dir, tables.Specs())
	if err != nil || r.Blobs != 4 { // the prompt of two spans once
		t.Fatalf("%d texts are stored outside the rows: %v", r.Blobs, err)
	}

	forgetPayloads(t, filepath.Join(dir, layout.HotDir))
	g = testGateway(t, dir)
	defer func() { _ = g.stop(context.Background()) }()
	conn = connect(t, g)
	if out := ask(conn, "SELECT model, sum(input_tokens) FROM llm_spans WHERE model = 'gpt' GROUP BY 1"); out != "model | sum\ngpt | 1401\nSELECT 1\n" {
		t.Errorf("what does not follow from payloads reads them: %s", out)
	}
	if out := ask(conn, "SELECT prompt FROM llm_spans"); !strings.HasPrefix(out, "XX001 ") {
		t.Errorf("payloads that are lost: %s", out)
	}
}

// forgetPayloads deletes what is stored outside the rows.
func forgetPayloads(t *testing.T, dir string) {
	t.Helper()
	store, err := hot.Open(vfs.Default, dir, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var writes []hot.Write
	lower, upper := layout.KindRange(layout.BlobKind)
	if err := store.Each(lower, upper, func(key, _ []byte) error {
		writes = append(writes, hot.Write{Key: slices.Clone(key)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Commit(writes), store.Close()); err != nil {
		t.Fatal(err)
	}
}
