package exec

import (
	"bytes"
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// limit skips rows, then gives a number of them.
type limit struct {
	in           vector.Reader
	offset, left int64 // left < 0: no limit

	// With ties: the rows that follow and have the keys of the last one, too.
	env  *expr.Env
	ties []expr.Expr
	last []byte // the keys of the last row of the batch given last
}

// Limit skips offset rows and gives up to count; a negative count means all.
func Limit(in vector.Reader, offset, count int64) vector.Reader {
	return &limit{in: in, offset: offset, left: count}
}

// LimitWithTies is Limit of rows in the order of keys, with those that are
// equal to the last one.
func LimitWithTies(env *expr.Env, in vector.Reader, keys []expr.Expr, offset, count int64) vector.Reader {
	return &limit{in: in, env: env, ties: keys, offset: offset, left: count}
}

func (l *limit) Next(ctx context.Context) (*vector.Batch, error) {
	if l.ties != nil {
		return l.nextTies(ctx)
	}
	for l.left != 0 {
		b, err := l.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Live())
		if b.N == 0 {
			return b, nil // its reader is about to wait
		}
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

func (l *limit) nextTies(ctx context.Context) (*vector.Batch, error) {
	for l.left != 0 || l.last != nil {
		b, err := l.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		sel := selection(b)
		skip := min(l.offset, int64(len(sel)))
		l.offset, sel = l.offset-skip, sel[skip:]
		if len(sel) == 0 {
			continue
		}
		enc, err := newKeyEncoder(l.env, l.ties, b)
		if err != nil {
			return nil, err
		}
		n := min(l.left, int64(len(sel)))
		if l.left -= n; n > 0 {
			l.last = append(l.last[:0], enc.encode(int(sel[n-1]))...)
		}
		if l.left == 0 {
			for n < int64(len(sel)) && bytes.Equal(l.last, enc.encode(int(sel[n]))) {
				n++
			}
			if n < int64(len(sel)) {
				l.last = nil
			}
		}
		if b.Sel = sel[:n]; n > 0 {
			return b, nil
		}
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
