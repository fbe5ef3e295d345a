package block

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"unsafe"

	"github.com/pierrec/lz4/v4"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// payload gives a chunk's bytes, checked and decompressed, with padding behind.
func (b *Block) payload(c chunk) ([]byte, error) {
	stored := b.data[c.offset : c.offset+c.stored]
	if crc32.Checksum(stored, castagnoli) != c.crc {
		return nil, corrupt("checksum of column %q", c.name)
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

// absent is a column of NULLs.
func absent(kind vector.Kind, width, rows int) *vector.Column {
	c := &vector.Column{Kind: kind, Len: rows, Width: width, Valid: vector.NewBitmap(rows)}
	switch kind {
	case vector.Bool:
		c.Bools = make([]bool, rows)
	case vector.Int64:
		c.Ints = make([]int64, rows)
	case vector.Float:
		c.Floats = make([]float64, rows)
	case vector.String:
		c.Dict, c.Codes = []string{""}, make([]uint32, rows)
	case vector.Hex:
		c.Raw = make([]byte, rows*width)
	case vector.Map:
		c.Attrs = &vector.Attrs{Off: make([]uint32, rows+1)}
	default:
		c.Anys = make([]any, rows)
	}
	return c
}

// decode reads a chunk as a column of a kind. A stored kind that the schema
// has since changed is corruption: kinds never change in place.
func (b *Block) decode(c chunk, kind vector.Kind, width int) (*vector.Column, error) {
	if c.encoding == encAbsent {
		return absent(kind, width, b.rows), nil
	}
	if c.kind != kind {
		return nil, corrupt("column %q has kind %d, want %d", c.name, c.kind, kind)
	}
	buf, err := b.payload(c)
	if err != nil {
		return nil, err
	}
	r := &reader{buf: buf[:len(buf)-padding]}
	col := &vector.Column{Kind: kind, Len: b.rows}
	if r.byte() == 1 {
		col.Valid = bitmap(r.bytes((b.rows+7)/8), b.rows)
	}
	switch c.encoding {
	case encConstant:
		b.constant(r, col, width)
	case encPacked:
		b.packed(r, buf, col)
	case encDictionary, encAttribute:
		b.dictionary(r, buf, col)
	case encPlain:
		col.Strs = texts(r, b.rows)
	case encRaw:
		b.raw(r, col, width)
	case encBits:
		bits := r.bytes((b.rows + 7) / 8)
		col.Bools = make([]bool, b.rows)
		for i := range col.Bools {
			col.Bools[i] = !r.bad && bits[i>>3]>>(i&7)&1 != 0
		}
	case encAnys:
		err = b.anys(r, col)
	default:
		return nil, corrupt("column %q has encoding %d", c.name, c.encoding)
	}
	if r.bad || err != nil {
		return nil, corrupt("column %q ends early", c.name)
	}
	return col, nil
}

// bitmap reads a validity bitmap; nil bytes (a short buffer) give no bitmap.
func bitmap(raw []byte, rows int) vector.Bitmap {
	if raw == nil {
		return nil
	}
	words := vector.NewBitmap(rows)
	var tail [8]byte
	for i := range words {
		part := raw[min(8*i, len(raw)):]
		if len(part) < 8 {
			copy(tail[:], part)
			part = tail[:]
		}
		words[i] = binary.LittleEndian.Uint64(part)
	}
	return words
}

func (b *Block) constant(r *reader, col *vector.Column, width int) {
	switch col.Kind {
	case vector.Bool:
		v := r.byte() != 0
		col.Bools = make([]bool, b.rows)
		for i := range col.Bools {
			col.Bools[i] = v
		}
	case vector.Int64:
		v := r.int64()
		col.Ints = make([]int64, b.rows)
		for i := range col.Ints {
			col.Ints[i] = v
		}
	case vector.Float:
		v := math.Float64frombits(uint64(r.int64()))
		col.Floats = make([]float64, b.rows)
		for i := range col.Floats {
			col.Floats[i] = v
		}
	case vector.String:
		col.Dict, col.Codes = []string{r.text()}, make([]uint32, b.rows)
	case vector.Hex:
		v := r.bytes(width)
		col.Width, col.Raw = width, make([]byte, 0, b.rows*width)
		for range b.rows {
			col.Raw = append(col.Raw, v...)
		}
	default:
		r.bad = true
	}
}

func (b *Block) packed(r *reader, buf []byte, col *vector.Column) {
	least, width := r.int64(), int(r.byte())
	at := len(buf) - padding - len(r.buf)
	if width > 64 || r.bytes(packedBytes(b.rows, width)) == nil && width > 0 {
		r.bad = true
		return
	}
	col.Ints = make([]int64, b.rows)
	out := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(col.Ints))), b.rows)
	unpack(buf[at:], width, out)
	if least != 0 {
		for i := range col.Ints {
			col.Ints[i] += least
		}
	}
}

func (b *Block) dictionary(r *reader, buf []byte, col *vector.Column) {
	count := r.int()
	if count > b.rows+1 {
		r.bad = true
		return
	}
	col.Dict = texts(r, count)
	width := int(r.byte())
	at := len(buf) - padding - len(r.buf)
	if r.bad || width > 32 || count == 0 || r.bytes(packedBytes(b.rows, width)) == nil && width > 0 {
		r.bad = true
		return
	}
	col.Codes = make([]uint32, b.rows)
	unpack(buf[at:], width, col.Codes)
	for _, code := range col.Codes {
		if int(code) >= count {
			r.bad = true
			return
		}
	}
}

// texts reads count lengths, then the texts, which share one string.
func texts(r *reader, count int) []string {
	lengths := make([]int, count)
	total := 0
	for i := range lengths {
		lengths[i] = r.int()
		total += lengths[i]
	}
	all := string(r.bytes(total))
	out := make([]string, count)
	if r.bad {
		return out
	}
	at := 0
	for i, n := range lengths {
		out[i] = all[at : at+n]
		at += n
	}
	return out
}

func (b *Block) raw(r *reader, col *vector.Column, width int) {
	if col.Kind == vector.Float {
		raw := r.bytes(8 * b.rows)
		if raw == nil {
			return
		}
		col.Floats = make([]float64, b.rows)
		for i := range col.Floats {
			col.Floats[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return
	}
	col.Width, col.Raw = width, r.bytes(width*b.rows)
}

func (b *Block) anys(r *reader, col *vector.Column) error {
	list := texts(r, b.rows)
	col.Anys = make([]any, b.rows)
	for i, s := range list {
		if r.bad || col.IsNull(i) || len(s) < 12 {
			continue
		}
		elem := pgtypes.OID(binary.BigEndian.Uint32([]byte(s[8:12])))
		v, err := pgtypes.DecodeBinary(pgtypes.Of(pgtypes.ArrayOf(elem)), []byte(s))
		if err != nil {
			return err
		}
		col.Anys[i] = v
	}
	return nil
}
