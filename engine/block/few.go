package block

import (
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// Few decodes a field of a few rows, given in ascending order: a column with
// as many values. A look-up needs no more, and most fields of a block are
// absent, constant or a function of another.
func (b *Block) Few(field int, rows []int32) (*vector.Column, error) {
	f := b.schema.Fields[field]
	c, ok := b.chunks[f.Name]
	switch {
	case !ok:
		return absent(f, len(rows)), nil
	case c.encoding == encMapped:
	case f.Kind == vector.Map:
		return b.fewSets(c, rows)
	case c.encoding == encConstant && c.valid == 0 && c.count == b.rows && c.kind == f.Kind:
		if col, err := b.constant(c, len(rows)); col != nil || err != nil {
			return col, err
		}
	}
	col, err := b.decode(c, f.Kind, f.Width)
	if err != nil {
		return nil, err
	}
	return vector.Take(col, rows), nil
}

// constant gives n values of a constant column, nil for the kinds that are
// decoded as a whole.
func (b *Block) constant(c chunk, n int) (*vector.Column, error) {
	r, err := b.reader(c, c.kind)
	if err != nil {
		return nil, err
	}
	col := &vector.Column{Kind: c.kind, Len: n}
	switch c.kind {
	case vector.Int64:
		col.Ints = r.ints(encConstant, n)
	case vector.Bool:
		col.Bools = r.bools(encConstant, n)
	case vector.String:
		t := r.textColumn(encConstant, n, false)
		col.Dict, col.Codes = t.dict, t.codes
	default:
		return nil, nil
	}
	if err := r.err(c); err != nil {
		return nil, err
	}
	return col, nil
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
