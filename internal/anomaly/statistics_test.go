package anomaly

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Values of tables and of R.
func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"t(5) above 2.570582", studentTail(2.570582, 5), 0.025},
		{"t(3) above 1", studentTail(1, 3), 0.1955011},
		{"t(30) above 0", studentTail(0, 30), 0.5},
		{"quantile of t(5) at 90 %", studentQuantile(1.2815516, 5), 1.475884},
		{"quantile of t(100) at 90 %", studentQuantile(1.2815516, 100), 1.290075},
		{"I(0.5; 2, 3)", incompleteBeta(2, 3, 0.5), 0.6875},
		{"I(0.9; 10, 2)", incompleteBeta(10, 2, 0.9), 0.6973569},
		{"8 or more of 10 at one half", binomialAtLeast(8, 10, 0.5), 0.0546875},
		{"2 or fewer of 10 at one half", binomialAtMost(2, 10, 0.5), 0.0546875},
		{"the lady tasting tea", fisherAtLeast(1, 4, 3, 4), 17.0 / 70},
		{"3 of 20 against 12 of 20, two-sided", fisherDoubled(3, 20, 12, 20), 2 * 0.003955847},
		{"median", median([]float64{4, 1, 3, 2}), 2.5},
		{"p95", quantile([]float64{1, 2, 3, 4, 5}, 0.95), 4.8},
		{"upper median", upperMedian([]float64{4, 1, 3, 2}), 3},
	} {
		if math.Abs(c.got-c.want) > 1e-3*max(c.want, 1e-3) {
			t.Errorf("%s: got %.7g, want %.7g", c.name, c.got, c.want)
		}
	}
	q := benjaminiHochberg([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.02, 0.04, 0.04, 0.02} {
		if math.Abs(q[i]-want) > 1e-12 {
			t.Errorf("Benjamini-Hochberg %d: got %g, want %g", i, q[i], want)
		}
	}
}

// A share from 2 of 20 to 12 of 20, worked out by hand: ln(12.5/8.5) -
// ln(2.5/18.5), less 1.28 times the root of the sum of reciprocals.
func TestShareBound(t *testing.T) {
	c := shares{k: [2]int{2, 12}, n: [2]int{20, 20}, phi: 1}
	want := math.Log(12.5/8.5) - math.Log(2.5/18.5) - 1.28*math.Sqrt(1/12.5+1/8.5+1/2.5+1/18.5)
	if math.Abs(c.lcb()-want) > 1e-12 {
		t.Errorf("got %g, want %g", c.lcb(), want)
	}
	if few := (shares{k: [2]int{50, 54}, n: [2]int{100, 100}, phi: 1}); few.lcb() != 0 {
		t.Errorf("four points more: got %g", few.lcb())
	}
	if wide := (shares{k: [2]int{2, 12}, n: [2]int{20, 20}, phi: 4}); wide.lcb() >= c.lcb() {
		t.Errorf("a dispersion of 4 does not weaken: %g", wide.lcb())
	}
}

// The dispersion of slices that are each of one value is large, of mixed ones 1.
func TestSpread(t *testing.T) {
	together, mixed := newSpread(6), newSpread(6)
	for s := range int32(6) {
		for i := range 10 {
			together.add(s, 1, float64(s%2))
			mixed.add(s, 1, float64(i%2))
		}
	}
	if phi := together.phi(0.5, 0.25); phi < 10 {
		t.Errorf("got %g", phi)
	}
	if phi := mixed.phi(0.5, 0.25); phi != 1 {
		t.Errorf("got %g", phi)
	}
}

// Under the null, one in ten p-values of the t-test is below 0.1.
func TestShiftIsCalibrated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const draws = 2000
	below := 0
	for range draws {
		s := &series{}
		for side, n := range []int{60, 20} {
			for i := range n {
				s.values[side] = append(s.values[side], value{x: math.Exp(3 + rng.NormFloat64()), slice: int32(i / 10)})
			}
		}
		j := &judge{derived: &derived{slices: map[int64]int32{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5}}}
		if j.shift(s, 0.9).p < 0.1 {
			below++
		}
	}
	if share := float64(below) / draws; share < 0.06 || share > 0.12 {
		t.Errorf("%.3f of p-values are below 0.1", share)
	}
}
