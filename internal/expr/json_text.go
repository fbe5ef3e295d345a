package expr

import (
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// jsonText gives a value as to_json does: json is text, so that spaces, the
// order of keys and equal keys remain as they come.
func jsonText(env *Env, t pgtypes.Type, v any) (string, error) {
	switch v := v.(type) {
	case string:
		if t.OID == pgtypes.JSON {
			return v, nil
		}
	case *pgtypes.Array:
		raws := make([]string, len(v.Elems))
		for i, e := range v.Elems {
			raw, err := jsonText(env, pgtypes.Of(v.Elem), e)
			if err != nil {
				return "", err
			}
			raws[i] = raw
		}
		return nested(raws, v.Dims, ","), nil
	case *pgtypes.Record:
		var b strings.Builder
		b.WriteByte('{')
		for i, e := range v.Vals {
			raw, err := jsonText(env, v.Types[i], e)
			if err != nil {
				return "", err
			}
			key := "f" + strconv.Itoa(i+1)
			if i < len(v.Names) {
				key = v.Names[i]
			}
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(pgtypes.JSONQuote(nil, key))
			b.WriteString(":" + raw)
		}
		return b.String() + "}", nil
	}
	return toJSON(env, t, v)
}

// nested prints the elements of an array, by its dimensions.
func nested(raws []string, dims []pgtypes.Dim, separator string) string {
	if len(dims) < 2 {
		return "[" + strings.Join(raws, separator) + "]"
	}
	rows := make([]string, dims[0].Len)
	size := len(raws) / len(rows)
	for i := range rows {
		rows[i] = nested(raws[i*size:(i+1)*size], dims[1:], separator)
	}
	return "[" + strings.Join(rows, separator) + "]"
}

// jsonTextMembers prints the members of json_build_object and json_object_agg.
func jsonTextMembers(keys, raws []string) string {
	members := make([]string, len(keys))
	for i, k := range keys {
		members[i] = string(pgtypes.JSONQuote(nil, k)) + " : " + raws[i]
	}
	return strings.Join(members, ", ")
}

func jsonTextFunctions() map[string]impl {
	plain := raw(func(env *Env, call *Call, args []any) (any, error) {
		return jsonText(env, call.Args[0].Type(), args[0])
	})
	object := raw(func(env *Env, call *Call, args []any) (any, error) {
		keys, raws, err := objectMembers(env, call, args, jsonText)
		if err != nil {
			return nil, err
		}
		return "{" + jsonTextMembers(keys, raws) + "}", nil
	})
	array := raw(func(env *Env, call *Call, args []any) (any, error) { return buildArray(env, call, args, jsonText) })
	return map[string]impl{
		"to_json(anyelement)": plain, "row_to_json(record)": plain, "array_to_json(anyarray)": plain,
		"json_build_object(any)": object, "json_build_object()": object,
		"json_build_array(any)": array, "json_build_array()": array,
	}
}

// jsonTextArrayState is json_agg: rows and arrays stand on lines of their own.
type jsonTextArrayState struct {
	call *AggCall
	text []string // with what separates them
}

func (s *jsonTextArrayState) Add(env *Env, args []any) error {
	t := s.call.Args[0].Type()
	raw, err := jsonText(env, t, args[0])
	separator := ", "
	if args[0] != nil && (t.OID == pgtypes.RecordOID || pgtypes.ElemOf(t.OID) != 0) {
		separator = ", \n "
	}
	s.text = append(s.text, separator+raw)
	return err
}

func (s *jsonTextArrayState) Merge(_ *Env, other AggState) error {
	s.text = append(s.text, other.(*jsonTextArrayState).text...)
	return nil
}

func (s *jsonTextArrayState) Result(*Env) (any, error) {
	if len(s.text) == 0 {
		return nil, nil
	}
	return "[" + strings.TrimLeft(strings.Join(s.text, ""), ", \n") + "]", nil
}

// jsonTextObjectState is json_object_agg.
type jsonTextObjectState struct {
	call       *AggCall
	keys, raws []string
}

func (s *jsonTextObjectState) Add(env *Env, args []any) error {
	if args[0] == nil {
		return pgerr.New(pgerr.InvalidParameterValue, "field name must not be null")
	}
	key, err := pgtypes.AppendText(nil, s.call.Args[0].Type(), args[0], env.Style)
	if err != nil {
		return err
	}
	raw, err := jsonText(env, s.call.Args[1].Type(), args[1])
	s.keys, s.raws = append(s.keys, string(key)), append(s.raws, raw)
	return err
}

func (s *jsonTextObjectState) Merge(_ *Env, other AggState) error {
	o := other.(*jsonTextObjectState)
	s.keys, s.raws = append(s.keys, o.keys...), append(s.raws, o.raws...)
	return nil
}

func (s *jsonTextObjectState) Result(*Env) (any, error) {
	if len(s.keys) == 0 {
		return nil, nil
	}
	return "{ " + jsonTextMembers(s.keys, s.raws) + " }", nil
}
