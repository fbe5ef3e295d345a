package bind

import (
	"github.com/tael-sql/tael-sql/internal/expr"
)

// With gives the query with its parameters replaced by values, in the form of
// package pgtypes, and with what is constant computed. With an environment
// calls that are stable within a statement, such as now(), are computed too.
// Expressions that fail are left for the execution to report.
func (q *Query) With(params []any, env *expr.Env) *Query {
	cp := *q
	m := newPlanMapper(func(e expr.Expr) expr.Expr { return fold(bindParams(e, params), env) })
	cp.Root = m.node(q.Root)
	return &cp
}

// bindParams replaces parameters.
func bindParams(e expr.Expr, params []any) expr.Expr {
	if p, ok := e.(*expr.Param); ok && p.N <= len(params) {
		return &expr.Const{Typ: p.Typ, Val: params[p.N-1]}
	}
	if len(params) == 0 || len(e.Children()) == 0 {
		return e
	}
	return e.With(mapList(e.Children(), func(c expr.Expr) expr.Expr { return bindParams(c, params) }))
}

// fold computes the constant parts of an expression, from the bottom.
func fold(e expr.Expr, env *expr.Env) expr.Expr {
	children := e.Children()
	constant := true
	changed := false
	folded := make([]expr.Expr, len(children))
	for i, c := range children {
		folded[i] = fold(c, env)
		changed = changed || folded[i] != c
		_, isConst := folded[i].(*expr.Const)
		constant = constant && isConst
	}
	if changed {
		e = e.With(folded)
	}
	if !constant || !foldable(e, env) {
		return e
	}
	v, err := e.Eval(env, nil)
	if err != nil {
		return e
	}
	return &expr.Const{Typ: e.Type(), Val: v}
}

// foldable reports whether e may be computed before the execution.
func foldable(e expr.Expr, env *expr.Env) bool {
	switch v := e.(type) {
	case *expr.Col, *expr.Param, *expr.Const, *Subquery:
		return false
	case *expr.Call:
		return env != nil && !v.Fn.Set && v.Fn.Volatile != expr.Volatile
	}
	return env != nil
}
