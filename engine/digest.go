package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// digestCacheBytes bounds the digests that are kept decoded.
const digestCacheBytes = 32 << 20

// digestID names a block or part.
type digestID struct {
	table uint8
	id    uint64
}

// Digest sums up a table's rows: which attributes and groups there are. Blocks
// and parts are summed up when they are written, so that it reads no rows of
// theirs.
func (v *View) Digest(ctx context.Context, name string) (*layout.Digest, error) {
	t, tv, ok := v.table(name)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoTable, name)
	}
	sum := layout.NewDigest()
	for _, ref := range tv.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d, err := v.db.blockDigest(t, ref.meta)
		if err != nil {
			return nil, err
		}
		sum.Merge(d)
	}
	for _, b := range tv.mem {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sum.Merge(b.digest.of(t, b))
	}
	return sum, nil
}

// blockDigest finds the digest of a block: in the cache, in the hot store, or
// else in its rows.
func (db *DB) blockDigest(t *table, m *layout.BlockMeta) (*layout.Digest, error) {
	id := digestID{t.ID, m.ID}
	if d, ok := db.digests.get(id); ok {
		return d, nil
	}
	raw, err := db.hot.Get(layout.DigestKey(t.ID, m.ID))
	if err != nil {
		return nil, blockError(t, m, err)
	}
	d, err := layout.DecodeDigest(raw)
	if err != nil { // it is derived: none, or a bad one, is made again
		b, err := db.openBlock(t, m)
		if err != nil {
			return nil, err
		}
		if d, err = digestBlock(t, b); err != nil {
			return nil, blockError(t, m, err)
		}
	}
	db.digests.put(id, d, d.Bytes())
	return d, nil
}

// digestBlock sums up the rows of a block.
func digestBlock(t *table, b *block.Block) (*layout.Digest, error) {
	d := layout.NewDigest()
	for i, f := range t.Schema.Fields {
		if f.Kind != vector.Map {
			continue
		}
		sets, rows, err := b.Sets(i)
		if err != nil {
			return nil, err
		}
		d.AddAttributes(f.Name, sets, rows)
	}
	return d, t.digestColumns(d, nil, b.Column)
}

// digestColumns adds what fields other than Maps say.
func (t *table) digestColumns(d *layout.Digest, dead vector.Bitmap, column func(field int) (*vector.Column, error)) error {
	var errs []error
	get := func(name string) *vector.Column {
		c, err := column(t.Schema.Index(name))
		errs = append(errs, err)
		return c
	}
	docs := make([]*vector.Column, len(t.Documents))
	for i, name := range t.Documents {
		docs[i] = get(name)
	}
	var fields []*vector.Column
	var member, times *vector.Column
	if len(t.Groups) > 0 {
		for _, name := range t.Groups {
			fields = append(fields, get(name))
		}
		member, times = get(t.Member), get(t.Time)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, name := range t.Documents {
		d.AddDocuments(name, docs[i], dead)
	}
	if len(t.Groups) > 0 {
		d.AddGroups(fields, member, times, dead)
	}
	return nil
}

// A memDigest is the digest of a memtable batch, made when it is first asked for.
type memDigest struct {
	once  sync.Once
	value *layout.Digest
}

func (m *memDigest) of(t *table, b *memBatch) *layout.Digest {
	m.once.Do(func() {
		d := layout.NewDigest()
		weights := make([]uint32, b.rows.N)
		for row := range weights {
			if b.dead == nil || !b.dead.Get(row) {
				weights[row] = 1
			}
		}
		for i, f := range t.Schema.Fields {
			if f.Kind == vector.Map {
				d.AddAttributes(f.Name, b.rows.Cols[i].Attrs, weights)
			}
		}
		if err := t.digestColumns(d, b.dead, func(field int) (*vector.Column, error) { return b.rows.Cols[field], nil }); err != nil {
			panic("BUG: a column of the memtable cannot be read: " + err.Error())
		}
		m.value = d
	})
	return m.value
}
