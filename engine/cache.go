package engine

import (
	"container/list"
	"fmt"
	"sync"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// blockCache keeps blocks open, by least recent use within a number of bytes,
// and the key maps of a few. Blocks never change, so nothing is ever stale.
type blockCache struct {
	limit int64

	mu      sync.Mutex // guards what follows; not held across I/O
	bytes   int64
	order   *list.List // of *cached, most recent first
	entries map[*layout.BlockMeta]*list.Element
}

type cached struct {
	meta  *layout.BlockMeta
	block *block.Block
	keys  *blockKeys // nil: not asked for
	bytes int64
}

// keyEntryBytes is what a row costs in a key map.
const keyEntryBytes = 24

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
	if e, ok := c.entries[entry.meta]; ok {
		c.bytes -= e.Value.(*cached).bytes
		c.order.Remove(e)
	}
	c.entries[entry.meta] = c.order.PushFront(entry)
	c.bytes += entry.bytes
	for c.bytes > c.limit && c.order.Len() > 1 {
		last := c.order.Back()
		old := last.Value.(*cached)
		c.order.Remove(last)
		delete(c.entries, old.meta)
		c.bytes -= old.bytes
	}
}

// openBlock reads a block from the hot store, or finds it in the cache.
func (db *DB) openBlock(t *table, ref *blockRef) (*block.Block, error) {
	if e := db.cache.get(ref.meta); e != nil {
		return e.block, nil
	}
	raw, err := db.hot.Get(layout.BlockKey(t.ID, ref.meta.Hour, ref.meta.ID))
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, fmt.Errorf("%w: block %d of %s is missing", ErrCorrupt, ref.meta.ID, t.Schema.Name)
	}
	b, err := block.Open(t.Schema, raw)
	if err != nil {
		return nil, corruptEntry(t, "block", ref.meta.ID, err)
	}
	if b.Rows() != ref.meta.Rows {
		return nil, fmt.Errorf("%w: block %d of %s has %d rows, its manifest entry says %d",
			ErrCorrupt, ref.meta.ID, t.Schema.Name, b.Rows(), ref.meta.Rows)
	}
	db.cache.put(&cached{meta: ref.meta, block: b, bytes: int64(len(raw))})
	return b, nil
}

// keys gives the key map of a block, reading it if need be.
func (c *blockCache) keys(ref *blockRef, read func() (*blockKeys, error)) (*blockKeys, error) {
	if e := c.get(ref.meta); e != nil && e.keys != nil {
		return e.keys, nil
	}
	k, err := read()
	if err != nil {
		return nil, err
	}
	if e := c.get(ref.meta); e != nil {
		with := *e
		with.keys = k
		with.bytes += int64(ref.meta.Rows) * keyEntryBytes
		c.put(&with)
	}
	return k, nil
}

func corruptEntry(t *table, what string, id uint64, err error) error {
	return fmt.Errorf("%w: %s %d of %s: %w", ErrCorrupt, what, id, t.Schema.Name, err)
}
