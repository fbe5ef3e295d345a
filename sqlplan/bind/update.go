package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func (b *binder) update(n *pg.UpdateStmt, outer *scope, ctes *cteScope) *Modify {
	if n.WithClause != nil {
		ctes = b.withClause(n.WithClause, &pg.Node{Node: &pg.Node_UpdateStmt{UpdateStmt: n}}, outer, ctes)
	}
	m := &Modify{Op: Update, Table: b.writable(n.Relation, Update)}
	s, node, _, target, others := b.changed(n.Relation, n.FromClause, outer, ctes)
	s.clause = inUpdate
	set, locations := s.assignments(n.TargetList, m.Table.Relation())
	if n.WhereClause != nil {
		s.in(inWhere, func() { node = filter(node, s.condition(n.WhereClause, "WHERE")) })
	}
	rel := m.Table.Relation()
	items := b.rowItems(target)
	m.Old = itemColumns(items)
	m.New = append([]Column{}, m.Old...)
	for at := range rel.Columns {
		e, ok := set[at]
		if !ok {
			continue
		}
		if containsSet(e) {
			b.fail(locations[at], pgerr.FeatureNotSupported, "set-returning functions are not allowed in UPDATE")
		}
		m.New[at] = b.newCol(rel.Columns[at].Name, rel.Columns[at].Type, "")
		items = append(items, Item{Expr: e, Col: m.New[at]})
	}
	m.Source = &Project{Input: node, Items: append(items, b.rowItems(others...)...)}
	b.returning(n.ReturningList, m, target.alias, others, outer, ctes)
	return m
}

func (b *binder) deleteFrom(n *pg.DeleteStmt, outer *scope, ctes *cteScope) *Modify {
	if n.WithClause != nil {
		ctes = b.withClause(n.WithClause, &pg.Node{Node: &pg.Node_DeleteStmt{DeleteStmt: n}}, outer, ctes)
	}
	m := &Modify{Op: Delete, Table: b.writable(n.Relation, Delete)}
	s, node, scan, target, others := b.changed(n.Relation, n.UsingClause, outer, ctes)
	if n.WhereClause != nil {
		s.in(inWhere, func() { node = filter(node, s.condition(n.WhereClause, "WHERE")) })
	}
	var items []Item
	if m.Number = b.rowNumber(scan, target.rel); m.Number == nil || n.ReturningList != nil {
		items = b.rowItems(target)
		m.Old = itemColumns(items)
		items = append(items, b.rowItems(others...)...)
	}
	if m.Number != nil {
		items = append(items, Item{Expr: ref(*m.Number), Col: *m.Number})
	}
	m.Source = &Project{Input: node, Items: items}
	b.returning(n.ReturningList, m, target.alias, others, outer, ctes)
	return m
}

// rowNumber adds the number of the row to the scan of an AppendOnly table.
func (b *binder) rowNumber(scan Node, rel *catalog.Relation) *Column {
	from, ok := scan.(*Scan)
	if !ok || !rel.AppendOnly {
		return nil
	}
	c := b.newCol("", typeOf(pgtypes.Int8), from.Alias)
	b.cols[c.ID] = colOrigin{Column: c}
	from.Refs, from.Cols = append(from.Refs, catalog.ColumnRef{Index: catalog.RowNumber}), append(from.Cols, c)
	return &c
}

// changed binds the table that is changed, by a scan, and what it is joined
// with.
func (b *binder) changed(n *pg.RangeVar, from []*pg.Node, outer *scope, ctes *cteScope) (s *scope, node, scan Node, target *source, others []*source) {
	s = b.newScope(outer, ctes)
	s.clause = inFunctionFrom
	// The name of a CTE does not hide the table that is to be changed.
	s.ctes = nil
	scan, target = s.rangeVar(n)
	node = scan
	s.ctes = ctes
	s.addSources([]*source{target})
	for _, item := range from {
		right, sources, lateral := s.fromItem(item, s.items)
		s.addSources(sources)
		node = &Join{Kind: CrossJoin, Left: node, Right: right, Lateral: lateral}
	}
	return s, node, scan, target, s.items[1:]
}

// rowItems passes the columns of sources on.
func (b *binder) rowItems(sources ...*source) []Item {
	var items []Item
	for _, src := range sources {
		for _, c := range src.cols {
			col, ok := c.value.(*expr.Col)
			if !ok { // a column merged by FULL JOIN USING: its parts are in other sources
				continue
			}
			items = append(items, Item{Expr: col, Col: b.cols[col.ID].Column})
		}
	}
	return items
}

// assignments binds a SET list: expressions by the place of their column.
func (s *scope) assignments(list []*pg.Node, rel *catalog.Relation) (map[int]expr.Expr, map[int]int32) {
	b := s.b
	set, locations := make(map[int]expr.Expr), make(map[int]int32)
	put := func(rt *pg.ResTarget, e expr.Expr, location int32) {
		at := b.columnPlace(rel, rt)
		if _, dup := set[at]; dup {
			panic(pgerr.New(pgerr.SyntaxError, "multiple assignments to same column \"%s\"", rt.Name))
		}
		set[at], locations[at] = b.assigned(e, &rel.Columns[at], location), location
	}
	var current []expr.Expr
	for _, n := range list {
		rt := n.GetResTarget()
		multi := rt.Val.GetMultiAssignRef()
		switch {
		case multi != nil:
			if multi.Colno == 1 {
				current = s.multiAssign(multi)
				if len(current) != int(multi.Ncolumns) {
					b.fail(exprLocation(multi.Source), pgerr.SyntaxError, "number of columns does not match number of values")
				}
			}
			at := b.columnPlace(rel, rt)
			e := current[multi.Colno-1]
			if e == nil {
				e = b.defaultOf(&rel.Columns[at])
			}
			put(rt, e, exprLocation(multi.Source))
		case isDefault(rt.Val):
			put(rt, b.defaultOf(&rel.Columns[b.columnPlace(rel, rt)]), rt.Location)
		default:
			put(rt, s.expr(rt.Val), exprLocation(rt.Val))
		}
	}
	return set, locations
}

// multiAssign gives the values of SET (a, b) = row; nil stands for DEFAULT.
func (s *scope) multiAssign(n *pg.MultiAssignRef) []expr.Expr {
	row := n.Source.GetRowExpr()
	if row == nil {
		s.b.fail(exprLocation(n.Source), pgerr.FeatureNotSupported,
			"the source of a multiple-column UPDATE item must be a ROW() expression")
	}
	out := make([]expr.Expr, len(row.Args))
	for i, a := range row.Args {
		if !isDefault(a) {
			out[i] = s.expr(a)
		}
	}
	return out
}
