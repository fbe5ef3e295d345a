package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
)

// A part that the manifest names and the object store does not have, or of
// another size, is damage that a start finds at once and says, and whoever opens
// the part later. Its statements fail; it may be put back while we run.

// found notes what an attempt to find a part says; "" that it is as it should
// be. What changes is logged.
func (p *parts) found(t *table, m *layout.PartMeta, problem string) {
	p.mu.Lock()
	before := p.missing[m]
	if problem == "" {
		delete(p.missing, m)
	} else {
		p.missing[m] = problem
	}
	p.mu.Unlock()
	if before == problem {
		return
	}
	hour := func(nanos int64) string { return time.Unix(0, nanos).UTC().Format("2006-01-02T15Z") }
	about := []any{"part", m.Name, "table", t.Schema.Name, "from_hour", hour(m.MinTime), "to_hour", hour(m.MaxTime), "rows", m.Rows}
	if problem == "" {
		p.log.Info("a part is there again", about...)
		return
	}
	p.log.Error("a part is lost: statements that need its rows fail", append(about, "problem", problem)...)
}

// problem gives what is known to be wrong with the file of a part; "" for
// nothing.
func (p *parts) problem(m *layout.PartMeta) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missing[m]
}

const partMissing = "missing"

// wrongSize gives the problem of a part that is there; "" for none.
func wrongSize(m *layout.PartMeta, size int64) string {
	if size == m.Bytes {
		return ""
	}
	return fmt.Sprintf("of %d bytes, not %d", size, m.Bytes)
}

// openObject opens the file of a part, and notes whether it is there.
func (p *parts) openObject(t *table, m *layout.PartMeta) (object.Reader, error) {
	file, err := p.store.Open(context.Background(), m.Name)
	switch {
	case errors.Is(err, object.ErrMissing):
		p.found(t, m, partMissing)
	case err == nil:
		p.found(t, m, wrongSize(m, file.Size()))
	}
	return file, err
}

// mayComeBack reports whether an error of a part is that of a store that cannot
// be reached, or of a part that somebody may put back.
func (p *parts) mayComeBack(m *layout.PartMeta, err error) bool {
	return err != nil && (errors.Is(err, ErrUnavailable) || p.problem(m) != "")
}
