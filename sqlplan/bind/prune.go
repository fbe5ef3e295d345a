package bind

import (
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// prune drops the columns that nothing uses: of scans, of projections, and
// aggregates. Column ids are unique in a statement, so one set of the used ones
// serves the whole plan. The plan is still the binder's own: it is changed in
// place.
func prune(root Node) {
	for range 8 { // each pass uncovers what only a dropped expression used
		used := map[expr.ColID]bool{}
		markUsed(root, used)
		if !dropUnused(root, used) {
			return
		}
	}
}

// markUsed marks what the expressions of a plan refer to, and the columns whose
// places matter: those of the result, and under set operations and DISTINCT.
func markUsed(root Node, used map[expr.ColID]bool) {
	all := func(n Node) {
		for _, c := range n.Columns() {
			used[c.ID] = true
		}
	}
	all(root)
	eachNode(root, func(n Node) {
		switch v := n.(type) {
		case *SetOp:
			all(v.Left)
			all(v.Right)
		case *Distinct:
			if len(v.On) == 0 {
				all(v.Input)
			}
		case *CTERef:
			all(v.CTE.Query)
			if v.CTE.Recursive != nil {
				all(v.CTE.Recursive)
			}
		case *Modify:
			all(v.Source)
		case *With:
			for _, c := range v.Modifying {
				all(c.Query)
			}
		}
		for _, e := range nodeExprs(n) {
			eachExpr(e, func(e expr.Expr) {
				switch v := e.(type) {
				case *expr.Col:
					used[v.ID] = true
				case *Subquery:
					markUsed(v.Plan, used)
				}
			})
		}
	})
}

func dropUnused(root Node, used map[expr.ColID]bool) bool {
	changed := false
	eachNode(root, func(n Node) {
		switch v := n.(type) {
		case *Scan:
			refs, cols := make([]catalog.ColumnRef, 0, len(v.Cols)), make([]Column, 0, len(v.Cols))
			for i, c := range v.Cols {
				if used[c.ID] {
					refs, cols = append(refs, v.Refs[i]), append(cols, c)
				}
			}
			v.Refs, v.Cols = refs, cols
		case *Project:
			items := make([]Item, 0, len(v.Items))
			for _, it := range v.Items {
				if used[it.Col.ID] || containsSet(it.Expr) || isVolatile(it.Expr) {
					items = append(items, it)
				} else {
					changed = true
				}
			}
			v.Items = items
		case *Aggregate:
			aggs := make([]AggItem, 0, len(v.Aggs))
			for _, a := range v.Aggs {
				if used[a.Col.ID] {
					aggs = append(aggs, a)
				} else {
					changed = true
				}
			}
			v.Aggs = aggs
		case *Window:
			calls := make([]WindowItem, 0, len(v.Calls))
			for _, c := range v.Calls {
				if used[c.Col.ID] {
					calls = append(calls, c)
				}
			}
			if len(calls) > 0 && len(calls) < len(v.Calls) { // a Window has calls
				v.Calls, changed = calls, true
			}
		}
		for _, e := range nodeExprs(n) {
			eachExpr(e, func(e expr.Expr) {
				if q, ok := e.(*Subquery); ok {
					changed = dropUnused(q.Plan, used) || changed
				}
			})
		}
	})
	return changed
}

// optimise places conditions and prunes columns, in sub-queries and CTEs too.
func optimise(b *binder, root Node) Node {
	done := map[*CTE]bool{}
	var all func(n Node) Node
	subqueries := func(e expr.Expr) expr.Expr {
		return rewriteShallow(settle(e), func(q *Subquery) *Subquery {
			q.Plan = all(q.Plan)
			return q
		})
	}
	all = func(n Node) Node {
		n = place(n)
		cte := func(c *CTE) {
			if done[c] {
				return
			}
			done[c] = true
			c.Query = all(c.Query)
			if c.Recursive != nil {
				c.Recursive = all(c.Recursive)
			}
		}
		eachNode(n, func(n Node) {
			switch v := n.(type) {
			case *CTERef:
				cte(v.CTE)
			case *With:
				for _, c := range v.Modifying {
					cte(c)
				}
			}
		})
		return (&planMapper{f: subqueries, keepCTE: true}).node(n)
	}
	root = all(root)
	prune(root)
	b.nameColumns(root)
	return root
}

// settle makes text of the literals that nothing typed, such as those of a ROW.
func settle(e expr.Expr) expr.Expr {
	if c, ok := e.(*expr.Const); ok && c.Typ.OID == pgtypes.Unknown {
		return &expr.Const{Typ: typeOf(pgtypes.Text), Val: c.Val}
	}
	children := e.Children()
	var changed []expr.Expr
	for i, c := range children {
		if r := settle(c); r != c {
			if changed == nil {
				changed = slices.Clone(children)
			}
			changed[i] = r
		}
	}
	if changed == nil {
		return e
	}
	return e.With(changed)
}

// rewriteShallow replaces the sub-queries of an expression by f of a copy;
// f enters their plans.
func rewriteShallow(e expr.Expr, f func(*Subquery) *Subquery) expr.Expr {
	if q, ok := e.(*Subquery); ok {
		cp := *q
		cp.Tests = mapList(q.Tests, func(t expr.Expr) expr.Expr { return rewriteShallow(t, f) })
		return f(&cp)
	}
	if !hasSubquery(e) {
		return e
	}
	children := mapList(e.Children(), func(c expr.Expr) expr.Expr { return rewriteShallow(c, f) })
	return e.With(children)
}
