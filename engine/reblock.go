package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// reblockInputs is how many small blocks of one hour are merged at once: a row
// is written again about log8(block rows / rows of a flush) times.
const reblockInputs = 8

// reblockBytes is the size of a block that is not small, however few rows it has:
// all columns of the inputs are in memory.
const reblockBytes = 2 << 20

// reblock merges small blocks of one hour until there are few, and deletes
// what earlier merges left and no view needs.
func (db *DB) reblock(ctx context.Context) error {
	for ctx.Err() == nil {
		v := db.View()
		t, refs := db.smallBlocks(v)
		if refs == nil {
			v.Release()
			break
		}
		before := len(db.damaged)
		err := db.mergeBlocks(v, t, refs)
		v.Release()
		if err != nil && len(db.damaged) == before {
			return err
		}
	}
	return db.deleteGone()
}

// smallBlocks finds blocks to merge: enough of one hour that are less than
// half full, and of like size, so that a large one is not written again and
// again for the sake of tiny ones.
func (db *DB) smallBlocks(v *View) (*table, []*blockRef) {
	type class struct {
		hour int64
		size int
	}
	for i, t := range db.tables {
		classes := make(map[class][]*blockRef)
		for _, ref := range v.tables[i].blocks {
			size := 0
			for rows := ref.meta.Rows - ref.deadCount; rows >= reblockInputs; rows /= reblockInputs {
				size++
			}
			if 2*ref.meta.Rows >= db.opts.BlockRows || ref.meta.Bytes >= reblockBytes || db.claimed[ref.meta] || db.damaged[ref.meta] {
				continue
			}
			c := class{ref.meta.Hour, size}
			if classes[c] = append(classes[c], ref); len(classes[c]) == reblockInputs {
				return t, classes[c]
			}
		}
	}
	return nil, nil
}

// mergeBlocks replaces blocks by fewer ones, without their dead rows.
func (db *DB) mergeBlocks(v *View, t *table, refs []*blockRef) (err error) {
	job := db.jobs.begin(ReblockJob, t.Schema.Name)
	reading := true
	defer func() {
		job.end(err)
		if err != nil && !(reading && errors.Is(err, ErrCorrupt)) {
			db.fail(err)
		}
	}()
	var sources []sourceRows
	var picks []block.Pick
	inputs := make(map[uint64]int) // block id → source
	for s, ref := range refs {
		inputs[ref.meta.ID] = s
		source, err := readRows(db.hot, t, ref.meta)
		if err != nil {
			if errors.Is(err, ErrCorrupt) {
				db.damaged[ref.meta] = true
			}
			return err
		}
		sources = append(sources, source)
		job.read(1, ref.meta.Rows, int64(ref.meta.Bytes))
		for row := range ref.meta.Rows {
			if ref.dead == nil || !ref.dead.Get(row) {
				picks = append(picks, block.Pick{Source: uint32(s), Row: uint32(row)})
			}
		}
	}
	reading = false
	blocks, err := db.encodeBlocks(t, refs[0].meta.Hour, sources, picks, nil)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		job.wrote(1, b.meta.Rows, int64(len(b.raw)))
	}

	current := db.View()
	dead := deadOf(current.tables[t.number], refs)
	current.Release()
	var writes []hot.Write
	for _, b := range blocks {
		writes = append(writes, db.blockWrites(b, b.deadRows(dead))...)
	}
	for _, ref := range refs {
		writes = append(writes, replacedWrites(ref.meta)...)
	}
	// The state knows the ids given out; the applied LSN is that of the last flush.
	writes = append(writes, db.stateWrite(t, db.stored[t.number].AppliedLSN, db.stored[t.number].Rows))
	if err := db.hot.Commit(writes); err != nil {
		return err
	}
	db.publishMerge(t, blocks, refs, inputs)
	return nil
}

// readRows decodes all of a block. References stay what they are.
func readRows(store *hot.Store, t *table, m *layout.BlockMeta) (sourceRows, error) {
	b, err := readBlock(store, t, m)
	if err != nil {
		return sourceRows{}, err
	}
	s := sourceRows{rows: &vector.Rows{Schema: t.Schema, N: b.Rows()}}
	for f := range t.Schema.Fields {
		c, err := b.Column(f)
		if err != nil {
			return s, blockError(t, m, err)
		}
		s.rows.Cols = append(s.rows.Cols, c)
	}
	numbers, err := b.RowNumbers()
	if err != nil {
		return s, blockError(t, m, err)
	}
	lsns, err := b.LSNs()
	if err != nil {
		return s, blockError(t, m, err)
	}
	for i := range b.Rows() {
		s.numbers, s.lsns = append(s.numbers, uint64(numbers.Ints[i])), append(s.lsns, uint64(lsns.Ints[i]))
	}
	return s, nil
}

// deadOf tells what is dead in blocks as a view has them, by their place in refs.
func deadOf(tv *tableView, refs []*blockRef) func(uint32) vector.Bitmap {
	vectors := make([]vector.Bitmap, len(refs))
	for i, ref := range refs {
		if at, ok := tv.block(ref.meta.ID); ok {
			vectors[i] = tv.blocks[at].dead
		}
	}
	return func(source uint32) vector.Bitmap { return vectors[source] }
}

// replacedWrites takes a block out of the manifest. Until nobody reads it, it
// has a deletion vector without a manifest entry.
func replacedWrites(m *layout.BlockMeta) []hot.Write {
	all := layout.AppendDead(nil, vector.Ones(m.Rows), m.Rows)
	return []hot.Write{{Key: layout.MetaKey(m.Table, m.Hour, m.ID)}, {Key: layout.DeadKey(m.Table, m.Hour, m.ID), Value: all}}
}

// isReplaced reports whether a deletion vector is what replacedWrites writes.
func isReplaced(vector []byte) bool {
	rows, err := layout.DeadRows(vector)
	if err != nil {
		return false
	}
	dead, err := layout.DecodeDead(vector, rows)
	return err == nil && dead.Count() == rows
}

// A goneBlock is a block that a merge replaced. Views published before the
// merge may still read it.
type goneBlock struct {
	meta *layout.BlockMeta
	view uint64 // number of the first view without it
}

// publishMerge replaces the inputs by the new blocks, with what died in them
// meanwhile.
func (db *DB) publishMerge(t *table, blocks []*newBlock, refs []*blockRef, inputs map[uint64]int) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	now := db.view.Load()
	next := now.clone()
	next.generation++
	tv := next.tables[t.number]
	tv.blocks = slices.DeleteFunc(slices.Clone(tv.blocks), func(b *blockRef) bool {
		_, input := inputs[b.meta.ID]
		return input
	})
	dead := deadOf(now.tables[t.number], refs)
	for _, b := range blocks {
		ref := &blockRef{meta: b.meta}
		if d := b.deadRows(dead); d != nil && !db.opts.faults.forgetKills {
			ref.dead, ref.deadCount, ref.deadChanged = d, d.Count(), true
		}
		tv.blocks = append(tv.blocks, ref)
	}
	tv.recount()
	db.publishLocked(next)
	for _, ref := range refs {
		db.gone = append(db.gone, goneBlock{ref.meta, next.number})
	}
}

// deleteGone deletes the blocks that no view refers to any more. Until then
// they have a deletion vector without a manifest entry; by that the next Open
// finds what a crash left.
func (db *DB) deleteGone() error {
	oldest := db.held.oldestNumber()
	var writes []hot.Write
	keep := db.gone[:0]
	for _, g := range db.gone {
		if g.view > oldest {
			keep = append(keep, g)
			continue
		}
		db.cache.drop(g.meta)
		writes = append(writes, goneWrites(g.meta.Table, g.meta.Hour, g.meta.ID)...)
	}
	db.gone = keep
	if len(writes) == 0 {
		return nil
	}
	if err := db.hot.Commit(writes); err != nil {
		db.fail(err)
		return err
	}
	return nil
}

// goneWrites deletes what is left of a block that a merge replaced.
func goneWrites(table uint8, hour int64, id uint64) []hot.Write {
	return []hot.Write{{Key: layout.BlockKey(table, hour, id)}, {Key: layout.DeadKey(table, hour, id)}, {Key: layout.DigestKey(table, id)}}
}
