package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// orderBy binds ORDER BY: an ordinal, a name of the output, or an expression,
// which joins the targets, hidden, when it is not among them.
func (s *scope) orderBy(sorts []*pg.Node, targets *[]target) []sortSpec {
	var order []sortSpec
	for _, n := range sorts {
		by := n.GetSortBy()
		t := s.findTarget(by.Node, targets, "ORDER BY", false)
		spec := s.sortSpec(by, (*targets)[t].expr.Type())
		spec.target = t
		order = append(order, spec)
	}
	return order
}

// sortSpec reads the direction and checks that the type can be sorted.
func (s *scope) sortSpec(by *pg.SortBy, typ pgtypes.Type) sortSpec {
	spec := sortSpec{desc: by.SortbyDir == pg.SortByDir_SORTBY_DESC, location: exprLocation(by.Node)}
	if by.SortbyDir == pg.SortByDir_SORTBY_USING {
		switch _, op := splitName(by.UseOp); op {
		case "<":
		case ">":
			spec.desc = true
		default:
			panic(pgerr.New(pgerr.WrongObjectType, "operator %s is not a valid ordering operator", op).
				WithHint("Ordering operators must be \"<\" or \">\" members of btree operator families."))
		}
	}
	spec.nullsFirst = spec.desc
	switch by.SortbyNulls {
	case pg.SortByNulls_SORTBY_NULLS_FIRST:
		spec.nullsFirst = true
	case pg.SortByNulls_SORTBY_NULLS_LAST:
		spec.nullsFirst = false
	}
	if !sortable(typ.OID) {
		panic(pgerr.New(pgerr.UndefinedFunction, "could not identify an ordering operator for type %s", typeName(typ)).
			WithHint("Use an explicit ordering operator or modify the query.").At(s.b.at(spec.location)))
	}
	return spec
}

// findTarget gives the target that an entry of ORDER BY, GROUP BY or DISTINCT
// ON means. For GROUP BY a column of FROM goes before a name of the output.
func (s *scope) findTarget(n *pg.Node, targets *[]target, what string, inputFirst bool) int {
	b := s.b
	location := exprLocation(n)
	switch v := n.Node.(type) {
	case *pg.Node_ColumnRef:
		names := stringsOf(v.ColumnRef.Fields)
		if len(v.ColumnRef.Fields) != 1 || len(names) != 1 {
			break
		}
		if inputFirst && s.hasColumn(names[0]) {
			break
		}
		found := -1
		for i, t := range *targets {
			if t.hidden || t.name != names[0] {
				continue
			}
			if found >= 0 && !same((*targets)[found].expr, t.expr) {
				b.fail(location, pgerr.AmbiguousColumn, "%s \"%s\" is ambiguous", what, names[0])
			}
			if found < 0 {
				found = i
			}
		}
		if found >= 0 {
			return found
		}
	case *pg.Node_AConst:
		iv, ok := v.AConst.Val.(*pg.A_Const_Ival)
		if !ok {
			b.fail(location, pgerr.SyntaxError, "non-integer constant in %s", what)
		}
		position := 0
		for i, t := range *targets {
			if !t.hidden {
				if position++; position == int(iv.Ival.Ival) {
					return i
				}
			}
		}
		b.fail(location, pgerr.InvalidColumnReference, "%s position %d is not in select list", what, iv.Ival.Ival)
	}
	e := s.expr(n)
	for i, t := range *targets {
		if same(t.expr, e) {
			return i
		}
	}
	name := "?column?"
	if c, ok := e.(*expr.Col); ok {
		name = c.Name // for who reads the plan
	}
	*targets = append(*targets, target{expr: e, hidden: true, location: location, name: name})
	return len(*targets) - 1
}

// hasColumn reports whether this level's FROM has a column of that name.
func (s *scope) hasColumn(name string) bool {
	for _, src := range s.items {
		if src.plain {
			for _, c := range src.cols {
				if c.name == name {
					return true
				}
			}
		}
	}
	return false
}

// distinct checks SELECT DISTINCT and gives the targets of DISTINCT ON.
func (s *scope) distinct(n *pg.SelectStmt, targets *[]target, order []sortSpec) []int {
	b := s.b
	if len(n.DistinctClause) == 0 {
		return nil
	}
	plain := len(n.DistinctClause) == 1 && n.DistinctClause[0].Node == nil
	if plain {
		for _, o := range order {
			if (*targets)[o.target].hidden {
				b.fail(o.location, pgerr.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
			}
		}
		for _, t := range *targets {
			b.checkEquality(t.expr.Type(), t.location)
		}
		return nil
	}
	var on []int
	places := map[int]int32{}
	s.in(inDistinctOn, func() {
		for _, d := range n.DistinctClause {
			t := s.findTarget(d, targets, "DISTINCT ON", false)
			b.checkEquality((*targets)[t].expr.Type(), exprLocation(d))
			if _, ok := places[t]; !ok {
				places[t] = exprLocation(d)
			}
			known := false
			for _, o := range on {
				known = known || o == t
			}
			if !known {
				on = append(on, t)
			}
		}
	})
	skipped := false
	left := map[int]bool{}
	for _, t := range on {
		left[t] = true
	}
	for _, o := range order {
		switch {
		case left[o.target]:
			if skipped {
				b.fail(places[o.target], pgerr.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
			}
		default:
			skipped = true
		}
		delete(left, o.target)
	}
	if skipped {
		for _, t := range on {
			if left[t] {
				b.fail(places[t], pgerr.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
			}
		}
	}
	return on
}

func (b *binder) checkEquality(typ pgtypes.Type, location int32) {
	if !groupable(typ.OID) {
		b.fail(location, pgerr.UndefinedFunction, "could not identify an equality operator for type %s", typeName(typ))
	}
}

// limit binds LIMIT and OFFSET.
func (s *scope) limit(n *pg.SelectStmt) (count, offset expr.Expr) {
	one := func(n *pg.Node, c clause, name string) expr.Expr {
		if n == nil {
			return nil
		}
		if k, ok := n.Node.(*pg.Node_AConst); ok && k.AConst.Isnull {
			return nil
		}
		var e expr.Expr
		s.in(c, func() { e = s.expr(n) })
		location := exprLocation(n)
		out := s.b.coerce(e, pgtypes.Of(pgtypes.Int8), assignment, location)
		if out == nil {
			s.b.fail(location, pgerr.DatatypeMismatch, "argument of %s must be type %s, not type %s", name, "bigint", typeName(e.Type()))
		}
		eachCol(out, func(c *expr.Col) {
			if s.b.cols[c.ID].scope == s.level() {
				panic(pgerr.New(pgerr.InvalidColumnReference, "argument of %s must not contain variables", name).At(s.b.locs[c]))
			}
		})
		return out
	}
	// PostgreSQL looks at OFFSET first.
	offset = one(n.LimitOffset, inOffset, "OFFSET")
	count = one(n.LimitCount, inLimit, "LIMIT")
	if withTies(n) && count == nil {
		panic(pgerr.New(pgerr.InvalidRowCountInLimit, "row count cannot be null in FETCH FIRST ... WITH TIES clause"))
	}
	return count, offset
}

func withTies(n *pg.SelectStmt) bool {
	return n.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES
}

// orderPlain applies ORDER BY and LIMIT to VALUES and set operations, whose
// ORDER BY may only name output columns.
func (b *binder) orderPlain(n *pg.SelectStmt, r relation, outer *scope, ctes *cteScope) relation {
	if len(n.SortClause) == 0 && n.LimitCount == nil && n.LimitOffset == nil {
		return r
	}
	s := b.newScope(outer, ctes)
	src := &source{plain: true}
	targets := make([]target, len(r.cols))
	for i, c := range r.cols {
		e := ref(c)
		targets[i] = target{expr: e, name: c.Name, col: c}
		src.cols = append(src.cols, sourceCol{name: c.Name, value: e})
		origin := b.cols[c.ID]
		origin.scope = s
		b.cols[c.ID] = origin
	}
	s.items = []*source{src}
	s.clause = inOrderBy
	order := s.orderBy(n.SortClause, &targets)
	count, offset := s.limit(n)
	node := r.node
	if len(targets) > len(r.cols) {
		if n.Op != pg.SetOperation_SETOP_NONE {
			panic(pgerr.New(pgerr.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
				WithDetail("Only result column names can be used, not expressions or functions.").
				WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.").
				At(b.at(targets[len(r.cols)].location)))
		}
		items := make([]Item, len(targets))
		for i := range targets {
			if i >= len(r.cols) {
				targets[i].col = b.newCol(targets[i].name, targets[i].expr.Type(), "")
			}
			items[i] = Item{Expr: targets[i].expr, Col: targets[i].col}
		}
		node = &Project{Input: node, Items: items}
	}
	if len(order) > 0 {
		node = sortNode(node, targets, order)
	}
	return trim(limitNode(node, count, offset, withTies(n)), targets)
}
