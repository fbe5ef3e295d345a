package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// And is true if all operands are; operands after one that is false are not
// evaluated for that row.
type And struct{ Args []Expr }

// Or is true if one operand is; operands after one that is true are not
// evaluated for that row.
type Or struct{ Args []Expr }

// Not negates.
type Not struct{ Arg Expr }

var boolean = pgtypes.Of(pgtypes.Bool)

// Type gives bool.
func (e *And) Type() pgtypes.Type { return boolean }

// Children gives the operands.
func (e *And) Children() []Expr { return e.Args }

// With replaces the operands.
func (e *And) With(children []Expr) Expr { return &And{Args: children} }

// Eval computes one row.
func (e *And) Eval(env *Env, row []any) (any, error) { return evalJunction(env, e.Args, row, false) }

// Vec computes the live rows.
func (e *And) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	return vecJunction(env, e.Args, b, false)
}

// String joins the operands with AND.
func (e *And) String() string { return junction(e.Args, " AND ") }

// Type gives bool.
func (e *Or) Type() pgtypes.Type { return boolean }

// Children gives the operands.
func (e *Or) Children() []Expr { return e.Args }

// With replaces the operands.
func (e *Or) With(children []Expr) Expr { return &Or{Args: children} }

// Eval computes one row.
func (e *Or) Eval(env *Env, row []any) (any, error) { return evalJunction(env, e.Args, row, true) }

// Vec computes the live rows.
func (e *Or) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	return vecJunction(env, e.Args, b, true)
}

// String joins the operands with OR.
func (e *Or) String() string { return junction(e.Args, " OR ") }

func junction(args []Expr, word string) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.String()
	}
	return "(" + strings.Join(parts, word) + ")"
}

// evalJunction stops at the first operand equal to decisive: true for OR,
// false for AND.
func evalJunction(env *Env, args []Expr, row []any, decisive bool) (any, error) {
	null := false
	for _, a := range args {
		v, err := a.Eval(env, row)
		if err != nil {
			return nil, err
		}
		switch v {
		case nil:
			null = true
		case decisive:
			return decisive, nil
		}
	}
	if null {
		return nil, nil
	}
	return !decisive, nil
}

func vecJunction(env *Env, args []Expr, b *vector.Batch, decisive bool) (*vector.Column, error) {
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N)}
	if !decisive {
		for i := range out.Bools {
			out.Bools[i] = true
		}
	}
	null := vector.Bitmap(nil)
	view := b
	for n, a := range args {
		col, err := a.Vec(env, view)
		if err != nil {
			return nil, err
		}
		open := make([]int32, 0, view.Live())
		for k := range view.Live() {
			i := view.Row(k)
			switch {
			case col.IsNull(i):
				if null == nil {
					null = vector.NewBitmap(b.N)
				}
				null.Set(i)
				open = append(open, int32(i))
			case col.Bools[i] == decisive:
				out.Bools[i] = decisive
				if null != nil {
					null.Clear(i)
				}
			default:
				open = append(open, int32(i))
			}
		}
		if len(open) == 0 {
			break
		}
		if n < len(args)-1 {
			view = b.Select(open)
		}
	}
	if null != nil {
		out.Valid = vector.Ones(b.N)
		for i := range null {
			out.Valid[i] &^= null[i]
		}
		for i := range b.N {
			if null.Get(i) {
				out.Bools[i] = false
			}
		}
	}
	return out, nil
}

// Type gives bool.
func (e *Not) Type() pgtypes.Type { return boolean }

// Children gives the operand.
func (e *Not) Children() []Expr { return []Expr{e.Arg} }

// With replaces the operand.
func (e *Not) With(children []Expr) Expr { return &Not{Arg: children[0]} }

// Eval computes one row.
func (e *Not) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil || v == nil {
		return nil, err
	}
	return !v.(bool), nil
}

// Vec computes the live rows.
func (e *Not) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	col, err := e.Arg.Vec(env, b)
	if err != nil {
		return nil, err
	}
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N), Valid: col.Valid}
	for k := range b.Live() {
		i := b.Row(k)
		out.Bools[i] = !col.IsNull(i) && !col.Bools[i] // of NULLs alone, a column has no booleans
	}
	return out, nil
}

// String prints (NOT x).
func (e *Not) String() string { return "(NOT " + e.Arg.String() + ")" }

// IsNull is IS NULL, or with Negate IS NOT NULL. A row value is null if all its
// fields are, and not null if none is.
type IsNull struct {
	Arg    Expr
	Negate bool
}

// Type gives bool.
func (e *IsNull) Type() pgtypes.Type { return boolean }

// Children gives the operand.
func (e *IsNull) Children() []Expr { return []Expr{e.Arg} }

// With replaces the operand.
func (e *IsNull) With(children []Expr) Expr { return &IsNull{Arg: children[0], Negate: e.Negate} }

// Eval computes one row.
func (e *IsNull) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	return e.test(v), nil
}

func (e *IsNull) test(v any) bool {
	if r, ok := v.(*pgtypes.Record); ok {
		for _, f := range r.Vals {
			if (f == nil) == e.Negate {
				return false
			}
		}
		return true
	}
	return (v == nil) != e.Negate
}

// Vec computes the live rows.
func (e *IsNull) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	col, err := e.Arg.Vec(env, b)
	if err != nil {
		return nil, err
	}
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N)}
	record := col.Kind == vector.Any
	for k := range b.Live() {
		i := b.Row(k)
		if record {
			out.Bools[i] = e.test(col.Value(i))
		} else {
			out.Bools[i] = col.IsNull(i) != e.Negate
		}
	}
	return out, nil
}

// String prints (x IS NULL).
func (e *IsNull) String() string {
	if e.Negate {
		return "(" + e.Arg.String() + " IS NOT NULL)"
	}
	return "(" + e.Arg.String() + " IS NULL)"
}

// IsDistinct is IS DISTINCT FROM: inequality in which NULL equals NULL. With
// Negate it is IS NOT DISTINCT FROM. Eq is the types' equality.
type IsDistinct struct {
	Eq          *Func
	Left, Right Expr
	Negate      bool
}

// Type gives bool.
func (e *IsDistinct) Type() pgtypes.Type { return boolean }

// Children gives both operands.
func (e *IsDistinct) Children() []Expr { return []Expr{e.Left, e.Right} }

// With replaces both operands.
func (e *IsDistinct) With(children []Expr) Expr {
	return &IsDistinct{Eq: e.Eq, Left: children[0], Right: children[1], Negate: e.Negate}
}

// Eval computes one row.
func (e *IsDistinct) Eval(env *Env, row []any) (any, error) {
	l, err := e.Left.Eval(env, row)
	if err != nil {
		return nil, err
	}
	r, err := e.Right.Eval(env, row)
	if err != nil {
		return nil, err
	}
	if l == nil || r == nil {
		return (l == nil && r == nil) == e.Negate, nil
	}
	eq, err := e.Eq.Row(env, &Call{Fn: e.Eq, Args: []Expr{e.Left, e.Right}, Typ: boolean}, []any{l, r})
	if err != nil {
		return nil, err
	}
	return eq == e.Negate, nil
}

// Vec computes the live rows.
func (e *IsDistinct) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if col, err := byDictionary(env, e, b); col != nil || err != nil {
		return col, err
	}
	eq := &Call{Fn: e.Eq, Args: []Expr{e.Left, e.Right}, Typ: boolean}
	l, err := e.Left.Vec(env, b)
	if err != nil {
		return nil, err
	}
	r, err := e.Right.Vec(env, b)
	if err != nil {
		return nil, err
	}
	col, err := eq.Vec(env, b)
	if err != nil {
		return nil, err
	}
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N)}
	for k := range b.Live() {
		i := b.Row(k)
		ln, rn := l.IsNull(i), r.IsNull(i)
		same := ln && rn
		if !ln && !rn {
			same = col.Bools[i]
		}
		out.Bools[i] = same == e.Negate
	}
	return out, nil
}

// String prints (a IS DISTINCT FROM b).
func (e *IsDistinct) String() string {
	word := " IS DISTINCT FROM "
	if e.Negate {
		word = " IS NOT DISTINCT FROM "
	}
	return "(" + e.Left.String() + word + e.Right.String() + ")"
}

// BoolTest is IS TRUE, IS FALSE or IS UNKNOWN, by Want: true, false or nil;
// with Negate its opposite.
type BoolTest struct {
	Arg    Expr
	Want   any
	Negate bool
}

// Type gives bool.
func (e *BoolTest) Type() pgtypes.Type { return boolean }

// Children gives the operand.
func (e *BoolTest) Children() []Expr { return []Expr{e.Arg} }

// With replaces the operand.
func (e *BoolTest) With(children []Expr) Expr {
	return &BoolTest{Arg: children[0], Want: e.Want, Negate: e.Negate}
}

// Eval computes one row.
func (e *BoolTest) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	return (v == e.Want) != e.Negate, nil
}

// Vec computes the live rows.
func (e *BoolTest) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	col, err := e.Arg.Vec(env, b)
	if err != nil {
		return nil, err
	}
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N)}
	want, isBool := e.Want.(bool)
	for k := range b.Live() {
		i := b.Row(k)
		null := col.IsNull(i)
		is := null
		if isBool {
			is = !null && col.Bools[i] == want
		}
		out.Bools[i] = is != e.Negate
	}
	return out, nil
}

// String prints (x IS TRUE).
func (e *BoolTest) String() string {
	word := "UNKNOWN"
	switch e.Want {
	case true:
		word = "TRUE"
	case false:
		word = "FALSE"
	}
	if e.Negate {
		word = "NOT " + word
	}
	return "(" + e.Arg.String() + " IS " + word + ")"
}
