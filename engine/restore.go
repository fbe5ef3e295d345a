package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/blob"
	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/wal"
)

// Restore makes a data folder, which must be absent or empty, of a backup. It
// verifies every file before and after the copy and compares the rows with the
// hashes that the backup has of them; the folder has its name only then. What
// is wrong with the backup is an ErrBackupDamaged that names it.
func Restore(ctx context.Context, from, dir string, o Options) (b *Backup, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	fs := o.FS
	if b, err = ReadBackup(fs, from); err != nil {
		return nil, err
	}
	if b.Format != layout.FormatVersion {
		return nil, fmt.Errorf("%w: a data folder of format %d; this program knows %d", ErrBackupDamaged, b.Format, layout.FormatVersion)
	}
	if err := b.verify(ctx, fs, from); err != nil { // all of it before the first byte is written
		return nil, err
	}
	folder, err := beginFolder(fs, dir)
	if err != nil {
		return nil, err
	}
	if err := b.restore(ctx, from, folder, o); err != nil {
		return nil, errors.Join(err, folder.abandon())
	}
	return b, folder.finish()
}

// verify compares the files of a folder with what the backup says of them.
func (b *Backup) verify(ctx context.Context, fs vfs.FS, dir string) error {
	for _, f := range b.Files {
		if err := f.verify(ctx, fs, dir); err != nil {
			return err
		}
	}
	return nil
}

func (f BackupFile) verify(ctx context.Context, fs vfs.FS, dir string) (err error) {
	if f.Name == "" || slices.ContainsFunc(strings.Split(f.Name, "/"), func(part string) bool { return part == "" || part == "." || part == ".." }) {
		return fmt.Errorf("%w: file name %q", ErrBackupDamaged, f.Name)
	}
	path := fs.PathJoin(append([]string{dir}, strings.Split(f.Name, "/")...)...)
	src, err := fs.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackupDamaged, err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	n, sum, err := hashFile(ctx, src, io.Discard)
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case n != f.Bytes:
		return fmt.Errorf("%w: %s has %d bytes, not %d", ErrBackupDamaged, path, n, f.Bytes)
	case sum != f.SHA256:
		return fmt.Errorf("%w: %s has been changed", ErrBackupDamaged, path)
	}
	return nil
}

func (b *Backup) restore(ctx context.Context, from string, folder *newFolder, o Options) error {
	fs := o.FS
	for _, f := range b.Files {
		path := fs.PathJoin(append([]string{from}, strings.Split(f.Name, "/")...)...)
		if name, isPart := strings.CutPrefix(f.Name, layout.ColdDir+"/"); isPart && o.Cold != nil {
			if err := putPart(ctx, fs, path, o.Cold, name); err != nil {
				return err
			}
			continue
		}
		if _, err := folder.copyFile(ctx, path, f.Name); err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
		if err := f.verify(ctx, fs, folder.tmp); err != nil {
			return err
		}
	}
	if err := wal.Create(fs, fs.PathJoin(folder.tmp, layout.WALDir), b.LSN+1, o.WAL); err != nil {
		return walError(err)
	}
	if err := syncFolders(fs, folder.tmp); err != nil {
		return err
	}
	if len(b.Parts) > 0 && o.Cold == nil {
		return fmt.Errorf("the backup has %d parts that stayed in an object store: set cold.url to where they are", len(b.Parts))
	}
	r, err := CheckParts(fs, folder.tmp, o.Tables, o.coldStore(folder.tmp))
	if err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("%w: the restored folder is not sound: %s", ErrBackupDamaged, strings.Join(r.Problems, "; "))
	}
	lsn, tables, err := RowHashes(ctx, folder.tmp, o)
	if err != nil {
		return err
	}
	if lsn != b.LSN {
		return fmt.Errorf("%w: the hot store ends with record %d, not %d", ErrBackupDamaged, lsn, b.LSN)
	}
	return b.compare(tables)
}

// putPart puts a part into an object store that lacks it.
func putPart(ctx context.Context, fs vfs.FS, path string, store object.Store, name string) (err error) {
	src, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	stat, err := src.Stat()
	if err != nil {
		return err
	}
	if there, err := store.Open(ctx, name); err == nil {
		size := there.Size()
		if err := there.Close(); err != nil || size == stat.Size() {
			return err
		}
	}
	_, err = store.Put(ctx, name, func(w io.Writer) error {
		_, err := io.Copy(w, src)
		return err
	})
	return err
}

// compare compares the rows. A table that is new since the backup is empty.
func (b *Backup) compare(tables []RowHash) error {
	for _, want := range b.Tables {
		at := slices.IndexFunc(tables, func(t RowHash) bool { return t.Table == want.Table })
		if at < 0 {
			return fmt.Errorf("%w: table %s is not known", ErrBackupDamaged, want.Table)
		}
		if tables[at] != want {
			return fmt.Errorf("%w: %s has %d rows with the hash %s, not %d with %s",
				ErrBackupDamaged, want.Table, tables[at].Rows, tables[at].Hash, want.Rows, want.Hash)
		}
	}
	return nil
}

// RowHashes hashes the rows of a data folder that no process has open, and
// changes nothing: what is in the WAL alone, beyond the LSN that it gives, does
// not count.
func RowHashes(ctx context.Context, dir string, o Options) (lsn uint64, tables []RowHash, err error) {
	if o, err = o.withDefaults(); err != nil {
		return 0, nil, err
	}
	db, err := openStill(dir, o)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, db.release()) }()
	v := db.View()
	defer v.Release()
	tables, err = v.RowHashes(ctx)
	return v.lsn, tables, err
}

// coldStore gives the store of the parts of a data folder.
func (o *Options) coldStore(dir string) object.Store {
	if o.Cold != nil {
		return o.Cold
	}
	return object.NewFolder(o.FS, o.FS.PathJoin(dir, layout.ColdDir))
}

// openStill opens what the hot store knows, for reading views alone.
func openStill(dir string, o Options) (*DB, error) {
	db := newDB(dir, o)
	if err := db.openStill(); err != nil {
		return nil, errors.Join(err, db.release())
	}
	return db, nil
}

func (db *DB) openStill() (err error) {
	fs := db.opts.FS
	if _, err := fs.Stat(db.dir); err != nil {
		return err
	}
	if db.lock, err = fs.Lock(fs.PathJoin(db.dir, layout.LockFile)); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLocked, db.dir, err)
	}
	db.hot, err = hot.Open(fs, fs.PathJoin(db.dir, layout.HotDir), hot.Options{Logger: db.opts.Logger, CacheBytes: db.opts.HotCacheBytes, ReadOnly: true})
	if err != nil {
		return hotError(err)
	}
	db.blobs = &blobs{db.hot, blob.New(fs, fs.PathJoin(db.dir, layout.BlobsDir)), db.opts.BlobFileBytes}
	db.parts = newParts(db.opts.coldStore(db.dir), db.hot, db.opts.PageCacheBytes, db.opts.Logger)
	m, err := loadManifest(db.hot, db.tables)
	if err != nil {
		return err
	}
	db.publishFirst(m)
	return nil
}
