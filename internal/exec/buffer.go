package exec

import (
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

// gather builds column i of the rows at places; a negative batch gives NULL.
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
	out := vector.NewBuilder(b.kinds[i], len(places))
	for _, p := range places {
		if p.batch < 0 {
			out.AppendNull()
			continue
		}
		c, err := b.batches[p.batch].Column(i)
		if err != nil {
			return nil, err
		}
		out.AppendRow(c, int(p.row))
	}
	return out.Finish(), nil
}

func (b *buffer) release() {
	b.env.Account.Shrink(b.taken)
	b.taken, b.batches = 0, nil
}
