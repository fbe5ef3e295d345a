package cold

import (
	"unsafe"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// gather copies picked rows of the sources' columns of a field. Texts get one
// dictionary unless most differ; those of attributes are distinct.
func gather(f vector.Field, cols []*vector.Column, picks []block.Pick) *vector.Column {
	out := &vector.Column{Kind: f.Kind, Len: len(picks), Width: f.Width}
	out.Valid = gatherValid(cols, picks)
	switch f.Kind {
	case vector.Bool:
		out.Bools = make([]bool, len(picks))
		for i, p := range picks {
			out.Bools[i] = cols[p.Source].Bools[p.Row]
		}
	case vector.Int64:
		out.Ints = make([]int64, len(picks))
		for i, p := range picks {
			out.Ints[i] = cols[p.Source].Ints[p.Row]
		}
	case vector.Float:
		out.Floats = make([]float64, len(picks))
		for i, p := range picks {
			out.Floats[i] = cols[p.Source].Floats[p.Row]
		}
	case vector.Hex:
		out.Raw = make([]byte, 0, len(picks)*f.Width)
		for _, p := range picks {
			out.Raw = append(out.Raw, cols[p.Source].HexBytes(int(p.Row))...)
		}
	case vector.String:
		gatherTexts(out, cols, picks)
	case vector.Map:
		gatherAttributes(out, cols, picks)
	default:
		out.Anys = make([]any, len(picks))
		for i, p := range picks {
			out.Anys[i] = cols[p.Source].Anys[p.Row]
		}
	}
	return out
}

// gatherValid gives which rows are not NULL, nil if all are.
func gatherValid(cols []*vector.Column, picks []block.Pick) vector.Bitmap {
	nulls := false
	for _, c := range cols {
		nulls = nulls || c != nil && c.Valid != nil
	}
	if !nulls {
		return nil
	}
	valid, n := vector.NewBitmap(len(picks)), 0
	for i, p := range picks {
		if c := cols[p.Source]; c.Valid == nil || c.Valid.Get(int(p.Row)) {
			valid.Set(i)
			n++
		}
	}
	if n == len(picks) {
		return nil
	}
	return valid
}

// interner numbers distinct texts in order of appearance.
type interner struct {
	list   []string
	byText map[string]uint32
	tables map[*string][]uint32 // by source list: 1 + the number of each of its texts, 0: not yet
}

func newInterner() *interner {
	return &interner{list: []string{}, byText: make(map[string]uint32), tables: make(map[*string][]uint32)}
}

// table gives the numbers of a source's texts.
func (in *interner) table(texts []string) []uint32 {
	if len(texts) == 0 {
		return nil
	}
	first := unsafe.SliceData(texts)
	t := in.tables[first]
	if len(t) < len(texts) { // lists may share a beginning
		t = append(t, make([]uint32, len(texts)-len(t))...)
		in.tables[first] = t
	}
	return t
}

func (in *interner) text(s string) uint32 {
	n, ok := in.byText[s]
	if !ok {
		n = uint32(len(in.list))
		in.byText[s] = n
		in.list = append(in.list, s)
	}
	return n
}

func gatherTexts(out *vector.Column, cols []*vector.Column, picks []block.Pick) {
	in := newInterner()
	tables := make([][]uint32, len(cols))
	for s, c := range cols {
		if c != nil && c.Dict != nil {
			tables[s] = in.table(c.Dict)
		}
	}
	codes := make([]uint32, len(picks))
	limit := len(picks)/2 + 64
	for i, p := range picks {
		c := cols[p.Source]
		if out.Valid != nil && !out.Valid.Get(i) {
			continue
		}
		if t := tables[p.Source]; t != nil {
			code := c.Codes[p.Row]
			if t[code] == 0 {
				t[code] = in.text(c.Dict[code]) + 1
			}
			codes[i] = t[code] - 1
		} else {
			codes[i] = in.text(c.Strs[p.Row])
		}
		if len(in.list) > limit {
			out.Strs = make([]string, len(picks))
			for i, p := range picks {
				if c := cols[p.Source]; !c.IsNull(int(p.Row)) {
					out.Strs[i] = c.Str(int(p.Row))
				}
			}
			return
		}
	}
	if out.Codes, out.Dict = codes, in.list; len(in.list) == 0 {
		out.Dict = []string{""}
	}
}

func gatherAttributes(out *vector.Column, cols []*vector.Column, picks []block.Pick) {
	entries := 0
	for _, p := range picks {
		a := cols[p.Source].Attrs
		entries += int(a.Off[p.Row+1] - a.Off[p.Row])
	}
	a := &vector.Attrs{
		Off: make([]uint32, 1, len(picks)+1), Keys: make([]uint32, 0, entries),
		Tags: make([]vector.Tag, 0, entries), Vals: make([]uint64, 0, entries),
	}
	keys, strs := newInterner(), newInterner()
	keyTables, strTables := make([][]uint32, len(cols)), make([][]uint32, len(cols))
	for s, c := range cols {
		if c != nil {
			keyTables[s], strTables[s] = keys.table(c.Attrs.KeyDict), strs.table(c.Attrs.Strs)
		}
	}
	for _, p := range picks {
		from, keyTable, strTable := cols[p.Source].Attrs, keyTables[p.Source], strTables[p.Source]
		for e := from.Off[p.Row]; e < from.Off[p.Row+1]; e++ {
			key, tag, v := from.Keys[e], from.Tags[e], from.Vals[e]
			if keyTable[key] == 0 {
				keyTable[key] = keys.text(from.KeyDict[key]) + 1
			}
			if tag == vector.TagString || tag == vector.TagBytes || tag == vector.TagJSON {
				if strTable[v] == 0 {
					strTable[v] = strs.text(from.Strs[v]) + 1
				}
				v = uint64(strTable[v] - 1)
			}
			a.Keys, a.Tags, a.Vals = append(a.Keys, keyTable[key]-1), append(a.Tags, tag), append(a.Vals, v)
		}
		a.Off = append(a.Off, uint32(len(a.Keys)))
	}
	a.KeyDict, a.Strs = keys.list, strs.list
	out.Attrs = a
}
