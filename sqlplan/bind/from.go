package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// from binds the FROM clause into s; nil when there is none.
func (s *scope) from(items []*pg.Node) Node {
	var node Node
	for _, item := range items {
		right, sources, lateral := s.fromItem(item, s.items)
		s.addSources(sources)
		if node == nil {
			node = right
			continue
		}
		node = &Join{Kind: CrossJoin, Left: node, Right: right, Lateral: lateral}
	}
	if node == nil {
		return &Values{Rows: [][]expr.Expr{{}}}
	}
	return node
}

// addSources makes sources visible, refusing a name that is taken.
func (s *scope) addSources(sources []*source) {
	checkDuplicates(s.b, s.items, sources)
	s.items = append(s.items, sources...)
}

func checkDuplicates(b *binder, left, right []*source) {
	for _, r := range right {
		if !r.byName || r.alias == "" {
			continue
		}
		for _, l := range left {
			if l.byName && l.alias == r.alias && (l.rel == nil || r.rel == nil || l.schema == r.schema || l.schema == "" || r.schema == "") {
				panic(pgerr.New(pgerr.DuplicateAlias, "table name \"%s\" specified more than once", r.alias))
			}
		}
	}
}

// fromItem binds one entry of FROM. left are the sources before it, which only
// LATERAL items may use; lateral reports whether it does.
func (s *scope) fromItem(n *pg.Node, left []*source) (node Node, sources []*source, lateral bool) {
	switch v := n.Node.(type) {
	case *pg.Node_RangeVar:
		node, src := s.rangeVar(v.RangeVar)
		return node, []*source{src}, false
	case *pg.Node_RangeSubselect:
		return s.rangeSubselect(v.RangeSubselect, left)
	case *pg.Node_RangeFunction:
		return s.rangeFunction(v.RangeFunction, left)
	case *pg.Node_JoinExpr:
		return s.joinExpr(v.JoinExpr, left)
	case *pg.Node_RangeTableSample:
		panic(pgerr.New(pgerr.FeatureNotSupported, "TABLESAMPLE is not supported").At(s.b.at(v.RangeTableSample.Location)))
	case *pg.Node_RangeTableFunc:
		panic(pgerr.New(pgerr.FeatureNotSupported, "XMLTABLE is not supported"))
	case *pg.Node_JsonTable:
		panic(pgerr.New(pgerr.FeatureNotSupported, "JSON_TABLE is not supported"))
	}
	panic(pgerr.New(pgerr.FeatureNotSupported, "this kind of FROM item is not supported"))
}

func (s *scope) rangeVar(n *pg.RangeVar) (Node, *source) {
	b := s.b
	if n.Catalogname != "" && b.env.Database != "" && n.Catalogname != b.env.Database {
		b.fail(n.Location, pgerr.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"", n.Catalogname, n.Schemaname, n.Relname)
	}
	if n.Schemaname == "" {
		if c := s.ctes.find(n.Relname); c != nil {
			return s.cteRef(c, n)
		}
	}
	table, rel := b.env.Catalog.Relation(n.Schemaname, n.Relname, b.path)
	if rel == nil {
		name := n.Relname
		if n.Schemaname != "" {
			name = n.Schemaname + "." + name
		}
		b.fail(n.Location, pgerr.UndefinedTable, "relation \"%s\" does not exist", name)
	}
	src := &source{alias: n.Relname, rel: rel, byName: true, plain: true}
	if n.Alias != nil {
		src.alias = n.Alias.Aliasname
	} else {
		src.schema = rel.Schema
	}
	var node Node
	if table == nil {
		node = s.viewQuery(rel, src)
	} else {
		scan := &Scan{Table: table, Alias: src.alias}
		for i := range rel.Columns {
			c := b.newCol(rel.Columns[i].Name, rel.Columns[i].Type, src.alias)
			c.Relation, c.Attr = rel.OID, int16(i+1)
			b.cols[c.ID] = colOrigin{Column: c, scope: s.level()}
			scan.Refs = append(scan.Refs, catalog.ColumnRef{Index: i})
			scan.Cols = append(scan.Cols, c)
			src.cols = append(src.cols, sourceCol{name: c.Name, value: ref(c)})
		}
		node = scan
	}
	b.renameColumns(src, n.Alias, n.Location)
	return node, src
}

// viewQuery binds the query of a view under its own path.
func (s *scope) viewQuery(rel *catalog.Relation, src *source) Node {
	b := s.b
	if b.view >= 16 {
		panic(pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded"))
	}
	stmt, err := syntax.ParseOne(rel.Definition)
	if err != nil {
		panic(pgerr.New(pgerr.Internal, "view \"%s\" has a bad definition", rel.Name).Wrap(err))
	}
	sel, ok := stmt.Node.Node.(*pg.Node_SelectStmt)
	if !ok {
		panic(pgerr.New(pgerr.Internal, "view \"%s\" is not a query", rel.Name))
	}
	inner := &binder{shared: b.shared, stmt: stmt, path: []string{"pg_catalog", rel.Schema, "public"}, view: b.view + 1}
	r := inner.selectStmt(sel.SelectStmt, nil, nil)
	inner.finishTypes(&r)
	for i := range r.cols {
		if i < len(rel.Columns) {
			r.cols[i].Name = rel.Columns[i].Name
		}
	}
	node, values := s.flatten(r, src.alias)
	for i, v := range values {
		src.cols = append(src.cols, sourceCol{name: r.cols[i].Name, value: v})
		id := v.(*expr.Col).ID
		col := b.cols[id]
		col.Relation, col.Attr, col.Table = rel.OID, int16(i+1), src.alias
		b.cols[id] = col
	}
	return node
}

// renameColumns applies the column names of an alias.
func (b *binder) renameColumns(src *source, alias *pg.Alias, location int32) {
	if alias == nil {
		return
	}
	names := stringsOf(alias.Colnames)
	if len(names) > len(src.cols) {
		panic(pgerr.New(pgerr.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified",
			src.alias, len(src.cols), len(names)).At(0))
	}
	for i, name := range names {
		src.cols[i].name = name
	}
}

func (s *scope) rangeSubselect(n *pg.RangeSubselect, left []*source) (Node, []*source, bool) {
	outer := s.around(left, n.Lateral)
	r := s.b.selectStmt(n.Subquery.GetSelectStmt(), outer, s.ctes)
	s.b.finishTypes(&r)
	src := &source{byName: true, plain: true}
	if n.Alias != nil {
		src.alias = n.Alias.Aliasname
	}
	node, values := s.flatten(r, src.alias)
	for i, c := range r.cols {
		src.cols = append(src.cols, sourceCol{name: c.Name, value: values[i]})
	}
	s.b.renameColumns(src, n.Alias, -1)
	return node, []*source{src}, n.Lateral && refersTo(node, left)
}

// around is the scope that encloses an item of FROM: the sources before it are
// seen by LATERAL ones only.
func (s *scope) around(left []*source, lateral bool) *scope {
	around := &scope{b: s.b, outer: s.outer, depth: s.depth, ctes: s.ctes, owner: s.level(), clause: inFunctionFrom}
	if lateral {
		around.items = left
	} else {
		around.hidden = left
	}
	return around
}

// flatten drops the topmost Project of a derived table when it only picks
// columns: references go to what is below it.
func (s *scope) flatten(r relation, alias string) (Node, []expr.Expr) {
	values := make([]expr.Expr, len(r.cols))
	p, ok := r.node.(*Project)
	if ok {
		seen := map[expr.ColID]bool{}
		for _, it := range p.Items {
			c, isCol := it.Expr.(*expr.Col)
			if !isCol || seen[c.ID] || !produces(p.Input, c.ID) {
				ok = false
				break
			}
			seen[c.ID] = true
		}
	}
	for i, c := range r.cols {
		out := ref(c)
		if ok {
			out.ID = p.Items[i].Expr.(*expr.Col).ID
		}
		origin := s.b.cols[out.ID]
		origin.scope = s.level()
		s.b.cols[out.ID] = origin
		if alias != "" {
			out.Name = alias + "." + c.Name
		}
		values[i] = out
	}
	if ok {
		return p.Input, values
	}
	return r.node, values
}

func produces(n Node, id expr.ColID) bool {
	for _, c := range n.Columns() {
		if c.ID == id {
			return true
		}
	}
	return false
}

// refersTo reports whether a plan uses columns of sources outside of it.
func refersTo(n Node, sources []*source) bool {
	ids := map[expr.ColID]bool{}
	for _, src := range sources {
		for _, c := range src.cols {
			eachCol(c.value, func(c *expr.Col) { ids[c.ID] = true })
		}
	}
	for _, id := range freeColumns(n) {
		if ids[id] {
			return true
		}
	}
	return false
}

func (s *scope) joinExpr(n *pg.JoinExpr, outerLeft []*source) (Node, []*source, bool) {
	b := s.b
	leftNode, left, leftLateral := s.fromItem(n.Larg, outerLeft)
	reach := append(append([]*source{}, outerLeft...), left...)
	rightNode, right, rightLateral := s.fromItem(n.Rarg, reach)
	checkDuplicates(b, left, right)
	j := &Join{Left: leftNode, Right: rightNode}
	switch n.Jointype {
	case pg.JoinType_JOIN_INNER:
		j.Kind = InnerJoin
	case pg.JoinType_JOIN_LEFT:
		j.Kind = LeftJoin
	case pg.JoinType_JOIN_RIGHT:
		j.Kind = RightJoin
	case pg.JoinType_JOIN_FULL:
		j.Kind = FullJoin
	}
	j.Lateral = rightLateral && refersTo(rightNode, left)
	lateral := leftLateral || rightLateral && refersTo(rightNode, outerLeft)
	if j.Lateral && (j.Kind == RightJoin || j.Kind == FullJoin) {
		panic(pgerr.New(pgerr.InvalidColumnReference, "invalid reference to FROM-clause entry for table").
			WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference."))
	}

	using := stringsOf(n.UsingClause)
	if n.IsNatural {
		using = commonNames(left, right)
	}
	joined := &source{plain: true}
	var conds []expr.Expr
	taken := map[string]bool{}
	for _, name := range using {
		if taken[name] {
			panic(pgerr.New(pgerr.DuplicateColumn, "column name \"%s\" appears more than once in USING clause", name))
		}
		taken[name] = true
		l := b.usingColumn(left, name, "left")
		r := b.usingColumn(right, name, "right")
		common, ok := commonType([]pgtypes.OID{l.Type().OID, r.Type().OID})
		if !ok {
			panic(pgerr.New(pgerr.DatatypeMismatch, "JOIN/USING types %s and %s cannot be matched", typeName(l.Type()), typeName(r.Type())))
		}
		lc := b.coerce(l, pgtypes.Of(common), implicit, -1)
		rc := b.coerce(r, pgtypes.Of(common), implicit, -1)
		conds = append(conds, b.operator("", "=", b.copyRef(l, -1), b.copyRef(r, -1), -1))
		var merged expr.Expr
		switch {
		case j.Kind == FullJoin:
			merged = &expr.Coalesce{Args: []expr.Expr{lc, rc}, Typ: pgtypes.Of(common)}
		case j.Kind == RightJoin:
			merged = rc
		case l.Type().OID == common:
			merged = lc
		case j.Kind == InnerJoin && r.Type().OID == common:
			merged = rc
		default:
			merged = lc
		}
		joined.cols = append(joined.cols, sourceCol{name: name, value: merged})
	}
	if n.JoinUsingAlias != nil {
		merged := &source{alias: n.JoinUsingAlias.Aliasname, byName: true}
		merged.cols = append(merged.cols, joined.cols...)
		right = append(right, merged)
	}
	for _, side := range [][]*source{left, right} {
		for _, src := range side {
			if !src.plain {
				continue
			}
			for _, c := range src.cols {
				if !taken[c.name] {
					joined.cols = append(joined.cols, c)
				}
			}
		}
	}
	children := append(append([]*source{}, left...), right...)
	if n.Quals != nil {
		on := &scope{b: b, outer: s.outer, depth: s.depth, ctes: s.ctes, owner: s.level(), items: children, clause: inJoinOn}
		if len(outerLeft) > 0 {
			on.hidden = outerLeft
		}
		conds = append(conds, on.condition(n.Quals, "JOIN/ON"))
	}
	j.On = conjunction(conds)
	if j.On == nil && j.Kind == InnerJoin {
		j.Kind = CrossJoin
	}
	for _, src := range children {
		hide := *src
		hide.plain = false
		hide.byName = src.byName && n.Alias == nil
		children[indexOf(children, src)] = &hide
	}
	if n.Alias != nil {
		joined.alias, joined.byName = n.Alias.Aliasname, true
		b.renameColumns(joined, n.Alias, -1)
	}
	return j, append(children, joined), lateral
}

func indexOf(list []*source, s *source) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// commonNames gives the columns of a NATURAL join, in the order of its left side.
func commonNames(left, right []*source) []string {
	has := map[string]bool{}
	for _, src := range right {
		if src.plain {
			for _, c := range src.cols {
				has[c.name] = true
			}
		}
	}
	var names []string
	for _, src := range left {
		if src.plain {
			for _, c := range src.cols {
				if has[c.name] {
					names = append(names, c.name)
				}
			}
		}
	}
	return names
}

func (b *binder) usingColumn(side []*source, name, which string) expr.Expr {
	var found expr.Expr
	for _, src := range side {
		if !src.plain {
			continue
		}
		for _, c := range src.cols {
			if c.name != name {
				continue
			}
			if found != nil {
				panic(pgerr.New(pgerr.AmbiguousColumn, "common column name \"%s\" appears more than once in %s table", name, which))
			}
			found = c.value
		}
	}
	if found == nil {
		panic(pgerr.New(pgerr.UndefinedColumn, "column \"%s\" specified in USING clause does not exist in %s table", name, which))
	}
	return b.copyRef(found, -1)
}
