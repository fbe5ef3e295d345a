package wal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Create makes an empty log in a folder that has none, whose first record will
// have the LSN next: a log that goes on behind what is kept elsewhere.
func Create(fs vfs.FS, dir string, next uint64, o Options) (err error) {
	o, err = o.withDefaults()
	if err != nil {
		return err
	}
	if err := makeDir(fs, dir); err != nil {
		return err
	}
	switch segments, _, err := listSegments(fs, dir); {
	case err != nil:
		return err
	case len(segments) > 0:
		return fmt.Errorf("wal: %s has a log already", dir)
	}
	l := &Log{fs: fs, dir: dir, opts: o}
	first, err := l.create()
	if err != nil {
		return err
	}
	h := record.Header{LSN: next - 1, Durable: next - 1, Epoch: o.Epoch, Type: record.Control}
	return overwriteAt(fs, first.path(fs, dir), record.Append(nil, o.salt(first.number), h, nil), 0)
}

// overwriteAt writes bytes into a file that exists, and syncs it.
func overwriteAt(fs vfs.FS, path string, raw []byte, off int64) (err error) {
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := f.WriteAt(raw, off); err != nil {
		return err
	}
	return f.Sync()
}
