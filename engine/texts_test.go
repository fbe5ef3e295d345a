package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/search"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// textTables are the tests' tables with names of spans as texts; a dot stands
// for a space.
func textTables() []TableSpec {
	list := slices.Clone(testTables)
	list[0].Texts = &TextSpec{
		Service: "name", MayHave: ColumnRef{Field: 3},
		May:     func(c *vector.Column, row int) bool { return c.Str(row) != "none" },
		Columns: []ColumnRef{{Field: 3}},
		Of: func(cols []*vector.Column, row int, each func(source uint8, text string)) {
			each(1, strings.ReplaceAll(cols[0].Str(row), ".", " "))
		},
	}
	return list
}

// found gives what the index, with the rows that it does not have, says of a
// view, by the rows' numbers; and how many of these it had to say itself.
func found(t *testing.T, v *View, query string) (numbers []uint64, indexed int) {
	t.Helper()
	q, err := search.Parse(query, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := v.Texts()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Release(); err != nil {
			t.Error(err)
		}
	}()
	var rows []RowAt
	if _, err := x.Find(context.Background(), q, func(_ string, h search.Hit) error {
		rows = append(rows, RowAt{h.ID.Number, h.ID.Time})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	read := func(r ScanRequest, match func(name string) bool) {
		r.Table, r.Columns = "spans", []ColumnRef{{Field: RowNumber}, {Field: 3}}
		s, err := v.Scan(r)
		if err != nil {
			t.Fatal(err)
		}
		in := s.Reader()
		defer in.Close()
		for {
			b, err := in.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				return
			}
			n, err := b.Column(0)
			if err != nil {
				t.Fatal(err)
			}
			names, err := b.Column(1)
			if err != nil {
				t.Fatal(err)
			}
			for k := range b.Live() {
				if row := b.Row(k); match(names.Str(row)) {
					numbers = append(numbers, uint64(n.Ints[row]))
				}
			}
		}
	}
	if rows != nil {
		read(ScanRequest{Rows: rows}, func(string) bool { return true })
	}
	m := q.NewMatcher()
	read(ScanRequest{FromNumber: x.From("spans")}, func(name string) bool {
		_, ok := m.Try(1, "", strings.ReplaceAll(name, ".", " "))
		return ok
	})
	slices.Sort(numbers)
	return numbers, len(rows)
}

// plain is found by looking at every row.
func plain(t *testing.T, v *View, words ...string) (numbers []uint64) {
	t.Helper()
	s, err := v.Scan(ScanRequest{Table: "spans", Columns: []ColumnRef{{Field: RowNumber}, {Field: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	in := s.Reader()
	defer in.Close()
	for {
		b, err := in.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			slices.Sort(numbers)
			return numbers
		}
		n, err := b.Column(0)
		if err != nil {
			t.Fatal(err)
		}
		names, err := b.Column(1)
		if err != nil {
			t.Fatal(err)
		}
		for k := range b.Live() {
			has := strings.Split(names.Str(b.Row(k)), ".")
			if !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(has, w) }) {
				numbers = append(numbers, uint64(n.Ints[b.Row(k)]))
			}
		}
	}
}

func (x *indexer) now(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	if err := x.worker.do(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// Rows come, are replaced and deleted, move into blocks and parts; the index is
// brought up to date, tidied, closed, lost or damaged between; views are held.
// Each view finds what looking at each of its rows finds, at every moment.
func TestTexts(t *testing.T) {
	seed := newSeed(t)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := filepath.Join(t.TempDir(), "db")
	o := testOptions(vfs.Default)
	o.Tables, o.IndexEvery = textTables(), -1
	open := func() *DB {
		db, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open()
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if r, err := Check(vfs.Default, dir, o.Tables); err != nil || len(r.Problems) > 0 {
			t.Errorf("check: %q, %v", r.Problems, err)
		}
	}()
	vocabulary := []string{"a", "b", "c", "rate", "limit"}
	word := func() string { return vocabulary[rnd.IntN(len(vocabulary))] }
	var held []*View
	release := func() {
		for _, v := range held {
			v.Release()
		}
		held = nil
	}
	defer func() { release() }()
	indexed := 0
	for range 150 {
		switch rnd.IntN(12) {
		case 0, 1, 2:
			var body strings.Builder
			for range 1 + rnd.IntN(20) {
				name := []string{"none"}
				if rnd.IntN(4) > 0 {
					name = []string{word(), word(), word()}
				}
				fmt.Fprintf(&body, "%c %d %d %s 1\n", 'a'+rnd.IntN(3), rnd.IntN(40), 540+rnd.IntN(60), strings.Join(name, "."))
			}
			mustAppend(t, db, record.Traces, body.String())
		case 3:
			v := db.View()
			if all := plain(t, v); len(all) > 0 {
				w := &WriteSet{Deletes: []record.Deleted{{Type: record.Traces, Rows: []uint64{all[rnd.IntN(len(all))]}}}}
				if _, err := db.Commit(context.Background(), w); err != nil {
					t.Fatal(err)
				}
			}
			v.Release()
		case 4:
			mustCheckpoint(t, db)
		case 5:
			mustCheckpoint(t, db)
			mustCompact(t, db)
		case 6, 7, 8:
			db.indexer.now(t, func(ctx context.Context) error { return db.indexer.pass(ctx, rnd.IntN(2) == 0) })
		case 9:
			db.indexer.now(t, func(ctx context.Context) error {
				if db.indexer.index == nil {
					return nil
				}
				if db.indexer.doomed != nil {
					return db.indexer.removeGone()
				}
				return db.indexer.findGone(ctx)
			})
		case 10:
			if len(held) > 3 {
				release()
			}
			held = append(held, db.View())
		case 11:
			release()
			if err := db.shutdown(rnd.IntN(2) == 0); err != nil {
				t.Fatal(err)
			}
			switch rnd.IntN(6) {
			case 0:
				if err := os.RemoveAll(filepath.Join(dir, layout.SearchDir)); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := os.MkdirAll(filepath.Join(dir, layout.SearchDir), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, layout.SearchDir, "root.bolt"), []byte("damage"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			db = open()
		}
		newest := db.View()
		for _, v := range append([]*View{newest}, held...) {
			words := []string{word()}
			if rnd.IntN(2) == 0 {
				words = append(words, word())
			}
			got, n := found(t, v, strings.Join(words, " "))
			indexed += n
			if want := plain(t, v, words...); !slices.Equal(got, want) {
				t.Fatalf("%q: found %v, want %v", words, got, want)
			}
		}
		newest.Release()
	}
	if indexed == 0 {
		t.Error("the index had nothing to say")
	}
}

// What has died leaves the index, once no view is held that has the row.
func TestTextsGo(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Tables, o.IndexEvery = textTables(), -1
	db := mustOpen(t, o)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	texts := func() (n int) {
		s, err := db.indexer.index.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Release(); err != nil {
				t.Error(err)
			}
		}()
		if err := s.IDs(context.Background(), func(search.ID) error {
			n++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	mustAppend(t, db, record.Traces, "a 1 590 rate 1\na 2 590 rate 1\na 3 590 rate 1\n")
	db.indexer.now(t, func(ctx context.Context) error { return db.indexer.pass(ctx, false) })
	old := db.View()
	mustAppend(t, db, record.Traces, "a 1 590 limit 2\n")
	if _, err := db.Commit(context.Background(), &WriteSet{Deletes: []record.Deleted{{Type: record.Traces, Rows: []uint64{1}}}}); err != nil {
		t.Fatal(err)
	}
	tidy := func(context.Context) error { return db.indexer.removeGone() }
	db.indexer.now(t, func(ctx context.Context) error { return db.indexer.pass(ctx, false) })
	db.indexer.now(t, db.indexer.findGone)
	db.indexer.now(t, tidy)
	if got, n := found(t, old, "rate"); len(got) != 3 || texts() != 4 {
		t.Fatalf("an old view finds %v, %d of the index; %d texts are there", got, n, texts())
	}
	old.Release()
	db.indexer.now(t, tidy)
	if texts() != 2 {
		t.Fatalf("%d texts are there, not 2", texts())
	}
}
