package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// smallDisk mounts a disk of so many MiB.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fillDisk takes all the space that is left, as another program might.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

var diskRounds = flag.Int("disk-rounds", 2, "how often TestDiskFull fills the disk")

// TestDiskFull fills the disk while rows come in: they are refused and nothing
// stops; what was acknowledged is read. When there is space again, rows are taken
// within 10 s. All that was acknowledged, and no more than was sent, is there
// afterwards, also after a restart.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t, 32)
	dir, filler := filepath.Join(disk, "db"), filepath.Join(disk, "filler")
	o := testOptions(vfs.Default)
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.MinFreeShare, o.BlockRows, o.Now = 0.1, 8192, nil
	o.MaxMemtableBytes, o.WAL.SegmentBytes = 256<<10, 256<<10
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	next := 0
	var acked []int
	write := func() error {
		padding := strings.Repeat("x", 40)
		if next%16 == 0 { // stored outside, in a file
			padding = strings.Repeat("x", 400)
		}
		body := fmt.Sprintf("590 n%d-%s\n", next, padding)
		next++
		err := db.Append(ctx, testRequest(record.Logs, body))
		if err == nil {
			acked = append(acked, next-1)
		}
		return err
	}
	count := func() int {
		v := db.View()
		defer v.Release()
		rows, _, err := scanText(v, ScanRequest{Table: "logs"}, false)
		if err != nil {
			t.Fatalf("reading: %v", err)
		}
		seen := make(map[string]bool)
		for _, row := range rows {
			number, _, _ := strings.Cut(row, "-")
			if seen[number] {
				t.Fatalf("%s is there twice", number)
			}
			seen[number] = true
		}
		for _, n := range acked {
			if !seen[fmt.Sprintf("590 n%d", n)] {
				t.Fatalf("row %d of %d was acknowledged and is lost", n, next)
			}
		}
		return len(rows)
	}
	refused := 0
	for round := range *diskRounds {
		waitFor(t, "the ballast", func() bool { return db.compactWorker.do(ctx, db.ballast.keep) == nil && db.ballast.there() })
		var full atomic.Bool
		var filling sync.WaitGroup
		stop := time.Now().Add(time.Second)
		for n := 0; time.Now().Before(stop) || !full.Load(); n++ {
			if n == 200+100*round {
				filling.Go(func() {
					fillDisk(t, filler)
					full.Store(true)
				})
			}
			if err := write(); errors.Is(err, ErrDiskFull) {
				refused++
				time.Sleep(time.Millisecond)
			} else if err != nil && !errors.Is(err, ErrOverloaded) {
				t.Fatalf("round %d: %v", round, err)
			}
			if n%500 == 0 {
				count()
			}
		}
		filling.Wait()
		waitFor(t, "a refusal", func() bool { // the store itself may have freed space since
			fillDisk(t, filler)
			return errors.Is(write(), ErrDiskFull)
		})
		waitFor(t, "the ballast to be given up", func() bool { return !db.ballast.there() })
		if got := count(); got != len(acked) {
			t.Errorf("round %d: %d rows, %d acknowledged", round, got, len(acked))
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		freed := time.Now()
		for write() != nil {
			if time.Since(freed) > 10*time.Second {
				t.Fatalf("round %d: no rows are taken 10 s after there was space", round)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, vfs.Default, dir)
	if db, err = Open(dir, o); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != len(acked) {
		t.Errorf("after a restart: %d rows, %d acknowledged", got, len(acked))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, layout.BallastFile)); err != nil {
		t.Errorf("the ballast: %v", err)
	}
	t.Logf("%d rows acknowledged, %d refused", len(acked), refused)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within 10 s", what)
		}
	}
}
