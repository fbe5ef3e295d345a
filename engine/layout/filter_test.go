package layout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomHashes(rng *rand.Rand, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = rng.Uint64()
	}
	return out
}

// A filter has every member, wrongly says yes about as often as its width
// tells, and is as small as promised; it survives encoding.
func TestFilter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, width := range []int{1, 8, 12, 16} {
		for _, n := range []int{1, 2, 3, 5, 10, 64, 100, 1100, 3000, 8192, 50_000} {
			hashes := randomHashes(rng, n)
			built := BuildFilter(append(hashes, hashes[:n/3]...), width)
			d := &decoder{buf: built.Append(nil)}
			f := d.filter()
			if d.bad || len(d.buf) != 0 {
				t.Fatal("the encoded filter does not decode")
			}
			for _, h := range hashes {
				if !f.Contains(h) {
					t.Fatalf("width=%d n=%d: a member is missing", width, n)
				}
			}
			const asked = 20_000
			wrong := 0
			for range asked {
				if f.Contains(rng.Uint64()) {
					wrong++
				}
			}
			if limit := 2*asked>>width + 30; wrong > limit && width > 1 {
				t.Errorf("width=%d n=%d: %d of %d are wrong, at most %d expected", width, n, wrong, asked, limit)
			}
			if bits := float64(8*f.Bytes()) / float64(n); n >= 1000 && bits > 1.5*float64(width) {
				t.Errorf("width=%d n=%d: %.1f bits a member", width, n, bits)
			}
		}
	}
}

// The filter of nothing has nothing, no filter has everything, and the order of
// members does not matter to what it says.
func TestFilterEdges(t *testing.T) {
	empty := BuildFilter(nil, 8)
	d := &decoder{buf: empty.Append(nil)}
	if again := d.filter(); again.Contains(1) || d.bad {
		t.Error("the filter of nothing has a member")
	}
	var none Filter
	d = &decoder{buf: none.Append(nil)}
	if again := d.filter(); !again.Contains(1) || d.bad {
		t.Error("no filter says no")
	}
	if small := BuildFilter(randomHashes(rand.New(rand.NewPCG(1, 1)), 1100), TraceFilterBits); small.Bytes() > 2600 {
		t.Errorf("the filter of a block's traces takes %d bytes", small.Bytes())
	}
}

// Damaged filters are refused or say something, without panics.
func TestFilterDamage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	f := BuildFilter(randomHashes(rng, 50), 8)
	raw := f.Append(nil)
	for range 20_000 {
		damaged := slices.Clone(raw[:1+rng.IntN(len(raw))])
		damaged[rng.IntN(min(len(damaged), 6))] = byte(rng.Uint32())
		d := &decoder{buf: damaged}
		g := d.filter()
		for range 10 {
			g.Contains(rng.Uint64())
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1100, 8192} {
		hashes := randomHashes(rng, n)
		b.Run(fmt.Sprintf("build/n=%d", n), func(b *testing.B) {
			for b.Loop() {
				BuildFilter(hashes, KeyFilterBits)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds()/1e6, "Mhashes/s")
		})
	}
	f := BuildFilter(randomHashes(rng, 8192), KeyFilterBits)
	b.Run("contains", func(b *testing.B) {
		h := uint64(1)
		for b.Loop() {
			h = h*0x9E3779B97F4A7C15 + 1
			f.Contains(h)
		}
	})
}
