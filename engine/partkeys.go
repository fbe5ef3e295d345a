package engine

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"sort"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// findInParts collects the places in parts of the rows that p replaces. A part
// is asked by its trace filter, a chunk by its range of trace ids or its own.
func (db *DB) findInParts(list []*partRef, p *pending, kills blockKills) error {
	t, horizon := p.table, int64(db.opts.ReplaceHorizon)
	p.unsettled = nil
	times := p.rows.Cols[t.time].Ints
	least, greatest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, v := range times[:p.rows.N] {
		least, greatest = min(least, v), max(greatest, v)
	}
	for _, ref := range list {
		m := ref.meta
		if m.MaxTime < least && !within(m.MaxTime, least, horizon) || m.MinTime > greatest && !within(m.MinTime, greatest, horizon) {
			continue
		}
		if err := db.findInPart(ref, p, kills); err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnavailable) {
				return err
			}
			// Its rows are not replaced: ingest goes on. Scans name the part.
			db.opts.Logger.Error("replaced rows cannot be found in a part", "table", t.Schema.Name, "error", err)
		}
	}
	return nil
}

func (db *DB) findInPart(ref *partRef, p *pending, kills blockKills) error {
	t, m := p.table, ref.meta
	index, err := db.parts.index(t, m)
	if err != nil {
		return err
	}
	traces := p.rows.Cols[t.trace]
	unavailable := false
	var key []byte
	for i := range p.rows.N {
		id := traces.HexBytes(i)
		hash := layout.Hash(id)
		if !index.Trace.Contains(hash) {
			continue
		}
		for k := range chunksWith(index.Chunks, id, hash) {
			var keys *blockKeys
			if !unavailable {
				keys, err = db.chunkKeys(t, m, index.Chunks[k].BlockMeta, k)
				unavailable = db.parts.mayComeBack(m, err)
			}
			if unavailable {
				p.unsettle(m.ID, i, int64(db.opts.ReplaceHorizon))
				break // the whole part is looked through once it is settled
			}
			if err != nil {
				return err
			}
			key = t.keyBytes(key[:0], p.rows, i)
			keys.find(layout.Hash(key), key, p.rows.Cols[t.time].Ints[i], int64(db.opts.ReplaceHorizon), func(row int) {
				kills[m.ID] = append(kills[m.ID], k*m.ChunkRows+row)
			})
		}
	}
	return nil
}

// chunksWith gives the chunks that may have a trace id.
func chunksWith(chunks []layout.ChunkMeta, id []byte, hash uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		at := 0
		if len(chunks) > 0 && chunks[0].First != nil { // sorted by trace
			at = sort.Search(len(chunks), func(k int) bool { return bytes.Compare(chunks[k].Last, id) >= 0 })
		}
		for ; at < len(chunks); at++ {
			c := &chunks[at]
			if c.First != nil && bytes.Compare(c.First, id) > 0 {
				return
			}
			if (c.First != nil || c.Trace.Contains(hash)) && !yield(at) {
				return
			}
		}
	}
}

// chunkKeys gives the keys of a chunk.
func (db *DB) chunkKeys(t *table, m *layout.PartMeta, chunk *layout.BlockMeta, k int) (*blockKeys, error) {
	if e, ok := db.cache.get(chunk); ok {
		return e.keys, nil
	}
	part, err := db.parts.part(t, m)
	if err != nil {
		return nil, err
	}
	keys, err := newBlockKeys(t, part.Chunk(k), chunk.Rows)
	if err != nil {
		return nil, partError(t, m, err)
	}
	db.cache.put(chunk, cachedBlock{keys: keys}, keys.bytes()+int64(40*chunk.Rows))
	return keys, nil
}
