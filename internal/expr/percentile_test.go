package expr

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// TestPercentile holds the value picked among unsorted ones against that at
// its place among sorted ones.
func TestPercentile(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 400 {
		values := make([]float64, 1+rng.IntN(300))
		distinct := 1 + rng.IntN(400)
		for i := range values {
			values[i] = float64(rng.IntN(distinct)) - 20
		}
		switch rng.IntN(8) {
		case 0:
			values[rng.IntN(len(values))] = math.Inf(1)
		case 1:
			values[rng.IntN(len(values))] = math.NaN()
		case 2:
			slices.Sort(values)
		}
		sorted := slices.Clone(values)
		slices.SortFunc(sorted, func(a, b float64) int { return pgtypes.Compare(pgtypes.Of(pgtypes.Float8), a, b) })
		for _, fraction := range []float64{0, 0.5, 0.95, 1, rng.Float64()} {
			for _, cont := range []bool{false, true} {
				s := &percentileState{cont: cont}
				for _, v := range rng.Perm(len(values)) {
					if s.AddFloat(values[v]) {
						continue
					}
					if err := s.Add(nil, []any{fraction, values[v]}); err != nil {
						t.Fatal(err)
					}
				}
				got, err := s.Result(nil)
				if err != nil {
					t.Fatal(err)
				}
				want, err := (&percentileState{cont: cont, floats: sorted}).at(fraction, len(sorted))
				if err != nil {
					t.Fatal(err)
				}
				if g, w := got.(float64), want.(float64); g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
					t.Fatalf("cont=%v fraction %g of %v: got %v, want %v", cont, fraction, sorted, g, w)
				}
			}
		}
	}
}
