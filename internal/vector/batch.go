package vector

import "context"

// A Batch is a run of rows stored by column. Columns that are costly to read
// are decoded when they are first asked for, so an operator that filters first
// pays for the other columns only where rows survive.
//
// A Batch is used by one goroutine at a time.
type Batch struct {
	N    int     // rows, before the selection
	Sel  []int32 // ascending row numbers that are live; nil: all N rows
	cols []*Column
	load func(i int) (*Column, error)
}

// NewBatch makes a batch of decoded columns; each must have n rows.
func NewBatch(n int, cols []*Column) *Batch { return &Batch{N: n, cols: cols} }

// NewLazyBatch makes a batch whose column i is decoded by load(i) at first use.
func NewLazyBatch(n, width int, load func(i int) (*Column, error)) *Batch {
	return &Batch{N: n, cols: make([]*Column, width), load: load}
}

// Width gives the number of columns.
func (b *Batch) Width() int { return len(b.cols) }

// Column gives column i, decoding it if need be.
func (b *Batch) Column(i int) (*Column, error) {
	if c := b.cols[i]; c != nil {
		return c, nil
	}
	c, err := b.load(i)
	if err != nil {
		return nil, err
	}
	b.cols[i] = c
	return c, nil
}

// Live gives the number of selected rows.
func (b *Batch) Live() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Row gives the row number of the k-th live row.
func (b *Batch) Row(k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}

// A Reader gives batches until it returns nil, nil. Next is not called again
// after an error or the end. Close may be called at any time, once.
type Reader interface {
	Next(ctx context.Context) (*Batch, error)
	Close()
}

// Select gives a view of b with another selection. Columns decoded through
// either are shared by both.
func (b *Batch) Select(sel []int32) *Batch {
	view := *b
	view.Sel = sel
	return &view
}
