package cold

import (
	"sort"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Chunk reads a run of rows of a part. It is safe for concurrent use.
type Chunk struct {
	part  *Part
	k     int
	group int // the row group that it is in
	place int // its place there
	bytes atomic.Int64
	rest  [2]atomic.Pointer[pairs]      // attributes without columns, and those outside, once a key was asked of them
	whole atomic.Pointer[vector.Column] // the times, once they were read: other fields are relative to them
}

// Chunk gives a chunk; nothing is read.
func (p *Part) Chunk(k int) *Chunk {
	group := sort.Search(len(p.first), func(g int) bool { return p.first[g] > k }) - 1
	return &Chunk{part: p, k: k, group: group, place: k - p.first[group]}
}

// Rows gives the number of rows.
func (c *Chunk) Rows() int {
	size := c.part.meta.ChunkRows
	return min(size, c.part.meta.Rows-c.k*size)
}

// Bytes gives how many bytes were read of the file so far.
func (c *Chunk) Bytes() int64 { return c.bytes.Load() }

// RowNumbers decodes the rows' running numbers within the table.
func (c *Chunk) RowNumbers() (*vector.Column, error) { return c.integers(c.part.columns.row, nil) }

// LSNs decodes the LSNs of the rows' records.
func (c *Chunk) LSNs() (*vector.Column, error) { return c.integers(c.part.columns.lsn, nil) }

// Column decodes a field of the schema. Of a field that the part does not know
// every row is NULL, or zero if it cannot be NULL.
func (c *Chunk) Column(field int) (*vector.Column, error) { return c.column(field, nil) }

// Few decodes a field of a few rows, given in ascending order: a column with
// as many values.
func (c *Chunk) Few(field int, rows []int32) (*vector.Column, error) {
	if rows == nil {
		rows = []int32{}
	}
	return c.column(field, rows)
}

// column decodes a field of some rows, nil: of all.
func (c *Chunk) column(field int, rows []int32) (*vector.Column, error) {
	f, p := c.part.spec.Schema.Fields[field], c.part.columns.places[field]
	if p.form != formMap && c.chunk(p.first).missing {
		return absent(f, c.count(rows)), nil
	}
	switch p.form {
	case formInt:
		return c.integers(p.first, rows)
	case formTime:
		return c.times(p.first, rows)
	case formRelative:
		return c.relative(p.first, rows)
	case formHex:
		return c.hex(p.first, rows)
	case formBool:
		return c.bools(p.first, rows)
	case formFloat:
		return c.floats(p.first, rows)
	case formText:
		return c.texts(p.first, rows)
	case formOutside:
		return c.outside(p.first, rows)
	case formMap:
		return c.attributes(p, f.Nullable, rows)
	}
	col, err := c.lists(p.first)
	if err == nil && rows != nil {
		col = vector.Take(col, rows)
	}
	return col, err
}

// count is how many rows are asked for.
func (c *Chunk) count(rows []int32) int {
	if rows != nil {
		return len(rows)
	}
	return c.Rows()
}

// absent is a column without values: NULL, or zero if it cannot be NULL.
func absent(f vector.Field, rows int) *vector.Column {
	c := &vector.Column{Kind: f.Kind, Len: rows, Width: f.Width}
	if f.Nullable {
		c.Valid = vector.NewBitmap(rows)
	}
	switch f.Kind {
	case vector.Bool:
		c.Bools = make([]bool, rows)
	case vector.Int64:
		c.Ints = make([]int64, rows)
	case vector.Float:
		c.Floats = make([]float64, rows)
	case vector.String:
		c.Dict, c.Codes = []string{""}, make([]uint32, rows)
	case vector.Hex:
		c.Raw = make([]byte, rows*f.Width)
	default:
		c.Anys = make([]any, rows)
	}
	return c
}

func (c *Chunk) chunk(leaf int) *columnChunk { return &c.part.groups[c.group][leaf] }
