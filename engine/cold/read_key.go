package cold

import (
	"math"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tael-sql/tael-sql/internal/vector"
)

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
		if !k.mixed(c.group) {
			return out, nil
		}
	}
	if out == nil {
		out = absent(vector.Field{Kind: vector.String, Nullable: true}, c.Rows())
	}
	rest := p.first + len(p.frequent)
	for i, leaf := range []int{rest, rest + 2} {
		in := c.rest[i].Load()
		if in == nil {
			if may, err := c.mayHaveKey(leaf, key); err != nil {
				return nil, err
			} else if !may {
				continue
			}
			var err error
			if in, err = c.pairs(leaf, false); err != nil {
				return nil, err
			}
			if in == nil {
				continue
			}
			c.rest[i].Store(in) // other keys will be asked for
		}
		var err error
		if out, err = in.overlay(out, key, i == 1); err != nil {
			return nil, err
		}
	}
	if out.Valid != nil && out.Valid.Count() == out.Len {
		out.Valid = nil
	}
	return out, nil
}

// mayHaveKey reports whether a key can be among those of a MAP of texts: not if
// it is not in the dictionary that they are all of.
func (c *Chunk) mayHaveKey(leaf int, key string) (bool, error) {
	switch cc := c.chunk(leaf); {
	case cc.missing || cc.empty:
		return false, nil
	case cc.encoding != parquet.Encodings.RLEDict:
		return true, nil
	}
	dict, err := c.dictionary(leaf)
	return err != nil || slices.Contains(dict.texts, key), err
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
	out.Dict = used(d.numbers(), numbers)
	out.Codes = spread(numbers, f.valid, c.Rows(), 1)
	return out, nil
}
