package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// filter keeps the rows for which cond is true.
type filter struct {
	env  *expr.Env
	in   vector.Reader
	cond expr.Expr
}

// Filter keeps the rows of in for which cond is true. An empty batch of in goes
// through: its reader is about to wait.
func Filter(env *expr.Env, in vector.Reader, cond expr.Expr) vector.Reader {
	return &filter{env: env, in: in, cond: cond}
}

func (f *filter) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := f.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if b.N == 0 {
			return b, nil
		}
		if err := expr.Filter(f.env, f.cond, b); err != nil {
			return nil, err
		}
		if b.Live() > 0 {
			return b, nil
		}
	}
}

func (f *filter) Close() { f.in.Close() }

// concat reads its inputs one after the other.
type concat struct {
	ins []vector.Reader
	at  int
}

// Concat gives the batches of each input in turn.
func Concat(ins ...vector.Reader) vector.Reader {
	if len(ins) == 1 {
		return ins[0]
	}
	return &concat{ins: ins}
}

func (c *concat) Next(ctx context.Context) (*vector.Batch, error) {
	for c.at < len(c.ins) {
		b, err := c.ins[c.at].Next(ctx)
		if err != nil || b != nil {
			return b, err
		}
		c.at++
	}
	return nil, nil
}

func (c *concat) Close() {
	for _, in := range c.ins {
		in.Close()
	}
}
