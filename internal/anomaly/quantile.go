package anomaly

import (
	"math"
)

// A Shift is how a quantile differs between two samples.
type Shift struct {
	Low, High float64 // bounds of the difference, at 95 % confidence
	P         float64 // chance of such a difference if there were none
}

// QuantileShift compares the q-quantiles of two ascending samples, without a
// guess at how the values are distributed. Each quantile's standard error is
// told by the order statistics that bound it (binomial ranks), both are added as
// independent ones: Price and Bonett, Journal of Statistical Computation and
// Simulation 72 (2002). There is no answer where a sample is too small to bound
// its quantile: for the 95th percentile, below 73 values.
func QuantileShift(q float64, a, b []float64) (s Shift, ok bool) {
	ea, ok1 := quantileError(q, a)
	eb, ok2 := quantileError(q, b)
	if !ok1 || !ok2 {
		return Shift{}, false
	}
	d := Quantile(q, b) - Quantile(q, a)
	e := math.Hypot(ea, eb)
	s = Shift{Low: d - twoSided*e, High: d + twoSided*e, P: 1}
	switch {
	case e > 0:
		s.P = math.Erfc(math.Abs(d) / e / math.Sqrt2)
	case d != 0:
		s.P = 0
	}
	return s, true
}

const twoSided = 1.959964 // standard errors on either side of 95 %

func quantileError(q float64, ascending []float64) (float64, bool) {
	n := float64(len(ascending))
	spread := twoSided * math.Sqrt(n*q*(1-q))
	low, high := int(math.Floor(n*q-spread)), int(math.Ceil(n*q+spread)) // ranks, from 1
	if low < 1 || high > len(ascending) {
		return 0, false
	}
	return (ascending[high-1] - ascending[low-1]) / (2 * twoSided), true
}

// Quantile interpolates as percentile_cont does; NaN of nothing.
func Quantile(q float64, ascending []float64) float64 {
	if len(ascending) == 0 {
		return math.NaN()
	}
	at := q * float64(len(ascending)-1)
	below := int(at)
	if below+1 >= len(ascending) {
		return ascending[below]
	}
	return ascending[below] + (at-float64(below))*(ascending[below+1]-ascending[below])
}
