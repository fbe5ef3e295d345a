package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

const crashWriters = 3

// crashKeep is the retention of half of the runs, in minutes: a part of the
// late rows of randomBody has expired.
const crashKeep = 30 * 60

// A crashRun drives a store while the file system takes crash clones of
// itself at random write operations.
//
// Each writer has traces and logs of its own and waits for each answer, so
// that what a clone must hold is known: all that was acknowledged before it,
// and besides perhaps the one request of each writer that was on its way.
type crashRun struct {
	opts   Options
	mem    *vfs.MemFS
	db     *DB
	faults faults
	keep   bool // rows expire

	mu        sync.Mutex
	rng       *rand.Rand
	every     int // a clone in so many write operations
	want      int // clones still to be taken
	points    []crashPoint
	acked     [crashWriters]*model
	begun     [crashWriters]*request  // on its way; nil: none
	sent      [crashWriters][]request // acknowledged with a hash
	ackedLogs int64                   // without those that are being deleted
	problem   error                   // seen while it ran
}

type request struct {
	kind   record.Type
	body   string
	hashed bool // sent with a hash, so that it may be sent again
}

// A crashPoint is a state of the disk with what is known of it from outside.
type crashPoint struct {
	fs      *vfs.MemFS
	op      string
	visible uint64 // LSN that a reader had seen before
	acked   [crashWriters]*model
	begun   [crashWriters]*request
	sent    [crashWriters][]request
}

// operation is called before each operation of the file system.
func (r *crashRun) operation(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil || r.want == 0 || r.rng.IntN(r.every) != 0 {
		return nil
	}
	r.want--
	visible := r.db.view.Load().lsn // before the clone; what it has must be on the disk
	r.points = append(r.points, crashPoint{
		op: fmt.Sprintf("%v %s", op.Kind, op.Path), visible: visible, acked: r.acked, begun: r.begun, sent: r.sent,
		fs: r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.rng.IntN(3) * 50, RNG: r.rng}),
	})
	return nil
}

func newCrashRun(seed uint64, number, points int, b plantedBug) *crashRun {
	f := b.faults
	r := &crashRun{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, uint64(number))), want: points, every: 6, faults: f}
	for i := range r.acked {
		r.acked[i] = &model{keyed: map[string]string{}}
	}
	r.opts = testOptions(errorfs.Wrap(r.mem, errorfs.InjectorFunc(r.operation)))
	if b.disk != nil {
		r.opts.FS = b.disk(r.opts.FS)
	}
	if r.keep = r.rng.IntN(2) == 0; r.keep {
		r.opts.Retention = map[string]time.Duration{"spans": crashKeep * time.Minute, "logs": crashKeep * time.Minute}
	}
	r.opts.BlockRows = 4 + r.rng.IntN(20)
	r.opts.MaxMemtableRows = 30 + r.rng.IntN(100)
	r.opts.WAL.SegmentBytes = 4 << 10
	r.opts.BlobGrace = -1
	r.opts.faults = f
	return r
}

// run writes until all clones are taken.
func (r *crashRun) run() error {
	db, err := Open("db", r.opts)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.db = db
	r.mu.Unlock()
	var wg sync.WaitGroup
	for w := range crashWriters {
		r.mu.Lock()
		rng := rand.New(rand.NewPCG(r.rng.Uint64(), uint64(w)))
		r.mu.Unlock()
		wg.Go(func() { r.write(w, rng) })
	}
	wg.Wait()
	r.mu.Lock()
	r.db = nil
	problem := r.problem
	r.mu.Unlock()
	v := db.View()
	if problem == nil && !r.opts.faults.ackBeforeSync && !r.opts.faults.ackBeforeApply {
		problem = r.expect(v, r.acked, [crashWriters]*request{})
	}
	v.Release()
	return errors.Join(problem, db.shutdown(r.rng.IntN(2) == 0))
}

func (r *crashRun) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.want == 0 || r.problem != nil
}

func (r *crashRun) write(w int, rng *rand.Rand) {
	for step := 0; step < 400 && !r.done(); step++ {
		if job := r.job(rng); job != nil {
			if err := job(); err != nil {
				r.fail(err)
				return
			}
			continue
		}
		kind := record.Traces
		if rng.IntN(4) == 0 {
			kind = record.Logs
		}
		tag := fmt.Sprintf("%c", 'a'+w)
		body := randomBody(rng, kind, tag, step)
		if rng.IntN(3) == 0 {
			kind, body = record.WriteSet, randomWriteSet(rng, tag, step)
		}
		if again := r.sent[w]; len(again) > 0 && rng.IntN(6) == 0 {
			if err := r.send(again[rng.IntN(len(again))]); err != nil {
				r.fail(err)
				return
			}
		}
		q := request{kind, body, kind != record.WriteSet && rng.IntN(2) == 0}
		next := r.acked[w].clone()
		next.apply(kind, body)
		deleted := int64(next.deletedLogs - r.acked[w].deletedLogs)
		added := int64(len(next.logs)-len(r.acked[w].logs)) + deleted
		r.mu.Lock()
		r.begun[w] = &q
		r.ackedLogs -= deleted
		r.mu.Unlock()
		if err := r.send(q); err != nil {
			r.fail(err)
			return
		}
		r.mu.Lock()
		r.acked[w], r.begun[w] = next, nil
		if q.hashed {
			r.sent[w] = append(r.sent[w], q)
		}
		r.ackedLogs += added
		logs := r.ackedLogs
		r.mu.Unlock()
		v := r.db.View()
		if v.Rows("logs") < logs && !r.keep && !r.faults.ackBeforeSync { // that one must be seen by what is lost
			r.fail(fmt.Errorf("%d logs were acknowledged, the next view has %d", logs, v.Rows("logs")))
		}
		v.Release()
	}
}

// job chooses what else happens than writing; nil: nothing.
func (r *crashRun) job(rng *rand.Rand) func() error {
	ctx := context.Background()
	switch n := rng.IntN(40); {
	case n < 2:
		return func() error { return r.db.Checkpoint(ctx) }
	case n == 2:
		return func() error {
			_, err := r.db.Compact(ctx, math.MaxInt64)
			return err
		}
	case n == 3:
		return func() error {
			_, _, err := r.db.SweepBlobs(ctx)
			return err
		}
	case n == 4 && r.keep:
		return func() error {
			_, err := r.db.ApplyRetention(ctx)
			return err
		}
	}
	return nil
}

func (r *crashRun) send(q request) error {
	if q.hashed {
		return r.db.Append(context.Background(), hashedRequest(q.kind, q.body))
	}
	if q.kind != record.WriteSet {
		return r.db.Append(context.Background(), testRequest(q.kind, q.body))
	}
	for {
		v := r.db.View()
		ws := testWriteSet(v, q.body)
		v.Release()
		_, err := r.db.Commit(context.Background(), ws)
		// With a bug that answers too early, a row may still be on its way.
		if !errors.Is(err, ErrConflict) || !r.faults.ackBeforeSync && !r.faults.ackBeforeApply {
			return err
		}
	}
}

func (r *crashRun) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		r.problem = err
	}
}

// expect compares a view with what each writer knows.
func (r *crashRun) expect(v *View, acked [crashWriters]*model, begun [crashWriters]*request) error {
	var whole, none [crashWriters]bool // some table has all, or nothing, of the request on its way
	for _, table := range []string{"spans", "logs", "keyed"} {
		all, err := keyedText(v, nil, nil)
		if table != "keyed" {
			since := v.db.Cutoff(table, minuteNanos(arrivalMinute))
			var n int64
			all, _, err = scanText(v, ScanRequest{Table: table, Since: since}, false)
			if err == nil {
				n, err = v.RowsSince(context.Background(), table, since)
			}
			if err == nil && int64(len(all)) != n {
				err = fmt.Errorf("%s: a scan gives %d rows, metadata %d", table, len(all), n)
			}
		}
		if err != nil {
			return err
		}
		for w := range acked {
			tag := string(rune('a' + w))
			got := slices.DeleteFunc(slices.Clone(all), func(row string) bool {
				if table == "logs" {
					return !strings.Contains(row, " "+tag)
				}
				return !strings.HasPrefix(row, tag)
			})
			want := r.kept(acked[w].rows(table, nil), table)
			also := want
			if begun[w] != nil {
				with := acked[w].clone()
				with.apply(begun[w].kind, begun[w].body)
				also = r.kept(with.rows(table, nil), table)
			}
			switch before, after := slices.Equal(got, want), slices.Equal(got, also); {
			case !before && !after:
				return newMismatch(fmt.Sprintf("%s of writer %d", table, w), got, want, also)
			case before && !after:
				none[w] = true
			case after && !before:
				whole[w] = true
			}
			if whole[w] && none[w] {
				return fmt.Errorf("writer %d: a part of %q is there", w, begun[w].body)
			}
		}
	}
	return nil
}

// kept leaves out the rows that have expired.
func (r *crashRun) kept(rows []string, table string) []string {
	if !r.keep || table == "keyed" {
		return rows
	}
	return slices.DeleteFunc(rows, func(row string) bool {
		var trace, span string
		var minute int
		var err error
		if table == "logs" {
			_, err = fmt.Sscan(row, &minute)
		} else {
			_, err = fmt.Sscan(row, &trace, &span, &minute)
		}
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return minute < arrivalMinute-crashKeep
	})
}

// verify opens a clone as after a power cut and compares. If it is thorough, it
// goes on with the clone: compaction, a flush and another start must change
// nothing.
func (r *crashRun) verify(p crashPoint, thorough bool) (err error) {
	o := r.opts
	o.FS = p.fs
	o.faults = faults{replaySkips: r.faults.replaySkips, replayAgain: r.faults.replayAgain, recycleTooEarly: r.faults.recycleTooEarly, forgetDeletes: r.faults.forgetDeletes}
	for _, flush := range []bool{thorough, false} {
		db, err := Open("db", o)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		v := db.View()
		if v.LSN() < p.visible {
			err = fmt.Errorf("record %d was visible, the disk has only %d", p.visible, v.LSN())
		}
		err = errors.Join(err, r.expect(v, p.acked, p.begun))
		v.Release()
		if err == nil {
			err = r.resend(db, &p)
		}
		if err == nil && flush {
			_, err = db.Compact(context.Background(), math.MaxInt64)
		}
		if err = errors.Join(err, db.shutdown(flush)); err != nil {
			return err
		}
		if !flush {
			break
		}
		report, err := Check(p.fs, "db", testTables)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		if len(report.Problems) > 0 {
			return fmt.Errorf("check: %q", report.Problems)
		}
	}
	return nil
}

// resend does what clients do that saw no answer: it sends again the request
// that was on its way, and some that were acknowledged. Each then is there once.
func (r *crashRun) resend(db *DB, p *crashPoint) error {
	for w := range crashWriters {
		again := p.sent[w][max(0, len(p.sent[w])-4):]
		if q := p.begun[w]; q != nil && q.hashed {
			again = append(slices.Clone(again), *q)
			p.acked[w] = p.acked[w].clone()
			p.acked[w].apply(q.kind, q.body)
			p.begun[w] = nil
		}
		for _, q := range again {
			if err := db.Append(context.Background(), hashedRequest(q.kind, q.body)); err != nil {
				return err
			}
		}
	}
	v := db.View()
	defer v.Release()
	if err := r.expect(v, p.acked, p.begun); err != nil {
		return fmt.Errorf("after sending again: %w", err)
	}
	return nil
}

// crash visits points until stop says that it is enough, and gives the first
// problem with the number of points until then.
func crash(seed uint64, b plantedBug, stop func(visited int) bool) (visited int, err error) {
	for number := 0; !stop(visited); number++ {
		r := newCrashRun(seed, number, 80, b)
		if err := r.run(); err != nil {
			return visited, fmt.Errorf("run %d: %w", number, err)
		}
		var done atomic.Int64
		err := inParallel(len(r.points), runtime.GOMAXPROCS(0), func(i int) error {
			if stop(visited + int(done.Load())) {
				return nil
			}
			done.Add(1)
			p := r.points[i]
			if err := r.verify(p, i%4 == 0); err != nil {
				return fmt.Errorf("run %d, before %s: %w", number, p.op, err)
			}
			return nil
		})
		visited += int(done.Load())
		if err != nil {
			return visited, err
		}
	}
	return visited, nil
}

// TestCrash cuts the power at random write operations: nothing acknowledged
// is lost, nothing is there twice, what was visible stays.
func TestCrash(t *testing.T) {
	seed := newSeed(t)
	visited, err := crash(seed, plantedBug{}, func(visited int) bool { return visited >= 120 })
	if err != nil {
		t.Fatalf("after %d crash points: %v", visited, err)
	}
}
