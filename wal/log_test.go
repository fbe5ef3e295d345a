package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

const testSegment = 16 << 10

// payload is content that no other LSN or size has.
func payload(tag uint64, n int) []byte {
	b := bytes.Repeat(fmt.Appendf(nil, "%d,", tag), n/2+1)
	return b[:n]
}

func mustOpen(t testing.TB, fs vfs.FS, o Options) *Log {
	t.Helper()
	if o.SegmentBytes == 0 {
		o.SegmentBytes = testSegment
	}
	l, err := Open(fs, "wal", o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

// mustClose closes a log without damage and checks its files.
func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if r, err := Check(l.fs, l.dir, nil); err != nil || r.LastLSN != l.LastLSN() || r.Durable != r.LastLSN || r.CutBytes != 0 {
		t.Fatalf("check: %+v, %v", r, err)
	}
}

// mustAppend appends records of n bytes, each synced before the next.
func mustAppend(t testing.TB, l *Log, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		next := l.LastLSN() + 1
		lsn, p, err := l.Append(record.Header{Type: record.Traces, Codec: record.Protobuf, FirstRow: next * 10}, payload(next, n))
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		if lsn != next {
			t.Fatalf("append: LSN %d, want %d", lsn, next)
		}
		if err := p.Wait(context.Background()); err != nil {
			t.Fatalf("wait: %v", err)
		}
		if l.DurableLSN() < lsn {
			t.Fatalf("durable LSN %d after %d was acknowledged", l.DurableLSN(), lsn)
		}
	}
}

// mustAppendGroup appends records of n bytes as one group and does not wait.
func mustAppendGroup(t testing.TB, l *Log, sizes ...int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range sizes {
		h := record.Header{Type: record.Logs, FirstRow: l.next * 10}
		if _, _, err := l.appendLocked(h, payload(l.next, n), int64(record.Size(n))); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
}

// replay returns the LSNs from the given one on and checks the contents.
func replay(l *Log, from uint64) (lsns []uint64, err error) {
	err = l.Replay(from, func(h record.Header, b []byte) error {
		if !bytes.Equal(b, payload(h.LSN, len(b))) || h.FirstRow != h.LSN*10 {
			return fmt.Errorf("record %d has another one's content", h.LSN)
		}
		lsns = append(lsns, h.LSN)
		return nil
	})
	return lsns, err
}

func wantReplay(t testing.TB, l *Log, from, last uint64) {
	t.Helper()
	lsns, err := replay(l, from)
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	if uint64(len(lsns)) != last+1-from {
		t.Fatalf("replay from %d: %d records, want %d", from, len(lsns), last+1-from)
	}
	for i, lsn := range lsns {
		if lsn != from+uint64(i) {
			t.Fatalf("replay: LSN %d at place %d", lsn, i)
		}
	}
}

func TestReopenAcrossSegments(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, Options{})
	if l.FirstLSN() != 1 || l.LastLSN() != 0 || l.DurableLSN() != 0 {
		t.Fatalf("new log: %d %d %d", l.FirstLSN(), l.LastLSN(), l.DurableLSN())
	}
	sizes := []int{0, 1, 63, 64, 5000, 6000, 7000, 16128 - 65, 10, 4000}
	mustAppend(t, l, sizes...)
	mustClose(t, l)
	for range 3 {
		l = mustOpen(t, fs, Options{})
		last := l.LastLSN()
		wantReplay(t, l, 1, last)
		wantReplay(t, l, 7, last)
		wantReplay(t, l, last+1, last)
		if _, err := replay(l, last+2); !errors.Is(err, ErrGap) {
			t.Fatalf("replay from beyond the end: %v", err)
		}
		mustAppend(t, l, 100, 9000)
		mustClose(t, l)
	}
	r, err := Check(fs, "wal", nil)
	if err != nil || r.Records != len(sizes)+6 || r.LastLSN != uint64(r.Records) || r.Durable != r.LastLSN || r.CutBytes != 0 {
		t.Fatalf("check: %+v, %v", r, err)
	}
}

func TestTooLarge(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), Options{})
	defer mustClose(t, l)
	if _, _, err := l.Append(record.Header{Type: record.Logs}, make([]byte, testSegment-256-65+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	mustAppend(t, l, testSegment-256-65)
}

func TestAppendAfterClose(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), Options{})
	mustClose(t, l)
	if _, _, err := l.Append(record.Header{Type: record.Logs}, nil); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// Recycled segments keep their old bytes; none of them may come back.
func TestRecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := mustOpen(t, fs, Options{Epoch: 3})
		for range 30 {
			mustAppend(t, l, 5000, 100, 3000)
			if err := l.Recycle(l.LastLSN() - 3); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if l.FirstLSN() < 80 || l.Bytes() > 3*testSegment {
			t.Fatalf("first LSN %d, %d bytes", l.FirstLSN(), l.Bytes())
		}
		first, last := l.FirstLSN(), l.LastLSN()
		mustClose(t, l)
		all, _, err := listSegments(fs, "wal")
		if err != nil || len(all) > 5 {
			t.Fatalf("%d segments, %v", len(all), err)
		}
		if _, err := Open(fs, "wal", Options{SegmentBytes: testSegment, Epoch: 2}); !errors.Is(err, ErrEpoch) {
			t.Fatalf("older epoch: %v", err)
		}
		l = mustOpen(t, fs, Options{Epoch: 4})
		defer mustClose(t, l)
		wantReplay(t, l, first, last)
		if _, err := replay(l, first-1); !errors.Is(err, ErrGap) {
			t.Fatalf("replay from a recycled record: %v", err)
		}
		if err := l.Recycle(last + 1); err != nil {
			t.Fatal(err)
		}
		if l.FirstLSN() > last {
			t.Fatal("the newest segment was recycled")
		}
	})
}

// 100 ms after the last group, and not before, the watermark is repeated; then
// there is silence.
func TestWatermarkIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := mustOpen(t, fs, Options{})
		controls := func() (n int, r Report) {
			r, err := Check(fs, "wal", func(h record.Header) {
				if h.Type == record.Control {
					n++
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			return n, r
		}
		mustAppend(t, l, 10, 10)
		time.Sleep(watermarkDelay - 1) // virtual
		synctest.Wait()
		if n, r := controls(); n != 1 || r.Durable != 1 {
			t.Fatalf("%d control records, %+v", n, r)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n, r := controls(); n != 2 || r.Durable != 2 {
			t.Fatalf("%d control records, %+v", n, r)
		}
		time.Sleep(time.Hour)
		if n, _ := controls(); n != 2 {
			t.Fatalf("%d control records after an idle hour", n)
		}
		mustClose(t, l)
	})
}

// slowFS makes every SyncData wait for a token.
type slowFS struct {
	vfs.FS
	syncs chan struct{}
}

func (s slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	return slowFile{f, s.syncs}, err
}

type slowFile struct {
	vfs.File
	syncs chan struct{}
}

func (s slowFile) SyncData() error {
	<-s.syncs
	return s.File.SyncData()
}

// While one group is synced, the next gathers, up to QueueBytes; Wait ends with
// its context.
func TestGroupsAndOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := slowFS{vfs.NewMem(), make(chan struct{}, 100)}
		fs.syncs <- struct{}{} // the opening record
		l := mustOpen(t, fs, Options{QueueBytes: 10 * 1024})
		h := record.Header{Type: record.Metrics, Codec: record.Protobuf}
		add := func() (*Pending, error) {
			_, p, err := l.Append(h, make([]byte, 1024-65))
			return p, err
		}
		first, err := add()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is being synced
		var second *Pending
		for range 9 {
			p, err := add()
			if err != nil || second != nil && p != second {
				t.Fatalf("not in one group: %v", err)
			}
			second = p
		}
		if _, err := add(); !errors.Is(err, ErrOverloaded) {
			t.Fatalf("queue is full: %v", err)
		}
		if l.LastLSN() != 10 || l.DurableLSN() != 0 {
			t.Fatalf("last %d, durable %d", l.LastLSN(), l.DurableLSN())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := first.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		fs.syncs <- struct{}{}
		if err := first.Wait(t.Context()); err != nil || l.DurableLSN() != 1 {
			t.Fatalf("durable %d, %v", l.DurableLSN(), err)
		}
		fs.syncs <- struct{}{}
		if err := second.Wait(t.Context()); err != nil || l.DurableLSN() != 10 {
			t.Fatalf("durable %d, %v", l.DurableLSN(), err)
		}
		if len(fs.syncs) != 0 {
			t.Fatal("a group took more than one sync")
		}
		fs.syncs <- struct{}{}
		mustClose(t, l)
	})
}

// Concurrent writers under their own lock get their rows in LSN order.
func TestConcurrentWriters(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, Options{SegmentBytes: 64 << 10})
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 100 {
				mu.Lock()
				next := l.LastLSN() + 1
				lsn, p, err := l.Append(record.Header{Type: record.Logs, FirstRow: next * 10}, payload(next, 50*w+i))
				mu.Unlock()
				if err == nil {
					err = p.Wait(context.Background())
				}
				if err != nil || lsn != next || l.DurableLSN() < lsn {
					t.Errorf("writer %d: LSN %d, want %d: %v", w, lsn, next, err)
					return
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	l = mustOpen(t, fs, Options{SegmentBytes: 64 << 10})
	wantReplay(t, l, 1, 800)
	mustClose(t, l)
}
