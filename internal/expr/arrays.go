package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func arrayDim(a *pgtypes.Array, n int64) (pgtypes.Dim, bool) {
	if n < 1 || int(n) > len(a.Dims) {
		return pgtypes.Dim{}, false
	}
	return a.Dims[n-1], true
}

func asArray(v any, elem pgtypes.OID) *pgtypes.Array {
	if a, ok := v.(*pgtypes.Array); ok {
		return a
	}
	return pgtypes.NewArray(elem, nil)
}

func arrayContains(a *pgtypes.Array, v any) bool {
	for _, e := range a.Elems {
		if e != nil && v != nil && pgtypes.Compare(pgtypes.Of(a.Elem), e, v) == 0 {
			return true
		}
	}
	return false
}

func arrayContainsAll(a, b *pgtypes.Array) bool {
	for _, e := range b.Elems {
		if !arrayContains(a, e) {
			return false
		}
	}
	return true
}

func arrayOverlaps(a, b *pgtypes.Array) bool {
	for _, e := range b.Elems {
		if arrayContains(a, e) {
			return true
		}
	}
	return false
}

func arrayAppend(_ *Env, call *Call, args []any) (any, error) {
	a := asArray(args[0], pgtypes.ElemOf(call.Typ.OID))
	return lengthened(a, append(append([]any(nil), a.Elems...), args[1]))
}

func arrayPrepend(_ *Env, call *Call, args []any) (any, error) {
	a := asArray(args[1], pgtypes.ElemOf(call.Typ.OID))
	return lengthened(a, append([]any{args[0]}, a.Elems...))
}

// lengthened is a with other elements and its lower bound.
func lengthened(a *pgtypes.Array, elems []any) (any, error) {
	if len(a.Dims) > 1 {
		return nil, pgerr.New("22000", "argument must be empty or one-dimensional array")
	}
	out := pgtypes.NewArray(a.Elem, elems)
	if len(a.Dims) == 1 {
		out.Dims[0].Lower = a.Dims[0].Lower
	}
	return out, nil
}

func equalElements(t pgtypes.Type, a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return pgtypes.Compare(t, a, b) == 0
}

func arrayToString(env *Env, a *pgtypes.Array, sep string, null any) (any, error) {
	var parts []string
	for _, e := range a.Elems {
		if e == nil {
			if s, ok := null.(string); ok {
				parts = append(parts, s)
			}
			continue
		}
		text, err := pgtypes.AppendText(nil, pgtypes.Of(a.Elem), e, env.Style)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(text))
	}
	return strings.Join(parts, sep), nil
}

func arrayPosition(_ *Env, _ *Call, args []any) (any, error) {
	a, ok := args[0].(*pgtypes.Array)
	if !ok {
		return nil, nil
	}
	lower := int64(1)
	if len(a.Dims) > 0 {
		lower = int64(a.Dims[0].Lower)
	}
	for i, e := range a.Elems {
		if equalElements(pgtypes.Of(a.Elem), e, args[1]) {
			return lower + int64(i), nil
		}
	}
	return nil, nil
}

func arrayRemove(_ *Env, _ *Call, args []any) (any, error) {
	a, ok := args[0].(*pgtypes.Array)
	if !ok {
		return nil, nil
	}
	if len(a.Dims) > 1 {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "removing elements from multidimensional arrays is not supported")
	}
	var elems []any
	for _, e := range a.Elems {
		if !equalElements(pgtypes.Of(a.Elem), e, args[1]) {
			elems = append(elems, e)
		}
	}
	out := pgtypes.NewArray(a.Elem, elems)
	if len(elems) > 0 {
		out.Dims[0].Lower = a.Dims[0].Lower
	}
	return out, nil
}

func arrayFunctions() map[string]impl {
	m := map[string]impl{
		"array_length(anyarray,int4)": pure2(func(a *pgtypes.Array, n int64) any {
			if d, ok := arrayDim(a, n); ok {
				return int64(d.Len)
			}
			return nil
		}),
		"array_lower(anyarray,int4)": pure2(func(a *pgtypes.Array, n int64) any {
			if d, ok := arrayDim(a, n); ok {
				return int64(d.Lower)
			}
			return nil
		}),
		"array_upper(anyarray,int4)": pure2(func(a *pgtypes.Array, n int64) any {
			if d, ok := arrayDim(a, n); ok {
				return int64(d.Lower + d.Len - 1)
			}
			return nil
		}),
		"array_ndims(anyarray)": pure1(func(a *pgtypes.Array) any {
			if len(a.Dims) == 0 {
				return nil
			}
			return int64(len(a.Dims))
		}),
		"cardinality(anyarray)": pure1(func(a *pgtypes.Array) int64 { return int64(len(a.Elems)) }),
		"anyarray @> anyarray":  pure2(arrayContainsAll),
		"anyarray <@ anyarray":  pure2(func(a, b *pgtypes.Array) bool { return arrayContainsAll(b, a) }),
		"anyarray && anyarray":  pure2(arrayOverlaps),
		"array_to_string(anyarray,text)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			return arrayToString(env, args[0].(*pgtypes.Array), args[1].(string), nil)
		}),
		"array_to_string(anyarray,text,text)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			a, ok := args[0].(*pgtypes.Array)
			sep, ok2 := args[1].(string)
			if !ok || !ok2 {
				return nil, nil
			}
			return arrayToString(env, a, sep, args[2])
		}),
		"array_append(anycompatiblearray,anycompatible)":   raw(arrayAppend),
		"array_prepend(anycompatible,anycompatiblearray)":  raw(arrayPrepend),
		"anycompatiblearray || anycompatible":              raw(arrayAppend),
		"anycompatible || anycompatiblearray":              raw(arrayPrepend),
		"array_remove(anycompatiblearray,anycompatible)":   raw(arrayRemove),
		"array_position(anycompatiblearray,anycompatible)": raw(arrayPosition),
	}
	return m
}

// unnest gives the elements of an array.
func unnest(_ *Env, _ *Call, args []any, emit func([]any) error) error {
	for _, e := range args[0].(*pgtypes.Array).Elems {
		if err := emit([]any{e}); err != nil {
			return err
		}
	}
	return nil
}

func subscripts(a *pgtypes.Array, dim int64, reverse bool, emit func([]any) error) error {
	d, ok := arrayDim(a, dim)
	if !ok {
		return nil
	}
	for i := range int64(d.Len) {
		n := int64(d.Lower) + i
		if reverse {
			n = int64(d.Lower+d.Len-1) - i
		}
		if err := emit([]any{n}); err != nil {
			return err
		}
	}
	return nil
}

// series is generate_series over integers.
func series(env *Env, from, to, step int64, emit func([]any) error) error {
	if step == 0 {
		return pgerr.New(pgerr.InvalidParameterValue, "step size cannot equal zero")
	}
	for n := from; step > 0 && n <= to || step < 0 && n >= to; n += step {
		if err := emit([]any{n}); err != nil {
			return err
		}
		if (n-from)%8192 == 0 && env.Ctx != nil && env.Ctx.Err() != nil {
			return env.Ctx.Err()
		}
		if step > 0 && n > to-step || step < 0 && n < to-step {
			return nil // the next step would pass the end, or overflow
		}
	}
	return nil
}

// timeSeries is generate_series over timestamps.
func timeSeries(env *Env, zoned bool, args []any, emit func([]any) error) error {
	from, to, step := args[0].(int64), args[1].(int64), args[2].(pgtypes.Interval)
	sign := pgtypes.Compare(pgtypes.Of(pgtypes.IntervalOID), step, pgtypes.Interval{})
	if sign == 0 {
		return pgerr.New(pgerr.InvalidParameterValue, "step size cannot equal zero")
	}
	for n := from; sign > 0 && n <= to || sign < 0 && n >= to; {
		if err := emit([]any{n}); err != nil {
			return err
		}
		var err error
		if zoned {
			n, err = addIntervalTZ(n, step, env.location())
		} else {
			n, err = addInterval(n, step)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func setFunctions() map[string]impl {
	m := map[string]impl{
		"unnest(anyarray)": set(unnest),
		"_pg_expandarray(anyarray)": set(func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
			for i, e := range args[0].(*pgtypes.Array).Elems {
				if err := emit([]any{e, int64(i + 1)}); err != nil {
					return err
				}
			}
			return nil
		}),
		"generate_subscripts(anyarray,int4)": set(func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
			return subscripts(args[0].(*pgtypes.Array), args[1].(int64), false, emit)
		}),
		"generate_subscripts(anyarray,int4,bool)": set(func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
			return subscripts(args[0].(*pgtypes.Array), args[1].(int64), args[2].(bool), emit)
		}),
		"generate_series(timestamptz,timestamptz,interval)": set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
			return timeSeries(env, true, args, emit)
		}),
		"generate_series(timestamp,timestamp,interval)": set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
			return timeSeries(env, false, args, emit)
		}),
	}
	for _, t := range []string{"int4", "int8"} {
		m["generate_series("+t+","+t+")"] = set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
			return series(env, args[0].(int64), args[1].(int64), 1, emit)
		})
		m["generate_series("+t+","+t+","+t+")"] = set(func(env *Env, _ *Call, args []any, emit func([]any) error) error {
			return series(env, args[0].(int64), args[1].(int64), args[2].(int64), emit)
		})
	}
	for _, t := range []string{"json", "jsonb"} {
		m[t+"_object_keys("+t+")"] = set(func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
			for k := range pgtypes.JSONEach(args[0].(string)) {
				if err := emit([]any{k}); err != nil {
					return err
				}
			}
			return nil
		})
		each := func(text bool) rowsFunc {
			return func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
				for k, v := range pgtypes.JSONEach(args[0].(string)) {
					out := any(v)
					if text {
						out = textOrNil(v, true)
					}
					if err := emit([]any{k, out}); err != nil {
						return err
					}
				}
				return nil
			}
		}
		m[t+"_each("+t+")"], m[t+"_each_text("+t+")"] = set(each(false)), set(each(true))
		elements := func(text bool) rowsFunc {
			return func(_ *Env, _ *Call, args []any, emit func([]any) error) error {
				doc := args[0].(string)
				if pgtypes.JSONTypeOf(doc) != "array" {
					return pgerr.New(pgerr.InvalidParameterValue, "cannot extract elements from %s", map[bool]string{
						true: "an object", false: "a scalar",
					}[pgtypes.JSONTypeOf(doc) == "object"])
				}
				for _, v := range pgtypes.JSONElements(doc) {
					out := any(v)
					if text {
						out = textOrNil(v, true)
					}
					if err := emit([]any{out}); err != nil {
						return err
					}
				}
				return nil
			}
		}
		m[t+"_array_elements("+t+")"], m[t+"_array_elements_text("+t+")"] = set(elements(false)), set(elements(true))
	}
	return m
}
