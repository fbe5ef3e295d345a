package exec

import (
	"context"
	"sync"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// aggregate groups its inputs, each on a goroutine of its own with partial
// states, which are merged at the end.
type aggregate struct {
	env   *expr.Env
	ins   []vector.Reader
	keys  []expr.Expr
	calls []*expr.AggCall
	kinds []vector.Kind // of the output: keys, then calls
	done  bool
	taken int64
}

// Aggregate gives one row for each group: the keys, then the aggregates. With
// no keys it gives exactly one row.
func Aggregate(env *expr.Env, ins []vector.Reader, keys []expr.Expr, calls []*expr.AggCall) vector.Reader {
	types := make([]pgtypes.Type, 0, len(keys)+len(calls))
	for _, k := range keys {
		types = append(types, k.Type())
	}
	for _, c := range calls {
		types = append(types, c.Typ)
	}
	return &aggregate{env: env, ins: ins, keys: keys, calls: calls, kinds: Kinds(types)}
}

func (a *aggregate) Next(ctx context.Context) (*vector.Batch, error) {
	if a.done {
		return nil, nil
	}
	a.done = true
	parts := make([]*partial, len(a.ins))
	errs := make([]error, len(a.ins))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i, in := range a.ins {
		parts[i] = newPartial(a)
		if i == len(a.ins)-1 { // the caller's goroutine works too
			errs[i] = parts[i].run(ctx, in)
			break
		}
		wg.Go(func() {
			if errs[i] = parts[i].run(ctx, in); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	for _, p := range parts {
		a.taken += p.taken
	}
	if err := firstError(errs); err != nil {
		return nil, err
	}
	for _, p := range parts[1:] {
		if err := parts[0].merge(p); err != nil {
			return nil, err
		}
	}
	b, err := parts[0].result()
	if err != nil || b.N == 0 {
		return nil, err
	}
	return b, nil
}

// firstError prefers an error that is not the cancellation that it caused.
func firstError(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || first == context.Canceled) {
			first = err
		}
	}
	return first
}

func (a *aggregate) Close() {
	for _, in := range a.ins {
		in.Close()
	}
	a.env.Account.Shrink(a.taken)
	a.taken, a.done = 0, true
}

// partial is the state of one input's groups.
type partial struct {
	agg    *aggregate
	groups *groups
	accs   []accumulator
	ids    []uint32
	taken  int64
}

func newPartial(a *aggregate) *partial {
	p := &partial{agg: a, groups: newGroups(a.env, a.keys, a.kinds[:len(a.keys)])}
	for i, c := range a.calls {
		p.accs = append(p.accs, newAccumulator(a.env, c, a.kinds[len(a.keys)+i]))
	}
	return p
}

func (p *partial) run(ctx context.Context, in vector.Reader) error {
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n := b.Live()
		if cap(p.ids) < n {
			p.ids = make([]uint32, max(n, BatchRows))
		}
		ids := p.ids[:n]
		if err := p.groups.assign(b, ids); err != nil {
			return err
		}
		for _, acc := range p.accs {
			if err := acc.add(b, ids, int(p.groups.count)); err != nil {
				return err
			}
		}
		if err := p.meter(); err != nil {
			return err
		}
	}
}

// meter takes from the account what the groups have come to hold.
func (p *partial) meter() error {
	held := p.groups.bytes
	for _, acc := range p.accs {
		held += acc.bytes()
	}
	if held <= p.taken {
		return nil
	}
	if err := p.agg.env.Account.Grow(held - p.taken); err != nil {
		return err
	}
	p.taken = held
	return nil
}

// merge adds the groups of another partial to p.
func (p *partial) merge(q *partial) error {
	n := int(q.groups.count)
	ids := make([]uint32, n)
	if len(p.agg.keys) > 0 {
		keys := q.groups.batch()
		// The key values are plain columns now, at the places of the keys.
		cols := make([]expr.Expr, len(p.agg.keys))
		for i, k := range p.agg.keys {
			cols[i] = &expr.Col{Slot: i, Typ: k.Type()}
		}
		saved := p.groups.keys
		p.groups.keys = cols
		err := p.groups.assign(keys, ids)
		p.groups.keys = saved
		if err != nil {
			return err
		}
	}
	for i, acc := range p.accs {
		if err := acc.merge(q.accs[i], ids, int(p.groups.count)); err != nil {
			return err
		}
	}
	return p.meter()
}

func (p *partial) result() (*vector.Batch, error) {
	n := int(p.groups.count)
	cols := make([]*vector.Column, 0, len(p.agg.kinds))
	if len(p.agg.keys) > 0 {
		keys := p.groups.batch()
		for i := range p.agg.keys {
			c, err := keys.Column(i)
			if err != nil {
				return nil, err
			}
			cols = append(cols, c)
		}
	}
	for _, acc := range p.accs {
		c, err := acc.result(n)
		if err != nil {
			return nil, err
		}
		cols = append(cols, c)
	}
	return vector.NewBatch(n, cols), nil
}
