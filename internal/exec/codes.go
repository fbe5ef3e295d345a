package exec

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A rowCoder gives the rows of a batch small codes: rows with the same code
// have the same key. The other way round it need not hold (0 and -0, numerics
// that are not one in memory), so codes only save looking a key up again.
//
// A code is made of one for each column: the dictionary's, or the number of the
// value among those of the batch. Batches with more than maxRowCodes
// combinations have none.
type rowCoder struct {
	codes  []uint32 // of the live rows
	width  int      // codes are below it
	sparse bool     // a column had too many values: it is not tried again
	values valueNumbers

	numerics map[*apd.Decimal]uint32
}

const maxRowCodes = 1 << 16

// assign makes the codes of a batch, unless there are too many.
func (r *rowCoder) assign(cols []*vector.Column, b *vector.Batch) bool {
	if r.sparse || len(cols) == 0 {
		return false
	}
	width := 1
	for _, col := range cols {
		switch {
		case col.HasDict():
			width *= len(col.Dict) + 1
		case col.Kind != vector.Int64 && col.Kind != vector.Float && col.Kind != vector.Bool && col.Kind != vector.Any:
			return false
		}
		if width > maxRowCodes {
			return false
		}
	}
	n := b.Live()
	if cap(r.codes) < n {
		r.codes = make([]uint32, max(n, BatchRows))
	}
	r.codes = r.codes[:n]
	r.width = 1
	for c, col := range cols {
		values, ok := r.add(col, b, uint32(r.width), c == 0)
		if !ok {
			return false
		}
		if r.width *= values; r.width > maxRowCodes {
			return false
		}
	}
	return true
}

// add adds a column's codes times width to those of the rows, and gives how
// many there are. NULL has one of its own.
func (r *rowCoder) add(col *vector.Column, b *vector.Batch, width uint32, first bool) (values int, ok bool) {
	if first {
		clear(r.codes)
	}
	if col.HasDict() {
		if b.Sel == nil && col.Valid == nil {
			for k, code := range col.Codes[:len(r.codes)] {
				r.codes[k] += code * width
			}
			return len(col.Dict), true
		}
		for k := range r.codes {
			i := b.Row(k)
			if col.IsNull(i) {
				r.codes[k] += uint32(len(col.Dict)) * width
			} else {
				r.codes[k] += col.Codes[i] * width
			}
		}
		return len(col.Dict) + 1, true
	}
	if col.Kind == vector.Any {
		return r.addNumerics(col, b, width)
	}
	r.values.reset()
	last, code := uint64(0), uint32(0) // 0 is NULL's
	for k := range r.codes {
		i := b.Row(k)
		if col.IsNull(i) {
			continue
		}
		var v uint64
		switch col.Kind {
		case vector.Int64:
			v = uint64(col.Ints[i])
		case vector.Float:
			v = math.Float64bits(col.Floats[i])
		default:
			if col.Bools[i] {
				v = 1
			}
		}
		if code == 0 || v != last {
			if code = r.values.number(v); code == 0 {
				r.sparse = true
				return 0, false
			}
			last = v
		}
		r.codes[k] += code * width
	}
	return len(r.values.list) + 1, true
}

// addNumerics numbers numerics that rows share, and that differ in memory.
func (r *rowCoder) addNumerics(col *vector.Column, b *vector.Batch, width uint32) (values int, ok bool) {
	if r.numerics == nil {
		r.numerics = make(map[*apd.Decimal]uint32)
	}
	clear(r.numerics)
	var last *apd.Decimal
	code := uint32(0)
	for k := range r.codes {
		i := b.Row(k)
		if col.IsNull(i) {
			continue
		}
		d, isNumeric := col.Anys[i].(*apd.Decimal)
		if d != last || !isNumeric {
			if code, ok = r.numerics[d]; !ok {
				if !isNumeric || len(r.numerics) == maxValueNumbers {
					r.sparse = true
					return 0, false
				}
				code = uint32(len(r.numerics)) + 1
				r.numerics[d] = code
			}
			last = d
		}
		r.codes[k] += code * width
	}
	return len(r.numerics) + 1, true
}

// valueNumbers numbers few values from 1 on.
type valueNumbers struct {
	slots []uint16 // number; 0: empty
	list  []uint64
}

const maxValueNumbers = 1 << 10

func (t *valueNumbers) reset() {
	if t.slots == nil {
		t.slots = make([]uint16, 4*maxValueNumbers)
	}
	clear(t.slots)
	t.list = t.list[:0]
}

// number gives 0 if there are too many values.
func (t *valueNumbers) number(v uint64) uint32 {
	const odd = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	mask := uint64(len(t.slots) - 1)
	for at := v * odd >> 52; ; at = (at + 1) & mask {
		switch n := t.slots[at]; {
		case n == 0 && len(t.list) == maxValueNumbers:
			return 0
		case n == 0:
			t.list = append(t.list, v)
			t.slots[at] = uint16(len(t.list))
			return uint32(len(t.list))
		case t.list[n-1] == v:
			return uint32(n)
		}
	}
}
