package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// Rows older than Options.Retention are invisible from that moment: a scan is
// told by ScanRequest.Since where a table begins. What they are stored in goes
// later, once all of it has expired; in the memtable they die at the next
// flush. Nothing in the WAL says so: replay brings expired rows back into the
// memtable, where they die again.

// prunedByRetention is the reason that a scan gives for what has expired.
const prunedByRetention = "retention"

// leastTime gives the least time of a row that a scan gives.
func leastTime(since int64) int64 {
	if since == 0 {
		return math.MinInt64
	}
	return since
}

// kept narrows a test of rows to those that have not expired.
func (s *Scan) kept(times []int64, wanted func(row int) bool) func(row int) bool {
	since := s.since
	return func(row int) bool { return times[row] >= since && (wanted == nil || wanted(row)) }
}

// Retention says how long rows of a table are kept; 0 is for ever.
func (db *DB) Retention(table string) time.Duration { return db.opts.Retention[table] }

// Cutoff gives the time, in ns since 1970, before which rows of a table have
// expired at a moment; 0 if none ever do.
func (db *DB) Cutoff(table string, now int64) int64 { return cutoff(db.Retention(table), now) }

func cutoff(keep time.Duration, now int64) int64 {
	if keep == 0 || now < math.MinInt64+int64(keep) {
		return 0
	}
	return now - int64(keep)
}

// RowsSince counts the live rows of a table whose time is not before since, as
// a scan would. Only times in what has begun to expire are read, and the keys of
// parts with unsettled ones; otherwise nothing is, as by Rows.
func (v *View) RowsSince(ctx context.Context, name string, since int64) (int64, error) {
	t, tv, ok := v.table(name)
	if !ok || tv.begins(since) {
		rows := v.Rows(name)
		if !ok {
			return rows, nil
		}
		for _, p := range tv.parts {
			settled, err := v.db.settled(t, p)
			if err != nil {
				return 0, err
			}
			rows -= int64(settled.deadCount - p.deadCount)
		}
		return rows, nil
	}
	s, err := v.Scan(ScanRequest{Table: name, Since: since})
	if err != nil {
		return 0, err
	}
	r := s.Reader()
	defer r.Close()
	for {
		if b, err := r.Next(ctx); err != nil || b == nil {
			return s.Stats().Rows, err
		}
	}
}

// begins reports whether no row of the table is before a time.
func (tv *tableView) begins(since int64) bool {
	if since == 0 {
		return true
	}
	for _, b := range tv.mem {
		if b.minTime < since {
			return false
		}
	}
	for _, b := range tv.blocks {
		if b.meta.MinTime < since {
			return false
		}
	}
	for _, p := range tv.parts {
		if p.meta.MinTime < since {
			return false
		}
	}
	return true
}

// expire kills the rows of the memtable that are before a time.
func (tv *tableView) expire(t *table, before int64) {
	if before == 0 {
		return
	}
	cloned := false
	for at, b := range tv.mem {
		if b.minTime >= before {
			continue
		}
		var rows []int
		for row, nanos := range b.rows.Cols[t.time].Ints {
			if nanos < before {
				rows = append(rows, row)
			}
		}
		if !cloned { // other views share the array
			tv.mem, cloned = slices.Clone(tv.mem), true
		}
		killed, n := b.kill(rows)
		tv.mem[at] = killed
		tv.dead += int64(n)
	}
}

// maxClockLead is how far the clock may be ahead of the newest row and still
// decide what is deleted.
const maxClockLead = time.Hour

// advanceCutoffs moves the cutoffs by which rows are deleted to where they are
// now. They never go back.
func (db *DB) advanceCutoffs() {
	now := db.believedNow()
	for i, t := range db.tables {
		before := cutoff(db.opts.Retention[t.Schema.Name], now)
		if slices.Contains(db.opts.Held, t.Schema.Name) && !db.opts.faults.deleteHeld {
			before = min(before, db.released[i].Load())
		}
		db.cutoffs[i] = max(db.cutoffs[i], before)
	}
}

// Release says that rows of a table of Options.Held whose time is before one, in
// ns since 1970, may be deleted once they have expired.
func (db *DB) Release(table string, before int64) {
	for i, t := range db.tables {
		if t.Schema.Name == table {
			db.released[i].Store(before)
		}
	}
}

// Expiry gives the time, in ns since 1970, before which rows may be deleted that
// are kept for so long; 0 if none may.
func (db *DB) Expiry(keep time.Duration) int64 { return cutoff(keep, db.believedNow()) }

// believedNow gives the time by which rows and payloads may be deleted. A clock
// that is far ahead hides rows for as long as it is, but does not get them
// deleted: more than maxClockLead beyond the newest arrival known it is not
// believed. Since Open that is the newest receive time of a record, before it
// the newest time of a stored row.
func (db *DB) believedNow() int64 {
	newest := db.newestArrival.Load()
	for _, tv := range db.view.Load().tables {
		for _, b := range tv.blocks {
			newest = max(newest, b.meta.MaxTime)
		}
		for _, p := range tv.parts {
			newest = max(newest, p.meta.MaxTime)
		}
	}
	now := db.opts.Now().UnixNano()
	if newest < math.MaxInt64-int64(maxClockLead) {
		now = min(now, newest+int64(maxClockLead))
	}
	return now
}

// noteArrival keeps the newest receive time of a record.
func (db *DB) noteArrival(nanos int64) {
	for {
		known := db.newestArrival.Load()
		if nanos <= known || db.newestArrival.CompareAndSwap(known, nanos) {
			return
		}
	}
}

// Expired says what retention has dropped of a table.
type Expired struct {
	Table         string
	Blocks, Parts int
	Rows, Bytes   int64
}

// ApplyRetention drops the blocks and parts all of whose rows have expired.
// Views that have them keep them. What of the list is set has been dropped even
// if there is an error: then files of parts may be left, which the next run or
// the next Open deletes.
func (db *DB) ApplyRetention(ctx context.Context) (list []Expired, err error) {
	err = db.compactWorker.do(ctx, func(ctx context.Context) error {
		list, err = db.applyRetention(ctx)
		return err
	})
	return list, storeError(err)
}

// applyRetention runs on the compactor's goroutine, so that no compaction has
// claimed what it drops.
func (db *DB) applyRetention(ctx context.Context) (list []Expired, err error) {
	if len(db.opts.Retention) == 0 {
		return nil, nil
	}
	var dropped []*expired
	err = db.onFlusher(ctx, func() error {
		dropped, err = db.dropExpired()
		return err
	})
	for _, d := range dropped {
		list = append(list, d.Expired)
		for _, p := range d.parts {
			db.goneParts = append(db.goneParts, gonePart{p.meta, d.view})
		}
	}
	if err != nil || len(dropped) == 0 {
		return list, err
	}
	if err := db.publishLive(ctx); err != nil {
		return list, fmt.Errorf("list the parts that count: %w", err)
	}
	return list, db.deleteGoneParts(ctx)
}

// expired is what has to go of one table.
type expired struct {
	Expired
	table  *table
	blocks []*blockRef
	parts  []*partRef
	view   uint64 // number of the first view without them
}

// dropExpired takes what has expired out of the manifest, and then out of the
// view. It runs on the flusher's goroutine.
func (db *DB) dropExpired() (dropped []*expired, err error) {
	if err := db.Err(); err != nil {
		return nil, err
	}
	db.advanceCutoffs()
	dropped = db.findExpired(db.view.Load())
	if len(dropped) == 0 {
		return nil, nil
	}
	job := db.jobs.begin(RetentionJob, "")
	defer func() { job.end(err) }()
	var writes []hot.Write
	for _, d := range dropped {
		job.read(d.Blocks+d.Parts, int(d.Rows), d.Bytes)
		for _, ref := range d.blocks {
			writes = append(writes, replacedWrites(ref.meta)...)
		}
		for _, p := range d.parts {
			if err := db.parts.keep(d.table, p.meta); err != nil {
				return nil, err
			}
			writes = append(writes, partGoneWrites(p.meta)...)
		}
	}
	if db.opts.faults.dropBeforeCommit {
		for _, d := range dropped {
			for _, p := range d.parts {
				_ = db.parts.store.Delete(context.Background(), p.meta.Name)
				fs := db.opts.FS // a removal may reach the disk at once
				_ = syncFolder(fs, fs.PathDir(fs.PathJoin(db.dir, layout.ColdDir, p.meta.Name)))
			}
		}
	}
	if err := db.commit(writes); err != nil {
		db.fail(err)
		return nil, db.Err()
	}
	db.publishExpired(dropped)
	return dropped, nil
}

// partGoneWrites takes a part out of the manifest.
func partGoneWrites(m *layout.PartMeta) []hot.Write {
	return []hot.Write{
		{Key: layout.PartKey(m.Table, m.ID)},
		{Key: layout.PartIndexKey(m.Table, m.ID)},
		{Key: layout.PartDeadKey(m.Table, m.ID)},
		{Key: layout.UnsettledKey(m.Table, m.ID)},
		{Key: layout.DigestKey(m.Table, m.ID)},
	}
}

func (db *DB) findExpired(v *View) (list []*expired) {
	for i, t := range db.tables {
		before := db.cutoffs[i]
		if before == 0 {
			continue
		}
		d := &expired{Expired: Expired{Table: t.Schema.Name}, table: t}
		for _, ref := range v.tables[i].blocks {
			if ref.meta.MaxTime < before && !db.claimed[ref.meta] {
				d.blocks = append(d.blocks, ref)
				d.Rows, d.Bytes = d.Rows+int64(ref.meta.Rows-ref.deadCount), d.Bytes+int64(ref.meta.Bytes)
			}
		}
		for _, p := range v.tables[i].parts {
			if p.meta.MaxTime < before {
				d.parts = append(d.parts, p)
				d.Rows, d.Bytes = d.Rows+int64(p.meta.Rows-p.deadCount), d.Bytes+p.meta.Bytes
			}
		}
		if d.Blocks, d.Parts = len(d.blocks), len(d.parts); d.Blocks+d.Parts > 0 {
			list = append(list, d)
		}
	}
	return list
}

// publishExpired makes the view without what has been dropped.
func (db *DB) publishExpired(dropped []*expired) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	next := db.view.Load().clone()
	next.generation++
	for _, d := range dropped {
		tv := next.tables[d.table.number]
		blocks, parts := make(map[uint64]bool), make(map[uint64]bool)
		for _, ref := range d.blocks {
			blocks[ref.meta.ID] = true
		}
		for _, p := range d.parts {
			parts[p.meta.ID] = true
		}
		tv.blocks = slices.DeleteFunc(slices.Clone(tv.blocks), func(b *blockRef) bool { return blocks[b.meta.ID] })
		tv.parts = slices.DeleteFunc(slices.Clone(tv.parts), func(p *partRef) bool { return parts[p.meta.ID] })
		tv.recount()
	}
	db.publishLocked(next)
	for _, d := range dropped {
		d.view = next.number
		for _, ref := range d.blocks {
			db.gone = append(db.gone, goneBlock{ref.meta, next.number})
		}
	}
}
