package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A partJob makes one part of blocks or of parts. What the part replaces is
// fixed when the job begins.
type partJob struct {
	table  *table
	blocks []*blockRef // inputs as the job read them
	parts  []*partRef
	picks  []block.Pick // of blocks: the rows of the part, in its order
	from   []uint8      // of parts: the input of each row of the part, in its order

	meta  *layout.PartMeta // nil: no input had a live row
	index *layout.PartIndex
	sum   *layout.Digest
	job   *job
	view  uint64 // number of the first view without the inputs
}

// dead gives the rows of the part that are dead in a view.
func (j *partJob) dead(tv *tableView) vector.Bitmap {
	if j.blocks != nil {
		return remapPicks(j.picks, func(source int) vector.Bitmap {
			if at, ok := tv.block(j.blocks[source].meta.ID); ok {
				return tv.blocks[at].dead
			}
			return nil
		})
	}
	return remapMerged(j, tv)
}

// writePart writes the job's part, in chunks of so many rows, into the object
// store and reads its footer back. Nobody knows of it before commitPart.
func (db *DB) writePart(ctx context.Context, j *partJob, chunkRows int, write func(*cold.Writer) error) error {
	t := j.table
	spec := t.cold
	spec.ChunkRows = chunkRows
	first := int64(math.MaxInt64)
	for _, ref := range j.blocks {
		first = min(first, ref.meta.MinTime)
	}
	for _, p := range j.parts {
		first = min(first, p.meta.MinTime)
	}
	name := layout.PartName(t.Schema.Name, time.Unix(0, first))
	text := func(stored string) (string, error) { return db.blobs.text(stored, nil) }
	written, err := db.parts.store.Put(ctx, name, func(out io.Writer) error {
		w, err := cold.NewWriter(out, &spec, text)
		if err != nil {
			return err
		}
		if err := write(w); err != nil {
			return err
		}
		j.meta, j.index, err = w.Close()
		return err
	})
	if err != nil {
		j.meta = nil
		return fmt.Errorf("write part %s: %w", name, err)
	}
	j.meta.Table, j.meta.Name, j.meta.Bytes, j.meta.Checksum = t.ID, name, written.Bytes, written.Checksum
	for _, p := range j.parts {
		j.meta.Level = max(j.meta.Level, p.meta.Level+1)
	}
	j.job.wrote(1, j.meta.Rows, j.meta.Bytes)
	if j.sum, err = db.digestInputs(ctx, j); err != nil {
		return errors.Join(err, db.abandonPart(ctx, j))
	}
	if _, err := db.parts.openFile(t, j.meta, cold.NewCache(0)); err != nil {
		return errors.Join(fmt.Errorf("read back part %s: %w", name, err), db.abandonPart(ctx, j))
	}
	return nil
}

// abandonPart deletes the file of a part that will not be in the manifest.
func (db *DB) abandonPart(ctx context.Context, j *partJob) error {
	err := db.parts.store.Delete(context.WithoutCancel(ctx), j.meta.Name)
	j.meta = nil
	return err
}

// commitPart puts the part in the place of the job's inputs: one batch, then a
// new view.
func (db *DB) commitPart(ctx context.Context, j *partJob) error {
	err := db.onFlusher(ctx, func() error {
		if err := db.Err(); err != nil {
			return err
		}
		if db.opts.faults.cutByTime {
			j.blocks = db.blocksOfHours(j)
		}
		if db.opts.faults.deleteBeforeCommit {
			var early []hot.Write
			for _, ref := range j.blocks {
				early = append(early, replacedWrites(ref.meta)...)
			}
			_ = db.commit(early)
			for _, p := range j.parts {
				_ = db.parts.store.Delete(ctx, p.meta.Name)
			}
		}
		for _, p := range j.parts {
			if err := db.parts.keep(j.table, p.meta); err != nil {
				return err
			}
		}
		if err := db.commit(db.partWrites(j)); err != nil {
			db.fail(err)
			return db.Err()
		}
		db.publishPart(j)
		return nil
	})
	if err != nil && j.meta != nil && db.Err() == nil {
		return errors.Join(err, db.abandonPart(ctx, j)) // the task was not begun
	}
	return err
}

// blocksOfHours adds to the inputs of a job what came into their hours since,
// as a planted bug.
func (db *DB) blocksOfHours(j *partJob) []*blockRef {
	list := slices.Clone(j.blocks)
	for _, ref := range db.view.Load().tables[j.table.number].blocks {
		same := func(o *blockRef) bool { return o.meta.ID == ref.meta.ID }
		if slices.ContainsFunc(j.blocks, func(o *blockRef) bool { return o.meta.Hour == ref.meta.Hour }) && !slices.ContainsFunc(list, same) {
			list = append(list, ref)
		}
	}
	return list
}

// partWrites makes the batch: the part with what has died of its rows since
// they were read, and the inputs out of the manifest.
func (db *DB) partWrites(j *partJob) []hot.Write {
	var writes []hot.Write
	t := j.table
	if m := j.meta; m != nil {
		m.ID = db.nextBlock[t.number]
		db.nextBlock[t.number]++
		writes = append(writes,
			hot.Write{Key: layout.PartKey(t.ID, m.ID), Value: m.Append(nil)},
			hot.Write{Key: layout.PartIndexKey(t.ID, m.ID), Value: j.index.Append(nil)},
			hot.Write{Key: layout.DigestKey(t.ID, m.ID), Value: j.sum.Append(nil)})
		if now := db.view.Load().tables[t.number]; !db.opts.faults.deadNotInBatch && !db.opts.faults.partDeadNotInBatch {
			writes = append(writes, vectorWrites(m, j.dead(now), j.unsettled(now))...)
		}
	}
	for _, ref := range j.blocks {
		writes = append(writes, replacedWrites(ref.meta)...)
	}
	for _, p := range j.parts {
		writes = append(writes, partGoneWrites(p.meta)...)
	}
	// The state knows the ids given out; the applied LSN is that of the last flush.
	return append(writes, db.stateWrite(t, db.stored[t.number].AppliedLSN, db.stored[t.number].Rows))
}

// publishPart makes the view that has the part instead of its inputs.
func (db *DB) publishPart(j *partJob) {
	db.stateMu.Lock()
	defer db.stateMu.Unlock()
	now := db.view.Load()
	next := now.clone()
	next.generation++
	tv := next.tables[j.table.number]
	for _, ref := range j.blocks {
		delete(db.claimed, ref.meta)
		at, _ := tv.block(ref.meta.ID)
		tv.blocks = slices.Delete(slices.Clone(tv.blocks), at, at+1)
		db.gone = append(db.gone, goneBlock{ref.meta, now.number + 1})
	}
	unsettled := j.unsettled(tv)
	for _, p := range j.parts {
		at, _ := tv.part(p.meta.ID)
		tv.parts = slices.Delete(slices.Clone(tv.parts), at, at+1)
	}
	if j.meta != nil {
		p := newPartRef(j.meta)
		if dead := j.dead(now.tables[j.table.number]); dead != nil && !db.opts.faults.forgetKills {
			p.dead, p.deadCount, p.deadChanged = dead, dead.Count(), true
		}
		if len(unsettled) > 0 {
			p.unsettled, p.deadChanged = unsettled, true
		}
		tv.parts = append(slices.Clip(tv.parts), p)
	}
	tv.recount()
	db.publishLocked(next)
	j.view = next.number
}

// endPartJob gives the inputs of a job that failed back, and tells the listener.
func (db *DB) endPartJob(j *partJob, err error) {
	if err != nil {
		_ = db.unclaim(context.Background(), j.blocks) // a closed store has no claims
	}
	if err == nil {
		for _, p := range j.parts {
			db.goneParts = append(db.goneParts, gonePart{p.meta, j.view})
		}
	}
	j.job.end(err)
}

// A gonePart is a part that others have replaced. Only the compactor deletes
// its file, once no view that may read it is left.
type gonePart struct {
	meta *layout.PartMeta
	view uint64 // number of the first view without it
}

// deleteGoneParts deletes the files of parts that no view refers to any more.
// What a crash leaves of them the next Open finds as orphans.
func (db *DB) deleteGoneParts(ctx context.Context) error {
	oldest := db.held.oldestNumber()
	var errs []error
	db.goneParts = slices.DeleteFunc(db.goneParts, func(g gonePart) bool {
		if g.view > oldest {
			return false
		}
		db.parts.forget(g.meta)
		err := db.parts.store.Delete(ctx, g.meta.Name)
		errs = append(errs, err)
		return err == nil
	})
	return errors.Join(errs...)
}
