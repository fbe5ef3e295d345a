package bind

import (
	"github.com/tael-sql/tael-sql/internal/expr"
)

// With gives the query with its parameters replaced by values, in the form of
// package pgtypes. The query itself stays as it is, and may be used again.
func (q *Query) With(params []any) *Query {
	if len(params) == 0 {
		return q
	}
	cp := *q
	m := newPlanMapper(func(e expr.Expr) expr.Expr { return bindParams(e, params) })
	cp.Root = m.node(q.Root)
	return &cp
}

// bindParams replaces parameters.
func bindParams(e expr.Expr, params []any) expr.Expr {
	if p, ok := e.(*expr.Param); ok && p.N <= len(params) {
		return &expr.Const{Typ: p.Typ, Val: params[p.N-1]}
	}
	if len(e.Children()) == 0 {
		return e
	}
	return e.With(mapList(e.Children(), func(c expr.Expr) expr.Expr { return bindParams(c, params) }))
}
