package engine

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A View is one consistent state of the store: every record up to LSN, and no
// other. It never changes. What it refers to stays until Release.
type View struct {
	db         *DB
	lsn        uint64
	generation uint64 // counts the changes of the lists of blocks
	tables     []*tableView
	keyed      keyedView

	number uint64       // in the order of publishing
	refs   atomic.Int64 // holders, and one while it is the newest; never leaves 0
}

// tableView is a table in a view.
type tableView struct {
	mem      []*memBatch // in the order of their rows' numbers
	frozen   int         // how many of mem a flush is writing: these are not merged
	memRows  int
	memBytes int64
	oldest   time.Time   // when the first batch came
	blocks   []*blockRef // by id
	parts    []*partRef  // by id
	rows     int64       // in all, dead ones included
	dead     int64
	nextRow  uint64 // running number of the first row beyond this view
}

// A blockRef is a block in a view: its manifest entry and its deletion vector.
type blockRef struct {
	meta        *layout.BlockMeta
	dead        vector.Bitmap // nil: none
	deadCount   int
	deadChanged bool // not yet in the hot store as it is
}

// View gives the newest state. Release it; one that is dropped without Release
// is given up when the garbage collector finds it.
func (db *DB) View() *View {
	for {
		if v := db.view.Load(); v.acquire() {
			return v
		}
	}
}

// acquire fails once nobody holds the view, so that a state whose blocks may
// be gone is never handed out: its loader must look for the newest again.
func (v *View) acquire() bool {
	for {
		n := v.refs.Load()
		if n == 0 {
			return false
		}
		if v.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release gives the view up. Scans of it must have ended.
func (v *View) Release() {
	switch n := v.refs.Add(-1); {
	case n == 0:
		v.db.held.forget(v.number)
	case n < 0:
		panic("BUG: a view was released twice")
	}
}

// publishLocked makes next the newest view. The caller holds stateMu.
func (db *DB) publishLocked(next *View) {
	old := db.view.Load()
	if old != nil {
		next.number = old.number + 1
	}
	next.refs.Store(1)
	db.held.add(next.number, next.lsn)
	runtime.AddCleanup(next, db.held.forget, next.number)
	db.view.Store(next)
	if old != nil {
		old.Release()
	}
}

// clone makes a state that can be changed: lists are replaced, never written to.
func (v *View) clone() *View {
	next := &View{db: v.db, lsn: v.lsn, generation: v.generation, keyed: v.keyed, tables: make([]*tableView, len(v.tables))}
	for i, t := range v.tables {
		copied := *t
		next.tables[i] = &copied
	}
	return next
}

// NextRow is the running number that the next row to arrive in a table will
// have: all rows of the view have lower ones.
func (v *View) NextRow(name string) uint64 {
	_, tv, ok := v.table(name)
	if !ok {
		return 0
	}
	return tv.nextRow
}

// add appends a batch to the memtable.
func (tv *tableView) add(t *table, b *memBatch, now time.Time, limit, fan int) {
	if len(tv.mem) == 0 {
		tv.oldest = now
	}
	tv.rows += int64(b.rows.N)
	tv.memRows += b.rows.N
	// Appending writes behind the end of what other views see of the array.
	grown := append(tv.mem, b)
	tv.mem = coalesce(t, grown, tv.frozen, limit, fan)
	tv.memBytes += b.bytes
}

// recount makes the counters of what the lists hold.
func (tv *tableView) recount() {
	tv.rows, tv.dead, tv.memRows, tv.memBytes = 0, 0, 0, 0
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
	for _, p := range tv.parts {
		tv.rows += int64(p.meta.Rows)
		tv.dead += int64(p.deadCount)
	}
}

// block finds a block by its id.
func (tv *tableView) block(id uint64) (at int, ok bool) {
	return slices.BinarySearchFunc(tv.blocks, id, func(b *blockRef, id uint64) int { return cmp.Compare(b.meta.ID, id) })
}

// part finds a part by its id.
func (tv *tableView) part(id uint64) (at int, ok bool) {
	return slices.BinarySearchFunc(tv.parts, id, func(p *partRef, id uint64) int { return cmp.Compare(p.meta.ID, id) })
}

// killStored marks rows of a block or a part as dead.
func (tv *tableView) killStored(id uint64, rows []int) {
	n := 0
	if at, ok := tv.block(id); ok {
		next := *tv.blocks[at]
		if next.dead, n = kill(next.dead, next.meta.Rows, rows); n > 0 {
			next.deadCount, next.deadChanged = next.deadCount+n, true
			tv.blocks = slices.Clone(tv.blocks)
			tv.blocks[at] = &next
		}
	} else if at, ok := tv.part(id); ok {
		next := *tv.parts[at]
		if next.dead, n = kill(next.dead, next.meta.Rows, rows); n > 0 {
			next.deadCount, next.deadChanged = next.deadCount+n, true
			tv.parts = slices.Clone(tv.parts)
			tv.parts[at] = &next
		}
	} else {
		panic("BUG: a row dies in a block that the view lacks")
	}
	tv.dead += int64(n)
}

// kill gives a copy of dead with rows added, and how many were not in it.
func kill(dead vector.Bitmap, total int, rows []int) (vector.Bitmap, int) {
	if dead == nil {
		dead = vector.NewBitmap(total)
	} else {
		dead = dead.Clone()
	}
	n := 0
	for _, row := range rows {
		if !dead.Get(row) {
			dead.Set(row)
			n++
		}
	}
	return dead, n
}

// LSN is the last record that the view has.
func (v *View) LSN() uint64 { return v.lsn }

// table finds a table of the view by name.
func (v *View) table(name string) (*table, *tableView, bool) {
	for i, t := range v.db.tables {
		if t.Schema.Name == name {
			return t, v.tables[i], true
		}
	}
	return nil, nil, false
}

// Rows counts the live rows of a table, from metadata alone, those of unsettled
// keys too; 0 for a table that is not stored.
func (v *View) Rows(name string) int64 {
	_, tv, ok := v.table(name)
	if !ok {
		return 0
	}
	return tv.rows - tv.dead
}

// TimeRange gives bounds of the times of a table's rows, in ns since 1970,
// from metadata alone: dead rows count too. ok is false if it has no rows.
func (v *View) TimeRange(name string) (least, greatest int64, ok bool) {
	_, tv, known := v.table(name)
	if !known {
		return 0, 0, false
	}
	least, greatest = math.MaxInt64, math.MinInt64
	for _, b := range tv.mem {
		least, greatest = min(least, b.minTime), max(greatest, b.maxTime)
	}
	for _, b := range tv.blocks {
		least, greatest = min(least, b.meta.MinTime), max(greatest, b.meta.MaxTime)
	}
	for _, p := range tv.parts {
		least, greatest = min(least, p.meta.MinTime), max(greatest, p.meta.MaxTime)
	}
	return least, greatest, least <= greatest
}

// A BlockInfo describes a block.
type BlockInfo struct {
	Table            string
	ID               uint64
	Rows, Dead       int
	Bytes            int
	MinTime, MaxTime int64 // ns since 1970
	MinLSN, MaxLSN   uint64
}

// Blocks lists the blocks of all tables.
func (v *View) Blocks() []BlockInfo {
	var list []BlockInfo
	for i, t := range v.db.tables {
		for _, b := range v.tables[i].blocks {
			list = append(list, BlockInfo{
				Table: t.Schema.Name, ID: b.meta.ID, Rows: b.meta.Rows, Dead: b.deadCount, Bytes: b.meta.Bytes,
				MinTime: b.meta.MinTime, MaxTime: b.meta.MaxTime, MinLSN: b.meta.MinLSN, MaxLSN: b.meta.MaxLSN,
			})
		}
	}
	return list
}

// Memtables describes the memtable of each table that has rows in it, as a
// block without an id.
func (v *View) Memtables() []BlockInfo {
	var list []BlockInfo
	for i, t := range v.db.tables {
		tv := v.tables[i]
		if tv.memRows == 0 {
			continue
		}
		m := BlockInfo{Table: t.Schema.Name, Rows: tv.memRows, MinTime: math.MaxInt64, MaxTime: math.MinInt64, MinLSN: math.MaxUint64}
		for _, b := range tv.mem {
			m.MinTime, m.MaxTime = min(m.MinTime, b.minTime), max(m.MaxTime, b.maxTime)
			m.MinLSN, m.MaxLSN = min(m.MinLSN, b.lsns[0]), max(m.MaxLSN, b.lsns[len(b.lsns)-1])
			m.Bytes += int(b.bytes)
			if b.dead != nil {
				m.Dead += b.dead.Count()
			}
		}
		list = append(list, m)
	}
	return list
}

// A PartInfo describes a part.
type PartInfo struct {
	BlockInfo
	Name    string // in the object store
	Level   int
	Problem string // why its file cannot be read, as far as is known: "missing", or its size
}

// Parts lists the parts of all tables.
func (v *View) Parts() []PartInfo {
	var list []PartInfo
	for i, t := range v.db.tables {
		for _, p := range v.tables[i].parts {
			m := p.meta
			list = append(list, PartInfo{Name: m.Name, Level: int(m.Level), Problem: v.db.parts.problem(m), BlockInfo: BlockInfo{
				Table: t.Schema.Name, ID: m.ID, Rows: m.Rows, Dead: p.deadCount, Bytes: int(m.Bytes),
				MinTime: m.MinTime, MaxTime: m.MaxTime, MinLSN: m.MinLSN, MaxLSN: m.MaxLSN,
			}})
		}
	}
	return list
}
