package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// damageBlocks flips a bit in the first block of each table, in the middle.
func damageBlocks(t *testing.T, fs vfs.FS) {
	t.Helper()
	store, err := hot.Open(fs, "db/hot", hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range testTables {
		var first *hot.Write
		lower, upper := layout.TableRange(layout.BlockKind, spec.ID)
		err = errors.Join(err, store.Each(lower, upper, func(key, value []byte) error {
			if first == nil {
				first = &hot.Write{Key: slices.Clone(key), Value: slices.Clone(value)}
			}
			return nil
		}))
		if first != nil {
			for i := len(first.Value) / 2; i < len(first.Value)-8; i++ {
				first.Value[i] ^= 1
			}
			err = errors.Join(err, store.Commit([]hot.Write{*first}))
		}
	}
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
}

// A damaged block and a damaged part are left alone by every job, and stop none:
// blocks are merged and moved into parts, parts are merged, spans in sound blocks
// of the same hour are replaced, and what comes is acknowledged.
func TestJobsGoRoundDamage(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	db := mustOpen(t, o)
	body := func(i int) (spans, logs string) {
		return fmt.Sprintf("t%d 1 %d old 1\n", i, i), fmt.Sprintf("%d log\n", i)
	}
	const half = reblockInputs / 2
	for i := range half {
		spans, logs := body(i)
		mustAppend(t, db, record.Traces, spans)
		mustAppend(t, db, record.Logs, logs)
		mustCheckpoint(t, db)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	damageBlocks(t, fs)

	db = mustOpen(t, o)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	mustAppend(t, db, record.Traces, "t1 1 1 new 1\n") // of the damaged block's hour
	for i := half; i < 2*reblockInputs; i++ {
		spans, logs := body(i)
		mustAppend(t, db, record.Traces, spans)
		mustAppend(t, db, record.Logs, logs)
		mustCheckpoint(t, db)
	}
	expect := func(when string) {
		t.Helper()
		if err := db.Err(); err != nil {
			t.Fatalf("%s: the engine has stopped: %v", when, err)
		}
		v := db.View()
		defer v.Release()
		for _, table := range []string{"spans", "logs"} {
			if _, _, err := scanText(v, ScanRequest{Table: table}, false); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s: %v", when, table, err)
			}
			rows, _, err := scanText(v, ScanRequest{Table: table, Skip: func(error) {}}, false)
			if err != nil || len(rows) != 2*reblockInputs-1 {
				t.Errorf("%s: of %s can be read %q, %v", when, table, rows, err)
			}
			if table == "spans" && !slices.Contains(rows, "t1 1 1 new 1") {
				t.Errorf("%s: no new span among %q", when, rows)
			}
		}
	}
	blocks := func() (n int) {
		v := db.View()
		defer v.Release()
		return len(v.Blocks())
	}
	expect("after merging blocks")
	if n := blocks(); n > 3*reblockInputs { // of 4
		t.Errorf("there are %d blocks: those of one table or both were not merged", n)
	}
	const day = 24 * 60
	moved, err := db.Compact(t.Context(), minuteNanos(2*day))
	if err != nil {
		t.Fatalf("compaction: %v %v", moved, err)
	}
	expect("after a compaction")
	if n := blocks(); n != 2 {
		t.Errorf("there are %d blocks beside the two damaged ones", n-2)
	}

	// The part of the logs is damaged, that of the spans goes.
	v := db.View()
	for _, p := range v.Parts() {
		f := make(files)
		if err := readTree(fs, "db/cold", f); err != nil {
			t.Fatal(err)
		}
		content := slices.Clone(f["db/cold/"+p.Name])
		for i := 4; i < len(content)/2; i++ {
			content[i] ^= 1
		}
		err := writeFile(fs, "db/cold/"+p.Name, content)
		if p.Table == "spans" {
			err = fs.Remove("db/cold/" + p.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	v.Release()
	for round := range 3 {
		spans, logs := body(100 + round)
		mustAppend(t, db, record.Traces, spans)
		mustAppend(t, db, record.Logs, logs)
		mustCheckpoint(t, db)
		if _, err := db.Compact(t.Context(), minuteNanos(2*day)); err != nil {
			t.Fatalf("compaction beside a damaged part: %v", err)
		}
	}
	v = db.View()
	defer v.Release()
	for _, table := range []string{"spans", "logs"} {
		parts := slices.DeleteFunc(v.Parts(), func(p PartInfo) bool { return p.Table != table })
		if len(parts) != 2 {
			t.Errorf("%s has parts %v, want the damaged one and another", table, parts)
		}
	}
}
