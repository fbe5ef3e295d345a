package block

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"github.com/tael-sql/tael-sql/internal/vector"
)

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
// Texts are codes into dict, with tags in it if there are several.
type attributeValues struct {
	tag   vector.Tag
	vals  []uint64
	codes []uint32
	dict  []string
}

// decodeValues reads the values of a key; without codes if only the distinct
// texts are wanted.
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
		v.vals = asUint64(r.ints(enc, n))
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
		v.codes = t.codes
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
		codes = make([]uint32, m.keys[k].count, m.keys[k].count+1)
	}
	switch v.tag {
	case vector.TagNull:
		return nil, codes, nil
	case vector.TagString, vector.TagBytes, vector.TagJSON:
		for i, code := range v.codes {
			codes[i] = code + 1
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
		for i, code := range v.codes {
			codes[i] = numbers[code]
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
		if out = m.perSet(k, codes); out == nil {
			return nil, corrupt("key sets of column %q", m.chunk.name)
		}
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
	n := len(a.Keys)
	if m.rowSets != nil {
		n = 0
		for _, set := range m.rowSets {
			n += int(a.Off[set+1] - a.Off[set])
		}
	}
	all := &vector.Attrs{
		Off: make([]uint32, b.rows+1), KeyDict: a.KeyDict, Strs: a.Strs,
		Keys: make([]uint32, 0, n), Tags: make([]vector.Tag, 0, n), Vals: make([]uint64, 0, n),
	}
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
		attributeValues
		at   int
		tags []vector.Tag // by code: of a text, what it is in Vals
		bits []uint64
	}
	if err := m.unpackBitsets(); err != nil {
		return nil, err
	}
	// The counts of values must be those of the key sets.
	have := make([]int, len(m.keys))
	for _, set := range m.setKeys {
		for _, k := range m.keyList[m.keyOff[set]:m.keyOff[set+1]] {
			have[k]++
		}
	}
	cursors := make([]cursor, len(m.keys))
	total := 0
	for k, key := range m.keys {
		if have[k] != key.count {
			return nil, corrupt("key %q of column %q has %d values of %d", key.name, m.chunk.name, key.count, have[k])
		}
		a.KeyDict[k] = key.name
		total += key.count
		v, err := m.decodeValues(k, false)
		if err != nil {
			return nil, err
		}
		c := &cursors[k]
		c.attributeValues = v
		if v.codes == nil {
			continue
		}
		c.tags, c.bits = make([]vector.Tag, len(v.dict)), make([]uint64, len(v.dict))
		for i, text := range v.dict {
			tag, value, ok := v.tag, uint64(0), true
			if tag == severalTags {
				if tag, value, text, ok = untag(text); !ok {
					return nil, corrupt("key %q of column %q", key.name, m.chunk.name)
				}
			}
			if tag == vector.TagString || tag == vector.TagBytes || tag == vector.TagJSON {
				value = uint64(len(a.Strs))
				a.Strs = append(a.Strs, text)
			}
			c.tags[i], c.bits[i] = tag, value
		}
	}
	a.Keys, a.Tags, a.Vals = make([]uint32, total), make([]vector.Tag, total), make([]uint64, total)
	e := uint32(0)
	for s, keySet := range m.setKeys {
		for _, k := range m.keyList[m.keyOff[keySet]:m.keyOff[keySet+1]] {
			c := &cursors[k]
			a.Keys[e] = k
			if c.codes != nil {
				code := c.codes[c.at]
				a.Tags[e], a.Vals[e] = c.tags[code], c.bits[code]
			} else {
				a.Tags[e], a.Vals[e] = c.tag, c.vals[c.at]
			}
			c.at++
			e++
		}
		a.Off[s+1] = e
	}
	return a, nil
}

// asUint64 gives the same numbers without sign, in the same memory.
func asUint64(v []int64) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}
