package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// ErrNoTable says that a table is not stored.
var ErrNoTable = errors.New("engine: no such table")

// A Scan gives the live rows of a table once, in no order, to any number of
// readers.
type Scan struct {
	view    *View
	table   *table
	columns []ColumnRef
	mem     []*memBatch
	blocks  []*blockRef
	next    atomic.Int64
	stats   ScanStats // what is known from metadata
	rows    atomic.Int64
	memRows atomic.Int64
	read    atomic.Int64
	bytes   atomic.Int64
}

// Scan prepares to read what the request asks for. Blocks that cannot have a
// matching row are left out by their metadata.
func (v *View) Scan(r ScanRequest) (*Scan, error) {
	t, tv, ok := v.table(r.Table)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoTable, r.Table)
	}
	s := &Scan{view: v, table: t, columns: r.Columns, mem: tv.mem}
	s.stats.BlocksTotal = int64(len(tv.blocks))
	s.stats.Pruned = make(map[string]int64)
	filters := compileFilters(t, r.Filters)
	for _, b := range tv.blocks {
		if b.deadCount == b.meta.Rows {
			s.stats.Pruned["dead rows"]++
			continue
		}
		if reason := prune(filters, b.meta); reason != "" {
			s.stats.Pruned[reason]++
			continue
		}
		s.blocks = append(s.blocks, b)
	}
	return s, nil
}

// Units is how many runs of rows there are to read: more readers have no use.
func (s *Scan) Units() int { return len(s.mem) + len(s.blocks) }

// Stats gives what the scan has done so far.
func (s *Scan) Stats() ScanStats {
	out := s.stats
	out.Rows, out.Memtable, out.Blocks, out.Bytes = s.rows.Load(), s.memRows.Load(), s.read.Load(), s.bytes.Load()
	return out
}

// Reader gives a reader; all readers of a scan share its rows.
func (s *Scan) Reader() vector.Reader { return &scanReader{scan: s} }

type scanReader struct {
	scan   *Scan
	closed bool
}

func (r *scanReader) Close() { r.closed = true }

// Next takes the next run of rows. Columns are decoded when asked for.
func (r *scanReader) Next(ctx context.Context) (*vector.Batch, error) {
	s := r.scan
	for !r.closed {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i := int(s.next.Add(1) - 1)
		var b *vector.Batch
		switch {
		case i < len(s.blocks):
			b = s.blockBatch(s.blocks[i])
		case i < len(s.blocks)+len(s.mem):
			b = s.memBatch(s.mem[i-len(s.blocks)])
		default:
			return nil, nil
		}
		if b.Live() > 0 {
			s.rows.Add(int64(b.Live()))
			return b, nil
		}
	}
	return nil, nil
}

// alive lists the rows whose bit is not set; nil if all are alive.
func alive(dead vector.Bitmap, n int) []int32 {
	if dead == nil {
		return nil
	}
	sel := make([]int32, 0, n)
	for i := range n {
		if !dead.Get(i) {
			sel = append(sel, int32(i))
		}
	}
	return sel
}

func (s *Scan) memBatch(m *memBatch) *vector.Batch {
	b := vector.NewLazyBatch(m.rows.N, len(s.columns), func(i int) (*vector.Column, error) {
		ref := s.columns[i]
		if ref.Field == RowNumber {
			numbers := make([]int64, len(m.numbers))
			for k, n := range m.numbers {
				numbers[k] = int64(n)
			}
			return &vector.Column{Kind: vector.Int64, Len: len(numbers), Ints: numbers}, nil
		}
		c := m.rows.Cols[ref.Field]
		if ref.Key != "" {
			return c.Attrs.KeyColumn(ref.Key, m.rows.N), nil
		}
		return c, nil
	})
	b.Sel = alive(m.dead, m.rows.N)
	s.memRows.Add(int64(b.Live()))
	return b
}

func (s *Scan) blockBatch(ref *blockRef) *vector.Batch {
	var opened *block.Block
	b := vector.NewLazyBatch(ref.meta.Rows, len(s.columns), func(i int) (*vector.Column, error) {
		if opened == nil {
			blk, err := s.view.db.openBlock(s.table, ref)
			if err != nil {
				return nil, err
			}
			opened = blk
			s.read.Add(1)
			s.bytes.Add(int64(ref.meta.Bytes))
		}
		col := s.columns[i]
		var c *vector.Column
		var err error
		switch {
		case col.Field == RowNumber:
			c, err = opened.RowNumbers()
		case col.Key != "":
			c, err = opened.Key(col.Field, col.Key)
		default:
			c, err = opened.Column(col.Field)
		}
		if err != nil {
			return nil, corruptEntry(s.table, "block", ref.meta.ID, err)
		}
		return c, nil
	})
	b.Sel = alive(ref.dead, ref.meta.Rows)
	return b
}
