package block

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// severalTags is the tag of a key whose values have several types.
const severalTags vector.Tag = 255

// attributeKey is one key of a Map chunk.
type attributeKey struct {
	name  string
	tag   vector.Tag
	count int // sets that have it
	rare  bool
}

// sets is a decoded Map chunk without the values: the distinct sets of
// attributes that its rows have.
type sets struct {
	block   *Block
	chunk   chunk
	valid   vector.Bitmap
	keys    []attributeKey
	count   int        // sets
	rowSets []uint32   // the set of each row that is not NULL; nil: row i has set i
	keySets [][]uint32 // numbers of keys, ascending
	setKeys []uint32   // the key set of each set
}

// sets reads a Map chunk.
func (b *Block) sets(c chunk) (*sets, error) {
	r, err := b.reader(c, vector.Map)
	if err != nil {
		return nil, err
	}
	m := &sets{block: b, chunk: c}
	if m.valid, err = b.valid(c); err != nil {
		return nil, err
	}
	m.keys = make([]attributeKey, r.int(r.rest()))
	for k := range m.keys {
		m.keys[k] = attributeKey{r.text(), vector.Tag(r.byte()), r.int(b.rows), r.byte() == 1}
	}
	m.count = r.int(c.count)
	if r.byte() == 1 {
		m.rowSets = r.codes(c.count, m.count)
	} else if m.count != c.count {
		r.fail()
	}
	m.keySets = make([][]uint32, r.int(m.count))
	for i := range m.keySets {
		set := make([]uint32, r.int(len(m.keys)))
		for k := range set {
			set[k] = uint32(r.int(len(m.keys) - 1))
			if k > 0 && set[k] <= set[k-1] {
				r.fail()
			}
		}
		m.keySets[i] = set
	}
	m.setKeys = r.codes(m.count, len(m.keySets))
	if r.bad {
		return nil, corrupt("column %q cannot be decoded", c.name)
	}
	// The counts of values must be those of the key sets.
	uses := make([]int, len(m.keySets))
	for _, code := range m.setKeys {
		uses[code]++
	}
	have := make([]int, len(m.keys))
	for i, set := range m.keySets {
		for _, k := range set {
			have[k] += uses[i]
		}
	}
	for k, key := range m.keys {
		if have[k] != key.count {
			return nil, corrupt("key %q of column %q has %d values of %d", key.name, c.name, key.count, have[k])
		}
	}
	return m, nil
}

// find gives the number of a key, or -1.
func (m *sets) find(key string) int {
	for k := range m.keys {
		if m.keys[k].name == key {
			return k
		}
	}
	return -1
}

// values opens the chunk of a key's values.
func (m *sets) values(k int) (*reader, encoding, error) {
	b, key := m.block, m.keys[k]
	name := m.chunk.name + "\x00" + key.name
	if key.rare {
		name = m.chunk.name + "\x01"
	}
	c, ok := b.chunks[name]
	if !ok {
		return nil, 0, corrupt("no column %q", name)
	}
	buf, err := b.payload(c)
	if err != nil {
		return nil, 0, err
	}
	r := newReader(buf)
	if !key.rare {
		if c.count != key.count {
			return nil, 0, corrupt("column %q has %d values, want %d", name, c.count, key.count)
		}
		return r, c.encoding, nil
	}
	for i := 0; ; i++ {
		if !m.keys[i].rare {
			continue
		}
		enc, size := encoding(r.byte()), r.int(r.rest())
		if i == k {
			r.end = r.at + size
			return r, enc, r.err(c)
		}
		r.bytes(size)
	}
}

// attributeValues is the values of a key in the sets that have it, in order.
// Vals of texts are codes into dict, with tags in it if there are several.
type attributeValues struct {
	tag  vector.Tag
	vals []uint64
	dict []string
}

// decodeValues reads the values of a key; without vals if only the distinct
// texts are wanted and there are such.
func (m *sets) decodeValues(k int, onlyDict bool) (v attributeValues, err error) {
	r, enc, err := m.values(k)
	if err != nil {
		return v, err
	}
	n := m.keys[k].count
	switch v.tag = m.keys[k].tag; v.tag {
	case vector.TagNull:
		v.vals = make([]uint64, n)
	case vector.TagBool:
		v.vals = make([]uint64, n)
		for i, x := range r.bools(enc, n) {
			if x {
				v.vals[i] = 1
			}
		}
	case vector.TagInt:
		v.vals = make([]uint64, n)
		for i, x := range r.ints(enc, n) {
			v.vals[i] = uint64(x)
		}
	case vector.TagDouble:
		v.vals = make([]uint64, n)
		for i, x := range r.floats(enc, n) {
			v.vals[i] = math.Float64bits(x)
		}
	case vector.TagString, vector.TagBytes, vector.TagJSON, severalTags:
		t := r.textColumn(enc, n, onlyDict)
		if v.dict = t.dict; t.strs != nil {
			r.fail() // attributes are never plain
		}
		if !onlyDict && !r.bad {
			v.vals = make([]uint64, n)
			for i, code := range t.codes {
				v.vals[i] = uint64(code)
			}
		}
	default:
		r.fail()
	}
	if r.bad {
		return v, corrupt("key %q of column %q cannot be decoded", m.keys[k].name, m.chunk.name)
	}
	return v, nil
}

// untag takes a text of several tags apart: its tag, then a text or 8 bytes.
func untag(s string) (tag vector.Tag, bits uint64, text string, ok bool) {
	if s == "" {
		return 0, 0, "", false
	}
	switch tag = vector.Tag(s[0]); tag {
	case vector.TagNull:
		return tag, 0, "", len(s) == 1
	case vector.TagBool, vector.TagInt, vector.TagDouble:
		if len(s) != 9 {
			return 0, 0, "", false
		}
		return tag, binary.LittleEndian.Uint64([]byte(s[1:])), "", true
	case vector.TagString, vector.TagBytes, vector.TagJSON:
		return tag, 0, s[1:], true
	}
	return 0, 0, "", false
}

// appendScalar appends a value that is not a text as ->> gives it.
func appendScalar(dst []byte, tag vector.Tag, bits uint64) []byte {
	switch tag {
	case vector.TagBool:
		return strconv.AppendBool(dst, bits != 0)
	case vector.TagInt:
		return strconv.AppendInt(dst, int64(bits), 10)
	default:
		return vector.AppendJSONDouble(dst, math.Float64frombits(bits))
	}
}

// texts gives the values of a key as ->> does: distinct texts, and for each set
// that has the key 1 + the number of its text, 0 for null. Codes are nil if
// only the dictionary is wanted.
func (m *sets) texts(k int, onlyDict bool) (dict []string, codes []uint32, err error) {
	v, err := m.decodeValues(k, onlyDict)
	if err != nil {
		return nil, nil, err
	}
	if !onlyDict {
		codes = make([]uint32, len(v.vals), len(v.vals)+1)
	}
	switch v.tag {
	case vector.TagNull:
		return nil, codes, nil
	case vector.TagString, vector.TagBytes, vector.TagJSON:
		for i, x := range v.vals {
			codes[i] = uint32(x) + 1
		}
		return v.dict, codes, nil
	}
	// Different values may have the same text: an int 1 and a string "1".
	byText := make(map[string]uint32)
	number := func(text string) uint32 {
		code, known := byText[text]
		if !known {
			dict = append(dict, text)
			code = uint32(len(dict))
			byText[text] = code
		}
		return code
	}
	if v.tag == severalTags {
		numbers := make([]uint32, len(v.dict))
		for i, s := range v.dict {
			tag, bits, text, ok := untag(s)
			switch {
			case !ok:
				return nil, nil, corrupt("key %q of column %q", m.keys[k].name, m.chunk.name)
			case tag == vector.TagNull:
				continue
			case tag == vector.TagBool || tag == vector.TagInt || tag == vector.TagDouble:
				text = string(appendScalar(nil, tag, bits))
			}
			numbers[i] = number(text)
		}
		for i, x := range v.vals {
			codes[i] = numbers[x]
		}
		return dict, codes, nil
	}
	table := newCodeTable(64)
	var numbers []uint32
	var buf []byte
	for i, x := range v.vals {
		code := table.code(x)
		if int(code) == len(numbers) {
			buf = appendScalar(buf[:0], v.tag, x)
			numbers = append(numbers, number(string(buf)))
		}
		if codes != nil {
			codes[i] = numbers[code]
		}
	}
	return dict, codes, nil
}

// text gives a key of every row as ->> does.
func (m *sets) text(k int) (*vector.Column, error) {
	dict, codes, err := m.texts(k, false)
	if err != nil {
		return nil, err
	}
	if len(dict) == 0 {
		dict = []string{""}
	}
	out := codes
	if m.keys[k].count < m.count {
		out = m.perSet(k, codes)
	}
	if m.rowSets != nil {
		rows := make([]uint32, len(m.rowSets))
		for i, set := range m.rowSets {
			rows[i] = out[set]
		}
		out = rows
	}
	out = spread(out, m.valid, m.block.rows, 1)
	return &vector.Column{Kind: vector.String, Len: m.block.rows, Valid: validCodes(out), Codes: out, Dict: dict}, nil
}

// perSet spreads a key's codes over all sets; those without the key get 0. The
// codes' capacity must reach one further than their length.
func (m *sets) perSet(k int, codes []uint32) []uint32 {
	has := make([]uint32, len(m.keySets))
	for i, set := range m.keySets {
		for _, key := range set {
			if int(key) == k {
				has[i] = 1
			}
		}
	}
	out := make([]uint32, m.count)
	codes = codes[:len(codes)+1]
	at := uint32(0)
	for s, keySet := range m.setKeys {
		h := has[keySet]
		out[s] = codes[at] & -h
		at += h
	}
	return out
}

// mapColumn rebuilds a Map column.
func (b *Block) mapColumn(c chunk) (*vector.Column, error) {
	m, err := b.sets(c)
	if err != nil {
		return nil, err
	}
	a, err := m.attrs()
	if err != nil {
		return nil, err
	}
	col := &vector.Column{Kind: vector.Map, Len: b.rows, Valid: m.valid, Attrs: a}
	if m.rowSets == nil && m.valid == nil {
		return col, nil
	}
	// Each row gets the entries of its set.
	all := &vector.Attrs{Off: make([]uint32, b.rows+1), KeyDict: a.KeyDict, Strs: a.Strs}
	at := 0
	for i := range b.rows {
		if m.valid == nil || m.valid.Get(i) {
			set := at
			if at++; m.rowSets != nil {
				set = int(m.rowSets[set])
			}
			from, to := a.Off[set], a.Off[set+1]
			all.Keys = append(all.Keys, a.Keys[from:to]...)
			all.Tags = append(all.Tags, a.Tags[from:to]...)
			all.Vals = append(all.Vals, a.Vals[from:to]...)
		}
		all.Off[i+1] = uint32(len(all.Keys))
	}
	col.Attrs = all
	return col, nil
}

// attrs gives the entries of every set.
func (m *sets) attrs() (*vector.Attrs, error) {
	a := &vector.Attrs{Off: make([]uint32, m.count+1), KeyDict: make([]string, len(m.keys))}
	type cursor struct {
		tags []vector.Tag // by value, if there are several
		vals []uint64
		tag  vector.Tag
	}
	cursors := make([]cursor, len(m.keys))
	total := 0
	for k, key := range m.keys {
		a.KeyDict[k] = key.name
		total += key.count
		v, err := m.decodeValues(k, false)
		if err != nil {
			return nil, err
		}
		c := &cursors[k]
		c.tag, c.vals = v.tag, v.vals
		base := uint64(len(a.Strs))
		switch v.tag {
		case vector.TagString, vector.TagBytes, vector.TagJSON:
			a.Strs = append(a.Strs, v.dict...)
			for i := range c.vals {
				c.vals[i] += base
			}
		case severalTags:
			tags, bits := make([]vector.Tag, len(v.dict)), make([]uint64, len(v.dict))
			for i, s := range v.dict {
				tag, x, text, ok := untag(s)
				if !ok {
					return nil, corrupt("key %q of column %q", key.name, m.chunk.name)
				}
				if tags[i], bits[i] = tag, x; tag == vector.TagString || tag == vector.TagBytes || tag == vector.TagJSON {
					bits[i] = uint64(len(a.Strs))
					a.Strs = append(a.Strs, text)
				}
			}
			c.tags = make([]vector.Tag, len(c.vals))
			for i, code := range c.vals {
				c.tags[i], c.vals[i] = tags[code], bits[code]
			}
		}
	}
	a.Keys, a.Tags, a.Vals = make([]uint32, total), make([]vector.Tag, total), make([]uint64, total)
	e := uint32(0)
	for s, keySet := range m.setKeys {
		for _, k := range m.keySets[keySet] {
			c := &cursors[k]
			a.Keys[e], a.Tags[e], a.Vals[e] = k, c.tag, c.vals[0]
			if c.vals = c.vals[1:]; c.tags != nil {
				a.Tags[e], c.tags = c.tags[0], c.tags[1:]
			}
			e++
		}
		a.Off[s+1] = e
	}
	return a, nil
}
