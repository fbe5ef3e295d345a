package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

func mustSweep(t *testing.T, db *DB) int {
	t.Helper()
	removed, _, err := db.SweepBlobs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

func mustCompact(t *testing.T, db *DB) {
	t.Helper()
	if _, err := db.Compact(context.Background(), math.MaxInt64); err != nil {
		t.Fatal(err)
	}
}

// A sweep deletes what no row refers to, in the hot store and among the files,
// and nothing else: not what a block or a part refers to, nor what a view that
// is still held may read.
func TestSweep(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.BlobGrace = -1
	db := mustOpenChecked(t, o)
	texts := make([]string, 6)
	for i := range texts { // three small ones, three files
		texts[i] = strings.Repeat(fmt.Sprintf("%d", i), 100+100*(i%2))
		mustAppend(t, db, record.Logs, fmt.Sprintf("590 %s\n591 %s\n", texts[i], texts[i]))
	}
	want := func(present ...int) {
		t.Helper()
		var rows []string
		for _, i := range present {
			rows = append(rows, texts[i]+" "+textHash(texts[i]), texts[i]+" "+textHash(texts[i]))
		}
		slices.Sort(rows)
		if got := logTexts(t, db); !slices.Equal(got, rows) {
			t.Fatalf("got %q, want %q", got, rows)
		}
	}
	mustCheckpoint(t, db)
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts are deleted that blocks refer to", n)
	}
	deleteRows(t, db, record.Logs, 0, 1, 2, 3)
	want(2, 3, 4, 5)
	held := db.View()
	mustCompact(t, db) // leaves the dead rows behind
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts are deleted that a view may read", n)
	}
	held.Release()
	if n := mustSweep(t, db); n != 2 {
		t.Fatalf("%d texts are deleted, not 2", n)
	}
	want(2, 3, 4, 5)
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts are deleted twice", n)
	}
	mustAppend(t, db, record.Logs, fmt.Sprintf("590 %s\n591 %s\n", texts[0], texts[0]))
	mustCheckpoint(t, db)
	want(0, 2, 3, 4, 5)
}

// What nothing refers to stays for the grace period.
func TestSweepGrace(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.BlobGrace = time.Hour
	db := mustOpenChecked(t, o)
	mustAppend(t, db, record.Logs, "590 "+strings.Repeat("x", 100)+"\n")
	mustCheckpoint(t, db)
	deleteRows(t, db, record.Logs, 0)
	mustCompact(t, db)
	for range 2 {
		if n := mustSweep(t, db); n != 0 {
			t.Fatalf("%d texts are deleted at once", n)
		}
	}
	for hash, ref := range db.sweeper.unused {
		db.sweeper.unused[hash] = unusedRef{ref.since.Add(-2 * time.Hour), ref.view, ref.mark}
	}
	if n := mustSweep(t, db); n != 1 {
		t.Fatalf("%d texts are deleted after the grace period", n)
	}
}

// A text that a flush needs again while a sweep is about to delete it stays; a
// sweep that does not look is noticed.
func TestSweepDuringFlush(t *testing.T) {
	for _, planted := range []bool{false, true} {
		o := testOptions(vfs.NewMem())
		o.BlobGrace = -1
		text := strings.Repeat("x", 100)
		var db *DB
		o.faults.sweepAnyway = planted
		o.faults.duringSweep = func() {
			mustAppend(t, db, record.Logs, "590 "+text+"\n")
			mustCheckpoint(t, db)
		}
		db = mustOpen(t, o)
		mustAppend(t, db, record.Logs, "590 "+text+"\n")
		mustCheckpoint(t, db)
		deleteRows(t, db, record.Logs, 0)
		mustCompact(t, db)
		removed := mustSweep(t, db)
		v := db.View()
		_, _, err := scanText(v, ScanRequest{Table: "logs"}, false)
		v.Release()
		if (err != nil) != planted || (removed > 0) != planted {
			t.Errorf("%d texts are deleted, and then reading gives %v; planted: %t", removed, err, planted)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
