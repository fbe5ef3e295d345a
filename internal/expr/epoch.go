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
	buckets := make(map[int64]any)
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
			from, to = n*width, (n+1)*width
			if shared = buckets[n]; shared == nil {
				shared = apd.New(n, 0)
				buckets[n] = shared
			}
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

// sharedNumerics remembers the numerics that a row-by-row evaluation has seen in
// a batch: rows that share one share the result.
type sharedNumerics struct {
	arg     *apd.Decimal // of the row before
	result  any
	results map[*apd.Decimal]any
}

// maxShared is from how many numerics on only the row before is remembered.
const maxShared = 1 << 10

// find gives the result for v if it was seen before; if it was not, the next
// keep is for it.
func (r *sharedNumerics) find(v any) (result any, ok bool) {
	d, ok := v.(*apd.Decimal)
	if !ok {
		r.arg = nil
		return nil, false
	}
	if d == r.arg {
		return r.result, true
	}
	r.arg = d
	r.result, ok = r.results[d]
	return r.result, ok
}

func (r *sharedNumerics) keep(result any) {
	r.result = result
	if r.arg == nil || len(r.results) >= maxShared {
		return
	}
	if r.results == nil {
		r.results = make(map[*apd.Decimal]any)
	}
	r.results[r.arg] = result
}
