package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
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
		node, src := s.tableSample(v.RangeTableSample)
		return node, []*source{src}, false
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
	table, rel := b.relation(n)
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

// relation finds a table or a view. What a view reads does not depend on the
// temporary tables of the session; of internal tables only the system's views know.
func (b *binder) relation(n *pg.RangeVar) (catalog.Table, *catalog.Relation) {
	if n.Schemaname != "" || b.view == 0 && !b.system {
		return b.env.Catalog.Relation(n.Schemaname, n.Relname, b.path)
	}
	if b.system {
		if table := b.env.Catalog.Internal(n.Relname); table != nil {
			return table, table.Relation()
		}
	}
	for _, schema := range b.path {
		if table, rel := b.env.Catalog.Relation(schema, n.Relname, b.path); rel != nil {
			return table, rel
		}
	}
	return nil, nil
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
	inner := &binder{shared: b.shared, stmt: stmt, path: []string{"pg_catalog", rel.Schema, "public"}, view: b.view + 1, system: !rel.Stored}
	r := inner.selectStmt(sel.SelectStmt, nil, nil)
	inner.finishTypes(&r)
	if rel.Stored && len(r.cols) != len(rel.Columns) {
		r = asDefined(rel, r)
	}
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

// asDefined gives of a view's query the columns that the view was made with: a
// star in it may have come to stand for more.
func asDefined(rel *catalog.Relation, r relation) relation {
	out := relation{}
	var items []Item
	for i, want := range rel.Columns {
		at := slices.IndexFunc(r.cols, func(c Column) bool { return c.Name == want.Name })
		if at < 0 {
			at = min(i, len(r.cols)-1)
		}
		out.cols = append(out.cols, r.cols[at])
		items = append(items, Item{Expr: ref(r.cols[at]), Col: r.cols[at]})
	}
	out.node = &Project{Input: r.node, Items: items}
	return out
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
