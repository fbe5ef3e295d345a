package engine

import (
	"slices"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A memBatch is rows that are in no block yet. It never changes: rows that die
// are marked in a copy.
type memBatch struct {
	rows    *vector.Rows
	numbers []uint64      // running row numbers, ascending
	lsns    []uint64      // of each row's record
	dead    vector.Bitmap // nil: none
	bytes   int64
}

func newMemBatch(p *pending) *memBatch {
	b := &memBatch{rows: p.rows, numbers: make([]uint64, p.rows.N), lsns: make([]uint64, p.rows.N)}
	for i := range b.numbers {
		ordinal := uint64(i)
		if p.rows.Ordinals != nil {
			ordinal = uint64(p.rows.Ordinals[i])
		}
		b.numbers[i], b.lsns[i] = p.header.FirstRow+ordinal, p.header.LSN
	}
	b.bytes = p.rows.Bytes() + int64(16*p.rows.N)
	return b
}

// merge makes one batch of neighbours.
func mergeBatches(schema *vector.Schema, parts []*memBatch) *memBatch {
	rows := make([]*vector.Rows, len(parts))
	out := &memBatch{}
	n := 0
	for i, p := range parts {
		rows[i] = p.rows
		out.numbers = append(out.numbers, p.numbers...)
		out.lsns = append(out.lsns, p.lsns...)
		for row := range p.rows.N {
			if p.dead != nil && p.dead.Get(row) {
				if out.dead == nil {
					out.dead = vector.NewBitmap(totalRows(parts))
				}
				out.dead.Set(n + row)
			}
		}
		n += p.rows.N
	}
	out.rows = vector.Concat(schema, rows)
	out.bytes = out.rows.Bytes() + int64(16*n)
	return out
}

func totalRows(parts []*memBatch) int {
	n := 0
	for _, p := range parts {
		n += p.rows.N
	}
	return n
}

// maxMerged is the size up to which small batches are merged, so that a scan
// meets few batches however small the requests are.
const maxMerged = block.MaxRows

// coalesce merges the last batches while they are of like size: every row is
// copied about log2(maxMerged / request rows) times.
// The first frozen ones stay as they are.
func coalesce(schema *vector.Schema, list []*memBatch, frozen int) []*memBatch {
	for len(list)-frozen >= 2 {
		last, before := list[len(list)-1], list[len(list)-2]
		if before.rows.N > 2*last.rows.N || before.rows.N+last.rows.N > maxMerged {
			return list
		}
		merged := mergeBatches(schema, []*memBatch{before, last})
		// A view may share the array below: the merged batch needs a new one.
		list = append(slices.Clone(list[:len(list)-2]), merged)
	}
	return list
}

// kill gives a copy of b in which rows are dead, and how many were not before.
func (b *memBatch) kill(rows []int) (*memBatch, int) {
	out := *b
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

// find gives the batch and the row in it of a running row number.
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
	row, ok = slices.BinarySearch(list[at].numbers, number)
	return at, row, ok
}
