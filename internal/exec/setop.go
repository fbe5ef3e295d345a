package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// setOp is INTERSECT or EXCEPT, with or without ALL. It counts the rows of the
// right side, then passes rows of the left side by these counts.
type setOp struct {
	env         *expr.Env
	left, right vector.Reader
	keys        []expr.Expr
	except, all bool
	counts      map[string]int64
	seen        map[string]struct{} // rows given, unless all
	taken       int64
}

// Intersect gives the rows of left that are in right; with all as often as
// they are in both. keys are the columns of both sides.
func Intersect(env *expr.Env, left, right vector.Reader, keys []expr.Expr, all bool) vector.Reader {
	return &setOp{env: env, left: left, right: right, keys: keys, all: all}
}

// Except gives the rows of left that are not in right; with all as often as
// they are more in left than in right.
func Except(env *expr.Env, left, right vector.Reader, keys []expr.Expr, all bool) vector.Reader {
	return &setOp{env: env, left: left, right: right, keys: keys, all: all, except: true}
}

func (s *setOp) Next(ctx context.Context) (*vector.Batch, error) {
	if s.counts == nil {
		if err := s.readRight(ctx); err != nil {
			return nil, err
		}
	}
	for {
		b, err := s.left.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		enc, err := newKeyEncoder(s.env, s.keys, b)
		if err != nil {
			return nil, err
		}
		sel := make([]int32, 0, 64)
		for k := range b.Live() {
			i := b.Row(k)
			keep, err := s.keep(enc.encode(i))
			if err != nil {
				return nil, err
			}
			if keep {
				sel = append(sel, int32(i))
			}
		}
		if len(sel) > 0 {
			b.Sel = sel
			return b, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (s *setOp) readRight(ctx context.Context) error {
	s.counts = make(map[string]int64)
	s.seen = make(map[string]struct{})
	for {
		b, err := s.right.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		enc, err := newKeyEncoder(s.env, s.keys, b)
		if err != nil {
			return err
		}
		for k := range b.Live() {
			key := enc.encode(b.Row(k))
			if _, ok := s.counts[string(key)]; !ok {
				if err := s.take(key); err != nil {
					return err
				}
			}
			s.counts[string(key)]++
		}
	}
}

func (s *setOp) keep(key []byte) (bool, error) {
	n := s.counts[string(key)]
	if s.all {
		if n > 0 {
			s.counts[string(key)] = n - 1
		}
		return (n > 0) != s.except, nil
	}
	if (n > 0) == s.except {
		return false, nil
	}
	if _, dup := s.seen[string(key)]; dup {
		return false, nil
	}
	if err := s.take(key); err != nil {
		return false, err
	}
	s.seen[string(key)] = struct{}{}
	return true, nil
}

func (s *setOp) take(key []byte) error {
	n := int64(len(key)) + 48
	if err := s.env.Account.Grow(n); err != nil {
		return err
	}
	s.taken += n
	return nil
}

func (s *setOp) Close() {
	s.left.Close()
	s.right.Close()
	s.env.Account.Shrink(s.taken)
	s.taken = 0
}
