package tables

import (
	"context"
	"errors"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// Administer does the background work that a function of an administrator asks
// for, and gives the function's rows.
func (s *Store) Administer(ctx context.Context, function string, args []any) ([][]any, error) {
	switch function {
	case "tael_compact":
		return s.compact(ctx, pgtypes.UnixNanosFromMicros(args[0].(int64)))
	case "tael_apply_retention":
		return s.applyRetention(ctx)
	case "tael_sweep_blobs":
		removed, bytes, err := s.db.SweepBlobs(ctx)
		return [][]any{{int64(removed), bytes}}, storageError(err)
	}
	return nil, errors.New("BUG: a function of administrators called " + function)
}

// compact moves what is older than a time into parts, rows in the memtable too.
func (s *Store) compact(ctx context.Context, before int64) ([][]any, error) {
	if err := s.db.Checkpoint(ctx); err != nil {
		return nil, storageError(err)
	}
	moved, err := s.db.Compact(ctx, before)
	rows := make([][]any, len(moved))
	for i, m := range moved {
		rows[i] = []any{m.Table, m.Rows}
	}
	return rows, storageError(err)
}

func (s *Store) applyRetention(ctx context.Context) ([][]any, error) {
	if err := s.db.Checkpoint(ctx); err != nil {
		return nil, storageError(err)
	}
	list, err := s.db.ApplyRetention(ctx)
	dropped := make(map[string]int64)
	for _, e := range list {
		dropped[e.Table] += e.Rows
	}
	var rows [][]any
	for _, t := range Specs() {
		rows = append(rows, []any{t.Schema.Name, dropped[t.Schema.Name]})
	}
	if err != nil || s.keepComments == 0 {
		return rows, storageError(err)
	}
	deleted, err := s.expireComments(ctx)
	return append(rows, []any{"comments", deleted}), commitError(err)
}

// Reindex makes the index of texts anew.
func (s *Store) Reindex(ctx context.Context) error { return storageError(s.db.Reindex(ctx)) }
