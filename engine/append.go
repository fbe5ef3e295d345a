package engine

import (
	"context"
	"fmt"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// An entry is a record between its WAL entry and its visibility.
type entry struct {
	header  record.Header
	parts   []*pending     // of a single request: itself
	keyed   []keyedVersion // of a write set
	deletes []deletion     // of a write set
	synced  *wal.Pending
	done    chan struct{} // closed when visible, or when err is set
	err     error
}

// pending is the rows of one request. The header is its record's, but for
// FirstRow and MappingVersion, which are its own.
type pending struct {
	header record.Header
	table  *table
	rows   *vector.Rows
	items  int

	unsettled map[uint64][]layout.Unsettled // by part, until the next look
}

// Append makes a request durable and visible: when it returns nil, the record
// is synced and the next View has its rows. A request whose Hash came within
// Options.DedupeWindow writes nothing and shares the outcome of that one. ErrOverloaded and ErrDiskFull
// pass; ErrFailed and ErrClosed do not. After any of these but ErrFailed
// nothing was written. When ctx ends first the outcome is unknown, and the
// rows stay if the record was written.
func (db *DB) Append(ctx context.Context, r Request) error {
	if err := db.Err(); err != nil {
		return err
	}
	if db.opts.Standby {
		return ErrStandby
	}
	t, ok := db.byType[r.Header.Type]
	if !ok {
		return fmt.Errorf("engine: no table takes records of type %v", r.Header.Type)
	}
	size := int64(len(r.Body))
	if err := db.admit(size); err != nil {
		return err
	}
	defer db.inFlight.Add(-size)
	if r.Header.ReceiveNanos == 0 {
		r.Header.ReceiveNanos = db.opts.Now().UnixNano()
	}
	p := &pending{header: r.Header, table: t, rows: r.Rows, items: r.Items}
	e := &entry{header: r.Header, parts: []*pending{p}, done: make(chan struct{})}
	if first, lsn, repeats := db.requests.claim(e); repeats {
		db.counters.repeated.Add(1)
		if first != nil {
			if err := db.outcome(ctx, first); err != nil {
				return err
			}
			lsn = first.header.LSN
		}
		return db.confirmed(ctx, lsn)
	}
	if err := db.enqueue(e, record.Compress(r.Header.Codec, r.Body)); err != nil {
		db.requests.abandon(e, err)
		return err
	}
	return db.await(ctx, e)
}

// admit takes bytes in flight, unless there are too many, or the disk is full.
func (db *DB) admit(size int64) error {
	if db.diskLow.Load() {
		db.counters.refused.Add(1)
		return ErrDiskFull
	}
	inFlight := db.inFlight.Add(size)
	if inFlight > size && inFlight > db.opts.MaxInFlightBytes || db.memtableFull() { // one request always fits
		db.inFlight.Add(-size)
		db.counters.refused.Add(1)
		return ErrOverloaded
	}
	return nil
}

// memtableFull reports whether the flusher is too slow: there are four memtables.
func (db *DB) memtableFull() bool {
	limit := 4 * db.opts.MaxMemtableBytes
	if db.memBytes.Load() <= limit {
		return false
	}
	db.countMemtable() // it has been flushed since, perhaps, and nothing applied
	return db.memBytes.Load() > limit
}

// await waits until a record is synced and visible, and counts it.
func (db *DB) await(ctx context.Context, e *entry) error {
	err := db.outcome(ctx, e)
	if err != nil {
		return err
	}
	db.counters.appended.Add(1)
	return db.confirmed(ctx, e.header.LSN)
}

// outcome waits until a record is synced and visible.
func (db *DB) outcome(ctx context.Context, e *entry) error {
	switch {
	case db.opts.faults.ackBeforeSync:
		return nil
	case db.opts.faults.ackBeforeApply:
		return walError(e.synced.Wait(ctx))
	}
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("engine: the outcome of record %d is unknown: %w", e.header.LSN, ctx.Err())
	}
}

// enqueue gives a single request its numbers and its place.
func (db *DB) enqueue(e *entry, payload []byte) error {
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	p := e.parts[0]
	p.header.FirstRow = db.nextRow[p.table.number]
	e.header = p.header
	return db.enqueueLocked(e, payload)
}

// enqueueLocked gives the record its place, in one order for the WAL, the rows
// and the applier. The caller holds appendMu and has numbered the parts.
func (db *DB) enqueueLocked(e *entry, payload []byte) error {
	if db.closed {
		return ErrClosed
	}
	if len(db.queue) == cap(db.queue) { // so that nothing blocks under the mutex
		db.counters.refused.Add(1)
		return ErrOverloaded
	}
	lsn, synced, err := db.wal.Append(e.header, payload)
	if err != nil {
		return walError(err)
	}
	e.header.LSN, e.synced = lsn, synced
	for _, p := range e.parts {
		p.header.LSN = lsn
		db.nextRow[p.table.number] = p.header.FirstRow + uint64(p.items)
	}
	for i := range e.keyed {
		e.keyed[i].lsn = lsn
		db.keyedOnWay[keyedName(e.keyed[i].table, e.keyed[i].key)] = lsn
	}
	db.requests.written(e.header)
	db.queue <- e
	return nil
}

// maxApplied is how many records become visible in one view.
const maxApplied = 256

// runApplier makes synced records visible in LSN order. It ends when the queue
// is closed and empty.
func (db *DB) runApplier() {
	for first := range db.queue {
		batch := []*entry{first}
		for len(batch) < maxApplied && len(db.queue) > 0 {
			batch = append(batch, <-db.queue)
		}
		db.applySynced(batch)
	}
}

// applySynced applies the records that are synced and releases their callers.
func (db *DB) applySynced(batch []*entry) {
	synced := 0
	for _, p := range batch {
		if !db.opts.faults.visibleBeforeSync {
			if err := p.synced.Wait(context.Background()); err != nil {
				db.fail(err)
			}
		}
		if db.Err() != nil { // nothing after a failed record may become visible
			break
		}
		synced++
	}
	if synced > 0 {
		if err := db.apply(batch[:synced]); err != nil {
			db.fail(err)
			synced = 0
		}
		db.forgetOnWay(batch[:synced])
	}
	for i, p := range batch {
		if i >= synced {
			p.err = db.Err()
		}
		db.requests.settle(p)
		close(p.done)
	}
	db.maybeFlush()
}
