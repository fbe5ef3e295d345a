package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// arrayExpr binds ARRAY[…]; elem is set when a cast around it says the type.
func (s *scope) arrayExpr(n *pg.A_ArrayExpr, cast *pgtypes.Type) expr.Expr {
	b := s.b
	args := make([]expr.Expr, len(n.Elements))
	places := make([]int32, len(n.Elements))
	nested := false
	for i, e := range n.Elements {
		if in := e.GetAArrayExpr(); in != nil {
			args[i] = s.arrayExpr(in, cast)
			nested = true
		} else {
			args[i] = s.expr(e)
			nested = nested || elementType(args[i].Type().OID) != 0 && typeCategory(args[i].Type().OID) == 'A'
		}
		places[i] = exprLocation(e)
	}
	var typ pgtypes.Type
	switch {
	case cast != nil:
		typ = *cast
		elem := typeOf(elementType(typ.OID))
		elem.Mod = typ.Mod
		for i := range args {
			want := elem
			if elementType(args[i].Type().OID) != 0 && n.Elements[i].GetAArrayExpr() != nil || typeCategory(args[i].Type().OID) == 'A' {
				want = typ
			}
			out := b.coerce(args[i], want, explicit, places[i])
			if out == nil {
				b.fail(places[i], pgerr.CannotCoerce, "cannot cast type %s to %s", typeName(args[i].Type()), typeName(want))
			}
			args[i] = out
		}
	case len(args) == 0:
		panic(pgerr.New(pgerr.IndeterminateDatatype, "cannot determine type of empty array").
			WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].").At(b.at(n.Location)))
	default:
		elem := b.unify(args, places, "ARRAY")
		if nested {
			typ = typeOf(elem.OID)
		} else {
			a := arrayType(elem.OID)
			if a == 0 {
				b.fail(n.Location, pgerr.UndefinedObject, "could not find array type for data type %s", typeName(elem))
			}
			typ = typeOf(a)
		}
	}
	return b.mark(&expr.ArrayExpr{Elems: args, Typ: typ, Nested: nested}, n.Location)
}

// indirection binds subscripts a[1], slices a[1:2] and fields (row).field.
func (s *scope) indirection(n *pg.A_Indirection) expr.Expr {
	b := s.b
	base := s.expr(n.Arg)
	location := exprLocation(n.Arg)
	var subs []*pg.A_Indices
	flush := func() {
		if len(subs) > 0 {
			base = s.subscript(base, subs, location)
			subs = nil
		}
	}
	for _, in := range n.Indirection {
		switch v := in.Node.(type) {
		case *pg.Node_AIndices:
			subs = append(subs, v.AIndices)
		case *pg.Node_String_:
			flush()
			f := s.fieldOf(base, v.String_.Sval)
			if f == nil {
				if c := n.Arg.GetColumnRef(); c != nil && isRowExpr(base) {
					b.fail(location, pgerr.UndefinedColumn, "column %s.%s does not exist", stringsOf(c.Fields)[0], v.String_.Sval)
				}
				if b.rowFields(base) == nil {
					b.fail(location, pgerr.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", v.String_.Sval, typeName(base.Type()))
				}
				b.fail(location, pgerr.UndefinedColumn, "could not identify column \"%s\" in record data type", v.String_.Sval)
			}
			base = f
		case *pg.Node_AStar:
			b.fail(location, pgerr.FeatureNotSupported, "row expansion via \"*\" is not supported here")
		}
	}
	flush()
	return b.mark(base, location)
}

// fieldOf selects a field of a composite value, nil when there is none.
func (s *scope) fieldOf(e expr.Expr, name string) expr.Expr {
	for i, f := range s.b.rowFields(e) {
		if f.name == name {
			return s.b.mark(newField(e, i, f), -1)
		}
	}
	return nil
}

func (s *scope) subscript(base expr.Expr, subs []*pg.A_Indices, location int32) expr.Expr {
	b := s.b
	typ := base.Type().OID
	if typ == pgtypes.Jsonb {
		for _, sub := range subs {
			if sub.IsSlice {
				b.fail(exprLocation(sub.Lidx), pgerr.DatatypeMismatch, "jsonb subscript does not support slices")
			}
			base = b.operator("", "->", base, s.expr(sub.Uidx), location)
		}
		return base
	}
	if typ == pgtypes.Name && len(subs) == 1 && !subs[0].IsSlice { // its characters, from 0
		one := &expr.Const{Typ: pgtypes.Of(pgtypes.Int4), Val: int64(1)}
		from := b.operator("", "+", s.expr(subs[0].Uidx), one, location)
		text := b.coerce(base, pgtypes.Of(pgtypes.Text), explicit, location)
		return b.coerce(b.call("substr", []expr.Expr{text, from, one}, location), pgtypes.Of(pgtypes.Char), explicit, location)
	}
	elem := elementType(typ)
	if elem == 0 {
		b.fail(location, pgerr.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", typeName(base.Type()))
	}
	slice := false
	for _, sub := range subs {
		slice = slice || sub.IsSlice
	}
	index := func(n *pg.Node) expr.Expr {
		if n == nil {
			return nil
		}
		e := s.expr(n)
		out := b.coerce(e, typeOf(pgtypes.Int4), assignment, exprLocation(n))
		if out == nil {
			b.fail(exprLocation(n), pgerr.DatatypeMismatch, "array subscript must have type integer")
		}
		return out
	}
	var bounds []sliceBound
	for _, sub := range subs {
		switch {
		case sub.IsSlice:
			bounds = append(bounds, sliceBound{lower: index(sub.Lidx), upper: index(sub.Uidx)})
		case slice: // a plain subscript among slices means 1:n
			bounds = append(bounds, sliceBound{lower: &expr.Const{Typ: typeOf(pgtypes.Int4), Val: int64(1)}, upper: index(sub.Uidx)})
		default:
			bounds = append(bounds, sliceBound{upper: index(sub.Uidx)})
		}
	}
	result := typeOf(elem)
	if slice {
		result = base.Type()
	}
	return newSubscript(base, bounds, slice, result)
}

type sliceBound struct{ lower, upper expr.Expr }
