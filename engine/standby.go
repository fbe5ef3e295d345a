package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/wal"
)

// Errors of replication that callers test for.
var (
	// ErrStandby: the store takes only what its leader ships.
	ErrStandby = errors.New("engine: a standby takes no writes of its own")
	// ErrUnconfirmed: the record is synced and visible here, but not enough
	// sinks have said in time that they have it. It stays.
	ErrUnconfirmed = errors.New("engine: the record is not known to be replicated")
)

// confirmed waits for the sinks that an answer needs.
func (db *DB) confirmed(ctx context.Context, lsn uint64) error {
	if db.opts.WAL.RequiredAcks == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, db.opts.AckTimeout)
	defer cancel()
	if err := db.wal.WaitAcked(ctx, lsn); err != nil {
		return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
	}
	return nil
}

// LastLSN is the last record that is synced. With Ship it makes a standby a
// wal.Sink of its leader.
func (db *DB) LastLSN() uint64 { return db.wal.DurableLSN() }

// Ship appends and applies records of the leader, as replay would, and returns
// once they are synced and visible. Calls come one after the other.
func (db *DB) Ship(ctx context.Context, frames []wal.Frame) error {
	if err := db.Err(); err != nil {
		return err
	}
	if !db.opts.Standby {
		return errors.New("engine: not a standby")
	}
	whole := &manifest{tables: make([]tableManifest, len(db.tables))} // nothing is applied already
	var last *entry
	for _, f := range frames {
		if f.Header.LSN <= db.wal.LastLSN() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		numbers := slices.Clone(db.nextRow)
		e, err := db.decodeRecord(f.Header, f.Payload, whole)
		if err == nil {
			err = db.takeNumbers(e)
		}
		if err == nil {
			e.done = make(chan struct{})
			err = db.enqueueShipped(e, f)
		}
		if err != nil {
			copy(db.nextRow, numbers)
			return err
		}
		last = e
	}
	if last == nil {
		return nil
	}
	select {
	case <-last.done:
		return last.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) enqueueShipped(e *entry, f wal.Frame) error {
	db.appendMu.Lock()
	defer db.appendMu.Unlock()
	switch {
	case db.closed:
		return ErrClosed
	case len(db.queue) == cap(db.queue):
		return ErrOverloaded
	}
	synced, err := db.wal.AppendShipped(f.Header, f.Payload)
	if err != nil {
		return walError(err)
	}
	e.synced = synced
	db.requests.written(f.Header) // for the leader that this store may become
	db.queue <- e
	return nil
}

// defaultAckTimeout is Options.AckTimeout where it is not set.
const defaultAckTimeout = 10 * time.Second
