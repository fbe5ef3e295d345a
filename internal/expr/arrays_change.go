package expr

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// arrayConcat is array || array: of as many dimensions, one behind the other;
// of one dimension less, as an element of the larger one.
func arrayConcat(_ *Env, _ *Call, args []any) (any, error) {
	a, okA := args[0].(*pgtypes.Array)
	b, okB := args[1].(*pgtypes.Array)
	switch {
	case !okA && !okB:
		return nil, nil
	case !okA, len(a.Dims) == 0 && okB:
		return b, nil
	case !okB, len(b.Dims) == 0:
		return a, nil
	}
	larger, inner, length := a, b.Dims, int32(0)
	switch len(a.Dims) - len(b.Dims) {
	case 0:
		inner, length = b.Dims[1:], a.Dims[0].Len+b.Dims[0].Len
	case 1:
		length = a.Dims[0].Len + 1
	case -1:
		larger, inner, length = b, a.Dims, b.Dims[0].Len+1
	default:
		return nil, incompatibleArrays("Arrays of %d and %d dimensions are not compatible for concatenation.", len(a.Dims), len(b.Dims))
	}
	for i, d := range larger.Dims[1:] {
		if d.Len != inner[i].Len {
			return nil, incompatibleArrays("Arrays with differing element dimensions are not compatible for concatenation.")
		}
	}
	out := &pgtypes.Array{
		Elem: a.Elem, Dims: append([]pgtypes.Dim(nil), larger.Dims...),
		Elems: append(append([]any(nil), a.Elems...), b.Elems...),
	}
	out.Dims[0].Len = length
	return out, nil
}

func incompatibleArrays(detail string, args ...any) error {
	return pgerr.New("2202E", "cannot concatenate incompatible arrays").WithDetail(detail, args...)
}

// arrayReplace puts one value where another stands.
func arrayReplace(_ *Env, _ *Call, args []any) (any, error) {
	a, ok := args[0].(*pgtypes.Array)
	if !ok {
		return nil, nil
	}
	out := &pgtypes.Array{Elem: a.Elem, Dims: a.Dims, Elems: make([]any, len(a.Elems))}
	for i, e := range a.Elems {
		if equalElements(pgtypes.Of(a.Elem), e, args[1]) {
			e = args[2]
		}
		out.Elems[i] = e
	}
	return out, nil
}

// arrayPositions finds every place of a value.
func arrayPositions(_ *Env, _ *Call, args []any) (any, error) {
	a, ok := args[0].(*pgtypes.Array)
	if !ok {
		return nil, nil
	}
	if len(a.Dims) > 1 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
	}
	var places []any
	for i, e := range a.Elems {
		if equalElements(pgtypes.Of(a.Elem), e, args[1]) {
			places = append(places, int64(a.Dims[0].Lower)+int64(i))
		}
	}
	return pgtypes.NewArray(pgtypes.Int4, places), nil
}

// PostgreSQL's limits (MaxArraySize of 8-byte elements, MAXDIM).
const (
	maxArrayElems = 1<<27 - 1
	maxArrayDims  = 6
)

// arrayFill makes an array of one value, with the given lengths and, where
// there is a third argument, lower bounds.
func arrayFill(env *Env, call *Call, args []any) (any, error) {
	lengths, ok := args[1].(*pgtypes.Array)
	if !ok || len(args) > 2 && args[2] == nil {
		return nil, pgerr.New("22004", "dimension array or low bound array cannot be null")
	}
	if dims := len(lengths.Elems); dims > maxArrayDims {
		return nil, pgerr.New("54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", dims, maxArrayDims)
	}
	if len(args) > 2 && len(args[2].(*pgtypes.Array).Elems) != len(lengths.Elems) {
		return nil, pgerr.New("2202E", "wrong number of array subscripts").
			WithDetail("Low bound array has different size than dimensions array.")
	}
	out := &pgtypes.Array{Elem: pgtypes.ElemOf(call.Typ.OID)}
	n := int64(1)
	for i, v := range lengths.Elems {
		size, ok := v.(int64)
		if !ok {
			return nil, pgerr.New("22004", "dimension values cannot be null")
		}
		d := pgtypes.Dim{Len: int32(size), Lower: 1}
		if len(args) > 2 {
			lower, ok := args[2].(*pgtypes.Array).Elems[i].(int64)
			if !ok {
				return nil, pgerr.New("22004", "dimension values cannot be null")
			}
			d.Lower = int32(lower)
		}
		if n *= size; size < 0 || n > maxArrayElems {
			return nil, pgerr.New("54000", "array size exceeds the maximum allowed (%d)", maxArrayElems)
		}
		out.Dims = append(out.Dims, d)
	}
	if n <= 0 || len(lengths.Elems) == 0 {
		return &pgtypes.Array{Elem: out.Elem}, nil
	}
	const elemBytes = 16 // of an interface
	if err := env.room(n * elemBytes); err != nil {
		return nil, err
	}
	out.Elems = make([]any, n)
	for i := range out.Elems {
		out.Elems[i] = args[0]
	}
	return out, nil
}

func arrayDims(a *pgtypes.Array) any {
	if len(a.Dims) == 0 {
		return nil
	}
	var b strings.Builder
	for _, d := range a.Dims {
		fmt.Fprintf(&b, "[%d:%d]", d.Lower, d.Lower+d.Len-1)
	}
	return b.String()
}

// trimArray drops elements of the first dimension from the end.
func trimArray(a *pgtypes.Array, n int64) (any, error) {
	rows := int64(0)
	if len(a.Dims) > 0 {
		rows = int64(a.Dims[0].Len)
	}
	if n < 0 || n > rows {
		return nil, pgerr.New("2202E", "number of elements to trim must be between 0 and %d", rows)
	}
	if n == rows {
		return &pgtypes.Array{Elem: a.Elem}, nil
	}
	dims := append([]pgtypes.Dim(nil), a.Dims...)
	dims[0] = pgtypes.Dim{Len: int32(rows - n), Lower: 1}
	return &pgtypes.Array{Elem: a.Elem, Dims: dims, Elems: a.Elems[:int64(len(a.Elems))/rows*(rows-n)]}, nil
}

// numericSeries is generate_series over numerics.
func numericSeries(env *Env, args []any, emit func([]any) error) error {
	from, to, step := args[0].(*apd.Decimal), args[1].(*apd.Decimal), apd.New(1, 0)
	if len(args) > 2 {
		step = args[2].(*apd.Decimal)
	}
	for i, d := range []*apd.Decimal{from, to, step} {
		if d.Form != apd.Finite {
			what := [...]string{"start value", "stop value", "step size"}[i]
			is := "infinity"
			if d.Form == apd.NaN {
				is = "NaN"
			}
			return pgerr.New(pgerr.InvalidParameterValue, "%s cannot be %s", what, is)
		}
	}
	if step.IsZero() {
		return pgerr.New(pgerr.InvalidParameterValue, "step size cannot equal zero")
	}
	typ := pgtypes.Of(pgtypes.Numeric)
	var err error
	for n := 0; ; n++ {
		if c := pgtypes.Compare(typ, from, to); c > 0 && !step.Negative || c < 0 && step.Negative {
			return nil
		}
		if err := emit([]any{from}); err != nil {
			return err
		}
		if n%8192 == 0 && env.Ctx != nil && env.Ctx.Err() != nil {
			return env.Ctx.Err()
		}
		if from, err = pgtypes.NumericAdd(from, step); err != nil {
			return err
		}
	}
}

// stringToTable gives what string_to_array does, row by row.
func stringToTable(env *Env, call *Call, args []any, emit func([]any) error) error {
	a, err := stringToArray(env, call, args)
	if err != nil || a == nil {
		return err
	}
	return unnest(env, call, []any{a}, emit)
}

func arrayChangeFunctions() map[string]impl {
	series := set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
		return numericSeries(env, args, emit)
	})
	return map[string]impl{
		"string_to_table(text,text)": set(stringToTable), "string_to_table(text,text,text)": set(stringToTable),
		"array_cat(anycompatiblearray,anycompatiblearray)":              raw(arrayConcat),
		"anycompatiblearray || anycompatiblearray":                      raw(arrayConcat),
		"array_replace(anycompatiblearray,anycompatible,anycompatible)": raw(arrayReplace),
		"array_positions(anycompatiblearray,anycompatible)":             raw(arrayPositions),
		"array_fill(anyelement,_int4)":                                  raw(arrayFill),
		"array_fill(anyelement,_int4,_int4)":                            raw(arrayFill),
		"array_dims(anyarray)":                                          pure1(arrayDims),
		"trim_array(anyarray,int4)":                                     fn2(trimArray),
		"generate_series(numeric,numeric)":                              series,
		"generate_series(numeric,numeric,numeric)":                      series,
	}
}
