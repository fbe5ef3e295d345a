package expr

import (
	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Bounds within which epochBuckets is exact: numeric division rounds the
// quotient of microseconds and a whole number of seconds at its 12th decimal or
// further behind. No quotient below an integer is nearer to it than
// 1 / (1e6 × maxBucketSeconds), so that none is rounded up to it.
const (
	maxBucketSeconds = 100_000
	maxBucket        = 100_000_000
)

// epochBuckets is floor(extract(epoch FROM t) / n), as Grafana writes the time
// of a series, without a numeric for each row: rows of one bucket share one. It
// gives nil if the call is another, or a time is out of its bounds.
func epochBuckets(env *Env, c *Call, b *vector.Batch) (*vector.Column, error) {
	seconds, of := bucketOf(c)
	if of == nil {
		return nil, nil
	}
	times, err := of.Vec(env, b)
	if err != nil || times.Kind != vector.Int64 {
		return nil, err
	}
	out := newScatter(c.Typ.OID, b.N)
	width := seconds * second
	var shared any
	from, to := int64(0), int64(0) // the bucket of shared
	for k := range b.Live() {
		i := b.Row(k)
		if times.IsNull(i) {
			out.setNull(i)
			continue
		}
		v := times.Ints[i]
		if infinite(v) || v < -pgtypes.EpochUnixMicros {
			return nil, nil
		}
		if v += pgtypes.EpochUnixMicros; v < from || v >= to {
			n := v / width
			if n >= maxBucket {
				return nil, nil
			}
			shared, from, to = apd.New(n, 0), n*width, (n+1)*width
		}
		out.col.Anys[i] = shared
	}
	return out.finish(), nil
}

// bucketOf takes floor(extract(epoch FROM of) / seconds) apart; of is nil if
// the call is another, or the seconds are out of bounds.
func bucketOf(c *Call) (seconds int64, of Expr) {
	if c.Fn.Name != "floor" || c.Typ.OID != pgtypes.Numeric || len(c.Args) != 1 {
		return 0, nil
	}
	quotient, ok := c.Args[0].(*Call)
	if !ok || quotient.Fn.Name != "/" || len(quotient.Args) != 2 {
		return 0, nil
	}
	divisor, ok := quotient.Args[1].(*Const)
	if !ok {
		return 0, nil
	}
	d, ok := divisor.Val.(*apd.Decimal)
	if !ok || d.Form != apd.Finite || d.Exponent != 0 {
		return 0, nil
	}
	seconds, err := d.Int64()
	if err != nil || seconds <= 0 || seconds >= maxBucketSeconds {
		return 0, nil
	}
	field, ok := quotient.Args[0].(*Call)
	if !ok || field.Fn.Name != "extract" || len(field.Args) != 2 || field.Args[1].Type().OID != pgtypes.Timestamptz {
		return 0, nil
	}
	name, ok := field.Args[0].(*Const)
	if !ok {
		return 0, nil
	}
	if unit, ok := name.Val.(string); !ok || unitOf(unit) != "epoch" {
		return 0, nil
	}
	return seconds, field.Args[1]
}

// A lastNumeric remembers the numeric that a row-by-row evaluation has just seen:
// rows that share one share the result.
type lastNumeric struct {
	arg    *apd.Decimal
	result any
}

// find gives the result for v if it is the numeric of the row before.
func (r *lastNumeric) find(v any) (result any, ok bool) {
	d, ok := v.(*apd.Decimal)
	if !ok || d != r.arg {
		r.arg = d
		return nil, false
	}
	return r.result, true
}
