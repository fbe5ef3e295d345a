package expr

import (
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// toJSON gives a value as raw jsonb: to_jsonb.
func toJSON(env *Env, t pgtypes.Type, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	case string:
		if t.OID == pgtypes.Jsonb {
			return v, nil
		}
		if t.OID == pgtypes.JSON {
			return pgtypes.CanonicalJSON(v)
		}
		return string(pgtypes.JSONQuote(nil, v)), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			break
		}
		text, err := pgtypes.AppendText(nil, t, v, nil)
		if err != nil {
			return "", err
		}
		return pgtypes.CanonicalJSON(string(text))
	case *apd.Decimal:
		if v.Form == apd.Finite {
			return string(pgtypes.AppendNumeric(nil, v)), nil
		}
	case int64:
		switch t.OID {
		case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8:
			return strconv.FormatInt(v, 10), nil
		case pgtypes.Timestamptz, pgtypes.Timestamp:
			text, err := pgtypes.AppendText(nil, t, v, &pgtypes.TextStyle{Location: env.location()})
			if err != nil {
				return "", err
			}
			s, era := strings.Replace(string(text), " ", "T", 1), ""
			if before, found := strings.CutSuffix(s, " BC"); found {
				s, era = before, " BC"
			}
			if t.OID == pgtypes.Timestamptz && len(s) > 3 && (s[len(s)-3] == '+' || s[len(s)-3] == '-') {
				s += ":00"
			}
			return string(pgtypes.JSONQuote(nil, s+era)), nil
		}
	case *pgtypes.Array:
		raws := make([]string, len(v.Elems))
		for i, e := range v.Elems {
			raw, err := toJSON(env, pgtypes.Of(v.Elem), e)
			if err != nil {
				return "", err
			}
			raws[i] = raw
		}
		return nested(raws, v.Dims, ", "), nil
	case *pgtypes.Record:
		raws, keys := make([]string, len(v.Vals)), make([]string, len(v.Vals))
		for i, e := range v.Vals {
			raw, err := toJSON(env, v.Types[i], e)
			if err != nil {
				return "", err
			}
			raws[i], keys[i] = raw, "f"+strconv.Itoa(i+1)
			if i < len(v.Names) {
				keys[i] = v.Names[i]
			}
		}
		return pgtypes.JSONObjectOf(keys, raws), nil
	}
	text, err := pgtypes.AppendText(nil, t, v, env.Style)
	if err != nil {
		return "", err
	}
	return string(pgtypes.JSONQuote(nil, string(text))), nil
}

func rawOrNil(raw string, ok bool) any {
	if !ok {
		return nil
	}
	return raw
}

func textOrNil(raw string, ok bool) any {
	if !ok {
		return nil
	}
	text, null := pgtypes.JSONText(raw)
	if null {
		return nil
	}
	return text
}

func jsonAt(doc string, i int64) (string, bool) {
	if int64(int(i)) != i {
		return "", false
	}
	return pgtypes.JSONIndex(doc, int(i))
}

// jsonbAt is jsonAt for jsonb, to which a scalar is an array of one.
func jsonbAt(doc string, i int64) (string, bool) {
	if t := pgtypes.JSONTypeOf(doc); t != "array" && t != "object" {
		return doc, i == 0 || i == -1
	}
	return jsonAt(doc, i)
}

// jsonPath walks #> and jsonb_extract_path.
func jsonPath(doc string, path []any) (string, bool) {
	for _, p := range path {
		step, ok := p.(string)
		if !ok {
			return "", false
		}
		if pgtypes.JSONTypeOf(doc) == "array" {
			n, err := strconv.Atoi(step)
			if err != nil {
				return "", false
			}
			doc, ok = pgtypes.JSONIndex(doc, n)
		} else {
			doc, ok = pgtypes.JSONGet(doc, step)
		}
		if !ok {
			return "", false
		}
	}
	return doc, true
}

func jsonHasKey(doc, key string) bool {
	switch pgtypes.JSONTypeOf(doc) {
	case "object":
		_, ok := pgtypes.JSONGet(doc, key)
		return ok
	case "array":
		for _, raw := range pgtypes.JSONElements(doc) {
			if text, _ := pgtypes.JSONText(raw); raw[0] == '"' && text == key {
				return true
			}
		}
		return false
	default:
		text, _ := pgtypes.JSONText(doc)
		return doc != "" && doc[0] == '"' && text == key
	}
}

// jsonConcat is jsonb || jsonb.
func jsonConcat(a, b string) string {
	ta, tb := pgtypes.JSONTypeOf(a), pgtypes.JSONTypeOf(b)
	if ta == "object" && tb == "object" {
		var keys, raws []string
		for _, doc := range []string{a, b} {
			for k, v := range pgtypes.JSONEach(doc) {
				keys, raws = append(keys, k), append(raws, v)
			}
		}
		return pgtypes.JSONObjectOf(keys, raws)
	}
	var raws []string
	for _, doc := range []string{a, b} {
		if pgtypes.JSONTypeOf(doc) != "array" {
			raws = append(raws, doc)
			continue
		}
		for _, v := range pgtypes.JSONElements(doc) {
			raws = append(raws, v)
		}
	}
	return pgtypes.JSONArrayOf(raws)
}

// jsonWithout removes keys of an object, or equal strings of an array.
func jsonWithout(doc string, drop func(key string) bool) string {
	if pgtypes.JSONTypeOf(doc) == "array" {
		var raws []string
		for _, raw := range pgtypes.JSONElements(doc) {
			if text, _ := pgtypes.JSONText(raw); raw[0] == '"' && drop(text) {
				continue
			}
			raws = append(raws, raw)
		}
		return pgtypes.JSONArrayOf(raws)
	}
	var keys, raws []string
	for k, v := range pgtypes.JSONEach(doc) {
		if !drop(k) {
			keys, raws = append(keys, k), append(raws, v)
		}
	}
	return pgtypes.JSONObjectOf(keys, raws)
}

// jsonWithoutIndex removes an element of an array, from the end where i is
// negative.
func jsonWithoutIndex(doc string, i int64) (any, error) {
	if pgtypes.JSONTypeOf(doc) != "array" {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "cannot delete from object using integer index")
	}
	var raws []string
	for _, v := range pgtypes.JSONElements(doc) {
		raws = append(raws, v)
	}
	if i < 0 {
		i += int64(len(raws))
	}
	if i >= 0 && i < int64(len(raws)) {
		raws = append(raws[:i], raws[i+1:]...)
	}
	return pgtypes.JSONArrayOf(raws), nil
}

func jsonLength(doc string) (any, error) {
	if pgtypes.JSONTypeOf(doc) != "array" {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "cannot get array length of a non-array")
	}
	n := int64(0)
	for range pgtypes.JSONElements(doc) {
		n++
	}
	return n, nil
}

// toText is toJSON or jsonText.
type toText = func(env *Env, t pgtypes.Type, v any) (string, error)

func objectMembers(env *Env, call *Call, args []any, text toText) (keys, raws []string, err error) {
	args, types := spreadVariadic(call, args)
	if len(args)%2 != 0 {
		return nil, nil, pgerr.New(pgerr.InvalidParameterValue, "argument list must have even number of elements")
	}
	for i := 0; i < len(args); i += 2 {
		if args[i] == nil {
			return nil, nil, pgerr.New(pgerr.InvalidParameterValue, "argument %d: key must not be null", i+1)
		}
		key, err := pgtypes.AppendText(nil, types[i], args[i], env.Style)
		if err != nil {
			return nil, nil, err
		}
		raw, err := text(env, types[i+1], args[i+1])
		if err != nil {
			return nil, nil, err
		}
		keys, raws = append(keys, string(key)), append(raws, raw)
	}
	return keys, raws, nil
}

func buildObject(env *Env, call *Call, args []any) (any, error) {
	keys, raws, err := objectMembers(env, call, args, toJSON)
	if err != nil {
		return nil, err
	}
	return pgtypes.JSONObjectOf(keys, raws), nil
}

func buildArray(env *Env, call *Call, args []any, text toText) (any, error) {
	args, types := spreadVariadic(call, args)
	raws := make([]string, len(args))
	for i, a := range args {
		raw, err := text(env, types[i], a)
		if err != nil {
			return nil, err
		}
		raws[i] = raw
	}
	return pgtypes.JSONArrayOf(raws), nil
}

// spreadVariadic gives the arguments of a variadic "any" function with their types.
func spreadVariadic(call *Call, args []any) ([]any, []pgtypes.Type) {
	types := make([]pgtypes.Type, len(args))
	for i := range args {
		if i < len(call.Args) {
			types[i] = call.Args[i].Type()
		}
	}
	return args, types
}

func jsonFunctions() map[string]impl {
	jsonbArray := raw(func(env *Env, call *Call, args []any) (any, error) { return buildArray(env, call, args, toJSON) })
	m := map[string]impl{
		"jsonb @> jsonb": pure2(pgtypes.JSONContains),
		"jsonb <@ jsonb": pure2(func(a, b string) bool { return pgtypes.JSONContains(b, a) }),
		"jsonb ? text":   pure2(jsonHasKey),
		"jsonb ?| _text": pure2(func(doc string, keys *pgtypes.Array) bool {
			for _, k := range keys.Elems {
				if s, ok := k.(string); ok && jsonHasKey(doc, s) {
					return true
				}
			}
			return false
		}),
		"jsonb ?& _text": pure2(func(doc string, keys *pgtypes.Array) bool {
			for _, k := range keys.Elems {
				if s, ok := k.(string); ok && !jsonHasKey(doc, s) {
					return false
				}
			}
			return true
		}),
		"jsonb || jsonb": pure2(jsonConcat),
		"jsonb - text":   pure2(func(doc, key string) string { return jsonWithout(doc, func(k string) bool { return k == key }) }),
		"jsonb - _text": pure2(func(doc string, keys *pgtypes.Array) string {
			return jsonWithout(doc, func(k string) bool {
				for _, e := range keys.Elems {
					if e == any(k) {
						return true
					}
				}
				return false
			})
		}),
		"jsonb - int4":              fn2(jsonWithoutIndex),
		"jsonb_typeof(jsonb)":       pure1(pgtypes.JSONTypeOf),
		"json_typeof(json)":         pure1(pgtypes.JSONTypeOf),
		"jsonb_array_length(jsonb)": fn1(jsonLength),
		"json_array_length(json)":   fn1(jsonLength),
		"jsonb_build_object(any)":   raw(buildObject),
		"jsonb_build_array(any)":    jsonbArray,
		"jsonb_build_object()":      raw(buildObject),
		"jsonb_build_array()":       jsonbArray,
		"jsonb_strip_nulls(jsonb)":  pure1(stripNulls),
		"try_jsonb(text)": pure1(func(s string) any {
			doc, err := pgtypes.CanonicalJSON(s)
			if err != nil {
				return nil
			}
			return doc
		}),
	}
	for t, at := range map[string]func(string, int64) (string, bool){"json": jsonAt, "jsonb": jsonbAt} {
		m[t+" -> text"] = pure2(func(doc, key string) any { return rawOrNil(pgtypes.JSONGet(doc, key)) })
		m[t+" ->> text"] = pure2(func(doc, key string) any { return textOrNil(pgtypes.JSONGet(doc, key)) })
		m[t+" -> int4"] = pure2(func(doc string, i int64) any { return rawOrNil(at(doc, i)) })
		m[t+" ->> int4"] = pure2(func(doc string, i int64) any { return textOrNil(at(doc, i)) })
		m[t+" #> _text"] = pure2(func(doc string, p *pgtypes.Array) any { return rawOrNil(jsonPath(doc, p.Elems)) })
		m[t+" #>> _text"] = pure2(func(doc string, p *pgtypes.Array) any { return textOrNil(jsonPath(doc, p.Elems)) })
	}
	m["to_jsonb(anyelement)"] = raw(func(env *Env, call *Call, args []any) (any, error) {
		return toJSON(env, call.Args[0].Type(), args[0])
	})
	return m
}

func stripNulls(doc string) string {
	switch pgtypes.JSONTypeOf(doc) {
	case "object":
		var keys, raws []string
		for k, v := range pgtypes.JSONEach(doc) {
			if v != "null" {
				keys, raws = append(keys, k), append(raws, stripNulls(v))
			}
		}
		return pgtypes.JSONObjectOf(keys, raws)
	case "array":
		var raws []string
		for _, v := range pgtypes.JSONElements(doc) {
			raws = append(raws, stripNulls(v))
		}
		return pgtypes.JSONArrayOf(raws)
	}
	return doc
}
