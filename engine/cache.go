package engine

import (
	"errors"
	"fmt"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// A cachedBlock is an open block, and its keys if they were asked for.
type cachedBlock struct {
	block *block.Block
	keys  *blockKeys // nil: not asked for
}

// openBlock finds a block in the cache, or reads it from the hot store.
func (db *DB) openBlock(t *table, m *layout.BlockMeta) (*block.Block, error) {
	if e, ok := db.cache.get(m); ok {
		return e.block, nil
	}
	b, err := readBlock(db.hot, t, m)
	if err != nil {
		return nil, err
	}
	db.cache.put(m, cachedBlock{block: b}, int64(b.Bytes()))
	return b, nil
}

// readBlock reads a block from the hot store.
func readBlock(store *hot.Store, t *table, m *layout.BlockMeta) (*block.Block, error) {
	raw, err := store.Get(layout.BlockKey(t.ID, m.Hour, m.ID))
	if err != nil {
		return nil, blockError(t, m, err)
	}
	if raw == nil {
		return nil, fmt.Errorf("%w: block %d of %s is missing", ErrCorrupt, m.ID, t.Schema.Name)
	}
	b, err := block.Open(t.Schema, raw)
	if err != nil {
		return nil, blockError(t, m, err)
	}
	if b.Rows() != m.Rows {
		return nil, fmt.Errorf("%w: block %d of %s has %d rows, its manifest entry says %d",
			ErrCorrupt, m.ID, t.Schema.Name, b.Rows(), m.Rows)
	}
	return b, nil
}

// readKeys gives the keys of a block.
func (db *DB) readKeys(t *table, m *layout.BlockMeta) (*blockKeys, error) {
	if e, ok := db.cache.get(m); ok && e.keys != nil {
		return e.keys, nil
	}
	b, err := db.openBlock(t, m)
	if err != nil {
		return nil, err
	}
	keys, err := newBlockKeys(t, b, b.Rows())
	if err != nil {
		return nil, blockError(t, m, err)
	}
	db.cache.put(m, cachedBlock{b, keys}, int64(b.Bytes())+keys.bytes())
	return keys, nil
}

// blockError names the block; damage becomes an ErrCorrupt.
func blockError(t *table, m *layout.BlockMeta, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, block.ErrCorrupt), errors.Is(err, layout.ErrCorrupt), errors.Is(err, hot.ErrCorrupt),
		errors.Is(err, blob.ErrCorrupt):
		return fmt.Errorf("%w: block %d of %s: %w", ErrCorrupt, m.ID, t.Schema.Name, err)
	case errors.Is(err, hot.ErrClosed):
		return fmt.Errorf("%w: block %d of %s", ErrClosed, m.ID, t.Schema.Name)
	}
	return fmt.Errorf("read block %d of %s: %w", m.ID, t.Schema.Name, err)
}
