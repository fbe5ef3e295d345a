package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// number adds a column that counts the rows from 1: WITH ORDINALITY.
type number struct {
	in    vector.Reader
	width int
	count int64
}

// Number adds a counting column after the width columns of in.
func Number(in vector.Reader, width int) vector.Reader { return &number{in: in, width: width} }

func (n *number) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := n.in.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	counts := make([]int64, b.N)
	for k := range b.Live() {
		n.count++
		counts[b.Row(k)] = n.count
	}
	out := vector.NewLazyBatch(b.N, n.width+1, func(i int) (*vector.Column, error) {
		if i == n.width {
			return &vector.Column{Kind: vector.Int64, Len: b.N, Ints: counts}, nil
		}
		return b.Column(i)
	})
	out.Sel = b.Sel
	return out, nil
}

func (n *number) Close() { n.in.Close() }
