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
// readers. Of rows that its filters exclude it leaves out only some.
type Scan struct {
	view    *View // kept, so that its blocks are
	table   *table
	columns []ColumnRef
	ids     *idSet // trace ids to look up; nil: no look-up
	mem     []*memBatch
	blocks  []*blockRef
	total   int64
	pruned  map[string]int64
	skip    func(error) // nil: damage ends the scan

	next    atomic.Int64 // of the blocks, newest first, then of the memtable
	rows    atomic.Int64
	memRows atomic.Int64
	read    atomic.Int64
	bytes   atomic.Int64
}

// Scan prepares to read what the request asks for. Blocks and memtable batches
// that cannot have a matching row are left out by their metadata. The view
// must not be released before the readers have ended.
func (v *View) Scan(r ScanRequest) (*Scan, error) {
	t, tv, ok := v.table(r.Table)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoTable, r.Table)
	}
	filters, ids, err := compileFilters(t, r.Filters)
	if err != nil {
		return nil, err
	}
	s := &Scan{view: v, table: t, columns: r.Columns, ids: ids, skip: r.Skip, total: int64(len(tv.blocks)), pruned: make(map[string]int64)}
	for i := len(tv.blocks) - 1; i >= 0; i-- {
		b := tv.blocks[i]
		switch reason := prune(filters, b.meta); {
		case b.deadCount == b.meta.Rows:
			s.pruned["dead rows"]++
		case reason != "":
			s.pruned[reason]++
		default:
			s.blocks = append(s.blocks, b)
		}
	}
	for _, b := range tv.mem {
		if (ids == nil || b.mayHaveTrace(t, ids)) && mayHaveTime(filters, b) {
			s.mem = append(s.mem, b)
		}
	}
	return s, nil
}

// Units is how many runs of rows there are to read: more readers have no use.
func (s *Scan) Units() int { return len(s.mem) + len(s.blocks) }

// Stats gives what the scan has done so far.
func (s *Scan) Stats() ScanStats {
	return ScanStats{
		Rows: s.rows.Load(), Memtable: s.memRows.Load(), Blocks: s.read.Load(), BlocksTotal: s.total,
		Bytes: s.bytes.Load(), Pruned: s.pruned,
	}
}

// Reader gives a reader; all readers of a scan share its rows.
func (s *Scan) Reader() vector.Reader { return &scanReader{scan: s} }

// scanReader is used by one goroutine; only Close may come from another.
type scanReader struct {
	scan   *Scan
	closed atomic.Bool
}

// Close ends the reader.
func (r *scanReader) Close() { r.closed.Store(true) }

// Next takes the next run of rows. Columns are decoded when asked for.
func (r *scanReader) Next(ctx context.Context) (*vector.Batch, error) {
	s := r.scan
	for !r.closed.Load() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		i := int(s.next.Add(1) - 1)
		var b *vector.Batch
		var err error
		switch {
		case i < len(s.blocks):
			b, err = s.blockBatch(s.blocks[i])
		case i < s.Units():
			b = s.memBatch(s.mem[i-len(s.blocks)])
		default:
			return nil, nil
		}
		if err == nil && s.skip != nil {
			err = whole(b)
		}
		if err != nil {
			if s.skipped(err) {
				continue
			}
			return nil, err
		}
		if b.Live() > 0 {
			s.rows.Add(int64(b.Live()))
			return b, nil
		}
	}
	return nil, nil
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
		switch {
		case ref.Key != "":
			return c.Attrs.KeyColumn(ref.Key, m.rows.N), nil
		case ref.Digest:
			return Digests(c, s.table.offload[ref.Field]), nil
		}
		return c, nil
	})
	b.Sel = pickRows(m.rows.N, m.dead, s.ids.in(s.table, m.rows.Cols))
	s.memRows.Add(int64(b.Live()))
	return b
}

// blockBatch gives a block's rows. A look-up of trace ids reads the ids at
// once, to select the rows; otherwise nothing is read before a column is asked
// for.
func (s *Scan) blockBatch(ref *blockRef) (*vector.Batch, error) {
	l := &lazyBlock{scan: s, ref: ref}
	b := vector.NewLazyBatch(ref.meta.Rows, len(s.columns), func(i int) (*vector.Column, error) { return l.column(s.columns[i]) })
	defer func() { l.sel = b.Sel }()
	if s.ids == nil {
		b.Sel = pickRows(ref.meta.Rows, ref.dead, nil)
		return b, nil
	}
	ids, err := l.column(ColumnRef{Field: s.table.trace})
	if err != nil {
		return nil, err
	}
	b.Sel = pickRows(ref.meta.Rows, ref.dead, func(row int) bool { return s.ids.has(ids, row) })
	if rows := b.Sel; len(rows) <= ref.meta.Rows/fewShare {
		b = vector.NewLazyBatch(len(rows), len(s.columns), func(i int) (*vector.Column, error) { return l.few(s.columns[i], rows) })
	}
	return b, nil
}

// fewShare is the share of a block's rows up to which a look-up decodes only
// the rows that it found: one in so many.
const fewShare = 32

// A lazyBlock opens its block at the first use.
type lazyBlock struct {
	scan *Scan
	ref  *blockRef
	open *block.Block
	sel  []int32 // rows that may be read; nil: all
}

func (l *lazyBlock) column(ref ColumnRef) (*vector.Column, error) {
	c, err := l.decode(ref)
	return c, l.damage(err)
}

// few gives a column of some rows.
func (l *lazyBlock) few(ref ColumnRef, rows []int32) (*vector.Column, error) {
	if ref.Field != RowNumber && ref.Key == "" { // the look-up has opened the block
		c, err := l.open.Few(ref.Field, rows)
		return c, l.damage(err)
	}
	c, err := l.column(ref)
	if err != nil {
		return nil, err
	}
	return vector.Take(c, rows), nil
}

// damage names the block in an error, and counts it.
func (l *lazyBlock) damage(err error) error {
	if err != nil {
		if err = blockError(l.scan.table, l.ref.meta, err); errors.Is(err, ErrCorrupt) {
			l.scan.view.db.counters.corrupted.Add(1)
		}
	}
	return err
}

func (l *lazyBlock) decode(ref ColumnRef) (*vector.Column, error) {
	if l.open == nil {
		b, err := l.scan.view.db.openBlock(l.scan.table, l.ref.meta)
		if err != nil {
			return nil, err
		}
		l.open = b
		l.scan.read.Add(1)
		l.scan.bytes.Add(int64(l.ref.meta.Bytes))
	}
	switch {
	case ref.Field == RowNumber:
		return l.open.RowNumbers()
	case ref.Key != "":
		return l.open.Key(ref.Field, ref.Key)
	}
	c, err := l.open.Column(ref.Field)
	limit, offloaded := l.scan.table.offload[ref.Field]
	switch {
	case err != nil || !offloaded:
		return c, err
	case ref.Digest:
		return storedDigests(c, limit)
	}
	return l.scan.view.db.blobs.resolve(c, l.sel)
}
