package cold

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A nestedPage is one of a column with lists, its levels taken off.
type nestedPage struct {
	def, rep []uint32
	n        int    // values
	values   []byte // padding lies behind them
	page     *page
}

func (c *Chunk) nested(leaf int) (f nestedPage, err error) {
	if f.page, err = c.page(leaf); err != nil {
		return f, err
	}
	l := c.part.columns.leaves[leaf]
	rep, rest, ok := section(f.page.data)
	if !ok || int64(f.page.values) > c.chunk(leaf).values {
		return f, c.fail(leaf)
	}
	def, rest, ok := section(rest)
	if !ok {
		return f, c.fail(leaf)
	}
	f.values = rest
	f.rep, f.def = make([]uint32, f.page.values), make([]uint32, f.page.values)
	if !runs(f.rep, rep, bits.Len(uint(l.rep))) || !runs(f.def, def, bits.Len(uint(l.def))) {
		return f, c.fail(leaf)
	}
	rows := 0
	for i, d := range f.def {
		if int(d) == l.def {
			f.n++
		}
		if f.rep[i] == 0 {
			rows++
		}
		if int(d) > l.def || i == 0 && f.rep[0] != 0 {
			return f, c.fail(leaf)
		}
	}
	if rows != c.Rows() {
		return f, c.fail(leaf)
	}
	return f, nil
}

// lists decodes arrays of one dimension.
func (c *Chunk) lists(leaf int) (*vector.Column, error) {
	l := c.part.columns.leaves[leaf]
	f, err := c.nested(leaf)
	if err != nil {
		return nil, err
	}
	if f.n > 0 && (f.page.encoding != parquet.Encodings.Plain || len(f.values) != 8*f.n) {
		return nil, c.fail(leaf)
	}
	out := &vector.Column{Kind: vector.Any, Len: c.Rows(), Anys: make([]any, c.Rows())}
	elems := make([]any, 0, f.n) // of all rows
	starts := make([]int, 0, c.Rows()+1)
	values := f.values
	for i, d := range f.def {
		if f.rep[i] == 0 {
			starts = append(starts, len(elems))
		}
		switch l.def - int(d) {
		case 0:
			if bits := binary.LittleEndian.Uint64(values); l.typ == parquet.Types.Double {
				elems = append(elems, math.Float64frombits(bits))
			} else {
				elems = append(elems, int64(bits))
			}
			values = values[8:]
		case 1:
			elems = append(elems, nil)
		case 3: // NULL
			if out.Valid == nil {
				out.Valid = vector.Ones(c.Rows())
			}
			out.Valid.Clear(len(starts) - 1)
		}
	}
	starts = append(starts, len(elems))
	oid := pgtypes.Int8
	if l.typ == parquet.Types.Double {
		oid = pgtypes.Float8
	}
	for row := range out.Anys {
		if !out.IsNull(row) {
			out.Anys[row] = pgtypes.NewArray(oid, elems[starts[row]:starts[row+1]:starts[row+1]])
		}
	}
	return out, nil
}

// pairs is the entries of a MAP of texts: those of row i are off[i] to off[i+1].
type pairs struct {
	valid vector.Bitmap // nil: no row is NULL
	off   []uint32
	keys  pairTexts
	texts pairTexts
}

// pairTexts is the keys or the values of the entries.
type pairTexts struct {
	plain []string
	codes []uint32
	dict  *dictionary // nil: plain
}

func (t *pairTexts) at(e uint32) string {
	if t.dict == nil {
		return t.plain[e]
	}
	return t.dict.texts[t.codes[e]]
}

// pairs decodes a MAP of texts, nil if it has no entries. nullable tells
// whether NULL is of interest.
func (c *Chunk) pairs(leaf int, nullable bool) (*pairs, error) {
	if cc := c.chunk(leaf); cc.missing || cc.empty && !nullable {
		return nil, nil
	}
	out := &pairs{off: make([]uint32, 0, c.Rows()+1)}
	f, err := c.nested(leaf)
	if err != nil {
		return nil, err
	}
	full := c.part.columns.leaves[leaf].def
	entries := uint32(0)
	for i, d := range f.def {
		if f.rep[i] == 0 {
			out.off = append(out.off, entries)
		}
		if int(d) == full {
			entries++
		}
		if full-int(d) == 2 && nullable {
			if out.valid == nil {
				out.valid = vector.Ones(c.Rows())
			}
			out.valid.Clear(len(out.off) - 1)
		}
	}
	out.off = append(out.off, entries)
	if out.keys, err = c.pairTexts(leaf, &f); err != nil {
		return nil, err
	}
	n := f.n
	if f, err = c.nested(leaf + 1); err != nil {
		return nil, err
	}
	if f.n != n {
		return nil, c.fail(leaf + 1)
	}
	out.texts, err = c.pairTexts(leaf+1, &f)
	return out, err
}

func (c *Chunk) pairTexts(leaf int, f *nestedPage) (t pairTexts, err error) {
	ok := f.n == 0
	switch {
	case ok:
	case f.page.encoding == parquet.Encodings.RLEDict:
		if t.dict, err = c.dictionary(leaf); err != nil {
			return t, err
		}
		t.codes = make([]uint32, f.n)
		ok = len(f.values) > 0 && runs(t.codes, f.values[1:], int(f.values[0])) && below(t.codes, len(t.dict.texts))
	case f.page.encoding == parquet.Encodings.Plain:
		t.plain, ok = plainTexts(f.values, f.n, nil)
	}
	if !ok {
		return t, c.fail(leaf)
	}
	return t, nil
}
