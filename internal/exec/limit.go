package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// limit skips rows, then gives a number of them.
type limit struct {
	in           vector.Reader
	offset, left int64 // left < 0: no limit
}

// Limit skips offset rows and gives up to count; a negative count means all.
func Limit(in vector.Reader, offset, count int64) vector.Reader {
	return &limit{in: in, offset: offset, left: count}
}

func (l *limit) Next(ctx context.Context) (*vector.Batch, error) {
	for l.left != 0 {
		b, err := l.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Live())
		if l.offset >= n {
			l.offset -= n
			continue
		}
		if l.offset == 0 && (l.left < 0 || n <= l.left) {
			if l.left > 0 {
				l.left -= n
			}
			return b, nil
		}
		b.Sel = selection(b)[l.offset:]
		l.offset = 0
		if l.left >= 0 {
			b.Sel = b.Sel[:min(int64(len(b.Sel)), l.left)]
			l.left -= int64(len(b.Sel))
		}
		return b, nil
	}
	return nil, nil
}

func (l *limit) Close() { l.in.Close() }

// selection gives the live rows of b as row numbers; the slice is not shared
// with b when b has no selection.
func selection(b *vector.Batch) []int32 {
	if b.Sel != nil {
		return b.Sel
	}
	sel := make([]int32, b.N)
	for i := range sel {
		sel[i] = int32(i)
	}
	return sel
}
