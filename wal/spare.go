package wal

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// runPreparer is the preparer's goroutine: it keeps enough spares. It ends when
// the writer has.
func (l *Log) runPreparer() {
	for {
		select {
		case <-l.writerDone:
			return
		default:
		}
		busy, err := l.prepare()
		switch {
		case err == nil && busy:
			continue
		case err != nil && !vfs.IsNoSpaceError(err):
			_ = l.fail(err)
			return
		}
		var retry <-chan time.Time
		if err != nil {
			l.opts.Logger.Warn("wal: no space for a spare segment, trying again", "err", err)
			retry = time.After(spaceRetry)
		}
		select {
		case <-l.writerDone:
			return
		case <-l.wakeSpares:
		case <-retry:
		}
	}
}

// prepare does one step: recycle a segment or make one. It says whether there
// was anything to do.
func (l *Log) prepare() (busy bool, err error) {
	l.mu.Lock()
	enough := len(l.spares) >= l.opts.Spares
	var old segment
	if len(l.freed) > 0 {
		old, l.freed = l.freed[0], l.freed[1:]
	}
	l.mu.Unlock()

	var spare segment
	switch {
	case old.number != 0 && (enough || old.size != l.opts.SegmentBytes):
		return true, removeSegment(l.fs, l.dir, old)
	case old.number != 0:
		spare, err = l.recycle(old)
	case enough:
		return false, nil
	default:
		spare, err = l.create()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spareErr = nil; vfs.IsNoSpaceError(err) {
		l.spareErr = err
	}
	if err == nil {
		l.spares = append(l.spares, spare)
	}
	notify(l.spareReady)
	return true, err
}

// recycle renames a segment. The new name is durable before the segment is
// used: otherwise a crash could bring back the old name over new records.
func (l *Log) recycle(old segment) (segment, error) {
	l.highest++
	spare := segment{number: l.highest, size: old.size}
	if err := l.fs.Rename(old.path(l.fs, l.dir), spare.path(l.fs, l.dir)); err != nil {
		return segment{}, fmt.Errorf("recycle segment %d: %w", old.number, err)
	}
	return spare, l.syncDir()
}

// create writes a segment full of zeros under a temporary name, so that a file
// with a segment's name is always whole.
func (l *Log) create() (segment, error) {
	l.highest++
	spare := segment{number: l.highest, size: l.opts.SegmentBytes}
	name := spare.path(l.fs, l.dir)
	if err := l.writeZeros(name+temporarySuffix, spare.size); err != nil {
		_ = l.fs.Remove(name + temporarySuffix) // Open removes it otherwise
		return segment{}, fmt.Errorf("create segment %d: %w", spare.number, err)
	}
	if err := l.fs.Rename(name+temporarySuffix, name); err != nil {
		return segment{}, fmt.Errorf("create segment %d: %w", spare.number, err)
	}
	return spare, l.syncDir()
}

func (l *Log) writeZeros(name string, size int64) (err error) {
	f, err := l.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	zeros := make([]byte, min(size, chunkBytes))
	for size > 0 {
		clear(zeros) // a vfs.File may change what it writes
		n, err := f.Write(zeros[:min(size, chunkBytes)])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return f.Sync()
}

func (l *Log) syncDir() error {
	if l.opts.faults.noDirSync {
		return nil
	}
	return syncDir(l.fs, l.dir)
}

// removeSegment removes a segment's file durably.
func removeSegment(fs vfs.FS, dir string, s segment) error {
	if err := fs.Remove(s.path(fs, dir)); err != nil {
		return fmt.Errorf("remove segment %d: %w", s.number, err)
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) (err error) {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer func() {
		if closeErr := d.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
