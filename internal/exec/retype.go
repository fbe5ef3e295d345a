package exec

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// retyped is an expression whose values are taken as those of another type
// with the same form, so that both sides of an equality encode keys alike.
type retyped struct {
	expr.Expr
	typ pgtypes.Type
}

// Retype makes the key encoding of e that of typ, as Hashable gave it.
func Retype(e expr.Expr, typ pgtypes.Type) expr.Expr {
	if e.Type().OID == typ.OID {
		return e
	}
	return &retyped{Expr: e, typ: typ}
}

// Type gives the type of the key.
func (r *retyped) Type() pgtypes.Type { return r.typ }

// Children gives the expression itself.
func (r *retyped) Children() []expr.Expr { return []expr.Expr{r.Expr} }

// With replaces the expression.
func (r *retyped) With(children []expr.Expr) expr.Expr {
	return &retyped{Expr: children[0], typ: r.typ}
}
