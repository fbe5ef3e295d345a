package block

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/pierrec/lz4/v4"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// payload gives a chunk's bytes, checked and decompressed, with padding behind.
func (b *Block) payload(c chunk) ([]byte, error) {
	stored := b.data[c.offset : c.offset+c.stored]
	if crc32.Checksum(stored, castagnoli) != c.crc {
		return nil, corrupt("checksum of column %q at %d", c.name, b.size-len(b.data)+c.offset)
	}
	if c.stored == c.raw {
		return b.data[c.offset : c.offset+c.stored+padding], nil
	}
	out := make([]byte, c.raw+padding)
	n, err := lz4.UncompressBlock(stored, out[:c.raw])
	if err != nil || n != c.raw {
		return nil, corrupt("column %q does not decompress", c.name)
	}
	return out, nil
}

// reader opens a chunk that must be of a kind: kinds never change in place.
func (b *Block) reader(c chunk, kind vector.Kind) (*reader, error) {
	if c.kind != kind {
		return nil, corrupt("column %q has kind %d, want %d", c.name, c.kind, kind)
	}
	buf, err := b.payload(c)
	if err != nil {
		return nil, err
	}
	return newReader(buf), nil
}

// err is the error of a chunk that could not be read.
func (r *reader) err(c chunk) error {
	if r.bad {
		return corrupt("column %q cannot be decoded", c.name)
	}
	return nil
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
	case vector.Map:
		c.Attrs = &vector.Attrs{Off: make([]uint32, rows+1)}
	default:
		c.Anys = make([]any, rows)
	}
	return c
}

// valid reads which rows have a value, nil if all do.
func (b *Block) valid(c chunk) (vector.Bitmap, error) {
	if c.valid == 0 {
		if c.count != b.rows && c.encoding != encMapped {
			return nil, corrupt("column %q has %d values", c.name, c.count)
		}
		return nil, nil
	}
	if c.valid > len(b.validity) {
		return nil, corrupt("column %q has no validity bitmap", c.name)
	}
	buf, err := b.payload(b.validity[c.valid-1])
	if err != nil {
		return nil, err
	}
	bitmap := readBitmap(newReader(buf), b.rows)
	if bitmap.Count() != c.count {
		return nil, corrupt("validity of column %q", c.name)
	}
	return bitmap, nil
}

// readBitmap reads n bits; those behind them are dropped.
func readBitmap(r *reader, n int) vector.Bitmap {
	out := vector.NewBitmap(n)
	buf := r.packed(n, 1)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(buf[8*i:])
	}
	if n&63 != 0 {
		out[len(out)-1] &= 1<<(n&63) - 1
	}
	return out
}

// decode reads a chunk as a column of a kind.
func (b *Block) decode(c chunk, kind vector.Kind, width int) (*vector.Column, error) {
	if c.encoding == encMapped {
		return b.mapped(c)
	}
	if kind == vector.Map {
		return b.mapColumn(c)
	}
	r, err := b.reader(c, kind)
	if err != nil {
		return nil, err
	}
	col := &vector.Column{Kind: kind, Len: b.rows}
	if col.Valid, err = b.valid(c); err != nil {
		return nil, err
	}
	switch kind {
	case vector.Int64:
		if c.encoding == encSum || c.encoding == encDifference {
			col.Ints, err = b.derived(c, r)
		} else {
			col.Ints = spread(r.ints(c.encoding, c.count), col.Valid, b.rows, 1)
		}
	case vector.Float:
		if c.encoding == encScaled {
			col.Floats, err = b.scaled(c, r)
		} else {
			col.Floats = spread(r.floats(c.encoding, c.count), col.Valid, b.rows, 1)
		}
	case vector.String:
		t := r.textColumn(c.encoding, c.count, false)
		if col.Dict = t.dict; t.strs != nil {
			col.Strs = spread(t.strs, col.Valid, b.rows, 1)
		} else {
			col.Codes = spread(t.codes, col.Valid, b.rows, 1)
			if len(col.Dict) == 0 {
				col.Dict = []string{""}
			}
		}
	case vector.Hex:
		col.Width = width
		var raw []byte
		if raw, err = b.hex(c, r, width, col.Valid); err == nil {
			col.Raw = spread(raw, col.Valid, b.rows, width)
		}
	case vector.Bool:
		col.Bools = spread(r.bools(c.encoding, c.count), col.Valid, b.rows, 1)
	default:
		col.Anys = spread(r.anys(c.encoding, c.count), col.Valid, b.rows, 1)
	}
	if err == nil {
		err = r.err(c)
	}
	if err != nil {
		return nil, err
	}
	return col, nil
}

// spread puts the values of rows that have one, size elements each, in their
// places; the others are zero.
func spread[T any](values []T, valid vector.Bitmap, rows, size int) []T {
	if valid == nil {
		return values
	}
	out := make([]T, rows*size)
	if len(values) < valid.Count()*size {
		return out // the reader has failed
	}
	for w, word := range valid {
		at := w * 64 * size
		if word == ^uint64(0) {
			copy(out[at:], values[:64*size])
			values = values[64*size:]
			continue
		}
		for ; word != 0; word &= word - 1 {
			i := at + bits.TrailingZeros64(word)*size
			if size == 1 {
				out[i] = values[0]
			} else {
				copy(out[i:i+size], values[:size])
			}
			values = values[size:]
		}
	}
	return out
}

// base decodes a column that another is derived from: one that is not derived
// itself and without NULLs.
func (b *Block) base(name string, kind vector.Kind, width int) (*vector.Column, error) {
	c, ok := b.chunks[name]
	switch c.encoding {
	case encSum, encDifference, encScaled, encMapped, encReference:
		ok = false
	}
	if !ok || c.valid != 0 {
		return nil, corrupt("no column %q to derive from", name)
	}
	return b.decode(c, kind, width)
}

func (b *Block) derived(c chunk, r *reader) ([]int64, error) {
	x, err := b.base(r.text(), vector.Int64, 0)
	if err != nil {
		return nil, err
	}
	y, err := b.base(r.text(), vector.Int64, 0)
	if err != nil {
		return nil, err
	}
	out := x.Ints
	if c.encoding == encSum {
		for i, v := range y.Ints {
			out[i] += v
		}
	} else {
		for i, v := range y.Ints {
			out[i] -= v
		}
	}
	return out, nil
}

func (b *Block) scaled(c chunk, r *reader) ([]float64, error) {
	base, ok := b.chunks[r.text()] // which may itself be a sum or a difference
	if !ok || base.valid != 0 || base.kind != vector.Int64 {
		return nil, corrupt("no column to derive %q from", c.name)
	}
	x, err := b.decode(base, vector.Int64, 0)
	if err != nil {
		return nil, err
	}
	exponent := int(r.byte())
	if exponent >= len(powers) {
		return nil, corrupt("exponent of column %q", c.name)
	}
	out := make([]float64, len(x.Ints))
	for i, v := range x.Ints {
		out[i] = float64(v) / powers[exponent]
	}
	return out, nil
}

// mapped decodes a String column that is a function of another's codes.
func (b *Block) mapped(c chunk) (*vector.Column, error) {
	r, err := b.reader(c, vector.String)
	if err != nil {
		return nil, err
	}
	name := r.text()
	dict := r.texts(r.int(b.rows))
	table := r.codes(r.int(b.rows), len(dict)+1)
	codes, err := b.baseCodes(name, len(table))
	if err != nil {
		return nil, err
	}
	if r.bad || len(codes) != b.rows {
		return nil, corrupt("column %q cannot be decoded", c.name)
	}
	col := &vector.Column{Kind: vector.String, Len: b.rows, Codes: codes, Dict: dict}
	if len(dict) == 0 {
		col.Dict = []string{""}
	}
	if !slices.Contains(table, 0) {
		for i, code := range codes {
			codes[i] = table[code] - 1
		}
		return col, nil
	}
	for i, code := range codes {
		codes[i] = table[code]
	}
	col.Valid = validCodes(codes)
	return col, nil
}

// validCodes turns codes that begin at 1, 0 for NULL, into those of a column.
func validCodes(codes []uint32) vector.Bitmap {
	valid := vector.NewBitmap(len(codes))
	for w := range valid {
		run := codes[64*w : min(64*w+64, len(codes))]
		word := uint64(0)
		for i, code := range run {
			has := (code | -code) >> 31 // 1 unless code is 0
			word |= uint64(has) << i
			run[i] = code - has
		}
		valid[w] = word
	}
	return valid
}

// baseCodes gives the codes, below limit, of a field that others are mapped from.
func (b *Block) baseCodes(name string, limit int) ([]uint32, error) {
	c, ok := b.chunks[name]
	if ok && c.kind == vector.Map && c.valid == 0 {
		m, err := b.sets(c)
		if err != nil {
			return nil, err
		}
		if m.rowSets == nil || m.count != limit {
			return nil, corrupt("no column %q to map from", name)
		}
		return m.rowSets, nil
	}
	col, err := b.base(name, vector.String, 0)
	if err != nil {
		return nil, err
	}
	if col.Codes == nil || !below(col.Codes, uint32(limit)) {
		return nil, corrupt("no column %q to map from", name)
	}
	return col.Codes, nil
}
