package sqlplan

import (
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// foldConstants evaluates what does not depend on rows: immutable and stable
// calls over constants, such as now() - interval '5 min', which a scan can then
// use to skip blocks. What fails stays as it is and fails when (and if) a row
// asks for it.
func foldConstants(env *expr.Env, root bind.Node) bind.Node {
	r := &rewriter{}
	r.leaf = func(e expr.Expr) (expr.Expr, bool) {
		switch e := e.(type) {
		case *expr.Const, *expr.Col, *bind.Subquery:
			return nil, false
		case *expr.And:
			return foldJunction(r, e, e.Args, false), true
		case *expr.Or:
			return foldJunction(r, e, e.Args, true), true
		}
		if !foldable(e) {
			return nil, false
		}
		v, err := e.Eval(env, nil)
		if err != nil {
			return nil, false
		}
		return &expr.Const{Typ: e.Type(), Val: v}, true
	}
	return r.node(root)
}

// foldJunction folds the operands of an AND or OR, and drops those that cannot
// change it: the true ones of an AND, the false ones of an OR. A decisive one
// is all of it, but for constants before it that fail.
func foldJunction(r *rewriter, e expr.Expr, args []expr.Expr, decisive bool) expr.Expr {
	var keep []expr.Expr
	for _, arg := range args {
		arg = r.expr(arg)
		k, ok := arg.(*expr.Const)
		v, isBool := any(nil), false
		if ok {
			v, isBool = k.Val.(bool)
		}
		switch {
		case !isBool:
			keep = append(keep, arg)
		case v == decisive && slices.ContainsFunc(keep, fails):
			return e.With(append(keep, arg))
		case v == decisive:
			return arg
		}
	}
	switch len(keep) {
	case 0:
		return &expr.Const{Typ: e.Type(), Val: !decisive}
	case 1:
		return keep[0]
	}
	return e.With(keep)
}

// fails reports whether a folded operand is no constant because it cannot be computed.
func fails(e expr.Expr) bool {
	_, is := e.(*expr.Const)
	return !is && foldable(e)
}

// foldable reports whether e depends on nothing but the statement.
func foldable(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Const:
		return true
	case *expr.Col, *expr.Param, *bind.Subquery:
		return false
	case *expr.Call:
		if e.Fn.Set || e.Fn.Volatile == expr.Volatile {
			return false
		}
	}
	for _, child := range e.Children() {
		if !foldable(child) {
			return false
		}
	}
	return true
}

// attributeColumns gives every attributes->>'key' over a scan a column of its
// own, which the table reads without building the jsonb value.
func attributeColumns(root bind.Node) bind.Node {
	type access struct {
		id  expr.ColID
		key string
	}
	columns := make(map[expr.ColID]bind.Column) // jsonb columns of scans
	next := expr.ColID(0)
	find := &rewriter{}
	find.leaf = func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok {
			next = max(next, col.ID)
		}
		return nil, false
	}
	find.scan = func(n *bind.Scan) bind.Node {
		for _, col := range n.Cols {
			next = max(next, col.ID)
			if col.Type.OID == pgtypes.Jsonb && n.Table.Relation().Keys {
				columns[col.ID] = col
			}
		}
		return n
	}
	find.node(root)
	next = max(next, maxColumn(root))
	if len(columns) == 0 {
		return root
	}
	found := make(map[access]*expr.Col)
	byColumn := make(map[expr.ColID][]access)
	whole := make(map[expr.ColID]bool) // columns that are also used as a value
	replace := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		if col, ok := e.(*expr.Col); ok {
			whole[col.ID] = true
			return nil, false
		}
		col, key, ok := expr.AttrKey(e)
		if !ok || columns[col.ID].ID == 0 {
			return nil, false
		}
		a := access{col.ID, key}
		if found[a] == nil {
			next++
			found[a] = &expr.Col{ID: next, Slot: -1, Typ: pgtypes.Of(pgtypes.Text), Name: e.String()}
			byColumn[a.id] = append(byColumn[a.id], a)
		}
		return found[a], true
	}}
	root = replace.node(root)
	if len(found) == 0 {
		return root
	}
	for _, col := range root.Columns() {
		whole[col.ID] = true
	}
	add := &rewriter{leaf: func(expr.Expr) (expr.Expr, bool) { return nil, false }}
	add.scan = func(n *bind.Scan) bind.Node {
		out := *n
		out.Refs, out.Cols = nil, nil
		for i, col := range n.Cols {
			if whole[col.ID] || byColumn[col.ID] == nil {
				out.Refs, out.Cols = append(out.Refs, n.Refs[i]), append(out.Cols, col)
			}
			for _, a := range byColumn[col.ID] {
				ref := found[a]
				out.Refs = append(out.Refs, catalog.ColumnRef{Index: n.Refs[i].Index, Key: a.key})
				out.Cols = append(out.Cols, bind.Column{ID: ref.ID, Name: ref.Name, Type: ref.Typ})
			}
		}
		return &out
	}
	return add.node(root)
}

// maxColumn gives the highest column id that a node of the plan gives out.
func maxColumn(n bind.Node) expr.ColID {
	highest := expr.ColID(0)
	walk(n, func(n bind.Node) {
		for _, col := range n.Columns() {
			highest = max(highest, col.ID)
		}
	})
	return highest
}

// walk visits every node of a plan, sub-queries and CTEs included, parents first.
func walk(n bind.Node, visit func(bind.Node)) {
	seen := make(map[*bind.CTE]bool)
	var down func(n bind.Node)
	r := &rewriter{}
	r.leaf = func(e expr.Expr) (expr.Expr, bool) {
		if s, ok := e.(*bind.Subquery); ok {
			down(s.Plan)
			r.exprs(s.Tests)
			return e, true
		}
		return nil, false
	}
	down = func(n bind.Node) {
		if n == nil {
			return
		}
		visit(n)
		switch n := n.(type) {
		case *bind.Values:
			for _, row := range n.Rows {
				r.exprs(row)
			}
		case *bind.FuncScan:
			if n.Func != nil {
				r.expr(n.Func)
			}
			r.exprs(n.Args)
		case *bind.Filter:
			down(n.Input)
			r.expr(n.Cond)
		case *bind.Project:
			down(n.Input)
			r.items(n.Items)
		case *bind.Join:
			down(n.Left)
			down(n.Right)
			r.expr(n.On)
		case *bind.Aggregate:
			down(n.Input)
			r.items(n.Keys)
			for _, a := range n.Aggs {
				r.aggCall(a.Call)
			}
		case *bind.Window:
			down(n.Input)
			for _, w := range n.Calls {
				r.aggCall(w.Agg)
				r.exprs(slices.Concat(w.Args, w.Partition))
				r.keys(w.Order)
			}
		case *bind.Distinct:
			down(n.Input)
			r.exprs(n.On)
		case *bind.Sort:
			down(n.Input)
			r.keys(n.Keys)
		case *bind.Limit:
			down(n.Input)
		case *bind.SetOp:
			down(n.Left)
			down(n.Right)
		case *bind.CTERef:
			if !seen[n.CTE] {
				seen[n.CTE] = true
				down(n.CTE.Query)
				down(n.CTE.Recursive)
			}
		case *bind.Modify:
			down(n.Source)
			r.modify(n)
		case *bind.With:
			for _, c := range n.Modifying {
				if !seen[c] {
					seen[c] = true
					down(c.Query)
				}
			}
			down(n.Input)
		}
	}
	down(n)
}
