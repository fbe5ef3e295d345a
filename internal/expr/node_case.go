package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Case gives the Then of the first When whose condition is true, else Else
// (nil: NULL). Only the branch that is chosen is evaluated. The simple form
// CASE x WHEN y is bound as conditions x = y.
type Case struct {
	Whens []When
	Else  Expr
	Typ   pgtypes.Type
}

// A When is one branch of a Case.
type When struct{ Cond, Then Expr }

// Type gives the common type of the branches.
func (e *Case) Type() pgtypes.Type { return e.Typ }

// Children gives condition and result of each branch, then Else if there is one.
func (e *Case) Children() []Expr {
	children := make([]Expr, 0, 2*len(e.Whens)+1)
	for _, w := range e.Whens {
		children = append(children, w.Cond, w.Then)
	}
	if e.Else != nil {
		children = append(children, e.Else)
	}
	return children
}

// With replaces what Children gives.
func (e *Case) With(children []Expr) Expr {
	out := &Case{Typ: e.Typ, Whens: make([]When, len(e.Whens))}
	for i := range e.Whens {
		out.Whens[i] = When{Cond: children[2*i], Then: children[2*i+1]}
	}
	if e.Else != nil {
		out.Else = children[len(children)-1]
	}
	return out
}

// Eval computes one row.
func (e *Case) Eval(env *Env, row []any) (any, error) {
	for _, w := range e.Whens {
		v, err := w.Cond.Eval(env, row)
		if err != nil {
			return nil, err
		}
		if v == true {
			return w.Then.Eval(env, row)
		}
	}
	if e.Else == nil {
		return nil, nil
	}
	return e.Else.Eval(env, row)
}

// Vec narrows the selection from branch to branch.
func (e *Case) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if col, err := byDictionary(env, e, b); col != nil || err != nil {
		return col, err
	}
	out := newScatter(e.Typ.OID, b.N)
	rest := b
	for _, w := range e.Whens {
		if rest.Live() == 0 {
			return out.finish(), nil
		}
		cond, err := w.Cond.Vec(env, rest)
		if err != nil {
			return nil, err
		}
		var yes []int32
		no := make([]int32, 0, rest.Live())
		for k := range rest.Live() {
			i := rest.Row(k)
			if !cond.IsNull(i) && cond.Bools[i] {
				yes = append(yes, int32(i))
			} else {
				no = append(no, int32(i))
			}
		}
		if err := out.fill(env, w.Then, b, yes); err != nil {
			return nil, err
		}
		rest = b.Select(no)
	}
	var left []int32
	for k := range rest.Live() {
		left = append(left, int32(rest.Row(k)))
	}
	if err := out.fill(env, e.Else, b, left); err != nil {
		return nil, err
	}
	return out.finish(), nil
}

// fill evaluates e (nil: NULL) for some rows of b and stores the values.
func (s *scatter) fill(env *Env, e Expr, b *vector.Batch, rows []int32) error {
	if len(rows) == 0 {
		return nil
	}
	if e == nil {
		for _, i := range rows {
			s.setNull(int(i))
		}
		return nil
	}
	if c, ok := e.(*Const); ok {
		for _, i := range rows {
			s.set(int(i), c.Val)
		}
		return nil
	}
	col, err := e.Vec(env, b.Select(rows))
	if err != nil {
		return err
	}
	for _, i := range rows {
		s.setRow(int(i), col)
	}
	return nil
}

// String prints CASE WHEN … END.
func (e *Case) String() string {
	var sb strings.Builder
	sb.WriteString("CASE")
	for _, w := range e.Whens {
		sb.WriteString(" WHEN " + w.Cond.String() + " THEN " + w.Then.String())
	}
	if e.Else != nil {
		sb.WriteString(" ELSE " + e.Else.String())
	}
	sb.WriteString(" END")
	return sb.String()
}

// Coalesce gives the first operand that is not NULL; later ones are not
// evaluated.
type Coalesce struct {
	Args []Expr
	Typ  pgtypes.Type
}

// Type gives the common type.
func (e *Coalesce) Type() pgtypes.Type { return e.Typ }

// Children gives the operands.
func (e *Coalesce) Children() []Expr { return e.Args }

// With replaces the operands.
func (e *Coalesce) With(children []Expr) Expr { return &Coalesce{Args: children, Typ: e.Typ} }

// Eval computes one row.
func (e *Coalesce) Eval(env *Env, row []any) (any, error) {
	for _, a := range e.Args {
		v, err := a.Eval(env, row)
		if err != nil || v != nil {
			return v, err
		}
	}
	return nil, nil
}

// Vec narrows the selection to the rows that are still NULL.
func (e *Coalesce) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if col, err := byDictionary(env, e, b); col != nil || err != nil {
		return col, err
	}
	out := newScatter(e.Typ.OID, b.N)
	view := b
	for _, a := range e.Args {
		col, err := a.Vec(env, view)
		if err != nil {
			return nil, err
		}
		if view == b && col.Valid == nil {
			return col, nil
		}
		null := make([]int32, 0, 16)
		for k := range view.Live() {
			i := view.Row(k)
			if col.IsNull(i) {
				null = append(null, int32(i))
			} else {
				out.setRow(i, col)
			}
		}
		if len(null) == 0 {
			return out.finish(), nil
		}
		view = b.Select(null)
	}
	for k := range view.Live() {
		out.setNull(view.Row(k))
	}
	return out.finish(), nil
}

// String prints COALESCE(…).
func (e *Coalesce) String() string { return "COALESCE" + list(e.Args) }

func list(args []Expr) string { return junction(args, ", ") }

// NullIf is NULL where its operands are equal by Eq, else the left one.
type NullIf struct {
	Eq          *Func
	Left, Right Expr
}

// Type gives the left operand's type.
func (e *NullIf) Type() pgtypes.Type { return e.Left.Type() }

// Children gives both operands.
func (e *NullIf) Children() []Expr { return []Expr{e.Left, e.Right} }

// With replaces both operands.
func (e *NullIf) With(children []Expr) Expr {
	return &NullIf{Eq: e.Eq, Left: children[0], Right: children[1]}
}

// Eval computes one row.
func (e *NullIf) Eval(env *Env, row []any) (any, error) {
	l, err := e.Left.Eval(env, row)
	if err != nil || l == nil {
		return nil, err
	}
	r, err := e.Right.Eval(env, row)
	if err != nil || r == nil {
		return l, err
	}
	eq, err := e.Eq.Row(env, e.equality(), []any{l, r})
	if err != nil || eq == true {
		return nil, err
	}
	return l, nil
}

func (e *NullIf) equality() *Call {
	return &Call{Fn: e.Eq, Args: []Expr{e.Left, e.Right}, Typ: boolean}
}

// Vec computes the live rows.
func (e *NullIf) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if col, err := byDictionary(env, e, b); col != nil || err != nil {
		return col, err
	}
	l, err := e.Left.Vec(env, b)
	if err != nil {
		return nil, err
	}
	eq, err := e.equality().Vec(env, b)
	if err != nil {
		return nil, err
	}
	out := newScatter(e.Type().OID, b.N)
	for k := range b.Live() {
		i := b.Row(k)
		if !eq.IsNull(i) && eq.Bools[i] {
			out.setNull(i)
		} else {
			out.setRow(i, l)
		}
	}
	return out.finish(), nil
}

// String prints NULLIF(a, b).
func (e *NullIf) String() string { return "NULLIF" + list([]Expr{e.Left, e.Right}) }

// MinMax is GREATEST, or with Least LEAST: NULLs are ignored.
type MinMax struct {
	Args  []Expr
	Typ   pgtypes.Type
	Least bool
}

// Type gives the common type.
func (e *MinMax) Type() pgtypes.Type { return e.Typ }

// Children gives the operands.
func (e *MinMax) Children() []Expr { return e.Args }

// With replaces the operands.
func (e *MinMax) With(children []Expr) Expr {
	return &MinMax{Args: children, Typ: e.Typ, Least: e.Least}
}

// Eval computes one row.
func (e *MinMax) Eval(env *Env, row []any) (any, error) {
	var best any
	for _, a := range e.Args {
		v, err := a.Eval(env, row)
		if err != nil {
			return nil, err
		}
		best = e.better(best, v)
	}
	return best, nil
}

func (e *MinMax) better(best, v any) any {
	if v == nil {
		return best
	}
	if best == nil {
		return v
	}
	if c := pgtypes.Compare(e.Typ, v, best); c < 0 && e.Least || c > 0 && !e.Least {
		return v
	}
	return best
}

// Vec computes the live rows.
func (e *MinMax) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	cols := make([]*vector.Column, len(e.Args))
	for i, a := range e.Args {
		c, err := a.Vec(env, b)
		if err != nil {
			return nil, err
		}
		cols[i] = c
	}
	out := newScatter(e.Typ.OID, b.N)
	for k := range b.Live() {
		i := b.Row(k)
		var best any
		for _, c := range cols {
			best = e.better(best, c.Value(i))
		}
		out.set(i, best)
	}
	return out.finish(), nil
}

// String prints GREATEST(…) or LEAST(…).
func (e *MinMax) String() string {
	if e.Least {
		return "LEAST" + list(e.Args)
	}
	return "GREATEST" + list(e.Args)
}
