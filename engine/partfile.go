package engine

import (
	"errors"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
)

// A partFile is the open file of a part. It is closed when its reader is
// unreachable, when the part has gone, and at the latest with the store: then
// by whoever still reads it, nobody waits.
type partFile struct {
	object.Reader
	meta *layout.PartMeta

	mu      sync.Mutex // guards what follows
	reading int
	closed  bool
}

// ReadAt gives ErrClosed once the file is closed.
func (f *partFile) ReadAt(b []byte, offset int64) (int, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return 0, ErrClosed
	}
	f.reading++
	f.mu.Unlock()
	n, err := f.Reader.ReadAt(b, offset)
	f.mu.Lock()
	f.reading--
	last := f.closed && f.reading == 0
	f.mu.Unlock()
	if last {
		_ = f.Reader.Close() // it was only read
	}
	return n, err
}

// Close may be called more than once.
func (f *partFile) Close() error {
	f.mu.Lock()
	now := !f.closed && f.reading == 0
	f.closed = true
	f.mu.Unlock()
	if now {
		return f.Reader.Close()
	}
	return nil
}

// A piecedFile is one that answers each read after a long wait.
type piecedFile struct {
	*partFile
	cold.Pieced
}

// ReadAt replaces that of Pieced.
func (f piecedFile) ReadAt(b []byte, offset int64) (int, error) { return f.partFile.ReadAt(b, offset) }

// partFiles are the open files of parts. They know nothing of the parts, which
// could else never become unreachable.
type partFiles struct {
	mu   sync.Mutex // guards what follows
	open map[*partFile]bool
	over bool // the store is closed
}

// add enters a file that was opened.
func (p *partFiles) add(m *layout.PartMeta, r object.Reader) (*partFile, error) {
	f := &partFile{Reader: r, meta: m}
	p.mu.Lock()
	over := p.over
	if !over {
		p.open[f] = true
	}
	p.mu.Unlock()
	if over {
		return nil, errors.Join(ErrClosed, f.Close())
	}
	return f, nil
}

// part opens a part in a file, which is closed when the part is unreachable.
func (p *partFiles) part(t *table, f *partFile, pages *cold.Cache) (*cold.Part, error) {
	var r io.ReaderAt = f
	if pieced, ok := f.Reader.(cold.Pieced); ok {
		r = piecedFile{f, pieced}
	}
	part, err := cold.Open(r, f.Size(), &t.cold, f.meta, pages)
	if err != nil {
		p.drop(f)
		return nil, err
	}
	runtime.AddCleanup(part, p.drop, f)
	return part, nil
}

// drop closes a file. It was only read, so that the error says nothing.
func (p *partFiles) drop(f *partFile) {
	p.mu.Lock()
	delete(p.open, f)
	p.mu.Unlock()
	_ = f.Close()
}

// dropPart closes the files of a part.
func (p *partFiles) dropPart(m *layout.PartMeta) {
	p.mu.Lock()
	var files []*partFile
	for f := range p.open {
		if f.meta == m {
			files = append(files, f)
		}
	}
	p.mu.Unlock()
	for _, f := range files {
		p.drop(f)
	}
}

// close closes all files, and those that are opened from now on.
func (p *partFiles) close() {
	p.mu.Lock()
	p.over = true
	files := slices.Collect(maps.Keys(p.open))
	p.mu.Unlock()
	for _, f := range files {
		p.drop(f)
	}
}
