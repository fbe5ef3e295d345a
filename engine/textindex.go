package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tael-sql/tael-sql/engine/search"
)

// ErrTextIndex says that the index of texts is damaged: the rows have to be
// looked through.
var ErrTextIndex = errors.New("engine: the index of texts is damaged")

// A TextIndex is what the index knows of the texts of a view. Release it.
type TextIndex struct {
	view *View
	snap *search.Snapshot // nil: it knows none
	mark textMark
}

// Texts gives the index for a view.
func (v *View) Texts() (*TextIndex, error) {
	out := &TextIndex{view: v, mark: textMark{next: make([]uint64, len(v.tables))}}
	x := v.db.indexer
	if x == nil {
		return out, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	at := -1
	for i, m := range x.marks {
		if m.view <= v.number {
			at = i
		}
	}
	if x.index == nil || at < 0 {
		return out, nil
	}
	snap, err := x.index.Snapshot()
	if err != nil {
		return nil, err
	}
	out.snap, out.mark = snap, x.marks[at]
	return out, nil
}

// Release gives the index up.
func (x *TextIndex) Release() error {
	if x.snap == nil {
		return nil
	}
	return x.snap.Release()
}

// Forget makes it an index that knows nothing.
func (x *TextIndex) Forget() error {
	err := x.Release()
	x.snap, x.mark = nil, textMark{next: make([]uint64, len(x.view.tables))}
	return err
}

// From gives the running number from which on the texts of a table's rows are
// not in the index.
func (x *TextIndex) From(table string) uint64 {
	for i, t := range x.view.db.tables {
		if t.Schema.Name == table {
			return x.mark.next[i]
		}
	}
	return 0
}

// Find calls each with the texts that match, of rows before From: some may have
// gone. A damaged index gives ErrTextIndex, and is made again.
func (x *TextIndex) Find(ctx context.Context, q *search.Query, each func(table string, hit search.Hit) error) (search.Stats, error) {
	if x.snap == nil {
		return search.Stats{}, nil
	}
	db := x.view.db
	names := make(map[uint8]int, len(db.tables))
	for i, t := range db.tables {
		names[t.ID] = i
	}
	stats, err := x.snap.Find(ctx, q, func(h search.Hit) error {
		i, ok := names[h.ID.Table]
		if !ok || h.ID.Number >= x.mark.next[i] {
			return nil
		}
		return each(db.tables[i].Schema.Name, h)
	})
	if errors.Is(err, search.ErrCorrupt) {
		db.indexer.damaged.Store(true)
		return stats, fmt.Errorf("%w: %w", ErrTextIndex, err)
	}
	return stats, err
}
