package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// deleteRows commits a write set that deletes rows by their numbers.
func deleteRows(t testing.TB, db *DB, kind record.Type, numbers ...uint64) {
	t.Helper()
	ws := &WriteSet{Header: record.Header{Source: record.SQL}, Deletes: []record.Deleted{{Type: kind, Rows: numbers}}}
	if _, err := db.Commit(context.Background(), ws); err != nil {
		t.Fatal(err)
	}
}

// Deleted rows are gone at once and stay so, wherever they are and go: in the
// memtable, in blocks and parts, while these are merged, after a restart with
// or without a flush. All others stay.
func TestDelete(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	o := testOptions(vfs.NewMem())
	db := mustOpen(t, o)
	kinds := map[string]record.Type{"spans": record.Traces, "logs": record.Logs}
	want := map[string]map[uint64]string{"spans": {}, "logs": {}}
	next := map[string]uint64{}
	for step := range 300 {
		table := []string{"spans", "logs"}[rng.IntN(2)]
		switch op := rng.IntN(12); {
		case op < 5:
			body := ""
			for i := range 1 + rng.IntN(40) {
				line := fmt.Sprintf("%d text%d-%d", 100+rng.IntN(500), step, i)
				if table == "spans" {
					line = fmt.Sprintf("%c %d %d name %d", 'a'+rng.IntN(5), next[table], 100+rng.IntN(500), step)
				}
				body += line + "\n"
				want[table][next[table]] = line
				next[table]++
			}
			mustAppend(t, db, kinds[table], body)
		case op < 8:
			var numbers []uint64
			for n := range want[table] {
				if rng.IntN(8) == 0 {
					numbers = append(numbers, n)
				}
			}
			if next[table] > 0 { // perhaps one that is gone
				numbers = append(numbers, rng.Uint64N(next[table]))
			}
			slices.Sort(numbers)
			numbers = slices.Compact(numbers)
			deleteRows(t, db, kinds[table], numbers...)
			for _, n := range numbers {
				delete(want[table], n)
			}
		case op < 9:
			mustCheckpoint(t, db)
		case op < 11:
			if _, err := db.Compact(context.Background(), minuteNanos(100+rng.IntN(600))); err != nil {
				t.Fatal(err)
			}
		default:
			if err := db.shutdown(rng.IntN(2) == 0); err != nil {
				t.Fatal(err)
			}
			checkFolder(t, o.FS, "db")
			db = mustOpen(t, o)
		}
		v := db.View()
		for table, rows := range want {
			var wanted []string
			for n, row := range rows {
				wanted = append(wanted, fmt.Sprintf("#%d %s", n, row))
			}
			slices.Sort(wanted)
			got, _, err := scanText(v, ScanRequest{Table: table}, true)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, wanted) {
				t.Fatalf("step %d: %s: %d rows, want %d of %v", step, table, len(got), len(wanted), slices.Collect(maps.Keys(rows)))
			}
			if v.Rows(table) != int64(len(wanted)) {
				t.Fatalf("step %d: metadata counts %d rows of %s, want %d", step, v.Rows(table), table, len(wanted))
			}
		}
		v.Release()
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, o.FS, "db")
}

// A replay that forgets deletes is noticed.
func TestForgottenDelete(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpen(t, o)
	mustAppend(t, db, record.Logs, "590 a\n590 b\n")
	deleteRows(t, db, record.Logs, 0)
	if err := db.shutdown(false); err != nil {
		t.Fatal(err)
	}
	for _, forget := range []bool{false, true} {
		o.faults.forgetDeletes = forget
		db = mustOpen(t, o)
		v := db.View()
		if rows := v.Rows("logs"); (rows != 1) != forget {
			t.Errorf("%d rows, with the planted bug: %t", rows, forget)
		}
		v.Release()
		if err := db.shutdown(false); err != nil {
			t.Fatal(err)
		}
	}
}
