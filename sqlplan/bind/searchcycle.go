package bind

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// depthColumn counts the rounds of SEARCH BREADTH FIRST; nothing can name it.
const depthColumn = "*DEPTH*"

// A follow is what SEARCH and CYCLE add to a recursive WITH query: columns that
// each of its two terms is wrapped to compute, as the standard describes.
type follow struct {
	search *pg.CTESearchClause
	cycle  *pg.CTECycleClause
	added  []string // the names of the columns, depthColumn last
}

// newFollow gives nil where there is neither clause.
func newFollow(n *pg.CommonTableExpr) *follow {
	f := &follow{search: n.SearchClause, cycle: n.CycleClause}
	if f.search != nil {
		f.added = append(f.added, f.search.SearchSeqColumn)
	}
	if f.cycle != nil {
		f.added = append(f.added, f.cycle.CycleMarkColumn, f.cycle.CyclePathColumn)
	}
	if len(f.added) == 0 {
		return nil
	}
	if f.search != nil && f.search.SearchBreadthFirst {
		f.added = append(f.added, depthColumn)
	}
	return f
}

// hidden is how many of the added columns no one sees.
func (f *follow) hidden() int {
	if f.added[len(f.added)-1] == depthColumn {
		return 1
	}
	return 0
}

// checkTerms refuses a query that the clauses cannot be applied to.
func (b *binder) checkTerms(n *pg.CommonTableExpr, sel *pg.SelectStmt) {
	for _, side := range []struct {
		name string
		term *pg.SelectStmt
		code pgerr.Code
	}{{"left", sel.Larg, pgerr.FeatureNotSupported}, {"right", sel.Rarg, pgerr.SyntaxError}} {
		if side.term.Op != pg.SetOperation_SETOP_NONE {
			panic(pgerr.New(side.code, "with a SEARCH or CYCLE clause, the %s side of the UNION must be a SELECT", side.name))
		}
	}
	if selfReference(sel.Rarg.FromClause, n.Ctename) == nil {
		panic(pgerr.New(pgerr.FeatureNotSupported,
			"with a SEARCH or CYCLE clause, the recursive reference to WITH query \"%s\" must be at the top level of its right-hand SELECT", n.Ctename))
	}
}

// selfReference finds where a FROM reads the CTE, outside of sub-queries.
func selfReference(from []*pg.Node, name string) *pg.RangeVar {
	for _, n := range from {
		if r := n.GetRangeVar(); r != nil && r.Schemaname == "" && r.Relname == name {
			return r
		}
		if j := n.GetJoinExpr(); j != nil {
			if r := selfReference([]*pg.Node{j.Larg, j.Rarg}, name); r != nil {
				return r
			}
		}
	}
	return nil
}

// checkFollow holds the names of the clauses against the query's columns.
func (b *binder) checkFollow(f *follow, cols []Column) {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	list := func(what string, nodes []*pg.Node, at int32) {
		given := stringsOf(nodes)
		for i, name := range given {
			if !slices.Contains(names, name) {
				b.fail(at, pgerr.SyntaxError, "%s column \"%s\" not in WITH query column list", what, name)
			}
			if slices.Contains(given[:i], name) {
				b.fail(at, pgerr.DuplicateColumn, "%s column \"%s\" specified more than once", what, name)
			}
		}
	}
	fresh := func(what, name string, at int32) {
		if slices.Contains(names, name) {
			b.fail(at, pgerr.SyntaxError, "%s column name \"%s\" already used in WITH query column list", what, name)
		}
	}
	if s := f.search; s != nil {
		list("search", s.SearchColList, s.Location)
		fresh("search sequence", s.SearchSeqColumn, s.Location)
	}
	if c := f.cycle; c != nil {
		scope := b.newScope(nil, nil)
		values := []expr.Expr{scope.expr(c.CycleMarkValue), scope.expr(c.CycleMarkDefault)}
		typ := b.unify(values, []int32{exprLocation(c.CycleMarkValue), exprLocation(c.CycleMarkDefault)}, "CYCLE")
		b.checkEquality(typ, -1)
		list("cycle", c.CycleColList, c.Location)
		fresh("cycle mark", c.CycleMarkColumn, c.Location)
		fresh("cycle path", c.CyclePathColumn, c.Location)
		if c.CycleMarkColumn == c.CyclePathColumn {
			b.fail(c.Location, pgerr.SyntaxError, "cycle mark column name and cycle path column name are the same")
		}
		if f.search != nil {
			switch f.search.SearchSeqColumn {
			case c.CycleMarkColumn:
				b.fail(f.search.Location, pgerr.SyntaxError, "search sequence column name and cycle mark column name are the same")
			case c.CyclePathColumn:
				b.fail(f.search.Location, pgerr.SyntaxError, "search sequence column name and cycle path column name are the same")
			}
		}
	}
}

// extended binds the recursive term with the added columns of the row that it
// goes on from, after its own.
func (b *binder) extended(f *follow, n *pg.CommonTableExpr, term *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	r := selfReference(term.FromClause, n.Ctename)
	from := r.Relname
	if r.Alias != nil {
		from = r.Alias.Aliasname
	}
	own := term.TargetList
	defer func() { term.TargetList = own }()
	term.TargetList = slices.Clone(own)
	for _, name := range f.added {
		column := &pg.ColumnRef{Fields: []*pg.Node{pg.MakeStrNode(from), pg.MakeStrNode(name)}, Location: r.Location}
		target := &pg.ResTarget{Name: name, Val: &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: column}}, Location: r.Location}
		term.TargetList = append(term.TargetList, &pg.Node{Node: &pg.Node_ResTarget{ResTarget: target}})
	}
	return b.selectRaw(term, outer, ctes)
}

// wrap computes the added columns over a term whose columns have those names:
// from nothing for the first term, else from the added columns at its end.
func (b *binder) wrap(f *follow, term relation, names []string, first bool, outer *scope, ctes *cteScope) relation {
	row := func(begin string, columns []*pg.Node) string {
		items := []string{}
		if begin != "" {
			items = append(items, begin)
		}
		for _, name := range stringsOf(columns) {
			items = append(items, "t."+expr.QuoteIdent(name))
		}
		return "ROW(" + strings.Join(items, ", ") + ")"
	}
	var items []string
	for _, name := range names {
		items = append(items, "t."+expr.QuoteIdent(name))
	}
	depth := "0::int8"
	if !first {
		depth = "t.\"" + depthColumn + "\" + 1"
	}
	path := func(column string, columns []*pg.Node) string {
		if first {
			return "ARRAY[" + row("", columns) + "]"
		}
		return "t." + expr.QuoteIdent(column) + " || " + row("", columns)
	}
	if s := f.search; s != nil {
		sequence := ""
		if s.SearchBreadthFirst {
			sequence = row(depth, s.SearchColList)
		} else {
			sequence = path(s.SearchSeqColumn, s.SearchColList)
		}
		items = append(items, sequence)
	}
	markAt, where := len(items), ""
	if c := f.cycle; c != nil {
		met := "false"
		if !first {
			met = row("", c.CycleColList) + " = ANY (t." + expr.QuoteIdent(c.CyclePathColumn) + ")"
			where = " WHERE t." + expr.QuoteIdent(c.CycleMarkColumn) + " <> NULL"
		}
		items = append(items, "CASE WHEN "+met+" THEN NULL ELSE NULL END", path(c.CyclePathColumn, c.CycleColList))
	}
	if f.hidden() > 0 {
		items = append(items, depth)
	}
	text := "SELECT " + strings.Join(items, ", ") + " FROM \"*TERM*\" t" + where
	st, err := syntax.ParseOne(text)
	if err != nil {
		panic(err)
	}
	sel := st.Node.GetSelectStmt()
	if c := f.cycle; c != nil { // the mark's values have no text of their own
		mark := sel.TargetList[markAt].GetResTarget().Val.GetCaseExpr()
		mark.Args[0].GetCaseWhen().Result, mark.Defresult = c.CycleMarkValue, c.CycleMarkDefault
		if !first {
			sel.WhereClause.GetAExpr().Rexpr = c.CycleMarkValue
		}
	}
	all := append(slices.Clone(names), f.added...)
	entry := &cteEntry{name: "*TERM*", plan: &CTE{Name: "*TERM*", Query: term.node, Cols: term.cols}, once: true}
	for i, col := range term.cols {
		col.Name = all[i]
		entry.cols = append(entry.cols, col)
	}
	b.view++ // the text has no positions in the statement's
	defer func() { b.view-- }()
	out := b.selectStmt(sel, outer, &cteScope{outer: ctes, list: []*cteEntry{entry}})
	for i, name := range all {
		out.cols[i].Name = name
	}
	return out
}

// seen drops the columns that * does not give.
func seen(cols []sourceCol) []sourceCol {
	if !slices.ContainsFunc(cols, func(c sourceCol) bool { return c.hidden }) {
		return cols
	}
	return slices.DeleteFunc(slices.Clone(cols), func(c sourceCol) bool { return c.hidden })
}
