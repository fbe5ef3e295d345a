package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An InList is x IN (a, b, …), or with Negate NOT IN. Eq is the equality that
// compares Arg with each item.
type InList struct {
	Eq     *Func
	Arg    Expr
	List   []Expr
	Negate bool

	set *constSet // of a list of constants of Arg's own form; made by NewInList
}

// NewInList makes an InList; a list of constants becomes a set.
func NewInList(eq *Func, arg Expr, items []Expr, negate bool) *InList {
	e := &InList{Eq: eq, Arg: arg, List: items, Negate: negate}
	vals := make([]any, len(items))
	for i, item := range items {
		c, ok := item.(*Const)
		if !ok || !sameValues(arg.Type().OID, c.Typ.OID) {
			return e
		}
		vals[i] = c.Val
	}
	e.set = newConstSet(arg.Type(), vals)
	return e
}

// sameValues reports whether equality between two types is equality of their
// values' form.
func sameValues(a, b pgtypes.OID) bool {
	class := func(oid pgtypes.OID) int {
		switch oid {
		case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8, pgtypes.Oid:
			return 1
		case pgtypes.Text, pgtypes.Varchar, pgtypes.Name, pgtypes.Unknown:
			return 2
		case pgtypes.Float4, pgtypes.Float8:
			return 3
		}
		return 0
	}
	return a == b || class(a) != 0 && class(a) == class(b)
}

// A constSet is the values of a constant list.
type constSet struct {
	typ  pgtypes.Type
	null bool // a NULL is in the list
	strs map[string]struct{}
	ints map[int64]struct{}
	keys map[string]struct{}
}

func newConstSet(typ pgtypes.Type, vals []any) *constSet {
	s := &constSet{typ: typ}
	kind := KindOf(typ.OID)
	switch {
	case kind == vector.String && typ.OID != pgtypes.Jsonb && typ.OID != pgtypes.Bpchar:
		s.strs = make(map[string]struct{}, len(vals))
	case kind == vector.Int64:
		s.ints = make(map[int64]struct{}, len(vals))
	default:
		s.keys = make(map[string]struct{}, len(vals))
	}
	for _, v := range vals {
		switch {
		case v == nil:
			s.null = true
		case s.strs != nil:
			s.strs[v.(string)] = struct{}{}
		case s.ints != nil:
			s.ints[v.(int64)] = struct{}{}
		default:
			s.keys[string(pgtypes.AppendKey(nil, typ, v))] = struct{}{}
		}
	}
	return s
}

func (s *constSet) has(v any) bool {
	var ok bool
	switch {
	case s.strs != nil:
		_, ok = s.strs[v.(string)]
	case s.ints != nil:
		_, ok = s.ints[v.(int64)]
	default:
		_, ok = s.keys[string(pgtypes.AppendKey(nil, s.typ, v))]
	}
	return ok
}

// vec tests the live rows of a column: negate turns IN into NOT IN.
func (s *constSet) vec(col *vector.Column, b *vector.Batch, negate bool) *vector.Column {
	out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N)}
	setNull := func(i int) {
		if out.Valid == nil {
			out.Valid = vector.Ones(b.N)
		}
		out.Valid.Clear(i)
	}
	var lut []bool
	if col.HasDict() && s.strs != nil && len(col.Dict) <= 2*b.Live() {
		lut = make([]bool, len(col.Dict))
		for i, v := range col.Dict {
			_, lut[i] = s.strs[v]
		}
	}
	var buf []byte
	for k := range b.Live() {
		i := b.Row(k)
		if col.IsNull(i) {
			setNull(i)
			continue
		}
		var in bool
		switch {
		case lut != nil:
			in = lut[col.Codes[i]]
		case s.strs != nil && col.Kind == vector.String:
			_, in = s.strs[col.Str(i)]
		case s.strs != nil && col.Kind == vector.Hex:
			buf = col.AppendHex(buf[:0], i)
			_, in = s.strs[string(buf)]
		case s.ints != nil && col.Kind == vector.Int64:
			_, in = s.ints[col.Ints[i]]
		default:
			in = s.has(col.Value(i))
		}
		if !in && s.null {
			setNull(i)
			continue
		}
		out.Bools[i] = in != negate
	}
	return out
}

// Type gives bool.
func (e *InList) Type() pgtypes.Type { return boolean }

// Children gives the operand, then the list.
func (e *InList) Children() []Expr { return append([]Expr{e.Arg}, e.List...) }

// With replaces the operand and the list.
func (e *InList) With(children []Expr) Expr {
	return NewInList(e.Eq, children[0], children[1:], e.Negate)
}

// Eval computes one row.
func (e *InList) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	if e.set != nil {
		switch {
		case v == nil:
			return nil, nil
		case e.set.has(v):
			return !e.Negate, nil
		case e.set.null:
			return nil, nil
		}
		return e.Negate, nil
	}
	null := v == nil
	for _, item := range e.List {
		w, err := item.Eval(env, row)
		if err != nil {
			return nil, err
		}
		if w == nil || v == nil {
			null = true
			continue
		}
		eq, err := e.Eq.Row(env, &Call{Fn: e.Eq, Args: []Expr{e.Arg, item}, Typ: boolean}, []any{v, w})
		if err != nil {
			return nil, err
		}
		switch eq {
		case nil:
			null = true
		case true:
			return !e.Negate, nil
		}
	}
	if null {
		return nil, nil
	}
	return e.Negate, nil
}

// Vec computes the live rows.
func (e *InList) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if e.set == nil {
		return ByRows(env, e, b)
	}
	col, err := e.Arg.Vec(env, b)
	if err != nil {
		return nil, err
	}
	return e.set.vec(col, b, e.Negate), nil
}

// String prints (x IN (a, b)).
func (e *InList) String() string {
	word := " IN "
	if e.Negate {
		word = " NOT IN "
	}
	return "(" + e.Arg.String() + word + list(e.List) + ")"
}

// An ArrayOp is x op ANY (array), or with All x op ALL (array).
type ArrayOp struct {
	Op    *Func
	Left  Expr
	Array Expr
	All   bool

	set *constSet // of = ANY (constant array); made by NewArrayOp
}

// NewArrayOp makes an ArrayOp; = ANY over a constant array becomes a set.
func NewArrayOp(op *Func, left, array Expr, all bool) *ArrayOp {
	e := &ArrayOp{Op: op, Left: left, Array: array, All: all}
	if c, ok := array.(*Const); ok && op.Operator == "=" && !all {
		if arr, ok := c.Val.(*pgtypes.Array); ok && sameValues(left.Type().OID, arr.Elem) {
			e.set = newConstSet(left.Type(), arr.Elems)
		}
	}
	return e
}

// Type gives bool.
func (e *ArrayOp) Type() pgtypes.Type { return boolean }

// Children gives both operands.
func (e *ArrayOp) Children() []Expr { return []Expr{e.Left, e.Array} }

// With replaces both operands.
func (e *ArrayOp) With(children []Expr) Expr {
	return NewArrayOp(e.Op, children[0], children[1], e.All)
}

// Eval computes one row.
func (e *ArrayOp) Eval(env *Env, row []any) (any, error) {
	v, err := e.Left.Eval(env, row)
	if err != nil {
		return nil, err
	}
	a, err := e.Array.Eval(env, row)
	if err != nil || a == nil {
		return nil, err
	}
	return e.test(env, v, a.(*pgtypes.Array))
}

func (e *ArrayOp) test(env *Env, v any, arr *pgtypes.Array) (any, error) {
	if len(arr.Elems) == 0 {
		return e.All, nil
	}
	if v == nil && e.Op.Strict {
		return nil, nil
	}
	call := &Call{Fn: e.Op, Args: []Expr{e.Left, &Const{Typ: pgtypes.Of(arr.Elem)}}, Typ: boolean}
	null := false
	for _, w := range arr.Elems {
		var r any
		if w != nil || !e.Op.Strict {
			var err error
			if r, err = e.Op.Row(env, call, []any{v, w}); err != nil {
				return nil, err
			}
		}
		switch r {
		case nil:
			null = true
		case !e.All:
			return !e.All, nil
		}
	}
	if null {
		return nil, nil
	}
	return e.All, nil
}

// Vec computes the live rows.
func (e *ArrayOp) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if e.set != nil && len(e.Array.(*Const).Val.(*pgtypes.Array).Elems) > 0 {
		col, err := e.Left.Vec(env, b)
		if err != nil {
			return nil, err
		}
		return e.set.vec(col, b, false), nil
	}
	if col, err := byDictionary(env, e, b); col != nil || err != nil {
		return col, err
	}
	return ByRows(env, e, b)
}

// String prints (x op ANY (array)).
func (e *ArrayOp) String() string {
	word := " ANY ("
	if e.All {
		word = " ALL ("
	}
	var sb strings.Builder
	sb.WriteString("(" + e.Left.String() + " " + e.Op.Operator + word + e.Array.String() + "))")
	return sb.String()
}
