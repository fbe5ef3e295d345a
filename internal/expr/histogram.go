package expr

import (
	"math"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// histogramFunctions estimates quantiles from buckets.
func histogramFunctions() map[string]impl {
	return map[string]impl{
		"histogram_quantile(float8,_int8,_float8)": fn3(explicitQuantile),
		"histogram_quantile(float8,int8,int8,int8,_int8,int8,_int8)": raw(func(_ *Env, _ *Call, a []any) (any, error) {
			return exponentialQuantile(a)
		}),
	}
}

// A bucket holds count values between two bounds.
type bucket struct {
	low, high, count float64
	logarithmic      bool // values are taken to be spread evenly over the logarithm
}

// quantileOf interpolates within the bucket that the rank falls in, as
// Prometheus does; nil where nothing was counted.
func quantileOf(q float64, buckets []bucket) (any, error) {
	if math.IsNaN(q) || q < 0 || q > 1 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "percentile value %g is not between 0 and 1", q)
	}
	total := 0.0
	for _, b := range buckets {
		total += b.count
	}
	if total <= 0 {
		return nil, nil
	}
	rank := q * total
	for i, b := range buckets {
		if b.count > 0 && (rank <= b.count || i == len(buckets)-1) {
			return b.at(min(rank/b.count, 1)), nil
		}
		rank -= b.count
	}
	return buckets[len(buckets)-1].high, nil
}

func (b bucket) at(share float64) float64 {
	switch {
	case b.low == b.high:
		return b.low
	case !b.logarithmic:
		return b.low + (b.high-b.low)*share
	}
	return b.low * math.Pow(b.high/b.low, share) // also where both are negative
}

// counts reads bucket counts, NULLs as 0.
func counts(list *pgtypes.Array) []float64 {
	out := make([]float64, len(list.Elems))
	for i, e := range list.Elems {
		if n, ok := e.(int64); ok {
			out[i] = float64(n)
		}
	}
	return out
}

// explicitQuantile is of a histogram with bounds: bucket i ends at bound i, the
// last has no end. A rank in the last gives the highest bound; the first begins
// at 0, or where its bound is not positive gives that bound.
func explicitQuantile(q float64, list, bounds *pgtypes.Array) (any, error) {
	n := counts(list)
	if len(n) == 0 {
		return quantileOf(q, nil)
	}
	if len(bounds.Elems) != len(n)-1 {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "%d buckets cannot have %d bounds", len(n), len(bounds.Elems))
	}
	edges := make([]float64, len(bounds.Elems))
	for i, e := range bounds.Elems {
		v, ok := e.(float64)
		if !ok {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "a bound of a histogram is NULL")
		}
		edges[i] = v
	}
	if len(edges) == 0 { // only a count: nothing is known of the values
		return nil, nil
	}
	buckets := make([]bucket, len(n))
	for i := range n {
		b := bucket{count: n[i]}
		switch {
		case i == len(edges):
			b.low, b.high = edges[i-1], edges[i-1]
		case i > 0:
			b.low, b.high = edges[i-1], edges[i]
		default:
			b.low, b.high = min(0, edges[0]), edges[0]
		}
		buckets[i] = b
	}
	return quantileOf(q, buckets)
}

// exponentialQuantile is of a histogram whose bucket i covers the values from
// base^(offset+i), excluded, to base^(offset+i+1), with base = 2^(2^-scale).
// Missing sides may be NULL.
func exponentialQuantile(a []any) (any, error) {
	q, ok := a[0].(float64)
	scale, ok2 := a[1].(int64)
	if !ok || !ok2 {
		return nil, nil
	}
	if scale < -30 || scale > 30 {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "scale %d of a histogram is not between -30 and 30", scale)
	}
	side := func(offset, list any) (first int64, n []float64) {
		if l, ok := list.(*pgtypes.Array); ok {
			n = counts(l)
		}
		first, _ = offset.(int64)
		return first, n
	}
	edge := func(index int64) float64 { return math.Exp2(float64(index) * math.Exp2(-float64(scale))) }
	var buckets []bucket
	first, n := side(a[5], a[6])
	for i := len(n) - 1; i >= 0; i-- { // from the most negative up
		at := first + int64(i)
		buckets = append(buckets, bucket{low: -edge(at + 1), high: -edge(at), count: n[i], logarithmic: true})
	}
	if zero, ok := a[2].(int64); ok {
		buckets = append(buckets, bucket{count: float64(zero)})
	}
	first, n = side(a[3], a[4])
	for i := range n {
		at := first + int64(i)
		buckets = append(buckets, bucket{low: edge(at), high: edge(at + 1), count: n[i], logarithmic: true})
	}
	return quantileOf(q, buckets)
}
