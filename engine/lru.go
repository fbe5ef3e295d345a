package engine

import (
	"container/list"
	"sync"
)

// An lru keeps values within a number of bytes, and gives up the least recently
// used ones first. What it keeps never changes, so nothing is ever stale.
type lru[K comparable, V any] struct {
	limit int64

	mu      sync.Mutex // guards what follows; not held across I/O
	bytes   int64
	order   *list.List // of *lruEntry, most recent first
	entries map[K]*list.Element
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
	bytes int64
}

func newLRU[K comparable, V any](limit int64) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), entries: make(map[K]*list.Element)}
}

func (c *lru[K, V]) get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruEntry[K, V]).value, true
}

// put enters a value, or replaces it. The newest one stays however large it is.
func (c *lru[K, V]) put(key K, value V, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(c.entries[key])
	c.entries[key] = c.order.PushFront(&lruEntry[K, V]{key, value, bytes})
	c.bytes += bytes
	for c.bytes > c.limit && c.order.Len() > 1 {
		c.dropLocked(c.order.Back())
	}
}

// drop forgets a value.
func (c *lru[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(c.entries[key])
}

func (c *lru[K, V]) dropLocked(e *list.Element) {
	if e == nil {
		return
	}
	old := c.order.Remove(e).(*lruEntry[K, V])
	delete(c.entries, old.key)
	c.bytes -= old.bytes
}

// held is the bytes of what is kept.
func (c *lru[K, V]) held() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
