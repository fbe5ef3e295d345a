package engine

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Of writers that read, add one and commit, each success counts: none is
// written over by one that did not see it.
func TestNoLostUpdates(t *testing.T) {
	db := mustOpenChecked(t, testOptions(vfs.NewMem()))
	key := []byte("counter")
	var successes atomic.Int64
	add := func() {
		v := db.View()
		defer v.Release()
		row, _, err := v.KeyedGet(testKeyed, key)
		if err != nil {
			t.Error(err)
			return
		}
		n, _ := strconv.ParseInt(string(row.Value), 10, 64)
		_, err = db.Commit(context.Background(), &WriteSet{Keyed: []KeyedWrite{
			{Table: testKeyed, Key: key, Value: strconv.AppendInt(nil, n+1, 10), Seen: row.LSN},
		}})
		switch {
		case err == nil:
			successes.Add(1)
		case !errors.Is(err, ErrConflict):
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				add()
			}
		})
	}
	wg.Wait()
	v := db.View()
	defer v.Release()
	row, _, err := v.KeyedGet(testKeyed, key)
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.FormatInt(successes.Load(), 10); string(row.Value) != want {
		t.Errorf("%s commits succeeded, the row counts %s", want, row.Value)
	}
}

// A record that has become visible forgets its own rows alone: one that saw it
// may have been enqueued already, and the next must meet that one.
func TestOnWayOutlivesEarlierRecord(t *testing.T) {
	db := mustOpenChecked(t, testOptions(vfs.NewMem()))
	first := mustCommit(t, db, "= a 1")
	name, key := keyedName(testKeyed, []byte("a")), []byte("a")
	db.appendMu.Lock()
	db.keyedOnWay[name] = first + 1 // as enqueued by one that saw the first
	db.appendMu.Unlock()
	db.forgetOnWay([]*entry{{header: record.Header{LSN: first}, keyed: []keyedVersion{{table: testKeyed, key: key, lsn: first}}}})
	v := db.View()
	defer v.Release()
	if _, err := db.Commit(context.Background(), testWriteSet(v, "= a 2")); !errors.Is(err, ErrConflict) {
		t.Errorf("a row that another record writes: %v", err)
	}
	db.forgetOnWay([]*entry{{header: record.Header{LSN: first + 1}, keyed: []keyedVersion{{table: testKeyed, key: key, lsn: first + 1}}}})
	if len(db.keyedOnWay) != 0 {
		t.Errorf("%d rows are on their way for ever", len(db.keyedOnWay))
	}
}
