package cold

import (
	"math"
	"math/bits"
	"slices"
	"strconv"

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

// Key decodes one attribute of a Map field as ->> gives it: a String column
// with a dictionary, NULL where the row lacks the attribute or has null. A
// frequent key reads only its own column.
func (c *Chunk) Key(field int, key string) (*vector.Column, error) {
	p := c.part.columns.places[field]
	var out *vector.Column
	for i, k := range p.frequent {
		if k.Key != key {
			continue
		}
		var err error
		if out, err = c.keyTexts(p.first+i, k); err != nil {
			return nil, err
		}
		if !k.mixed(c.k / GroupChunks) {
			return out, nil
		}
	}
	if out == nil {
		out = absent(vector.Field{Kind: vector.String, Nullable: true}, c.Rows())
	}
	rest := p.first + len(p.frequent)
	for i, leaf := range []int{rest, rest + 2} {
		in, err := c.pairs(leaf, false)
		if err != nil {
			return nil, err
		}
		if in == nil {
			continue
		}
		if out, err = in.overlay(out, key, i == 1); err != nil {
			return nil, err
		}
	}
	if out.Valid != nil && out.Valid.Count() == out.Len {
		out.Valid = nil
	}
	return out, nil
}

// overlay puts the values of a key into a column that is NULL in their rows.
func (p *pairs) overlay(out *vector.Column, key string, outside bool) (*vector.Column, error) {
	n := p.off[len(p.off)-1]
	code := -1
	if p.keys.dict != nil {
		if code = slices.Index(p.keys.dict.texts, key); code < 0 {
			return out, nil
		}
	}
	var values []attributeText
	var codes []uint32
	var in *interner
	row := 0
	for e := range n {
		if code >= 0 && p.keys.codes[e] != uint32(code) || code < 0 && p.keys.plain[e] != key {
			continue
		}
		if in == nil {
			var err error
			if values, codes, err = p.values(outside); err != nil {
				return nil, err
			}
			in, out = extend(out)
		}
		for p.off[row+1] <= e {
			row++
		}
		at := e
		if codes != nil {
			at = codes[e]
		}
		v := values[at]
		if v.tag == vector.TagNull {
			continue
		}
		out.Valid.Set(row)
		out.Codes[row] = in.text(v.String())
		out.Dict = in.list
	}
	return out, nil
}

// extend copies a column with a dictionary so that texts can be added.
func extend(c *vector.Column) (*interner, *vector.Column) {
	in := newInterner()
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: vector.NewBitmap(c.Len), Codes: make([]uint32, c.Len)}
	for i := range c.Len {
		if !c.IsNull(i) {
			out.Valid.Set(i)
			out.Codes[i] = in.text(c.Str(i))
		}
	}
	if out.Dict = in.list; len(out.Dict) == 0 {
		out.Dict = []string{""}
	}
	return in, out
}

// String gives the value as ->> does.
func (v attributeText) String() string {
	switch v.tag {
	case vector.TagBool:
		return strconv.FormatBool(v.bits != 0)
	case vector.TagInt:
		return strconv.FormatInt(int64(v.bits), 10)
	case vector.TagDouble:
		return string(vector.AppendJSONDouble(nil, math.Float64frombits(v.bits)))
	}
	return v.text
}

// keyTexts reads the column of a frequent key as texts.
func (c *Chunk) keyTexts(leaf int, k frequentKey) (*vector.Column, error) {
	if k.Tag == vector.TagInt && c.chunk(leaf).dictionary.size > 0 {
		return c.numberTexts(leaf)
	}
	col, err := c.attribute(leaf, k, nil)
	if err != nil || col.Dict != nil {
		return col, err
	}
	out := &vector.Column{Kind: vector.String, Len: col.Len, Valid: col.Valid, Codes: make([]uint32, col.Len)}
	switch k.Tag {
	case vector.TagBool:
		out.Dict = []string{"false", "true"}
		for i, v := range col.Bools {
			if v {
				out.Codes[i] = 1
			}
		}
		return out, nil
	case vector.TagString:
		in := newInterner()
		for i, s := range col.Strs {
			if !col.IsNull(i) {
				out.Codes[i] = in.text(s)
			}
		}
		out.Dict = in.list
	default:
		numbers := make(map[uint64]uint32)
		for i := range col.Len {
			if col.IsNull(i) {
				continue
			}
			v := attributeText{tag: k.Tag}
			if k.Tag == vector.TagInt {
				v.bits = uint64(col.Ints[i])
			} else if v.bits = math.Float64bits(col.Floats[i]); col.Floats[i] != col.Floats[i] {
				v.bits = math.Float64bits(math.NaN()) // all of them have one text
			}
			code, ok := numbers[v.bits]
			if !ok {
				code = uint32(len(out.Dict))
				numbers[v.bits] = code
				out.Dict = append(out.Dict, v.String())
			}
			out.Codes[i] = code
		}
	}
	if len(out.Dict) == 0 {
		out.Dict = []string{""}
	}
	return out, nil
}

// numberTexts reads integers that have a dictionary as texts, by their codes.
func (c *Chunk) numberTexts(leaf int) (*vector.Column, error) {
	out := &vector.Column{Kind: vector.String, Len: c.Rows()}
	f, err := c.flat(leaf, nil)
	if err != nil {
		return nil, err
	}
	if out.Valid = f.valid; f.page == nil {
		out.Dict, out.Codes = []string{""}, make([]uint32, c.Rows())
		return out, nil
	}
	d, err := c.dictionary(leaf)
	if err != nil {
		return nil, err
	}
	numbers := make([]uint32, f.n())
	if !f.codes(numbers, len(d.ints)) {
		return nil, c.fail(leaf)
	}
	out.Dict, out.Codes = d.numbers(), spread(numbers, f.valid, c.Rows(), 1)
	return out, nil
}
