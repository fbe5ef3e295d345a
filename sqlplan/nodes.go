package sqlplan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

func (c *compiler) filter(n *bind.Filter) (*stage, error) {
	conds, never, failed := c.decided(conjuncts(n.Cond))
	if never != nil {
		return c.empty(n, never, failed), nil
	}
	in, conds, err := c.semiJoins(n.Input, conds)
	if err != nil {
		return nil, err
	}
	var s *stage
	switch {
	case in != nil: // sub-queries became joins; the rest of conds follows
		s = in
	default:
		if scan, ok := n.Input.(*bind.Scan); ok {
			s, err = c.scan(scan, conds)
		} else if join, ok := n.Input.(*bind.Join); ok && isInner(join) {
			return c.region(join, conds)
		} else {
			s, err = c.compile(n.Input)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.applyFilter(s, conds), nil
}

// decided evaluates the conjuncts that are the same for all rows, once, before
// anything is read, as the One-Time Filter of PostgreSQL: never is one that is
// not true, and failed why it could not be computed. The others remain.
func (c *compiler) decided(conds []expr.Expr) (rest []expr.Expr, never expr.Expr, failed error) {
	for _, cond := range conds {
		if !foldable(cond) {
			rest = append(rest, cond)
			continue
		}
		if v, err := cond.Eval(c.env, nil); err != nil || v != true {
			return nil, cond, err
		}
	}
	return rest, nil, nil
}

// empty stands for a node without rows, or, with failed, for one that fails
// when it is asked for them.
func (c *compiler) empty(n bind.Node, never expr.Expr, failed error) *stage {
	cols := n.Columns()
	step := &Step{Title: "Result", Width: 32 * len(cols)}
	step.addDetail("One-Time Filter", never.String())
	reader := exec.FromSlice(kindsOf(cols), nil)
	if failed != nil {
		reader = failing{failed}
	}
	return &stage{readers: []vector.Reader{reader}, cols: cols, step: step}
}

// failing gives an error instead of rows.
type failing struct{ err error }

func (f failing) Next(context.Context) (*vector.Batch, error) { return nil, f.err }

func (f failing) Close() {}

// applyFilter puts conjuncts above a stage.
func (c *compiler) applyFilter(s *stage, conds []expr.Expr) *stage {
	if len(conds) == 0 {
		return s
	}
	cond := c.resolve(conjunction(conds), s.cols)
	s.forExprs(cond)
	readers := make([]vector.Reader, len(s.readers))
	for i, r := range s.readers {
		readers[i] = exec.Filter(c.env, r, cond)
	}
	s.step.addDetail("Filter", cond.String())
	s.step.Rows = kept(s.step.Rows, conds)
	return &stage{readers: readers, cols: s.cols, step: s.step}
}

// kept estimates how many of rows conjuncts leave: PostgreSQL's defaults for
// columns of which it knows nothing (selfuncs.h).
func kept(rows int64, conds []expr.Expr) int64 {
	share := 1.0
	for _, cond := range conds {
		switch _, _, equal := equation(cond); {
		case equal:
			share *= 0.005
		default:
			share /= 3
		}
	}
	return max(int64(float64(rows)*share), 1)
}

func (c *compiler) project(n *bind.Project) (*stage, error) {
	s, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	return c.projectOver(s, n), nil
}

func (c *compiler) projectOver(s *stage, n *bind.Project) *stage {
	exprs := make([]expr.Expr, len(n.Items))
	cols := make([]bind.Column, len(n.Items))
	set := false
	for i, it := range n.Items {
		exprs[i] = c.resolve(it.Expr, s.cols)
		cols[i] = it.Col
		if call, ok := exprs[i].(*expr.Call); ok && call.Fn.Set {
			set = true
		}
	}
	s.forExprs(exprs...)
	readers := make([]vector.Reader, len(s.readers))
	for i, r := range s.readers {
		if set {
			readers[i] = exec.ProjectSet(c.env, r, exprs, kindsOf(cols))
		} else {
			readers[i] = exec.Project(c.env, r, exprs)
		}
	}
	step := s.step
	if set {
		step = &Step{Title: "ProjectSet", Rows: s.step.Rows * 10, Width: 32 * len(cols), Children: []*Step{s.step}}
	}
	return &stage{readers: readers, cols: cols, step: step}
}

func (c *compiler) aggregate(n *bind.Aggregate) (*stage, error) {
	if n.Sets != nil {
		return c.groupingSets(n)
	}
	s, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	keys := make([]expr.Expr, len(n.Keys))
	var cols []bind.Column
	var names []string
	for i, k := range n.Keys {
		keys[i] = c.resolve(k.Expr, s.cols)
		cols = append(cols, k.Col)
		names = append(names, keys[i].String())
	}
	calls := make([]*expr.AggCall, len(n.Aggs))
	for i, a := range n.Aggs {
		calls[i] = c.resolveAgg(a.Call, s.cols)
		cols = append(cols, a.Col)
	}
	s.forExprs(keys...)
	for _, call := range calls {
		s.forExprs(aggExprs(call)...)
	}
	step := &Step{Title: "Aggregate", Rows: 1, Width: 32 * len(cols), Children: []*Step{s.step}}
	if len(keys) > 0 {
		step.Title, step.Rows = "HashAggregate", max(s.step.Rows/10, 1)
		step.addList("Group Key", names)
	}
	return &stage{
		readers: []vector.Reader{exec.Aggregate(c.env, s.readers, keys, calls)}, cols: cols, step: step,
	}, nil
}

// aggExprs gives what an aggregate evaluates for each row.
func aggExprs(call *expr.AggCall) []expr.Expr {
	list := append([]expr.Expr{}, call.Args...)
	if call.Filter != nil {
		list = append(list, call.Filter)
	}
	for _, k := range call.OrderBy {
		list = append(list, k.Expr)
	}
	return list
}

func (c *compiler) resolveAgg(call *expr.AggCall, cols []bind.Column) *expr.AggCall {
	out := *call
	out.Args = c.resolveAll(call.Args, cols)
	out.Filter = c.resolve(call.Filter, cols)
	out.OrderBy = c.resolveKeys(call.OrderBy, cols)
	return &out
}

// groupingSets runs one aggregation a set over the same rows, which are kept,
// and gives NULL for the keys that a set leaves out.
func (c *compiler) groupingSets(n *bind.Aggregate) (*stage, error) {
	in, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	kept := &cteRows{cols: in.cols, kinds: in.kinds()}
	if err := kept.read(c.env, in.reader()); err != nil {
		return nil, err
	}
	in.reader().Close()
	c.ctes[&bind.CTE{}] = kept // released with the statement
	var cols []bind.Column
	for _, k := range n.Keys {
		cols = append(cols, k.Col)
	}
	for _, a := range n.Aggs {
		cols = append(cols, a.Col)
	}
	if n.Grouping != nil {
		cols = append(cols, *n.Grouping)
	}
	var readers []vector.Reader
	for _, set := range n.Sets {
		var keys []expr.Expr
		at := make(map[int]int)
		for _, k := range set {
			if _, dup := at[k]; !dup {
				at[k] = len(keys)
				keys = append(keys, c.resolve(n.Keys[k].Expr, in.cols))
			}
		}
		calls := make([]*expr.AggCall, len(n.Aggs))
		for i, a := range n.Aggs {
			calls[i] = c.resolveAgg(a.Call, in.cols)
		}
		agg := exec.Aggregate(c.env, []vector.Reader{kept.reader()}, keys, calls)
		var out []expr.Expr
		bitmap := int64(0)
		for k, item := range n.Keys {
			slot, ok := at[k]
			if ok {
				out = append(out, &expr.Col{Slot: slot, Typ: item.Col.Type})
			} else {
				out = append(out, &expr.Const{Typ: item.Col.Type})
				bitmap |= 1 << k
			}
		}
		for i, a := range n.Aggs {
			out = append(out, &expr.Col{Slot: len(keys) + i, Typ: a.Col.Type})
		}
		if n.Grouping != nil {
			out = append(out, &expr.Const{Typ: n.Grouping.Type, Val: bitmap})
		}
		readers = append(readers, exec.Project(c.env, agg, out))
	}
	step := &Step{Title: "MixedAggregate", Rows: max(in.step.Rows/10, 1), Width: 32 * len(cols), Children: []*Step{in.step}}
	return &stage{readers: []vector.Reader{exec.Concat(readers...)}, cols: cols, step: step}, nil
}

func (c *compiler) distinct(n *bind.Distinct) (*stage, error) {
	s, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	keys := columnRefs(s.cols)
	title := "HashAggregate"
	if n.On != nil {
		keys = c.resolveAll(n.On, s.cols)
		title = "Unique"
	}
	if n.On == nil && len(s.readers) > 1 { // first each worker's rows, then what is left of them
		for i, r := range s.readers {
			s.readers[i] = exec.Distinct(c.env, r, keys)
		}
	}
	return &stage{
		readers: []vector.Reader{exec.Distinct(c.env, s.reader(), keys)}, cols: s.cols,
		step: &Step{Title: title, Rows: max(s.step.Rows/10, 1), Width: s.step.Width, Children: []*Step{s.step}},
	}, nil
}

func (c *compiler) sort(n *bind.Sort, limit int) (*stage, error) {
	s, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	if inOrder(n.Input, n.Keys) {
		return s, nil
	}
	keys := c.resolveKeys(n.Keys, s.cols)
	step := &Step{Title: "Sort", Rows: s.step.Rows, Width: s.step.Width, Children: []*Step{s.step}}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Expr.String()
		if k.Desc {
			names[i] += " DESC"
		}
		if k.NullsFirst != k.Desc {
			names[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[k.NullsFirst]
		}
	}
	step.addList("Sort Key", names)
	var reader vector.Reader
	if limit > 0 {
		step.addDetail("Sort Method", "top-N heapsort")
		step.Rows = min(step.Rows, int64(limit))
		reader = exec.TopN(c.env, s.reader(), keys, s.kinds(), limit)
	} else {
		reader = exec.Sort(c.env, s.reader(), keys, s.kinds())
	}
	return &stage{readers: []vector.Reader{reader}, cols: s.cols, step: step}, nil
}

// inOrder reports whether the rows of n come in the order of keys by themselves.
func inOrder(n bind.Node, keys []expr.SortKey) bool {
	if len(keys) != 1 {
		return false
	}
	col, ok := keys[0].Expr.(*expr.Col)
	for ok {
		switch node := n.(type) {
		case *bind.Filter:
			n = node.Input
		case *bind.Project:
			at := slices.IndexFunc(node.Items, func(it bind.Item) bool { return it.Col.ID == col.ID })
			if at < 0 || returnsSets(node) {
				return false
			}
			col, ok = node.Items[at].Expr.(*expr.Col)
			n = node.Input
		case *bind.FuncScan:
			f, ordered := node.Table.(catalog.OrderedFunction)
			if !ordered {
				return false
			}
			name, descending := f.Order()
			at := slices.IndexFunc(node.Cols, func(c bind.Column) bool { return c.ID == col.ID })
			return at >= 0 && at < len(f.Relation().Columns) && f.Relation().Columns[at].Name == name && keys[0].Desc == descending
		default:
			return false
		}
	}
	return false
}

// maxTopN is the largest LIMIT for which a sort keeps only the first rows.
const maxTopN = 100_000

func (c *compiler) limit(n *bind.Limit) (*stage, error) {
	count, err := c.rowCount(n.Count, -1, pgerr.InvalidRowCountInLimit, "LIMIT")
	if err != nil {
		return nil, err
	}
	offset, err := c.rowCount(n.Offset, 0, pgerr.InvalidRowCountInOffset, "OFFSET")
	if err != nil {
		return nil, err
	}
	top := 0
	if n.Ties == nil && count >= 0 && count+offset > 0 && count+offset <= maxTopN {
		top = int(count + offset)
	}
	s, err := c.limitInput(n.Input, top)
	if err != nil {
		return nil, err
	}
	step := &Step{Title: "Limit", Rows: s.step.Rows, Width: s.step.Width, Children: []*Step{s.step}}
	if count >= 0 {
		step.Rows = min(step.Rows, count)
	}
	reader := exec.Limit(s.reader(), offset, count)
	if n.Ties != nil {
		if count < 0 {
			return nil, pgerr.New(pgerr.InvalidRowCountInLimit, "row count cannot be null in FETCH FIRST ... WITH TIES clause")
		}
		var keys []expr.Expr
		for _, k := range c.resolveKeys(n.Ties, s.cols) {
			keys = append(keys, k.Expr)
		}
		reader = exec.LimitWithTies(c.env, s.reader(), keys, offset, count)
	}
	return &stage{readers: []vector.Reader{reader}, cols: s.cols, step: step}, nil
}

// limitInput compiles what a LIMIT stands on: a sort below it, also below a
// projection that keeps rows one to one, needs to keep the first rows only.
func (c *compiler) limitInput(n bind.Node, top int) (*stage, error) {
	if top > 0 {
		switch n := n.(type) {
		case *bind.Sort:
			return c.measured(c.sort(n, top))
		case *bind.Project:
			if sort, ok := n.Input.(*bind.Sort); ok && !returnsSets(n) {
				s, err := c.measured(c.sort(sort, top))
				if err != nil {
					return nil, err
				}
				return c.projectOver(s, n), nil
			}
		}
	}
	return c.compile(n)
}

func returnsSets(n *bind.Project) bool {
	for _, it := range n.Items {
		if call, ok := it.Expr.(*expr.Call); ok && call.Fn.Set {
			return true
		}
	}
	return false
}

// rowCount evaluates a LIMIT or OFFSET; NULL means none.
func (c *compiler) rowCount(e expr.Expr, none int64, code pgerr.Code, clause string) (int64, error) {
	if e == nil {
		return none, nil
	}
	v, err := c.resolve(e, nil).Eval(c.env, nil)
	if err != nil || v == nil {
		return none, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("BUG: %s is a %T", clause, v)
	}
	if n < 0 {
		return 0, pgerr.New(code, "%s must not be negative", clause)
	}
	return n, nil
}

func (c *compiler) setOp(n *bind.SetOp) (*stage, error) {
	left, err := c.compile(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.compile(n.Right)
	if err != nil {
		return nil, err
	}
	keys := columnRefs(n.Cols)
	step := &Step{Width: 32 * len(n.Cols), Children: []*Step{left.step, right.step}}
	var reader vector.Reader
	switch n.Kind {
	case bind.Union:
		step.Title, step.Rows = "Append", left.step.Rows+right.step.Rows
		reader = exec.Concat(left.reader(), right.reader())
		if !n.All {
			step = &Step{Title: "HashAggregate", Rows: step.Rows, Width: step.Width, Children: []*Step{step}}
			reader = exec.Distinct(c.env, reader, keys)
		}
	case bind.Intersect:
		step.Title, step.Rows = "HashSetOp Intersect", min(left.step.Rows, right.step.Rows)
		reader = exec.Intersect(c.env, left.reader(), right.reader(), keys, n.All)
	default:
		step.Title, step.Rows = "HashSetOp Except", left.step.Rows
		reader = exec.Except(c.env, left.reader(), right.reader(), keys, n.All)
	}
	return &stage{readers: []vector.Reader{reader}, cols: n.Cols, step: step}, nil
}
