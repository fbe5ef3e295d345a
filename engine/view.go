package engine

import (
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A View is one consistent state of the store: every record up to LSN, and no
// other. It never changes. Blocks are never deleted, so a view needs no
// release; whoever keeps one keeps its memtable batches in memory.
type View struct {
	db     *DB
	lsn    uint64
	tables []*tableView
}

// tableView is a table in a view.
type tableView struct {
	mem      []*memBatch // in the order of their rows' numbers
	frozen   int         // how many of mem a flush is writing: these are not merged
	memRows  int
	memBytes int64
	oldest   time.Time   // when the first batch came, zero if there is none
	blocks   []*blockRef // by id
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

// clone makes a state that can be changed: lists are replaced, never written to.
func (v *View) clone() *View {
	next := &View{db: v.db, lsn: v.lsn, tables: make([]*tableView, len(v.tables))}
	for i, t := range v.tables {
		copied := *t
		next.tables[i] = &copied
	}
	return next
}

// add appends a batch to the memtable.
func (tv *tableView) add(t *table, b *memBatch) {
	if len(tv.mem) == 0 {
		tv.oldest = time.Now()
	}
	tv.rows += int64(b.rows.N)
	tv.memRows += b.rows.N
	tv.memBytes += b.bytes
	// Appending writes behind the end of what other views see of the array.
	tv.mem = coalesce(t.Schema, append(tv.mem, b), tv.frozen)
}

// View gives the newest state.
func (db *DB) View() *View { return db.view.Load() }

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

// Rows counts the live rows of a table, from metadata alone.
func (v *View) Rows(name string) int64 {
	_, tv, ok := v.table(name)
	if !ok {
		return 0
	}
	return tv.rows - tv.dead
}

// A BlockInfo describes a block, for tael_parts.
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
			z := b.meta.Zones[t.Time]
			list = append(list, BlockInfo{
				Table: t.Schema.Name, ID: b.meta.ID, Rows: b.meta.Rows, Dead: b.deadCount, Bytes: b.meta.Bytes,
				MinTime: z.Min, MaxTime: z.Max, MinLSN: b.meta.MinLSN, MaxLSN: b.meta.MaxLSN,
			})
		}
	}
	return list
}

// loadManifest builds the view of what is in blocks, and gives the LSN up to
// which every record is.
func (db *DB) loadManifest() (*View, uint64, error) {
	v := &View{db: db}
	applied := uint64(0)
	for i, t := range db.tables {
		tv := &tableView{}
		v.tables = append(v.tables, tv)
		raw, err := db.hot.Get(layout.StateKey(t.ID))
		if err != nil {
			return nil, 0, err
		}
		if raw != nil {
			state, err := layout.DecodeState(raw)
			if err != nil {
				return nil, 0, corruptEntry(t, "state", 0, err)
			}
			db.nextRow[i], tv.nextRow = state.Rows, state.Rows
			if i == 0 {
				applied = state.AppliedLSN
			}
			applied = min(applied, state.AppliedLSN)
		} else {
			applied = 0
		}
		if err := db.loadBlocks(t, tv); err != nil {
			return nil, 0, err
		}
	}
	v.lsn = applied
	return v, applied, nil
}

func (db *DB) loadBlocks(t *table, tv *tableView) error {
	lower, upper := layout.TableRange(layout.MetaKind, t.ID)
	err := db.hot.Each(lower, upper, func(key, value []byte) error {
		name, _ := layout.ParseBlockKey(key)
		meta, err := layout.DecodeMeta(value)
		if err != nil {
			return corruptEntry(t, "manifest entry", name.ID, err)
		}
		tv.blocks = append(tv.blocks, &blockRef{meta: meta})
		tv.rows += int64(meta.Rows)
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range tv.blocks {
		raw, err := db.hot.Get(layout.DeadKey(t.ID, b.meta.Hour, b.meta.ID))
		if err != nil {
			return err
		}
		if raw != nil {
			dead, err := layout.DecodeDead(raw, b.meta.Rows)
			if err != nil {
				return corruptEntry(t, "deletion vector", b.meta.ID, err)
			}
			b.dead = dead
			b.deadCount = b.dead.Count()
			tv.dead += int64(b.deadCount)
		}
		if len(t.key) > 0 {
			db.keys[t.number].addBlock(b)
		}
	}
	slices.SortFunc(tv.blocks, func(a, b *blockRef) int { return int(a.meta.ID) - int(b.meta.ID) })
	return nil
}
