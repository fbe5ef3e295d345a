package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// benjaminiHochberg corrects p-values for their number (Benjamini & Hochberg,
// J. R. Stat. Soc. B 57, 1995): q of the i-th smallest of m is the least
// p_k * m / k over k >= i.
func benjaminiHochberg(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	q := make([]float64, len(p))
	least := 1.0
	for k := len(order) - 1; k >= 0; k-- {
		least = min(least, p[order[k]]*float64(len(p))/float64(k+1))
		q[order[k]] = least
	}
	return q
}

// studentQuantile is the quantile of Student's t at the level that x has in
// the normal distribution, by Cornish-Fisher expansion (Abramowitz & Stegun,
// 26.7.5). From 5 degrees of freedom on, which is all that occurs, it is good
// to 1e-3 around 90 %.
func studentQuantile(x, df float64) float64 {
	x2 := x * x
	g1 := x * (x2 + 1) / 4
	g2 := x * ((5*x2+16)*x2 + 3) / 96
	g3 := x * (((3*x2+19)*x2+17)*x2 - 15) / 384
	g4 := x * ((((79*x2+776)*x2+1482)*x2-1920)*x2 - 945) / 92160
	return x + (g1+(g2+(g3+g4/df)/df)/df)/df
}

// studentTail is P(T > t) for t >= 0.
func studentTail(t, df float64) float64 {
	return incompleteBeta(df/2, 0.5, df/(df+t*t)) / 2
}

// binomialAtLeast is P(X >= k) of n trials, binomialAtMost P(X <= k). Counts
// need not be whole: they come divided by a dispersion.
func binomialAtLeast(k, n, p float64) float64 {
	if k <= 0 {
		return 1
	}
	return incompleteBeta(k, n-k+1, p)
}

func binomialAtMost(k, n, p float64) float64 {
	if k >= n {
		return 1
	}
	return incompleteBeta(n-k, k+1, 1-p)
}

// incompleteBeta is the regularised incomplete beta function, by its continued
// fraction (Abramowitz & Stegun, 26.5.8) evaluated by Lentz's method.
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - incompleteBeta(b, a, 1-x)
	}
	const tiny = 1e-300
	front := math.Exp(logGamma(a+b) - logGamma(a) - logGamma(b) + a*math.Log(x) + b*math.Log1p(-x))
	f, c, d := 1.0, 1.0, 0.0
	for i := range 400 {
		m := float64(i / 2)
		var num float64
		switch {
		case i == 0:
			num = 1
		case i%2 == 0:
			num = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			num = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		d = 1 + num*d
		if math.Abs(d) < tiny {
			d = tiny
		}
		d = 1 / d
		c = 1 + num/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		f *= c * d
		if math.Abs(1-c*d) < 1e-12 {
			break
		}
	}
	return min(1, front*(f-1)/a)
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// fisherAtLeast is the one-sided exact test of Fisher: the chance of k1 or more
// of n1 where k0+k1 of n0+n1 are marked.
func fisherAtLeast(k0, n0, k1, n1 int) float64 {
	marked, total := k0+k1, n0+n1
	most := min(marked, n1)
	term := math.Exp(logChoose(marked, k1) + logChoose(total-marked, n1-k1) - logChoose(total, n1))
	sum := 0.0
	for k := k1; k <= most; k++ {
		sum += term
		if term < sum*1e-14 {
			break
		}
		term *= float64(marked-k) * float64(n1-k) / (float64(k+1) * float64(total-marked-n1+k+1))
	}
	return min(1, sum)
}

// fisherDoubled is the two-sided test: twice the smaller tail.
func fisherDoubled(k0, n0, k1, n1 int) float64 {
	return min(1, 2*min(fisherAtLeast(k0, n0, k1, n1), fisherAtLeast(k1, n1, k0, n0)))
}

func logChoose(n, k int) float64 {
	return logGamma(float64(n+1)) - logGamma(float64(k+1)) - logGamma(float64(n-k+1))
}

// quantile is the q-quantile of sorted values, interpolated as percentile_cont.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// median of values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	return quantile(values, 0.5)
}

// moments of values: mean and sample variance.
func moments(values []float64) (mean, variance float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(values)-1)
}

// shares compares k of n on both sides, dispersion phi taken off the counts:
// the log odds ratio with Haldane's and Anscombe's half a count, and its
// standard error (Woolf, Ann. Hum. Genet. 19, 1955).
type shares struct {
	k, n [2]int
	phi  float64
}

func (s shares) at(side Side) float64 { return float64(s.k[side]) / float64(s.n[side]) }

// lcb is the lower confidence bound of the effect's size, 0 where the share
// changes by too little.
func (s shares) lcb() float64 {
	if math.Abs(s.at(Current)-s.at(Base)) < minShareChange {
		return 0
	}
	effect, variance := 0.0, 0.0
	for side, sign := range []float64{-1, 1} {
		with := float64(s.k[side])/s.phi + 0.5
		without := float64(s.n[side]-s.k[side])/s.phi + 0.5
		effect += sign * math.Log(with/without)
		variance += 1/with + 1/without
	}
	return max(0, math.Abs(effect)-z*math.Sqrt(variance))
}

// reduced gives the counts divided by the dispersion, rounded.
func (s shares) reduced() (k0, n0, k1, n1 int) {
	r := func(v int) int { return int(math.Round(float64(v) / s.phi)) }
	k0, n0, k1, n1 = r(s.k[Base]), r(s.n[Base]), r(s.k[Current]), r(s.n[Current])
	return min(k0, n0), n0, min(k1, n1), n1
}

func (s shares) doubled() float64 { return fisherDoubled(s.reduced()) }

func (s shares) upper() float64 { return fisherAtLeast(s.reduced()) }

// A spread measures how much more values vary between slices of time than
// within them: requests of one moment resemble each other, and count for less
// than their number. It comes from the baseline only, so that a fault that
// begins in the middle of the window does not hide itself.
type spread struct {
	n, sum []float64 // by slice
}

func newSpread(slices int) spread {
	return spread{n: make([]float64, slices), sum: make([]float64, slices)}
}

func (s spread) add(slice int32, n, sum float64) {
	s.n[slice] += n
	s.sum[slice] += sum
}

// phi is the ratio, never below 1; 1 also where fewer than 3 slices tell it.
func (s spread) phi(mean, variance float64) float64 {
	between, used := 0.0, 0
	for i, n := range s.n {
		if n > 0 {
			used++
			d := s.sum[i]/n - mean
			between += n * d * d
		}
	}
	if used < 3 || variance <= 0 {
		return 1
	}
	return max(1, between/float64(used-1)/variance)
}
