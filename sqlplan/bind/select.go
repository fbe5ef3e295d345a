package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A relation is a bound query: its node gives cols, in order.
type relation struct {
	node Node
	cols []Column
}

// A target is an entry of the SELECT list, or, hidden, an expression that only
// ORDER BY, GROUP BY or DISTINCT ON needs.
type target struct {
	expr     expr.Expr
	name     string
	hidden   bool
	location int32
	col      Column // its output, once projected
}

// A sortSpec is one ORDER BY entry: a place in the targets and its direction.
type sortSpec struct {
	target     int
	desc       bool
	nullsFirst bool
	location   int32
}

// selectStmt binds a query. Columns of unknown type become text.
func (b *binder) selectStmt(n *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	r := b.selectRaw(n, outer, ctes)
	b.finishTypes(&r)
	return r
}

// finishTypes makes text of the columns whose type nothing decided.
func (b *binder) finishTypes(r *relation) {
	for i := range r.cols {
		if r.cols[i].Type.OID == pgtypes.Unknown {
			b.retype(r, i, pgtypes.Of(pgtypes.Text))
		}
	}
}

func (b *binder) selectRaw(n *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	if len(n.LockingClause) > 0 {
		b.checkLocking(n)
	}
	if n.WithClause != nil {
		ctes = b.withClause(n.WithClause, &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: n}}, outer, ctes)
	}
	switch {
	case n.Op == pg.SetOperation_SETOP_UNION, n.Op == pg.SetOperation_SETOP_INTERSECT, n.Op == pg.SetOperation_SETOP_EXCEPT:
		r := b.setOperation(n, outer, ctes)
		return b.orderPlain(n, r, outer, ctes)
	case len(n.ValuesLists) > 0:
		r := b.values(n, outer, ctes)
		return b.orderPlain(n, r, outer, ctes)
	}
	return b.plainSelect(n, outer, ctes)
}

// checkLocking refuses FOR UPDATE where PostgreSQL does; elsewhere it has no
// effect, since rows that others change are not seen anyway.
func (b *binder) checkLocking(n *pg.SelectStmt) {
	lock := lockName(n)
	switch {
	case n.Op != pg.SetOperation_SETOP_NONE:
		panic(pgerr.New(pgerr.FeatureNotSupported, "%s is not allowed with UNION/INTERSECT/EXCEPT", lock))
	case len(n.DistinctClause) > 0:
		panic(pgerr.New(pgerr.FeatureNotSupported, "%s is not allowed with DISTINCT clause", lock))
	case len(n.GroupClause) > 0:
		panic(pgerr.New(pgerr.FeatureNotSupported, "%s is not allowed with GROUP BY clause", lock))
	}
}

func lockName(n *pg.SelectStmt) string {
	return map[pg.LockClauseStrength]string{
		pg.LockClauseStrength_LCS_FORUPDATE: "FOR UPDATE", pg.LockClauseStrength_LCS_FORNOKEYUPDATE: "FOR NO KEY UPDATE",
		pg.LockClauseStrength_LCS_FORSHARE: "FOR SHARE", pg.LockClauseStrength_LCS_FORKEYSHARE: "FOR KEY SHARE",
	}[n.LockingClause[0].GetLockingClause().Strength]
}

// checkLocked refuses FOR UPDATE by what the bound query turned out to hold.
func (s *scope) checkLocked(n *pg.SelectStmt, targets []target, aggregated bool) {
	if len(n.LockingClause) == 0 {
		return
	}
	lock := lockName(n)
	refuse := func(what string) {
		panic(pgerr.New(pgerr.FeatureNotSupported, "%s is not allowed with %s", lock, what))
	}
	switch {
	case n.HavingClause != nil:
		refuse("HAVING clause")
	case aggregated:
		refuse("aggregate functions")
	case len(s.windows.calls) > 0:
		refuse("window functions")
	case slices.ContainsFunc(targets, func(t target) bool { return containsSet(t.expr) }):
		refuse("set-returning functions in the target list")
	}
	for _, l := range n.LockingClause {
		for _, r := range l.GetLockingClause().LockedRels {
			name := r.GetRangeVar()
			if !slices.ContainsFunc(s.items, func(src *source) bool { return src.alias == name.Relname }) {
				s.b.fail(name.Location, pgerr.UndefinedTable, "relation \"%s\" in %s clause not found in FROM clause", name.Relname, lock)
			}
		}
	}
}

func (b *binder) plainSelect(n *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	s := b.newScope(outer, ctes)
	s.windows.defs = n.WindowClause
	s.clause = inFunctionFrom
	node := s.from(n.FromClause)
	s.clause = inTarget
	targets := s.targetList(n.TargetList)
	if n.WhereClause != nil {
		s.in(inWhere, func() { node = filter(node, s.condition(n.WhereClause, "WHERE")) })
	}
	var having expr.Expr
	if n.HavingClause != nil {
		s.in(inHaving, func() { having = s.condition(n.HavingClause, "HAVING") })
	}
	var order []sortSpec
	s.in(inOrderBy, func() { order = s.orderBy(n.SortClause, &targets) })
	s.in(inGroupBy, func() { s.groupBy(n, &targets) })
	distinctOn := s.distinct(n, &targets, order)
	count, offset := s.limit(n)
	for i := range targets {
		if targets[i].hidden && targets[i].expr.Type().OID == pgtypes.Unknown {
			targets[i].expr = b.coerce(targets[i].expr, pgtypes.Of(pgtypes.Text), implicit, targets[i].location)
		}
	}

	node = s.aggregate(node, targets, &having)
	if having != nil {
		node = filter(node, having)
	}
	s.checkLocked(n, targets, isAggregate(node))
	node = s.window(node)
	node = b.project(node, targets)
	if len(n.DistinctClause) > 0 && distinctOn == nil {
		node = &Distinct{Input: node}
	}
	if len(order) > 0 {
		node = sortNode(node, targets, order)
	}
	if distinctOn != nil {
		on := make([]expr.Expr, len(distinctOn))
		for i, t := range distinctOn {
			on[i] = ref(targets[t].col)
		}
		node = &Distinct{Input: node, On: on}
	}
	node = limitNode(node, count, offset, withTies(n))
	return trim(node, targets)
}

// isAggregate reports whether a query's node groups, below its HAVING.
func isAggregate(n Node) bool {
	_, ok := n.(*Aggregate)
	return ok
}

func filter(n Node, cond expr.Expr) Node {
	if cond == nil {
		return n
	}
	return &Filter{Input: n, Cond: cond}
}

func limitNode(n Node, count, offset expr.Expr, ties bool) Node {
	if count == nil && offset == nil {
		return n
	}
	limit := &Limit{Input: n, Count: count, Offset: offset}
	if !ties {
		return limit
	}
	if d, ok := n.(*Distinct); ok { // DISTINCT ON stands over the Sort
		n = d.Input
	}
	if sort, ok := n.(*Sort); ok {
		limit.Ties = sort.Keys
	}
	return limit
}

func sortNode(n Node, targets []target, order []sortSpec) Node {
	keys := make([]expr.SortKey, len(order))
	for i, o := range order {
		keys[i] = expr.SortKey{Expr: ref(targets[o.target].col), Desc: o.desc, NullsFirst: o.nullsFirst}
	}
	return &Sort{Input: n, Keys: keys}
}

// trim drops the hidden targets.
func trim(n Node, targets []target) relation {
	var cols []Column
	var items []Item
	for _, t := range targets {
		if !t.hidden {
			cols = append(cols, t.col)
			items = append(items, Item{Expr: ref(t.col), Col: t.col})
		}
	}
	if len(cols) < len(targets) {
		n = &Project{Input: n, Items: items}
	}
	return relation{node: n, cols: cols}
}

// project computes the targets. Sets of rows that stand inside an expression
// are taken out into a Project below.
func (b *binder) project(n Node, targets []target) Node {
	items := make([]Item, len(targets))
	nested := false
	for i := range targets {
		t := &targets[i]
		t.col = b.outputColumn(t)
		items[i] = Item{Expr: t.expr, Col: t.col}
		nested = nested || hasNestedSet(t.expr)
	}
	if nested {
		var sets []Item
		for i := range items {
			items[i].Expr = rewrite(items[i].Expr, func(e expr.Expr) expr.Expr {
				if c, ok := e.(*expr.Call); ok && c.Fn.Set {
					col := b.newCol(c.Fn.Name, c.Typ, "")
					sets = append(sets, Item{Expr: c, Col: col})
					return ref(col)
				}
				return nil
			})
		}
		for _, c := range n.Columns() {
			sets = append(sets, Item{Expr: ref(c), Col: c})
		}
		n = b.liftSets(n, sets)
	}
	return &Project{Input: n, Items: items}
}

// liftSets makes the Project of sets; arguments that hold sets themselves go
// one Project deeper.
func (b *binder) liftSets(n Node, sets []Item) Node {
	var inner []Item
	for i := range sets {
		c, ok := sets[i].Expr.(*expr.Call)
		if !ok || !c.Fn.Set {
			continue
		}
		args := append([]expr.Expr{}, c.Args...)
		changed := false
		for j := range args {
			args[j] = rewrite(args[j], func(e expr.Expr) expr.Expr {
				if in, ok := e.(*expr.Call); ok && in.Fn.Set {
					col := b.newCol(in.Fn.Name, in.Typ, "")
					inner = append(inner, Item{Expr: in, Col: col})
					changed = true
					return ref(col)
				}
				return nil
			})
		}
		if changed {
			sets[i].Expr = c.With(args)
		}
	}
	if len(inner) > 0 {
		for _, c := range n.Columns() {
			inner = append(inner, Item{Expr: ref(c), Col: c})
		}
		n = b.liftSets(n, inner)
	}
	return &Project{Input: n, Items: sets}
}

// hasNestedSet reports whether a set-returning call stands below the top of e.
func hasNestedSet(e expr.Expr) bool {
	found := false
	for _, c := range e.Children() {
		eachExpr(c, func(e expr.Expr) {
			if call, ok := e.(*expr.Call); ok && call.Fn.Set {
				found = true
			}
		})
	}
	return found
}

// outputColumn makes the column of a target; a bare column keeps its origin.
func (b *binder) outputColumn(t *target) Column {
	col := b.newCol(t.name, t.expr.Type(), "")
	if c, ok := t.expr.(*expr.Col); ok {
		origin := b.cols[c.ID]
		col.Relation, col.Attr = origin.Relation, origin.Attr
		b.cols[col.ID] = colOrigin{Column: col}
	}
	if fields := b.rowFields(t.expr); fields != nil {
		origin := b.cols[col.ID]
		origin.fields = fields
		b.cols[col.ID] = origin
	}
	return col
}

// retype coerces column i of a query to a type, where the Project that
// computes it stands.
func (b *binder) retype(r *relation, i int, typ pgtypes.Type) {
	id := r.cols[i].ID
	node := r.node
	for {
		switch n := node.(type) {
		case *Limit:
			node = n.Input
			continue
		case *Sort:
			node = n.Input
			continue
		case *Distinct:
			node = n.Input
			continue
		case *Project:
			for k := range n.Items {
				if n.Items[k].Col.ID != id {
					continue
				}
				if c, ok := n.Items[k].Expr.(*expr.Col); ok && c.Typ.OID == pgtypes.Unknown {
					inner := relation{node: n.Input, cols: []Column{{ID: c.ID, Type: c.Typ}}}
					b.retype(&inner, 0, typ)
					cp := *c
					cp.Typ = typ
					n.Items[k].Expr = &cp
				} else {
					n.Items[k].Expr = b.mustCoerce(n.Items[k].Expr, typ, implicit, -1)
				}
				n.Items[k].Col.Type = typ
			}
		case *Values:
			for k := range n.Cols {
				if n.Cols[k].ID != id {
					continue
				}
				for _, row := range n.Rows {
					row[k] = b.mustCoerce(row[k], typ, implicit, -1)
				}
				n.Cols[k].Type = typ
			}
		case *SetOp:
			for k := range n.Cols {
				if n.Cols[k].ID == id {
					for _, side := range []Node{n.Left, n.Right} {
						cols := side.Columns()
						inner := relation{node: side, cols: cols}
						b.retype(&inner, k, typ)
					}
					n.Cols[k].Type = typ
				}
			}
		}
		break
	}
	r.cols[i].Type = typ
	origin := b.cols[id]
	origin.Type = typ
	b.cols[id] = origin
}
