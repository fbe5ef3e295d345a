package anomaly

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The interval covers the true difference in about 95 of 100 draws, and p below
// 0.05 comes about 5 times in 100 where there is none, whatever the distribution.
func TestQuantileShiftCovers(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"exponential": (*rand.Rand).ExpFloat64,
		"lognormal":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
		"uniform":     (*rand.Rand).Float64,
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 5))
			sample := func(n int, add float64) []float64 {
				list := make([]float64, n)
				for i := range list {
					list[i] = draw(rng) + add
				}
				slices.Sort(list)
				return list
			}
			covered, alarms := 0, 0
			const draws, shift = 2000, 0.5
			for range draws {
				s, ok := QuantileShift(0.95, sample(400, 0), sample(300, shift))
				if !ok {
					t.Fatal("no answer")
				}
				if s.Low <= shift && shift <= s.High {
					covered++
				}
				if s, _ := QuantileShift(0.95, sample(300, 0), sample(300, 0)); s.P < 0.05 {
					alarms++
				}
			}
			if covered < draws*92/100 || covered > draws*98/100 {
				t.Errorf("%d of %d intervals cover", covered, draws)
			}
			if alarms > draws*7/100 {
				t.Errorf("%d of %d draws without a difference are below 0.05", alarms, draws)
			}
		})
	}
}

func TestQuantileShiftAtItsEdges(t *testing.T) {
	same := slices.Repeat([]float64{7}, 200)
	if s, ok := QuantileShift(0.95, same, same); !ok || s != (Shift{0, 0, 1}) {
		t.Errorf("of equal values: %v %v", s, ok)
	}
	if s, ok := QuantileShift(0.95, same, slices.Repeat([]float64{9}, 200)); !ok || s != (Shift{2, 2, 0}) {
		t.Errorf("of two values: %v %v", s, ok)
	}
	if _, ok := QuantileShift(0.95, same, same[:72]); ok {
		t.Error("72 values bound a 95th percentile")
	}
	if got := Quantile(0.5, []float64{1, 2, 4, 8}); got != 3 {
		t.Errorf("median %v", got)
	}
}
