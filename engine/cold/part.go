package cold

import (
	"io"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Part reads one part. It is safe for concurrent use.
type Part struct {
	spec  *Spec
	meta  *layout.PartMeta
	cache *Cache
}

// Open reads the footer and the offset index.
func Open(_ io.ReaderAt, _ int64, spec *Spec, meta *layout.PartMeta, cache *Cache) (*Part, error) {
	return &Part{spec, meta, cache}, errUnfinished
}

// Chunks gives the number of chunks.
func (p *Part) Chunks() int { return p.meta.Chunks() }

// Held gives the bytes of memory that the open part holds.
func (p *Part) Held() int64 { return 0 }

// Verify checks and decodes every page.
func (p *Part) Verify() error { return errUnfinished }

// Chunk gives a chunk; nothing is read.
func (p *Part) Chunk(k int) *Chunk { return &Chunk{part: p, k: k} }

// A Chunk reads a run of rows of a part. It is safe for concurrent use.
type Chunk struct {
	part *Part
	k    int
}

// Rows gives the number of rows.
func (c *Chunk) Rows() int {
	size := c.part.spec.chunkRows()
	return min(size, c.part.meta.Rows-c.k*size)
}

// Bytes gives how many bytes were read of the file so far.
func (c *Chunk) Bytes() int64 { return 0 }

// Column decodes a field of the schema.
func (c *Chunk) Column(_ int) (*vector.Column, error) { return nil, errUnfinished }

// Key decodes one attribute of a Map field as ->> gives it: a String column
// with a dictionary, NULL where the row lacks the attribute or has null.
func (c *Chunk) Key(_ int, _ string) (*vector.Column, error) { return nil, errUnfinished }

// Few decodes a field of a few rows, given in ascending order.
func (c *Chunk) Few(_ int, _ []int32) (*vector.Column, error) { return nil, errUnfinished }

// RowNumbers decodes the rows' running numbers within the table.
func (c *Chunk) RowNumbers() (*vector.Column, error) { return nil, errUnfinished }

// LSNs decodes the LSNs of the rows' records.
func (c *Chunk) LSNs() (*vector.Column, error) { return nil, errUnfinished }
