package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A flushRequest asks for a flush; done, if set, has capacity 1 and gets its
// outcome.
type flushRequest struct{ done chan error }

// runFlusher is the one goroutine that writes blocks.
func (db *DB) runFlusher(ctx context.Context) {
	defer close(db.flushWorker.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	walFailed, hotFailed := db.wal.Failed(), db.hot.Failed()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case r := <-db.flushRequests:
			err = db.flush()
			if r.done != nil {
				r.done <- err
			}
		case task := <-db.flushWorker.tasks:
			task(ctx)
			continue
		case <-tick.C:
			db.checkDisk()
			if db.flushDue() {
				err = db.flush()
			}
		case <-walFailed:
			db.fail(db.wal.Err())
			walFailed = nil
			continue
		case <-hotFailed:
			db.fail(db.hot.Err())
			hotFailed = nil
			continue
		}
		switch {
		case err != nil:
		case db.diskLow.Load():
			_ = db.deleteGone() // merging needs space before it frees any
		default:
			_ = db.reblock(ctx) // it has told the listener, and stopped the engine
		}
	}
}

// flushDue reports whether the memtable is old, or the WAL long.
func (db *DB) flushDue() bool {
	v := db.View()
	defer v.Release()
	if v.lsn > db.flushedLSN.Load() && db.wal.Bytes() > db.opts.MaxWALBytes {
		return true
	}
	now := db.opts.Now()
	if len(v.keyed.runs) > 0 && now.Sub(v.keyed.oldest) >= db.opts.MaxMemtableAge {
		return true
	}
	for _, tv := range v.tables {
		if len(tv.mem) > 0 && now.Sub(tv.oldest) >= db.opts.MaxMemtableAge {
			return true
		}
	}
	return false
}

// countMemtable notes how large the memtable of the view is that it gives.
func (db *DB) countMemtable() *View {
	v := db.view.Load()
	bytes := v.keyed.bytes
	for _, tv := range v.tables {
		bytes += tv.memBytes
	}
	db.memBytes.Store(bytes)
	return v
}

// maybeFlush asks for a flush when the memtable has grown enough.
func (db *DB) maybeFlush() {
	v := db.countMemtable()
	full := slices.ContainsFunc(v.tables, func(tv *tableView) bool { return tv.memRows >= db.opts.MaxMemtableRows })
	if db.opts.faults.recycleTooEarly {
		_ = db.wal.Recycle(v.lsn + 1)
	}
	if full || db.memBytes.Load() >= db.opts.MaxMemtableBytes {
		select {
		case db.flushRequests <- flushRequest{}:
		default: // one is waiting already
		}
	}
}

// Checkpoint writes every row that is visible now into durable blocks.
func (db *DB) Checkpoint(ctx context.Context) error {
	r := flushRequest{done: make(chan error, 1)}
	select {
	case db.flushRequests <- r:
	case <-db.flushWorker.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-db.flushWorker.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush writes the memtable as it is now into blocks, and gives up the WAL
// segments that held it.
func (db *DB) flush() error {
	if err := db.roomToFlush(); err != nil {
		return err
	}
	err := db.flushBlocks()
	if err != nil {
		return err
	}
	if err := db.wal.Recycle(db.flushedLSN.Load() + 1); err != nil {
		return walError(err)
	}
	return nil
}

// flushBlocks writes the texts that leave their rows, then rows, the deletion vectors of what they replaced, the
// hashes of their requests and the applied LSN as one batch, then publishes the view that has the blocks.
func (db *DB) flushBlocks() error {
	if err := db.Err(); err != nil {
		return err
	}
	frozen := db.freeze()
	defer frozen.Release()
	return db.flushFrozen(frozen)
}

// vectorsChanged reports whether what is dead differs from what is stored,
// though nothing was applied since: the keys of a part have been settled.
func (v *View) vectorsChanged() bool {
	return slices.ContainsFunc(v.tables, func(tv *tableView) bool {
		return slices.ContainsFunc(tv.blocks, func(b *blockRef) bool { return b.deadChanged }) ||
			slices.ContainsFunc(tv.parts, func(p *partRef) bool { return p.deadChanged })
	})
}

// flushFrozen is flushBlocks of a view that freeze gave.
func (db *DB) flushFrozen(frozen *View) (err error) {
	if frozen.lsn == db.flushedLSN.Load() && !frozen.vectorsChanged() {
		return nil
	}
	job := db.jobs.begin(FlushJob, "")
	begun := false // to change what a second try would build on
	defer func() {
		job.end(err)
		switch {
		case err == nil:
		case !begun && vfs.IsNoSpaceError(err):
			db.diskLow.Store(true)
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		default:
			db.fail(err)
			err = db.Err()
		}
	}()

	var blocks []*newBlock
	taken := make(takenTexts)
	for i, t := range db.tables {
		job.read(0, frozen.tables[i].memRows, frozen.tables[i].memBytes)
		list, err := db.buildBlocks(t, frozen.tables[i], taken)
		if err != nil {
			return err
		}
		blocks = append(blocks, list...)
	}
	for _, b := range blocks {
		job.wrote(1, b.meta.Rows, int64(len(b.raw)))
	}
	if db.sweeper.taken != nil {
		for hash := range taken {
			db.sweeper.taken[hash] = true
		}
	}
	var texts []hot.Write
	if !db.opts.faults.recycleBeforeBlob {
		if texts, err = taken.write(db.blobs); err != nil {
			return err
		}
	}
	begun = true
	writes, written := db.flushWrites(frozen, blocks)
	keyed, err := db.keyedWrites(frozen)
	if err != nil {
		return err
	}
	if !db.opts.faults.keyedNotInBatch {
		writes = append(writes, keyed...)
	}
	requests := db.requests.flushWrites(frozen.lsn, db.opts.Now().UnixNano())
	if !db.opts.faults.hashesNotInBatch {
		writes = append(writes, requests...)
	}
	if db.opts.faults.recycleBeforeBlob {
		err = errors.Join(db.commit(writes), db.wal.Recycle(frozen.lsn+1))
		var problem error
		texts, problem = taken.write(db.blobs)
		if err = errors.Join(err, problem); err != nil {
			return err
		}
		writes = nil
	}
	if err := db.commit(append(writes, texts...)); err != nil {
		return err
	}
	db.publishFlush(blocks, written)
	db.flushedLSN.Store(frozen.lsn)
	return nil
}

// commit writes a batch to the hot store. With a planted bug the states of the
// tables follow in a batch of their own.
func (db *DB) commit(writes []hot.Write) error {
	if !db.opts.faults.appliedApart {
		return db.hot.Commit(writes)
	}
	isState := func(w hot.Write) bool { return layout.KeyKind(w.Key[0]) == layout.StateKind }
	states := slices.DeleteFunc(slices.Clone(writes), func(w hot.Write) bool { return !isState(w) })
	if err := db.hot.Commit(slices.DeleteFunc(slices.Clone(writes), isState)); err != nil {
		return err
	}
	return db.hot.Commit(states)
}

// freeze marks the memtable's batches as being written, without the rows that
// have expired. The view it gives is the caller's to release.
func (db *DB) freeze() *View {
	db.advanceCutoffs()
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	next := db.view.Load().clone()
	for i, tv := range next.tables {
		tv.expire(db.tables[i], db.cutoffs[i])
		tv.frozen = len(tv.mem)
	}
	next.keyed.frozen = len(next.keyed.runs)
	db.publishLocked(next)
	next.acquire() // it is the newest, so this cannot fail
	return next
}

// lateAfter and lateBefore are how far a row's time may be from its arrival
// before it goes to the late partition, so that no clock can make thousands
// of partitions.
const (
	lateAfter  = 24 * int64(time.Hour)
	lateBefore = int64(time.Hour)
)

// partition gives the hour of a row's block.
func partition(nanos, arrival int64) int64 {
	if nanos < arrival && !within(nanos, arrival, lateAfter) || nanos > arrival && !within(nanos, arrival, lateBefore) {
		return layout.LateHour
	}
	return hourOf(nanos)
}

// buildBlocks encodes the live rows of the frozen memtable, hour by hour. The
// texts that leave them go to taken.
func (db *DB) buildBlocks(t *table, tv *tableView, taken takenTexts) ([]*newBlock, error) {
	sources := make([]sourceRows, tv.frozen)
	hours := make(map[int64][]block.Pick)
	for s, b := range tv.mem[:tv.frozen] {
		sources[s] = sourceRows{taken.offload(t, b.rows), b.numbers, b.lsns}
		times, arrivals := b.rows.Cols[t.time].Ints, b.arrivals
		if t.arrival >= 0 {
			arrivals = b.rows.Cols[t.arrival].Ints
		}
		for row := range b.rows.N {
			if b.dead == nil || !b.dead.Get(row) {
				hour := partition(times[row], arrivals[row])
				hours[hour] = append(hours[hour], block.Pick{Source: uint32(s), Row: uint32(row)})
			}
		}
	}
	order := make([]int64, 0, len(hours))
	for hour := range hours {
		order = append(order, hour)
	}
	slices.Sort(order)
	var out []*newBlock
	for _, hour := range order {
		list, err := db.encodeBlocks(t, hour, sources, hours[hour], taken)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// memDead tells what is dead in the memtable as it is now.
func memDead(now *tableView) func(uint32) vector.Bitmap {
	return func(source uint32) vector.Bitmap { return now.mem[source].dead }
}

// blockWrites is what stores a new block.
func (db *DB) blockWrites(b *newBlock, dead vector.Bitmap) []hot.Write {
	m := b.meta
	writes := []hot.Write{
		{Key: layout.BlockKey(m.Table, m.Hour, m.ID), Value: b.raw},
		{Key: layout.MetaKey(m.Table, m.Hour, m.ID), Value: m.Append(nil)},
		{Key: layout.DigestKey(m.Table, m.ID), Value: b.digest.Append(nil)},
	}
	if dead != nil && !db.opts.faults.deadNotInBatch {
		writes = append(writes, hot.Write{Key: layout.DeadKey(m.Table, m.Hour, m.ID), Value: layout.AppendDead(nil, dead, m.Rows)})
	}
	return writes
}

// flushWrites makes the batch: blocks, manifest entries, every deletion vector
// that is not stored as it is, and the states of all tables. written tells
// which vectors of old blocks and parts are in it.
//
// A vector may name rows that records beyond the frozen ones replaced. Those
// records are synced, and replay finds the same.
func (db *DB) flushWrites(frozen *View, blocks []*newBlock) (writes []hot.Write, written map[any]bool) {
	now := db.View()
	defer now.Release()
	written = make(map[any]bool)
	for _, b := range blocks {
		writes = append(writes, db.blockWrites(b, b.deadRows(memDead(now.tables[b.table.number])))...)
	}
	for i, t := range db.tables {
		for _, ref := range now.tables[i].blocks {
			if !ref.deadChanged {
				continue
			}
			written[ref] = true
			if !db.opts.faults.deadNotInBatch {
				m := ref.meta
				writes = append(writes, hot.Write{Key: layout.DeadKey(t.ID, m.Hour, m.ID), Value: layout.AppendDead(nil, ref.dead, m.Rows)})
			}
		}
		for _, p := range now.tables[i].parts {
			if !p.deadChanged {
				continue
			}
			written[p] = true
			if !db.opts.faults.deadNotInBatch && !db.opts.faults.partDeadNotInBatch {
				writes = append(writes, vectorWrites(p.meta, p.dead, p.unsettled)...)
			}
		}
		writes = append(writes, db.stateWrite(t, frozen.lsn, frozen.tables[i].nextRow))
	}
	keyed := layout.TableState{AppliedLSN: frozen.lsn}
	writes = append(writes, hot.Write{Key: layout.StateKey(layout.KeyedState), Value: keyed.Append(nil)})
	return writes, written
}

func (db *DB) stateWrite(t *table, applied, rows uint64) hot.Write {
	if db.opts.faults.appliedAhead {
		applied = db.wal.DurableLSN()
	}
	state := layout.TableState{AppliedLSN: applied, Rows: rows, NextBlock: db.nextBlock[t.number]}
	db.stored[t.number] = state
	return hot.Write{Key: layout.StateKey(t.ID), Value: state.Append(nil)}
}

// publishFlush replaces the frozen batches by their blocks, with what died in
// them meanwhile.
func (db *DB) publishFlush(blocks []*newBlock, written map[any]bool) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	now := db.view.Load()
	next := now.clone()
	next.generation++
	for i, tv := range next.tables {
		tv.blocks = slices.Clone(tv.blocks)
		for k, ref := range tv.blocks {
			if written[ref] { // the same since it was written
				clean := *ref
				clean.deadChanged = false
				tv.blocks[k] = &clean
			}
		}
		tv.parts = slices.Clone(tv.parts)
		for k, p := range tv.parts {
			if written[p] {
				clean := *p
				clean.deadChanged = false
				tv.parts[k] = &clean
			}
		}
		for _, b := range blocks {
			if b.table.number != i {
				continue
			}
			ref := &blockRef{meta: b.meta}
			if dead := b.deadRows(memDead(now.tables[i])); dead != nil && !db.opts.faults.forgetKills {
				ref.dead, ref.deadCount, ref.deadChanged = dead, dead.Count(), true
			}
			tv.blocks = append(tv.blocks, ref)
		}
		tv.mem = slices.Clone(tv.mem[tv.frozen:])
		tv.frozen, tv.oldest = 0, db.opts.Now()
		tv.recount()
		db.memKeys[i] = keysOfMemtable(db.tables[i], tv)
	}
	next.keyed.drop(db.opts.Now())
	db.publishLocked(next)
}

// keysOfMemtable indexes the live rows by key.
func keysOfMemtable(t *table, tv *tableView) *memKeys {
	keys := newMemKeys(0)
	if len(t.key) == 0 {
		return keys
	}
	var key []byte
	for _, b := range tv.mem {
		for row := range b.rows.N {
			if b.dead != nil && b.dead.Get(row) {
				continue
			}
			key = t.keyBytes(key[:0], b.rows, row)
			hash := layout.Hash(key)
			var chain []uint64
			for number, ok := keys.newest[hash]; ok; number, ok = keys.older[number] {
				chain = append(chain, number)
			}
			keys.add(hash, b.numbers[row], chain)
		}
	}
	return keys
}
