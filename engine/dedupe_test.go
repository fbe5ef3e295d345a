package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

func mustSend(t *testing.T, db *DB, minute int, body string) {
	t.Helper()
	r := hashedRequest(record.Logs, body)
	r.Header.ReceiveNanos = minuteNanos(minute)
	if err := db.Append(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func countLogs(t *testing.T, db *DB, want int64) {
	t.Helper()
	v := db.View()
	defer v.Release()
	if got := v.Rows("logs"); got != want {
		t.Fatalf("%d logs, want %d", got, want)
	}
}

// A request sent again writes nothing, wherever the first is by now: in the
// memtable, replayed, in a block behind a recycled segment. After the window
// it is a new one.
func TestRequestSentAgain(t *testing.T) {
	now := arrivalMinute
	o := testOptions(vfs.NewMem())
	o.Now = func() time.Time { return time.Unix(0, minuteNanos(now)) }
	db := mustOpen(t, o)
	reopen := func(flush bool) {
		if err := db.shutdown(flush); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, o)
	}
	const body = "590 hello\n"
	mustSend(t, db, now, body)
	mustSend(t, db, now+1, body)
	countLogs(t, db, 1)
	if n := db.Metrics().Repeated; n != 1 {
		t.Errorf("%d requests were counted as sent again", n)
	}
	mustAppend(t, db, record.Logs, body) // without a hash it is meant twice
	countLogs(t, db, 2)
	mustSend(t, db, now, "591 hello\n") // other bytes
	countLogs(t, db, 3)

	reopen(false)
	mustSend(t, db, now+2, body)
	countLogs(t, db, 3)
	mustCheckpoint(t, db)
	mustSend(t, db, now+3, body)
	reopen(true)
	mustSend(t, db, now+10, body)
	countLogs(t, db, 3)

	now += 11
	mustSend(t, db, now, body)
	countLogs(t, db, 4)
	mustSend(t, db, now+10, body)
	countLogs(t, db, 4)
	mustCheckpoint(t, db) // forgets the first time, keeps the second
	mustSend(t, db, now+10, body)
	reopen(false)
	mustSend(t, db, now+10, body)
	countLogs(t, db, 4)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, o.FS, "db")
}

// What the window has left behind is stored nowhere any more.
func TestRequestsAreForgotten(t *testing.T) {
	now := arrivalMinute
	o := testOptions(vfs.NewMem())
	o.Now = func() time.Time { return time.Unix(0, minuteNanos(now)) }
	db := mustOpenChecked(t, o)
	for i := range 50 {
		mustSend(t, db, now, fmt.Sprintf("590 %d\n", i))
		if i%10 == 9 {
			mustCheckpoint(t, db)
			now += 6
		}
	}
	w := newRequestWindow(1)
	if err := w.load(db.hot); err != nil {
		t.Fatal(err)
	}
	// The last flush was at minute 24: what came at 18 and 24 is left.
	if len(w.order) != 20 || len(db.requests.order) != 20 || len(db.requests.known) != 20 || len(db.requests.onWay) != 0 {
		t.Errorf("%d requests are stored, %d known of %d, %d on their way",
			len(w.order), len(db.requests.known), len(db.requests.order), len(db.requests.onWay))
	}
}

// A clock that is set back does not make the window longer.
func TestRequestWindowClock(t *testing.T) {
	db := mustOpenChecked(t, testOptions(vfs.NewMem()))
	mustSend(t, db, arrivalMinute+60, "590 a\n")
	mustSend(t, db, arrivalMinute, "590 a\n")
	countLogs(t, db, 2)
}

func TestRequestWindowOff(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.DedupeWindow = -1
	db := mustOpenChecked(t, o)
	mustSend(t, db, arrivalMinute, "590 a\n")
	mustSend(t, db, arrivalMinute, "590 a\n")
	mustCheckpoint(t, db)
	countLogs(t, db, 2)
}

// Of requests sent at the same time one is written; none is answered before it
// is visible.
func TestRequestSentAtOnce(t *testing.T) {
	db := mustOpenChecked(t, testOptions(vfs.NewMem()))
	for i := range 30 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := db.Append(context.Background(), hashedRequest(record.Logs, fmt.Sprintf("590 %d\n", i))); err != nil {
					t.Error(err)
				}
				v := db.View()
				defer v.Release()
				if n := v.Rows("logs"); n != int64(i+1) {
					t.Errorf("%d logs after an answer, want %d", n, i+1)
				}
			})
		}
		wg.Wait()
	}
	if n := db.Metrics().Repeated; n != 30*7 {
		t.Errorf("%d requests were counted as sent again", n)
	}
}

// The outcome of a first that fails is shared, and its hash removed.
func TestRequestWindowFailure(t *testing.T) {
	w := newRequestWindow(time.Minute)
	newEntry := func() *entry {
		return &entry{header: record.Header{Type: record.Logs, Hash: [16]byte{1}, ReceiveNanos: 5}, done: make(chan struct{})}
	}
	first := newEntry()
	if _, _, repeats := w.claim(first); repeats {
		t.Fatal("the first is taken for a repetition")
	}
	got, _, repeats := w.claim(newEntry())
	if !repeats || got != first {
		t.Fatal("the second does not wait for the first")
	}
	w.abandon(first, ErrOverloaded)
	if <-got.done; !errors.Is(got.err, ErrOverloaded) {
		t.Errorf("the second got %v", got.err)
	}
	third := newEntry()
	if _, _, repeats := w.claim(third); repeats {
		t.Fatal("a request that was not written is remembered")
	}
	third.header.LSN = 7
	w.written(third.header)
	third.err = ErrFailed
	w.settle(third)
	if _, _, repeats := w.claim(newEntry()); repeats {
		t.Fatal("a request that failed is remembered")
	}
}
