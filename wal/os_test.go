package wal

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// The operating system's files behave as the ones in memory; a new size of
// segments applies to new ones.
func TestRealFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	last := uint64(0)
	for _, size := range []int64{8192, 4096, 16384} {
		l, err := Open(vfs.Default, dir, Options{SegmentBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		if l.LastLSN() != last {
			t.Fatalf("last LSN %d, want %d", l.LastLSN(), last)
		}
		wantReplay(t, l, l.FirstLSN(), last)
		mustAppend(t, l, 3000, 100, 2500, 3500, 3000)
		last = l.LastLSN()
		if err := l.Recycle(last - 1); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		if _, err := Check(vfs.Default, dir, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkAppend appends records as large as a compressed request of 300 spans,
// each writer waiting for each of its records.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l, err := Open(vfs.Default, filepath.Join(b.TempDir(), "wal"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			body := payload(1, 30_000)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						lsn, p, err := l.Append(record.Header{Type: record.Traces, Codec: record.ProtobufS2}, body)
						if err == nil {
							err = p.Wait(context.Background())
						}
						if err == nil {
							err = l.Recycle(max(lsn, 4000) - 4000)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			mustClose(b, l)
			runtime.GC()
		})
	}
}
