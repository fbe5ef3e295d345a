package block

import (
	"math"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// attributeText drops the tags from an attribute column: its values as ->>
// gives them. JSON null is NULL.
func attributeText(c *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Codes: c.Codes, Dict: make([]string, len(c.Dict))}
	null := -1
	for i, s := range c.Dict {
		if s == "" || vector.Tag(s[0]) == vector.TagNull {
			null = i
			continue
		}
		out.Dict[i] = s[1:]
	}
	if null >= 0 {
		valid := vector.Ones(c.Len)
		for i, code := range c.Codes {
			if c.IsNull(i) || int(code) == null {
				valid.Clear(i)
			}
		}
		out.Valid = valid
	}
	return out
}

// mapColumn rebuilds a Map from the attribute columns of its keys.
func (b *Block) mapColumn(c chunk) (*vector.Column, error) {
	buf, err := b.payload(c)
	if err != nil {
		return nil, err
	}
	r := &reader{buf: buf[:len(buf)-padding]}
	r.byte()
	count := r.int()
	if count > len(b.chunks) {
		return nil, corrupt("keys of column %q", c.name)
	}
	keys := make([]string, count)
	cols := make([]*vector.Column, count)
	for k := range keys {
		keys[k] = r.text()
		sub, ok := b.chunks[c.name+"\x00"+keys[k]]
		if r.bad || !ok {
			return nil, corrupt("key %q of column %q", keys[k], c.name)
		}
		if cols[k], err = b.decode(sub, vector.String, 0); err != nil {
			return nil, err
		}
	}
	out := &vector.Column{Kind: vector.Map, Len: b.rows, Attrs: assemble(keys, cols, b.rows)}
	return out, nil
}

// assemble builds the entries of all rows; keys are in jsonb's order.
func assemble(keys []string, cols []*vector.Column, rows int) *vector.Attrs {
	a := &vector.Attrs{Off: make([]uint32, rows+1), KeyDict: keys}
	// Each dictionary value becomes (tag, value) once; strings are shared.
	tags := make([][]vector.Tag, len(cols))
	vals := make([][]uint64, len(cols))
	for k, c := range cols {
		tags[k], vals[k] = make([]vector.Tag, len(c.Dict)), make([]uint64, len(c.Dict))
		for i, s := range c.Dict {
			if s == "" {
				continue
			}
			tag := vector.Tag(s[0])
			tags[k][i] = tag
			switch tag {
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				vals[k][i] = uint64(len(a.Strs))
				a.Strs = append(a.Strs, s[1:])
			default:
				vals[k][i] = parseBits(tag, s[1:])
			}
		}
	}
	for i := range rows {
		for k, c := range cols {
			if c.IsNull(i) {
				continue
			}
			code := c.Codes[i]
			a.Keys = append(a.Keys, uint32(k))
			a.Tags = append(a.Tags, tags[k][code])
			a.Vals = append(a.Vals, vals[k][code])
		}
		a.Off[i+1] = uint32(len(a.Keys))
	}
	return a
}

// tagged gives entry e of a as an attribute dictionary value: its tag, then
// its text. A double keeps its exact digits, NaN and the infinities their words.
func tagged(dst []byte, a *vector.Attrs, e int) []byte {
	dst = append(dst, byte(a.Tags[e]))
	if a.Tags[e] == vector.TagNull {
		return dst
	}
	return a.AppendText(dst, e)
}

func parseBits(tag vector.Tag, text string) uint64 {
	switch tag {
	case vector.TagBool:
		if text == "true" {
			return 1
		}
	case vector.TagInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			return uint64(n)
		}
	case vector.TagDouble:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			return math.Float64bits(f)
		}
	}
	return 0
}
