package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// sweepEvery is how often texts outside the rows are looked through.
const sweepEvery = 6 * time.Hour

// A sweeper deletes the texts outside the rows that nothing refers to. It is the
// compactor's own, but for taken.
//
// A text is deleted by a task of the flusher, so that no flush runs: if no block
// and no part of the newest view referred to it Options.BlobGrace ago, no older
// view than that one is held any more, and no flush since then has taken it out
// of its rows again. Times are those of the process: a clock that is set decides
// nothing. In the same way a text gives way to a mark to which only blocks and
// parts refer that have expired payloads alone.
type sweeper struct {
	last   time.Time              // of the last sweep
	unused map[[32]byte]unusedRef // texts that nothing refers to, since when
	known  map[any][][32]byte     // what a block (its meta) or part refers to: they never change

	taken map[[32]byte]bool // texts of the flushes since the sweep began; the flusher's; nil: none runs
}

type unusedRef struct {
	since time.Time
	view  uint64 // number of the view of which nothing refers to it
	mark  bool   // expired payloads do
}

// SweepBlobs deletes the texts outside the rows that nothing has referred to for
// Options.BlobGrace but rows that have lost their payloads, and says how many
// that were, with their bytes.
func (db *DB) SweepBlobs(ctx context.Context) (removed int, bytes int64, err error) {
	err = db.compactWorker.do(ctx, func(ctx context.Context) error {
		removed, bytes, err = db.sweep(ctx)
		return err
	})
	return removed, bytes, err
}

func (db *DB) sweep(ctx context.Context) (removed int, bytes int64, err error) {
	job := db.jobs.begin(SweepJob, "")
	defer func() { job.end(err) }()
	s := &db.sweeper
	s.last = time.Now()
	var cutoffs []int64
	if err := db.onFlusher(ctx, func() error {
		cutoffs = db.payloadCutoffs(db.believedNow())
		s.taken = make(map[[32]byte]bool)
		return nil
	}); err != nil {
		return 0, 0, err
	}
	defer func() { // what ends the task ends the store
		_ = db.onFlusher(context.WithoutCancel(ctx), func() error {
			s.taken = nil
			return nil
		})
	}()
	v := db.View()
	number := v.number
	used, expired, err := db.references(ctx, v, cutoffs)
	v.Release()
	if err != nil {
		return 0, 0, fmt.Errorf("look for references: %w", err)
	}
	stored, err := db.blobs.stored()
	if err != nil {
		return 0, 0, err
	}
	doomed := s.doomed(stored, used, expired, number, db.held.oldestNumber(), db.opts.BlobGrace)
	if len(doomed) == 0 {
		return 0, 0, nil
	}
	if db.opts.faults.duringSweep != nil {
		db.opts.faults.duringSweep()
	}
	err = db.onFlusher(ctx, func() error {
		removed, bytes, err = db.deleteTexts(doomed)
		return err
	})
	job.read(removed, 0, bytes)
	return removed, bytes, err
}

// doomed gives the texts to delete, and notes those that have become unused.
func (s *sweeper) doomed(stored map[[32]byte]storedText, used, expired map[[32]byte]bool, view, oldest uint64, grace time.Duration) map[[32]byte]storedText {
	out := make(map[[32]byte]storedText)
	unused := make(map[[32]byte]unusedRef)
	for hash, text := range stored {
		mark := expired[hash]
		if used[hash] || mark && text.marked {
			continue
		}
		ref, ok := s.unused[hash]
		if !ok || ref.mark != mark {
			ref = unusedRef{time.Now(), view, mark}
		}
		if unused[hash] = ref; time.Since(ref.since) >= grace && ref.view <= oldest {
			text.marked = mark
			out[hash] = text
		}
	}
	s.unused = unused
	return out
}

// deleteTexts deletes texts, but those that a flush has taken since the sweep
// began. It runs on the flusher's goroutine. Once a batch has failed nothing is
// deleted: what it referred to is in no view, but may be on the disk.
func (db *DB) deleteTexts(doomed map[[32]byte]storedText) (removed int, bytes int64, err error) {
	if err := db.Err(); err != nil {
		return 0, 0, err
	}
	s := &db.sweeper
	var writes []hot.Write
	var files [][32]byte // to delete once the hot store says so
	for hash, text := range doomed {
		if s.taken[hash] && !db.opts.faults.sweepAnyway {
			delete(s.unused, hash)
			continue
		}
		w := hot.Write{Key: layout.BlobKey(hash)}
		if text.marked {
			w.Value = []byte(layout.ExpiredText(hash))
		}
		writes, files = append(writes, w), append(files, hash)
		delete(s.unused, hash)
		removed, bytes = removed+1, bytes+text.size
	}
	if len(writes) == 0 {
		return 0, 0, nil
	}
	if err := db.hot.Commit(writes); err != nil {
		db.fail(err)
		return 0, 0, db.Err()
	}
	for _, hash := range files {
		if err := db.blobs.files.Delete(hash); err != nil {
			return 0, 0, err
		}
	}
	return removed, bytes, nil
}

// references gives the texts that the blocks and parts of a view refer to, those
// apart whose rows are all before the cutoff of their table.
func (db *DB) references(ctx context.Context, v *View, cutoffs []int64) (used, expired map[[32]byte]bool, err error) {
	s := &db.sweeper
	used, expired = make(map[[32]byte]bool), make(map[[32]byte]bool)
	known := make(map[any][][32]byte)
	note := func(in map[[32]byte]bool, key any, read func(fn func(stored string) error) error) error {
		list, ok := s.known[key]
		if !ok {
			seen := make(map[[32]byte]bool)
			if err := read(func(stored string) error {
				_, ref, outside, err := layout.ParseStored(stored)
				if outside && err == nil && !seen[ref.Hash] {
					seen[ref.Hash] = true
					list = append(list, ref.Hash)
				}
				return err
			}); err != nil {
				return err
			}
		}
		known[key] = list
		for _, hash := range list {
			in[hash] = true
		}
		return ctx.Err()
	}
	for i, t := range db.tables {
		if len(t.offload) == 0 {
			continue
		}
		among := func(maxTime int64) map[[32]byte]bool {
			if cutoffs[i] != 0 && maxTime < cutoffs[i] {
				return expired
			}
			return used
		}
		for _, ref := range v.tables[i].blocks {
			err := note(among(ref.meta.MaxTime), ref.meta, func(fn func(string) error) error {
				b, err := readBlock(db.hot, t, ref.meta)
				if err != nil {
					return err
				}
				return t.outsideTexts(b, fn)
			})
			if err != nil {
				return nil, nil, blockError(t, ref.meta, err)
			}
		}
		for _, ref := range v.tables[i].parts {
			err := note(among(ref.meta.MaxTime), ref.meta, func(fn func(string) error) error { return db.partReferences(t, ref.meta, fn) })
			if err != nil {
				return nil, nil, partError(t, ref.meta, err)
			}
		}
	}
	s.known = known
	return used, expired, nil
}

func (db *DB) partReferences(t *table, m *layout.PartMeta, fn func(stored string) error) error {
	part, err := db.parts.openFile(t, m, cold.NewCache(mergePageBytes))
	if err != nil {
		return err
	}
	for k := range m.Chunks() {
		if err := t.outsideTextsOfChunk(part.Chunk(k), fn); err != nil {
			return err
		}
	}
	return nil
}

// A storedText is a text outside the rows, or its mark alone.
type storedText struct {
	size   int64
	marked bool // expired
}

// stored lists all texts.
func (b *blobs) stored() (map[[32]byte]storedText, error) {
	out := make(map[[32]byte]storedText)
	lower, upper := layout.KindRange(layout.BlobKind)
	err := b.hot.Each(lower, upper, func(key, text []byte) error {
		if len(key) == 33 {
			hash := [32]byte(key[1:])
			out[hash] = storedText{int64(len(text)), string(text) == layout.ExpiredText(hash)}
		}
		return nil
	})
	if err != nil {
		return nil, hotError(err)
	}
	return out, b.files.Each(func(hash [32]byte, size int64) error {
		out[hash] = storedText{size: max(out[hash].size, size)}
		return nil
	})
}
