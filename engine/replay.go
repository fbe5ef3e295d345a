package engine

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/wal/record"
)

// replay applies the records that are in no block: to each table those beyond
// its own applied LSN. A memtable that grows too large is flushed on the way.
//
// Records are read by one goroutine, decoded by several and applied by the
// caller's in the order of their LSNs, while what is full is flushed by another.
func (db *DB) replay(m *manifest) error {
	applied := m.applied()
	from, last := applied+1, db.wal.LastLSN()
	if last < applied {
		return fmt.Errorf("%w: the WAL ends at record %d, blocks hold records up to %d", ErrCorrupt, last, applied)
	}
	if db.opts.faults.replaySkips {
		from++
	}
	if db.opts.faults.replayAgain {
		from = min(from, db.wal.FirstLSN())
	}
	if last < from {
		return nil
	}
	start := time.Now()
	db.fan, db.encoders = mergeFanReplay, runtime.GOMAXPROCS(0)
	err := db.replayFrom(from, m)
	db.fan, db.encoders = mergeFan, 1
	if err != nil {
		return walError(err)
	}
	db.events.ReplayEnd(ReplayInfo{Records: int(db.counters.replayed.Load()), From: from, To: last, Took: time.Since(start)})
	return walError(db.wal.Recycle(db.flushedLSN.Load() + 1))
}

// A replayRun is consecutive records that are decoded and applied together.
type replayRun struct {
	records []replayRecord
	bytes   int

	decoded chan struct{} // closed when the entries, or err, are there
	entries []*entry
	err     error
}

type replayRecord struct {
	header  record.Header
	payload []byte // its own
}

// A run ends at so many records or bytes.
const (
	replayRunRecords = 64
	replayRunBytes   = 1 << 20
)

var errReplayEnds = errors.New("engine: the replay has failed")

func (db *DB) replayFrom(from uint64, m *manifest) error {
	workers := runtime.GOMAXPROCS(0)
	toDecode, toApply := make(chan *replayRun), make(chan *replayRun, 2*workers)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	var readErr error // read after toApply is closed
	wg.Go(func() {
		defer close(toApply)
		defer close(toDecode)
		readErr = db.readRuns(from, func(run *replayRun) error {
			for _, to := range []chan *replayRun{toApply, toDecode} {
				select {
				case to <- run:
				case <-stop:
					return errReplayEnds
				}
			}
			return nil
		})
	})
	for range workers {
		wg.Go(func() {
			for run := range toDecode {
				run.decode(db, m)
			}
		})
	}
	flushed := make(chan error, 1) // holds the outcome of the last flush once it has ended
	flushed <- nil
	for run := range toApply {
		<-run.decoded
		if err := db.applyRun(run); err != nil {
			return err
		}
		if !db.replayedMemtableFull() {
			continue
		}
		err := errors.Join(<-flushed, db.Err())
		if err != nil {
			return err
		}
		frozen := db.freeze()
		wg.Go(func() {
			defer frozen.Release()
			flushed <- db.flushFrozen(frozen)
		})
	}
	return errors.Join(readErr, <-flushed)
}

// readRuns hands the records on as runs. A write set is one of its own: what it
// deletes must be visible when it is applied.
func (db *DB) readRuns(from uint64, hand func(*replayRun) error) error {
	next := from
	run := &replayRun{decoded: make(chan struct{})}
	flush := func() error {
		if len(run.records) == 0 {
			return nil
		}
		full := run
		run = &replayRun{decoded: make(chan struct{})}
		return hand(full)
	}
	err := db.wal.Replay(from, func(h record.Header, payload []byte) error {
		if h.LSN != next {
			return fmt.Errorf("%w: record %d follows record %d", ErrCorrupt, h.LSN, next-1)
		}
		next++
		if h.Type == record.WriteSet {
			if err := flush(); err != nil {
				return err
			}
		}
		run.records = append(run.records, replayRecord{h, slices.Clone(payload)}) // the payload is the log's
		run.bytes += len(payload)
		if h.Type == record.WriteSet || len(run.records) == replayRunRecords || run.bytes >= replayRunBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

func (r *replayRun) decode(db *DB, m *manifest) {
	defer close(r.decoded)
	for _, rec := range r.records {
		e, err := db.decodeRecord(rec.header, rec.payload, m)
		if err != nil {
			r.err = err
			return
		}
		r.entries = append(r.entries, e)
	}
}

// applyRun makes the rows of a run visible.
func (db *DB) applyRun(r *replayRun) error {
	if r.err != nil {
		return r.err
	}
	var entries []*entry
	for i, e := range r.entries {
		if err := db.takeNumbers(e); err != nil {
			return err
		}
		db.requests.written(r.records[i].header)
		if len(e.parts)+len(e.keyed)+len(e.deletes) > 0 {
			entries = append(entries, e)
		}
	}
	if len(entries) > 0 {
		if err := db.apply(entries); err != nil {
			return err
		}
	}
	db.counters.replayed.Add(int64(len(entries)))
	return nil
}

// replayedMemtableFull reports whether there is enough to be flushed, beside what
// is being flushed.
func (db *DB) replayedMemtableFull() bool {
	v := db.view.Load()
	for _, tv := range v.tables {
		rows, bytes := 0, int64(0)
		for _, b := range tv.mem[tv.frozen:] {
			rows, bytes = rows+b.rows.N, bytes+b.bytes
		}
		if rows >= db.opts.MaxMemtableRows || bytes >= db.opts.MaxMemtableBytes {
			return true
		}
	}
	return v.keyed.bytes >= db.opts.MaxMemtableBytes
}

// decodeRecord decodes a record, without what blocks hold of it already.
func (db *DB) decodeRecord(h record.Header, payload []byte, m *manifest) (*entry, error) {
	e := &entry{header: h}
	if h.Type != record.WriteSet {
		p, err := db.decodePart(h, payload, m)
		if p != nil {
			e.parts = append(e.parts, p)
		}
		return e, err
	}
	set, err := record.DecodeWriteSet(slices.Clone(payload))
	if err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrCorrupt, h.LSN, err)
	}
	if h.LSN > m.keyed.AppliedLSN || db.opts.faults.replayAgain {
		for _, r := range set.Rows {
			e.keyed = append(e.keyed, keyedVersion{table: r.Table, key: r.Key, value: r.Value, deleted: r.Deleted, lsn: h.LSN})
		}
	}
	for _, d := range db.deletionsOf(set.Deletes) {
		if (h.LSN > m.tables[d.table.number].state.AppliedLSN || db.opts.faults.replayAgain) && !db.opts.faults.forgetDeletes {
			e.deletes = append(e.deletes, d)
		}
	}
	for _, r := range set.Requests {
		p, err := db.decodePart(partHeader(h, r), r.Payload, m)
		if err != nil {
			return nil, err
		}
		if p != nil {
			e.parts = append(e.parts, p)
		}
	}
	return e, nil
}

func (db *DB) decodePart(h record.Header, payload []byte, m *manifest) (*pending, error) {
	t, ok := db.byType[h.Type]
	if !ok {
		return nil, fmt.Errorf("%w: record %d has type %v, which no table takes", ErrCorrupt, h.LSN, h.Type)
	}
	if h.LSN <= m.tables[t.number].state.AppliedLSN && !db.opts.faults.replayAgain {
		return nil, nil
	}
	body, err := record.Decompress(h, payload, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrCorrupt, h.LSN, err)
	}
	rows, items, err := db.opts.Decode(h, slices.Clone(body)) // the payload is the caller's, rows may refer to the body
	if err != nil {
		return nil, fmt.Errorf("%w: record %d does not decode: %w", ErrCorrupt, h.LSN, err)
	}
	return &pending{header: h, table: t, rows: rows, items: items}, nil
}

// takeNumbers counts the rows of a decoded record, and refuses it if these are
// not the next ones.
func (db *DB) takeNumbers(e *entry) error {
	for _, p := range e.parts {
		t, h := p.table, p.header
		if h.FirstRow != db.nextRow[t.number] && !db.opts.faults.replayAgain && !db.opts.faults.replaySkips {
			return fmt.Errorf("%w: record %d begins with row %d of %s, not %d", ErrCorrupt, h.LSN, h.FirstRow, t.Schema.Name, db.nextRow[t.number])
		}
		db.nextRow[t.number] = h.FirstRow + uint64(p.items)
	}
	return nil
}
