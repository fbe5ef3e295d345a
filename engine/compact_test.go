package engine

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/wal/record"
)

// meddled is an object store that calls during once a part is written, before
// anybody knows of it.
type meddled struct {
	object.Store
	during func()
}

func (m *meddled) Put(ctx context.Context, name string, write func(io.Writer) error) (object.Info, error) {
	info, err := m.Store.Put(ctx, name, write)
	if strings.HasSuffix(name, ".parquet") && m.during != nil {
		m.during()
	}
	return info, err
}

// Rows that are replaced or deleted while their blocks become a part, or while
// their part is merged, are dead in the new part: at once, and after a restart
// with or without a flush. A job that forgets them is noticed.
func TestKillsDuringCompaction(t *testing.T) {
	for _, planted := range []bool{false, true} {
		for _, flushed := range []bool{false, true} {
			o := testOptions(vfs.NewMem())
			store := &meddled{Store: object.NewFolder(o.FS, "cold")}
			o.Cold = store
			o.faults.forgetKills = planted
			db := mustOpen(t, o)
			want := map[string]int{} // row -> value
			put := func(minute, from, to, value int) {
				t.Helper()
				body := ""
				for i := from; i < to; i++ {
					key := fmt.Sprintf("%c %d", 'a'+i%7, i)
					body += fmt.Sprintf("%s %d name %d\n", key, minute, value)
					want[key] = value
				}
				mustAppend(t, db, record.Traces, body)
			}
			expect := func(when string) bool {
				v := db.View()
				defer v.Release()
				var rows []string
				for key, value := range want {
					rows = append(rows, fmt.Sprintf("%s name %d", key, value))
				}
				slices.Sort(rows)
				got, _, err := scanText(v, ScanRequest{Table: "spans"}, false)
				if err != nil {
					t.Fatal(err)
				}
				for i, row := range got { // without the minute
					f := strings.Fields(row)
					got[i] = strings.Join([]string{f[0], f[1], f[3], f[4]}, " ")
				}
				if slices.Equal(got, rows) && v.Rows("spans") == int64(len(rows)) {
					return true
				}
				if !planted {
					t.Fatalf("%s: %d rows, metadata counts %d, want %d", when, len(got), v.Rows("spans"), len(rows))
				}
				return false
			}
			for hour := range 3 {
				put(100+60*hour, 100*hour, 100*hour+90, 1)
			}
			mustCheckpoint(t, db)
			meddle := func() {
				put(105, 0, 40, 2) // newer versions of rows of the first hour
				deleteRows(t, db, record.Traces, 95, 100)
				delete(want, fmt.Sprintf("%c 105", 'a'+105%7))
				delete(want, fmt.Sprintf("%c 110", 'a'+110%7))
				if flushed {
					mustCheckpoint(t, db)
				}
				store.during = nil
			}
			store.during = meddle
			if _, err := db.Compact(context.Background(), minuteNanos(0)+25*nanosHour); err != nil {
				t.Fatal(err)
			}
			sound := expect("blocks to a part")
			put(107, 20, 60, 3)
			mustCheckpoint(t, db)
			store.during = func() { // a part of what has come since, then the merge of both
				store.during = func() {
					put(108, 30, 35, 4)
					store.during = nil
				}
			}
			if _, err := db.Compact(context.Background(), math.MaxInt64); err != nil {
				t.Fatal(err)
			}
			sound = expect("parts merged") && sound
			for _, flush := range []bool{false, true} {
				if err := db.shutdown(flush); err != nil {
					t.Fatal(err)
				}
				o.faults.forgetKills = false
				db = mustOpen(t, o)
				sound = expect("restarted") && sound
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if !planted {
				r, err := CheckParts(o.FS, "db", testTables, object.NewFolder(o.FS, "cold"))
				if err != nil || len(r.Problems) > 0 {
					t.Errorf("%v %v", r.Problems, err)
				}
			}
			if sound == planted {
				t.Errorf("planted bug: %t, seen to be sound: %t", planted, sound)
			}
		}
	}
}

// Whatever its size, a merge gives each row once, in order, and remaps those
// that have died: parts of several chunks and groups.
func TestMergeLarge(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	o := testOptions(vfs.NewMem())
	store := &meddled{Store: object.NewFolder(o.FS, "cold")}
	o.Cold = store
	o.MaxMemtableRows, o.WAL.SegmentBytes = 1<<20, 1<<20
	db := mustOpen(t, o)
	const parts, rows = 3, 3000 // a group has 1024 rows
	want := map[uint64]bool{}
	next := uint64(0)
	for part := range parts {
		var body strings.Builder
		for range rows {
			fmt.Fprintf(&body, "%c %d %d name %d\n", 'a'+rng.IntN(26), next, 60*part+rng.IntN(60), next)
			want[next] = true
			next++
		}
		mustAppend(t, db, record.Traces, body.String())
		mustCheckpoint(t, db)
		mustCompactBefore(t, db, minuteNanos(60*part+60))
	}
	v := db.View()
	if n := len(v.Parts()); n < parts {
		t.Fatalf("%d parts", n)
	}
	v.Release()
	store.during = func() {
		var numbers []uint64
		for n := range next {
			if rng.IntN(20) == 0 {
				numbers = append(numbers, n)
				delete(want, n)
			}
		}
		deleteRows(t, db, record.Traces, numbers...)
		store.during = nil
	}
	mustCompactBefore(t, db, math.MaxInt64)
	v = db.View()
	defer func() {
		v.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	got, stats, err := scanText(v, ScanRequest{Table: "spans"}, true)
	if err != nil || len(got) != len(want) || stats.PartsTotal != 1 {
		t.Fatalf("%d rows of %d parts, want %d: %v", len(got), stats.PartsTotal, len(want), err)
	}
	for _, row := range got {
		f := strings.Fields(row)
		var n uint64
		if _, err := fmt.Sscanf(f[0], "#%d", &n); err != nil || !want[n] || f[5] != fmt.Sprint(n) {
			t.Fatalf("row %q: %v", row, err)
		}
	}
}

func mustCompactBefore(t *testing.T, db *DB, before int64) {
	t.Helper()
	if _, err := db.Compact(context.Background(), before); err != nil {
		t.Fatal(err)
	}
}
