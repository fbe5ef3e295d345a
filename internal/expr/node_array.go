package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An ArrayExpr is ARRAY[…]. Where the elements are arrays themselves the
// result has one dimension more.
type ArrayExpr struct {
	Elems  []Expr
	Typ    pgtypes.Type // the array type
	Nested bool         // the elements are arrays of the same type
}

// Type gives the array type.
func (e *ArrayExpr) Type() pgtypes.Type { return e.Typ }

// Children gives the elements.
func (e *ArrayExpr) Children() []Expr { return e.Elems }

// With replaces the elements.
func (e *ArrayExpr) With(children []Expr) Expr {
	return &ArrayExpr{Elems: children, Typ: e.Typ, Nested: e.Nested}
}

// Eval computes one row.
func (e *ArrayExpr) Eval(env *Env, row []any) (any, error) {
	vals := make([]any, len(e.Elems))
	for i, x := range e.Elems {
		v, err := x.Eval(env, row)
		if err != nil {
			return nil, err
		}
		vals[i] = v
	}
	elem := pgtypes.ElemOf(e.Typ.OID)
	if !e.Nested {
		return pgtypes.NewArray(elem, vals), nil
	}
	return nestArrays(elem, vals)
}

// nestArrays makes one array of arrays of equal dimensions.
func nestArrays(elem pgtypes.OID, vals []any) (*pgtypes.Array, error) {
	out := &pgtypes.Array{Elem: elem}
	var dims []pgtypes.Dim
	for i, v := range vals {
		var sub []pgtypes.Dim
		if a, ok := v.(*pgtypes.Array); ok {
			sub = a.Dims
			out.Elems = append(out.Elems, a.Elems...)
		}
		if i == 0 {
			dims = sub
			continue
		}
		same := len(sub) == len(dims)
		for d := 0; same && d < len(dims); d++ {
			same = sub[d].Len == dims[d].Len
		}
		if !same {
			return nil, pgerr.New(pgerr.ArraySubscriptError, "multidimensional arrays must have array expressions with matching dimensions")
		}
	}
	if len(dims) == 0 {
		return out, nil
	}
	out.Dims = append([]pgtypes.Dim{{Len: int32(len(vals)), Lower: 1}}, dims...)
	return out, nil
}

// Vec evaluates row by row.
func (e *ArrayExpr) Vec(env *Env, b *vector.Batch) (*vector.Column, error) { return ByRows(env, e, b) }

// String prints ARRAY[…].
func (e *ArrayExpr) String() string {
	s := junction(e.Elems, ", ")
	return "ARRAY[" + s[1:len(s)-1] + "]"
}

// A Subscript is a[i] or a[i][j] of an array, int2vector or oidvector, or a
// jsonb value.
type Subscript struct {
	Arg   Expr
	Index []Expr
	Typ   pgtypes.Type
}

// Type gives the element type.
func (e *Subscript) Type() pgtypes.Type { return e.Typ }

// Children gives the array, then the subscripts.
func (e *Subscript) Children() []Expr { return append([]Expr{e.Arg}, e.Index...) }

// With replaces the array and the subscripts.
func (e *Subscript) With(children []Expr) Expr {
	return &Subscript{Arg: children[0], Index: children[1:], Typ: e.Typ}
}

// Eval computes one row.
func (e *Subscript) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	arr, isArray := v.(*pgtypes.Array)
	at := 0
	inside := isArray && len(e.Index) == len(arr.Dims)
	for d, x := range e.Index {
		i, err := x.Eval(env, row)
		if err != nil {
			return nil, err
		}
		if i == nil || v == nil {
			return nil, nil
		}
		if !isArray {
			v = jsonSubscript(v.(string), i)
			continue
		}
		if inside {
			n := i.(int64) - int64(arr.Dims[d].Lower)
			if n < 0 || n >= int64(arr.Dims[d].Len) {
				inside = false
				continue
			}
			at = at*int(arr.Dims[d].Len) + int(n)
		}
	}
	if !isArray {
		return v, nil
	}
	if !inside {
		return nil, nil
	}
	return arr.Elems[at], nil
}

func jsonSubscript(doc string, i any) any {
	var out string
	var ok bool
	switch i := i.(type) {
	case string:
		out, ok = pgtypes.JSONGet(doc, i)
	case int64:
		out, ok = pgtypes.JSONIndex(doc, int(i))
	}
	if !ok {
		return nil
	}
	return out
}

// Vec evaluates row by row.
func (e *Subscript) Vec(env *Env, b *vector.Batch) (*vector.Column, error) { return ByRows(env, e, b) }

// String prints a[i].
func (e *Subscript) String() string {
	var sb strings.Builder
	sb.WriteString(e.Arg.String())
	for _, i := range e.Index {
		sb.WriteString("[" + i.String() + "]")
	}
	return sb.String()
}

// A Slice is a[lo:hi], for each dimension; a nil bound is left out.
type Slice struct {
	Arg          Expr
	Lower, Upper []Expr // of the same length
}

// Type gives the array's own type.
func (e *Slice) Type() pgtypes.Type { return e.Arg.Type() }

// Children gives the array and the bounds that are there.
func (e *Slice) Children() []Expr {
	children := []Expr{e.Arg}
	for i := range e.Lower {
		if e.Lower[i] != nil {
			children = append(children, e.Lower[i])
		}
		if e.Upper[i] != nil {
			children = append(children, e.Upper[i])
		}
	}
	return children
}

// With replaces what Children gives.
func (e *Slice) With(children []Expr) Expr {
	out := &Slice{Arg: children[0], Lower: make([]Expr, len(e.Lower)), Upper: make([]Expr, len(e.Upper))}
	next := 1
	for i := range e.Lower {
		if e.Lower[i] != nil {
			out.Lower[i] = children[next]
			next++
		}
		if e.Upper[i] != nil {
			out.Upper[i] = children[next]
			next++
		}
	}
	return out
}

// Eval computes one row.
func (e *Slice) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	arr, ok := v.(*pgtypes.Array)
	lo, hi := make([]int64, len(e.Lower)), make([]int64, len(e.Upper))
	null := !ok
	for d := range e.Lower {
		lo[d], hi[d] = 1, 0
		if ok && d < len(arr.Dims) {
			lo[d] = int64(arr.Dims[d].Lower)
			hi[d] = lo[d] + int64(arr.Dims[d].Len) - 1
		}
		for _, bound := range []struct {
			e  Expr
			to *int64
		}{{e.Lower[d], &lo[d]}, {e.Upper[d], &hi[d]}} {
			if bound.e == nil {
				continue
			}
			i, err := bound.e.Eval(env, row)
			if err != nil {
				return nil, err
			}
			if i == nil {
				null = true
				continue
			}
			*bound.to = i.(int64)
		}
	}
	if null {
		return nil, nil
	}
	return sliceArray(arr, lo, hi), nil
}

// sliceArray cuts a sub-array; dimensions without bounds are whole.
func sliceArray(arr *pgtypes.Array, lo, hi []int64) *pgtypes.Array {
	out := &pgtypes.Array{Elem: arr.Elem}
	if len(lo) > len(arr.Dims) {
		return out
	}
	from, to := make([]int64, len(arr.Dims)), make([]int64, len(arr.Dims))
	for d, dim := range arr.Dims {
		first, last := int64(dim.Lower), int64(dim.Lower)+int64(dim.Len)-1
		from[d], to[d] = first, last
		if d < len(lo) {
			from[d], to[d] = max(first, lo[d]), min(last, hi[d])
		}
		if from[d] > to[d] {
			return out
		}
	}
	for d := range arr.Dims {
		out.Dims = append(out.Dims, pgtypes.Dim{Len: int32(to[d] - from[d] + 1), Lower: 1})
	}
	var cut func(d, at int)
	cut = func(d, at int) {
		if d == len(arr.Dims) {
			out.Elems = append(out.Elems, arr.Elems[at])
			return
		}
		for i := from[d]; i <= to[d]; i++ {
			cut(d+1, at*int(arr.Dims[d].Len)+int(i-int64(arr.Dims[d].Lower)))
		}
	}
	cut(0, 0)
	return out
}

// Vec evaluates row by row.
func (e *Slice) Vec(env *Env, b *vector.Batch) (*vector.Column, error) { return ByRows(env, e, b) }

// String prints a[lo:hi].
func (e *Slice) String() string {
	var sb strings.Builder
	sb.WriteString("(" + e.Arg.String() + ")")
	for d := range e.Lower {
		sb.WriteByte('[')
		if e.Lower[d] != nil {
			sb.WriteString(e.Lower[d].String())
		}
		sb.WriteByte(':')
		if e.Upper[d] != nil {
			sb.WriteString(e.Upper[d].String())
		}
		sb.WriteByte(']')
	}
	return sb.String()
}

// A RowExpr is ROW(…), or a whole-row reference with the names of its columns.
type RowExpr struct {
	Args  []Expr
	Names []string // nil: f1, f2, …
	Typ   pgtypes.Type
}

// Type gives record, or the row type.
func (e *RowExpr) Type() pgtypes.Type { return e.Typ }

// Children gives the fields.
func (e *RowExpr) Children() []Expr { return e.Args }

// With replaces the fields.
func (e *RowExpr) With(children []Expr) Expr {
	return &RowExpr{Args: children, Names: e.Names, Typ: e.Typ}
}

// Eval computes one row.
func (e *RowExpr) Eval(env *Env, row []any) (any, error) {
	r := &pgtypes.Record{Names: e.Names, Types: make([]pgtypes.Type, len(e.Args)), Vals: make([]any, len(e.Args))}
	for i, a := range e.Args {
		v, err := a.Eval(env, row)
		if err != nil {
			return nil, err
		}
		r.Types[i], r.Vals[i] = a.Type(), v
	}
	return r, nil
}

// Vec evaluates row by row.
func (e *RowExpr) Vec(env *Env, b *vector.Batch) (*vector.Column, error) { return ByRows(env, e, b) }

// String prints ROW(…).
func (e *RowExpr) String() string { return "ROW" + list(e.Args) }

// A FieldSelect is (row).name.
type FieldSelect struct {
	Arg   Expr
	Index int // 0-based
	Name  string
	Typ   pgtypes.Type
}

// Type gives the field's type.
func (e *FieldSelect) Type() pgtypes.Type { return e.Typ }

// Children gives the row.
func (e *FieldSelect) Children() []Expr { return []Expr{e.Arg} }

// With replaces the row.
func (e *FieldSelect) With(children []Expr) Expr {
	return &FieldSelect{Arg: children[0], Index: e.Index, Name: e.Name, Typ: e.Typ}
}

// Eval computes one row.
func (e *FieldSelect) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil {
		return nil, err
	}
	r, ok := v.(*pgtypes.Record)
	if !ok || e.Index >= len(r.Vals) {
		return nil, nil
	}
	return r.Vals[e.Index], nil
}

// Vec evaluates row by row.
func (e *FieldSelect) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	return ByRows(env, e, b)
}

// String prints (row).name.
func (e *FieldSelect) String() string { return "(" + e.Arg.String() + ")." + e.Name }
