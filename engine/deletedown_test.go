package engine

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Rows in a part are deleted, by a DELETE that has read them before, while the
// object store is not available: neither it, nor ingest behind it, nor a start
// waits for the store. The rows are gone once the part can be read again,
// settled or not, and after a merge.
func TestDeleteWhileUnavailable(t *testing.T) {
	mem := vfs.NewMem()
	store := newSwitchedStore(mem)
	o := testOptions(mem)
	o.Cold = store
	db := mustOpen(t, o)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		r, err := CheckParts(mem, "db", testTables, store)
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("check: %v %v", r.Problems, err)
		}
	})
	reopen := func(flush bool) {
		t.Helper()
		if err := db.shutdown(flush); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, o)
	}
	mustAppend(t, db, record.Traces, "a 1 1 old 1\nb 1 2 old 2\nc 1 3 old 3\n")
	mustAppend(t, db, record.Logs, "1 a\n2 b\n3 c\n")
	mustCheckpoint(t, db)
	if _, err := db.Compact(t.Context(), minuteNanos(60)); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, db, record.Logs, "599 hot\n")
	reopen(true) // nothing of the parts is in memory

	store.down.Store(true)
	deleteRows(t, db, record.Traces, 1)
	deleteRows(t, db, record.Logs, 0, 2, 3) // 3 is in the memtable
	mustAppend(t, db, record.Logs, "599 later\n")
	reopen(false) // they are replayed
	reopen(true)
	reopen(true) // they are in the hot store

	expect := func(what string) {
		t.Helper()
		v := db.View()
		defer v.Release()
		for table, want := range map[string][]string{
			"spans": {"a 1 1 old 1", "c 1 3 old 3"},
			"logs":  {"2 b", "599 later"},
		} {
			got, _, err := scanText(v, ScanRequest{Table: table}, false)
			if slices.Sort(got); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s: %s: got %q, want %q, %v", what, table, got, want, err)
			}
		}
	}
	store.down.Store(false)
	expect("not settled")
	if err := db.settleParts(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := db.View()
	for _, tv := range v.tables {
		for _, p := range tv.parts {
			if len(p.unsettled) > 0 {
				t.Errorf("%d rows of part %s are not settled", len(p.unsettled), p.meta.Name)
			}
		}
	}
	if n := v.Rows("logs"); n != 2 {
		t.Errorf("metadata counts %d logs", n)
	}
	v.Release()
	expect("settled")
	reopen(true)
	expect("settled, reopened")
}
