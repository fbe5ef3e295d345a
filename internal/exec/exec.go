// Package exec runs queries by batches: each operator is a vector.Reader over
// other readers.
//
// An operator closes its inputs when it is closed. Whatever it buffers is taken
// from the statement's memory account first and given back at Close. Operators
// look at the context once a batch, so a cancelled statement ends within one.
package exec

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// BatchRows is how many rows operators put into a batch that they build.
const BatchRows = 4096

// Kinds gives the physical kinds in which operators build columns of types.
func Kinds(types []pgtypes.Type) []vector.Kind {
	kinds := make([]vector.Kind, len(types))
	for i, t := range types {
		kinds[i] = expr.KindOf(t.OID)
	}
	return kinds
}

// valueBytes estimates what a boxed value costs to keep.
func valueBytes(v any) int64 {
	switch v := v.(type) {
	case nil, bool:
		return 16
	case string:
		return 32 + int64(len(v))
	case []byte:
		return 40 + int64(len(v))
	case *pgtypes.Array:
		n := int64(64)
		for _, e := range v.Elems {
			n += valueBytes(e)
		}
		return n
	default:
		return 32
	}
}

// rowBytes estimates what a boxed row costs to keep.
func rowBytes(row []any) int64 {
	n := int64(24)
	for _, v := range row {
		n += valueBytes(v)
	}
	return n
}

// columns decodes every column of a batch.
func columns(b *vector.Batch) ([]*vector.Column, error) {
	cols := make([]*vector.Column, b.Width())
	for i := range cols {
		c, err := b.Column(i)
		if err != nil {
			return nil, err
		}
		cols[i] = c
	}
	return cols, nil
}

// eachRow calls fn with every live row, boxed. The row is fn's to keep.
func eachRow(ctx context.Context, in vector.Reader, fn func(row []any) error) error {
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		cols, err := columns(b)
		if err != nil {
			return err
		}
		for k := range b.Live() {
			i := b.Row(k)
			row := make([]any, len(cols))
			for c, col := range cols {
				row[c] = col.Value(i)
			}
			if err := fn(row); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// Collect reads all rows, boxed, on the account.
func Collect(env *expr.Env, in vector.Reader) ([][]any, error) {
	var rows [][]any
	err := eachRow(env.Ctx, in, func(row []any) error {
		rows = append(rows, row)
		return env.Account.Grow(rowBytes(row))
	})
	return rows, err
}
