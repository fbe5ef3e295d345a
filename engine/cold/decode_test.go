package cold

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// padded gives bytes with padding behind them.
func padded(b []byte) []byte {
	return append(slices.Clone(b), make([]byte, padding)...)[:len(b)]
}

// appendRuns encodes numbers as runs of some length, packed or not.
func appendRuns(rng *rand.Rand, dst []byte, numbers []uint32, width int) []byte {
	for len(numbers) > 0 {
		same := 1
		for same < len(numbers) && numbers[same] == numbers[0] {
			same++
		}
		if same >= 8 || same == len(numbers) {
			n := 1 + rng.IntN(same)
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			dst = append(dst, binary.LittleEndian.AppendUint32(nil, numbers[0])[:(width+7)/8]...)
			numbers = numbers[n:]
			continue
		}
		groups := 1 + rng.IntN(min(40, (len(numbers)+7)/8))
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		packed := make([]byte, groups*width)
		for i := range min(8*groups, len(numbers)) {
			for b := range width {
				if numbers[i]>>b&1 != 0 {
					packed[(i*width+b)>>3] |= 1 << ((i*width + b) & 7)
				}
			}
		}
		dst = append(dst, packed...)
		numbers = numbers[min(8*groups, len(numbers)):]
	}
	return dst
}

// Runs of every width come back, whole and at single places.
func TestRuns(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for width := range 33 {
		for range 20 {
			numbers := make([]uint32, 1+rng.IntN(500))
			for i := range numbers {
				if numbers[i] = uint32(rng.Uint64() & (1<<width - 1)); i > 0 && rng.IntN(10) > 0 && len(numbers)%2 == 0 {
					numbers[i] = numbers[i-1]
				}
			}
			data := padded(appendRuns(rng, nil, numbers, width))
			out := make([]uint32, len(numbers))
			if !runs(out, data, width) || !slices.Equal(out, numbers) {
				t.Fatalf("width %d: %d numbers read otherwise", width, len(numbers))
			}
			at := randomRows(rng, len(numbers))
			few := make([]uint32, len(at))
			if !runsAt(few, data, width, len(numbers), at) {
				t.Fatalf("width %d: some numbers cannot be read", width)
			}
			for i, place := range at {
				if few[i] != numbers[place] {
					t.Fatalf("width %d: number %d is %d, want %d", width, place, few[i], numbers[place])
				}
			}
			if width == 1 {
				bits, ones, ok := levelBits(data, len(numbers))
				if !ok {
					t.Fatal("levels cannot be read")
				}
				if bits == nil {
					bits = vector.Ones(len(numbers))
				}
				for i, n := range numbers {
					if bits.Get(i) != (n == 1) {
						t.Fatalf("level %d of %d is not %d", i, len(numbers), n)
					}
				}
				if bits.Count() != ones {
					t.Fatalf("%d ones, counted %d", bits.Count(), ones)
				}
			}
		}
	}
}

// Bytes that mean nothing are refused, or read as something; nothing panics.
func TestGarbage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 50_000 {
		data := make([]byte, rng.IntN(60))
		for i := range data {
			data[i] = byte(rng.Uint32())
			if rng.IntN(3) == 0 {
				data[i] = byte(rng.IntN(6))
			}
		}
		data, n := padded(data), rng.IntN(300)
		if rng.IntN(2) == 0 && len(data) > 6 { // the beginning of packed differences
			copy(data, []byte{0x80, 1, 4, byte(n & 127), byte(rng.Uint32()) & 127})
			n &= 127
		}
		runs(make([]uint32, n), data, rng.IntN(34))
		runsAt(make([]uint32, n), data, rng.IntN(34), n, randomRows(rng, n))
		levelBits(data, n)
		deltas(make([]int64, n), data)
		plainTexts(data, n, nil)
		parseHeader(data)
		_, _, _, _ = parseAttribute(string(data))
		_, _, _ = parseOutside(string(data))
	}
}
