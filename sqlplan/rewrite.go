package sqlplan

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// A rewriter copies a plan with expressions replaced. CTEs stay shared: a CTE
// that is read twice is copied once.
type rewriter struct {
	// leaf gives the replacement of an expression; false means to look at its
	// children.
	leaf func(expr.Expr) (expr.Expr, bool)
	// scan, where set, gives the replacement of a table scan.
	scan func(*bind.Scan) bind.Node
	ctes map[*bind.CTE]*bind.CTE
}

func (r *rewriter) expr(e expr.Expr) expr.Expr {
	if e == nil {
		return nil
	}
	if out, ok := r.leaf(e); ok {
		return out
	}
	if s, ok := e.(*bind.Subquery); ok {
		c := *s
		c.Plan = r.node(s.Plan)
		c.Tests = r.exprs(s.Tests)
		return &c
	}
	children := e.Children()
	if len(children) == 0 {
		return e
	}
	changed := false
	out := make([]expr.Expr, len(children))
	for i, child := range children {
		out[i] = r.expr(child)
		changed = changed || out[i] != child
	}
	if !changed {
		return e
	}
	return e.With(out)
}

func (r *rewriter) exprs(list []expr.Expr) []expr.Expr {
	if list == nil {
		return nil
	}
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		out[i] = r.expr(e)
	}
	return out
}

func (r *rewriter) keys(list []expr.SortKey) []expr.SortKey {
	if list == nil {
		return nil
	}
	out := make([]expr.SortKey, len(list))
	for i, k := range list {
		k.Expr = r.expr(k.Expr)
		out[i] = k
	}
	return out
}

func (r *rewriter) items(list []bind.Item) []bind.Item {
	out := make([]bind.Item, len(list))
	for i, it := range list {
		it.Expr = r.expr(it.Expr)
		out[i] = it
	}
	return out
}

func (r *rewriter) aggCall(call *expr.AggCall) *expr.AggCall {
	if call == nil {
		return nil
	}
	c := *call
	c.Args = r.exprs(call.Args)
	c.Filter = r.expr(call.Filter)
	c.OrderBy = r.keys(call.OrderBy)
	return &c
}

func (r *rewriter) node(n bind.Node) bind.Node {
	switch n := n.(type) {
	case nil:
		return nil
	case *bind.Scan:
		if r.scan != nil {
			return r.scan(n)
		}
		return n
	case *bind.Values:
		c := *n
		c.Rows = make([][]expr.Expr, len(n.Rows))
		for i, row := range n.Rows {
			c.Rows[i] = r.exprs(row)
		}
		return &c
	case *bind.FuncScan:
		c := *n
		if n.Func != nil {
			if call, ok := r.expr(n.Func).(*expr.Call); ok {
				c.Func = call
			}
		}
		c.Args = r.exprs(n.Args)
		return &c
	case *bind.Filter:
		return &bind.Filter{Input: r.node(n.Input), Cond: r.expr(n.Cond)}
	case *bind.Project:
		return &bind.Project{Input: r.node(n.Input), Items: r.items(n.Items)}
	case *bind.Join:
		c := *n
		c.Left, c.Right, c.On = r.node(n.Left), r.node(n.Right), r.expr(n.On)
		return &c
	case *bind.Aggregate:
		c := *n
		c.Input, c.Keys = r.node(n.Input), r.items(n.Keys)
		c.Aggs = make([]bind.AggItem, len(n.Aggs))
		for i, a := range n.Aggs {
			c.Aggs[i] = bind.AggItem{Call: r.aggCall(a.Call), Col: a.Col}
		}
		return &c
	case *bind.Window:
		c := *n
		c.Input = r.node(n.Input)
		c.Calls = make([]bind.WindowItem, len(n.Calls))
		for i, w := range n.Calls {
			w.Agg, w.Args = r.aggCall(w.Agg), r.exprs(w.Args)
			w.Partition, w.Order = r.exprs(w.Partition), r.keys(w.Order)
			w.Frame.Start.Offset, w.Frame.End.Offset = r.expr(w.Frame.Start.Offset), r.expr(w.Frame.End.Offset)
			c.Calls[i] = w
		}
		return &c
	case *bind.Distinct:
		return &bind.Distinct{Input: r.node(n.Input), On: r.exprs(n.On)}
	case *bind.Sort:
		return &bind.Sort{Input: r.node(n.Input), Keys: r.keys(n.Keys)}
	case *bind.Limit:
		return &bind.Limit{Input: r.node(n.Input), Count: r.expr(n.Count), Offset: r.expr(n.Offset), Ties: r.keys(n.Ties)}
	case *bind.SetOp:
		c := *n
		c.Left, c.Right = r.node(n.Left), r.node(n.Right)
		return &c
	case *bind.CTERef:
		c := *n
		c.CTE = r.cte(n.CTE)
		return &c
	case *bind.Modify:
		return r.modify(n)
	case *bind.With:
		c := &bind.With{Input: r.node(n.Input)}
		for _, cte := range n.Modifying {
			c.Modifying = append(c.Modifying, r.cte(cte))
		}
		return c
	default:
		return n
	}
}

func (r *rewriter) modify(n *bind.Modify) *bind.Modify {
	c := *n
	c.Source = r.node(n.Source)
	if n.Returning != nil {
		c.Returning = r.items(n.Returning)
	}
	if n.Conflict != nil {
		conflict := *n.Conflict
		conflict.Set, conflict.Where = r.exprs(n.Conflict.Set), r.expr(n.Conflict.Where)
		c.Conflict = &conflict
	}
	return &c
}

func (r *rewriter) cte(c *bind.CTE) *bind.CTE {
	if out, ok := r.ctes[c]; ok {
		return out
	}
	if r.ctes == nil {
		r.ctes = make(map[*bind.CTE]*bind.CTE)
	}
	out := *c
	r.ctes[c] = &out // before its query: a recursive one refers to itself
	out.Query = r.node(c.Query)
	if c.Recursive != nil {
		out.Recursive = r.node(c.Recursive)
	}
	return &out
}

// substitute replaces columns of enclosing queries by their values.
func substitute(n bind.Node, values map[expr.ColID]*expr.Const) bind.Node {
	r := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok {
			if v, ok := values[col.ID]; ok {
				return v, true
			}
		}
		return nil, false
	}}
	return r.node(n)
}

// refersTo reports whether e uses a column of ids, also inside its sub-queries.
func refersTo(e expr.Expr, ids map[expr.ColID]bool) bool {
	found := false
	r := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok {
			found = found || ids[col.ID]
		}
		return nil, false
	}}
	r.expr(e)
	return found
}

// planRefersTo is refersTo for every expression of a plan.
func planRefersTo(n bind.Node, ids map[expr.ColID]bool) bool {
	found := false
	r := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok {
			found = found || ids[col.ID]
		}
		return nil, false
	}}
	r.node(n)
	return found
}

// columnsOf lists the columns that e uses, those of sub-queries included.
func columnsOf(e expr.Expr) []expr.ColID {
	var ids []expr.ColID
	seen := map[expr.ColID]bool{}
	r := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok && !seen[col.ID] {
			seen[col.ID] = true
			ids = append(ids, col.ID)
		}
		return nil, false
	}}
	r.expr(e)
	return ids
}
