package engine

import (
	"context"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/search"
)

// tidyEvery is how often texts are looked for whose rows have gone.
const tidyEvery = 10 * time.Minute

// tidy removes the texts of rows that have died: replaced, deleted, expired, or
// that have lost their payloads. They are found in one view, and removed when no
// older one is held.
func (x *indexer) tidy(ctx context.Context) error {
	if x.doomed == nil {
		now := x.deadRows()
		if x.removed.IsZero() {
			x.removed = time.Now()
		}
		if slices.Equal(now, x.dead) || time.Since(x.removed) < tidyEvery {
			return nil
		}
		if err := x.findGone(ctx); err != nil {
			return err
		}
		x.dead, x.removed = now, time.Now()
	}
	return x.removeGone()
}

// deadRows counts by table the rows that there have been and are no more.
func (x *indexer) deadRows() (out []uint64) {
	v := x.db.View()
	defer v.Release()
	now := x.db.believedNow()
	for i, t := range x.db.tables {
		tv := v.tables[i]
		gone := tv.nextRow - uint64(tv.rows-tv.dead)
		if since := max(x.db.Cutoff(t.Schema.Name, now), x.db.PayloadCutoff(t.Schema.Name, now)); since != 0 {
			gone += uint64(since / int64(tidyEvery)) // time passes, and rows expire
		}
		out = append(out, gone)
	}
	return out
}

// tidyIDs bounds the ids whose rows are looked for at once.
const tidyIDs = 1 << 20

// findGone notes the texts of the index whose rows are not in the newest view.
func (x *indexer) findGone(ctx context.Context) error {
	v := x.db.View()
	defer v.Release()
	snap, err := x.index.Snapshot()
	if err != nil {
		return err
	}
	last, now := x.last(), x.db.believedNow()
	doomed := []search.ID{}
	byTable := make([][]search.ID, len(x.db.tables))
	find := func(i int) error {
		gone, err := x.goneOf(ctx, v, x.db.tables[i], byTable[i], now)
		doomed, byTable[i] = append(doomed, gone...), byTable[i][:0]
		return err
	}
	err = snap.IDs(ctx, func(id search.ID) error {
		for i, t := range x.db.tables {
			if t.ID == id.Table && id.Number < last.next[i] {
				if byTable[i] = append(byTable[i], id); len(byTable[i]) == tidyIDs {
					return find(i)
				}
			}
		}
		return nil
	})
	for i := range byTable {
		if err == nil {
			err = find(i)
		}
	}
	if releaseErr := snap.Release(); err == nil {
		err = releaseErr
	}
	if err != nil {
		return err
	}
	x.doomed, x.since = doomed, v.number
	return nil
}

// goneOf gives those of some ids whose rows are not in a view.
func (x *indexer) goneOf(ctx context.Context, v *View, t *table, ids []search.ID, now int64) (gone []search.ID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows := make([]RowAt, len(ids))
	for i, id := range ids {
		rows[i] = RowAt{id.Number, id.Time}
	}
	since := max(x.db.Cutoff(t.Schema.Name, now), x.db.PayloadCutoff(t.Schema.Name, now))
	scan, err := v.Scan(ScanRequest{Table: t.Schema.Name, Columns: []ColumnRef{{Field: RowNumber}}, Rows: rows, Since: since})
	if err != nil {
		return nil, err
	}
	there := make(map[uint64]bool, len(ids))
	r := scan.Reader()
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		numbers, err := b.Column(0)
		if err != nil {
			return nil, err
		}
		for k := range b.Live() {
			there[uint64(numbers.Ints[b.Row(k)])] = true
		}
	}
	for _, id := range ids {
		if !there[id.Number] {
			gone = append(gone, id)
		}
	}
	return gone, nil
}

// removeGone removes what findGone has noted, unless an older view is held.
func (x *indexer) removeGone() error {
	if x.doomed == nil || x.db.held.oldestNumber() < x.since {
		return nil
	}
	for batch := range slices.Chunk(x.doomed, indexBatchDocs) {
		if err := x.index.Remove(batch); err != nil {
			x.closeIndex()
			return err
		}
	}
	x.doomed = nil
	return nil
}
