package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
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
// theirs. Those all of whose rows are of before since, in ns since 1970, are
// left out, as are such groups.
func (v *View) Digest(ctx context.Context, name string, since int64) (*layout.Digest, error) {
	t, tv, ok := v.table(name)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoTable, name)
	}
	sum := layout.NewDigest()
	add := func(d *layout.Digest, err error) error {
		if err == nil {
			sum.Merge(d)
			err = ctx.Err()
		}
		return err
	}
	for _, p := range tv.parts {
		if p.meta.MaxTime < since {
			continue
		}
		if err := add(v.db.partDigest(ctx, t, p)); err != nil {
			return nil, err
		}
	}
	for _, ref := range tv.blocks {
		if ref.meta.MaxTime < since {
			continue
		}
		if err := add(v.db.blockDigest(t, ref.meta)); err != nil {
			return nil, err
		}
	}
	for _, b := range tv.mem {
		if b.maxTime < since {
			continue
		}
		if err := add(b.digest.of(t, b), nil); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(sum.Groups, func(_ string, g *layout.GroupDigest) bool { return g.MaxTime < since })
	return sum, nil
}

// storedDigest finds a digest in the cache or in the hot store, or else makes
// it: it is derived, so that none, or a bad one, is no damage.
func (db *DB) storedDigest(t *table, id uint64, digest func() (*layout.Digest, error)) (*layout.Digest, error) {
	key := digestID{t.ID, id}
	if d, ok := db.digests.get(key); ok {
		return d, nil
	}
	raw, err := db.hot.Get(layout.DigestKey(t.ID, id))
	if err != nil && !errors.Is(err, hot.ErrCorrupt) {
		return nil, err
	}
	d, err := layout.DecodeDigest(raw)
	if err != nil {
		if d, err = digest(); err != nil {
			return nil, err
		}
	}
	db.digests.put(key, d, d.Bytes())
	return d, nil
}

func (db *DB) blockDigest(t *table, m *layout.BlockMeta) (*layout.Digest, error) {
	d, err := db.storedDigest(t, m.ID, func() (*layout.Digest, error) {
		b, err := db.openBlock(t, m)
		if err != nil {
			return nil, err
		}
		return digestBlock(t, b)
	})
	return d, blockError(t, m, err)
}

func (db *DB) partDigest(ctx context.Context, t *table, p *partRef) (*layout.Digest, error) {
	d, err := db.storedDigest(t, p.meta.ID, func() (*layout.Digest, error) { return db.digestPart(ctx, t, p) })
	return d, partError(t, p.meta, err)
}

// digestPart sums up the live rows of a part.
func (db *DB) digestPart(ctx context.Context, t *table, p *partRef) (*layout.Digest, error) {
	part, err := db.parts.openFile(t, p.meta, cold.NewCache(0))
	if err != nil {
		return nil, err
	}
	d := layout.NewDigest()
	for k := range part.Chunks() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		chunk := part.Chunk(k)
		dead, _ := p.deadIn(k)
		if err := t.digestRows(d, chunk.Rows(), dead, chunk.Column); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// digestInputs sums up what a job's part is made of. Inputs with dead rows are read
// for it.
func (db *DB) digestInputs(ctx context.Context, j *partJob) (*layout.Digest, error) {
	sum := layout.NewDigest()
	for _, ref := range j.blocks {
		if ref.deadCount == 0 {
			d, err := db.blockDigest(j.table, ref.meta)
			if err != nil {
				return nil, err
			}
			sum.Merge(d)
			continue
		}
		b, err := readBlock(db.hot, j.table, ref.meta)
		if err == nil {
			err = blockError(j.table, ref.meta, j.table.digestRows(sum, b.Rows(), ref.dead, b.Column))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, p := range j.parts {
		read := func() (*layout.Digest, error) { return db.partDigest(ctx, j.table, p) }
		if p.deadCount > 0 {
			read = func() (*layout.Digest, error) { return db.digestPart(ctx, j.table, p) }
		}
		d, err := read()
		if err != nil {
			return nil, partError(j.table, p.meta, err)
		}
		sum.Merge(d)
	}
	return sum, nil
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

// digestRows sums up rows that are not dead.
func (t *table) digestRows(d *layout.Digest, n int, dead vector.Bitmap, column func(field int) (*vector.Column, error)) error {
	weights := make([]uint32, n)
	for row := range weights {
		if dead == nil || !dead.Get(row) {
			weights[row] = 1
		}
	}
	for i, f := range t.Schema.Fields {
		if f.Kind != vector.Map {
			continue
		}
		c, err := column(i)
		if err != nil {
			return err
		}
		d.AddAttributes(f.Name, c.Attrs, weights)
	}
	return t.digestColumns(d, dead, column)
}

// A memDigest is the digest of a memtable batch, made when it is first asked for.
type memDigest struct {
	once  sync.Once
	value *layout.Digest
}

func (m *memDigest) of(t *table, b *memBatch) *layout.Digest {
	m.once.Do(func() {
		d := layout.NewDigest()
		if err := t.digestRows(d, b.rows.N, b.dead, func(field int) (*vector.Column, error) { return b.rows.Cols[field], nil }); err != nil {
			panic("BUG: a column of the memtable cannot be read: " + err.Error())
		}
		m.value = d
	})
	return m.value
}
