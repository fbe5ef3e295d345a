package otlp

import (
	"sync"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A column collects one column of a request. Rows that are not set are NULL.
// What is handed to the rows is allocated when a value asks for it, so that
// columns nobody uses cost nothing; the rest is scratch.
type column struct {
	field vector.Field
	set   int           // rows set
	valid vector.Bitmap // scratch

	ints   []int64
	floats []float64
	bools  []bool
	codes  []uint32
	anys   []any
	raw    []byte
	dict   []string

	index map[string]uint32 // scratch: dictionary text → code
	remap []uint32          // scratch: code of attributes.strs → code+1
}

// A table collects the columns of one request.
type table struct {
	schema *vector.Schema
	n      int // rows at most
	cols   []column
}

func newTable(schema *vector.Schema) *table {
	t := &table{schema: schema, cols: make([]column, len(schema.Fields))}
	for i, f := range schema.Fields {
		t.cols[i].field = f
	}
	return t
}

// begin makes ready for a request of at most n rows.
func (t *table) begin(n int) {
	t.n = n
	for i := range t.cols {
		c := &t.cols[i]
		if c.set > 0 {
			*c = column{field: c.field, valid: c.valid, index: c.index, remap: c.remap}
			if len(c.index) > 1<<12 {
				c.index = nil
			}
			clear(c.index)
			clear(c.remap)
			c.remap = c.remap[:0]
			clear(c.valid)
		}
		if words := (n + 63) / 64; cap(c.valid) < words {
			c.valid = make(vector.Bitmap, words)
		} else {
			c.valid = c.valid[:cap(c.valid)]
		}
	}
}

func (c *column) mark(row int) {
	c.valid.Set(row)
	c.set++
}

// text sets a row of a String column. Text must be clean.
func (t *table) text(field, row int, s string) {
	c := &t.cols[field]
	c.put(row, t.n, c.code(s))
}

func (c *column) put(row, n int, code uint32) {
	c.mark(row)
	if code != 0 {
		if c.codes == nil {
			c.codes = make([]uint32, n)
		}
		c.codes[row] = code
	}
}

// code gives the dictionary code of a text.
func (c *column) code(s string) uint32 {
	if len(c.dict) > 0 && c.dict[len(c.dict)-1] == s {
		return uint32(len(c.dict) - 1)
	}
	code, ok := c.index[s]
	if !ok {
		if c.index == nil {
			c.index = make(map[string]uint32)
		}
		code = uint32(len(c.dict))
		c.index[s] = code
		c.dict = append(c.dict, s)
	}
	return code
}

// interned sets a row to text s, whose code in attributes.strs is known.
func (t *table) interned(field, row int, s string, str uint64) {
	c := &t.cols[field]
	for uint64(len(c.remap)) <= str {
		c.remap = append(c.remap, 0)
	}
	code := c.remap[str]
	if code == 0 {
		code = c.code(s) + 1
		c.remap[str] = code
	}
	c.put(row, t.n, code-1)
}

// texts sets rows from up to but not including to.
func (t *table) texts(field, from, to int, s string) {
	if from == to {
		return
	}
	c := &t.cols[field]
	code := c.code(s)
	for row := from; row < to; row++ {
		c.put(row, t.n, code)
	}
}

func (t *table) int(field, row int, v int64) {
	c := &t.cols[field]
	c.mark(row)
	if v != 0 {
		if c.ints == nil {
			c.ints = make([]int64, t.n)
		}
		c.ints[row] = v
	}
}

func (t *table) float(field, row int, v float64) {
	c := &t.cols[field]
	c.mark(row)
	if c.floats == nil {
		c.floats = make([]float64, t.n)
	}
	c.floats[row] = v
}

func (t *table) bool(field, row int, v bool) {
	c := &t.cols[field]
	c.mark(row)
	if v {
		if c.bools == nil {
			c.bools = make([]bool, t.n)
		}
		c.bools[row] = true
	}
}

func (t *table) any(field, row int, v any) {
	c := &t.cols[field]
	c.mark(row)
	if c.anys == nil {
		c.anys = make([]any, t.n)
	}
	c.anys[row] = v
}

func (t *table) hex(field, row int, id []byte) {
	c := &t.cols[field]
	c.mark(row)
	if c.raw == nil {
		c.raw = make([]byte, t.n*c.field.Width)
	}
	copy(c.raw[row*c.field.Width:], id)
}

// finish gives the first n rows. The Map column is the caller's.
func (t *table) finish(n int) *vector.Rows {
	rows := &vector.Rows{Schema: t.schema, N: n, Cols: make([]*vector.Column, len(t.cols))}
	for i := range t.cols {
		if c := &t.cols[i]; c.field.Kind != vector.Map {
			rows.Cols[i] = c.finish(n)
		}
	}
	return rows
}

func (c *column) finish(n int) *vector.Column {
	kind := c.field.Kind
	if c.set == 0 {
		return empty(kind, c.field.Width, n, true)
	}
	if c.set == n && c.ints == nil && (kind == vector.Int64 || kind == vector.Bool && c.bools == nil) {
		return empty(kind, 0, n, false)
	}
	out := &vector.Column{Kind: kind, Len: n, Width: c.field.Width}
	if c.set < n {
		out.Valid = c.valid[:(n+63)/64].Clone()
	}
	switch kind {
	case vector.Bool:
		if out.Bools = c.bools; c.bools == nil {
			out.Bools = zeros(sharedBools[:], n)
		}
		out.Bools = out.Bools[:n:n]
	case vector.Int64:
		if out.Ints = c.ints; c.ints == nil {
			out.Ints = zeros(sharedInts[:], n)
		}
		out.Ints = out.Ints[:n:n]
	case vector.Float:
		out.Floats = c.floats[:n:n]
	case vector.String:
		if out.Codes = c.codes; c.codes == nil {
			out.Codes = zeros(sharedCodes[:], n)
		}
		out.Codes = out.Codes[:n:n]
		out.Dict = c.dict
	case vector.Hex:
		out.Raw = c.raw[: n*c.field.Width : n*c.field.Width]
	default:
		out.Anys = c.anys[:n:n]
	}
	return out
}

// sharedRows is up to how many rows columns without values are shared.
const sharedRows = 1024

// Zeros that columns share.
var (
	sharedCodes  [sharedRows]uint32
	sharedInts   [sharedRows]int64
	sharedFloats [sharedRows]float64
	sharedBools  [sharedRows]bool
	sharedAnys   [sharedRows]any
	sharedRaw    [sharedRows * 16]byte
)

// zeros gives n zeros, from the shared ones if they suffice.
func zeros[T any](shared []T, n int) []T {
	if n <= len(shared) {
		return shared[:n:n]
	}
	return make([]T, n)
}

type emptyKey struct {
	kind     vector.Kind
	width, n int
	null     bool
}

// emptyColumns holds columns without values (all NULL, or all zero) for
// every request of the same size.
var emptyColumns sync.Map // emptyKey → *vector.Column

func empty(kind vector.Kind, width, n int, null bool) *vector.Column {
	if n > sharedRows {
		return newEmpty(kind, width, n, null)
	}
	key := emptyKey{kind, width, n, null}
	if c, ok := emptyColumns.Load(key); ok {
		return c.(*vector.Column)
	}
	c, _ := emptyColumns.LoadOrStore(key, newEmpty(kind, width, n, null))
	return c.(*vector.Column)
}

func newEmpty(kind vector.Kind, width, n int, null bool) *vector.Column {
	c := &vector.Column{Kind: kind, Len: n, Width: width}
	if null {
		c.Valid = vector.NewBitmap(n)
	}
	switch kind {
	case vector.Bool:
		c.Bools = zeros(sharedBools[:], n)
	case vector.Int64:
		c.Ints = zeros(sharedInts[:], n)
	case vector.Float:
		c.Floats = zeros(sharedFloats[:], n)
	case vector.String:
		c.Codes, c.Dict = zeros(sharedCodes[:], n), []string{""}
	case vector.Hex:
		c.Raw = zeros(sharedRaw[:], n*width)
	default:
		c.Anys = zeros(sharedAnys[:], n)
	}
	return c
}
