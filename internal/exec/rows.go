package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A RowSource gives boxed rows until it returns nil, nil.
type RowSource func(ctx context.Context) ([]any, error)

// rowReader makes batches of boxed rows.
type rowReader struct {
	next  RowSource
	close func()
	kinds []vector.Kind
	done  bool
}

// FromRows makes batches of the rows that next gives; close, which may be nil,
// is called once at the end.
func FromRows(kinds []vector.Kind, next RowSource, close func()) vector.Reader {
	return &rowReader{next: next, close: close, kinds: kinds}
}

// FromSlice makes batches of rows that are already there.
func FromSlice(kinds []vector.Kind, rows [][]any) vector.Reader {
	i := 0
	return FromRows(kinds, func(context.Context) ([]any, error) {
		if i == len(rows) {
			return nil, nil
		}
		i++
		return rows[i-1], nil
	}, nil)
}

func (r *rowReader) Next(ctx context.Context) (*vector.Batch, error) {
	if r.done {
		return nil, nil
	}
	builders := make([]*vector.Builder, len(r.kinds))
	for i, k := range r.kinds {
		builders[i] = vector.NewBuilder(k, 64)
	}
	n := 0
	for n < BatchRows {
		row, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		if row == nil {
			r.done = true
			break
		}
		for i, b := range builders {
			b.Append(row[i])
		}
		n++
	}
	if n == 0 {
		return nil, nil
	}
	return finish(builders, n), nil
}

func (r *rowReader) Close() {
	r.done = true
	if r.close != nil {
		r.close()
		r.close = nil
	}
}

// finish makes a batch of n rows.
func finish(builders []*vector.Builder, n int) *vector.Batch {
	cols := make([]*vector.Column, len(builders))
	for i, b := range builders {
		cols[i] = b.Finish()
	}
	return vector.NewBatch(n, cols)
}
