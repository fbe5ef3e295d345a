package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// compactEvery is how often the compactor looks for work.
const compactEvery = time.Minute

// runCompactor is the one goroutine of the long background jobs.
func (db *DB) runCompactor(ctx context.Context) {
	defer close(db.compactWorker.ended)
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	db.keepBallast(ctx)
	db.sweeper.last = time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case task := <-db.compactWorker.tasks:
			task(ctx)
		case <-tick.C:
			db.keepBallast(ctx)
			if db.opts.HotWindow > 0 {
				before := db.opts.Now().Add(-db.opts.HotWindow).UnixNano()
				if _, err := db.compact(ctx, before); err != nil && ctx.Err() == nil {
					db.opts.Logger.Warn("compaction ends; it is tried again", "error", err, "in", compactEvery)
				}
			}
			if _, err := db.applyRetention(ctx); err != nil {
				db.opts.Logger.Warn("retention will be applied again", "error", err)
			}
			if time.Since(db.sweeper.last) >= sweepEvery {
				if _, _, err := db.sweep(ctx); err != nil && ctx.Err() == nil {
					db.opts.Logger.Warn("the sweep of texts is tried again", "error", err, "in", sweepEvery)
				}
			}
		}
	}
}

// Compacted says how many rows of a table a compaction moved.
type Compacted struct {
	Table string
	Rows  int64
}

// Compact moves the blocks of hours that ended before a time into parts, and
// merges parts. Rows in the memtable stay there. An error leaves what was not
// moved as it was; ErrUnavailable passes.
func (db *DB) Compact(ctx context.Context, before int64) (moved []Compacted, err error) {
	err = db.compactWorker.do(ctx, func(ctx context.Context) error {
		moved, err = db.compact(ctx, before)
		return err
	})
	return moved, storeError(err)
}

func (db *DB) compact(ctx context.Context, before int64) (moved []Compacted, err error) {
	if err := db.settleParts(ctx); err != nil {
		return nil, err
	}
	for _, t := range db.tables {
		var rows int64
		rows, err = db.compactTable(ctx, t, before)
		moved = append(moved, Compacted{t.Schema.Name, rows})
		if err == nil {
			err = db.mergeParts(ctx, t, before)
		}
		if err != nil {
			break
		}
	}
	if errors.Is(err, object.ErrUnavailable) {
		return moved, err
	}
	if listErr := db.publishLive(ctx); listErr != nil {
		db.opts.Logger.Warn("the list of the parts that count is not up to date", "error", listErr)
		return moved, errors.Join(err, listErr)
	}
	return moved, errors.Join(err, db.deleteGoneParts(ctx)) // after the list that does not name them
}

func (db *DB) compactTable(ctx context.Context, t *table, before int64) (rows int64, err error) {
	for ctx.Err() == nil {
		var refs []*blockRef
		if err := db.onFlusher(ctx, func() error {
			refs = db.claimBlocks(t, before)
			return nil
		}); err != nil || refs == nil {
			return rows, err
		}
		n, err := db.compactBlocks(ctx, t, refs)
		if err != nil && !db.setAside(ctx, t, refs, err) {
			return rows, err
		}
		rows += int64(n)
	}
	return rows, ctx.Err()
}

// What is sorted into one part is bounded by it, not by the hour, and so is what
// that holds in memory. A block's column is decoded once for each row group of
// the part, so that these are few.
const (
	compactGroups = 2
	compactBytes  = 24 << 20                        // of blocks, as they are stored
	compactWidth  = compactGroups * cold.GroupBytes // of the widest column, decoded
)

// claimBlocks picks blocks of one day that are old enough for a part, and keeps
// them from being merged. It runs on the flusher's goroutine.
func (db *DB) claimBlocks(t *table, before int64) []*blockRef {
	var old []*blockRef
	for _, ref := range db.view.Load().tables[t.number].blocks {
		m := ref.meta
		late := m.Hour == layout.LateHour
		if db.damaged[m] {
			continue
		}
		if late && m.MaxTime < before || !late && m.Hour < hourOf(before) {
			old = append(old, ref)
		}
	}
	if len(old) == 0 {
		return nil
	}
	day := func(ref *blockRef) int64 {
		if ref.meta.Hour == layout.LateHour {
			return math.MinInt64
		}
		return floorDiv(ref.meta.Hour, 24)
	}
	slices.SortFunc(old, func(a, b *blockRef) int {
		return cmp.Or(cmp.Compare(day(a), day(b)), cmp.Compare(a.meta.MinTime, b.meta.MinTime), cmp.Compare(a.meta.ID, b.meta.ID))
	})
	n, rows, bytes := 0, 0, 0
	for _, ref := range old {
		rows, bytes = rows+ref.meta.Rows, bytes+ref.meta.Bytes
		if n > 0 && (day(ref) != day(old[0]) || rows > compactGroups*cold.GroupChunks*db.opts.ChunkRows || bytes > compactBytes) {
			break
		}
		n++
	}
	for _, ref := range old[:n] {
		db.claimed[ref.meta] = true
	}
	return old[:n:n]
}

// compactBlocks writes the live rows of blocks into a part that takes their
// place.
func (db *DB) compactBlocks(ctx context.Context, t *table, refs []*blockRef) (rows int, err error) {
	job := &partJob{table: t, blocks: refs, job: db.jobs.begin(CompactJob, t.Schema.Name)}
	defer func() { db.endPartJob(job, err) }()
	sources, err := db.openClaimed(t, refs)
	if err != nil {
		return 0, err
	}
	if err := db.unclaim(ctx, refs[len(sources):]); err != nil {
		return 0, err
	}
	job.blocks = refs[:len(sources)]
	for i, ref := range job.blocks {
		job.job.read(1, ref.meta.Rows, int64(ref.meta.Bytes))
		for row := range ref.meta.Rows {
			if ref.dead == nil || !ref.dead.Get(row) {
				job.picks = append(job.picks, block.Pick{Source: uint32(i), Row: uint32(row)})
			}
		}
	}
	if err := sortPicks(t, sources, job.picks); err != nil {
		return 0, fmt.Errorf("sort rows of %s: %w", t.Schema.Name, err)
	}
	if len(job.picks) > 0 {
		fit, err := t.cold.Fit(sources, job.picks)
		if err != nil {
			return 0, fmt.Errorf("measure rows of %s: %w", t.Schema.Name, err)
		}
		err = db.writePart(ctx, job, fit.ChunkRows, func(w *cold.Writer) error {
			from := 0
			for _, end := range fit.Ends {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := w.WriteGroup(sources, job.picks[from:end]); err != nil {
					return err
				}
				from = end
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return len(job.picks), db.commitPart(ctx, job)
}

// openClaimed opens blocks until their widest column takes compactWidth: one at
// the least, perhaps not all.
func (db *DB) openClaimed(t *table, refs []*blockRef) (sources []cold.Source, err error) {
	widths := make([]int, len(t.Schema.Fields))
	for _, ref := range refs {
		b, err := readBlock(db.hot, t, ref.meta)
		if err != nil {
			return nil, err
		}
		for f := range widths {
			n, err := b.Footprint(f)
			if err != nil {
				return nil, blockError(t, ref.meta, err)
			}
			widths[f] += n
		}
		if len(sources) > 0 && slices.Max(widths) > compactWidth {
			break
		}
		sources = append(sources, b)
	}
	return sources, nil
}

// unclaim gives blocks back.
func (db *DB) unclaim(ctx context.Context, refs []*blockRef) error {
	if len(refs) == 0 {
		return nil
	}
	return db.onFlusher(ctx, func() error {
		for _, ref := range refs {
			delete(db.claimed, ref.meta)
		}
		return nil
	})
}

// remapPicks gives the rows of a part that have died since they were picked.
func remapPicks(picks []block.Pick, dead func(source int) vector.Bitmap) vector.Bitmap {
	var out vector.Bitmap
	for i, p := range picks {
		if d := dead(int(p.Source)); d != nil && d.Get(int(p.Row)) {
			if out == nil {
				out = vector.NewBitmap(len(picks))
			}
			out.Set(i)
		}
	}
	return out
}

// floorDiv divides, rounding towards the past.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
