package exec

import (
	"sync"
	"unsafe"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A buffer keeps the batches of a reader, so that their rows can be named by
// place. What it keeps is taken from the account.
type buffer struct {
	env     *expr.Env
	kinds   []vector.Kind
	batches []*vector.Batch
	taken   int64

	dictsOnce sync.Once
	dicts     []sharedDict // by column
}

// add keeps a batch and gives its number.
func (b *buffer) add(batch *vector.Batch) (int32, error) {
	cols, err := columns(batch)
	if err != nil {
		return 0, err
	}
	n := int64(batch.Live()) * int64(8+16*len(b.kinds))
	for _, c := range cols {
		n += textBytes(c)
	}
	if err := b.env.Account.Grow(n); err != nil {
		return 0, err
	}
	b.taken += n
	b.batches = append(b.batches, batch)
	return int32(len(b.batches) - 1), nil
}

// slotBytes is what a row takes in columns of these kinds, with short texts.
func slotBytes(kinds []vector.Kind) (n int64) {
	for _, k := range kinds {
		switch k {
		case vector.Bool:
			n++
		case vector.Int64, vector.Float:
			n += 8
		default:
			n += 24
		}
	}
	return n
}

// textBytes is what the text of a column holds beyond its slots.
func textBytes(c *vector.Column) int64 {
	n := 0
	switch {
	case c.Dict != nil:
		for _, s := range c.Dict {
			n += len(s)
		}
	case c.Kind == vector.String:
		for _, s := range c.Strs {
			n += len(s)
		}
	case c.Kind == vector.Any:
		n = 48 * len(c.Anys)
	}
	return int64(n)
}

// gather builds column i of the rows at places; a negative batch gives NULL. It
// may be called by several goroutines once all batches are there.
func (b *buffer) gather(places []place, i int) (*vector.Column, error) {
	if len(b.batches) == 1 {
		rows := make([]int32, len(places))
		for k, p := range places {
			rows[k] = p.row
			if p.batch < 0 {
				rows[k] = -1
			}
		}
		c, err := b.batches[0].Column(i)
		if err != nil {
			return nil, err
		}
		return vector.Take(c, rows), nil
	}
	cols := make([]*vector.Column, len(b.batches))
	for k, batch := range b.batches {
		c, err := batch.Column(i)
		if err != nil {
			return nil, err
		}
		cols[k] = c
	}
	if c := b.coded(places, cols, i); c != nil {
		return c, nil
	}
	if c := gatherFixed(places, cols); c != nil {
		return c, nil
	}
	out := vector.NewBuilder(b.kinds[i], len(places))
	for _, p := range places {
		if p.batch < 0 {
			out.AppendNull()
		} else {
			out.AppendRow(cols[p.batch], int(p.row))
		}
	}
	return out.Finish(), nil
}

// gatherFixed gathers columns that all are integers, floats or ids of one
// width, nil if they are not.
func gatherFixed(places []place, cols []*vector.Column) *vector.Column {
	if len(cols) == 0 {
		return nil
	}
	first, n := cols[0], len(places)
	for _, c := range cols {
		if c.Kind != first.Kind || c.Width != first.Width {
			return nil
		}
	}
	out := &vector.Column{Kind: first.Kind, Len: n, Width: first.Width}
	switch first.Kind {
	case vector.Int64:
		out.Ints = make([]int64, n)
	case vector.Float:
		out.Floats = make([]float64, n)
	case vector.Hex:
		out.Raw = make([]byte, n*first.Width)
	default:
		return nil
	}
	for k, p := range places {
		if p.batch < 0 || cols[p.batch].IsNull(int(p.row)) {
			if out.Valid == nil {
				out.Valid = vector.Ones(n)
			}
			out.Valid.Clear(k)
			continue
		}
		c := cols[p.batch]
		switch first.Kind {
		case vector.Int64:
			out.Ints[k] = c.Ints[p.row]
		case vector.Float:
			out.Floats[k] = c.Floats[p.row]
		default:
			copy(out.Raw[k*first.Width:], c.HexBytes(int(p.row)))
		}
	}
	return out
}

// A sharedDict is one dictionary for the columns of all batches.
type sharedDict struct {
	once  sync.Once
	dict  []string   // nil: the columns have none, or it would be large
	codes [][]uint32 // by batch, by code of its column: the code in dict
}

// sharedDictValues is the most values of a sharedDict.
const sharedDictValues = 1 << 14

// coded gathers dictionary columns, nil if they are not.
func (b *buffer) coded(places []place, cols []*vector.Column, i int) *vector.Column {
	b.dictsOnce.Do(func() { b.dicts = make([]sharedDict, len(b.kinds)) })
	d := &b.dicts[i]
	d.once.Do(func() { d.make(cols) })
	if d.dict == nil {
		return nil
	}
	out := &vector.Column{Kind: vector.String, Len: len(places), Dict: d.dict, Codes: make([]uint32, len(places))}
	for k, p := range places {
		if p.batch < 0 || cols[p.batch].IsNull(int(p.row)) {
			if out.Valid == nil {
				out.Valid = vector.Ones(len(places))
			}
			out.Valid.Clear(k)
			continue
		}
		out.Codes[k] = d.codes[p.batch][cols[p.batch].Codes[p.row]]
	}
	return out
}

func (d *sharedDict) make(cols []*vector.Column) {
	known := make(map[string]uint32)
	byDict := make(map[*string][]uint32) // batches often share one
	dict := []string{}
	codes := make([][]uint32, len(cols))
	for k, c := range cols {
		if !c.HasDict() || len(c.Dict) == 0 {
			return
		}
		first := unsafe.SliceData(c.Dict)
		if mapped := byDict[first]; len(mapped) == len(c.Dict) {
			codes[k] = mapped
			continue
		}
		codes[k] = make([]uint32, len(c.Dict))
		for i, s := range c.Dict {
			code, ok := known[s]
			if !ok {
				code = uint32(len(dict))
				known[s] = code
				dict = append(dict, s)
			}
			codes[k][i] = code
		}
		if byDict[first] = codes[k]; len(dict) > sharedDictValues {
			return
		}
	}
	if len(dict) == 0 { // what is NULL has code 0
		dict = append(dict, "")
	}
	d.dict, d.codes = dict, codes
}

func (b *buffer) release() {
	b.env.Account.Shrink(b.taken)
	b.taken, b.batches = 0, nil
}
