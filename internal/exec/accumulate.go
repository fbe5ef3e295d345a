package exec

import (
	"encoding/binary"
	"slices"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An accumulator computes one aggregate for all groups.
type accumulator interface {
	// add takes the live rows of b; the k-th belongs to group ids[k] < groups.
	add(b *vector.Batch, ids []uint32, groups int) error
	// merge adds the groups of another accumulator of the same call; its group g
	// is group ids[g] here.
	merge(other accumulator, ids []uint32, groups int) error
	// result gives the value of each of n groups.
	result(n int) (*vector.Column, error)
	// bytes is what the states hold.
	bytes() int64
}

// newAccumulator chooses the kernel for a call: a typed one where there is
// one, else the state of package expr by rows.
func newAccumulator(env *expr.Env, call *expr.AggCall, kind vector.Kind) accumulator {
	var acc accumulator
	switch {
	case call.Distinct || (len(call.OrderBy) > 0 && !call.Agg.OrderedSet):
		acc = &collected{env: env, call: call, kind: kind, seen: newKeyTable()}
	default:
		if acc = newKernel(env, call); acc == nil {
			acc = &states{env: env, call: call, kind: kind}
		}
	}
	if call.Filter != nil {
		return &filtered{env: env, cond: call.Filter, accumulator: acc}
	}
	return acc
}

// filtered is the FILTER clause.
type filtered struct {
	accumulator
	env  *expr.Env
	cond expr.Expr
	ids  []uint32
}

func (f *filtered) add(b *vector.Batch, ids []uint32, groups int) error {
	view := b.Select(slices.Clone(b.Sel))
	if err := expr.Filter(f.env, f.cond, view); err != nil {
		return err
	}
	if view.Sel == nil {
		return f.accumulator.add(b, ids, groups)
	}
	f.ids = f.ids[:0]
	k := 0
	for _, row := range view.Sel {
		for b.Row(k) != int(row) {
			k++
		}
		f.ids = append(f.ids, ids[k])
	}
	return f.accumulator.add(view, f.ids, groups)
}

func (f *filtered) merge(other accumulator, ids []uint32, groups int) error {
	return f.accumulator.merge(other.(*filtered).accumulator, ids, groups)
}

// arguments gives the expressions whose values a call's state is given.
func arguments(call *expr.AggCall) []expr.Expr {
	if !call.Agg.OrderedSet || call.Agg.Hypothetical || len(call.Args) == len(call.Agg.Args) {
		return call.Args
	}
	args := slices.Clone(call.Args)
	for _, k := range call.OrderBy {
		args = append(args, k.Expr)
	}
	return args
}

// states runs package expr's state of one aggregate, row by row.
type states struct {
	env  *expr.Env
	call *expr.AggCall
	kind vector.Kind
	all  []expr.AggState
	held int64
}

func (s *states) grow(groups int) {
	for len(s.all) < groups {
		s.all = append(s.all, s.call.Agg.New(s.call))
		s.held += 64
	}
}

func (s *states) add(b *vector.Batch, ids []uint32, groups int) error {
	s.grow(groups)
	exprs := arguments(s.call)
	cols := make([]*vector.Column, len(exprs))
	for i, e := range exprs {
		c, err := e.Vec(s.env, b)
		if err != nil {
			return err
		}
		cols[i] = c
	}
	args := make([]any, len(cols))
	floats := s.call.Agg.OrderedSet && len(cols) == 2 && cols[1].Kind == vector.Float
	for k, id := range ids {
		row := b.Row(k)
		if floats && !cols[1].IsNull(row) {
			if st, ok := s.all[id].(floatAdder); ok && st.AddFloat(cols[1].Floats[row]) {
				s.held += 8
				continue
			}
		}
		for i, c := range cols {
			args[i] = c.Value(row)
			s.held += keptBytes(args[i])
		}
		if err := s.all[id].Add(s.env, args); err != nil {
			return err
		}
	}
	return nil
}

// A floatAdder takes floats unboxed once it has seen its other arguments.
type floatAdder interface{ AddFloat(v float64) bool }

// keptBytes is what a state may keep of an argument: aggregates that build
// values (array_agg, string_agg, percentiles) keep all of it, and the others
// are overcharged for text only.
func keptBytes(v any) int64 {
	switch v := v.(type) {
	case string:
		return int64(len(v))
	case float64:
		return 8
	default:
		return 0
	}
}

func (s *states) merge(other accumulator, ids []uint32, groups int) error {
	s.grow(groups)
	o := other.(*states)
	o.grow(len(ids))
	for g, id := range ids {
		if err := s.all[id].Merge(s.env, o.all[g]); err != nil {
			return err
		}
	}
	s.held += o.held
	return nil
}

func (s *states) result(n int) (*vector.Column, error) {
	s.grow(n)
	b := vector.NewBuilder(s.kind, n)
	for _, st := range s.all[:n] {
		v, err := st.Result(s.env)
		if err != nil {
			return nil, err
		}
		b.Append(v)
	}
	return b.Finish(), nil
}

func (s *states) bytes() int64 { return s.held }

// collected keeps the argument rows of a call with DISTINCT or ORDER BY, and
// feeds the states at the end: duplicates are dropped as they come, order is
// made when the groups are complete.
type collected struct {
	env  *expr.Env
	call *expr.AggCall
	kind vector.Kind
	seen *keyTable // group and argument keys, for DISTINCT
	rows []collectedRow
	held int64
}

type collectedRow struct {
	group uint32
	key   int // number in seen, with DISTINCT
	args  []any
	order []any
}

func (c *collected) add(b *vector.Batch, ids []uint32, _ int) error {
	enc, err := newKeyEncoder(c.env, c.call.Args, b)
	if err != nil {
		return err
	}
	order := make([]*vector.Column, len(c.call.OrderBy))
	for i, k := range c.call.OrderBy {
		if order[i], err = k.Expr.Vec(c.env, b); err != nil {
			return err
		}
	}
	countOnly := c.call.Agg.Name == "count" && len(order) == 0
	key := make([]byte, 0, 64)
	for k, id := range ids {
		i := b.Row(k)
		row := collectedRow{group: id}
		if c.call.Distinct {
			if countOnly && enc.cols[0].IsNull(i) {
				continue
			}
			key = binary.LittleEndian.AppendUint32(key[:0], id)
			key = append(key, enc.encode(i)...)
			n, fresh := c.seen.add(key)
			if !fresh {
				continue
			}
			row.key = n
			c.held += int64(len(key)) + keyCost
			if countOnly {
				continue
			}
		}
		row.args = make([]any, len(enc.cols))
		for a, col := range enc.cols {
			row.args[a] = col.Value(i)
		}
		row.order = make([]any, len(order))
		for o, col := range order {
			row.order[o] = col.Value(i)
		}
		c.held += rowBytes(row.args) + rowBytes(row.order)
		c.rows = append(c.rows, row)
	}
	return nil
}

func (c *collected) merge(other accumulator, ids []uint32, _ int) error {
	o := other.(*collected)
	numbers := make([]int, o.seen.len()) // of its keys here; -1: not new
	var k []byte
	for n := range numbers {
		key := o.seen.key(n)
		k = binary.LittleEndian.AppendUint32(k[:0], ids[binary.LittleEndian.Uint32(key)])
		var fresh bool
		if numbers[n], fresh = c.seen.add(append(k, key[4:]...)); !fresh {
			numbers[n] = -1
		}
	}
	for _, row := range o.rows {
		row.group = ids[row.group]
		if c.call.Distinct {
			if row.key = numbers[row.key]; row.key < 0 {
				continue
			}
		}
		c.rows = append(c.rows, row)
	}
	c.held += o.held
	return nil
}

func (c *collected) result(n int) (*vector.Column, error) {
	if c.call.Distinct && c.call.Agg.Name == "count" && len(c.call.OrderBy) == 0 {
		counts := make([]int64, n)
		for n := range c.seen.len() {
			counts[binary.LittleEndian.Uint32(c.seen.key(n))]++
		}
		return &vector.Column{Kind: vector.Int64, Len: n, Ints: counts}, nil
	}
	slices.SortStableFunc(c.rows, func(a, b collectedRow) int {
		for i, k := range c.call.OrderBy {
			if r := compareValues(k, a.order[i], b.order[i]); r != 0 {
				return r
			}
		}
		if c.call.Distinct && len(c.call.OrderBy) == 0 { // PostgreSQL sorts to find duplicates
			for i, e := range c.call.Args {
				key := expr.SortKey{Expr: e}
				if r := compareValues(key, a.args[i], b.args[i]); r != 0 {
					return r
				}
			}
		}
		return 0
	})
	st := make([]expr.AggState, n)
	for i := range st {
		st[i] = c.call.Agg.New(c.call)
	}
	for _, row := range c.rows {
		if err := st[row.group].Add(c.env, row.args); err != nil {
			return nil, err
		}
	}
	b := vector.NewBuilder(c.kind, n)
	for _, s := range st {
		v, err := s.Result(c.env)
		if err != nil {
			return nil, err
		}
		b.Append(v)
	}
	return b.Finish(), nil
}

func (c *collected) bytes() int64 { return c.held }

// compareValues orders two boxed values, NULLs included, by a sort key.
func compareValues(k expr.SortKey, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil || b == nil:
		if (a == nil) != k.NullsFirst {
			return 1
		}
		return -1
	}
	r := pgtypes.Compare(k.Expr.Type(), a, b)
	if k.Desc {
		return -r
	}
	return r
}
