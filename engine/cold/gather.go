package cold

import (
	"slices"
	"unsafe"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A gathering copies picked rows of a field out of one source after the other,
// so that one source's column is in memory at a time. What is gathered shares no
// memory with a source of which few rows are picked.
type gathering struct {
	picks []block.Pick
	out   *vector.Column
	valid vector.Bitmap // nil: no NULL yet
}

// picksOf lists the picks by source: those of source s are at[off[s]:off[s+1]],
// ascending.
type picksOf struct{ off, at []uint32 }

func bySource(sources int, picks []block.Pick) picksOf {
	b := picksOf{off: make([]uint32, sources+1), at: make([]uint32, len(picks))}
	for _, p := range picks {
		b.off[p.Source+1]++
	}
	for s := range sources {
		b.off[s+1] += b.off[s]
	}
	next := append([]uint32(nil), b.off...)
	for i, p := range picks {
		b.at[next[p.Source]] = uint32(i)
		next[p.Source]++
	}
	return b
}

// source gives the picks of a source.
func (b *picksOf) source(s int) []uint32 { return b.at[b.off[s]:b.off[s+1]] }

// gather copies a field of the group's rows.
func (g *group) gather(f vector.Field, read func(Source) (*vector.Column, error)) (*vector.Column, error) {
	n := len(g.picks)
	a := &gathering{picks: g.picks, out: &vector.Column{Kind: f.Kind, Len: n, Width: f.Width}}
	var add func(c *vector.Column, at []uint32)
	var texts *textGathering
	var attributes *attributeGathering
	switch f.Kind {
	case vector.Bool:
		a.out.Bools = make([]bool, n)
		add = func(c *vector.Column, at []uint32) { scatter(a.out.Bools, c.Bools, a.picks, at) }
	case vector.Int64:
		a.out.Ints = make([]int64, n)
		add = func(c *vector.Column, at []uint32) { scatter(a.out.Ints, c.Ints, a.picks, at) }
	case vector.Float:
		a.out.Floats = make([]float64, n)
		add = func(c *vector.Column, at []uint32) { scatter(a.out.Floats, c.Floats, a.picks, at) }
	case vector.Hex:
		a.out.Raw = make([]byte, n*f.Width)
		add = func(c *vector.Column, at []uint32) {
			for _, i := range at {
				copy(a.out.Raw[int(i)*f.Width:], c.HexBytes(int(a.picks[i].Row)))
			}
		}
	case vector.String:
		texts = &textGathering{gathering: a, spec: g.writer.spec, in: newInterner(), codes: make([]uint32, n)}
		add = texts.add
	case vector.Map:
		attributes = newAttributeGathering(a)
		add = attributes.add
	default:
		a.out.Anys = make([]any, n)
		add = func(c *vector.Column, at []uint32) { scatter(a.out.Anys, c.Anys, a.picks, at) }
	}
	for s, source := range g.sources {
		at := g.by.source(s)
		if len(at) == 0 {
			continue
		}
		c, err := read(source)
		if err != nil {
			return nil, err
		}
		if c.Valid != nil {
			a.nulls(c, at)
		}
		add(c, at)
	}
	if a.valid != nil && a.valid.Count() < n {
		a.out.Valid = a.valid
	}
	switch {
	case texts != nil:
		texts.finish()
	case attributes != nil:
		attributes.finish()
	}
	return a.out, nil
}

func scatter[T any](out, from []T, picks []block.Pick, at []uint32) {
	for _, i := range at {
		out[i] = from[picks[i].Row]
	}
}

func (a *gathering) nulls(c *vector.Column, at []uint32) {
	if a.valid == nil {
		a.valid = vector.Ones(a.out.Len)
	}
	for _, i := range at {
		if !c.Valid.Get(int(a.picks[i].Row)) {
			a.valid.Clear(int(i))
		}
	}
}

// A textGathering gives texts one dictionary unless most differ or it becomes
// large.
type textGathering struct {
	*gathering
	spec  *Spec
	in    *interner
	codes []uint32
	rows  int // so far that are not NULL
	bytes int // of their texts
	plain bool
}

func (g *textGathering) add(c *vector.Column, at []uint32) {
	if g.plain {
		g.addPlain(c, at)
		return
	}
	limit := g.out.Len/2 + 64
	var table []uint32 // by code: 1 + its number
	if c.Dict != nil {
		table = make([]uint32, len(c.Dict))
	}
	for k, i := range at {
		row := int(g.picks[i].Row)
		if c.IsNull(row) {
			continue
		}
		text := c.Str(row)
		if g.rows, g.bytes = g.rows+1, g.bytes+len(text); table == nil {
			g.codes[i] = g.in.own(text)
		} else {
			code := c.Codes[row]
			if table[code] == 0 {
				table[code] = g.in.own(text) + 1
			}
			g.codes[i] = table[code] - 1
		}
		if len(g.in.list) > limit || !g.spec.dictionaryFits(g.in.arena.size, g.bytes, g.rows) {
			g.unfold()
			g.addPlain(c, at[k+1:])
			return
		}
	}
}

// unfold goes on without a dictionary. Code 0 is also that of rows which are not
// added yet: they will be.
func (g *textGathering) unfold() {
	g.plain = true
	g.out.Strs = make([]string, g.out.Len)
	for i, code := range g.codes {
		g.out.Strs[i] = g.in.list[code]
	}
	g.codes, g.in = nil, nil
}

func (g *textGathering) addPlain(c *vector.Column, at []uint32) {
	if c.Dict == nil && 4*len(at) >= 3*c.Len {
		for _, i := range at {
			if row := int(g.picks[i].Row); !c.IsNull(row) {
				g.out.Strs[i] = c.Strs[row]
			}
		}
		return
	}
	var copies arena
	if c.Dict == nil {
		for _, i := range at {
			if row := int(g.picks[i].Row); !c.IsNull(row) {
				g.out.Strs[i] = copies.copy(c.Strs[row])
			}
		}
		return
	}
	dict := make([]string, len(c.Dict))
	for _, i := range at {
		row := int(g.picks[i].Row)
		if c.IsNull(row) {
			continue
		}
		code := c.Codes[row]
		if dict[code] == "" {
			dict[code] = copies.copy(c.Dict[code])
		}
		g.out.Strs[i] = dict[code]
	}
}

func (g *textGathering) finish() {
	if g.plain {
		for i := range g.out.Strs {
			if g.out.IsNull(i) {
				g.out.Strs[i] = ""
			}
		}
		return
	}
	if g.out.Codes, g.out.Dict = g.codes, g.in.list; len(g.in.list) == 0 {
		g.out.Dict = []string{""}
	}
}

// An attributeGathering collects entries in the order of the sources, then puts
// them into that of the picks. Their texts become distinct.
type attributeGathering struct {
	*gathering
	keys, strs *interner
	from       []uint32 // by pick: its first entry
	count      []uint32 // by pick
	entries    vector.Attrs
	rows       int // whose entries these are
}

func newAttributeGathering(a *gathering) *attributeGathering {
	n := a.out.Len
	return &attributeGathering{gathering: a, keys: newInterner(), strs: newInterner(), from: make([]uint32, n), count: make([]uint32, n)}
}

func (g *attributeGathering) add(c *vector.Column, at []uint32) {
	a := c.Attrs
	keyTable, strTable := make([]uint32, len(a.KeyDict)), make([]uint32, len(a.Strs)) // 1 + the number of each, 0: not yet
	out, more := &g.entries, 0
	for _, i := range at {
		row := g.picks[i].Row
		more += int(a.Off[row+1] - a.Off[row])
	}
	if g.rows += len(at); cap(out.Keys)-len(out.Keys) < more {
		n := len(out.Keys) + more
		n = max(n+n/16, int(1.05*float64(n)/float64(g.rows)*float64(g.out.Len))) // as many in the rows to come
		out.Keys, out.Tags, out.Vals = slices.Grow(out.Keys, n-len(out.Keys)), slices.Grow(out.Tags, n-len(out.Tags)), slices.Grow(out.Vals, n-len(out.Vals))
	}
	for _, i := range at {
		row := g.picks[i].Row
		g.from[i], g.count[i] = uint32(len(out.Keys)), a.Off[row+1]-a.Off[row]
		for e := a.Off[row]; e < a.Off[row+1]; e++ {
			key, tag, v := a.Keys[e], a.Tags[e], a.Vals[e]
			if keyTable[key] == 0 {
				keyTable[key] = g.keys.own(a.KeyDict[key]) + 1
			}
			if tag == vector.TagString || tag == vector.TagBytes || tag == vector.TagJSON {
				if strTable[v] == 0 {
					strTable[v] = g.strs.own(a.Strs[v]) + 1
				}
				v = uint64(strTable[v] - 1)
			}
			out.Keys, out.Tags, out.Vals = append(out.Keys, keyTable[key]-1), append(out.Tags, tag), append(out.Vals, v)
		}
	}
}

func (g *attributeGathering) finish() {
	in := &g.entries
	n := len(in.Keys)
	a := &vector.Attrs{
		Off: make([]uint32, 1, g.out.Len+1), KeyDict: g.keys.list, Strs: g.strs.list,
		Keys: make([]uint32, 0, n), Tags: make([]vector.Tag, 0, n), Vals: make([]uint64, 0, n),
	}
	for i, from := range g.from {
		to := from + g.count[i]
		a.Keys, a.Tags, a.Vals = append(a.Keys, in.Keys[from:to]...), append(a.Tags, in.Tags[from:to]...), append(a.Vals, in.Vals[from:to]...)
		a.Off = append(a.Off, uint32(len(a.Keys)))
	}
	g.out.Attrs = a
}

// interner numbers distinct texts in order of appearance.
type interner struct {
	list   []string
	byText map[string]uint32
	arena  arena
}

func newInterner() *interner {
	return &interner{list: []string{}, byText: make(map[string]uint32)}
}

func (in *interner) text(s string) uint32 {
	n, ok := in.byText[s]
	if !ok {
		n = in.add(s)
	}
	return n
}

func (in *interner) add(s string) uint32 {
	n := uint32(len(in.list))
	in.byText[s] = n
	in.list = append(in.list, s)
	return n
}

// own is text for one whose memory is another's.
func (in *interner) own(s string) uint32 {
	n, ok := in.byText[s]
	if !ok {
		n = in.add(in.arena.copy(s))
	}
	return n
}

// An arena holds copies of texts.
type arena struct {
	buf  []byte
	size int // of all copies
}

const arenaBytes = 64 << 10

func (a *arena) copy(s string) string {
	if s == "" {
		return ""
	}
	a.size += len(s)
	if len(a.buf)+len(s) > cap(a.buf) {
		if len(s) > arenaBytes/4 {
			return string([]byte(s))
		}
		a.buf = make([]byte, 0, arenaBytes)
	}
	start := len(a.buf)
	a.buf = append(a.buf, s...)
	return unsafe.String(&a.buf[start], len(s))
}
