// Package vector holds rows by column: typed columns, dictionaries, batches,
// selections and the memory account that queries draw on.
package vector

import "math/bits"

// A Kind is the physical form of a column's values.
type Kind uint8

// The kinds. A SQL type says what a value means; a Kind says how it is held.
const (
	Bool   Kind = iota + 1 // Bools
	Int64                  // Ints: all integers, oid, timestamptz, timestamp, date, time
	Float                  // Floats
	String                 // Strs, or Codes into Dict: text-like types, json, jsonb
	Hex                    // Raw bytes, Width a value; its text is lower-case hex (trace and span ids)
	Map                    // Attrs: typed attributes of one level, a jsonb object
	Any                    // Anys: every other type, in the form of package pgtypes
)

// A Column is the values of one column for a run of rows.
//
// Invariants: exactly the fields of its Kind are set; Len is their length in
// rows. Where Valid is set and a bit is 0, the row is NULL and the value at
// that place is the zero value. A Column never changes once built, so readers
// share it without locks; slices and strings may alias a block's buffer, which
// the garbage collector keeps.
type Column struct {
	Kind  Kind
	Len   int
	Valid Bitmap // nil: no row is NULL

	Bools  []bool
	Ints   []int64
	Floats []float64
	Strs   []string // String without dictionary
	Codes  []uint32 // String with dictionary: Dict[Codes[i]]; code 0 where NULL
	Dict   []string // shared, immutable, without duplicates
	Raw    []byte   // Hex: value i is Raw[i*Width:(i+1)*Width]
	Width  int
	Attrs  *Attrs
	Anys   []any
}

// IsNull reports whether row i is NULL.
func (c *Column) IsNull(i int) bool { return c.Valid != nil && !c.Valid.Get(i) }

// HasDict reports whether c is a dictionary-coded String column.
func (c *Column) HasDict() bool { return c.Kind == String && c.Dict != nil }

// Str gives the text of row i of a String column.
func (c *Column) Str(i int) string {
	if c.Dict != nil {
		return c.Dict[c.Codes[i]]
	}
	return c.Strs[i]
}

// HexBytes gives the bytes of row i of a Hex column.
func (c *Column) HexBytes(i int) []byte { return c.Raw[i*c.Width : (i+1)*c.Width] }

const hexDigits = "0123456789abcdef"

// AppendHex appends the text of row i of a Hex column.
func (c *Column) AppendHex(dst []byte, i int) []byte {
	for _, b := range c.HexBytes(i) {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// Value gives row i in the form of package pgtypes, nil for NULL.
func (c *Column) Value(i int) any {
	if c.IsNull(i) {
		return nil
	}
	switch c.Kind {
	case Bool:
		return c.Bools[i]
	case Int64:
		return c.Ints[i]
	case Float:
		return c.Floats[i]
	case String:
		return c.Str(i)
	case Hex:
		return string(c.AppendHex(make([]byte, 0, 2*c.Width), i))
	case Map:
		return c.Attrs.JSON(i)
	default:
		return c.Anys[i]
	}
}

// A Bitmap holds one bit a row, least significant first.
type Bitmap []uint64

// NewBitmap makes a bitmap of n zero bits.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

// Get reports bit i.
func (b Bitmap) Get(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

// Set sets bit i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Clear clears bit i.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (i & 63) }

// Ones makes a bitmap of n one bits.
func Ones(n int) Bitmap {
	b := NewBitmap(n)
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n&63 != 0 {
		b[len(b)-1] = 1<<(n&63) - 1
	}
	return b
}

// Clone copies b.
func (b Bitmap) Clone() Bitmap { return append(Bitmap(nil), b...) }

// Count gives the number of one bits.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}
