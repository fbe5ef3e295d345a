package bind

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// conjunction joins conditions with AND; nil when there is none.
func conjunction(list []expr.Expr) expr.Expr {
	var flat []expr.Expr
	for _, e := range list {
		flat = append(flat, conjuncts(e)...)
	}
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return flat[0]
	}
	return &expr.And{Args: flat}
}

// conjuncts splits a condition at AND.
func conjuncts(e expr.Expr) []expr.Expr {
	if e == nil {
		return nil
	}
	if and, ok := e.(*expr.And); ok {
		var out []expr.Expr
		for _, a := range and.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []expr.Expr{e}
}

func newAnd(args []expr.Expr) expr.Expr {
	if len(args) == 1 {
		return args[0]
	}
	return &expr.And{Args: args}
}

func newOr(args []expr.Expr) expr.Expr {
	if len(args) == 1 {
		return args[0]
	}
	return &expr.Or{Args: args}
}

func newRow(args []expr.Expr, names []string) expr.Expr {
	return &expr.RowExpr{Args: args, Names: names, Typ: typeOf(pgtypes.RecordOID)}
}

func isRowExpr(e expr.Expr) bool {
	_, ok := e.(*expr.RowExpr)
	return ok
}

func rowArgs(e expr.Expr) []expr.Expr { return e.(*expr.RowExpr).Args }

// rowExprFields gives the fields of a row constructor, nil for other values.
func rowExprFields(e expr.Expr) []rowField {
	row, ok := e.(*expr.RowExpr)
	if !ok {
		return nil
	}
	fields := make([]rowField, len(row.Args))
	for i, a := range row.Args {
		fields[i] = rowField{name: row.Names[i], typ: a.Type()}
	}
	return fields
}

// newField selects a field: of a row constructor, the field itself.
func newField(row expr.Expr, i int, f rowField) expr.Expr {
	if r, ok := row.(*expr.RowExpr); ok {
		return r.Args[i]
	}
	return &expr.FieldSelect{Arg: row, Index: i, Name: f.name, Typ: f.typ}
}

func newSubscript(base expr.Expr, bounds []sliceBound, slice bool, typ pgtypes.Type) expr.Expr {
	if !slice {
		s := &expr.Subscript{Arg: base, Typ: typ}
		for _, b := range bounds {
			s.Index = append(s.Index, b.upper)
		}
		return s
	}
	s := &expr.Slice{Arg: base}
	for _, b := range bounds {
		s.Lower, s.Upper = append(s.Lower, b.lower), append(s.Upper, b.upper)
	}
	return s
}

func newCase(conds, results []expr.Expr, otherwise expr.Expr, typ pgtypes.Type) expr.Expr {
	c := &expr.Case{Else: otherwise, Typ: typ}
	for i := range conds {
		c.Whens = append(c.Whens, expr.When{Cond: conds[i], Then: results[i]})
	}
	return c
}

func newCast(e expr.Expr, to pgtypes.Type, ctx castContext) expr.Expr {
	return &expr.Cast{Arg: e, Typ: to, Explicit: ctx == explicit}
}

// decodeLiteral reads the text form of a type.
func decodeLiteral(text string, to pgtypes.Type, style *pgtypes.TextStyle) (any, error) {
	return pgtypes.DecodeText(to, text, style)
}
