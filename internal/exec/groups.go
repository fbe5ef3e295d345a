package exec

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// groups numbers the groups of an aggregation: equal key values get the same
// number, in order of first appearance.
//
// Where the rows of a batch have codes, a group is looked up once for each. One
// integer uses a map of its own. Everything else goes through the full key
// encoding.
type groups struct {
	env   *expr.Env
	keys  []expr.Expr
	kinds []vector.Kind

	coder  rowCoder
	byCode []uint32

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
	case g.coder.assign(enc.cols, b):
		g.assignCodes(enc, b, ids)
	case g.ints != nil && enc.cols[0].Kind == vector.Int64:
		g.assignInts(enc, b, ids)
	default:
		for k := range ids {
			ids[k] = g.lookup(enc, b.Row(k))
		}
	}
	return nil
}

// assignCodes looks the group of each code up once.
func (g *groups) assignCodes(enc *keyEncoder, b *vector.Batch, ids []uint32) {
	if cap(g.byCode) < g.coder.width {
		g.byCode = make([]uint32, g.coder.width)
	}
	byCode := g.byCode[:g.coder.width]
	clear(byCode) // 1 + the group
	for k, code := range g.coder.codes {
		id := byCode[code]
		if id == 0 {
			id = g.find(enc, b.Row(k)) + 1
			byCode[code] = id
		}
		ids[k] = id - 1
	}
}

func (g *groups) assignInts(enc *keyEncoder, b *vector.Batch, ids []uint32) {
	for k := range ids {
		ids[k] = g.findInt(enc, b.Row(k))
	}
}

// find gives the group of row i.
func (g *groups) find(enc *keyEncoder, i int) uint32 {
	if g.ints != nil && enc.cols[0].Kind == vector.Int64 {
		return g.findInt(enc, i)
	}
	return g.lookup(enc, i)
}

func (g *groups) findInt(enc *keyEncoder, i int) uint32 {
	col := enc.cols[0]
	if col.IsNull(i) {
		if g.null < 0 {
			g.null = int64(g.add(enc, i))
		}
		return uint32(g.null)
	}
	v := col.Ints[i]
	id, ok := g.ints[v]
	if !ok {
		id = g.add(enc, i)
		g.ints[v] = id
		g.bytes += 32
	}
	return id
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
