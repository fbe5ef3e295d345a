package cold

import (
	"math"
	"math/bits"
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// An attributeText is a value of a MAP column taken apart.
type attributeText struct {
	tag  vector.Tag
	bits uint64 // unless it is a text
	text string
}

func (v attributeText) isText() bool {
	return v.tag == vector.TagString || v.tag == vector.TagBytes || v.tag == vector.TagJSON
}

func parseTexts(texts []string) ([]attributeText, error) {
	out := make([]attributeText, len(texts))
	for i, s := range texts {
		var err error
		if out[i].tag, out[i].bits, out[i].text, err = parseAttribute(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// values gives the entries of a map taken apart, and whose each is: the values
// of entries that share a text are parsed once.
func (p *pairs) values(outside bool) (values []attributeText, codes []uint32, err error) {
	switch {
	case outside:
		n := p.off[len(p.off)-1]
		values = make([]attributeText, n)
		for e := range values {
			if values[e].tag, values[e].text, err = parseOutside(p.texts.at(uint32(e))); err != nil {
				return nil, nil, err
			}
		}
		return values, nil, nil
	case p.texts.dict != nil:
		values, err = p.texts.dict.attributes()
		return values, p.texts.codes, err
	}
	values, err = parseTexts(p.texts.plain)
	return values, nil, err
}

// attributes rebuilds a Map field of some rows, nil: of all.
func (c *Chunk) attributes(p place, nullable bool, rows []int32) (*vector.Column, error) {
	n := c.Rows()
	if rows != nil {
		n = len(rows)
	}
	m := &mapBuilder{n: n, col: &vector.Column{Kind: vector.Map, Len: n}, counts: make([]uint32, n+1)}
	for i, k := range p.frequent {
		if c.chunk(p.first + i).empty {
			continue
		}
		col, err := c.attribute(p.first+i, k, rows)
		if err != nil {
			return nil, err
		}
		m.streams = append(m.streams, stream{key: k.Key, tag: k.Tag, col: col})
	}
	rest := p.first + len(p.frequent)
	for i, leaf := range []int{rest, rest + 2} {
		in, err := c.pairs(leaf, nullable && i == 0)
		if err != nil {
			return nil, err
		}
		if in == nil {
			continue
		}
		values, codes, err := in.values(i == 1)
		if err != nil {
			return nil, err
		}
		if m.pairs(in, values, codes, rows); i == 0 && in.valid != nil {
			if m.col.Valid = in.valid; rows != nil {
				m.col.Valid = vector.NewBitmap(n)
				for k, row := range rows {
					if in.valid.Get(int(row)) {
						m.col.Valid.Set(k)
					}
				}
			}
		}
	}
	if c.chunk(rest).missing && nullable {
		m.col.Valid = vector.NewBitmap(n)
	}
	m.build()
	return m.col, nil
}

// attribute reads the column of a frequent key.
func (c *Chunk) attribute(leaf int, k frequentKey, rows []int32) (*vector.Column, error) {
	switch k.Tag {
	case vector.TagBool:
		return c.bools(leaf, rows)
	case vector.TagInt:
		return c.integers(leaf, rows)
	case vector.TagDouble:
		return c.floats(leaf, rows)
	}
	return c.texts(leaf, rows)
}

// A stream is the entries of one key: a column, or a list.
type stream struct {
	key     string
	tag     vector.Tag
	col     *vector.Column // nil: the list
	rows    []uint32
	entries []attributeText
}

// A mapBuilder makes the attributes of n rows of streams.
type mapBuilder struct {
	n       int
	col     *vector.Column
	counts  []uint32 // of the entries of row i at i+1, then where the next goes
	streams []stream
	table   []uint32 // by code: 1 + the number of the text
}

// pairs adds the entries of a MAP column as streams.
func (m *mapBuilder) pairs(in *pairs, values []attributeText, codes []uint32, rows []int32) {
	byKey := make(map[string]int)
	add := func(row int, e uint32) {
		key := in.keys.at(e)
		s, ok := byKey[key]
		if !ok {
			s = len(m.streams)
			byKey[key] = s
			m.streams = append(m.streams, stream{key: key})
		}
		v := e
		if codes != nil {
			v = codes[e]
		}
		m.streams[s].rows = append(m.streams[s].rows, uint32(row))
		m.streams[s].entries = append(m.streams[s].entries, values[v])
	}
	if rows == nil {
		for row := range m.n {
			for e := in.off[row]; e < in.off[row+1]; e++ {
				add(row, e)
			}
		}
		return
	}
	for k, row := range rows {
		for e := in.off[row]; e < in.off[row+1]; e++ {
			add(k, e)
		}
	}
}

func (m *mapBuilder) build() {
	for _, s := range m.streams {
		switch {
		case s.col == nil:
			for _, row := range s.rows {
				m.counts[row+1]++
			}
		case s.col.Valid == nil:
			for row := range m.n {
				m.counts[row+1]++
			}
		default:
			eachBit(s.col.Valid, func(row int) { m.counts[row+1]++ })
		}
	}
	for row := range m.n {
		m.counts[row+1] += m.counts[row]
	}
	a := &vector.Attrs{Off: slices.Clone(m.counts)}
	total := m.counts[m.n]
	a.Keys, a.Tags, a.Vals = make([]uint32, total), make([]vector.Tag, total), make([]uint64, total)
	slices.SortStableFunc(m.streams, func(x, y stream) int { return compareKeys(x.key, y.key) })
	for _, s := range m.streams {
		if n := len(a.KeyDict); n == 0 || a.KeyDict[n-1] != s.key {
			a.KeyDict = append(a.KeyDict, s.key)
		}
		m.stream(a, s)
	}
	m.col.Attrs = a
}

// stream enters the entries of one key, the last of KeyDict.
func (m *mapBuilder) stream(a *vector.Attrs, s stream) {
	key := uint32(len(a.KeyDict) - 1)
	enter := func(row int, tag vector.Tag, bits uint64) {
		e := m.counts[row]
		m.counts[row]++
		a.Keys[e], a.Tags[e], a.Vals[e] = key, tag, bits
	}
	if s.col == nil {
		for i, v := range s.entries {
			if v.isText() {
				v.bits = uint64(len(a.Strs))
				a.Strs = append(a.Strs, v.text)
			}
			enter(int(s.rows[i]), v.tag, v.bits)
		}
		return
	}
	bits := m.bitsOf(a, s.col)
	if s.col.Valid == nil {
		for row := range m.n {
			enter(row, s.tag, bits(row))
		}
		return
	}
	eachBit(s.col.Valid, func(row int) { enter(row, s.tag, bits(row)) })
}

// bitsOf gives what vector.Attrs.Vals has of the rows of a column.
func (m *mapBuilder) bitsOf(a *vector.Attrs, c *vector.Column) func(row int) uint64 {
	switch {
	case c.Kind == vector.Bool:
		return func(row int) uint64 {
			if c.Bools[row] {
				return 1
			}
			return 0
		}
	case c.Kind == vector.Int64:
		return func(row int) uint64 { return uint64(c.Ints[row]) }
	case c.Kind == vector.Float:
		return func(row int) uint64 { return math.Float64bits(c.Floats[row]) }
	case c.Dict == nil:
		return func(row int) uint64 {
			a.Strs = append(a.Strs, c.Strs[row])
			return uint64(len(a.Strs) - 1)
		}
	}
	if len(m.table) < len(c.Dict) {
		m.table = make([]uint32, len(c.Dict))
	} else {
		clear(m.table[:len(c.Dict)])
	}
	table := m.table
	return func(row int) uint64 {
		code := c.Codes[row]
		if table[code] == 0 {
			a.Strs = append(a.Strs, c.Dict[code])
			table[code] = uint32(len(a.Strs))
		}
		return uint64(table[code] - 1)
	}
}

func eachBit(b vector.Bitmap, do func(i int)) {
	for w, word := range b {
		for ; word != 0; word &= word - 1 {
			do(w*64 + bits.TrailingZeros64(word))
		}
	}
}
