package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// apply joins each left row with the rows of an input that depends on it.
type apply struct {
	env         *expr.Env
	left        vector.Reader
	right       func(row []any) (vector.Reader, error)
	leftKinds   []vector.Kind
	rightKinds  []vector.Kind
	on          expr.Expr
	outer       bool
	batch       *vector.Batch
	cols        []*vector.Column
	at          int
	inner       vector.Reader
	innerRow    int
	innerPaired bool
}

// Apply is a LATERAL join: right is opened for each left row. With outer, a
// left row without a partner is given once, beside NULLs. on, which may be
// nil, sees the columns of both sides.
func Apply(env *expr.Env, left vector.Reader, right func(row []any) (vector.Reader, error),
	leftKinds, rightKinds []vector.Kind, on expr.Expr, outer bool,
) vector.Reader {
	return &apply{
		env: env, left: left, right: right, leftKinds: leftKinds, rightKinds: rightKinds,
		on: on, outer: outer,
	}
}

func (a *apply) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if a.inner != nil {
			b, err := a.inner.Next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				a.inner.Close()
				a.inner = nil
				if !a.innerPaired && a.outer {
					return a.beside(nil), nil
				}
				continue
			}
			// What is given outlives the inner reader, which is closed before the
			// next left row: its columns are decoded now.
			if _, err := columns(b); err != nil {
				return nil, err
			}
			out := a.beside(b)
			if a.on != nil {
				if err := expr.Filter(a.env, a.on, out); err != nil {
					return nil, err
				}
			}
			if out.Live() > 0 {
				a.innerPaired = true
				return out, nil
			}
			continue
		}
		if a.batch == nil || a.at == a.batch.Live() {
			if err := a.nextBatch(ctx); err != nil || a.batch == nil {
				return nil, err
			}
			continue
		}
		a.innerRow = a.batch.Row(a.at)
		a.at++
		row := make([]any, len(a.cols))
		for i, c := range a.cols {
			row[i] = c.Value(a.innerRow)
		}
		inner, err := a.right(row)
		if err != nil {
			return nil, err
		}
		a.inner, a.innerPaired = inner, false
	}
}

func (a *apply) nextBatch(ctx context.Context) error {
	b, err := a.left.Next(ctx)
	if err != nil {
		return err
	}
	a.batch, a.at = b, 0
	if b != nil {
		a.cols, err = columns(b)
	}
	return err
}

// beside puts the current left row beside each row of b; nil gives one row of NULLs.
func (a *apply) beside(b *vector.Batch) *vector.Batch {
	n := 1
	if b != nil {
		n = b.N
	}
	cols, row, left := a.cols, a.innerRow, len(a.leftKinds)
	out := vector.NewLazyBatch(n, left+len(a.rightKinds), func(i int) (*vector.Column, error) {
		switch {
		case i < left:
			rows := make([]int32, n)
			for k := range rows {
				rows[k] = int32(row)
			}
			return vector.Take(cols[i], rows), nil
		case b == nil:
			return vector.Const(a.rightKinds[i-left], nil, n), nil
		default:
			return b.Column(i - left)
		}
	})
	if b != nil {
		out.Sel = b.Sel
	}
	return out
}

func (a *apply) Close() {
	a.left.Close()
	if a.inner != nil {
		a.inner.Close()
		a.inner = nil
	}
}
