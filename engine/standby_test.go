package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A testStandby is a standby that can be down.
type testStandby struct {
	mu   sync.Mutex
	db   *DB // nil: down
	last uint64
}

var errDown = errors.New("the standby is down")

func (s *testStandby) LastLSN() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		s.last = s.db.LastLSN()
	}
	return s.last
}

func (s *testStandby) Ship(ctx context.Context, frames []wal.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return errDown
	}
	return s.db.Ship(ctx, frames)
}

func (s *testStandby) set(db *DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = db
}

func standbyOptions(fs vfs.FS, rng *rand.Rand) Options {
	o := testOptions(fs)
	o.Standby, o.BlockRows, o.MaxMemtableRows = true, 4+rng.IntN(40), 20+rng.IntN(400)
	return o
}

// A standby that is fed by the sink alone has its leader's rows, through
// flushes on either side, merges, restarts and times when it was down.
func TestStandby(t *testing.T) {
	seed := newSeed(t)
	for round := range 6 {
		synctest.Test(t, func(t *testing.T) { standbyRound(t, seed, round) })
	}
}

func standbyRound(t *testing.T, seed uint64, round int) {
	rng := rand.New(rand.NewPCG(seed, uint64(round)))
	so := standbyOptions(vfs.NewMem(), rng)
	sink := &testStandby{}
	sink.set(mustOpen(t, so))
	o := testOptions(vfs.NewMem())
	o.BlockRows, o.MaxMemtableRows = 4+rng.IntN(40), 20+rng.IntN(400)
	o.WAL.SegmentBytes = 1 << 20 // what the standby lacks must not be recycled
	o.WAL.Sinks = []wal.Sink{sink}
	leader := mustOpen(t, o)
	m := &model{keyed: map[string]string{}}
	for step := range 150 {
		switch rng.IntN(16) {
		case 0:
			mustCheckpoint(t, leader)
		case 1:
			sink.mu.Lock()
			if sink.db != nil {
				mustCheckpoint(t, sink.db)
			}
			sink.mu.Unlock()
		case 2: // a restart, after having been down for a while
			sink.mu.Lock()
			down := sink.db
			if sink.db = nil; down == nil {
				sink.db = mustOpen(t, so)
			} else if sink.last = down.LastLSN(); down.shutdown(rng.IntN(2) == 0) != nil {
				t.Error("the standby does not stop")
			}
			sink.mu.Unlock()
		case 6: // what the standby lacks is read from the segments then
			if err := leader.shutdown(rng.IntN(2) == 0); err != nil {
				t.Fatal(err)
			}
			leader = mustOpen(t, o)
		case 3, 4, 5:
			body := randomWriteSet(rng, "w", step)
			mustCommit(t, leader, body)
			m.applySet(body)
		default:
			kind := record.Traces
			if rng.IntN(4) == 0 {
				kind = record.Logs
			}
			body := randomBody(rng, kind, "w", step)
			mustAppend(t, leader, kind, body)
			m.apply(kind, body)
		}
	}
	sink.mu.Lock()
	if sink.db == nil {
		sink.db = mustOpen(t, so)
	}
	standby := sink.db
	sink.mu.Unlock()
	for standby.View().LSN() < leader.View().LSN() {
		time.Sleep(time.Second) // the bubble's: the sink is tried again after a pause
	}
	for _, db := range []*DB{leader, standby} {
		v := db.View()
		if err := compareWithModel(rng, v, m); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		v.Release()
	}
	if err := errors.Join(leader.Close(), standby.Close()); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, so.FS, "db")
}

// An answer waits for the acknowledgements that it needs, and says when they
// do not come.
func TestRequiredAcks(t *testing.T) {
	for _, c := range []struct {
		acks int
		want error
	}{{0, nil}, {1, nil}, {2, ErrUnconfirmed}, {wal.AllSinks, ErrUnconfirmed}} {
		synctest.Test(t, func(t *testing.T) {
			up, down := &testStandby{}, &testStandby{}
			o := testOptions(vfs.NewMem())
			o.WAL.Sinks, o.WAL.RequiredAcks, o.AckTimeout = []wal.Sink{up, down}, c.acks, 50*time.Millisecond
			if c.want == nil {
				o.AckTimeout = time.Minute
			}
			fresh := testOptions(vfs.NewMem())
			fresh.Standby = true
			standby := mustOpen(t, fresh)
			up.set(standby)
			leader := mustOpen(t, o)
			err := leader.Append(context.Background(), testRequest(record.Logs, "1 a\n"))
			if !errors.Is(err, c.want) {
				t.Fatalf("%d acks: got %v, want %v", c.acks, err, c.want)
			}
			if v := leader.View(); v.Rows("logs") != 1 {
				t.Error("the rows do not stay")
			}
			if v := standby.View(); c.acks == 1 && v.Rows("logs") != 1 {
				t.Error("the standby acknowledged what it has not")
			}
			if err := errors.Join(leader.Close(), standby.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestStandbyRefuses(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Standby = true
	db := mustOpen(t, o)
	ctx := context.Background()
	if err := db.Append(ctx, testRequest(record.Logs, "1 a\n")); !errors.Is(err, ErrStandby) {
		t.Errorf("append: %v", err)
	}
	if _, err := db.Commit(ctx, &WriteSet{}); !errors.Is(err, ErrStandby) {
		t.Errorf("commit: %v", err)
	}
	frame := func(lsn, row uint64, epoch uint32) wal.Frame {
		r := testRequest(record.Logs, "1 a\n")
		r.Header.LSN, r.Header.FirstRow, r.Header.Epoch = lsn, row, epoch
		return wal.Frame{Header: r.Header, Payload: record.Compress(r.Header.Codec, r.Body)}
	}
	if err := db.Ship(ctx, []wal.Frame{frame(2, 0, 1)}); !errors.Is(err, wal.ErrGap) {
		t.Errorf("a gap: %v", err)
	}
	if err := db.Ship(ctx, []wal.Frame{frame(1, 0, 1), frame(2, 1, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := db.Ship(ctx, []wal.Frame{frame(1, 0, 1), frame(2, 1, 1)}); err != nil {
		t.Errorf("what it has: %v", err)
	}
	if err := db.Ship(ctx, []wal.Frame{frame(3, 2, 0)}); !errors.Is(err, wal.ErrEpoch) {
		t.Errorf("an older epoch: %v", err)
	}
	if v := db.View(); v.Rows("logs") != 2 {
		t.Errorf("%d rows", v.Rows("logs"))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A request that is sent again is not acknowledged before the first could be.
func TestRequiredAcksOfRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &testStandby{}
		o := testOptions(vfs.NewMem())
		o.WAL.Sinks, o.WAL.RequiredAcks, o.AckTimeout = []wal.Sink{sink}, 1, 20*time.Second
		leader := mustOpen(t, o)
		for range 2 {
			if err := leader.Append(context.Background(), hashedRequest(record.Logs, "1 a\n")); !errors.Is(err, ErrUnconfirmed) {
				t.Errorf("while the standby is down: %v", err)
			}
		}
		fresh := testOptions(vfs.NewMem())
		fresh.Standby = true
		standby := mustOpen(t, fresh)
		sink.set(standby)
		if err := leader.Append(context.Background(), hashedRequest(record.Logs, "1 a\n")); err != nil {
			t.Error(err)
		}
		for _, db := range []*DB{leader, standby} {
			countLogs(t, db, 1)
		}
		if err := errors.Join(leader.Close(), standby.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

// A standby that is started as a leader knows the requests that its leader took.
func TestStandbyKnowsRequests(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.Standby = true
	db := mustOpen(t, o)
	r := hashedRequest(record.Logs, "590 a\n")
	r.Header.LSN, r.Header.ReceiveNanos = 1, minuteNanos(arrivalMinute)
	frame := wal.Frame{Header: r.Header, Payload: record.Compress(r.Header.Codec, r.Body)}
	if err := db.Ship(context.Background(), []wal.Frame{frame}); err != nil {
		t.Fatal(err)
	}
	mustCheckpoint(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	o.Standby = false
	db = mustOpenChecked(t, o)
	mustSend(t, db, arrivalMinute+1, "590 a\n")
	countLogs(t, db, 1)
}
