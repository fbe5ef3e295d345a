package expr

import (
	"encoding/hex"
	"math"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Filter narrows b's selection to the rows for which cond is true. Conjuncts
// are applied in order, each to the rows that are left. The selection that b
// came with is not written to.
func Filter(env *Env, cond Expr, b *vector.Batch) error {
	if and, ok := cond.(*And); ok {
		for _, c := range and.Args {
			if b.Live() == 0 {
				return nil
			}
			if err := Filter(env, c, b); err != nil {
				return err
			}
		}
		return nil
	}
	if b.Live() == 0 {
		return nil
	}
	if call, ok := cond.(*Call); ok {
		done, err := filterComparison(env, call, b)
		if done || err != nil {
			return err
		}
	}
	col, err := cond.Vec(env, b)
	if err != nil {
		return err
	}
	if col.Kind != vector.Bool { // a column of NULLs
		b.Sel = []int32{}
		return nil
	}
	if col.Valid == nil {
		b.Sel = keep(b, col.Bools, func(v bool) bool { return v })
		return nil
	}
	sel := make([]int32, 0, b.Live())
	for k := range b.Live() {
		if i := b.Row(k); col.Bools[i] && col.Valid.Get(i) {
			sel = append(sel, int32(i))
		}
	}
	b.Sel = sel
	return nil
}

// keep gives the live rows whose value passes test.
func keep[T any](b *vector.Batch, vals []T, test func(T) bool) []int32 {
	sel := make([]int32, b.Live())
	n := 0
	if b.Sel == nil {
		for i, v := range vals[:b.N] {
			sel[n] = int32(i)
			if test(v) {
				n++
			}
		}
		return sel[:n]
	}
	for _, i := range b.Sel {
		sel[n] = i
		if test(vals[i]) {
			n++
		}
	}
	return sel[:n]
}

// ordered is the values with comparison kernels.
type ordered interface{ ~int64 | ~uint32 }

// compareSel gives the live rows whose value compares so with a constant: one
// loop for each operator, so that each is without branches.
func compareSel[T ordered](b *vector.Batch, vals []T, op string, c T) []int32 {
	sel := make([]int32, b.Live())
	n := 0
	if b.Sel == nil {
		vals = vals[:b.N]
		switch op {
		case "=":
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v == c)
			}
		case "<>":
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v != c)
			}
		case "<":
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v < c)
			}
		case "<=":
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v <= c)
			}
		case ">":
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v > c)
			}
		default:
			for i, v := range vals {
				sel[n] = int32(i)
				n += bit(v >= c)
			}
		}
		return sel[:n]
	}
	switch op {
	case "=":
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] == c)
		}
	case "<>":
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] != c)
		}
	case "<":
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] < c)
		}
	case "<=":
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] <= c)
		}
	case ">":
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] > c)
		}
	default:
		for _, i := range b.Sel {
			sel[n] = i
			n += bit(vals[i] >= c)
		}
	}
	return sel[:n]
}

// compareFloatSel is compareSel for floats: NaN equals itself and is above
// every number, so < and = differ from the machine's.
func compareFloatSel(b *vector.Batch, vals []float64, op string, c float64) []int32 {
	if math.IsNaN(c) {
		return keep(b, vals, func(v float64) bool { return compareResult(op, compareFloats(v, c)) })
	}
	switch op {
	case "=":
		return keep(b, vals, func(v float64) bool { return v == c })
	case "<>":
		return keep(b, vals, func(v float64) bool { return v != c })
	case "<":
		return keep(b, vals, func(v float64) bool { return v < c })
	case "<=":
		return keep(b, vals, func(v float64) bool { return v <= c })
	case ">":
		sel := make([]int32, b.Live())
		n := 0
		if b.Sel == nil {
			for i, v := range vals[:b.N] {
				sel[n] = int32(i)
				n += bit(!(v <= c))
			}
			return sel[:n]
		}
		return keep(b, vals, func(v float64) bool { return !(v <= c) })
	default:
		return keep(b, vals, func(v float64) bool { return !(v < c) })
	}
}

// bit is 1 for true, without a branch.
func bit(v bool) int {
	var n int
	if v {
		n = 1
	}
	return n
}

// mirrored gives the operator with its operands swapped.
var mirrored = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// filterComparison narrows by column op constant where the column's kind has a
// kernel.
func filterComparison(env *Env, call *Call, b *vector.Batch) (bool, error) {
	op := call.Fn.Operator
	if mirrored[op] == "" || len(call.Args) != 2 {
		return false, nil
	}
	arg := call.Args[0]
	c, ok := call.Args[1].(*Const)
	if !ok {
		if c, ok = call.Args[0].(*Const); !ok {
			return false, nil
		}
		arg, op = call.Args[1], mirrored[op]
	}
	if c.Val == nil {
		b.Sel = []int32{}
		return true, nil
	}
	if !comparable2(arg.Type().OID, c.Typ.OID) {
		return false, nil
	}
	if _, isConst := arg.(*Const); isConst {
		return false, nil
	}
	col, err := arg.Vec(env, b)
	if err != nil {
		return false, err
	}
	var sel []int32
	switch v := c.Val.(type) {
	case int64:
		if col.Kind != vector.Int64 {
			return false, nil
		}
		sel = compareSel(b, col.Ints, op, v)
	case float64:
		if col.Kind != vector.Float {
			return false, nil
		}
		sel = compareFloatSel(b, col.Floats, op, v)
	case string:
		switch {
		case col.HasDict():
			sel = compareDictSel(b, col, op, v)
		case col.Kind == vector.String:
			sel = keep(b, col.Strs, textTest(op, v))
		case col.Kind == vector.Hex && (op == "=" || op == "<>"):
			sel = compareHexSel(b, col, op, v)
		default:
			return false, nil
		}
	default:
		return false, nil
	}
	b.Sel = dropNulls(col, sel)
	return true, nil
}

// comparable2 reports whether operators between two types compare the forms of
// their values as these stand.
func comparable2(a, b pgtypes.OID) bool {
	if !sameValues(a, b) {
		return false
	}
	switch a {
	case pgtypes.Jsonb, pgtypes.JSON, pgtypes.Bpchar:
		return false
	}
	return KindOf(a) != vector.Any
}

func dropNulls(col *vector.Column, sel []int32) []int32 {
	if col.Valid == nil {
		return sel
	}
	n := 0
	for _, i := range sel {
		sel[n] = i
		n += bit(col.Valid.Get(int(i)))
	}
	return sel[:n]
}

func textTest(op, c string) func(string) bool {
	switch op {
	case "=":
		return func(s string) bool { return s == c }
	case "<>":
		return func(s string) bool { return s != c }
	default:
		return func(s string) bool { return compareResult(op, strings.Compare(s, c)) }
	}
}

func compareDictSel(b *vector.Batch, col *vector.Column, op, c string) []int32 {
	if len(col.Dict) > 2*b.Live() {
		test := textTest(op, c)
		return keep(b, col.Codes, func(code uint32) bool { return test(col.Dict[code]) })
	}
	if op == "=" || op == "<>" {
		for code, s := range col.Dict {
			if s == c {
				return compareSel(b, col.Codes, op, uint32(code))
			}
		}
		if op == "=" {
			return []int32{}
		}
		return keep(b, col.Codes, func(uint32) bool { return true })
	}
	test := textTest(op, c)
	lut := make([]bool, len(col.Dict))
	for code, s := range col.Dict {
		lut[code] = test(s)
	}
	return keep(b, col.Codes, func(code uint32) bool { return lut[code] })
}

func compareHexSel(b *vector.Batch, col *vector.Column, op, c string) []int32 {
	want := op == "="
	raw, err := hex.DecodeString(c)
	if err != nil || len(raw) != col.Width || strings.ToLower(c) != c {
		raw = nil // no row is equal
	}
	sel := make([]int32, b.Live())
	n := 0
	for k := range b.Live() {
		i := b.Row(k)
		sel[n] = int32(i)
		n += bit((raw != nil && string(col.HexBytes(i)) == string(raw)) == want)
	}
	return sel[:n]
}

// AttrKey recognises column->>'key' over a jsonb column.
func AttrKey(e Expr) (col *Col, key string, ok bool) {
	call, isCall := e.(*Call)
	if !isCall || call.Fn.Operator != "->>" || len(call.Args) != 2 {
		return nil, "", false
	}
	col, isCol := call.Args[0].(*Col)
	c, isConst := call.Args[1].(*Const)
	if !isCol || !isConst || col.Typ.OID != pgtypes.Jsonb {
		return nil, "", false
	}
	key, ok = c.Val.(string)
	return col, key, ok && key != "" // to a scan, no key is the whole column
}
