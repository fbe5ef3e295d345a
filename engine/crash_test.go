package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

var crashPoints = flag.Int("crash-points", 2200, "crash points that TestCrash visits")

const crashWriters = 3

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

func newCrashRun(seed uint64, number, points int, f faults) *crashRun {
	r := &crashRun{mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(seed, uint64(number))), want: points, every: 6, faults: f}
	for i := range r.acked {
		r.acked[i] = &model{keyed: map[string]string{}}
	}
	r.opts = testOptions(errorfs.Wrap(r.mem, errorfs.InjectorFunc(r.operation)))
	r.opts.BlockRows = 4 + r.rng.IntN(20)
	r.opts.MaxMemtableRows = 30 + r.rng.IntN(100)
	r.opts.WAL.SegmentBytes = 4 << 10
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
		if rng.IntN(20) == 0 {
			if err := r.db.Checkpoint(context.Background()); err != nil {
				r.fail(err)
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
		if v.Rows("logs") < logs && !r.faults.ackBeforeSync { // that one must be seen by what is lost
			r.fail(fmt.Errorf("%d logs were acknowledged, the next view has %d", logs, v.Rows("logs")))
		}
		v.Release()
	}
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
			all, _, err = scanText(v, ScanRequest{Table: table}, false)
		}
		if err != nil {
			return err
		}
		if table != "keyed" && int64(len(all)) != v.Rows(table) {
			return fmt.Errorf("%s: a scan gives %d rows, metadata %d", table, len(all), v.Rows(table))
		}
		for w := range acked {
			tag := string(rune('a' + w))
			got := slices.DeleteFunc(slices.Clone(all), func(row string) bool {
				if table == "logs" {
					return !strings.Contains(row, " "+tag)
				}
				return !strings.HasPrefix(row, tag)
			})
			want := acked[w].rows(table, nil)
			also := want
			if begun[w] != nil {
				with := acked[w].clone()
				with.apply(begun[w].kind, begun[w].body)
				also = with.rows(table, nil)
			}
			switch before, after := slices.Equal(got, want), slices.Equal(got, also); {
			case !before && !after:
				return fmt.Errorf("%s of writer %d: got %q, want %q or %q", table, w, got, want, also)
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

// verify opens a clone as after a power cut and compares. If it is thorough, it
// goes on with the clone: a flush and another start must change nothing.
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

// crash runs until so many crash points are visited, and gives the first
// problem with the number of points until then.
func crash(seed uint64, points int, f faults) (visited int, err error) {
	for number := 0; visited < points; number++ {
		r := newCrashRun(seed, number, min(80, points-visited), f)
		if err := r.run(); err != nil {
			return visited, fmt.Errorf("run %d: %w", number, err)
		}
		for _, p := range r.points {
			visited++
			if err := r.verify(p, visited%4 == 0); err != nil {
				return visited, fmt.Errorf("run %d, before %s: %w", number, p.op, err)
			}
		}
	}
	return visited, nil
}

// TestCrash cuts the power at random write operations: nothing acknowledged
// is lost, nothing is there twice, what was visible stays.
func TestCrash(t *testing.T) {
	seed := newSeed(t)
	visited, err := crash(seed, *crashPoints, faults{})
	if err != nil {
		t.Fatalf("after %d crash points: %v", visited, err)
	}
	t.Logf("%d crash points", visited)
}

// TestPlantedBugs proves that TestCrash sees bugs.
func TestPlantedBugs(t *testing.T) {
	for _, bug := range []struct {
		name   string
		faults faults
	}{
		{"acknowledge before sync", faults{ackBeforeSync: true}},
		{"visible before sync", faults{visibleBeforeSync: true}},
		{"acknowledge before apply", faults{ackBeforeApply: true}},
		{"deletion vector not in the batch", faults{deadNotInBatch: true}},
		{"segment recycled before its flush", faults{recycleTooEarly: true}},
		{"applied LSN ahead of the blocks", faults{appliedAhead: true}},
		{"applied LSN not in the batch", faults{appliedApart: true}},
		{"replay skips a record", faults{replaySkips: true}},
		{"replay applies a record again", faults{replayAgain: true}},
		{"write set applied in part", faults{writeSetInPart: true}},
		{"keyed rows not in the batch", faults{keyedNotInBatch: true}},
		{"segment recycled before its blobs", faults{recycleBeforeBlob: true}},
		{"hash lost at recycling", faults{hashesNotInBatch: true}},
		{"rows killed during a flush come back", faults{forgetKills: true}},
		{"replay brings deleted rows back", faults{forgetDeletes: true}},
	} {
		t.Run(strings.ReplaceAll(bug.name, " ", "-"), func(t *testing.T) {
			visited, err := crash(newSeed(t), 2000, bug.faults)
			if err == nil {
				t.Fatalf("not caught by %d crash points", visited)
			}
			text := err.Error()
			t.Logf("caught after %d crash points: %.300s", visited, text)
		})
	}
}
