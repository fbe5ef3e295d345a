package engine

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// contents is every live row of a store.
type contents map[string][]string

func contentsOf(t *testing.T, o Options) contents {
	t.Helper()
	db := mustOpen(t, o)
	v := db.View()
	out := contents{}
	for _, table := range []string{"spans", "logs"} {
		rows, _, err := scanText(v, ScanRequest{Table: table}, false)
		if err != nil {
			t.Fatal(err)
		}
		out[table] = rows
	}
	rows, err := keyedText(v, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	out["keyed"] = rows
	v.Release()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// missing gives the rows of a that b lacks, each as often.
func missing(a, b []string) []string {
	left := slices.Clone(b)
	var out []string
	for _, row := range a {
		if i := slices.Index(left, row); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			out = append(out, row)
		}
	}
	return out
}

// damagedStore makes a store with rows of every kind, all in blocks.
func damagedStore(t *testing.T, rng *rand.Rand, flushed bool) (vfs.FS, Options, *model) {
	t.Helper()
	mem := vfs.NewMem()
	o := backupOptions(mem)
	db := mustOpen(t, o)
	m := &model{keyed: map[string]string{}}
	for step := range 120 {
		randomWrite(t, db, rng, m, step)
		if rng.IntN(20) == 0 {
			mustCheckpoint(t, db)
		}
		if step == 80 {
			mustCheckpoint(t, db)
			if _, err := db.Compact(context.Background(), minuteNanos(2*arrivalMinute)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.shutdown(flushed); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, mem, "db")
	return mem, o, m
}

func rewriteFile(t *testing.T, fs vfs.FS, path string, raw []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(slices.Clone(raw))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func problems(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	r, err := Check(fs, "db", testTables)
	if err != nil {
		t.Fatal(err)
	}
	return r.Problems
}

func mustRepair(t *testing.T, o Options) Repaired {
	t.Helper()
	r, err := Repair("db", o)
	if err != nil {
		t.Fatalf("repair: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	if r.Quarantine == "" || len(r.Lines) == 0 {
		t.Fatalf("nothing was repaired: %+v", r)
	}
	raw, err := readFile(o.FS, o.FS.PathJoin(r.Quarantine, "REPORT.txt"))
	if err != nil || string(raw) != strings.Join(r.Lines, "\n")+"\n" {
		t.Fatalf("the report: %q, %v", raw, err)
	}
	return r
}

// vectorsLost reports whether rows that were dead may be back.
func (r Repaired) vectorsLost() bool {
	return slices.ContainsFunc(r.Lines, func(l string) bool { return strings.Contains(l, "deletion vector") })
}

// TestRepairLog flips a bit of an acknowledged record that is in no block: the
// start is refused, and after the repair the rows are those before the record.
func TestRepairLog(t *testing.T) {
	seed := newSeed(t)
	for round := range 20 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		mem := vfs.NewMem()
		o := backupOptions(mem)
		o.MaxMemtableRows = 1 << 20
		db := mustOpen(t, o)
		m := &model{keyed: map[string]string{}}
		at := []*model{m.clone()}
		for step := range 60 {
			randomWrite(t, db, rng, m, step)
			at = append(at, m.clone())
			if step == 20 {
				mustCheckpoint(t, db)
			}
		}
		if err := db.shutdown(false); err != nil {
			t.Fatal(err)
		}
		files, err := filesBelow(mem, "db/wal", "wal")
		if err != nil {
			t.Fatal(err)
		}
		f := files[rng.IntN(len(files))]
		raw, err := readFile(mem, f.path)
		if err != nil {
			t.Fatal(err)
		}
		used := len(raw)
		for used > 0 && raw[used-1] == 0 {
			used--
		}
		if used == 0 {
			continue // a spare
		}
		raw[rng.IntN(used)] ^= 1 << rng.IntN(8)
		rewriteFile(t, mem, f.path, raw)
		if problems(t, mem) == nil {
			continue // padding
		}
		db, err = Open("db", o)
		if err == nil { // only records that blocks hold are damaged
			if err := db.shutdown(false); err != nil {
				t.Fatal(err)
			}
		} else if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("round %d: %v", round, err)
		}
		r := mustRepair(t, o)
		want := m
		if r.Lost.First > 0 {
			want = at[r.Lost.First-1]
		}
		if r.LostRows != 0 || err != nil && r.Lost.First == 0 {
			t.Fatalf("round %d: %+v after %v", round, r, err)
		}
		db = mustOpen(t, o)
		v := db.View()
		if err := compareWithModel(rng, v, want); err != nil {
			t.Fatalf("round %d: %+v: %v", round, r, err)
		}
		v.Release()
		randomWrite(t, db, rng, want.clone(), 1000)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, mem, "db")
	}
}

// TestRepairFiles flips bits, cuts and removes files of a store that is all in
// blocks. After the repair no row is there that was not, and none is missing
// that the report does not count.
func TestRepairFiles(t *testing.T) {
	seed := newSeed(t)
	kinds := make(map[string]int)
	for round := range 60 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		mem, o, _ := damagedStore(t, rng, true)
		before := contentsOf(t, o)
		dir := []string{"hot", "hot", "blobs", "cold", "cold"}[rng.IntN(5)]
		files, err := filesBelow(mem, "db/"+dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		files = slices.DeleteFunc(files, func(f storedFile) bool { return f.bytes == 0 || strings.Contains(f.name, ".log") })
		if len(files) == 0 {
			continue
		}
		f := files[rng.IntN(len(files))]
		raw, err := readFile(mem, f.path)
		if err != nil {
			t.Fatal(err)
		}
		what := ""
		switch rng.IntN(6) {
		case 0:
			what = "truncated"
			rewriteFile(t, mem, f.path, raw[:rng.IntN(len(raw))])
		case 1:
			what = "removed"
			if err := mem.Remove(f.path); err != nil {
				t.Fatal(err)
			}
		default:
			what = "flipped"
			raw[rng.IntN(len(raw))] ^= 1 << rng.IntN(8)
			rewriteFile(t, mem, f.path, raw)
		}
		if problems(t, mem) == nil {
			if after := contentsOf(t, o); !maps.EqualFunc(before, after, slices.Equal) { // nothing that counts
				t.Fatalf("round %d, %s %s: the check is content, but the rows are others", round, what, f.name)
			}
			continue
		}
		kind := strings.TrimRight(f.name[strings.LastIndexByte(f.name, '/')+1:], "0123456789-")
		if i := strings.LastIndexByte(kind, '.'); i >= 0 {
			kind = kind[i:]
		}
		if strings.HasPrefix(f.name, "blobs") {
			kind = "blob"
		}
		kinds[kind]++
		r := mustRepair(t, o)
		after := contentsOf(t, o)
		lost := int64(0)
		for table, rows := range before {
			gone, come := missing(rows, after[table]), missing(after[table], rows)
			marks := 0
			for _, row := range come {
				if strings.Contains(row, "[lost: a text") {
					marks++
				} else if !r.vectorsLost() {
					t.Errorf("round %d, %s %s: %s has %q, which was not there", round, what, f.name, table, row)
				}
			}
			if table == "keyed" {
				continue // a key cannot say how many others were beside it
			}
			lost += int64(len(gone) - marks)
		}
		if lost > r.LostRows && !strings.Contains(strings.Join(r.Lines, "\n"), "is lost with its manifest entry") &&
			!r.vectorsLost() { // whole ranges of keys could not be read
			t.Errorf("round %d, %s %s: %d rows are missing, reported: %s", round, what, f.name, lost, strings.Join(r.Lines, "\n"))
		}
		checkFolder(t, mem, "db")
		if t.Failed() {
			t.Fatalf("%s %s:\n%s", what, f.name, strings.Join(r.Lines, "\n"))
		}
	}
	t.Log(kinds)
}

// TestRepairKeys damages the values of the hot store one kind at a time.
func TestRepairKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(newSeed(t), 7))
	for _, c := range []struct {
		kind   layout.KeyKind
		remove bool
		say    string
		loses  bool // rows
		back   bool // rows that were dead may be there
	}{
		{kind: layout.BlockKind, say: "lost: ", loses: true},
		{kind: layout.BlockKind, remove: true, say: "is missing; lost: ", loses: true},
		{kind: layout.MetaKind, say: "has its manifest entry again"},
		{kind: layout.MetaKind, remove: true, say: "has its manifest entry again"},
		{kind: layout.DeadKind, say: "the deletion vector of block", back: true},
		{kind: layout.StateKind, say: "the state of a table is damaged"},
		{kind: layout.KeyedKind, say: "a row of a keyed table is damaged and lost", loses: true},
		{kind: layout.PartKind, say: "the manifest entry of part", loses: true},
		{kind: layout.IndexKind, say: "it is written again"},
		{kind: layout.IndexKind, remove: true, say: "its index is missing; every page of it can be read"},
		{kind: layout.VectorKind, say: "the deletion vector of part", back: true},
		{kind: layout.BlobKind, say: "a text outside the rows is damaged and lost", loses: true},
		{kind: layout.BlobKind, remove: true, say: "have a mark in its place", loses: true},
	} {
		t.Run(string(c.kind)+map[bool]string{true: " removed"}[c.remove], func(t *testing.T) {
			mem, o, _ := damagedStore(t, rng, true)
			before := contentsOf(t, o)
			store, err := hot.Open(mem, "db/hot", hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			var writes []hot.Write
			lower, upper := layout.KindRange(c.kind)
			err = store.Each(lower, upper, func(key, value []byte) error {
				bad := slices.Clone(value)
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				if c.remove {
					bad = nil
				}
				writes = append(writes, hot.Write{Key: slices.Clone(key), Value: bad})
				return nil
			})
			if c.kind == layout.MetaKind { // a block whose rows are all dead is taken for one that a merge replaced
				writes = slices.DeleteFunc(writes, func(w hot.Write) bool {
					name, _ := layout.ParseBlockKey(w.Key)
					dead, deadErr := store.Get(layout.DeadKey(name.Table, name.Hour, name.ID))
					err = errors.Join(err, deadErr)
					return dead != nil
				})
			}
			if err != nil || len(writes) == 0 {
				t.Fatal(len(writes), err)
			}
			rng.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
			if err := errors.Join(store.Commit(writes[:1]), store.Close()); err != nil {
				t.Fatal(err)
			}
			for i := 1; problems(t, mem) == nil; i++ {
				if c.kind != layout.BlobKind || !c.remove || i == len(writes) {
					t.Fatal("the check is content")
				}
				// Nobody needs that text any more, and the sweep has not come yet.
				if store, err = hot.Open(mem, "db/hot", hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20}); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(store.Commit(writes[i:i+1]), store.Close()); err != nil {
					t.Fatal(err)
				}
			}
			r := mustRepair(t, o)
			if !strings.Contains(strings.Join(r.Lines, "\n"), c.say) {
				t.Errorf("the report lacks %q:\n%s", c.say, strings.Join(r.Lines, "\n"))
			}
			after := contentsOf(t, o)
			for table, rows := range before {
				gone, come := missing(rows, after[table]), missing(after[table], rows)
				if len(gone) > 0 && !c.loses {
					t.Errorf("%s lacks %q", table, gone)
				}
				for _, row := range come {
					if !strings.Contains(row, "[lost: a text") && !c.back {
						t.Errorf("%s has %q, which was not there", table, row)
					}
				}
			}
			if t.Failed() {
				t.Log(strings.Join(r.Lines, "\n"))
			}
			checkFolder(t, mem, "db")
		})
	}
}

// TestRepairSound: a sound folder is left as it is.
func TestRepairSound(t *testing.T) {
	o := backupOptions(vfs.NewMem())
	db := mustOpen(t, o)
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n")
	if _, err := Repair("db", o); !errors.Is(err, ErrLocked) {
		t.Fatalf("an open folder: %v", err)
	}
	if err := db.shutdown(true); err != nil {
		t.Fatal(err)
	}
	if r, err := Repair("db", o); err != nil || r.Quarantine != "" || r.Lines != nil {
		t.Fatalf("%+v, %v", r, err)
	}
}
