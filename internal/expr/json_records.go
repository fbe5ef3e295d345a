package expr

import (
	"maps"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// recordFunctions make rows of JSON objects. Their columns are those of the
// column definition list of the call, which the binder puts into its Func.
func recordFunctions() map[string]impl {
	m := make(map[string]impl)
	for _, typ := range []string{"json", "jsonb"} {
		maps.Copy(m, map[string]impl{
			typ + "_to_record(" + typ + ")": {
				row: func(_ *Env, call *Call, _ []any) (any, error) { return nil, noRowType(call) },
				rows: func(env *Env, call *Call, args []any, emit func([]any) error) error {
					doc, ok := args[0].(string)
					if !ok {
						return emit(make([]any, len(call.Fn.Columns)))
					}
					row, err := jsonRecord(env, call, doc)
					if err != nil {
						return err
					}
					return emit(row)
				},
			},
			typ + "_to_recordset(" + typ + ")": {rows: func(env *Env, call *Call, args []any, emit func([]any) error) error {
				doc, ok := args[0].(string)
				if !ok {
					return nil
				}
				return jsonRecordSet(env, call, doc, typ == "jsonb", emit)
			}},
		})
	}
	return m
}

func noRowType(call *Call) error {
	return pgerr.New(pgerr.FeatureNotSupported, "could not determine row type for result of %s", call.Fn.Name).
		WithHint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list.")
}

func jsonRecordSet(env *Env, call *Call, doc string, binary bool, emit func([]any) error) error {
	if len(call.Fn.Columns) == 1 && call.Fn.Columns[0].Type == pgtypes.RecordOID {
		return noRowType(call)
	}
	if kind := pgtypes.JSONTypeOf(doc); kind != "array" {
		what := "a scalar"
		switch {
		case binary:
			what = "a non-array"
		case kind == "object":
			what = "an object"
		}
		return pgerr.New(pgerr.InvalidParameterValue, "cannot call %s on %s", call.Fn.Name, what)
	}
	for _, raw := range pgtypes.JSONElements(doc) {
		if pgtypes.JSONTypeOf(raw) != "object" {
			return pgerr.New(pgerr.InvalidParameterValue, "argument of %s must be an array of objects", call.Fn.Name)
		}
		row, err := jsonRecord(env, call, raw)
		if err != nil {
			return err
		}
		if err := emit(row); err != nil {
			return err
		}
	}
	return nil
}

// jsonRecord makes the row of an object.
func jsonRecord(env *Env, call *Call, doc string) ([]any, error) {
	switch pgtypes.JSONTypeOf(doc) {
	case "object":
	case "array":
		return nil, pgerr.New(pgerr.InvalidParameterValue, "cannot call populate_composite on an array")
	default:
		return nil, pgerr.New(pgerr.InvalidParameterValue, "cannot call populate_composite on a scalar")
	}
	members := make(map[string]string)
	for key, raw := range pgtypes.JSONEach(doc) { // of equal keys the last counts
		members[key] = raw
	}
	row := make([]any, len(call.Fn.Columns))
	for i, c := range call.Fn.Columns {
		raw, ok := members[c.Name]
		if !ok {
			continue
		}
		typ := pgtypes.Of(c.Type)
		if c.Mod != 0 {
			typ.Mod = c.Mod
		}
		v, err := jsonValue(env, raw, typ, c.Name)
		if err != nil {
			return nil, err
		}
		row[i] = v
	}
	return row, nil
}

// jsonValue reads a JSON value as a type: a string as the type's input, an array
// as an array, anything else by its JSON text.
func jsonValue(env *Env, raw string, typ pgtypes.Type, key string) (any, error) {
	text, null := pgtypes.JSONText(raw)
	switch {
	case null:
		return nil, nil
	case typ.OID == pgtypes.JSON || typ.OID == pgtypes.Jsonb:
		text = raw
	case pgtypes.IsArray(typ.OID) && pgtypes.JSONTypeOf(raw) == "array":
		return jsonArrayValue(env, raw, typ, key)
	case pgtypes.IsArray(typ.OID) && pgtypes.JSONTypeOf(raw) != "string":
		return nil, pgerr.New(pgerr.InvalidTextRepresentation, "expected JSON array").WithHint("See the value of key \"%s\".", key)
	}
	return pgtypes.DecodeText(typ, text, env.Style)
}

// jsonArrayValue makes an array of a JSON array; how deep it is the first
// elements say.
func jsonArrayValue(env *Env, raw string, typ pgtypes.Type, key string) (any, error) {
	depth := 0
	for at := raw; pgtypes.JSONTypeOf(at) == "array"; depth++ {
		first, ok := pgtypes.JSONIndex(at, 0)
		if !ok {
			depth++
			break
		}
		at = first
	}
	elem := pgtypes.Type{OID: pgtypes.ElemOf(typ.OID), Mod: typ.Mod}
	out := pgtypes.NewArray(elem.OID, nil)
	lengths := make([]int, depth)
	for i := range lengths {
		lengths[i] = -1
	}
	malformed := pgerr.New(pgerr.InvalidTextRepresentation, "malformed JSON array").
		WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
	var fill func(raw string, level int) error
	fill = func(raw string, level int) error {
		if level == depth {
			v, err := jsonValue(env, raw, elem, key)
			out.Elems = append(out.Elems, v)
			return err
		}
		if pgtypes.JSONTypeOf(raw) != "array" {
			return pgerr.New(pgerr.InvalidTextRepresentation, "expected JSON array").WithHint("See the value of key \"%s\".", key)
		}
		n := 0
		for _, e := range pgtypes.JSONElements(raw) {
			n++
			if err := fill(e, level+1); err != nil {
				return err
			}
		}
		if lengths[level] >= 0 && lengths[level] != n {
			return malformed
		}
		lengths[level] = n
		return nil
	}
	if err := fill(raw, 0); err != nil {
		return nil, err
	}
	if len(out.Elems) > 0 {
		out.Dims = nil
		for _, n := range lengths {
			out.Dims = append(out.Dims, pgtypes.Dim{Len: int32(n), Lower: 1})
		}
	}
	return out, nil
}
