package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// ErrNoTable says that a table is not stored.
var ErrNoTable = errors.New("engine: no such table")

// A Scan gives the live rows of a table once, in no order, to any number of
// readers. Of rows that its filters exclude it leaves out only some.
type Scan struct {
	view     *View // kept, so that its blocks are
	table    *table
	columns  []ColumnRef
	ids      *idSet // trace ids to look up; nil: no look-up
	rows     *rowSet
	since    int64 // the least time of a row
	payloads int64 // the least time of a row that has its payloads
	mem      []*memBatch
	runs     []run
	blocks   int64 // of the table
	chunks   int64
	parts    int64
	opened   int64            // parts of which a chunk is to be read
	pruned   map[string]int64 // blocks and chunks, by reason
	skip     func(error)      // nil: damage ends the scan

	next       atomic.Int64 // of the runs, newest first, then of the memtable
	given      atomic.Int64 // rows
	memRows    atomic.Int64
	read       atomic.Int64 // blocks
	chunksRead atomic.Int64
	bytes      atomic.Int64
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
	if v.db.opts.faults.skipsDamage {
		r.Skip = func(error) {}
	}
	s := &Scan{view: v, table: t, columns: r.Columns, ids: ids, rows: newRowSet(&r), since: leastTime(r.Since), payloads: leastTime(r.PayloadsSince), skip: r.Skip, blocks: int64(len(tv.blocks)), pruned: make(map[string]int64)}
	for i := len(tv.blocks) - 1; i >= 0; i-- {
		b := tv.blocks[i]
		switch reason := prune(filters, b.meta); {
		case b.deadCount == b.meta.Rows:
			s.pruned["dead rows"]++
		case b.meta.MaxTime < s.since:
			s.pruned[prunedByRetention]++
		case !s.rows.mayBeInBlock(b.meta):
			s.pruned[prunedByRows]++
		case reason != "":
			s.pruned[reason]++
		default:
			s.runs = append(s.runs, run{meta: b.meta, dead: b.dead})
		}
	}
	for i := len(tv.parts) - 1; i >= 0; i-- {
		if err := s.addPart(filters, tv.parts[i]); err != nil {
			return nil, err
		}
	}
	for _, b := range tv.mem {
		if b.maxTime >= s.since && (ids == nil || b.mayHaveTrace(t, ids)) && mayHaveTime(filters, b) && s.rows.mayBeInBatch(b) {
			s.mem = append(s.mem, b)
		}
	}
	return s, nil
}

// addPart enters the chunks of a part that may have a matching row.
func (s *Scan) addPart(filters []pruner, p *partRef) error {
	s.parts++
	n := int64(p.meta.Chunks())
	s.chunks += n
	if p.deadCount == p.meta.Rows {
		s.pruned["dead rows"] += n
		return nil
	}
	if p.meta.MaxTime < s.since {
		s.pruned[prunedByRetention] += n
		return nil
	}
	if !s.rows.mayBeIn(p.meta.MinRow, p.meta.MaxRow, p.meta.MinTime, p.meta.MaxTime) {
		s.pruned[prunedByRows] += n
		return nil
	}
	if reason := prune(filters, p.whole); reason != "" {
		s.pruned[reason] += n
		return nil
	}
	index, err := s.view.db.parts.index(s.table, p.meta)
	if err != nil {
		if s.skipped(err) {
			return nil
		}
		return err
	}
	if s.ids != nil && !s.ids.mayBeIn(&index.Trace) {
		s.pruned["trace filter"] += n
		return nil
	}
	if p, err = s.view.db.settled(s.table, p); err != nil {
		if s.skipped(err) {
			return nil
		}
		return err
	}
	before := len(s.runs)
	for k := range index.Chunks {
		c := &index.Chunks[k]
		dead, count := p.deadIn(k)
		switch reason := prune(filters, c.BlockMeta); {
		case count == c.Rows:
			s.pruned["dead rows"]++
		case c.MaxTime < s.since:
			s.pruned[prunedByRetention]++
		case !s.rows.mayBeInBlock(c.BlockMeta):
			s.pruned[prunedByRows]++
		case reason != "":
			s.pruned[reason]++
		case s.ids != nil && !s.ids.mayHold(c):
			s.pruned["trace range"]++
		default:
			s.runs = append(s.runs, run{meta: c.BlockMeta, dead: dead, part: p, chunk: k})
		}
	}
	if len(s.runs) > before {
		s.opened++
	}
	return nil
}

// Units is how many runs of rows there are to read: more readers have no use.
func (s *Scan) Units() int { return len(s.mem) + len(s.runs) }

// Stats gives what the scan has done so far.
func (s *Scan) Stats() ScanStats {
	return ScanStats{
		Rows: s.given.Load(), Memtable: s.memRows.Load(), Blocks: s.read.Load(), BlocksTotal: s.blocks,
		Parts: s.opened, PartsTotal: s.parts, Chunks: s.chunksRead.Load(), ChunksTotal: s.chunks,
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
		case i < len(s.runs):
			b, err = s.runBatch(s.runs[i])
		case i < s.Units():
			b = s.memBatch(s.mem[i-len(s.runs)])
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
			s.given.Add(int64(b.Live()))
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
		if m.minTime < s.payloads {
			times := m.rows.Cols[s.table.time].Ints
			whole := ColumnRef{Field: ref.Field, Digest: ref.Digest}
			c = s.table.withoutPayloads(whole, c, func(row int) bool { return times[row] < s.payloads })
		}
		switch {
		case ref.Key != "":
			return c.Attrs.KeyColumn(ref.Key, m.rows.N), nil
		case ref.Digest:
			return Digests(c, s.table.offload[ref.Field].Limit), nil
		}
		return c, nil
	})
	wanted := both(s.ids.in(s.table, m.rows.Cols), s.rows.in(m))
	if m.minTime < s.since {
		wanted = s.kept(m.rows.Cols[s.table.time].Ints, wanted)
	}
	b.Sel = pickRows(m.rows.N, m.dead, wanted)
	s.memRows.Add(int64(b.Live()))
	return b
}

// runBatch gives a run's rows. A look-up of trace ids or row numbers reads these
// at once, to select the rows, and where some rows have expired it reads their times;
// otherwise nothing is read before a column is asked for.
func (s *Scan) runBatch(r run) (*vector.Batch, error) {
	l := &lazyRun{scan: s, run: r}
	b := vector.NewLazyBatch(r.meta.Rows, len(s.columns), func(i int) (*vector.Column, error) { return l.column(s.columns[i]) })
	defer func() { l.sel = b.Sel }()
	var wanted func(row int) bool
	if r.meta.MinTime < s.since {
		times, err := l.column(ColumnRef{Field: s.table.time})
		if err != nil {
			return nil, err
		}
		wanted = s.kept(times.Ints, nil)
	}
	if s.ids == nil && s.rows == nil {
		b.Sel = pickRows(r.meta.Rows, r.dead, wanted)
		return b, nil
	}
	if s.rows != nil {
		numbers, err := l.column(ColumnRef{Field: RowNumber})
		if err != nil {
			return nil, err
		}
		wanted = both(func(row int) bool { return s.rows.has(uint64(numbers.Ints[row])) }, wanted)
	}
	if s.ids != nil {
		ids, err := l.column(ColumnRef{Field: s.table.trace})
		if err != nil {
			return nil, err
		}
		wanted = both(func(row int) bool { return s.ids.has(ids, row) }, wanted)
	}
	b.Sel = pickRows(r.meta.Rows, r.dead, wanted)
	if rows := b.Sel; len(rows) <= r.meta.Rows/fewShare {
		b = vector.NewLazyBatch(len(rows), len(s.columns), func(i int) (*vector.Column, error) { return l.few(s.columns[i], rows) })
	}
	return b, nil
}

// fewShare is the share of a run's rows up to which a look-up decodes only
// the rows that it found: one in so many.
const fewShare = 32
