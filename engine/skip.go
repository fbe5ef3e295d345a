package engine

import (
	"errors"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// skipped reports whether an error is damage that the scan is to read round,
// and tells of it. Some of the rows behind it are then missing from the scan.
func (s *Scan) skipped(err error) bool {
	if s.skip == nil || !errors.Is(err, ErrCorrupt) {
		return false
	}
	s.view.db.counters.skipped.Add(1)
	s.skip(err)
	return true
}

// whole decodes every column of a batch, so that damage is met before its rows
// are given out.
func whole(b *vector.Batch) error {
	for i := range b.Width() {
		if _, err := b.Column(i); err != nil {
			return err
		}
	}
	return nil
}
