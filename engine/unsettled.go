package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A row that comes while the object store is not available, or a part is missing
// from it, may replace one in a part that cannot be read. Ingest does not wait:
// the row's key stays with the part, unsettled, in the view and from the next
// flush in the hot store, and so does the number of a row to delete. Whoever
// reads the part takes the rows of its unsettled keys for dead; the compactor
// marks them once it can.

// unsettle leaves row i of p to be looked for in a part.
func (p *pending) unsettle(part uint64, i int, horizon int64) {
	t := p.table
	if p.unsettled == nil {
		p.unsettled = make(map[uint64][]layout.Unsettled)
	}
	p.unsettled[part] = append(p.unsettled[part],
		layout.Unsettled{Key: string(t.keyBytes(nil, p.rows, i)), Nanos: p.rows.Cols[t.time].Ints[i], Horizon: horizon})
}

// unsettle adds keys to those of a part.
func (tv *tableView) unsettle(id uint64, keys []layout.Unsettled) {
	at, ok := tv.part(id)
	if !ok {
		panic("BUG: unsettled keys of a part that the view lacks")
	}
	next := *tv.parts[at]
	next.unsettled = slices.Concat(next.unsettled, keys)
	next.deadChanged = true
	tv.parts = slices.Clone(tv.parts)
	tv.parts[at] = &next
}

// traceOf gives the trace id in a key.
func (t *table) traceOf(key string) []byte {
	at := 0
	for _, f := range t.key {
		width := t.Schema.Fields[f].Width
		if f == t.trace {
			return []byte(key[at : at+width])
		}
		at += width
	}
	panic("BUG: a key without its trace")
}

// settled gives a part with the rows of its unsettled keys among the dead ones.
func (ref *partRef) settled(t *table, index *layout.PartIndex, open func() (*cold.Part, error), keysOf func(chunk int) (*blockKeys, error)) (*partRef, error) {
	var rows []int
	deleted := deletion{table: t}
	for _, u := range ref.unsettled {
		if u.Key == "" {
			deleted.numbers = append(deleted.numbers, uint64(u.Nanos))
			continue
		}
		id := t.traceOf(u.Key)
		for k := range chunksWith(index.Chunks, id, layout.Hash(id)) {
			keys, err := keysOf(k)
			if err != nil {
				return nil, err
			}
			keys.find(layout.Hash([]byte(u.Key)), []byte(u.Key), u.Nanos, u.Horizon, func(row int) {
				rows = append(rows, k*ref.meta.ChunkRows+row)
			})
		}
	}
	if len(deleted.numbers) > 0 {
		slices.Sort(deleted.numbers)
		found := make(blockKills)
		if err := deleted.findIn(ref.meta, index, found, open); err != nil {
			return nil, partError(t, ref.meta, err)
		}
		rows = append(rows, found[ref.meta.ID]...)
	}
	next := *ref
	next.unsettled = nil
	if len(rows) > 0 {
		next.dead, _ = kill(ref.dead, ref.meta.Rows, rows)
		next.deadCount = next.dead.Count()
	}
	return &next, nil
}

func (db *DB) settled(t *table, ref *partRef) (*partRef, error) {
	if len(ref.unsettled) == 0 {
		return ref, nil
	}
	index, err := db.parts.index(t, ref.meta)
	if err != nil {
		return nil, err
	}
	return ref.settled(t, index, func() (*cold.Part, error) { return db.parts.part(t, ref.meta) },
		func(k int) (*blockKeys, error) { return db.chunkKeys(t, ref.meta, index.Chunks[k].BlockMeta, k) })
}

// settleParts marks the rows of all unsettled keys. The compactor calls it.
func (db *DB) settleParts(ctx context.Context) error {
	v := db.View()
	defer v.Release()
	for i, t := range db.tables {
		for _, ref := range v.tables[i].parts {
			if err := ctx.Err(); err != nil {
				return err
			}
			settled, err := db.settled(t, ref)
			if errors.Is(err, ErrCorrupt) {
				db.opts.Logger.Error("replaced rows cannot be found in a damaged part", "table", t.Schema.Name, "error", err)
				continue
			}
			if err != nil {
				return fmt.Errorf("settle part %s: %w", ref.meta.Name, err)
			}
			if settled != ref {
				db.publishSettled(i, ref, settled)
			}
		}
	}
	return nil
}

// publishSettled makes the view in which the keys that were unsettled before
// are settled.
func (db *DB) publishSettled(table int, before, settled *partRef) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	next := db.view.Load().clone()
	tv := next.tables[table]
	at, ok := tv.part(before.meta.ID)
	if !ok {
		return // replaced by another part, which has the keys
	}
	ref := *tv.parts[at]
	ref.unsettled = ref.unsettled[len(before.unsettled):]
	ref.deadChanged = true
	if settled.dead != nil {
		dead := settled.dead.Clone()
		for i, w := range ref.dead {
			dead[i] |= w
		}
		tv.dead -= int64(ref.deadCount)
		ref.dead, ref.deadCount = dead, dead.Count()
		tv.dead += int64(ref.deadCount)
	}
	tv.parts = slices.Clone(tv.parts)
	tv.parts[at] = &ref
	db.publishLocked(next)
}

// unsettled gives the keys that a job's part takes over from its inputs.
func (j *partJob) unsettled(tv *tableView) (keys []layout.Unsettled) {
	for _, p := range j.parts {
		if at, ok := tv.part(p.meta.ID); ok {
			keys = append(keys, tv.parts[at].unsettled...)
		}
	}
	return keys
}

// vectorWrites stores what is dead in a part: the vector, and the keys that
// are not settled.
func vectorWrites(m *layout.PartMeta, dead vector.Bitmap, keys []layout.Unsettled) []hot.Write {
	unsettled := hot.Write{Key: layout.UnsettledKey(m.Table, m.ID)}
	if len(keys) > 0 {
		unsettled.Value = layout.AppendUnsettled(nil, keys)
	}
	writes := []hot.Write{unsettled}
	if dead != nil {
		writes = append(writes, hot.Write{Key: layout.PartDeadKey(m.Table, m.ID), Value: layout.AppendDead(nil, dead, m.Rows)})
	}
	return writes
}
