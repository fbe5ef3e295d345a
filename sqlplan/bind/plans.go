package bind

import (
	"github.com/tael-sql/tael-sql/internal/expr"
)

// mapPlan copies a plan with every expression replaced by f of it. CTEs that
// need nothing from outside stay as they are.
func mapPlan(n Node, f func(expr.Expr) expr.Expr) Node {
	return (&planMapper{f: f, ctes: make(map[*CTE]*CTE), freeOnly: true}).node(n)
}

// A planMapper copies plans; a CTE that several places read stays one.
type planMapper struct {
	f        func(expr.Expr) expr.Expr
	ctes     map[*CTE]*CTE
	freeOnly bool // leave CTEs that need nothing from outside
	keepCTE  bool // leave all CTEs
}

// newPlanMapper makes a mapper whose f need not enter the plans of sub-queries:
// the mapper does, so that they share the CTEs of the plan around them.
func newPlanMapper(f func(expr.Expr) expr.Expr) *planMapper {
	m := &planMapper{ctes: make(map[*CTE]*CTE)}
	m.f = func(e expr.Expr) expr.Expr {
		return f(rewriteShallow(e, func(q *Subquery) *Subquery {
			q.Plan = m.node(q.Plan)
			return q
		}))
	}
	return m
}

func (m *planMapper) expr(e expr.Expr) expr.Expr {
	if e == nil {
		return nil
	}
	return m.f(e)
}

func (m *planMapper) items(items []Item) []Item {
	out := make([]Item, len(items))
	for i, it := range items {
		out[i] = Item{Expr: m.f(it.Expr), Col: it.Col}
	}
	return out
}

func (m *planMapper) node(n Node) Node {
	switch v := n.(type) {
	case *Scan:
		if v.Sample == nil {
			return v
		}
		cp := *v
		cp.Sample = &Sample{Method: v.Sample.Method, Percent: m.f(v.Sample.Percent), Seed: m.expr(v.Sample.Seed)}
		return &cp
	case *Values:
		cp := *v
		cp.Rows = make([][]expr.Expr, len(v.Rows))
		for i, row := range v.Rows {
			cp.Rows[i] = mapList(row, m.f)
		}
		return &cp
	case *FuncScan:
		cp := *v
		cp.Args = mapList(v.Args, m.f)
		if v.Func != nil {
			cp.Func = v.Func.With(mapList(v.Func.Args, m.f)).(*expr.Call)
		}
		return &cp
	case *Filter:
		return &Filter{Input: m.node(v.Input), Cond: m.f(v.Cond)}
	case *Project:
		return &Project{Input: m.node(v.Input), Items: m.items(v.Items)}
	case *Join:
		cp := *v
		cp.Left, cp.Right, cp.On = m.node(v.Left), m.node(v.Right), m.expr(v.On)
		return &cp
	case *Aggregate:
		cp := *v
		cp.Input, cp.Keys = m.node(v.Input), m.items(v.Keys)
		cp.Aggs = make([]AggItem, len(v.Aggs))
		for i, a := range v.Aggs {
			cp.Aggs[i] = AggItem{Call: mapAgg(a.Call, m.f), Col: a.Col}
		}
		return &cp
	case *Window:
		cp := &Window{Input: m.node(v.Input), Calls: make([]WindowItem, len(v.Calls))}
		for i, c := range v.Calls {
			c.mapExprs(m.f)
			c.Frame.Start.Offset, c.Frame.End.Offset = m.expr(c.Frame.Start.Offset), m.expr(c.Frame.End.Offset)
			cp.Calls[i] = c
		}
		return cp
	case *Distinct:
		return &Distinct{Input: m.node(v.Input), On: mapList(v.On, m.f)}
	case *Sort:
		return &Sort{Input: m.node(v.Input), Keys: mapKeys(v.Keys, m.f)}
	case *Limit:
		return &Limit{Input: m.node(v.Input), Count: m.expr(v.Count), Offset: m.expr(v.Offset), Ties: mapKeys(v.Ties, m.expr)}
	case *SetOp:
		cp := *v
		cp.Left, cp.Right = m.node(v.Left), m.node(v.Right)
		return &cp
	case *CTERef:
		if m.keepCTE {
			return v
		}
		return &CTERef{CTE: m.cte(v.CTE), Cols: v.Cols}
	case *Modify:
		return m.modify(v)
	case *With:
		cp := &With{Modifying: v.Modifying, Input: m.node(v.Input)}
		if !m.keepCTE {
			cp.Modifying = make([]*CTE, len(v.Modifying))
			for i, c := range v.Modifying {
				cp.Modifying[i] = m.cte(c)
			}
		}
		return cp
	}
	panic("BUG: unknown plan node")
}

func (m *planMapper) modify(v *Modify) *Modify {
	cp := *v
	cp.Source = m.node(v.Source)
	if v.Returning != nil {
		cp.Returning = m.items(v.Returning)
	}
	if v.Conflict != nil {
		c := *v.Conflict
		c.Set, c.Where = mapList(c.Set, m.f), m.expr(c.Where)
		cp.Conflict = &c
	}
	return &cp
}

func (m *planMapper) cte(c *CTE) *CTE {
	if done, ok := m.ctes[c]; ok {
		return done
	}
	if m.freeOnly && len(freeColumns(&CTERef{CTE: c})) == 0 {
		m.ctes[c] = c
		return c
	}
	cp := *c
	m.ctes[c] = &cp
	cp.Query = m.node(c.Query)
	if c.Recursive != nil {
		cp.Recursive = m.node(c.Recursive)
	}
	return &cp
}

// inputs gives the nodes below n; those of a CTE only where inCTE has not seen it.
func inputs(n Node, seen map[*CTE]bool) []Node {
	switch v := n.(type) {
	case *Filter:
		return []Node{v.Input}
	case *Project:
		return []Node{v.Input}
	case *Join:
		return []Node{v.Left, v.Right}
	case *Aggregate:
		return []Node{v.Input}
	case *Window:
		return []Node{v.Input}
	case *Distinct:
		return []Node{v.Input}
	case *Sort:
		return []Node{v.Input}
	case *Limit:
		return []Node{v.Input}
	case *SetOp:
		return []Node{v.Left, v.Right}
	case *CTERef:
		if seen[v.CTE] {
			return nil
		}
		seen[v.CTE] = true
		if v.CTE.Recursive != nil {
			return []Node{v.CTE.Query, v.CTE.Recursive}
		}
		if v.CTE.Query != nil {
			return []Node{v.CTE.Query}
		}
	case *Modify:
		return []Node{v.Source}
	case *With:
		list := []Node{v.Input}
		for _, c := range v.Modifying {
			if !seen[c] {
				seen[c] = true
				list = append(list, c.Query)
			}
		}
		return list
	}
	return nil
}

// eachNode visits the nodes of a plan, without those of sub-queries.
func eachNode(n Node, f func(Node)) {
	seen := map[*CTE]bool{}
	var walk func(Node)
	walk = func(n Node) {
		f(n)
		for _, in := range inputs(n, seen) {
			walk(in)
		}
	}
	walk(n)
}

// nodeExprs gives the expressions that stand in n itself.
func nodeExprs(n Node) []expr.Expr {
	var out []expr.Expr
	add := func(list ...expr.Expr) {
		for _, e := range list {
			if e != nil {
				out = append(out, e)
			}
		}
	}
	switch v := n.(type) {
	case *Scan:
		if v.Sample != nil {
			add(v.Sample.Percent, v.Sample.Seed)
		}
	case *Values:
		for _, row := range v.Rows {
			add(row...)
		}
	case *FuncScan:
		add(v.Args...)
		if v.Func != nil {
			add(v.Func.Args...)
		}
	case *Filter:
		add(v.Cond)
	case *Project:
		for _, it := range v.Items {
			add(it.Expr)
		}
	case *Join:
		add(v.On)
	case *Aggregate:
		for _, k := range v.Keys {
			add(k.Expr)
		}
		for _, a := range v.Aggs {
			add(aggExprs(a.Call)...)
		}
	case *Window:
		for _, c := range v.Calls {
			add(windowExprs(c)...)
		}
	case *Distinct:
		add(v.On...)
	case *Sort:
		for _, k := range v.Keys {
			add(k.Expr)
		}
	case *Limit:
		add(v.Count, v.Offset)
		for _, k := range v.Ties {
			add(k.Expr)
		}
	case *Modify:
		for _, it := range v.Returning {
			add(it.Expr)
		}
		if v.Conflict != nil {
			add(v.Conflict.Set...)
			add(v.Conflict.Where)
		}
	}
	return out
}

func aggExprs(c *expr.AggCall) []expr.Expr {
	out := append([]expr.Expr{}, c.Args...)
	if c.Filter != nil {
		out = append(out, c.Filter)
	}
	for _, k := range c.OrderBy {
		out = append(out, k.Expr)
	}
	return out
}

func windowExprs(c WindowItem) []expr.Expr {
	out := append(append([]expr.Expr{}, c.Args...), c.Partition...)
	for _, k := range c.Order {
		out = append(out, k.Expr)
	}
	if c.Agg != nil {
		out = append(out, aggExprs(c.Agg)...)
	}
	for _, o := range []expr.Expr{c.Frame.Start.Offset, c.Frame.End.Offset} {
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// eachPlanExpr visits every expression of a plan, without those of sub-queries.
func eachPlanExpr(n Node, f func(expr.Expr)) {
	eachNode(n, func(n Node) {
		for _, e := range nodeExprs(n) {
			f(e)
		}
	})
}

// freeColumns gives the columns that a plan uses and does not make, in the
// order of their first use.
func freeColumns(n Node) []expr.ColID {
	made := map[expr.ColID]bool{}
	eachNode(n, func(n Node) {
		for _, c := range n.Columns() {
			made[c.ID] = true
		}
	})
	seen := map[expr.ColID]bool{}
	var free []expr.ColID
	eachPlanExpr(n, func(e expr.Expr) {
		eachCol(e, func(c *expr.Col) {
			if !made[c.ID] && !seen[c.ID] {
				seen[c.ID] = true
				free = append(free, c.ID)
			}
		})
	})
	return free
}
