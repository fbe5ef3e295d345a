package engine

import (
	"container/list"
	"errors"
	"fmt"
	"sync"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// blockCache keeps blocks open, by least recent use within a number of bytes,
// and the keys of a few. Blocks never change, so nothing is ever stale.
type blockCache struct {
	limit int64

	mu      sync.Mutex // guards what follows; not held across I/O
	bytes   int64
	order   *list.List // of *cached, most recent first
	entries map[*layout.BlockMeta]*list.Element
}

// cached never changes: another takes its place.
type cached struct {
	meta  *layout.BlockMeta
	block *block.Block
	keys  *blockKeys // nil: not asked for
	bytes int64
}

func newBlockCache(limit int64) *blockCache {
	return &blockCache{limit: limit, order: list.New(), entries: make(map[*layout.BlockMeta]*list.Element)}
}

func (c *blockCache) get(meta *layout.BlockMeta) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[meta]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached)
}

// put enters a block, or replaces its entry.
func (c *blockCache) put(entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(c.entries[entry.meta])
	c.entries[entry.meta] = c.order.PushFront(entry)
	c.bytes += entry.bytes
	for c.bytes > c.limit && c.order.Len() > 1 {
		c.dropLocked(c.order.Back())
	}
}

// drop forgets a block that has gone.
func (c *blockCache) drop(meta *layout.BlockMeta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(c.entries[meta])
}

func (c *blockCache) dropLocked(e *list.Element) {
	if e == nil {
		return
	}
	old := c.order.Remove(e).(*cached)
	delete(c.entries, old.meta)
	c.bytes -= old.bytes
}

// held is the bytes of what is cached.
func (c *blockCache) held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// openBlock finds a block in the cache, or reads it from the hot store.
func (db *DB) openBlock(t *table, m *layout.BlockMeta) (*block.Block, error) {
	if e := db.cache.get(m); e != nil {
		return e.block, nil
	}
	b, err := readBlock(db.hot, t, m)
	if err != nil {
		return nil, err
	}
	db.cache.put(&cached{meta: m, block: b, bytes: int64(b.Bytes())})
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
	if e := db.cache.get(m); e != nil && e.keys != nil {
		return e.keys, nil
	}
	b, err := db.openBlock(t, m)
	if err != nil {
		return nil, err
	}
	keys, err := newBlockKeys(t, b)
	if err != nil {
		return nil, blockError(t, m, err)
	}
	db.cache.put(&cached{meta: m, block: b, keys: keys, bytes: int64(b.Bytes()) + keys.bytes()})
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
