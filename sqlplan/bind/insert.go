package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

func (b *binder) insert(n *pg.InsertStmt, outer *scope, ctes *cteScope) *Modify {
	if n.WithClause != nil {
		ctes = b.withClause(n.WithClause, &pg.Node{Node: &pg.Node_InsertStmt{InsertStmt: n}}, outer, ctes)
	}
	m := &Modify{Op: Insert, Table: b.writable(n.Relation, Insert)}
	rel := m.Table.Relation()
	places, locations := b.insertPlaces(rel, n.Cols)
	explicitColumns := len(n.Cols) > 0
	var given relation
	sel := n.SelectStmt.GetSelectStmt()
	switch {
	case sel == nil: // DEFAULT VALUES
		given = relation{node: &Values{Rows: [][]expr.Expr{{}}}}
		places = nil
	case len(sel.ValuesLists) > 0 && len(sel.SortClause) == 0 && sel.LimitCount == nil && sel.LimitOffset == nil && sel.WithClause == nil:
		given = b.insertValues(sel, rel, places, locations, explicitColumns, outer, ctes)
	default:
		given = b.selectRaw(sel, outer, ctes)
		b.checkWidth(len(given.cols), places, explicitColumns, locations, func(i int) int32 { return nthTarget(sel, i) })
		for i := range given.cols {
			col := &rel.Columns[places[i]]
			if given.cols[i].Type.OID == pgtypes.Unknown {
				b.retype(&given, i, col.Type)
			}
		}
	}
	m.Source, m.New = b.fillRow(rel, given, places[:min(len(given.cols), len(places))], func(i int) int32 {
		if sel == nil {
			return -1
		}
		return nthTarget(sel, i)
	})
	alias := rel.Name
	if n.Relation.Alias != nil {
		alias = n.Relation.Alias.Aliasname
	}
	if n.OnConflictClause != nil {
		m.Conflict = b.onConflict(n.OnConflictClause, rel, alias, outer, ctes)
	}
	b.returning(n.ReturningList, m, alias, nil, outer, ctes)
	return m
}

// insertPlaces gives the places in the relation that are given values, in the
// order of the values.
func (b *binder) insertPlaces(rel *catalog.Relation, cols []*pg.Node) (places []int, locations []int32) {
	if len(cols) == 0 {
		for i := range rel.Columns {
			places, locations = append(places, i), append(locations, -1)
		}
		return places, locations
	}
	for _, c := range cols {
		rt := c.GetResTarget()
		at := b.columnPlace(rel, rt)
		if slices.Contains(places, at) {
			b.fail(rt.Location, pgerr.DuplicateColumn, "column \"%s\" specified more than once", rt.Name)
		}
		places, locations = append(places, at), append(locations, rt.Location)
	}
	return places, locations
}

func (b *binder) columnPlace(rel *catalog.Relation, rt *pg.ResTarget) int {
	at := rel.Index(rt.Name)
	if at < 0 {
		b.fail(rt.Location, pgerr.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", rt.Name, rel.Name)
	}
	if len(rt.Indirection) > 0 {
		b.fail(rt.Location, pgerr.FeatureNotSupported, "assignment to a part of column \"%s\" is not supported", rt.Name)
	}
	return at
}

// checkWidth compares the number of values with that of columns.
func (b *binder) checkWidth(n int, places []int, explicitColumns bool, locations []int32, at func(int) int32) {
	if n > len(places) {
		b.fail(at(len(places)), pgerr.SyntaxError, "INSERT has more expressions than target columns")
	}
	if explicitColumns && n < len(places) {
		b.fail(locations[n], pgerr.SyntaxError, "INSERT has more target columns than expressions")
	}
}

// insertValues binds VALUES lists, each value for the column that it goes to.
func (b *binder) insertValues(n *pg.SelectStmt, rel *catalog.Relation, places []int, locations []int32, explicitColumns bool, outer *scope, ctes *cteScope) relation {
	s := b.newScope(outer, ctes)
	s.clause = inValues
	v := &Values{}
	for _, list := range n.ValuesLists {
		items := list.GetList().Items
		if len(v.Rows) > 0 && len(items) != len(v.Rows[0]) {
			b.fail(exprLocation(list), pgerr.SyntaxError, "VALUES lists must all be the same length")
		}
		b.checkWidth(len(items), places, explicitColumns, locations, func(i int) int32 { return exprLocation(items[i]) })
		row := make([]expr.Expr, len(items))
		for i, item := range items {
			col := &rel.Columns[places[i]]
			if isDefault(item) {
				row[i] = b.defaultOf(col)
			} else {
				row[i] = b.assigned(s.expr(item), col, exprLocation(item))
			}
			if containsSet(row[i]) {
				b.fail(exprLocation(item), pgerr.FeatureNotSupported, "set-returning functions are not allowed in VALUES")
			}
		}
		v.Rows = append(v.Rows, row)
	}
	for i := range v.Rows[0] {
		col := &rel.Columns[places[i]]
		v.Cols = append(v.Cols, b.newCol(col.Name, col.Type, ""))
	}
	return relation{node: v, cols: v.Cols}
}

// fillRow makes whole rows of given values: the other columns have their defaults.
func (b *binder) fillRow(rel *catalog.Relation, given relation, places []int, at func(int) int32) (Node, []Column) {
	items := make([]Item, len(rel.Columns))
	for i := range rel.Columns {
		col := &rel.Columns[i]
		items[i].Col = b.newCol(col.Name, col.Type, "")
		if k := slices.Index(places, i); k >= 0 {
			items[i].Expr = b.assigned(ref(given.cols[k]), col, at(k))
		} else {
			items[i].Expr = b.defaultOf(col)
		}
	}
	return &Project{Input: given.node, Items: items}, itemColumns(items)
}

func (b *binder) onConflict(n *pg.OnConflictClause, rel *catalog.Relation, alias string, outer *scope, ctes *cteScope) *Conflict {
	c := &Conflict{Update: n.Action == pg.OnConflictAction_ONCONFLICT_UPDATE}
	b.checkArbiter(n, rel, c.Update)
	if !c.Update {
		return c
	}
	c.Existing, c.Excluded = b.tableColumns(rel, alias), b.tableColumns(rel, "excluded")
	s := b.newScope(outer, ctes)
	s.clause = inWhere
	s.items = []*source{rowSource(alias, rel, c.Existing, true), rowSource("excluded", rel, c.Excluded, false)}
	for _, src := range s.items {
		for _, col := range src.cols {
			id := col.value.(*expr.Col).ID
			origin := b.cols[id]
			origin.scope = s
			b.cols[id] = origin
		}
	}
	c.Set = make([]expr.Expr, len(rel.Columns))
	for i := range c.Set {
		c.Set[i] = ref(c.Existing[i])
	}
	set, _ := s.assignments(n.TargetList, rel)
	for at, e := range set {
		c.Set[at] = e
	}
	if n.WhereClause != nil {
		c.Where = s.condition(n.WhereClause, "WHERE")
	}
	return c
}

// checkArbiter demands that the conflict is about the primary key, the only
// unique constraint that tables have.
func (b *binder) checkArbiter(n *pg.OnConflictClause, rel *catalog.Relation, required bool) {
	if n.Infer == nil {
		if required {
			panic(pgerr.New(pgerr.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
				WithHint("For example, ON CONFLICT (column_name).").At(b.at(n.Location)))
		}
		return
	}
	if name := n.Infer.Conname; name != "" {
		if len(rel.PrimaryKey) == 0 || name != rel.Name+"_pkey" {
			panic(pgerr.New(pgerr.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", name, rel.Name))
		}
		return
	}
	var places []int
	for _, e := range n.Infer.IndexElems {
		el := e.GetIndexElem()
		at := rel.Index(el.Name)
		if el.Name != "" && at < 0 {
			b.fail(n.Infer.Location, pgerr.UndefinedColumn, "column \"%s\" does not exist", el.Name)
		}
		if !slices.Contains(places, at) {
			places = append(places, at)
		}
	}
	key := slices.Clone(rel.PrimaryKey)
	slices.Sort(key)
	slices.Sort(places)
	if len(key) == 0 || !slices.Equal(key, places) {
		panic(pgerr.New(pgerr.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification"))
	}
}

// A CopyTarget is what COPY FROM fills.
type CopyTarget struct {
	Table    catalog.WritableTable
	Places   []int       // of the columns in the data, in Relation.Columns
	Defaults []expr.Expr // by column; nil for those in the data
}

// BindCopyFrom binds COPY FROM.
func BindCopyFrom(stmt *syntax.Statement, n *pg.CopyStmt, env Environment) (t *CopyTarget, err error) {
	defer func() {
		if err = caught(recover()); err != nil {
			t = nil
		}
	}()
	b := newBinder(stmt, env)
	if _, rel := b.env.Catalog.Relation(n.Relation.Schemaname, n.Relation.Relname, b.path); rel != nil && rel.Kind == 'v' {
		panic(pgerr.New(pgerr.WrongObjectType, "cannot copy to view \"%s\"", rel.Name).
			WithHint("To enable copying to a view, provide an INSTEAD OF INSERT trigger."))
	}
	t = &CopyTarget{Table: b.writable(&pg.RangeVar{Schemaname: n.Relation.Schemaname, Relname: n.Relation.Relname, Location: -1}, Insert)}
	rel := t.Table.Relation()
	for _, a := range n.Attlist {
		name := a.GetString_().GetSval()
		at := rel.Index(name)
		if at < 0 {
			b.fail(-1, pgerr.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, rel.Name)
		}
		if slices.Contains(t.Places, at) {
			b.fail(-1, pgerr.DuplicateColumn, "column \"%s\" specified more than once", name)
		}
		t.Places = append(t.Places, at)
	}
	if len(n.Attlist) == 0 {
		for i := range rel.Columns {
			t.Places = append(t.Places, i)
		}
	}
	t.Defaults = make([]expr.Expr, len(rel.Columns))
	for i := range rel.Columns {
		if !slices.Contains(t.Places, i) {
			t.Defaults[i] = b.defaultOf(&rel.Columns[i])
		}
	}
	return t, nil
}
