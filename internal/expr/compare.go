package expr

import (
	"math"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// compareResult turns an order into the truth of an operator.
func compareResult(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// compareFloats orders floats as PostgreSQL does: NaN above every number.
func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	}
	return -1
}

// comparedTypes is the types that compare with themselves by Compare.
var comparedTypes = strings.Fields(`bool bytea char name int8 int2 int4 text oid xid cid tid oidvector
	float4 float8 inet macaddr bpchar date time timestamp timestamptz interval timetz bit varbit numeric
	record anyarray uuid pg_lsn jsonb`)

// mixedTypes is the pairs, beyond equal ones, that have comparison operators.
var mixedTypes = [][]string{
	{"int2", "int4", "int8"}, {"float4", "float8"}, {"text", "name"}, {"date", "timestamp", "timestamptz"},
}

// comparison gives the code of a comparison operator between two types.
func comparison(op, left, right string) (impl, bool) {
	if mirrored[op] == "" {
		return impl{}, false
	}
	has := func(list []string, name string) bool {
		for _, s := range list {
			if s == name {
				return true
			}
		}
		return false
	}
	if left == right && has(comparedTypes, left) {
		typ := pgtypes.Of(typeNamed(left))
		return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
			return compareResult(op, pgtypes.Compare(typ, args[0], args[1])), nil
		}, vec: compareVec(op, typ)}, true
	}
	for _, list := range mixedTypes {
		if !has(list, left) || !has(list, right) {
			continue
		}
		if list[0] == "date" {
			return impl{row: compareTimes(op, typeNamed(left), typeNamed(right))}, true
		}
		typ := pgtypes.Of(typeNamed(list[0]))
		return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
			return compareResult(op, pgtypes.Compare(typ, args[0], args[1])), nil
		}, vec: compareVec(op, typ)}, true
	}
	return impl{}, false
}

// compareTimes compares dates and timestamps of different types: as
// timestamps, or as instants where one side is a timestamptz.
func compareTimes(op string, left, right pgtypes.OID) rowFunc {
	typ := pgtypes.Of(pgtypes.Timestamp)
	if left == pgtypes.Timestamptz || right == pgtypes.Timestamptz {
		typ = pgtypes.Of(pgtypes.Timestamptz)
	}
	return func(env *Env, _ *Call, args []any) (any, error) {
		l, err := pgtypes.Convert(args[0], pgtypes.Of(left), typ, env.Style, false)
		if err != nil {
			return nil, err
		}
		r, err := pgtypes.Convert(args[1], pgtypes.Of(right), typ, env.Style, false)
		if err != nil {
			return nil, err
		}
		return compareResult(op, pgtypes.Compare(typ, l, r)), nil
	}
}

// compareVec compares columns of the same kind, or one with a constant.
func compareVec(op string, typ pgtypes.Type) vecFunc {
	kind := KindOf(typ.OID)
	if kind != vector.Int64 && kind != vector.Float && (kind != vector.String || typ.OID == pgtypes.Bpchar || typ.OID == pgtypes.Jsonb) {
		return nil
	}
	return func(_ *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
		l, r := args[0], args[1]
		if l != nil && l.Kind != kind || r != nil && r.Kind != kind || l == nil && r == nil {
			return nil, nil
		}
		if kind == vector.String && (l == nil || r == nil) {
			return nil, nil // by dictionary, or by rows
		}
		out := &vector.Column{Kind: vector.Bool, Len: b.N, Bools: make([]bool, b.N), Valid: bothValid(l, r)}
		rop := op
		if l == nil { // constant on the left: turn it round
			l, r, rop = r, nil, mirrored[op]
			call = &Call{Args: []Expr{call.Args[1], call.Args[0]}}
		}
		switch kind {
		case vector.Int64:
			if r == nil {
				c := call.Args[1].(*Const).Val.(int64)
				for k := range b.Live() {
					i := b.Row(k)
					out.Bools[i] = compareInts(rop, l.Ints[i], c)
				}
				return out, nil
			}
			for k := range b.Live() {
				i := b.Row(k)
				out.Bools[i] = compareInts(rop, l.Ints[i], r.Ints[i])
			}
		case vector.Float:
			var c float64
			if r == nil {
				c = call.Args[1].(*Const).Val.(float64)
			}
			for k := range b.Live() {
				i := b.Row(k)
				if r != nil {
					c = r.Floats[i]
				}
				out.Bools[i] = compareResult(rop, compareFloats(l.Floats[i], c))
			}
		default:
			for k := range b.Live() {
				i := b.Row(k)
				out.Bools[i] = compareResult(rop, strings.Compare(l.Str(i), r.Str(i)))
			}
		}
		return out, nil
	}
}

func compareInts(op string, a, b int64) bool {
	switch op {
	case "=":
		return a == b
	case "<>":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	default:
		return a >= b
	}
}

// bothValid is the validity of a strict function of two columns; nil columns
// are constants.
func bothValid(l, r *vector.Column) vector.Bitmap {
	switch {
	case l == nil || l.Valid == nil:
		if r == nil {
			return nil
		}
		return r.Valid
	case r == nil || r.Valid == nil:
		return l.Valid
	}
	out := l.Valid.Clone()
	for i := range out {
		out[i] &= r.Valid[i]
	}
	return out
}
