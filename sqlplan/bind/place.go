package bind

import (
	"maps"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// place moves each condition down to the lowest node that has its columns, so
// that joins know what they join on and scans what they may skip. Conditions
// never move past what would change their meaning: LIMIT, the null-extended
// side of an outer join, volatile expressions.
func place(n Node) Node { return push(n, nil) }

// push gives n with conditions over its columns applied.
func push(n Node, conds []expr.Expr) Node {
	switch v := n.(type) {
	case *Filter:
		return push(v.Input, append(conjuncts(v.Cond), conds...))
	case *Project:
		return pushProject(v, conds)
	case *Join:
		return pushJoin(v, conds)
	case *Aggregate:
		return pushAggregate(v, conds)
	case *Window:
		down, stay := split(conds, wholeGroups(v, partitions(v)))
		return keep(&Window{Input: push(v.Input, down), Calls: v.Calls}, stay)
	case *Distinct:
		can := movable
		if len(v.On) > 0 {
			can = wholeGroups(v, plainColumns(v.On))
		}
		down, stay := split(conds, can)
		return keep(&Distinct{Input: push(v.Input, down), On: v.On}, stay)
	case *Sort:
		down, stay := split(conds, movable)
		return keep(&Sort{Input: push(v.Input, down), Keys: v.Keys}, stay)
	case *Limit:
		return keep(&Limit{Input: place(v.Input), Count: v.Count, Offset: v.Offset, Ties: v.Ties}, conds)
	case *SetOp:
		return pushSetOp(v, conds)
	case *Modify:
		cp := *v
		cp.Source = place(v.Source)
		return keep(&cp, conds)
	case *With:
		return &With{Modifying: v.Modifying, Input: push(v.Input, conds)}
	}
	return keep(n, conds)
}

func keep(n Node, conds []expr.Expr) Node { return filter(n, conjunction(conds)) }

func split(conds []expr.Expr, ok func(expr.Expr) bool) (yes, no []expr.Expr) {
	for _, c := range conds {
		if ok(c) {
			yes = append(yes, c)
		} else {
			no = append(no, c)
		}
	}
	return yes, no
}

// movable reports whether a condition may be evaluated elsewhere: it gives the
// same for the same row.
func movable(e expr.Expr) bool { return !isVolatile(e) }

// isVolatile reports a volatile call in e or in a sub-query of it.
func isVolatile(e expr.Expr) bool {
	found := false
	eachExpr(e, func(e expr.Expr) {
		switch v := e.(type) {
		case *expr.Call:
			found = found || v.Fn.Volatile == expr.Volatile
		case *Subquery:
			found = found || planIsVolatile(v.Plan)
		}
	})
	return found
}

func planIsVolatile(n Node) bool {
	found := false
	eachPlanExpr(n, func(e expr.Expr) { found = found || isVolatile(e) })
	eachNode(n, func(n Node) {
		switch v := n.(type) {
		case *FuncScan:
			found = found || v.Func != nil && v.Func.Fn.Volatile == expr.Volatile
		case *Modify:
			found = true
		}
	})
	return found
}

// wholeGroups gives a test for conditions that keep or leave out whole groups of
// the rows of n, which have the same value in each column of keys.
func wholeGroups(n Node, keys map[expr.ColID]bool) func(expr.Expr) bool {
	mine := columnSet(n)
	return func(e expr.Expr) bool {
		some, others := false, false
		eachCol(e, func(c *expr.Col) {
			some = some || keys[c.ID]
			others = others || mine[c.ID] && !keys[c.ID]
		})
		return some && !others && movable(e)
	}
}

// plainColumns is the columns among expressions.
func plainColumns(list []expr.Expr) map[expr.ColID]bool {
	set := map[expr.ColID]bool{}
	for _, e := range list {
		if c, ok := e.(*expr.Col); ok {
			set[c.ID] = true
		}
	}
	return set
}

// partitions is the columns by which every call of w partitions.
func partitions(w *Window) map[expr.ColID]bool {
	common := plainColumns(w.Calls[0].Partition)
	for _, call := range w.Calls[1:] {
		more := plainColumns(call.Partition)
		maps.DeleteFunc(common, func(id expr.ColID, _ bool) bool { return !more[id] })
	}
	return common
}

func columnSet(n Node) map[expr.ColID]bool {
	set := map[expr.ColID]bool{}
	for _, c := range n.Columns() {
		set[c.ID] = true
	}
	return set
}

// uses reports whether e refers to any of the columns.
func uses(e expr.Expr, set map[expr.ColID]bool) bool {
	found := false
	eachCol(e, func(c *expr.Col) { found = found || set[c.ID] })
	return found
}

func pushProject(p *Project, conds []expr.Expr) Node {
	byID := map[expr.ColID]expr.Expr{}
	for _, it := range p.Items {
		byID[it.Col.ID] = it.Expr
	}
	down, stay := split(conds, func(c expr.Expr) bool {
		if !movable(c) {
			return false
		}
		ok := true
		eachCol(c, func(c *expr.Col) {
			if e, mine := byID[c.ID]; mine {
				_, plain := e.(*expr.Col)
				ok = ok && (plain || movable(e) && !hasSubquery(e) && !containsSet(e))
			}
		})
		return ok
	})
	for i := range down {
		down[i] = substitute(down[i], byID)
	}
	return keep(&Project{Input: push(p.Input, down), Items: p.Items}, stay)
}

func hasSubquery(e expr.Expr) bool {
	found := false
	eachExpr(e, func(e expr.Expr) {
		if _, ok := e.(*Subquery); ok {
			found = true
		}
	})
	return found
}

// substitute replaces columns by the expressions that compute them.
func substitute(e expr.Expr, byID map[expr.ColID]expr.Expr) expr.Expr {
	return rewrite(e, func(e expr.Expr) expr.Expr {
		if c, ok := e.(*expr.Col); ok {
			if by, ok := byID[c.ID]; ok {
				return by
			}
		}
		return nil
	})
}

func pushJoin(j *Join, conds []expr.Expr) Node {
	left, right := columnSet(j.Left), columnSet(j.Right)
	out := &Join{Kind: j.Kind, Lateral: j.Lateral}
	var toLeft, toRight, on, above []expr.Expr
	for _, c := range conds {
		l, r := uses(c, left), uses(c, right)
		switch {
		case !movable(c):
			above = append(above, c)
		case l && !r && (j.Kind == InnerJoin || j.Kind == CrossJoin || j.Kind == LeftJoin):
			toLeft = append(toLeft, c)
		case r && !l && (j.Kind == InnerJoin || j.Kind == CrossJoin || j.Kind == RightJoin):
			toRight = append(toRight, c)
		case l && r && (j.Kind == InnerJoin || j.Kind == CrossJoin):
			on = append(on, c)
		default:
			above = append(above, c)
		}
	}
	for _, c := range conjuncts(j.On) {
		l, r := uses(c, left), uses(c, right)
		switch {
		case l && !r && movable(c) && (j.Kind == InnerJoin || j.Kind == RightJoin):
			toLeft = append(toLeft, c)
		case r && !l && movable(c) && (j.Kind == InnerJoin || j.Kind == LeftJoin):
			toRight = append(toRight, c)
		default:
			on = append(on, c)
		}
	}
	out.Left, out.Right, out.On = push(j.Left, toLeft), push(j.Right, toRight), conjunction(on)
	switch {
	case out.Kind == CrossJoin && out.On != nil:
		out.Kind = InnerJoin
	case out.Kind == InnerJoin && out.On == nil:
		out.Kind = CrossJoin
	}
	return keep(out, above)
}

// pushAggregate moves conditions over keys below a plain grouping. Without keys
// there is a row even for an empty input, so nothing moves.
func pushAggregate(a *Aggregate, conds []expr.Expr) Node {
	byID := map[expr.ColID]expr.Expr{}
	for _, k := range a.Keys {
		byID[k.Col.ID] = k.Expr
	}
	down, stay := split(conds, func(c expr.Expr) bool {
		if a.Sets != nil || len(a.Keys) == 0 || !movable(c) {
			return false
		}
		ok, some := true, false
		mine := columnSet(a)
		eachCol(c, func(c *expr.Col) {
			e, isKey := byID[c.ID]
			some = some || isKey
			ok = ok && (!mine[c.ID] || isKey && movable(e) && !hasSubquery(e))
		})
		return ok && some
	})
	for i := range down {
		down[i] = substitute(down[i], byID)
	}
	cp := *a
	cp.Input = push(a.Input, down)
	return keep(&cp, stay)
}

func pushSetOp(op *SetOp, conds []expr.Expr) Node {
	cp := *op
	down, stay := split(conds, func(c expr.Expr) bool { return op.Kind == Union && movable(c) && uses(c, columnSet(op)) })
	side := func(n Node) Node {
		byID := map[expr.ColID]expr.Expr{}
		for i, c := range n.Columns() {
			byID[op.Cols[i].ID] = ref(c)
		}
		list := make([]expr.Expr, len(down))
		for i := range down {
			list[i] = substitute(down[i], byID)
		}
		return push(n, list)
	}
	cp.Left, cp.Right = side(op.Left), side(op.Right)
	return keep(&cp, stay)
}
