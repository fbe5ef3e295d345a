package expr

import (
	"math"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A jsonChange puts a value at a path of a document, or takes away what is
// there.
type jsonChange struct {
	path   []any
	value  string // "" to delete
	create bool   // add what is missing
	insert bool   // never replace; after: behind the element of an array
	after  bool
}

func (c *jsonChange) apply(doc string) (any, error) {
	switch pgtypes.JSONTypeOf(doc) {
	case "object", "array":
	default:
		what := "set path in"
		if c.value == "" {
			what = "delete path in"
		}
		return nil, pgerr.New(pgerr.InvalidParameterValue, "cannot %s scalar", what)
	}
	if len(c.path) == 0 || !c.create && (doc == "{}" || doc == "[]") {
		return doc, nil
	}
	return c.at(doc, 0)
}

// at changes what stands below level of the path; what cannot be reached stays.
func (c *jsonChange) at(doc string, level int) (string, error) {
	if c.path[level] == nil {
		return "", pgerr.New("22004", "path element at position %d is null", level+1)
	}
	switch pgtypes.JSONTypeOf(doc) {
	case "object":
		return c.object(doc, level)
	case "array":
		return c.array(doc, level)
	}
	return doc, nil
}

func (c *jsonChange) object(doc string, level int) (string, error) {
	var keys, raws []string
	name, last, found := c.path[level].(string), level == len(c.path)-1, false
	for k, v := range pgtypes.JSONEach(doc) {
		if k == name {
			found = true
			switch {
			case last && c.insert:
				return "", pgerr.New(pgerr.InvalidParameterValue, "cannot replace existing key").
					WithHint("Try using the function jsonb_set to replace key value.")
			case last && c.value == "":
				continue
			case last:
				v = c.value
			default:
				var err error
				if v, err = c.at(v, level+1); err != nil {
					return "", err
				}
			}
		}
		keys, raws = append(keys, k), append(raws, v)
	}
	if !found && last && c.create {
		keys, raws = append(keys, name), append(raws, c.value)
	}
	return pgtypes.JSONObjectOf(keys, raws), nil
}

func (c *jsonChange) array(doc string, level int) (string, error) {
	step, last := c.path[level].(string), level == len(c.path)-1
	n, err := strconv.ParseInt(strings.TrimSpace(step), 10, 32)
	if err != nil {
		return "", pgerr.New(pgerr.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, step)
	}
	var raws []string
	for _, v := range pgtypes.JSONElements(doc) {
		raws = append(raws, v)
	}
	size := int64(len(raws))
	if n < 0 {
		if n += size; n < 0 {
			n = math.MinInt32 // before the first
		}
	}
	if n < 0 || n >= size {
		switch {
		case !last || !c.create:
		case n < 0:
			raws = append([]string{c.value}, raws...)
		default:
			raws = append(raws, c.value)
		}
		return pgtypes.JSONArrayOf(raws), nil
	}
	head, old, tail := raws[:n:n], raws[n], raws[n+1:]
	switch {
	case !last:
		if old, err = c.at(old, level+1); err != nil {
			return "", err
		}
		head = append(head, old)
	case c.insert && c.after:
		head = append(head, old, c.value)
	case c.insert:
		head = append(head, c.value, old)
	case c.value != "":
		head = append(head, c.value)
	}
	return pgtypes.JSONArrayOf(append(head, tail...)), nil
}

// jsonPretty breaks a document into lines, as jsonb_pretty.
func jsonPretty(doc string) string {
	var b strings.Builder
	var write func(doc, margin string)
	write = func(doc, margin string) {
		inner := margin + "    "
		separator := "\n"
		switch pgtypes.JSONTypeOf(doc) {
		case "object":
			b.WriteByte('{')
			for k, v := range pgtypes.JSONEach(doc) {
				b.WriteString(separator + inner)
				b.Write(pgtypes.JSONQuote(nil, k))
				b.WriteString(": ")
				write(v, inner)
				separator = ",\n"
			}
			b.WriteString("\n" + margin + "}")
		case "array":
			b.WriteByte('[')
			for _, v := range pgtypes.JSONElements(doc) {
				b.WriteString(separator + inner)
				write(v, inner)
				separator = ",\n"
			}
			b.WriteString("\n" + margin + "]")
		default:
			b.WriteString(doc)
		}
	}
	write(doc, "")
	return b.String()
}

// jsonOfTexts is jsonb_object over an array of keys and values in turn.
func jsonOfTexts(a *pgtypes.Array) (any, error) {
	switch {
	case len(a.Dims) > 2 || len(a.Dims) == 2 && a.Dims[1].Len != 2:
		return nil, pgerr.New("2202E", "array must have two columns")
	case len(a.Elems)%2 != 0:
		return nil, pgerr.New("2202E", "array must have even number of elements")
	}
	var keys, values []any
	for i := 0; i < len(a.Elems); i += 2 {
		keys, values = append(keys, a.Elems[i]), append(values, a.Elems[i+1])
	}
	return jsonOfPairs(keys, values)
}

func jsonOfPairs(keys, values []any) (any, error) {
	if len(keys) != len(values) {
		return nil, pgerr.New("2202E", "mismatched array dimensions")
	}
	names, raws := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		name, ok := k.(string)
		if !ok {
			return nil, pgerr.New("22004", "null value not allowed for object key")
		}
		names[i], raws[i] = name, "null"
		if v, ok := values[i].(string); ok {
			raws[i] = string(pgtypes.JSONQuote(nil, v))
		}
	}
	return pgtypes.JSONObjectOf(names, raws), nil
}

func jsonChangeFunctions() map[string]impl {
	change := func(flag bool, f func(c *jsonChange, flag bool)) impl {
		return raw(func(_ *Env, _ *Call, args []any) (any, error) {
			c := &jsonChange{path: args[1].(*pgtypes.Array).Elems, value: args[2].(string)}
			on := flag
			if len(args) > 3 {
				on = args[3].(bool)
			}
			f(c, on)
			return c.apply(args[0].(string))
		})
	}
	return map[string]impl{
		"jsonb_set(jsonb,_text,jsonb,bool)": change(true, func(c *jsonChange, flag bool) { c.create = flag }),
		"jsonb_insert(jsonb,_text,jsonb,bool)": change(false, func(c *jsonChange, flag bool) {
			c.insert, c.create, c.after = true, true, flag
		}),
		"jsonb #- _text": fn2(func(doc string, path *pgtypes.Array) (any, error) {
			return (&jsonChange{path: path.Elems}).apply(doc)
		}),
		"jsonb_pretty(jsonb)": pure1(jsonPretty),
		"jsonb_object(_text)": fn1(jsonOfTexts),
		"jsonb_object(_text,_text)": fn2(func(k, v *pgtypes.Array) (any, error) {
			return jsonOfPairs(k.Elems, v.Elems)
		}),
	}
}
