package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A tableRepair is the repair of one table's blocks and parts.
type tableRepair struct {
	*repairer
	t       *table
	blocks  map[layout.BlockName]bool // that there are; Kind is BlockKind
	metas   map[uint64]*layout.BlockMeta
	dead    map[layout.BlockName]vector.Bitmap // Kind is BlockKind
	allDead map[layout.BlockName]bool
	back    map[uint64]bool // blocks and parts of which rows may have come back to life
	writes  []hot.Write
}

// table repairs the blocks and parts of a table.
func (p *repairer) table(t *table) error {
	r := &tableRepair{
		repairer: p, t: t, blocks: make(map[layout.BlockName]bool), metas: make(map[uint64]*layout.BlockMeta),
		dead: make(map[layout.BlockName]vector.Bitmap), allDead: make(map[layout.BlockName]bool), back: make(map[uint64]bool),
	}
	for _, step := range []func() error{r.readMetas, r.readBlocks, r.readDead, r.checkBlocks, r.adoptBlocks, r.dropDead, r.commit, r.checkParts, r.commit, r.dropReplaced, r.commit, r.killVersions, r.commit} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *tableRepair) commit() error {
	if len(r.writes) == 0 {
		return nil
	}
	err := r.store.Commit(r.writes)
	r.writes = nil
	return err
}

func (r *tableRepair) remove(keys ...[]byte) {
	for _, key := range keys {
		r.writes = append(r.writes, hot.Write{Key: bytes.Clone(key)})
	}
}

func blockName(m *layout.BlockMeta) layout.BlockName {
	return layout.BlockName{Kind: layout.BlockKind, Table: m.Table, Hour: m.Hour, ID: m.ID}
}

func (r *tableRepair) each(kind layout.KeyKind, fn func(key, value []byte) error) error {
	lower, upper := layout.TableRange(kind, r.t.ID)
	return r.store.Each(lower, upper, fn)
}

// readMetas takes out manifest entries that cannot be read.
func (r *tableRepair) readMetas() error {
	return r.each(layout.MetaKind, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		m, err := layout.DecodeMeta(value)
		if ok && err == nil && m.Table == r.t.ID && m.ID == name.ID && m.Hour == name.Hour && r.metas[m.ID] == nil {
			r.metas[m.ID] = m
			return nil
		}
		r.say("the manifest entry of block %d of %s is damaged", name.ID, r.t.Schema.Name)
		r.remove(key)
		return r.keepKey(key, value)
	})
}

func (r *tableRepair) readBlocks() error {
	return r.each(layout.BlockKind, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		if !ok {
			r.remove(key)
			return r.keepKey(key, value)
		}
		r.blocks[name] = true
		return nil
	})
}

// readDead takes out deletion vectors that cannot be read.
func (r *tableRepair) readDead() error {
	return r.each(layout.DeadKind, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		name.Kind = layout.BlockKind
		rows, err := layout.DeadRows(value)
		if m := r.metas[name.ID]; m != nil {
			rows = m.Rows
		}
		if err == nil {
			r.dead[name], err = layout.DecodeDead(value, rows)
		}
		if ok && err == nil {
			r.allDead[name] = r.dead[name].Count() == rows
			return nil
		}
		delete(r.dead, name)
		r.say("the deletion vector of block %d of %s is damaged: rows of it that were dead are back, unless newer versions of them are there", name.ID, r.t.Schema.Name)
		r.back[name.ID] = true
		r.remove(key)
		return r.keepKey(key, value)
	})
}

// checkBlocks takes out the blocks of the manifest that cannot be read, and puts
// entries right.
func (r *tableRepair) checkBlocks() error {
	for _, id := range slices.Sorted(maps.Keys(r.metas)) {
		m := r.metas[id]
		b, err := readBlock(r.store, r.t, m)
		if err == nil {
			err = blockError(r.t, m, b.Verify())
		}
		if err == nil {
			err = r.t.outsideTexts(b, r.markLostText(fmt.Sprintf("block %d", id)))
		}
		var want *layout.BlockMeta
		if err == nil {
			want, err = r.describe(b, m.Hour, m.ID)
		}
		if err != nil {
			if err := r.dropBlock(m, err); err != nil {
				return err
			}
			continue
		}
		if encoded := want.Append(nil); !bytes.Equal(encoded, m.Append(nil)) {
			r.say("block %d of %s has another manifest entry now", id, r.t.Schema.Name)
			r.writes = append(r.writes, hot.Write{Key: layout.MetaKey(r.t.ID, m.Hour, id), Value: encoded})
			r.metas[id] = want
		}
		if err := r.flushSome(); err != nil {
			return err
		}
	}
	return nil
}

// flushSome keeps the writes from growing without bound.
func (r *tableRepair) flushSome() error {
	if len(r.writes) < 64 {
		return nil
	}
	return r.commit()
}

func (r *tableRepair) describe(b *block.Block, hour int64, id uint64) (*layout.BlockMeta, error) {
	m, err := layout.Describe(r.t.desc, b, func(stored string) (string, error) { return r.blobs.text(stored, nil) })
	if err != nil {
		return nil, err
	}
	m.Table, m.ID, m.Hour = r.t.ID, id, hour
	return m, nil
}

// dropBlock takes a block out.
func (r *tableRepair) dropBlock(m *layout.BlockMeta, cause error) error {
	if cause = blockError(r.t, m, cause); !errors.Is(cause, ErrCorrupt) {
		return cause
	}
	name := blockName(m)
	dead := 0
	if d := r.dead[name]; d != nil {
		dead = d.Count()
	}
	r.say("%v; lost: %d rows from %s to %s, records %d to %d", cause, m.Rows-dead, timeText(m.MinTime), timeText(m.MaxTime), m.MinLSN, m.MaxLSN)
	r.out.LostRows += int64(m.Rows - dead)
	if err := r.keepBlock(name); err != nil {
		return err
	}
	delete(r.metas, m.ID)
	delete(r.blocks, name)
	delete(r.dead, name)
	return nil
}

// keepBlock moves all there is of a block into the quarantine.
func (r *tableRepair) keepBlock(name layout.BlockName) error {
	for _, key := range [][]byte{
		layout.BlockKey(name.Table, name.Hour, name.ID), layout.MetaKey(name.Table, name.Hour, name.ID),
		layout.DeadKey(name.Table, name.Hour, name.ID), layout.DigestKey(name.Table, name.ID),
	} {
		value, err := r.store.Get(key)
		if err == nil && value != nil {
			r.remove(key)
			err = r.keepKey(key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// markLostText gives a function that puts a mark in the place of texts that rows
// refer to and that cannot be read.
func (r *tableRepair) markLostText(place string) func(stored string) error {
	return func(stored string) error {
		_, ref, outside, err := layout.ParseStored(stored)
		if err != nil || !outside {
			return err
		}
		if _, err = r.blobs.read(ref); !errors.Is(err, blob.ErrCorrupt) {
			return err
		}
		r.say("%v: rows of %s of %s have a mark in its place", err, place, r.t.Schema.Name)
		return r.store.Commit([]hot.Write{{Key: layout.BlobKey(ref.Hash), Value: []byte(layout.LostText(ref.Hash))}})
	}
}

// adoptBlocks gives the blocks without an entry one, unless their rows are in
// other blocks too: then a merge has replaced them.
func (r *tableRepair) adoptBlocks() error {
	for _, name := range slices.SortedFunc(maps.Keys(r.blocks), func(a, b layout.BlockName) int { return cmp.Compare(a.ID, b.ID) }) {
		if r.metas[name.ID] != nil {
			continue
		}
		if r.allDead[name] {
			continue // the next start deletes it
		}
		raw, err := r.store.Get(layout.BlockKey(name.Table, name.Hour, name.ID))
		if err != nil {
			return err
		}
		var m *layout.BlockMeta
		b, err := block.Open(r.t.Schema, raw)
		if err == nil {
			err = b.Verify()
		}
		if err == nil {
			m, err = r.describe(b, name.Hour, name.ID)
		}
		if err != nil {
			r.say("block %d of %s, of hour %s, is lost with its manifest entry: %v", name.ID, r.t.Schema.Name, timeText(name.Hour*nanosHour), err)
			if err := r.keepBlock(name); err != nil {
				return err
			}
			continue
		}
		replaced, err := r.replaced(m, b)
		if err != nil {
			return err
		}
		if replaced {
			r.writes = append(r.writes, goneWrites(name.Table, name.Hour, name.ID)...)
			continue
		}
		r.say("block %d of %s has its manifest entry again, with %d rows", name.ID, r.t.Schema.Name, m.Rows)
		r.metas[m.ID], r.back[m.ID] = m, true
		r.writes = append(r.writes, hot.Write{Key: layout.MetaKey(name.Table, name.Hour, name.ID), Value: m.Append(nil)})
	}
	return nil
}

// replaced reports whether a row of a block is in another block as well.
func (r *tableRepair) replaced(m *layout.BlockMeta, b *block.Block) (bool, error) {
	numbers, err := b.RowNumbers()
	if err != nil {
		return false, err
	}
	own := make(map[int64]bool)
	for _, n := range numbers.Ints {
		own[n] = true
	}
	for _, other := range r.metas {
		if other.MaxRow < m.MinRow || other.MinRow > m.MaxRow {
			continue
		}
		o, err := readBlock(r.store, r.t, other)
		if err != nil {
			return false, err
		}
		numbers, err := o.RowNumbers()
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(numbers.Ints, func(n int64) bool { return own[n] }) {
			return true, nil
		}
	}
	return false, nil
}

// dropDead takes out the deletion vectors without a block.
func (r *tableRepair) dropDead() error {
	for name := range r.dead {
		if !r.blocks[name] {
			r.remove(layout.DeadKey(name.Table, name.Hour, name.ID))
		}
	}
	return nil
}
