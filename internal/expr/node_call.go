package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Type gives the result type.
func (c *Call) Type() pgtypes.Type { return c.Typ }

// Children gives the arguments.
func (c *Call) Children() []Expr { return c.Args }

// With replaces the arguments.
func (c *Call) With(children []Expr) Expr {
	return &Call{Fn: c.Fn, Args: children, Typ: c.Typ, Spread: c.Spread}
}

// Eval computes the arguments, then the function.
func (c *Call) Eval(env *Env, row []any) (any, error) {
	args := make([]any, len(c.Args))
	null := false
	for i, a := range c.Args {
		v, err := a.Eval(env, row)
		if err != nil {
			return nil, err
		}
		args[i] = v
		null = null || v == nil
	}
	if null && c.Fn.Strict {
		return nil, nil
	}
	return c.apply(env, args)
}

func (c *Call) apply(env *Env, args []any) (any, error) {
	if c.Fn.Row == nil {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "set-valued function %s called in context that cannot accept a set", c.Fn.Name)
	}
	return c.Fn.Row(env, c, args)
}

// Vec uses the function's vector kernel, else evaluates once for each value of
// a dictionary, else row by row.
func (c *Call) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if c.Fn.Vec == nil {
		if col, err := byDictionary(env, c, b); col != nil || err != nil {
			return col, err
		}
	}
	if col, err := epochBuckets(env, c, b); col != nil || err != nil {
		return col, err
	}
	cols := make([]*vector.Column, len(c.Args))
	args := make([]any, len(c.Args))
	for i, a := range c.Args {
		if k, ok := a.(*Const); ok {
			if k.Val == nil && c.Fn.Strict {
				return vector.Const(KindOf(c.Typ.OID), nil, b.N), nil
			}
			args[i] = k.Val
			continue
		}
		col, err := a.Vec(env, b)
		if err != nil {
			return nil, err
		}
		cols[i] = col
	}
	if c.Fn.Vec != nil {
		if col, err := c.Fn.Vec(env, c, cols, b); col != nil || err != nil {
			return col, err
		}
	}
	one := onlyColumn(cols)
	if one >= 0 && cols[one].HasDict() && c.Fn.Volatile != Volatile && len(cols[one].Dict) <= 2*b.Live() {
		return mapDictionary(cols[one], b, KindOf(c.Typ.OID), func(v any) (any, error) {
			if v == nil && c.Fn.Strict {
				return nil, nil
			}
			args[one] = v
			return c.apply(env, args)
		})
	}
	out := newScatter(c.Typ.OID, b.N)
	var last sharedNumerics
	var made longTexts
	repeats := one >= 0 && cols[one].Kind == vector.Any && c.Fn.Volatile != Volatile
rows:
	for k := range b.Live() {
		i := b.Row(k)
		if repeats && !cols[one].IsNull(i) {
			if v, ok := last.find(cols[one].Anys[i]); ok {
				out.set(i, v)
				continue
			}
		}
		for a, col := range cols {
			if col == nil {
				continue
			}
			args[a] = col.Value(i)
			if args[a] == nil && c.Fn.Strict {
				out.setNull(i)
				continue rows
			}
		}
		v, err := c.apply(env, args)
		if err != nil {
			return nil, err
		}
		if err := made.add(env, v); err != nil {
			return nil, err
		}
		out.set(i, v)
		last.keep(v)
	}
	return out.finish(), nil
}

// onlyColumn gives the place of the one column that is not nil, or -1.
func onlyColumn(cols []*vector.Column) int {
	one := -1
	for i, c := range cols {
		if c == nil {
			continue
		}
		if one >= 0 {
			return -1
		}
		one = i
	}
	return one
}

// String prints an operator between its operands, or a function call.
func (c *Call) String() string {
	if op := c.Fn.Operator; op != "" {
		if len(c.Args) == 1 {
			return "(" + op + " " + c.Args[0].String() + ")"
		}
		return "(" + c.Args[0].String() + " " + op + " " + c.Args[1].String() + ")"
	}
	var sb strings.Builder
	sb.WriteString(c.Fn.Name)
	sb.WriteByte('(')
	for i, a := range c.Args {
		if i > 0 {
			sb.WriteString(", ")
		}
		if c.Spread && i == len(c.Args)-1 {
			sb.WriteString("VARIADIC ")
		}
		sb.WriteString(a.String())
	}
	sb.WriteByte(')')
	return sb.String()
}

// spread gives the repeated arguments of a variadic call, from place first,
// whether they came one by one or as an array; ok is false for a NULL array.
func spread(call *Call, args []any, first int) (vals []any, typeAt func(i int) pgtypes.OID, ok bool) {
	if !call.Spread {
		return args[first:], func(i int) pgtypes.OID { return call.Args[first+i].Type().OID }, true
	}
	arr, ok := args[len(args)-1].(*pgtypes.Array)
	if !ok {
		return nil, nil, false
	}
	return arr.Elems, func(int) pgtypes.OID { return arr.Elem }, true
}
