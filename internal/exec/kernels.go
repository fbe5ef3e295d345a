package exec

import (
	"math"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// newKernel gives a typed accumulator for the aggregates that dashboards use
// over the plain kinds, nil for all others.
func newKernel(env *expr.Env, call *expr.AggCall) accumulator {
	name := call.Agg.Name
	if name == "count" {
		return &counter{env: env, call: call}
	}
	if len(call.Args) != 1 {
		return nil
	}
	arg := call.Args[0].Type().OID
	switch arg {
	case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8:
		if name == "sum" || name == "avg" || name == "min" || name == "max" {
			return &intKernel{env: env, call: call, op: name}
		}
	case pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Date:
		if name == "min" || name == "max" {
			return &intKernel{env: env, call: call, op: name}
		}
	case pgtypes.Float8:
		if name == "sum" || name == "avg" || name == "min" || name == "max" {
			return &floatKernel{env: env, call: call, op: name}
		}
	}
	return nil
}

// extend makes s at least n long with zero values.
func extend[T any](s []T, n int) []T {
	if len(s) >= n {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// counter is count(*) and count(x).
type counter struct {
	env    *expr.Env
	call   *expr.AggCall
	counts []int64
}

func (c *counter) add(b *vector.Batch, ids []uint32, groups int) error {
	c.counts = extend(c.counts, groups)
	var valid vector.Bitmap
	if len(c.call.Args) == 1 {
		col, err := c.call.Args[0].Vec(c.env, b)
		if err != nil {
			return err
		}
		valid = col.Valid
	}
	if valid == nil {
		if groups == 1 {
			c.counts[0] += int64(len(ids))
			return nil
		}
		for _, id := range ids {
			c.counts[id]++
		}
		return nil
	}
	for k, id := range ids {
		if valid.Get(b.Row(k)) {
			c.counts[id]++
		}
	}
	return nil
}

func (c *counter) merge(other accumulator, ids []uint32, groups int) error {
	c.counts = extend(c.counts, groups)
	o := extend(other.(*counter).counts, len(ids))
	for g, id := range ids {
		c.counts[id] += o[g]
	}
	return nil
}

func (c *counter) result(n int) (*vector.Column, error) {
	return &vector.Column{Kind: vector.Int64, Len: n, Ints: extend(c.counts, n)[:n]}, nil
}

func (c *counter) bytes() int64 { return int64(8 * cap(c.counts)) }

// intKernel is sum, avg, min and max over integers and times. Sums are kept in
// 128 bits, so they cannot overflow before PostgreSQL's would.
type intKernel struct {
	env    *expr.Env
	call   *expr.AggCall
	op     string
	groups []intState
}

type intState struct {
	count int64
	lo    uint64 // sum, or lo alone: the extreme value
	hi    int64
	_     int64 // keeps the state at half a cache line
}

func (s *intState) addInt(v int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0)
	s.hi += v>>63 + int64(carry)
	s.count++
}

func (s *intState) extreme(v int64, wantMax bool) {
	if s.count == 0 || (v > int64(s.lo)) == wantMax && v != int64(s.lo) {
		s.lo = uint64(v)
	}
	s.count++
}

func (a *intKernel) add(b *vector.Batch, ids []uint32, groups int) error {
	a.groups = extend(a.groups, groups)
	col, err := a.call.Args[0].Vec(a.env, b)
	if err != nil {
		return err
	}
	sum := a.op == "sum" || a.op == "avg"
	wantMax := a.op == "max"
	for k, id := range ids {
		i := b.Row(k)
		if col.Valid != nil && !col.Valid.Get(i) {
			continue
		}
		if sum {
			a.groups[id].addInt(col.Ints[i])
		} else {
			a.groups[id].extreme(col.Ints[i], wantMax)
		}
	}
	return nil
}

func (a *intKernel) merge(other accumulator, ids []uint32, groups int) error {
	a.groups = extend(a.groups, groups)
	o := extend(other.(*intKernel).groups, len(ids))
	for g, id := range ids {
		s, t := &a.groups[id], o[g]
		switch {
		case t.count == 0:
		case a.op == "min" || a.op == "max":
			s.extreme(int64(t.lo), a.op == "max")
		default:
			var carry uint64
			s.lo, carry = bits.Add64(s.lo, t.lo, 0)
			s.hi += t.hi + int64(carry)
			s.count += t.count
		}
	}
	return nil
}

func (a *intKernel) result(n int) (*vector.Column, error) {
	a.groups = extend(a.groups, n)
	out := vector.NewBuilder(expr.KindOf(a.call.Typ.OID), n)
	for i := range a.groups[:n] {
		s := &a.groups[i]
		switch {
		case s.count == 0:
			out.AppendNull()
		case a.op == "min" || a.op == "max" || (a.op == "sum" && a.call.Typ.OID == pgtypes.Int8):
			out.Append(int64(s.lo))
		case a.op == "sum":
			out.Append(s.decimal())
		default:
			avg, err := pgtypes.NumericDiv(s.decimal(), apd.New(s.count, 0))
			if err != nil {
				return nil, err
			}
			out.Append(avg)
		}
	}
	return out.Finish(), nil
}

// decimal gives the 128-bit sum as a numeric.
func (s *intState) decimal() *apd.Decimal {
	d := new(apd.Decimal)
	hi, lo := uint64(s.hi), s.lo
	if s.hi < 0 {
		d.Negative = true
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	d.Coeff.SetUint64(hi)
	d.Coeff.Lsh(&d.Coeff, 64)
	var low apd.BigInt
	low.SetUint64(lo)
	d.Coeff.Add(&d.Coeff, &low)
	return d
}

func (a *intKernel) bytes() int64 { return int64(32 * cap(a.groups)) }

// floatKernel is sum, avg, min and max over float8. NaN is the greatest value.
type floatKernel struct {
	env    *expr.Env
	call   *expr.AggCall
	op     string
	groups []floatState
}

type floatState struct {
	count int64
	value float64
}

func (a *floatKernel) put(s *floatState, v float64) {
	switch a.op {
	case "sum", "avg":
		s.value += v
	case "min":
		if s.count == 0 || v < s.value || math.IsNaN(s.value) {
			s.value = v
		}
	default:
		if s.count == 0 || v > s.value || math.IsNaN(v) {
			s.value = v
		}
	}
}

func (a *floatKernel) add(b *vector.Batch, ids []uint32, groups int) error {
	a.groups = extend(a.groups, groups)
	col, err := a.call.Args[0].Vec(a.env, b)
	if err != nil {
		return err
	}
	if (a.op == "sum" || a.op == "avg") && col.Valid == nil && b.Sel == nil {
		for i, id := range ids {
			s := &a.groups[id]
			s.count++
			s.value += col.Floats[i]
		}
		return nil
	}
	for k, id := range ids {
		i := b.Row(k)
		if col.Valid != nil && !col.Valid.Get(i) {
			continue
		}
		s := &a.groups[id]
		a.put(s, col.Floats[i])
		s.count++
	}
	return nil
}

func (a *floatKernel) merge(other accumulator, ids []uint32, groups int) error {
	a.groups = extend(a.groups, groups)
	o := extend(other.(*floatKernel).groups, len(ids))
	for g, id := range ids {
		if o[g].count == 0 {
			continue
		}
		s := &a.groups[id]
		a.put(s, o[g].value)
		s.count += o[g].count
	}
	return nil
}

func (a *floatKernel) result(n int) (*vector.Column, error) {
	a.groups = extend(a.groups, n)
	out := vector.NewBuilder(vector.Float, n)
	for _, s := range a.groups[:n] {
		switch {
		case s.count == 0:
			out.AppendNull()
		case a.op == "avg":
			out.Append(s.value / float64(s.count))
		default:
			out.Append(s.value)
		}
	}
	return out.Finish(), nil
}

func (a *floatKernel) bytes() int64 { return int64(16 * cap(a.groups)) }
