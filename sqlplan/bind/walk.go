package bind

import (
	"fmt"
	"reflect"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// rewrite replaces sub-expressions, from the top: f gives the replacement, or
// nil to go on below. It enters the plans of sub-queries.
func rewrite(e expr.Expr, f func(expr.Expr) expr.Expr) expr.Expr {
	return rewriteIn(e, false, func(e expr.Expr, _ bool) expr.Expr { return f(e) })
}

// rewriteIn is rewrite that tells f whether it is inside a sub-query.
func rewriteIn(e expr.Expr, sub bool, f func(expr.Expr, bool) expr.Expr) expr.Expr {
	if r := f(e, sub); r != nil {
		return r
	}
	if q, ok := e.(*Subquery); ok {
		return rewriteSubquery(q, sub, f)
	}
	children := e.Children()
	if len(children) == 0 {
		return e
	}
	var changed []expr.Expr
	for i, c := range children {
		r := rewriteIn(c, sub, f)
		if r != c {
			if changed == nil {
				changed = slices.Clone(children)
			}
			changed[i] = r
		}
	}
	if changed == nil {
		return e
	}
	return e.With(changed)
}

func rewriteSubquery(q *Subquery, sub bool, f func(expr.Expr, bool) expr.Expr) expr.Expr {
	cp := *q
	cp.Tests = mapList(q.Tests, func(t expr.Expr) expr.Expr { return rewriteIn(t, sub, f) })
	replaced := map[expr.ColID]Column{}
	cp.Plan = mapPlan(q.Plan, func(e expr.Expr) expr.Expr {
		return rewriteIn(e, true, func(e expr.Expr, in bool) expr.Expr {
			r := f(e, in)
			if from, ok := e.(*expr.Col); ok && r != nil {
				if to, ok := r.(*expr.Col); ok {
					replaced[from.ID] = Column{ID: to.ID, Type: to.Typ, Name: to.Name}
				}
			}
			return r
		})
	})
	cp.Outer = nil
	have := map[expr.ColID]Column{}
	for _, c := range q.Outer {
		have[c.ID] = c
	}
	for _, c := range replaced {
		have[c.ID] = c
	}
	for _, id := range freeColumns(cp.Plan) {
		c, ok := have[id]
		if !ok {
			c = Column{ID: id}
			eachPlanExpr(cp.Plan, func(e expr.Expr) {
				eachCol(e, func(col *expr.Col) {
					if col.ID == id {
						c.Type, c.Name = col.Typ, col.Name
					}
				})
			})
		}
		cp.Outer = append(cp.Outer, c)
	}
	return &cp
}

// eachExpr visits e and what is below it, without the plans of sub-queries.
func eachExpr(e expr.Expr, f func(expr.Expr)) {
	if e == nil {
		return
	}
	f(e)
	for _, c := range e.Children() {
		eachExpr(c, f)
	}
}

// eachCol visits the columns of e, and those that its sub-queries need from
// outside.
func eachCol(e expr.Expr, f func(*expr.Col)) {
	eachExpr(e, func(e expr.Expr) {
		switch v := e.(type) {
		case *expr.Col:
			f(v)
		case *Subquery:
			for _, c := range v.Outer {
				f(ref(c))
			}
		}
	})
}

// containsSet reports whether a set-returning call stands in e.
func containsSet(e expr.Expr) bool {
	found := false
	eachExpr(e, func(e expr.Expr) {
		if c, ok := e.(*expr.Call); ok && c.Fn.Set {
			found = true
		}
	})
	return found
}

// key is a text that is equal for equal expressions only: columns by their ids,
// functions by their overloads.
func key(e expr.Expr) string {
	return rewriteKey(e).String()
}

func rewriteKey(e expr.Expr) expr.Expr {
	switch v := e.(type) {
	case *expr.Col:
		return &expr.Col{ID: v.ID, Slot: v.Slot, Typ: v.Typ, Name: fmt.Sprintf("#%d", v.ID)}
	case *Subquery:
		return &expr.Col{Typ: v.Typ, Name: fmt.Sprintf("sub-query %p", v.Plan)}
	}
	children := e.Children()
	if len(children) == 0 {
		return e
	}
	out := make([]expr.Expr, len(children))
	for i, c := range children {
		out[i] = rewriteKey(c)
	}
	return e.With(out)
}

// same reports whether two expressions always have the same value.
func same(a, b expr.Expr) bool {
	if a == b {
		return true
	}
	if a.Type().OID != b.Type().OID || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	ca, okA := a.(*expr.Col)
	cb, okB := b.(*expr.Col)
	if okA || okB {
		return okA && okB && ca.ID == cb.ID
	}
	return key(a) == key(b)
}

// nameColumns gives every column id of a finished plan one name, and no name to
// two of them, so that the texts of equal expressions are equal, and of others
// are not. A grouping key that is a column keeps its name. The plan is still the
// binder's own: it is changed in place.
func (b *binder) nameColumns(root Node) {
	names := map[expr.ColID]string{}
	taken := map[string]bool{}
	nameOf := func(id expr.ColID) string {
		for b.cols[id].keyOf != 0 {
			id = b.cols[id].keyOf
		}
		name, ok := names[id]
		if !ok {
			name = ref(b.cols[id].Column).Name
			if taken[name] {
				name = fmt.Sprintf("%s#%d", name, id)
			}
			names[id], taken[name] = name, true
		}
		return name
	}
	var plan func(Node)
	plan = func(n Node) {
		eachPlanExpr(n, func(e expr.Expr) {
			eachExpr(e, func(e expr.Expr) {
				switch v := e.(type) {
				case *expr.Col:
					v.Name = nameOf(v.ID)
				case *Subquery:
					plan(v.Plan)
				}
			})
		})
	}
	plan(root)
}

// eachRangeVar visits the tables named anywhere inside a parse tree.
func eachRangeVar(n *pg.Node, f func(*pg.RangeVar)) {
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		if r, ok := m.Interface().(*pg.RangeVar); ok {
			f(r)
			return
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.IsList() && fd.Message() != nil:
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			case fd.Message() != nil:
				walk(v.Message())
			}
			return true
		})
	}
	walk(proto.Message(n).ProtoReflect())
}
