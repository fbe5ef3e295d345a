package engine

import (
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A memBatch is rows that are in no block yet. It never changes: rows that die
// are marked in a copy.
type memBatch struct {
	rows             *vector.Rows
	numbers          []uint64      // running row numbers, ascending
	lsns             []uint64      // of each row's record
	arrivals         []int64       // ns since 1970, of each row's record
	dead             vector.Bitmap // nil: none
	bytes            int64
	minTime, maxTime int64 // ns since 1970
	traces           *traceIndex
	digest           *memDigest
}

// A traceIndex is the trace filter of a batch, made when it is first asked for.
type traceIndex struct {
	once   sync.Once
	filter layout.Filter
}

func newMemBatch(p *pending) *memBatch {
	n := p.rows.N
	b := &memBatch{rows: p.rows, numbers: make([]uint64, n), lsns: make([]uint64, n), arrivals: make([]int64, n)}
	for i := range b.numbers {
		ordinal := uint64(i)
		if p.rows.Ordinals != nil {
			ordinal = uint64(p.rows.Ordinals[i])
		}
		b.numbers[i], b.lsns[i], b.arrivals[i] = p.header.FirstRow+ordinal, p.header.LSN, p.header.ReceiveNanos
	}
	b.measure(p.table)
	return b
}

// measure sets what follows from the rows.
func (b *memBatch) measure(t *table) {
	b.bytes = b.rows.Bytes() + int64(24*b.rows.N)
	b.minTime, b.maxTime = math.MaxInt64, math.MinInt64
	for _, v := range b.rows.Cols[t.time].Ints {
		b.minTime, b.maxTime = min(b.minTime, v), max(b.maxTime, v)
	}
	b.traces, b.digest = &traceIndex{}, &memDigest{}
}

// mergeBatches makes one batch of neighbours.
func mergeBatches(t *table, parts ...*memBatch) *memBatch {
	total := 0
	for _, p := range parts {
		total += p.rows.N
	}
	rows := make([]*vector.Rows, len(parts))
	out := &memBatch{
		numbers: make([]uint64, 0, total), lsns: make([]uint64, 0, total), arrivals: make([]int64, 0, total),
	}
	n := 0
	for i, p := range parts {
		rows[i] = p.rows
		out.numbers = append(out.numbers, p.numbers...)
		out.lsns = append(out.lsns, p.lsns...)
		out.arrivals = append(out.arrivals, p.arrivals...)
		for row := range p.rows.N {
			if p.dead != nil && p.dead.Get(row) {
				if out.dead == nil {
					out.dead = vector.NewBitmap(total)
				}
				out.dead.Set(n + row)
			}
		}
		n += p.rows.N
	}
	out.rows = vector.Concat(t.Schema, rows)
	out.measure(t)
	return out
}

// How many batches of like size are merged into one: few where statements read
// them, and while nobody does, in a replay, as many as give limit rows.
const (
	mergeFan       = 8
	mergeFanReplay = math.MaxInt
)

// coalesce merges the last batches, fan of like size at a time, up to limit rows:
// however small the requests are, a scan meets few batches, and every row is
// copied about log8(limit / rows of a request) times. The first frozen ones stay
// as they are.
func coalesce(t *table, list []*memBatch, frozen, limit, fan int) []*memBatch {
	for {
		n, size, full := 0, 0, false // how many of the last to merge, and their rows
		for i := len(list) - 1; i >= frozen && sizeClass(list[i]) <= sizeClass(list[len(list)-1]); i-- {
			if full = size+list[i].rows.N > limit; full {
				break
			}
			size += list[i].rows.N
			n++
		}
		if n < fan && !(full && n >= 2 && 2*size >= limit) {
			return list
		}
		at := len(list) - n
		merged := mergeBatches(t, list[at:]...)
		// A view may share the array: the merged batch needs a new one.
		list = append(slices.Clone(list[:at]), merged)
	}
}

// sizeClass is equal for batches of like size.
func sizeClass(b *memBatch) int { return bits.Len(uint(b.rows.N)) / 3 }

// kill gives a copy of b in which rows are dead, and how many were not before.
func (b *memBatch) kill(rows []int) (*memBatch, int) {
	out := *b
	out.digest = &memDigest{}
	if b.dead == nil {
		out.dead = vector.NewBitmap(b.rows.N)
	} else {
		out.dead = b.dead.Clone()
	}
	n := 0
	for _, row := range rows {
		if !out.dead.Get(row) {
			out.dead.Set(row)
			n++
		}
	}
	return &out, n
}

// row finds a row by its running number.
func (b *memBatch) row(number uint64) (int, bool) { return slices.BinarySearch(b.numbers, number) }

// findRow gives the batch and the row in it of a running row number.
func findRow(list []*memBatch, number uint64) (at, row int, ok bool) {
	at, found := slices.BinarySearchFunc(list, number, func(b *memBatch, n uint64) int {
		switch {
		case b.numbers[len(b.numbers)-1] < n:
			return -1
		case b.numbers[0] > n:
			return 1
		}
		return 0
	})
	if !found {
		return 0, 0, false
	}
	row, ok = list[at].row(number)
	return at, row, ok
}

// filteredRows is the size from which a batch gets a trace filter; smaller ones
// are looked through.
const filteredRows = 1024

// mayHaveTrace reports whether a row may have one of the ids.
func (b *memBatch) mayHaveTrace(t *table, ids *idSet) bool {
	if b.rows.N < filteredRows {
		return true
	}
	b.traces.once.Do(func() {
		c := b.rows.Cols[t.trace]
		hashes := make([]uint64, 0, b.rows.N)
		for i := range b.rows.N {
			if !c.IsNull(i) {
				hashes = append(hashes, layout.Hash(c.HexBytes(i)))
			}
		}
		b.traces.filter = layout.BuildFilter(hashes, layout.TraceFilterBits)
	})
	return ids.mayBeIn(&b.traces.filter)
}
