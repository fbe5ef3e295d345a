package block

import (
	"encoding/binary"
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// Few decodes a field of a few rows, given in ascending order: a column with
// as many values. A look-up needs no more, and most fields of a block are
// absent, constant or a function of another.
func (b *Block) Few(field int, rows []int32) (*vector.Column, error) {
	f := b.schema.Fields[field]
	c, ok := b.chunks[f.Name]
	if !ok {
		return absent(f, len(rows)), nil
	}
	if f.Kind == vector.Map {
		return b.fewSets(c, rows)
	}
	if c.encoding == encMapped {
		return b.fewMapped(c, rows)
	}
	if c.valid == 0 && c.count == b.rows && c.kind == f.Kind {
		if col, err := b.fewOf(c, rows); col != nil || err != nil {
			return col, err
		}
	}
	col, err := b.decode(c, f.Kind, f.Width)
	if err != nil {
		return nil, err
	}
	return vector.Take(col, rows), nil
}

// fewOf gives some values of a column without NULLs, nil if its encoding has
// no short way to them.
func (b *Block) fewOf(c chunk, rows []int32) (*vector.Column, error) {
	if c.encoding == encSum || c.encoding == encDifference {
		return b.fewDerived(c, rows)
	}
	if c.encoding != encConstant && c.encoding != encPacked && c.encoding != encDictionary {
		return nil, nil
	}
	r, err := b.reader(c, c.kind)
	if err != nil {
		return nil, err
	}
	col := &vector.Column{Kind: c.kind, Len: len(rows)}
	switch {
	case c.encoding == encConstant && c.kind == vector.Int64:
		col.Ints = r.ints(encConstant, len(rows))
	case c.encoding == encConstant && c.kind == vector.Bool:
		col.Bools = r.bools(encConstant, len(rows))
	case c.encoding == encConstant && c.kind == vector.String:
		t := r.textColumn(encConstant, len(rows), false)
		col.Dict, col.Codes = t.dict, t.codes
	case c.encoding == encPacked && c.kind == vector.Int64:
		col.Ints = r.packedIntsAt(b.rows, rows)
	case c.encoding == encDictionary && c.kind == vector.Int64:
		dict := r.nested(r.int(b.rows))
		codes := r.codesAt(b.rows, len(dict), rows)
		col.Ints = make([]int64, len(rows))
		for k, code := range codes {
			if !r.bad {
				col.Ints[k] = dict[code]
			}
		}
	case c.encoding == encDictionary && c.kind == vector.String:
		col.Dict = r.texts(r.int(b.rows))
		if col.Codes = r.codesAt(b.rows, len(col.Dict), rows); len(col.Dict) == 0 {
			col.Dict = []string{""}
		}
	default:
		return nil, nil
	}
	if err := r.err(c); err != nil {
		return nil, err
	}
	return col, nil
}

func (b *Block) fewDerived(c chunk, rows []int32) (*vector.Column, error) {
	r, err := b.reader(c, vector.Int64)
	if err != nil {
		return nil, err
	}
	var parts [2]*vector.Column
	for i := range parts {
		name := r.text()
		base, ok := b.chunks[name]
		if !ok || base.valid != 0 || base.kind != vector.Int64 || base.encoding == encSum || base.encoding == encDifference {
			return nil, corrupt("no column %q to derive from", name)
		}
		if parts[i], err = b.fewOf(base, rows); parts[i] == nil && err == nil {
			var whole *vector.Column
			if whole, err = b.base(name, vector.Int64, 0); err == nil {
				parts[i] = vector.Take(whole, rows)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	for k, v := range parts[1].Ints {
		if c.encoding == encDifference {
			v = -v
		}
		parts[0].Ints[k] += v
	}
	return parts[0], nil
}

// fewMapped decodes some rows of a column that is a function of another's codes.
func (b *Block) fewMapped(c chunk, rows []int32) (*vector.Column, error) {
	r, err := b.reader(c, vector.String)
	if err != nil {
		return nil, err
	}
	name := r.text()
	dict := r.texts(r.int(b.rows))
	table := r.codes(r.int(b.rows), len(dict)+1)
	if r.bad {
		return nil, corrupt("column %q cannot be decoded", c.name)
	}
	var codes []uint32
	if base := b.chunks[name]; base.kind == vector.String && base.encoding == encDictionary && base.valid == 0 && base.count == b.rows {
		of, err := b.fewOf(base, rows)
		if err != nil {
			return nil, err
		}
		codes = of.Codes
	} else {
		whole, err := b.baseCodes(name, len(table))
		if err != nil {
			return nil, err
		}
		codes = make([]uint32, len(rows))
		for k, row := range rows {
			if int(row) >= len(whole) {
				return nil, corrupt("column %q cannot be decoded", c.name)
			}
			codes[k] = whole[row]
		}
	}
	if !below(codes, uint32(len(table))) {
		return nil, corrupt("no column %q to map from", name)
	}
	col := &vector.Column{Kind: vector.String, Len: len(rows), Codes: codes, Dict: dict}
	if len(dict) == 0 {
		col.Dict = []string{""}
	}
	for k, code := range codes {
		codes[k] = table[code]
	}
	col.Valid = validCodes(codes)
	return col, nil
}

// codesAt reads some of n codes below count.
func (r *reader) codesAt(n, count int, rows []int32) []uint32 {
	out := make([]uint32, len(rows))
	width := int(r.byte())
	if width > 32 {
		r.fail()
	}
	packed := r.packed(n, width)
	if r.bad {
		return out
	}
	for k, row := range rows {
		bit := int(row) * width
		out[k] = uint32(binary.LittleEndian.Uint64(packed[bit>>3:]) >> (bit & 7) & (1<<width - 1))
	}
	if !below(out, uint32(count)) {
		r.fail()
		clear(out)
	}
	return out
}

// packedIntsAt reads some of n integers that are packed.
func (r *reader) packedIntsAt(n int, rows []int32) []int64 {
	out := make([]int64, len(rows))
	least, divisor, width := r.int64(), r.uvarint(), int(r.byte())
	if width > 64 {
		r.fail()
		return out
	}
	packed := r.packed(n, width)
	if r.bad {
		return out
	}
	for k, row := range rows {
		// Eight values begin at a byte: the one that is wanted is the last of a run.
		first := row &^ 7
		var run [8]int64
		unpackInts(packed[int(first)/8*width:], width, least, divisor, run[:row-first+1])
		out[k] = run[row-first]
	}
	return out
}

// fewSets rebuilds a Map column of a few rows.
func (b *Block) fewSets(c chunk, rows []int32) (*vector.Column, error) {
	m, err := b.sets(c)
	if err != nil {
		return nil, err
	}
	if err := m.unpackBitsets(); err != nil {
		return nil, err
	}
	col := &vector.Column{Kind: vector.Map, Len: len(rows)}
	if m.valid != nil {
		col.Valid = vector.NewBitmap(len(rows))
	}
	wanted, row, value := make([]int, len(rows)), 0, 0 // the set of each row, -1 for NULL
	for i, r := range rows {
		if wanted[i] = int(r); m.valid != nil {
			for ; row < int(r); row++ {
				if m.valid.Get(row) {
					value++
				}
			}
			if !m.valid.Get(row) {
				wanted[i] = -1
				continue
			}
			wanted[i] = value
			col.Valid.Set(i)
		}
		if m.rowSets != nil {
			wanted[i] = int(m.rowSets[wanted[i]])
		}
	}
	entries, err := m.entries(wanted)
	if err != nil {
		return nil, err
	}
	a := &vector.Attrs{Off: make([]uint32, len(rows)+1), KeyDict: make([]string, len(m.keys))}
	for k, key := range m.keys {
		a.KeyDict[k] = key.name
	}
	for i, set := range wanted {
		for _, e := range entries[set] {
			if e.tag == vector.TagString || e.tag == vector.TagBytes || e.tag == vector.TagJSON {
				e.bits = uint64(len(a.Strs))
				a.Strs = append(a.Strs, e.text)
			}
			a.Keys, a.Tags, a.Vals = append(a.Keys, e.key), append(a.Tags, e.tag), append(a.Vals, e.bits)
		}
		a.Off[i+1] = uint32(len(a.Keys))
	}
	col.Attrs = a
	return col, nil
}

// An entry is an attribute of a set: its bits, or of a text that.
type entry struct {
	key  uint32
	tag  vector.Tag
	bits uint64
	text string
}

// entries gives the attributes of some sets.
func (m *sets) entries(wanted []int) (map[int][]entry, error) {
	order := slices.Compact(slices.Sorted(slices.Values(wanted)))
	out := make(map[int][]entry, len(order))
	before := make([]int, m.keySets) // of each key set, the sets in front of set s
	values := make(map[uint32]attributeValues)
	s := 0
	for _, set := range order {
		if set < 0 {
			continue
		}
		for ; s < set; s++ {
			before[m.setKeys[s]]++
		}
		at := make([]int, len(m.keys)) // of each key, the values in front
		for keySet, n := range before {
			if n > 0 {
				for _, k := range m.keyList[m.keyOff[keySet]:m.keyOff[keySet+1]] {
					at[k] += n
				}
			}
		}
		keySet := m.setKeys[set]
		for _, k := range m.keyList[m.keyOff[keySet]:m.keyOff[keySet+1]] {
			v, ok := values[k]
			if !ok {
				var err error
				if v, err = m.decodeValues(int(k), false); err != nil {
					return nil, err
				}
				values[k] = v
			}
			e, ok := v.entry(k, at[k])
			if !ok {
				return nil, corrupt("key %q of column %q", m.keys[k].name, m.chunk.name)
			}
			out[set] = append(out[set], e)
		}
	}
	return out, nil
}

// entry gives value number at of key k.
func (v *attributeValues) entry(k uint32, at int) (e entry, ok bool) {
	e = entry{key: k, tag: v.tag}
	if v.codes == nil {
		if ok = at < len(v.vals); ok {
			e.bits = v.vals[at]
		}
		return e, ok
	}
	if at >= len(v.codes) {
		return e, false
	}
	if e.text = v.dict[v.codes[at]]; v.tag == severalTags {
		e.tag, e.bits, e.text, ok = untag(e.text)
		return e, ok
	}
	return e, true
}
