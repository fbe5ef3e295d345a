package expr

import (
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// KindOf gives the physical kind in which columns of a type are built.
func KindOf(oid pgtypes.OID) vector.Kind {
	switch oid {
	case pgtypes.Bool:
		return vector.Bool
	case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8, pgtypes.Oid,
		pgtypes.Regproc, pgtypes.Regprocedure, pgtypes.Regoper, pgtypes.Regoperator,
		pgtypes.Regclass, pgtypes.Regtype, pgtypes.Regnamespace, pgtypes.Regrole, pgtypes.Regcollation,
		pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Date, pgtypes.Time:
		return vector.Int64
	case pgtypes.Float4, pgtypes.Float8:
		return vector.Float
	case pgtypes.Text, pgtypes.Varchar, pgtypes.Bpchar, pgtypes.Name, pgtypes.Char,
		pgtypes.JSON, pgtypes.Jsonb, pgtypes.Unknown, pgtypes.Cstring:
		return vector.String
	}
	return vector.Any
}

// A scatter builds a column of n rows in any order. Rows that are never set
// hold the zero value.
type scatter struct {
	col vector.Column
}

func newScatter(oid pgtypes.OID, n int) *scatter {
	s := &scatter{}
	s.col.Kind, s.col.Len = KindOf(oid), n
	switch s.col.Kind {
	case vector.Bool:
		s.col.Bools = make([]bool, n)
	case vector.Int64:
		s.col.Ints = make([]int64, n)
	case vector.Float:
		s.col.Floats = make([]float64, n)
	case vector.String:
		s.col.Strs = make([]string, n)
	default:
		s.col.Anys = make([]any, n)
	}
	return s
}

func (s *scatter) setNull(i int) {
	if s.col.Valid == nil {
		s.col.Valid = vector.Ones(s.col.Len)
	}
	s.col.Valid.Clear(i)
}

// set stores a value in the form of package pgtypes; nil is NULL.
func (s *scatter) set(i int, v any) {
	if v == nil {
		s.setNull(i)
		return
	}
	switch s.col.Kind {
	case vector.Bool:
		s.col.Bools[i] = v.(bool)
	case vector.Int64:
		s.col.Ints[i] = v.(int64)
	case vector.Float:
		s.col.Floats[i] = v.(float64)
	case vector.String:
		s.col.Strs[i] = v.(string)
	default:
		s.col.Anys[i] = v
	}
}

// setRow stores row i of c at the same place.
func (s *scatter) setRow(i int, c *vector.Column) {
	switch {
	case c.IsNull(i):
		s.setNull(i)
	case s.col.Kind != c.Kind:
		s.set(i, c.Value(i))
	case c.Kind == vector.Bool:
		s.col.Bools[i] = c.Bools[i]
	case c.Kind == vector.Int64:
		s.col.Ints[i] = c.Ints[i]
	case c.Kind == vector.Float:
		s.col.Floats[i] = c.Floats[i]
	case c.Kind == vector.String:
		s.col.Strs[i] = c.Str(i)
	default:
		s.col.Anys[i] = c.Anys[i]
	}
}

func (s *scatter) finish() *vector.Column { return &s.col }

// ByRows evaluates e for the live rows of b one by one. It is the vector form
// of expressions that have no better one.
func ByRows(env *Env, e Expr, b *vector.Batch) (*vector.Column, error) {
	out := newScatter(e.Type().OID, b.N)
	slots, _ := columnsOf(e, nil)
	cols := make([]*vector.Column, b.Width())
	for _, slot := range slots {
		c, err := b.Column(slot)
		if err != nil {
			return nil, err
		}
		cols[slot] = c
	}
	row := make([]any, len(cols))
	for k := range b.Live() {
		i := b.Row(k)
		for _, slot := range slots {
			row[slot] = cols[slot].Value(i)
		}
		v, err := e.Eval(env, row)
		if err != nil {
			return nil, err
		}
		out.set(i, v)
	}
	return out.finish(), nil
}

// columnsOf appends the slots that e reads, each once. It reports false for an
// expression whose value does not follow from these alone: a volatile one, or
// one of another package.
func columnsOf(e Expr, slots []int) ([]int, bool) {
	ok := true
	switch e := e.(type) {
	case *Col:
		for _, s := range slots {
			if s == e.Slot {
				return slots, true
			}
		}
		return append(slots, e.Slot), true
	case *Const:
		return slots, true
	case *Param:
		return slots, false
	case *Call:
		ok = e.Fn.Volatile != Volatile
	case *And, *Or, *Not, *IsNull, *IsDistinct, *BoolTest, *Case, *Coalesce, *NullIf,
		*MinMax, *Cast, *InList, *ArrayOp, *ArrayExpr, *Subscript, *Slice, *RowExpr, *FieldSelect:
	default:
		ok = false
	}
	for _, c := range e.Children() {
		if c == nil {
			continue
		}
		var childOK bool
		if slots, childOK = columnsOf(c, slots); !childOK {
			ok = false
		}
	}
	return slots, ok
}

// byDictionary evaluates an expression that reads one dictionary column once
// for each of the dictionary's values that a live row has. It declines with
// nil, nil.
func byDictionary(env *Env, e Expr, b *vector.Batch) (*vector.Column, error) {
	slots, ok := columnsOf(e, nil)
	if !ok || len(slots) != 1 {
		return nil, nil
	}
	col, err := b.Column(slots[0])
	if err != nil {
		return nil, err
	}
	if !col.HasDict() || len(col.Dict) > 2*b.Live() {
		return nil, nil
	}
	row := make([]any, slots[0]+1)
	return mapDictionary(col, b, KindOf(e.Type().OID), func(v any) (any, error) {
		row[slots[0]] = v
		return e.Eval(env, row)
	})
}

// mapDictionary applies f to each value of a dictionary column, and to NULL,
// that a live row has. A text result is a dictionary column again.
func mapDictionary(col *vector.Column, b *vector.Batch, kind vector.Kind, f func(v any) (any, error)) (*vector.Column, error) {
	null := len(col.Dict)
	used := make([]bool, null+1)
	for k := range b.Live() {
		i := b.Row(k)
		if col.IsNull(i) {
			used[null] = true
		} else {
			used[col.Codes[i]] = true
		}
	}
	vals := make([]any, null+1)
	for code, in := range used {
		if !in {
			continue
		}
		var arg any
		if code < null {
			arg = col.Dict[code]
		}
		v, err := f(arg)
		if err != nil {
			return nil, err
		}
		vals[code] = v
	}
	codeOf := func(i int) int {
		if col.IsNull(i) {
			return null
		}
		return int(col.Codes[i])
	}
	out := &vector.Column{Kind: kind, Len: b.N}
	anyNull := false
	for code, in := range used {
		anyNull = anyNull || in && vals[code] == nil
	}
	if anyNull {
		out.Valid = vector.Ones(b.N)
		for k := range b.Live() {
			if i := b.Row(k); vals[codeOf(i)] == nil {
				out.Valid.Clear(i)
			}
		}
	}
	switch kind {
	case vector.Bool:
		lut := typed[bool](vals)
		out.Bools = make([]bool, b.N)
		for k := range b.Live() {
			i := b.Row(k)
			out.Bools[i] = lut[codeOf(i)]
		}
	case vector.Int64:
		lut := typed[int64](vals)
		out.Ints = make([]int64, b.N)
		for k := range b.Live() {
			i := b.Row(k)
			out.Ints[i] = lut[codeOf(i)]
		}
	case vector.Float:
		lut := typed[float64](vals)
		out.Floats = make([]float64, b.N)
		for k := range b.Live() {
			i := b.Row(k)
			out.Floats[i] = lut[codeOf(i)]
		}
	case vector.String:
		lut := make([]uint32, len(vals))
		codes := make(map[string]uint32, len(vals))
		for i, v := range vals {
			s, ok := v.(string)
			if !ok {
				continue
			}
			code, seen := codes[s]
			if !seen {
				code = uint32(len(out.Dict))
				codes[s] = code
				out.Dict = append(out.Dict, s)
			}
			lut[i] = code
		}
		if out.Dict == nil {
			out.Dict = []string{""}
		}
		out.Codes = make([]uint32, b.N)
		for k := range b.Live() {
			i := b.Row(k)
			out.Codes[i] = lut[codeOf(i)]
		}
		if out.Valid != nil { // code 0 where NULL
			for k := range b.Live() {
				if i := b.Row(k); !out.Valid.Get(i) {
					out.Codes[i] = 0
				}
			}
		}
	default:
		out.Kind = vector.Any
		out.Anys = make([]any, b.N)
		for k := range b.Live() {
			i := b.Row(k)
			out.Anys[i] = vals[codeOf(i)]
		}
	}
	return out, nil
}

func typed[T any](vals []any) []T {
	out := make([]T, len(vals))
	for i, v := range vals {
		out[i], _ = v.(T)
	}
	return out
}
