package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A flushRequest asks for a flush; done, if set, gets its outcome.
type flushRequest struct{ done chan error }

// flushLoop is the one goroutine that writes blocks.
func (db *DB) flushLoop(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-db.flushRequests:
			err := db.flush()
			if r.done != nil {
				r.done <- err
			}
		case <-tick.C:
			db.checkDisk()
			if v := db.view.Load(); db.tooOld(v) || db.wal.Bytes() > db.opts.MaxWALBytes && v.memRows() > 0 {
				_ = db.flush() // the failure is in db.Err, where every caller sees it
			}
		case <-db.wal.Failed():
			db.fail(db.wal.Err())
			<-ctx.Done()
			return
		case <-db.hot.Failed():
			db.fail(db.hot.Err())
			<-ctx.Done()
			return
		}
	}
}

func (v *View) memRows() int {
	n := 0
	for _, tv := range v.tables {
		n += tv.memRows
	}
	return n
}

func (db *DB) tooOld(v *View) bool {
	for _, tv := range v.tables {
		if len(tv.mem) > 0 && time.Since(tv.oldest) > db.opts.MaxMemtableAge {
			return true
		}
	}
	return false
}

// maybeFlush asks for a flush when the memtable has grown enough.
func (db *DB) maybeFlush() {
	v := db.view.Load()
	bytes, full := int64(0), false
	for _, tv := range v.tables {
		bytes += tv.memBytes
		full = full || tv.memRows >= db.opts.MaxMemtableRows
	}
	if full || bytes >= db.opts.MaxMemtableBytes {
		select {
		case db.flushRequests <- flushRequest{}:
		default: // one is waiting already
		}
	}
}

// checkDisk sets whether the disk is below the watermark.
func (db *DB) checkDisk() {
	if db.opts.MinFreeShare < 0 {
		return
	}
	usage, err := db.opts.FS.GetDiskUsage(db.dir)
	if err != nil || usage.TotalBytes == 0 {
		return // a file system that cannot tell is not refused for it
	}
	full := float64(usage.AvailBytes) < db.opts.MinFreeShare*float64(usage.TotalBytes)
	if db.diskFull.Swap(full) != full {
		db.opts.Logger.Warn("disk watermark", "below", full, "free", usage.AvailBytes, "total", usage.TotalBytes)
	}
}

// Checkpoint writes every row that is visible now into durable blocks.
func (db *DB) Checkpoint(ctx context.Context) error {
	r := flushRequest{done: make(chan error, 1)}
	select {
	case db.flushRequests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A newBlock is a block on its way into the hot store.
type newBlock struct {
	table *table
	meta  *layout.BlockMeta
	raw   []byte
	picks []block.Pick // Source is a place in the frozen memtable
}

// flush writes the memtable as it is now into blocks. Rows, the deletion
// vectors of what they replaced, and the applied LSN are one batch.
func (db *DB) flush() (err error) {
	if err := db.Err(); err != nil {
		return err
	}
	info := FlushInfo{Job: db.jobs.Add(1)}
	start := time.Now()
	defer func() {
		info.Took, info.Err = time.Since(start), err
		db.opts.Events.flushEnd(info)
		if err != nil {
			db.fail(err)
		}
	}()

	frozen, nextRows := db.freeze()
	info.LSN = frozen.lsn
	var blocks []*newBlock
	for i, t := range db.tables {
		list, err := db.buildBlocks(t, frozen.tables[i])
		if err != nil {
			return err
		}
		blocks = append(blocks, list...)
	}
	for _, b := range blocks {
		info.Rows, info.Blocks, info.Bytes = info.Rows+b.meta.Rows, info.Blocks+1, info.Bytes+len(b.raw)
	}
	if db.opts.faults.recycleTooEarly {
		_ = db.wal.Recycle(frozen.lsn + 1)
	}
	writes, written := db.flushWrites(frozen, blocks, nextRows)
	if err := db.hot.Commit(writes); err != nil {
		return err
	}
	db.publishFlush(frozen, blocks, written)
	if err := db.wal.Recycle(frozen.lsn + 1); err != nil {
		return fmt.Errorf("recycle the WAL: %w", err)
	}
	return nil
}

// freeze marks the memtable's batches as being written. nextRows is the running
// number of the first row of each table that is not in them.
func (db *DB) freeze() (frozen *View, nextRows []uint64) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	next := db.view.Load().clone()
	for _, tv := range next.tables {
		tv.frozen = len(tv.mem)
		nextRows = append(nextRows, tv.nextRow)
	}
	db.view.Store(next)
	return next, nextRows
}

// lateAfter and lateBefore are how far a row's time may be from its arrival
// before it goes to the late partition, so that no clock can make thousands
// of partitions.
const (
	lateAfter  = 24 * int64(time.Hour)
	lateBefore = int64(time.Hour)
)

// buildBlocks encodes the live rows of the frozen memtable, hour by hour in
// the order of time.
func (db *DB) buildBlocks(t *table, tv *tableView) ([]*newBlock, error) {
	sources := make([]*vector.Rows, tv.frozen)
	hours := make(map[int64][]block.Pick)
	for s, b := range tv.mem[:tv.frozen] {
		sources[s] = b.rows
		times := b.rows.Cols[t.time].Ints
		var arrivals []int64
		if t.arrival >= 0 {
			arrivals = b.rows.Cols[t.arrival].Ints
		}
		for row := range b.rows.N {
			if b.dead != nil && b.dead.Get(row) {
				continue
			}
			hour := hourOf(times[row])
			if arrivals != nil && (times[row] < arrivals[row]-lateAfter || times[row] > arrivals[row]+lateBefore) {
				hour = layout.LateHour
			}
			hours[hour] = append(hours[hour], block.Pick{Source: uint32(s), Row: uint32(row)})
		}
	}
	order := make([]int64, 0, len(hours))
	for hour := range hours {
		order = append(order, hour)
	}
	slices.Sort(order)
	var out []*newBlock
	id := db.nextBlock(tv)
	for _, hour := range order {
		picks := hours[hour]
		slices.SortStableFunc(picks, func(a, b block.Pick) int {
			return cmp.Compare(sources[a.Source].Cols[t.time].Ints[a.Row], sources[b.Source].Cols[t.time].Ints[b.Row])
		})
		for part := range slices.Chunk(picks, block.MaxRows) {
			b, err := encodeBlock(t, id, hour, tv.mem, sources, part)
			if err != nil {
				return nil, err
			}
			out = append(out, b)
			id++
		}
	}
	return out, nil
}

// nextBlock gives the first unused block id of a table.
func (db *DB) nextBlock(tv *tableView) uint64 {
	if n := len(tv.blocks); n > 0 {
		return tv.blocks[n-1].meta.ID + 1
	}
	return 1
}

func encodeBlock(t *table, id uint64, hour int64, batches []*memBatch, sources []*vector.Rows, picks []block.Pick) (*newBlock, error) {
	numbers, lsns := make([]uint64, len(picks)), make([]uint64, len(picks))
	for i, p := range picks {
		b := batches[p.Source]
		numbers[i], lsns[i] = b.numbers[p.Row], b.lsns[p.Row]
	}
	raw, err := block.Encode(t.Schema, sources, picks, numbers, lsns)
	if err != nil {
		return nil, fmt.Errorf("encode a block of %s: %w", t.Schema.Name, err)
	}
	encoded, err := block.Open(t.Schema, raw)
	if err != nil {
		return nil, err
	}
	meta, err := layout.Describe(t.desc, encoded)
	if err != nil {
		return nil, fmt.Errorf("describe a block of %s: %w", t.Schema.Name, err)
	}
	meta.Table, meta.ID, meta.Hour = t.ID, id, hour
	return &newBlock{table: t, meta: meta, raw: raw, picks: picks}, nil
}

// deadRows gives the rows of a block on its way that died since it was
// encoded, by what the memtable says now.
func (b *newBlock) deadRows(now *tableView) vector.Bitmap {
	var dead vector.Bitmap
	for i, p := range b.picks {
		d := now.mem[p.Source].dead
		if d == nil || !d.Get(int(p.Row)) {
			continue
		}
		if dead == nil {
			dead = vector.NewBitmap(len(b.picks))
		}
		dead.Set(i)
	}
	return dead
}

// flushWrites makes the batch: blocks, manifest entries, every deletion vector
// that changed since the last flush, and the states of all tables. written
// tells which vectors of old blocks are in it.
func (db *DB) flushWrites(frozen *View, blocks []*newBlock, nextRows []uint64) (writes []hot.Write, written map[*blockRef]bool) {
	db.stateMu.Lock()
	now := db.view.Load()
	db.stateMu.Unlock()
	written = make(map[*blockRef]bool)
	last := make([]uint64, len(db.tables))
	for _, b := range blocks {
		t := b.table
		last[t.number] = b.meta.ID
		writes = append(writes,
			hot.Write{Key: layout.BlockKey(t.ID, b.meta.Hour, b.meta.ID), Value: b.raw},
			hot.Write{Key: layout.MetaKey(t.ID, b.meta.Hour, b.meta.ID), Value: b.meta.Append(nil)})
		if dead := b.deadRows(now.tables[t.number]); dead != nil && !db.opts.faults.deadNotInBatch {
			writes = append(writes, hot.Write{Key: layout.DeadKey(t.ID, b.meta.Hour, b.meta.ID), Value: layout.AppendDead(nil, dead, b.meta.Rows)})
		}
	}
	for i, t := range db.tables {
		for _, ref := range now.tables[i].blocks {
			if ref.deadChanged && !db.opts.faults.deadNotInBatch {
				written[ref] = true
				writes = append(writes, hot.Write{Key: layout.DeadKey(t.ID, ref.meta.Hour, ref.meta.ID), Value: layout.AppendDead(nil, ref.dead, ref.meta.Rows)})
			}
		}
		state := layout.TableState{AppliedLSN: frozen.lsn, Rows: nextRows[i], NextBlock: max(last[i]+1, db.nextBlock(frozen.tables[i]))}
		if db.opts.faults.stateAhead {
			state.AppliedLSN = db.wal.LastLSN()
		}
		writes = append(writes, hot.Write{Key: layout.StateKey(t.ID), Value: state.Append(nil)})
	}
	return writes, written
}

// publishFlush replaces the frozen batches by their blocks, with what died in
// them meanwhile.
func (db *DB) publishFlush(frozen *View, blocks []*newBlock, written map[*blockRef]bool) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	now := db.view.Load()
	next := now.clone()
	for _, tv := range next.tables {
		if len(tv.blocks) > 0 {
			tv.blocks = slices.Clone(tv.blocks)
		}
		for i, ref := range tv.blocks {
			if written[ref] { // unchanged since it was written
				clean := *ref
				clean.deadChanged = false
				tv.blocks[i] = &clean
			}
		}
	}
	for _, b := range blocks {
		i := b.table.number
		ref := &blockRef{meta: b.meta}
		if dead := b.deadRows(now.tables[i]); dead != nil && !db.opts.faults.loseLate {
			ref.dead, ref.deadCount, ref.deadChanged = dead, dead.Count(), true
		}
		next.tables[i].blocks = append(next.tables[i].blocks, ref)
		if len(b.table.key) > 0 {
			db.keys[i].addBlock(ref)
		}
	}
	for i, tv := range next.tables {
		db.dropFrozen(db.tables[i], tv)
	}
	db.generation.Add(1)
	db.view.Store(next)
}

// dropFrozen takes the flushed batches out of the memtable. Rows that were
// dead before the flush are gone for good; those counts go with them.
func (db *DB) dropFrozen(t *table, tv *tableView) {
	tv.mem = slices.Clone(tv.mem[tv.frozen:])
	tv.frozen, tv.memRows, tv.memBytes = 0, 0, 0
	tv.oldest = time.Now()
	tv.rows, tv.dead = 0, 0
	for _, b := range tv.mem {
		tv.memRows += b.rows.N
		tv.memBytes += b.bytes
		tv.rows += int64(b.rows.N)
		if b.dead != nil {
			tv.dead += int64(b.dead.Count())
		}
	}
	for _, b := range tv.blocks {
		tv.rows += int64(b.meta.Rows)
		tv.dead += int64(b.deadCount)
	}
	if len(t.key) == 0 {
		return
	}
	mem := make(map[uint64]uint64, tv.memRows)
	var key []byte
	for _, b := range tv.mem {
		for row := range b.rows.N {
			key = t.keyBytes(key[:0], b.rows, row)
			mem[layout.Hash(key)] = b.numbers[row]
		}
	}
	db.keys[t.number].mem = mem
}
