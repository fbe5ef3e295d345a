package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// files is a folder's content.
type files map[string][]byte

func readFiles(t testing.TB, fs vfs.FS) files {
	t.Helper()
	names, err := fs.List("wal")
	if err != nil {
		t.Fatal(err)
	}
	out := files{}
	for _, name := range names {
		f, err := fs.Open("wal/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (f files) fs(t testing.TB) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("wal", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range f {
		w, err := fs.Create("wal/"+name, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = w.Write(slices.Clone(b))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// recover opens the log and replays all of it.
func (f files) recover(t testing.TB) (lsns []uint64, err error) {
	fs := f.fs(t)
	_, checkErr := Check(fs, "wal", nil)
	l, err := Open(fs, "wal", Options{SegmentBytes: 4096})
	if err == nil {
		lsns, err = replay(l, l.FirstLSN())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if (err == nil) != (checkErr == nil) {
		t.Fatalf("open and replay: %v; check: %v", err, checkErr)
	}
	return lsns, err
}

// An end that was never synced may be cut at any byte: what is whole before it
// stays, and the log goes on from there.
func TestCutAtEveryByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := mustOpen(t, fs, Options{SegmentBytes: 4096})
		mustAppend(t, l, 10, 200)
		mustAppendGroup(t, l, 100, 0, 500, 63, 64, 900)
		synctest.Wait()
		whole := readFiles(t, fs)
		mustClose(t, l)

		var ends []int // of the records
		buf := whole["000001.wal"]
		for off := 0; ; {
			h, _, n, err := record.Decode(1, buf[off:])
			if err != nil {
				break
			}
			off += n
			if h.Type != record.Control {
				ends = append(ends, off)
			}
		}
		if len(ends) != 8 {
			t.Fatalf("%d records", len(ends))
		}
		for at := ends[1]; at <= ends[7]; at++ {
			want := 0
			for want < len(ends) && ends[want] <= at {
				want++
			}
			for _, zeros := range []bool{false, true} {
				cut := files{"000001.wal": slices.Clone(buf[:at])}
				if zeros {
					cut["000001.wal"] = append(cut["000001.wal"], make([]byte, len(buf)-at)...)
				}
				// The last bytes of a record may be padding.
				if lsns, err := cut.recover(t); err != nil || len(lsns) != want && (!zeros || len(lsns) != want+1) {
					t.Fatalf("cut at %d, zeros %v: %d records, want %d: %v", at, zeros, len(lsns), want, err)
				}
			}
		}
	})
}

// flips inverts one random bit of every few bytes in turn, and counts how the
// starts end. Records up to confirmed must never be lost.
func flips(t *testing.T, rng *rand.Rand, f files, last, confirmed uint64) (same, refused, unconfirmed, lost int) {
	for name, b := range f {
		for i := 0; i < len(b); i += 1 + rng.IntN(9) {
			damaged := files{}
			for other, b := range f {
				damaged[other] = b
			}
			damaged[name] = slices.Clone(b)
			damaged[name][i] ^= 1 << rng.IntN(8)
			lsns, err := damaged.recover(t)
			switch {
			case errors.Is(err, ErrCorrupt):
				var c *CorruptError
				if !errors.As(err, &c) || c.File == "" || c.Segment == 0 {
					t.Fatalf("flip at %s:%d: no place in %v", name, i, err)
				}
				refused++
			case err != nil:
				t.Fatalf("flip at %s:%d: %v", name, i, err)
			case uint64(len(lsns)) == last:
				same++
			case uint64(len(lsns)) >= confirmed:
				unconfirmed++
			default:
				lost++
			}
		}
	}
	return same, refused, unconfirmed, lost
}

// A flipped bit in what a watermark covers is refused, never silently lost. The
// same test sees the losses of a log that writes no watermarks.
func TestBitFlips(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, test := range []struct {
		name   string
		faults faults
		idle   bool // the watermark was repeated
	}{
		{"idle", faults{}, true},
		{"busy", faults{}, false},
		{"noWatermark", faults{noWatermark: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f files
			synctest.Test(t, func(t *testing.T) {
				fs := vfs.NewMem()
				l := mustOpen(t, fs, Options{SegmentBytes: 4096, Spares: 1, faults: test.faults})
				mustAppend(t, l, 100, 1000, 2000, 50, 1500, 700, 700, 700, 10, 300)
				if test.idle {
					time.Sleep(2 * watermarkDelay) // virtual
				}
				synctest.Wait()
				f = readFiles(t, fs)
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			})
			const last = 10
			confirmed := uint64(last)
			if !test.idle {
				confirmed-- // by the last record's own header
			}
			if lsns, err := f.recover(t); err != nil || len(lsns) != last {
				t.Fatalf("undamaged: %d records, %v", len(lsns), err)
			}
			same, refused, unconfirmed, lost := flips(t, rng, f, last, confirmed)
			t.Logf("%d without effect, %d refused, %d cut unconfirmed records, %d silent losses", same, refused, unconfirmed, lost)
			if same == 0 || refused == 0 {
				t.Error("the test flips too little")
			}
			if (unconfirmed > 0) != !test.idle {
				t.Error("unconfirmed records")
			}
			if (lost > 0) != test.faults.noWatermark {
				t.Error("silent losses")
			}
		})
	}
}

// Whatever a file holds, nothing panics, and what Open accepts once it accepts
// again.
func FuzzOpen(f *testing.F) {
	b := record.Append(nil, 1, record.Header{Type: record.Control}, nil)
	b = record.Append(b, 1, record.Header{LSN: 1, FirstRow: 10, Type: record.Traces}, payload(1, 9))
	f.Add(b, []byte{})
	f.Add(b[:len(b)-1], record.Append(nil, 2, record.Header{LSN: 1, Durable: 1, Type: record.Control}, nil))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fs := files{"000001.wal": first, "000002.wal": second}.fs(t)
		l, err := Open(fs, "wal", Options{SegmentBytes: 4096, Epoch: 1<<32 - 1})
		if err != nil {
			return
		}
		last := l.LastLSN()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, fs, Options{SegmentBytes: 4096, Epoch: 1<<32 - 1})
		if l.LastLSN() != last {
			t.Fatalf("last LSN %d, then %d", last, l.LastLSN())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A whole segment that is gone is a gap.
func TestMissingSegment(t *testing.T) {
	fs := vfs.NewMem()
	l := mustOpen(t, fs, Options{SegmentBytes: 4096})
	mustAppend(t, l, 3000, 3000, 3000)
	mustClose(t, l)
	f := readFiles(t, fs)
	delete(f, "000002.wal")
	if _, err := f.recover(t); !errors.Is(err, ErrGap) || !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

// After a failed operation nothing more is acknowledged, and what was is there.
func TestIOErrorsPoison(t *testing.T) {
	for nth := range int32(60) {
		mem := vfs.NewCrashableMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(nthWrite(nth)))
		var acked uint64
		l, err := Open(fs, "wal", Options{SegmentBytes: 4096})
		if err == nil {
			acked = appendUntilError(t, l)
			if err = l.Close(); err != nil && !errors.Is(err, ErrFailed) {
				t.Fatalf("operation %d: close: %v", nth, err)
			}
		}
		if err != nil && !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("operation %d: %v", nth, err)
		}
		rng := rand.New(rand.NewPCG(uint64(nth), 0))
		for _, percent := range []int{0, 50, 100} {
			after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			l, err = Open(after, "wal", Options{SegmentBytes: 4096})
			if err != nil {
				t.Fatalf("operation %d: open again: %v", nth, err)
			}
			if lsns, err := replay(l, l.FirstLSN()); err != nil || l.FirstLSN() > acked+1 || l.LastLSN() < acked {
				t.Fatalf("operation %d: %d was acknowledged, found %v: %v", nth, acked, lsns, err)
			}
			mustClose(t, l)
		}
	}
}

// nthWrite fails the nth operation that changes something, and it alone.
func nthWrite(nth int32) func(errorfs.Op) error {
	index := errorfs.OnIndex(nth)
	return func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		return index.MaybeError(op)
	}
}

func appendUntilError(t *testing.T, l *Log) (acked uint64) {
	t.Helper()
	var failed error
	for i := range 15 {
		next := l.LastLSN() + 1
		_, p, err := l.Append(record.Header{Type: record.Traces, FirstRow: next * 10}, payload(next, i*200))
		if err == nil {
			err = p.Wait(context.Background())
		}
		switch {
		case err == nil && failed != nil:
			t.Fatalf("record %d is acknowledged after %v", next, failed)
		case err == nil:
			acked = next
			if err := l.Recycle(acked - min(acked, 3)); err != nil && !errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
			continue
		case !errors.Is(err, ErrFailed) || !errors.Is(l.Err(), ErrFailed):
			t.Fatalf("record %d: %v", next, err)
		}
		failed = err
		<-l.Failed()
	}
	return acked
}

// A full disk refuses records before they get an LSN, and passes.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		full := errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWrite { // not WriteAt: segments are written in advance
				return fmt.Errorf("write: %w", syscall.ENOSPC)
			}
			return nil
		})}
		l := mustOpen(t, errorfs.Wrap(mem, &full), Options{SegmentBytes: 4096})
		synctest.Wait() // the spares are there
		full.On()
		n := 0
		for ; ; n++ {
			_, p, err := l.Append(record.Header{Type: record.Traces, FirstRow: (l.LastLSN() + 1) * 10}, payload(l.LastLSN()+1, 1000))
			if errors.Is(err, ErrNoSpace) && errors.Is(err, syscall.ENOSPC) {
				break
			}
			if err == nil {
				err = p.Wait(t.Context())
			}
			if err != nil || n > 9 {
				t.Fatalf("record %d: %v", n, err)
			}
			synctest.Wait()
		}
		if n != 9 || l.LastLSN() != 9 || l.Err() != nil {
			t.Fatalf("%d records, last LSN %d, %v", n, l.LastLSN(), l.Err())
		}
		full.Off()
		time.Sleep(spaceRetry) // virtual
		synctest.Wait()
		mustAppend(t, l, 1000, 1000)
		full.On()
		for range 20 { // until the writer waits for a spare
			if _, _, err := l.Append(record.Header{Type: record.Traces}, bytes.Repeat([]byte{1}, 1000)); err != nil {
				break
			}
		}
		if err := l.Close(); err != nil && !errors.Is(err, ErrNoSpace) {
			t.Fatal(err)
		}
		l = mustOpen(t, mem, Options{SegmentBytes: 4096})
		if l.LastLSN() < 11 {
			t.Fatalf("last LSN %d", l.LastLSN())
		}
		mustClose(t, l)
	})
}
