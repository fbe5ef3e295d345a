package cold

import (
	"container/list"
	"sync"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// A Cache keeps decompressed pages and dictionaries of all parts, those that
// were used last. It is safe for concurrent use.
type Cache struct {
	limit int64

	mu      sync.Mutex // guards the fields below
	size    int64
	entries map[cacheKey]*list.Element
	order   *list.List // of *cacheEntry, the last used first
}

// A cacheKey names a page of a part: its number is that of the chunk, or for a
// dictionary ^ the number of the row group.
type cacheKey struct {
	part *layout.PartMeta // that of the manifest: a part that is opened again finds its pages
	leaf int32
	page int32
}

type cacheEntry struct {
	key   cacheKey
	value any
	size  int64
}

// entryOverhead is about what an entry takes beside its value.
const entryOverhead = 200

// NewCache makes a cache of that many bytes.
func NewCache(bytes int64) *Cache {
	return &Cache{limit: bytes, entries: make(map[cacheKey]*list.Element), order: list.New()}
}

func (c *Cache) get(key cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheEntry).value, true
}

// put enters a value and gives the one to use: an equal one that was entered
// meanwhile.
func (c *Cache) put(key cacheKey, value any, size int64) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		return e.Value.(*cacheEntry).value
	}
	entry := &cacheEntry{key, value, size + entryOverhead}
	c.entries[key] = c.order.PushFront(entry)
	for c.size += entry.size; c.size > c.limit && c.order.Len() > 1; {
		c.remove(c.order.Back())
	}
	return value
}

func (c *Cache) remove(e *list.Element) {
	entry := c.order.Remove(e).(*cacheEntry)
	delete(c.entries, entry.key)
	c.size -= entry.size
}
