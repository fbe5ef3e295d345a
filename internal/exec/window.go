package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A WindowSpec is the window that calls share.
type WindowSpec struct {
	Partition []expr.Expr
	Order     []expr.SortKey
}

// A WindowCall is a function over a window: an aggregate, or one that Func
// names. Offsets have no columns.
type WindowCall struct {
	Func  string // row_number, rank, lag, …
	Agg   *expr.AggCall
	Args  []expr.Expr // of Func
	Frame Frame
	Kind  vector.Kind // of the result
}

// A Frame bounds the rows that a call sees, as PostgreSQL's frame clause.
type Frame struct {
	Mode       byte // 'r' RANGE, 'w' ROWS, 'g' GROUPS
	Start, End FrameBound
	Exclude    byte // 0, 'c' current row, 'g' group, 't' ties
}

// A FrameBound is an end of a frame: 'U' unbounded preceding, 'p' offset
// preceding, 'c' current row, 'f' offset following, 'u' unbounded following.
type FrameBound struct {
	Kind   byte
	Offset expr.Expr
}

// windows buffers its input in the order of the window, computes each call
// partition by partition, and gives the rows with a column for each call.
type windows struct {
	env   *expr.Env
	in    vector.Reader // in the order of partition and order keys
	spec  WindowSpec
	calls []WindowCall

	rows    *windowRows
	results [][]*vector.Builder // by batch, by call
	given   int
	started bool
	taken   int64
	row     int64 // bytes that a row of the input takes
}

// Window adds a column for each call. kinds are those of the input's columns.
func Window(env *expr.Env, in vector.Reader, spec WindowSpec, calls []WindowCall, kinds []vector.Kind) vector.Reader {
	var keys []expr.SortKey
	for _, e := range spec.Partition {
		keys = append(keys, expr.SortKey{Expr: e})
	}
	keys = append(keys, spec.Order...)
	if len(keys) > 0 {
		in = Sort(env, in, keys, kinds)
	}
	return &windows{env: env, in: in, spec: spec, calls: calls, row: slotBytes(kinds) + int64(16*(len(calls)+len(spec.Order)+len(spec.Partition))+32)}
}

func (w *windows) Next(ctx context.Context) (*vector.Batch, error) {
	if !w.started {
		w.started = true
		if err := w.read(ctx); err != nil {
			return nil, err
		}
		if err := w.compute(ctx); err != nil {
			return nil, err
		}
	}
	if w.given == len(w.rows.batches) {
		return nil, nil
	}
	b, results := w.rows.batches[w.given], w.results[w.given]
	w.given++
	width := b.Width()
	columns := make([]*vector.Column, len(results))
	for i, r := range results {
		columns[i] = r.Finish()
	}
	out := vector.NewLazyBatch(b.N, width+len(results), func(i int) (*vector.Column, error) {
		if i < width {
			return b.Column(i)
		}
		return columns[i-width], nil
	})
	return out, nil
}

func (w *windows) Close() {
	w.in.Close()
	w.env.Account.Shrink(w.taken)
	w.taken, w.rows, w.results = 0, nil, nil
}

// A windowRows is all rows of the input, numbered from 0, with the values that
// the window's keys have.
type windowRows struct {
	batches   []*vector.Batch // without selections
	starts    []int           // number of the first row of each batch
	partition [][]*vector.Column
	order     [][]*vector.Column
	n         int
}

// at finds the batch and the place in it of row i. Rows are looked up near each
// other, so the search begins at the batch of the last one.
func (r *windowRows) at(i int, hint *int) (batch, row int) {
	k := *hint
	for k > 0 && i < r.starts[k] {
		k--
	}
	for k+1 < len(r.starts) && i >= r.starts[k+1] {
		k++
	}
	*hint = k
	return k, i - r.starts[k]
}

func (w *windows) read(ctx context.Context) error {
	w.rows = &windowRows{}
	for {
		b, err := w.in.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if b.Sel != nil {
			if b, err = packed(b); err != nil {
				return err
			}
		}
		if b.N == 0 {
			continue
		}
		n := int64(b.N) * w.row
		if err := w.env.Account.Grow(n); err != nil {
			return err
		}
		w.taken += n
		partition := make([]*vector.Column, len(w.spec.Partition))
		for i, e := range w.spec.Partition {
			if partition[i], err = e.Vec(w.env, b); err != nil {
				return err
			}
		}
		order := make([]*vector.Column, len(w.spec.Order))
		for i, k := range w.spec.Order {
			if order[i], err = k.Expr.Vec(w.env, b); err != nil {
				return err
			}
		}
		r := w.rows
		r.batches, r.starts = append(r.batches, b), append(r.starts, r.n)
		r.partition, r.order = append(r.partition, partition), append(r.order, order)
		r.n += b.N
		results := make([]*vector.Builder, len(w.calls))
		for i, c := range w.calls {
			results[i] = vector.NewBuilder(c.Kind, b.N)
		}
		w.results = append(w.results, results)
	}
}

// packed gives a batch of the live rows alone.
func packed(b *vector.Batch) (*vector.Batch, error) {
	rows := make([]int32, b.Live())
	for k := range rows {
		rows[k] = int32(b.Row(k))
	}
	cols := make([]*vector.Column, b.Width())
	for i := range cols {
		c, err := b.Column(i)
		if err != nil {
			return nil, err
		}
		cols[i] = vector.Take(c, rows)
	}
	return vector.NewBatch(len(rows), cols), nil
}

// sameKeys reports whether rows i and k have equal keys.
func (r *windowRows) sameKeys(cols [][]*vector.Column, types []pgtypes.Type, i, k int, hint *int) bool {
	bi, ri := r.at(i, hint)
	bk, rk := r.at(k, hint)
	for c := range types {
		x, y := cols[bi][c], cols[bk][c]
		nx, ny := x.IsNull(ri), y.IsNull(rk)
		if nx != ny || !nx && compareRows(types[c], x, ri, y, rk) != 0 {
			return false
		}
	}
	return true
}

// compute fills the results.
func (w *windows) compute(ctx context.Context) error {
	r := w.rows
	partitionTypes := make([]pgtypes.Type, len(w.spec.Partition))
	for i, e := range w.spec.Partition {
		partitionTypes[i] = e.Type()
	}
	orderTypes := make([]pgtypes.Type, len(w.spec.Order))
	for i, k := range w.spec.Order {
		orderTypes[i] = k.Expr.Type()
	}
	hint := 0
	for lo := 0; lo < r.n; {
		hi := lo + 1
		p := &partition{windows: w, lo: lo, groups: []int{lo}}
		for ; hi < r.n && r.sameKeys(r.partition, partitionTypes, lo, hi, &hint); hi++ {
			if !r.sameKeys(r.order, orderTypes, hi-1, hi, &hint) {
				p.groups = append(p.groups, hi)
			}
		}
		p.hi = hi
		p.groups = append(p.groups, hi)
		for i := range w.calls {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.call(ctx, i); err != nil {
				return err
			}
		}
		lo = hi
	}
	return nil
}
