package engine

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal"
)

// A Report says what Check has seen.
type Report struct {
	Blocks   int
	Rows     int64
	Records  int
	LastLSN  uint64
	Problems []string // one line each; empty: all is sound
}

// Check verifies a data folder that no process has open: every checksum of
// every block and manifest entry, their cross-references, and the WAL. The
// error tells why the check itself could not be made.
func Check(fs vfs.FS, dir string, specs []TableSpec) (r Report, err error) {
	if _, err := fs.Stat(dir); err != nil {
		return r, err
	}
	lock, err := fs.Lock(fs.PathJoin(dir, layout.LockFile))
	if err != nil {
		return r, fmt.Errorf("%w: %s: %v", ErrLocked, dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	store, err := hot.Open(fs, fs.PathJoin(dir, layout.HotDir), slog.New(slog.DiscardHandler))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	applied := ^uint64(0)
	for i, spec := range specs {
		lsn, err := checkTable(store, newTable(i, spec), &r)
		if err != nil {
			return r, err
		}
		applied = min(applied, lsn)
	}
	w, err := wal.Check(fs, fs.PathJoin(dir, layout.WALDir), nil)
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
		return r, nil
	}
	r.Records, r.LastLSN = int(w.Records), w.LastLSN
	if w.Records > 0 && w.FirstLSN > applied+1 {
		r.Problems = append(r.Problems, fmt.Sprintf("the WAL begins at record %d, but blocks hold records only up to %d", w.FirstLSN, applied))
	}
	return r, nil
}

// checkTable verifies the blocks of a table and gives its applied LSN.
func checkTable(store *hot.Store, t *table, r *Report) (uint64, error) {
	report := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	state := layout.TableState{}
	raw, err := store.Get(layout.StateKey(t.ID))
	if err != nil {
		return 0, err
	}
	if raw != nil {
		if state, err = layout.DecodeState(raw); err != nil {
			report("state of %s: %v", t.Schema.Name, err)
		}
	}
	metas := make(map[uint64]*layout.BlockMeta)
	lower, upper := layout.TableRange(layout.MetaKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		name, ok := layout.ParseBlockKey(key)
		meta, err := layout.DecodeMeta(value)
		if !ok || err != nil || meta.ID != name.ID || meta.Table != t.ID {
			report("manifest entry %d of %s: %v", name.ID, t.Schema.Name, err)
			return nil
		}
		metas[meta.ID] = meta
		if meta.MaxLSN > state.AppliedLSN {
			report("block %d of %s has record %d beyond the applied %d", meta.ID, t.Schema.Name, meta.MaxLSN, state.AppliedLSN)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	lower, upper = layout.TableRange(layout.BlockKind, t.ID)
	found := make(map[uint64]bool)
	err = store.Each(lower, upper, func(key, value []byte) error {
		name, _ := layout.ParseBlockKey(key)
		found[name.ID] = true
		meta := metas[name.ID]
		if meta == nil {
			report("block %d of %s has no manifest entry", name.ID, t.Schema.Name)
			return nil
		}
		b, err := block.Open(t.Schema, value)
		if err == nil {
			err = b.Verify()
		}
		switch {
		case err != nil:
			report("block %d of %s: %v", name.ID, t.Schema.Name, err)
		case b.Rows() != meta.Rows:
			report("block %d of %s has %d rows, its manifest entry says %d", name.ID, t.Schema.Name, b.Rows(), meta.Rows)
		}
		r.Blocks++
		r.Rows += int64(meta.Rows)
		return nil
	})
	if err != nil {
		return 0, err
	}
	for id := range metas {
		if !found[id] {
			report("block %d of %s is missing", id, t.Schema.Name)
		}
	}
	lower, upper = layout.TableRange(layout.DeadKind, t.ID)
	err = store.Each(lower, upper, func(key, value []byte) error {
		name, _ := layout.ParseBlockKey(key)
		meta := metas[name.ID]
		if meta == nil {
			report("deletion vector %d of %s has no block", name.ID, t.Schema.Name)
			return nil
		}
		if _, err := layout.DecodeDead(value, meta.Rows); err != nil {
			report("deletion vector %d of %s: %v", name.ID, t.Schema.Name, err)
		}
		return nil
	})
	return state.AppliedLSN, err
}
