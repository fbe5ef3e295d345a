package bind

import (
	"errors"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A castContext says how liberal a coercion may be.
type castContext uint8

const (
	implicit castContext = iota
	assignment
	explicit
)

// canCoerce reports whether a value of one type may become another.
func canCoerce(from, to oid, ctx castContext) bool {
	if from == to || to == pgtypes.AnyOID || from == pgtypes.Unknown {
		return true
	}
	if isPolymorphic(to) {
		return true
	}
	if from == pgtypes.Anyarray && to == pgtypes.Text {
		return ctx >= assignment
	}
	if e := elementType(from); e != 0 && !pgtypes.IsArray(from) && pgtypes.IsArray(to) { // int2vector to int2[]
		return canCoerce(e, elementType(to), ctx)
	}
	c, ok := pgtypes.CastContext(from, to)
	if !ok {
		return false
	}
	switch c {
	case pgtypes.Implicit:
		return true
	case pgtypes.Assignment:
		return ctx >= assignment
	}
	return ctx >= explicit
}

// coerce makes an expression of a type, nil when there is no such cast. A
// literal of unknown type is read now, and a parameter of unknown type decided.
func (b *binder) coerce(e expr.Expr, to pgtypes.Type, ctx castContext, location int32) expr.Expr {
	from := e.Type()
	if from.OID == pgtypes.Unknown && to.OID != pgtypes.Unknown {
		switch v := e.(type) {
		case *expr.Const:
			if ctx == explicit && to.Mod >= 0 && (to.OID == pgtypes.Varchar || to.OID == pgtypes.Bpchar) {
				return b.modify(b.literal(v, typeOf(to.OID), location), to, ctx) // cuts what is too long
			}
			return b.literal(v, to, location)
		case *expr.Param:
			return b.modify(b.params.decide(b, v, to), to, ctx)
		}
	}
	if from.OID == to.OID {
		return b.modify(e, to, ctx)
	}
	if !canCoerce(from.OID, to.OID, ctx) {
		return nil
	}
	out := newCast(e, to, ctx)
	if at := b.locs[e]; at > 0 {
		b.locs[out] = at
	}
	return out
}

// modify applies a type modifier, such as the length of varchar(3).
func (b *binder) modify(e expr.Expr, to pgtypes.Type, ctx castContext) expr.Expr {
	if to.Mod < 0 || ctx == implicit || e.Type() == to {
		return e
	}
	out := newCast(e, to, ctx)
	if at := b.locs[e]; at > 0 {
		b.locs[out] = at
	}
	return out
}

// mustCoerce is coerce where the types have been found to fit.
func (b *binder) mustCoerce(e expr.Expr, to pgtypes.Type, ctx castContext, location int32) expr.Expr {
	out := b.coerce(e, to, ctx, location)
	if out == nil {
		panic(pgerr.New(pgerr.CannotCoerce, "cannot cast type %s to %s", typeName(e.Type()), typeName(to)).At(b.positionOf(e, location)))
	}
	return out
}

func (b *binder) positionOf(e expr.Expr, location int32) int {
	if at := b.locs[e]; at > 0 {
		return at
	}
	return b.at(location)
}

// literal reads an unknown literal as a type. What depends on the catalog or on
// the session is read when the statement runs.
func (b *binder) literal(c *expr.Const, to pgtypes.Type, location int32) expr.Expr {
	at := b.positionOf(c, location)
	out := expr.Expr(&expr.Const{Typ: to})
	switch text, ok := c.Val.(string); {
	case !ok:
	case isRegType(to.OID):
		out = newCast(&expr.Const{Typ: typeOf(pgtypes.Text), Val: text}, to, explicit)
	case to.OID == pgtypes.RecordOID:
		panic(pgerr.New(pgerr.FeatureNotSupported, "input of anonymous composite types is not implemented").At(at))
	case typeCategory(to.OID) == 'P' && to.OID != pgtypes.Cstring:
		panic(pgerr.New(pgerr.FeatureNotSupported, "cannot accept a value of type %s", typeName(to)).At(at))
	default:
		v, err := decodeLiteral(text, to, b.env.Style)
		if err != nil {
			if e, ok := errors.AsType[*pgerr.Error](err); ok {
				panic(e.At(at))
			}
			panic(pgerr.From(err))
		}
		out = &expr.Const{Typ: to, Val: v}
	}
	if at > 0 {
		b.locs[out] = at
	}
	return out
}

// isRegType reports a type whose text form is a name in the catalog.
func isRegType(t oid) bool {
	switch t {
	case pgtypes.Regproc, pgtypes.Regprocedure, pgtypes.Regoper, pgtypes.Regoperator, pgtypes.Regclass,
		pgtypes.Regtype, pgtypes.Regnamespace, pgtypes.Regrole, pgtypes.Regcollation:
		return true
	}
	return false
}
