package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A newBlock is a block on its way into the hot store.
type newBlock struct {
	table  *table
	meta   *layout.BlockMeta
	raw    []byte
	digest *layout.Digest
	picks  []block.Pick // Source is a place in the frozen memtable, or among the inputs
}

// sourceRows is decoded rows from which blocks are made.
type sourceRows struct {
	rows    *vector.Rows
	numbers []uint64
	lsns    []uint64
}

// encodeBlocks makes blocks of the picked rows of one hour, in the order of
// time. Texts that the sources only refer to are in taken, or durable. Only the
// flusher gives out block ids.
func (db *DB) encodeBlocks(t *table, hour int64, sources []sourceRows, picks []block.Pick, taken takenTexts) ([]*newBlock, error) {
	rows := make([]*vector.Rows, len(sources))
	for i, s := range sources {
		rows[i] = s.rows
	}
	timeOf := func(p block.Pick) int64 { return rows[p.Source].Cols[t.time].Ints[p.Row] }
	slices.SortStableFunc(picks, func(a, b block.Pick) int { return cmp.Compare(timeOf(a), timeOf(b)) })
	var out []*newBlock
	for part := range slices.Chunk(picks, db.opts.BlockRows) {
		out = append(out, &newBlock{table: t, picks: part})
	}
	errs, next := make([]error, len(out)), atomic.Int64{}
	var wg sync.WaitGroup
	for range min(db.encoders, len(out)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(out); i = int(next.Add(1)) - 1 {
				errs[i] = db.encodeBlock(out[i], rows, sources, taken)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, b := range out {
		b.meta.Table, b.meta.ID, b.meta.Hour = t.ID, db.nextBlock[t.number], hour
		db.nextBlock[t.number]++
	}
	return out, nil
}

// encodeBlock makes a block of its picks.
func (db *DB) encodeBlock(n *newBlock, rows []*vector.Rows, sources []sourceRows, taken takenTexts) error {
	t, numbers, lsns := n.table, make([]uint64, len(n.picks)), make([]uint64, len(n.picks))
	for i, p := range n.picks {
		numbers[i], lsns[i] = sources[p.Source].numbers[p.Row], sources[p.Source].lsns[p.Row]
	}
	raw, err := block.Encode(t.Schema, rows, n.picks, numbers, lsns)
	if err != nil {
		return fmt.Errorf("encode a block of %s: %w", t.Schema.Name, err)
	}
	b, err := block.Open(t.Schema, raw)
	if err != nil {
		return fmt.Errorf("open a new block of %s: %w", t.Schema.Name, err)
	}
	meta, err := layout.Describe(t.desc, b, func(stored string) (string, error) { return db.blobs.text(stored, taken) })
	if err != nil {
		return fmt.Errorf("describe a block of %s: %w", t.Schema.Name, err)
	}
	digest, err := digestBlock(t, b)
	if err != nil {
		return fmt.Errorf("sum up a block of %s: %w", t.Schema.Name, err)
	}
	n.meta, n.raw, n.digest = meta, raw, digest
	return nil
}

// deadRows gives the rows of a block on its way that have died since it was
// encoded: those that dead says are dead now.
func (b *newBlock) deadRows(dead func(source uint32) vector.Bitmap) vector.Bitmap {
	var out vector.Bitmap
	for i, p := range b.picks {
		d := dead(p.Source)
		if d == nil || !d.Get(int(p.Row)) {
			continue
		}
		if out == nil {
			out = vector.NewBitmap(len(b.picks))
		}
		out.Set(i)
	}
	return out
}
