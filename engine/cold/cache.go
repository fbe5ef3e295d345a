package cold

// A Cache keeps decompressed pages and dictionaries of all parts.
type Cache struct {
	limit int64
}

// NewCache makes a cache of that many bytes.
func NewCache(bytes int64) *Cache { return &Cache{limit: bytes} }
