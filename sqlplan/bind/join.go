package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

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
		for _, src := range left {
			if refersTo(rightNode, []*source{src}) {
				panic(pgerr.New(pgerr.InvalidColumnReference, "invalid reference to FROM-clause entry for table \"%s\"", src.alias).
					WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference."))
			}
		}
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
