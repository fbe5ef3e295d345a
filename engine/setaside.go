package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/tael-sql/tael-sql/engine/cold"
)

// A damaged block or part takes down the statements that need it, and no job:
// what a job cannot read is set aside until the next start, and the job goes on
// without it. Retention drops it when its time has come.

// setAside finds out which blocks a job has failed for; false if for none.
func (db *DB) setAside(ctx context.Context, t *table, refs []*blockRef, cause error) bool {
	if !errors.Is(blockError(t, refs[0].meta, cause), ErrCorrupt) {
		return false
	}
	var damaged []*blockRef
	for _, ref := range refs {
		b, err := readBlock(db.hot, t, ref.meta)
		if err == nil {
			err = blockError(t, ref.meta, b.Verify())
		}
		if errors.Is(err, ErrCorrupt) {
			damaged = append(damaged, ref)
			db.opts.Logger.Error("a damaged block stays as it is", "table", t.Schema.Name, "error", err)
		}
	}
	return len(damaged) > 0 && db.onFlusher(ctx, func() error {
		for _, ref := range damaged {
			db.damaged[ref.meta] = true
		}
		return nil
	}) == nil
}

// setPartsAside does the same for parts.
func (db *DB) setPartsAside(t *table, refs []*partRef, cause error) bool {
	if !errors.Is(partError(t, refs[0].meta, cause), ErrCorrupt) {
		return false
	}
	found := false
	for _, ref := range refs {
		part, err := db.parts.openFile(t, ref.meta, cold.NewCache(0))
		if err == nil {
			err = part.Verify()
		}
		if err = partError(t, ref.meta, err); !errors.Is(err, ErrCorrupt) {
			continue
		}
		found = true
		if db.parts.problem(ref.meta) == "" { // else it may come back
			db.damagedParts[ref.meta] = true
			db.opts.Logger.Error("a damaged part stays as it is", "table", t.Schema.Name, "error", err)
		}
	}
	return found
}

// soundParts gives the parts of which no damage is known.
func (db *DB) soundParts(list []*partRef) []*partRef {
	return slices.DeleteFunc(slices.Clone(list), func(p *partRef) bool {
		return db.damagedParts[p.meta] || db.parts.problem(p.meta) != ""
	})
}
