package exec

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// groups numbers the groups of an aggregation: equal key values get the same
// number, in order of first appearance.
//
// One or two dictionary columns are numbered densely: the number of a pair of
// codes is looked up once a batch. Integers use a map of their own. Everything
// else goes through the full key encoding.
type groups struct {
	env   *expr.Env
	keys  []expr.Expr
	kinds []vector.Kind

	table *keyTable         // of key encodings
	ids   []uint32          // by number in table
	ints  map[int64]uint32  // by value, when there is one integer key
	null  int64             // number of the NULL group of ints; -1: none yet
	rows  []*vector.Builder // key values, by group
	count uint32
	bytes int64 // what the maps and the key values hold
}

func newGroups(env *expr.Env, keys []expr.Expr, kinds []vector.Kind) *groups {
	g := &groups{
		env: env, keys: keys, kinds: kinds, null: -1,
		table: newKeyTable(),
	}
	if len(keys) == 1 && kinds[0] == vector.Int64 {
		g.ints = make(map[int64]uint32)
	}
	for _, k := range kinds {
		g.rows = append(g.rows, vector.NewBuilder(k, 16))
	}
	if len(keys) == 0 {
		g.count = 1
	}
	return g
}

// assign writes the group of the k-th live row of b to ids[k].
func (g *groups) assign(b *vector.Batch, ids []uint32) error {
	if len(g.keys) == 0 {
		clear(ids)
		return nil
	}
	enc, err := newKeyEncoder(g.env, g.keys, b)
	if err != nil {
		return err
	}
	switch {
	case g.ints != nil && enc.cols[0].Kind == vector.Int64:
		g.assignInts(enc, b, ids)
	case len(enc.cols) == 1 && enc.cols[0].HasDict():
		g.assignDict(enc, b, ids)
	case len(enc.cols) == 2 && enc.cols[0].HasDict() && enc.cols[1].HasDict() &&
		len(enc.cols[0].Dict)*len(enc.cols[1].Dict) <= 1<<16:
		g.assignDicts(enc, b, ids)
	default:
		for k := range ids {
			ids[k] = g.lookup(enc, b.Row(k))
		}
	}
	return nil
}

func (g *groups) assignInts(enc *keyEncoder, b *vector.Batch, ids []uint32) {
	col := enc.cols[0]
	last, lastID, have := int64(0), uint32(0), false
	for k := range ids {
		i := b.Row(k)
		if col.IsNull(i) {
			if g.null < 0 {
				g.null = int64(g.add(enc, i))
			}
			ids[k] = uint32(g.null)
			continue
		}
		v := col.Ints[i]
		if have && v == last {
			ids[k] = lastID
			continue
		}
		id, ok := g.ints[v]
		if !ok {
			id = g.add(enc, i)
			g.ints[v] = id
			g.bytes += 32
		}
		ids[k] = id
		last, lastID, have = v, id, true
	}
}

// unassigned marks a dictionary code whose group is not yet known.
const unassigned = ^uint32(0)

func (g *groups) assignDict(enc *keyEncoder, b *vector.Batch, ids []uint32) {
	col := enc.cols[0]
	byCode := make([]uint32, len(col.Dict)+1) // the last is NULL's
	for i := range byCode {
		byCode[i] = unassigned
	}
	if b.Sel == nil && col.Valid == nil {
		for i, code := range col.Codes {
			id := byCode[code]
			if id == unassigned {
				id = g.lookup(enc, i)
				byCode[code] = id
			}
			ids[i] = id
		}
		return
	}
	for k := range ids {
		i := b.Row(k)
		code := uint32(len(col.Dict))
		if !col.IsNull(i) {
			code = col.Codes[i]
		}
		id := byCode[code]
		if id == unassigned {
			id = g.lookup(enc, i)
			byCode[code] = id
		}
		ids[k] = id
	}
}

func (g *groups) assignDicts(enc *keyEncoder, b *vector.Batch, ids []uint32) {
	c0, c1 := enc.cols[0], enc.cols[1]
	width := uint32(len(c1.Dict) + 1)
	byCodes := make([]uint32, (len(c0.Dict)+1)*int(width))
	for i := range byCodes {
		byCodes[i] = unassigned
	}
	for k := range ids {
		i := b.Row(k)
		a, z := uint32(len(c0.Dict)), width-1
		if !c0.IsNull(i) {
			a = c0.Codes[i]
		}
		if !c1.IsNull(i) {
			z = c1.Codes[i]
		}
		at := a*width + z
		id := byCodes[at]
		if id == unassigned {
			id = g.lookup(enc, i)
			byCodes[at] = id
		}
		ids[k] = id
	}
}

func (g *groups) lookup(enc *keyEncoder, i int) uint32 {
	key := enc.encode(i)
	n, fresh := g.table.add(key)
	if !fresh {
		return g.ids[n]
	}
	id := g.add(enc, i)
	g.ids = append(g.ids, id)
	g.bytes += int64(len(key)) + keyCost
	return id
}

// add makes a new group with the key values of row i.
func (g *groups) add(enc *keyEncoder, i int) uint32 {
	for c, col := range enc.cols {
		g.rows[c].AppendRow(col, i)
		g.bytes += 24
	}
	g.count++
	return g.count - 1
}

// batch gives the key values by group; nothing may be assigned afterwards.
func (g *groups) batch() *vector.Batch { return finish(g.rows, int(g.count)) }
