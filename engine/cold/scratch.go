package cold

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// scratch is memory that the pages of a Writer share.
type scratch struct {
	levels  []int16
	ints    []int64
	small   []int32
	floats  []float64
	bools   []bool
	texts   []parquet.ByteArray
	fixed   []parquet.FixedLenByteArray
	numbers []uint32
}

func widthOf(v uint64) int { return bits.Len64(v) }

// zigzag makes a small number of a small one of any sign.
func zigzag(v int64) uint64 { return uint64(v<<1 ^ v>>63) }

// micros gives times in whole microseconds, rounded down.
func micros(nanos []int64) []int64 {
	out := make([]int64, len(nanos))
	for i, v := range nanos {
		q := v / 1000
		if v%1000 < 0 {
			q--
		}
		out[i] = q
	}
	return out
}

// dense copies the values of a page that are not NULL.
func dense[T any](buf *[]T, values []T, valid vector.Bitmap, from, to int) []T {
	if valid == nil {
		return values[from:to]
	}
	out := (*buf)[:0]
	for i := from; i < to; i++ {
		if valid.Get(i) {
			out = append(out, values[i])
		}
	}
	*buf = out
	return out
}

func floatOf(bits uint64) float64 { return math.Float64frombits(bits) }
