package engine

import (
	"errors"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A run is stored rows that are read together: a block, or a chunk of a part.
type run struct {
	meta  *layout.BlockMeta
	dead  vector.Bitmap // nil: none
	part  *partRef      // nil: a block
	chunk int
}

// stored is what a block and a chunk of a part have in common.
type stored interface {
	Column(field int) (*vector.Column, error)
	Key(field int, key string) (*vector.Column, error)
	Few(field int, rows []int32) (*vector.Column, error)
	RowNumbers() (*vector.Column, error)
}

// A lazyRun opens its rows at the first use.
type lazyRun struct {
	scan *Scan
	run  run
	open stored
	sel  []int32 // rows that may be read; nil: all

	times []int64 // of all rows, once lostPayloads has read them

	chunk *cold.Chunk // open, if it is one
	read  int64       // of its bytes those that the scan has counted
}

func (l *lazyRun) column(ref ColumnRef) (*vector.Column, error) {
	c, err := l.decode(ref)
	l.count()
	return c, l.damage(err)
}

// count adds the bytes that have been read of a chunk.
func (l *lazyRun) count() {
	if l.chunk != nil {
		n := l.chunk.Bytes()
		l.scan.bytes.Add(n - l.read)
		l.read = n
	}
}

// few gives a column of some rows.
func (l *lazyRun) few(ref ColumnRef, rows []int32) (*vector.Column, error) {
	if ref.Field != RowNumber && ref.Key == "" && !ref.Digest { // the look-up has opened the run
		c, err := l.open.Few(ref.Field, rows)
		l.count()
		if err == nil {
			c, err = l.visible(ref, c, rows, nil)
		}
		return c, l.damage(err)
	}
	c, err := l.column(ref)
	if err != nil {
		return nil, err
	}
	return vector.Take(c, rows), nil
}

// damage names the block or part in an error, and counts it.
func (l *lazyRun) damage(err error) error {
	if err == nil {
		return nil
	}
	if l.run.part != nil {
		err = partError(l.scan.table, l.run.part.meta, err)
	} else {
		err = blockError(l.scan.table, l.run.meta, err)
	}
	if errors.Is(err, ErrCorrupt) {
		l.scan.view.db.counters.corrupted.Add(1)
	}
	return err
}

// start opens the block or the part.
func (l *lazyRun) start() error {
	s, db := l.scan, l.scan.view.db
	if l.run.part == nil {
		b, err := db.openBlock(s.table, l.run.meta)
		if err != nil {
			return err
		}
		l.open = b
		s.read.Add(1)
		s.bytes.Add(int64(l.run.meta.Bytes))
		return nil
	}
	part, err := db.parts.part(s.table, l.run.part.meta)
	if err != nil {
		return err
	}
	l.chunk = part.Chunk(l.run.chunk)
	l.open = l.chunk
	s.chunksRead.Add(1)
	return nil
}

func (l *lazyRun) decode(ref ColumnRef) (*vector.Column, error) {
	if l.open == nil {
		if err := l.start(); err != nil {
			return nil, err
		}
	}
	switch {
	case ref.Field == RowNumber:
		return l.open.RowNumbers()
	case ref.Key != "":
		c, err := l.open.Key(ref.Field, ref.Key)
		if err != nil {
			return nil, err
		}
		return l.visible(ref, c, nil, l.sel)
	}
	c, err := l.open.Column(ref.Field)
	if err != nil {
		return nil, err
	}
	return l.visible(ref, c, nil, l.sel)
}

// visible gives a column of some rows, or of all, without expired payloads and
// with the texts that are outside of those selected.
func (l *lazyRun) visible(ref ColumnRef, c *vector.Column, rows, sel []int32) (*vector.Column, error) {
	if l.scan.table.offload[ref.Field] == nil {
		return c, nil
	}
	lost, err := l.lostPayloads(rows)
	if err != nil {
		return nil, err
	}
	if lost != nil {
		c = l.scan.table.withoutPayloads(ref, c, lost)
	}
	return l.resolve(ref, c, sel)
}

// resolve gives a column as it was asked for, with the texts that are outside
// of the rows selected.
func (l *lazyRun) resolve(ref ColumnRef, c *vector.Column, sel []int32) (*vector.Column, error) {
	o := l.scan.table.offload[ref.Field]
	blobs := l.scan.view.db.blobs
	switch {
	case ref.Stored:
		return c, nil
	case ref.Digest:
		return storedDigests(c, o.Limit)
	case c.Kind == vector.Map:
		return blobs.resolveAttributes(c, sel)
	}
	return blobs.resolve(c, sel, o)
}
