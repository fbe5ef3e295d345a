package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

func someRequest(rng *rand.Rand, step int) *request {
	switch rng.IntN(6) {
	case 0:
		return &request{kind: record.WriteSet, body: randomWriteSet(rng, "w", step)}
	case 1:
		return &request{kind: record.Logs, body: randomBody(rng, record.Logs, "w", step)}
	}
	return &request{kind: record.Traces, body: randomBody(rng, record.Traces, "w", step)}
}

func (q *request) send(db *DB) error {
	if q.hashed {
		return db.Append(context.Background(), hashedRequest(q.kind, q.body))
	}
	if q.kind != record.WriteSet {
		return db.Append(context.Background(), testRequest(q.kind, q.body))
	}
	v := db.View()
	defer v.Release()
	ws, err := writeSetOf(v, q.body)
	if err == nil {
		_, err = db.Commit(context.Background(), ws)
	}
	return err
}

// someJob chooses what else happens than writing; nil: nothing.
func someJob(db *DB, rng *rand.Rand) func() error {
	ctx := context.Background()
	switch rng.IntN(14) {
	case 3:
		return func() error {
			_, _, err := db.SweepBlobs(ctx)
			return err
		}
	case 0, 1:
		return func() error { return db.Checkpoint(ctx) }
	case 2:
		return func() error {
			_, err := db.Compact(ctx, math.MaxInt64)
			return err
		}
	}
	return nil
}

// A brokenDisk fails operations of one kind from the n-th on.
type brokenDisk struct {
	kind   string // "write", "change", "read"
	cause  error
	once   bool
	left   atomic.Int64 // operations that work
	failed atomic.Bool
	armed  atomic.Bool
}

var brokenKinds = []string{"write", "change", "read"}

func (d *brokenDisk) operation(op errorfs.Op) error {
	if !d.armed.Load() {
		return nil
	}
	write := op.Kind.ReadOrWrite() == errorfs.OpIsWrite
	removes := op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpRemove
	switch d.kind {
	case "write": // on the way to the disk
		if !write || removes {
			return nil
		}
	case "change": // with what gives space back
		if !write || op.Kind == errorfs.OpFileClose {
			return nil
		}
	case "read":
		if write || op.Kind == errorfs.OpGetDiskUsage {
			return nil
		}
	}
	left := d.left.Add(-1)
	if left > 0 || left < 0 && d.once {
		return nil
	}
	d.failed.Store(true)
	return fmt.Errorf("%v %s: %w", op.Kind, op.Path, d.cause)
}

// failOperations fails the first operation of a short life, then the second,
// and so on until all have failed once; then it goes on with another life.
// After an error nothing is acknowledged, and what was is there: now, and after
// a start, with or without a power cut.
func failOperations(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
	var n tally
	for life := uint64(0); !stop(n.points); life++ {
		rng := rand.New(rand.NewPCG(seed, life))
		kind, cause, once := brokenKinds[life%3], []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)], rng.IntN(2) == 0
		if kind == "read" {
			cause = syscall.EIO
		}
		const together = 8 // lives wait for the disk more than they compute
		for first, ended := int64(1), false; !ended && !stop(n.points); first += together {
			failed := make([]bool, together)
			err := inParallel(together, together, func(i int) error {
				d := &brokenDisk{kind: kind, cause: cause, once: once}
				d.left.Store(first + int64(i))
				err := d.life(seed, life, b)
				failed[i] = d.failed.Load()
				if err != nil {
					err = fmt.Errorf("life %d, %s %d fails with %v, once %v: %w", life, kind, first+int64(i), cause, once, err)
				}
				return err
			})
			for _, f := range failed {
				if f {
					n.points++
				}
				ended = ended || !f // it had fewer operations
			}
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (d *brokenDisk) life(seed, life uint64, b plantedBug) error {
	rng := rand.New(rand.NewPCG(seed, life+1<<32))
	mem := vfs.NewCrashableMem()
	o := testOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(d.operation)))
	o.MaxMemtableRows = 20 + rng.IntN(60)
	o.WAL.SegmentBytes = 4 << 10
	o.BlobGrace = -1
	o.faults = b.faults
	db, err := Open("db", o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	d.armed.Store(true) // Pebble panics where it cannot create a store
	m := &model{keyed: map[string]string{}}
	after := []*model{m}
	var failure error
	for step := range 30 {
		q, err := someStep(db, rng, m, step)
		switch {
		case err == nil && failure != nil && q != nil:
			return fmt.Errorf("step %d is acknowledged after %w", step, failure)
		case errors.Is(err, ErrFailed) && failure == nil:
			failure = err
			if q != nil { // nobody knows whether it is on the disk
				with := m.clone()
				with.apply(q.kind, q.body)
				after = append(after, with)
			}
		}
	}
	after[0] = m
	d.armed.Store(false)
	v := db.View()
	if err = compareWithModel(rng, v, m); err != nil {
		err = fmt.Errorf("before the end: %w", err)
	}
	v.Release()
	if closeErr := db.shutdown(rng.IntN(2) == 0); closeErr != nil && !d.failed.Load() {
		err = errors.Join(err, closeErr)
	}
	if err != nil {
		return err
	}
	o.FS = mem
	if rng.IntN(2) == 0 {
		o.FS = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
	}
	return reopened("db", o, rng, after)
}

// reopened starts a store and compares it with what it may hold, then checks
// its folder.
func reopened(dir string, o Options, rng *rand.Rand, may []*model) error {
	db, err := Open(dir, o)
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	v := db.View()
	var first error
	for _, m := range may {
		if err = compareWithModel(rng, v, m); err == nil {
			break
		}
		if first == nil {
			first = fmt.Errorf("after a start: %w", err)
		}
	}
	v.Release()
	if err != nil {
		err = first
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	report, err := Check(o.FS, dir, testTables)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("check: %q", report.Problems)
	}
	return err
}

// failSyncs fails one fsync, after which the cache calls the pages clean that
// the disk never got. The process starts again, with that cache; then the power
// is cut. What was acknowledged, and what was seen after the start, stays.
func failSyncs(seed uint64, b plantedBug, stop func(int) bool) (tally, error) {
	var n tally
	const together = 8
	for life := uint64(0); !stop(n.points); life += together {
		var points atomic.Int64
		err := inParallel(together, together, func(i int) error {
			failed, err := syncLife(rand.New(rand.NewPCG(seed, life+uint64(i))), b)
			if failed || err != nil {
				points.Add(1)
			}
			if err != nil {
				err = fmt.Errorf("life %d: %w", life+uint64(i), err)
			}
			return err
		})
		n.points += int(points.Load())
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func syncLife(rng *rand.Rand, b plantedBug) (failed bool, err error) {
	d := newDroppingDisk()
	o := testOptions(d)
	if b.disk != nil {
		o.FS = b.disk(d)
	}
	o.MaxMemtableRows = 20 + rng.IntN(60)
	o.WAL.SegmentBytes = 4 << 10
	o.BlobGrace = -1
	db, err := Open("db", o)
	if err != nil {
		return false, fmt.Errorf("open: %w", err)
	}
	d.left.Store(1 + rng.Int64N(60))
	m := &model{keyed: map[string]string{}}
	after := []*model{m}
	more := 1 + rng.IntN(10) // steps after the failure
	for step := 0; step < 60 && more > 0; step++ {
		q, err := someStep(db, rng, m, step)
		if err != nil && q != nil && len(after) == 1 {
			with := m.clone()
			with.apply(q.kind, q.body)
			after = append(after, with)
		}
		if d.left.Load() <= 0 {
			more--
		}
	}
	failed = d.left.Load() <= 0
	_ = db.shutdown(false) // it may have failed
	o.FS = d.FS
	if rng.IntN(2) == 0 { // a start sees the cache
		o.FS = d
		if db, err = Open("db", o); err != nil {
			return failed, fmt.Errorf("open again: %w", err)
		}
		v := db.View()
		seen := slices.IndexFunc(after, func(m *model) bool { return compareWithModel(rng, v, m) == nil })
		if seen < 0 {
			err = compareWithModel(rng, v, m)
		} else {
			after = after[seen : seen+1]
		}
		v.Release()
		if err = errors.Join(err, db.shutdown(false)); err != nil {
			return failed, err
		}
	}
	o.FS = d.crash(rng)
	return failed, reopened("db", o, rng, after)
}
