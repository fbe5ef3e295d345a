package engine

import (
	"context"
	"fmt"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// pending is a record between its WAL entry and its visibility.
type pending struct {
	header record.Header
	table  *table
	rows   *vector.Rows
	items  int
	synced *wal.Pending
	done   chan struct{} // closed when visible, or when err is set
	err    error
}

// Append makes a request durable and visible: when it returns nil, the record
// is synced and the next View has its rows. ErrOverloaded and ErrDiskFull
// pass; ErrFailed and ErrClosed do not. After any of these but ErrFailed
// nothing was written. When ctx ends first the outcome is unknown, and the
// rows stay if the record was written.
func (db *DB) Append(ctx context.Context, r Request) error {
	if err := db.Err(); err != nil {
		return err
	}
	t, ok := db.byType[r.Header.Type]
	if !ok {
		return fmt.Errorf("engine: no table takes records of type %v", r.Header.Type)
	}
	if db.diskLow.Load() {
		db.counters.refused.Add(1)
		return ErrDiskFull
	}
	size := int64(len(r.Body))
	inFlight := db.inFlight.Add(size)
	defer db.inFlight.Add(-size)
	// One request always fits. Beyond four memtables the flusher is too slow.
	if inFlight > size && inFlight > db.opts.MaxInFlightBytes || db.memBytes.Load() > 4*db.opts.MaxMemtableBytes {
		db.counters.refused.Add(1)
		return ErrOverloaded
	}
	if r.Header.ReceiveNanos == 0 {
		r.Header.ReceiveNanos = db.opts.Now().UnixNano()
	}
	payload := record.Compress(r.Header.Codec, r.Body)
	p := &pending{header: r.Header, table: t, rows: r.Rows, items: r.Items, done: make(chan struct{})}
	if err := db.enqueue(p, payload); err != nil {
		return err
	}
	switch {
	case db.opts.faults.ackBeforeSync:
		return nil
	case db.opts.faults.ackBeforeApply:
		return walError(p.synced.Wait(ctx))
	}
	select {
	case <-p.done:
		if p.err == nil {
			db.counters.appended.Add(1)
		}
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("engine: the outcome of record %d is unknown: %w", p.header.LSN, ctx.Err())
	}
}

// enqueue gives the record its numbers and its place, in one order for the
// WAL, the rows and the applier.
func (db *DB) enqueue(p *pending, payload []byte) error {
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	if db.closed {
		return ErrClosed
	}
	if len(db.queue) == cap(db.queue) { // so that nothing blocks under the mutex
		db.counters.refused.Add(1)
		return ErrOverloaded
	}
	p.header.FirstRow = db.nextRow[p.table.number]
	lsn, synced, err := db.wal.Append(p.header, payload)
	if err != nil {
		return walError(err)
	}
	db.nextRow[p.table.number] += uint64(p.items)
	p.header.LSN, p.synced = lsn, synced
	db.queue <- p
	return nil
}

// maxApplied is how many records become visible in one view.
const maxApplied = 256

// runApplier makes synced records visible in LSN order. It ends when the queue
// is closed and empty.
func (db *DB) runApplier() {
	for first := range db.queue {
		batch := []*pending{first}
		for len(batch) < maxApplied && len(db.queue) > 0 {
			batch = append(batch, <-db.queue)
		}
		db.applySynced(batch)
	}
}

// applySynced applies the records that are synced and releases their callers.
func (db *DB) applySynced(batch []*pending) {
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
	}
	for i, p := range batch {
		if i >= synced {
			p.err = db.Err()
		}
		close(p.done)
	}
	db.maybeFlush()
}
