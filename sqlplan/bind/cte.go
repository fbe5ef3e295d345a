package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A cteScope is the WITH queries that can be seen, innermost first.
type cteScope struct {
	outer *cteScope
	list  []*cteEntry
}

type cteEntry struct {
	name    string
	cols    []Column // names and types, after its alias
	plan    *CTE
	pending bool // being bound: only a recursive term may refer to it
	once    bool // read in one place and without side effects: its query stands there
	working bool // its columns are known: the recursive term may refer to it
	hidden  int  // so many of its last columns are not of *
}

func (c *cteScope) find(name string) *cteEntry {
	for at := c; at != nil; at = at.outer {
		for i := len(at.list) - 1; i >= 0; i-- {
			if at.list[i].name == name && (!at.list[i].pending || at.list[i].working) {
				return at.list[i]
			}
		}
	}
	return nil
}

// withClause binds the WITH queries of the statement in.
func (b *binder) withClause(n *pg.WithClause, in *pg.Node, outer *scope, ctes *cteScope) *cteScope {
	uses := map[string]int{}
	eachRangeVar(in, func(r *pg.RangeVar) {
		if r.Schemaname == "" {
			uses[r.Relname]++
		}
	})
	inner := &cteScope{outer: ctes}
	names := map[string]bool{}
	for _, c := range n.Ctes {
		cte := c.GetCommonTableExpr()
		if names[cte.Ctename] {
			b.fail(cte.Location, pgerr.DuplicateAlias, "WITH query name \"%s\" specified more than once", cte.Ctename)
		}
		names[cte.Ctename] = true
	}
	for _, c := range n.Ctes {
		cte := c.GetCommonTableExpr()
		sel := cte.Ctequery.GetSelectStmt()
		if sel == nil {
			inner.list = append(inner.list, b.modifyingCTE(cte, outer, inner))
			continue
		}
		entry := &cteEntry{name: cte.Ctename, plan: &CTE{Name: cte.Ctename}, pending: true}
		if n.Recursive {
			inner.list = append(inner.list, entry)
			if b.recursiveCTE(cte, sel, entry, outer, inner) {
				entry.pending = false
				continue
			}
			inner.list = inner.list[:len(inner.list)-1]
		}
		if cte.SearchClause != nil || cte.CycleClause != nil {
			b.fail(cte.Location, pgerr.SyntaxError, "WITH query is not recursive")
		}
		r := b.selectStmt(sel, outer, inner)
		b.cteColumns(entry, cte, r.cols)
		entry.plan.Query, entry.plan.Cols = r.node, r.cols
		entry.once = uses[cte.Ctename] == 1 && cte.Ctematerialized != pg.CTEMaterialize_CTEMaterializeAlways && !planIsVolatile(r.node)
		entry.pending = false
		inner.list = append(inner.list, entry)
	}
	return inner
}

// modifyingCTE binds a WITH query that changes rows. It runs once, whether it
// is read or not, and what it changes is not seen by the rest of the statement.
func (b *binder) modifyingCTE(n *pg.CommonTableExpr, outer *scope, ctes *cteScope) *cteEntry {
	if outer != nil || b.view > 0 {
		b.fail(n.Location, pgerr.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level")
	}
	m := b.change(n.Ctequery, nil, ctes)
	entry := &cteEntry{name: n.Ctename, plan: &CTE{Name: n.Ctename, Query: m, Cols: m.Columns()}}
	b.cteColumns(entry, n, m.Columns())
	b.modifying = append(b.modifying, entry.plan)
	return entry
}

// cteColumns names the columns of a CTE by its alias list.
func (b *binder) cteColumns(entry *cteEntry, n *pg.CommonTableExpr, cols []Column) {
	names := stringsOf(n.Aliascolnames)
	if len(names) > len(cols) {
		b.fail(n.Location, pgerr.InvalidColumnReference, "WITH query \"%s\" has %d columns available but %d columns specified",
			n.Ctename, len(cols), len(names))
	}
	entry.cols = append([]Column{}, cols...)
	for i, name := range names {
		entry.cols[i].Name = name
	}
}

// recursiveCTE binds a WITH RECURSIVE query that refers to itself; false when
// it does not, and is a plain one.
func (b *binder) recursiveCTE(n *pg.CommonTableExpr, sel *pg.SelectStmt, entry *cteEntry, outer *scope, ctes *cteScope) bool {
	if mentions(n.Ctequery, n.Ctename) < 0 {
		return false
	}
	if sel.Op != pg.SetOperation_SETOP_UNION {
		b.fail(n.Location, "42P19", "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term", n.Ctename)
	}
	if sel.WithClause != nil {
		ctes = b.withClause(sel.WithClause, &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel}}, outer, ctes)
	}
	if at := mentions(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel.Larg}}, n.Ctename); at >= 0 {
		b.fail(at, "42P19", "recursive reference to query \"%s\" must not appear within its non-recursive term", n.Ctename)
	}
	if len(sel.SortClause) > 0 {
		b.fail(exprLocation(sel.SortClause[0]), pgerr.FeatureNotSupported, "ORDER BY in a recursive query is not implemented")
	}
	if sel.LimitCount != nil || sel.LimitOffset != nil {
		panic(pgerr.New(pgerr.FeatureNotSupported, "LIMIT in a recursive query is not implemented").At(b.at(exprLocation(sel.LimitCount))))
	}
	first := b.selectStmt(sel.Larg, outer, ctes)
	b.cteColumns(entry, n, first.cols)
	own, added := first.cols, 0
	var names []string
	along := newFollow(n)
	if along != nil {
		b.checkTerms(n, sel)
		b.checkFollow(along, entry.cols)
		for _, c := range entry.cols {
			names = append(names, c.Name)
		}
		first = b.wrap(along, first, names, true, outer, ctes)
		entry.cols, added = first.cols, len(along.added)
		entry.hidden = added
	}
	entry.plan.Cols = first.cols
	entry.working = true
	var second relation
	if along != nil {
		second = b.extended(along, n, sel.Rarg, outer, ctes)
	} else {
		second = b.selectRaw(sel.Rarg, outer, ctes)
	}
	if len(own)+added != len(second.cols) {
		b.fail(firstTarget(sel.Rarg), pgerr.SyntaxError, "each UNION query must have the same number of columns")
	}
	for i := range own {
		want, got := first.cols[i].Type, second.cols[i].Type
		common, ok := commonType([]oid{want.OID, got.OID})
		if !ok {
			b.fail(nthTarget(sel.Rarg, i), pgerr.DatatypeMismatch, "UNION types %s and %s cannot be matched", typeName(want), typeName(got))
		}
		if common != want.OID {
			panic(pgerr.New(pgerr.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall",
				n.Ctename, i+1, typeName(want), typeName(typeOf(common))).
				WithHint("Cast the output of the non-recursive term to the correct type.").At(b.at(nthTarget(sel.Larg, i))))
		}
		b.coerceColumn(&second, i, want)
	}
	if along != nil {
		second = b.wrap(along, second, names, false, outer, ctes)
		entry.hidden = along.hidden()
	}
	entry.plan.Query, entry.plan.Recursive, entry.plan.UnionAll = first.node, second.node, sel.All
	entry.working = false
	return true
}

// mentions gives where a FROM inside n names the CTE, or -1.
func mentions(n *pg.Node, name string) int32 {
	found := int32(-1)
	eachRangeVar(n, func(r *pg.RangeVar) {
		if r.Schemaname == "" && r.Relname == name && found < 0 {
			found = r.Location
		}
	})
	return found
}

// cteRef reads a CTE under new column ids.
func (s *scope) cteRef(c *cteEntry, n *pg.RangeVar) (Node, *source) {
	b := s.b
	src := &source{alias: n.Relname, byName: true, plain: true}
	if n.Alias != nil {
		src.alias = n.Alias.Aliasname
	}
	if c.once {
		node, values := s.flatten(relation{node: c.plan.Query, cols: c.cols}, src.alias)
		for i, col := range c.cols {
			src.cols = append(src.cols, sourceCol{name: col.Name, value: values[i]})
		}
		b.renameColumns(src, n.Alias, n.Location)
		return node, src
	}
	r := &CTERef{CTE: c.plan}
	for i, col := range c.cols {
		out := b.newCol(col.Name, col.Type, src.alias)
		b.cols[out.ID] = colOrigin{Column: out, scope: s.level(), fields: b.cols[col.ID].fields}
		r.Cols = append(r.Cols, out)
		src.cols = append(src.cols, sourceCol{name: col.Name, value: ref(out), hidden: i >= len(c.cols)-c.hidden})
	}
	b.renameColumns(src, n.Alias, n.Location)
	return r, src
}
