package cold

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Chunk reads a run of rows of a part. It is safe for concurrent use.
type Chunk struct {
	part  *Part
	k     int
	bytes atomic.Int64
}

// Chunk gives a chunk; nothing is read.
func (p *Part) Chunk(k int) *Chunk { return &Chunk{part: p, k: k} }

// Rows gives the number of rows.
func (c *Chunk) Rows() int {
	size := c.part.meta.ChunkRows
	return min(size, c.part.meta.Rows-c.k*size)
}

// Bytes gives how many bytes were read of the file so far.
func (c *Chunk) Bytes() int64 { return c.bytes.Load() }

// RowNumbers decodes the rows' running numbers within the table.
func (c *Chunk) RowNumbers() (*vector.Column, error) { return c.integers(c.part.columns.row) }

// LSNs decodes the LSNs of the rows' records.
func (c *Chunk) LSNs() (*vector.Column, error) { return c.integers(c.part.columns.lsn) }

// Column decodes a field of the schema. Of a field that the part does not know
// every row is NULL, or zero if it cannot be NULL.
func (c *Chunk) Column(field int) (*vector.Column, error) {
	f, p := c.part.spec.Schema.Fields[field], c.part.columns.places[field]
	if p.form != formMap && c.chunk(p.first).missing {
		return absent(f, c.Rows()), nil
	}
	switch p.form {
	case formInt:
		return c.integers(p.first)
	case formTime:
		return c.times(p.first)
	case formRelative:
		return c.relative(p.first)
	case formHex:
		return c.hex(p.first)
	case formBool:
		return c.bools(p.first)
	case formFloat:
		return c.floats(p.first)
	case formText:
		return c.texts(p.first)
	case formOutside:
		return c.outside(p.first)
	case formMap:
		return c.attributes(p, f.Nullable, nil)
	}
	return c.lists(p.first)
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

func (c *Chunk) chunk(leaf int) *columnChunk { return &c.part.groups[c.k/GroupChunks][leaf] }

// A flat page is one of a column that is not nested, its levels taken off.
type flatPage struct {
	valid  vector.Bitmap // nil: no row is NULL
	n      int           // values
	values []byte        // padding lies behind them
	page   *page
}

// flat reads the levels of a page. Where a column has no value in the row group
// nothing is read: page is nil.
func (c *Chunk) flat(leaf int) (f flatPage, err error) {
	rows := c.Rows()
	optional := c.part.columns.leaves[leaf].def > 0
	if optional && c.chunk(leaf).empty {
		f.valid = vector.NewBitmap(rows)
		return f, nil
	}
	if f.page, err = c.page(leaf); err != nil {
		return f, err
	}
	if f.n, f.values = rows, f.page.data; !optional {
		return f, nil
	}
	levels, rest, ok := section(f.values)
	if !ok {
		return f, c.fail(leaf)
	}
	f.values = rest
	if f.valid, f.n, ok = levelBits(levels, rows); !ok {
		return f, c.fail(leaf)
	}
	return f, nil
}

// section splits off bytes whose length stands before them.
func section(data []byte) (head, rest []byte, ok bool) {
	if len(data) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(data)
	if data = data[4:]; uint64(n) > uint64(len(data)) {
		return nil, nil, false
	}
	return data[:n], data[n:], true
}

// codes decodes the codes of a page with a dictionary of that many entries.
func (f *flatPage) codes(count int) ([]uint32, bool) { return codes(f.values, f.n, count) }

func codes(values []byte, n, count int) ([]uint32, bool) {
	if n == 0 {
		return []uint32{}, true
	}
	if len(values) == 0 {
		return nil, false
	}
	out, ok := runs(values[1:], int(values[0]), n)
	if !ok {
		return nil, false
	}
	greatest := uint32(0)
	for _, code := range out {
		greatest = max(greatest, code)
	}
	return out, int(greatest) < count
}

// ints decodes the values of a page of integers.
func (c *Chunk) ints(leaf int, f *flatPage) ([]int64, error) {
	if f.n == 0 {
		return nil, nil
	}
	var out []int64
	ok := false
	switch f.page.encoding {
	case parquet.Encodings.Plain:
		if ok = len(f.values) == 8*f.n; ok {
			out = plainInts(f.values, f.n)
		}
	case parquet.Encodings.DeltaBinaryPacked:
		out, ok = deltas(f.values, f.n)
	case parquet.Encodings.RLEDict:
		d, err := c.dictionary(leaf)
		if err != nil {
			return nil, err
		}
		var numbers []uint32
		if numbers, ok = f.codes(len(d.ints)); ok {
			out = make([]int64, f.n)
			for i, code := range numbers {
				out[i] = d.ints[code]
			}
		}
	}
	if !ok {
		return nil, c.fail(leaf)
	}
	return out, nil
}

func (c *Chunk) integers(leaf int) (*vector.Column, error) {
	f, err := c.flat(leaf)
	if err != nil {
		return nil, err
	}
	values, err := c.ints(leaf, &f)
	if err != nil {
		return nil, err
	}
	return &vector.Column{Kind: vector.Int64, Len: c.Rows(), Valid: f.valid, Ints: spread(values, f.valid, c.Rows(), 1)}, nil
}

// times puts microseconds and nanoseconds together.
func (c *Chunk) times(leaf int) (*vector.Column, error) {
	whole, err := c.integers(leaf)
	if err != nil {
		return nil, err
	}
	small, err := c.integers(leaf + 1)
	if err != nil {
		return nil, err
	}
	for i, n := range small.Ints {
		whole.Ints[i] = whole.Ints[i]*1000 + n
	}
	return whole, nil
}

// relative adds the time to a distance from it.
func (c *Chunk) relative(leaf int) (*vector.Column, error) {
	out, err := c.integers(leaf)
	if err != nil {
		return nil, err
	}
	times, err := c.times(c.part.columns.places[c.part.columns.time].first)
	if err != nil {
		return nil, err
	}
	for i := range out.Ints {
		if !out.IsNull(i) {
			out.Ints[i] += times.Ints[i]
		}
	}
	return out, nil
}

func (c *Chunk) hex(leaf int) (*vector.Column, error) {
	f, err := c.flat(leaf)
	if err != nil {
		return nil, err
	}
	width := c.part.columns.leaves[leaf].width
	if f.n > 0 && (f.page.encoding != parquet.Encodings.Plain || len(f.values) != f.n*width) {
		return nil, c.fail(leaf)
	}
	raw := f.values
	if f.n == 0 {
		raw = nil
	}
	return &vector.Column{Kind: vector.Hex, Len: c.Rows(), Width: width, Valid: f.valid, Raw: spread(raw, f.valid, c.Rows(), width)}, nil
}

func (c *Chunk) bools(leaf int) (*vector.Column, error) {
	f, err := c.flat(leaf)
	if err != nil {
		return nil, err
	}
	if f.n > 0 && (f.page.encoding != parquet.Encodings.Plain || len(f.values) != (f.n+7)/8) {
		return nil, c.fail(leaf)
	}
	values := make([]bool, f.n)
	for i := range values {
		values[i] = f.values[i>>3]>>(i&7)&1 != 0
	}
	return &vector.Column{Kind: vector.Bool, Len: c.Rows(), Valid: f.valid, Bools: spread(values, f.valid, c.Rows(), 1)}, nil
}

func (c *Chunk) floats(leaf int) (*vector.Column, error) {
	f, err := c.flat(leaf)
	if err != nil {
		return nil, err
	}
	if f.n > 0 && (f.page.encoding != parquet.Encodings.Plain || len(f.values) != 8*f.n) {
		return nil, c.fail(leaf)
	}
	return &vector.Column{Kind: vector.Float, Len: c.Rows(), Valid: f.valid, Floats: spread(plainFloats(f.values, f.n), f.valid, c.Rows(), 1)}, nil
}

// texts decodes a column of texts: by codes of the row group's dictionary, or
// plain.
func (c *Chunk) texts(leaf int) (*vector.Column, error) {
	out := &vector.Column{Kind: vector.String, Len: c.Rows()}
	f, err := c.flat(leaf)
	if err != nil {
		return nil, err
	}
	if out.Valid = f.valid; f.n == 0 {
		out.Dict, out.Codes = []string{""}, make([]uint32, c.Rows())
		return out, nil
	}
	switch f.page.encoding {
	case parquet.Encodings.RLEDict:
		d, err := c.dictionary(leaf)
		if err != nil {
			return nil, err
		}
		numbers, ok := f.codes(len(d.texts))
		if !ok {
			return nil, c.fail(leaf)
		}
		out.Dict, out.Codes = d.texts, spread(numbers, f.valid, c.Rows(), 1)
		return out, nil
	case parquet.Encodings.Plain:
		if texts, ok := plainTexts(f.values, f.n); ok {
			out.Strs = spread(texts, f.valid, c.Rows(), 1)
			return out, nil
		}
	}
	return nil, c.fail(leaf)
}

// outside gives texts and references as they are stored.
func (c *Chunk) outside(leaf int) (*vector.Column, error) {
	in, err := c.texts(leaf)
	if err != nil {
		return nil, err
	}
	digests, err := c.hex(leaf + 1)
	if err != nil {
		return nil, err
	}
	lengths, err := c.integers(leaf + 2)
	if err != nil {
		return nil, err
	}
	none := digests.Valid != nil && digests.Valid.Count() == 0
	if in.Dict != nil {
		plain := true
		for _, s := range in.Dict {
			plain = plain && (s == "" || s[0] != 0)
		}
		if none && plain {
			return in, nil
		}
	}
	out := &vector.Column{Kind: vector.String, Len: in.Len, Valid: in.Valid, Strs: make([]string, in.Len)}
	for i := range out.Strs {
		switch {
		case !digests.IsNull(i):
			ref := layout.Reference{Hash: [32]byte(digests.HexBytes(i)), Len: int(lengths.Ints[i])}
			out.Strs[i] = string(ref.Append(nil))
		case !in.IsNull(i):
			out.Strs[i] = layout.StoredText(in.Str(i))
		}
	}
	if !none && in.Valid != nil {
		out.Valid = in.Valid.Clone()
		for w := range out.Valid {
			if digests.Valid == nil {
				out.Valid = nil
				break
			}
			out.Valid[w] |= digests.Valid[w]
		}
	}
	if out.Valid != nil && out.Valid.Count() == out.Len {
		out.Valid = nil
	}
	return out, nil
}
