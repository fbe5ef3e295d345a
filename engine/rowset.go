package engine

import (
	"slices"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A RowAt names a row: its running number within the table, and its time, which
// finds it faster.
type RowAt struct {
	Number uint64
	Time   int64 // ns since 1970
}

// A rowSet is rows that a scan is to give by their numbers. The nil set means
// that any row will do.
type rowSet struct {
	from    uint64   // no row before it
	numbers []uint64 // ascending; nil: all from from on
	times   []int64  // of these, ascending
}

func newRowSet(r *ScanRequest) *rowSet {
	if r.FromNumber == 0 && r.Rows == nil {
		return nil
	}
	s := &rowSet{from: r.FromNumber}
	if r.Rows == nil {
		return s
	}
	s.numbers, s.times = make([]uint64, len(r.Rows)), make([]int64, len(r.Rows))
	for i, row := range r.Rows {
		s.numbers[i], s.times[i] = row.Number, row.Time
	}
	slices.Sort(s.numbers)
	slices.Sort(s.times)
	return s
}

// mayBeIn reports whether rows of such numbers and times may have one of the set.
func (s *rowSet) mayBeIn(least, greatest uint64, minTime, maxTime int64) bool {
	if s == nil {
		return true
	}
	if greatest < s.from {
		return false
	}
	if s.numbers == nil {
		return true
	}
	n, _ := slices.BinarySearch(s.numbers, max(least, s.from))
	t, _ := slices.BinarySearch(s.times, minTime)
	return n < len(s.numbers) && s.numbers[n] <= greatest && t < len(s.times) && s.times[t] <= maxTime
}

func (s *rowSet) mayBeInBlock(m *layout.BlockMeta) bool {
	return s.mayBeIn(m.MinRow, m.MaxRow, m.MinTime, m.MaxTime)
}

func (s *rowSet) mayBeInBatch(b *memBatch) bool {
	return s.mayBeIn(b.numbers[0], b.numbers[len(b.numbers)-1], b.minTime, b.maxTime)
}

// has reports whether a row is in the set.
func (s *rowSet) has(number uint64) bool {
	if number < s.from {
		return false
	}
	if s.numbers == nil {
		return true
	}
	_, ok := slices.BinarySearch(s.numbers, number)
	return ok
}

// in gives the test of rows of a memtable batch, nil for any row.
func (s *rowSet) in(b *memBatch) func(row int) bool {
	if s == nil {
		return nil
	}
	first, _ := slices.BinarySearch(b.numbers, s.from)
	if s.numbers == nil {
		return func(row int) bool { return row >= first }
	}
	found := vector.NewBitmap(b.rows.N)
	at, _ := slices.BinarySearch(s.numbers, b.numbers[first])
	for _, n := range s.numbers[at:] {
		if n > b.numbers[len(b.numbers)-1] {
			break
		}
		if row, ok := b.row(n); ok {
			found.Set(row)
		}
	}
	return found.Get
}

// both gives the test of two tests, either of which may be nil for any row.
func both(a, b func(row int) bool) func(row int) bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(row int) bool { return a(row) && b(row) }
}

// prunedByRows is the reason that a scan gives for what has none of the rows
// that it is to give.
const prunedByRows = "row numbers"
