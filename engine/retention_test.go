package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// expiry runs the commands of TestScript that are about retention:
//
//	retention [spans=m] [logs=m]   close without a flush, open with rows kept for so many minutes
//	clock m                        the store's clock
//	retain                         drop what has expired
//	count spans|logs now=m         the rows that have not expired
func (s *script) expiry(d *datadriven.TestData) string {
	minutes := make(map[string]int)
	for _, arg := range d.CmdArgs {
		if len(arg.Vals) == 0 {
			continue
		}
		n, err := strconv.Atoi(arg.Vals[0])
		if err != nil {
			return err.Error()
		}
		minutes[arg.Key] = n
	}
	switch d.Cmd {
	case "retention":
		s.opts.Retention = make(map[string]time.Duration)
		for table, n := range minutes {
			s.opts.Retention[table] = time.Duration(n) * time.Minute
		}
		if s.clock.Load() == 0 {
			s.clock.Store(arrivalMinute)
		}
		s.opts.Now = func() time.Time { return time.Unix(0, minuteNanos(int(s.clock.Load()))) }
		if err := s.db.shutdown(false); err != nil {
			return err.Error()
		}
		s.db = mustOpen(s.t, s.opts)
		return ""
	case "clock":
		n, err := strconv.Atoi(d.CmdArgs[0].Key)
		if err != nil {
			return err.Error()
		}
		s.clock.Store(int64(n))
		return ""
	case "count":
		v := s.db.View()
		defer v.Release()
		table := d.CmdArgs[0].Key
		n, err := v.RowsSince(context.Background(), table, s.db.Cutoff(table, minuteNanos(minutes["now"])))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(n)
	}
	dropped, err := s.db.ApplyRetention(context.Background())
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, d := range dropped {
		fmt.Fprintf(&b, "%s: %d rows in %d blocks and %d parts\n", d.Table, d.Rows, d.Blocks, d.Parts)
	}
	return b.String()
}

// The power goes at any write while a block and a part are dropped: after the
// start either all of what was to go is there or none of it, what was to stay
// is, and nothing is left over. A file that goes before the manifest says so is
// noticed.
func TestRetentionCrash(t *testing.T) {
	for _, bug := range []bool{false, true} {
		var mu sync.Mutex // guards what take uses: the store writes from several goroutines
		var mem *vfs.MemFS
		var clones []*vfs.MemFS
		rng := rand.New(rand.NewPCG(newSeed(t), 0))
		arm := func(disk *vfs.MemFS) {
			mu.Lock()
			defer mu.Unlock()
			mem = disk
		}
		take := func() {
			mu.Lock()
			defer mu.Unlock()
			if mem != nil {
				clones = append(clones, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}))
			}
		}
		disk := vfs.NewCrashableMem()
		o := testOptions(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				take()
			}
			return nil
		})))
		o.faults.dropBeforeCommit = bug
		var minute atomic.Int64
		minute.Store(arrivalMinute)
		o.Now = func() time.Time { return time.Unix(0, minuteNanos(int(minute.Load()))) }
		o.Retention = map[string]time.Duration{"spans": time.Hour}
		db := mustOpen(t, o)
		mustAppend(t, db, record.Traces, "a 1 570 part 1\na 2 571 part 1\n")
		mustCheckpoint(t, db)
		if _, err := db.Compact(context.Background(), math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, record.Traces, "b 1 572 block 1\n")
		mustCheckpoint(t, db)
		mustAppend(t, db, record.Traces, "c 1 600 stays 1\n")
		mustCheckpoint(t, db)
		minute.Store(640)
		arm(disk)
		dropped, err := db.ApplyRetention(context.Background())
		if err != nil || len(dropped) != 1 || dropped[0].Rows != 3 {
			t.Fatalf("dropped %v, %v", dropped, err)
		}
		take()
		arm(nil)
		if err := db.shutdown(false); err != nil {
			t.Fatal(err)
		}
		minute.Store(arrivalMinute)
		o.faults = faults{}
		before, after, caught := 0, 0, 0
		for _, fs := range clones {
			o.FS = fs
			db := mustOpen(t, o)
			v := db.View()
			rows, _, err := scanText(v, ScanRequest{Table: "spans"}, false)
			v.Release()
			switch got := strings.Join(rows, "; "); {
			case err != nil && bug:
				caught++
			case err != nil:
				t.Errorf("crash point: %v", err)
			case got == "a 1 570 part 1; a 2 571 part 1; b 1 572 block 1; c 1 600 stays 1":
				before++
			case got == "c 1 600 stays 1":
				after++
			default:
				t.Errorf("crash point: %s", got)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if !bug {
				checkFolder(t, fs, "db")
			}
		}
		t.Logf("%d crash points before, %d after, %d caught", before, after, caught)
		if !bug && (before == 0 || after == 0) || bug && caught == 0 {
			t.Errorf("planted bug %t: %d crash points before, %d after, %d caught", bug, before, after, caught)
		}
	}
}

// Rows of a table that is held are not deleted before they are released, be they
// in the memtable, in a block or in a part. A store that deletes them is noticed.
func TestHeldRows(t *testing.T) {
	for _, bug := range []bool{false, true} {
		o := testOptions(vfs.NewMem())
		o.faults.deleteHeld = bug
		o.Held = []string{"spans"}
		o.Retention = map[string]time.Duration{"spans": time.Hour}
		var minute atomic.Int64
		minute.Store(arrivalMinute)
		o.Now = func() time.Time { return time.Unix(0, minuteNanos(int(minute.Load()))) }
		db := mustOpen(t, o)
		mustAppend(t, db, record.Traces, "a 1 570 part 1\n")
		mustCheckpoint(t, db)
		if _, err := db.Compact(context.Background(), math.MaxInt64); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, db, record.Traces, "b 1 571 block 1\n")
		mustCheckpoint(t, db)
		mustAppend(t, db, record.Traces, "c 1 572 memtable 1\nc 2 600 stays 1\n")
		minute.Store(640)
		rows := func() int {
			mustCheckpoint(t, db)
			if _, err := db.ApplyRetention(context.Background()); err != nil {
				t.Fatal(err)
			}
			v := db.View()
			defer v.Release()
			rows, _, err := scanText(v, ScanRequest{Table: "spans"}, false)
			if err != nil {
				t.Fatal(err)
			}
			return len(rows)
		}
		if n := rows(); (n == 4) == bug {
			t.Errorf("planted bug %v: %d rows before they are released, want 4 without it", bug, n)
		}
		if !bug {
			db.Release("spans", minuteNanos(571))
			if n := rows(); n != 3 {
				t.Errorf("%d rows once one is released, want 3", n)
			}
			db.Release("spans", minuteNanos(630))
			if n := rows(); n != 1 {
				t.Errorf("%d rows once all are released, want the one that has not expired", n)
			}
		}
		if err := db.shutdown(false); err != nil {
			t.Fatal(err)
		}
	}
}
