package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// TestIOError fails one write operation, wherever it is: from the first error
// that Append gives nothing more is acknowledged, what was acknowledged is read
// while the store is open, and is there after the next start.
func TestIOError(t *testing.T) {
	seed := newSeed(t)
	failed, stopped := 0, 0
	for round := 0; round < 60; round++ {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		mem := vfs.NewMem()
		var countdown atomic.Int64
		var tripped atomic.Bool
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			// Close of a file and removals are not on the way to the disk.
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpRemove {
				return nil
			}
			if countdown.Add(-1) == 0 {
				tripped.Store(true)
				return errorfs.ErrInjected
			}
			return nil
		}))
		o := testOptions(fs)
		o.MaxMemtableRows = 40
		o.WAL.SegmentBytes = 4 << 10
		db := mustOpen(t, o)
		countdown.Store(int64(1 + rng.IntN(250))) // Pebble panics where it cannot create a store
		m := &model{}
		after := &model{} // with the request whose outcome is unknown
		var failure error
		for step := range 120 {
			body := randomBody(rng, record.Traces, "w", step)
			err := db.Append(context.Background(), testRequest(record.Traces, body))
			switch {
			case err == nil && failure != nil:
				t.Fatalf("round %d: acknowledged after %v", round, failure)
			case err == nil:
				m.apply(record.Traces, body)
			case !errors.Is(err, ErrFailed):
				t.Fatalf("round %d: %v is no ErrFailed", round, err)
			case failure == nil:
				failure = err
				after = m.clone()
				after.apply(record.Traces, body)
			}
			if err == nil && rng.IntN(10) == 0 {
				if err := db.Checkpoint(context.Background()); err != nil && !errors.Is(err, ErrFailed) {
					t.Fatalf("round %d: checkpoint: %v", round, err)
				}
			}
		}
		if failure != nil {
			stopped++
			v := db.View()
			if err := compareWithModel(rng, v, m); err != nil {
				t.Fatalf("round %d: reading after the failure: %v", round, err)
			}
			v.Release()
		}
		if tripped.Load() {
			failed++
		}
		if err := db.Close(); err != nil && !tripped.Load() {
			t.Fatalf("round %d: close: %v", round, err)
		}
		o.FS = mem
		db = mustOpen(t, o)
		v := db.View()
		if err := compareWithModel(rng, v, m); err != nil && (failure == nil || compareWithModel(rng, v, after) != nil) {
			t.Fatalf("round %d: after a restart: %v", round, err)
		}
		v.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, mem, "db")
		if t.Failed() {
			t.FailNow()
		}
	}
	if stopped == 0 {
		t.Fatalf("no round of %d with an error stopped the engine", failed)
	}
	t.Logf("%d rounds met the error, %d stopped", failed, stopped)
}

// TestLocked: one process a folder.
func TestLocked(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpenChecked(t, o)
	if _, err := Open("db", o); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "db") {
		t.Fatalf("second open: %v", err)
	}
	if _, err := Check(o.FS, "db", testTables); !errors.Is(err, ErrLocked) {
		t.Fatalf("check of an open folder: %v", err)
	}
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n") // the first is not disturbed
}

// TestWatermark: below it nothing is taken and queries answer; it passes.
func TestWatermark(t *testing.T) {
	var free atomic.Uint64
	free.Store(100 << 20)
	var changes []bool
	o := testOptions(vfs.NewMem())
	o.MinFreeShare = 0.1
	o.DiskSpace = func(string) (uint64, uint64, error) { return free.Load(), 100 << 20, nil }
	var mu sync.Mutex
	o.Events.DiskLow = func(low bool, _, _ uint64) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, low)
	}
	db := mustOpenChecked(t, o)
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n")
	free.Store(9 << 20)
	db.checkDisk()
	if err := db.Append(context.Background(), testRequest(record.Traces, "a 2 590 get 1\n")); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("below the watermark: %v", err)
	}
	v := db.View()
	if n := v.Rows("spans"); n != 1 {
		t.Fatalf("%d rows", n)
	}
	v.Release()
	if m := db.Metrics(); !m.DiskFull || m.Refused != 1 {
		t.Fatalf("metrics %+v", m)
	}
	free.Store(10) // a flush waits, and stops nothing
	if err := db.Checkpoint(context.Background()); !errors.Is(err, ErrDiskFull) || db.Err() != nil {
		t.Fatalf("a flush on a full disk: %v, %v", err, db.Err())
	}
	free.Store(50 << 20)
	mustCheckpoint(t, db)
	db.checkDisk()
	mustAppend(t, db, record.Traces, "a 2 590 get 1\n")
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(changes) != "[true false]" {
		t.Fatalf("changes %v", changes)
	}
}

// TestOverloaded: bodies beyond the bound are refused, but one always fits.
func TestOverloaded(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MaxInFlightBytes = 8
	db := mustOpenChecked(t, o)
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n")
	db.inFlight.Add(8)
	if err := db.Append(context.Background(), testRequest(record.Traces, "a 2 590 get 1\n")); !errors.Is(err, ErrOverloaded) {
		t.Fatalf("beyond the bound: %v", err)
	}
	db.inFlight.Add(-8)
	mustAppend(t, db, record.Traces, "a 2 590 get 1\n")
}

// TestMemtableFull: a memtable beyond its bound refuses nothing any more once it
// is flushed, though nothing was applied since.
func TestMemtableFull(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MaxMemtableBytes = 1 << 10
	db := mustOpenChecked(t, o)
	var body strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&body, "a %d 590 get 1\n", i)
	}
	mustAppend(t, db, record.Traces, body.String())
	mustCheckpoint(t, db)
	if err := db.Append(context.Background(), testRequest(record.Traces, "a 1000 590 get 1\n")); err != nil {
		t.Fatal(err)
	}
}

// TestContextEnds: the error says that the outcome is unknown, and the row stays.
func TestContextEnds(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpenChecked(t, o)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := db.Append(ctx, testRequest(record.Traces, "a 1 590 get 1\n"))
	if err != nil && (!errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "unknown")) {
		t.Fatalf("append: %v", err)
	}
	mustAppend(t, db, record.Traces, "a 2 590 get 1\n") // comes after the first
	v := db.View()
	defer v.Release()
	if n := v.Rows("spans"); n != 2 {
		t.Fatalf("%d rows", n)
	}
}

// TestClosed: everything says so, and a view that is still held does not crash.
func TestClosed(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpen(t, o)
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n")
	mustCheckpoint(t, db)
	v := db.View()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, o.FS, "db")
	if err := db.Append(context.Background(), testRequest(record.Traces, "a 2 590 get 1\n")); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if err := db.Checkpoint(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("checkpoint: %v", err)
	}
	if err := db.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("close: %v", err)
	}
	if _, _, err := scanText(v, ScanRequest{Table: "spans"}, false); !errors.Is(err, ErrClosed) {
		t.Errorf("scan: %v", err)
	}
	v.Release()
}

// TestCorruptBlock: a damaged block fails the scan that needs it, by name, and
// the check; other scans, appends and rows elsewhere go on.
func TestCorruptBlock(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpen(t, o)
	mustAppend(t, db, record.Traces, "a 1 485 first 1\nb 1 545 second 2\n")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, o.FS, layout.BlockKey(1, hourOf(minuteNanos(545)), 2))
	r, err := Check(o.FS, "db", testTables)
	if err != nil || len(r.Problems) == 0 || !strings.Contains(r.Problems[0], "block 2 of spans") {
		t.Fatalf("check: %v, %v", r.Problems, err)
	}
	db = mustOpen(t, o)
	v := db.View()
	if _, _, err := scanText(v, ScanRequest{Table: "spans"}, false); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "block 2 of spans") {
		t.Fatalf("scan: %v", err)
	}
	if n := db.Metrics().CorruptRead; n == 0 {
		t.Error("the damage is not counted")
	}
	rows, _, err := scanText(v, ScanRequest{Table: "spans", Filters: []Filter{{Ref: ColumnRef{Field: 0}, Equals: []any{traceID("a")}}}}, false)
	if err != nil || fmt.Sprint(rows) != "[a 1 485 first 1]" {
		t.Fatalf("scan elsewhere: %v, %v", rows, err)
	}
	v.Release()
	mustAppend(t, db, record.Traces, "a 1 486 newer 3\n")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// damage flips a bit in the middle of a value of the hot store, below Pebble's
// own checksums.
func damage(t *testing.T, fs vfs.FS, key []byte) {
	t.Helper()
	store, err := pebble.Open("db/hot", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	v, closer, err := store.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	raw := bytes.Clone(v)
	raw[len(raw)/2] ^= 4
	if err := errors.Join(closer.Close(), store.Set(key, raw, pebble.Sync), store.Flush(), store.Close()); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

// TestViewsAreGivenUp: a released view lets replaced blocks go; one that is
// held keeps them.
func TestViewsAreGivenUp(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpenChecked(t, o)
	for i := range reblockInputs - 1 {
		mustAppend(t, db, record.Traces, fmt.Sprintf("a %d 590 get 1\n", i))
		mustCheckpoint(t, db)
	}
	held := db.View()
	mustAppend(t, db, record.Traces, "a 100 590 get 1\n")
	mustCheckpoint(t, db)
	mustCheckpoint(t, db)
	key := layout.BlockKey(1, hourOf(minuteNanos(590)), 1)
	if raw, err := db.hot.Get(key); err != nil || raw == nil {
		t.Fatalf("a block that a view has is gone: %v", err)
	}
	if n := db.Metrics().Views; n != 2 {
		t.Errorf("%d views are held", n)
	}
	held.Release()
	mustCheckpoint(t, db)
	mustCheckpoint(t, db)
	if raw, err := db.hot.Get(key); err != nil || raw != nil {
		t.Fatalf("a block that nothing refers to is still there: %v", err)
	}
}

// TestConcurrentReaders scans while rows are written, replaced, flushed and
// merged: every view is consistent, the readers of a scan share its rows.
func TestConcurrentReaders(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MaxMemtableRows = 50
	db := mustOpenChecked(t, o)
	const keys = 20
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v := db.View()
				rows, _, err := scanText(v, ScanRequest{Table: "spans"}, false)
				if err != nil || int64(len(rows)) != v.Rows("spans") || len(rows)%keys != 0 {
					t.Errorf("view of %d: %d rows of %d, %v", v.LSN(), len(rows), v.Rows("spans"), err)
				}
				versions := make(map[string]bool) // each request replaces all keys at once
				for _, row := range rows {
					versions[row[strings.LastIndexByte(row, ' '):]] = true
				}
				if len(versions) > 1 {
					t.Errorf("view of %d mixes requests: %v", v.LSN(), versions)
				}
				v.Release()
			}
		})
	}
	for step := range 200 {
		var b strings.Builder
		for k := range keys {
			fmt.Fprintf(&b, "a %d %d get %d\n", k, 400+k*10, step)
		}
		mustAppend(t, db, record.Traces, b.String())
	}
	close(stop)
	wg.Wait()
}

// TestTinyRequests: a view of many requests of one row is few batches.
func TestTinyRequests(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.BlockRows, o.MaxMemtableRows, o.WAL.SegmentBytes = 8192, 1<<20, 1<<20
	db := mustOpenChecked(t, o)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				if err := db.Append(context.Background(), testRequest(record.Logs, fmt.Sprintf("590 w%d-%d\n", w, i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	v := db.View()
	defer v.Release()
	s, err := v.Scan(ScanRequest{Table: "logs"})
	if err != nil || s.Units() > 20 || v.Rows("logs") != 8000 {
		t.Fatalf("%d rows in %d batches, %v", v.Rows("logs"), s.Units(), err)
	}
}

// TestFlushByAge: an old memtable is flushed without being asked.
func TestFlushByAge(t *testing.T) {
	var now atomic.Int64
	o := testOptions(vfs.NewMem())
	o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	db := mustOpenChecked(t, o)
	mustAppend(t, db, record.Traces, "a 1 590 get 1\n")
	if db.flushDue() {
		t.Fatal("due at once")
	}
	now.Add(int64(o.MaxMemtableAge/time.Second) + 300)
	if !db.flushDue() {
		t.Fatal("not due after five minutes")
	}
	mustCheckpoint(t, db)
	if db.flushDue() {
		t.Fatal("due after the flush")
	}
}

// TestOptions: what cannot work is refused by name.
func TestOptions(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.BlockRows = 10_000 }, "BlockRows"},
		{func(o *Options) { o.MaxMemtableBytes = -1 }, "MaxMemtableBytes"},
		{func(o *Options) { o.MinFreeShare = 0.9 }, "MinFreeShare"},
		{func(o *Options) { o.Decode = nil }, "Decode"},
		{func(o *Options) { o.Tables = append(o.Tables, o.Tables[0]) }, "shares"},
		{func(o *Options) { o.Tables = []TableSpec{{ID: 1, Schema: spansSchema, Time: "name"}} }, "\"name\""},
	} {
		o := testOptions(vfs.NewMem())
		c.change(&o)
		if _, err := Open("db", o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error about %s", err, c.want)
		}
	}
}
