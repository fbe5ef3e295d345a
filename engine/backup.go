package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
)

// Backup copies the store, as it is at one LSN, into a folder that is absent or
// empty. Appends, flushes and queries go on meanwhile.
func (db *DB) Backup(ctx context.Context, dir string) (b *Backup, err error) {
	if !db.backingUp.CompareAndSwap(false, true) {
		return nil, ErrBackupRuns
	}
	defer db.backingUp.Store(false)
	fs := db.opts.FS
	folder, err := beginFolder(fs, dir)
	if err != nil {
		return nil, err
	}
	job := db.jobs.begin(BackupJob, "")
	defer func() { job.end(err) }()
	b = &Backup{Version: backupVersion, Format: layout.FormatVersion, Taken: db.opts.Now().UTC()}
	if err := db.backup(ctx, folder, b, job); err != nil {
		return nil, errors.Join(fmt.Errorf("back up to %s: %w", dir, err), folder.abandon())
	}
	if err := folder.finish(); err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	return b, nil
}

func (db *DB) backup(ctx context.Context, folder *newFolder, b *Backup, job *job) (err error) {
	fs, state := db.opts.FS, db.opts.FS.PathJoin(db.dir, layout.BackupTempDir)
	if err := fs.RemoveAll(state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fs.RemoveAll(state)) }()
	frozen, err := db.checkpointTo(ctx, state)
	if err != nil {
		return err
	}
	defer frozen.Release()
	if err := rewindDead(fs, state, frozen); err != nil {
		return err
	}
	files, err := db.filesOf(state)
	if err != nil {
		return err
	}
	if err := db.roomFor(files, folder.dir); err != nil {
		return err
	}
	for _, f := range files {
		copied, err := folder.copyFile(ctx, f.path, f.name)
		if err != nil {
			return fmt.Errorf("copy %s: %w", f.name, err)
		}
		b.Files = append(b.Files, copied)
	}
	slices.SortFunc(b.Files, func(x, y BackupFile) int { return cmp.Compare(x.Name, y.Name) })
	b.LSN = frozen.lsn
	if b.Tables, err = frozen.RowHashes(ctx); err != nil {
		return err
	}
	rows := int64(0)
	for _, t := range b.Tables {
		rows += t.Rows
	}
	job.read(len(files), int(rows), b.Bytes())
	raw, err := b.encode()
	if err != nil {
		return err
	}
	if _, err := folder.write(ctx, backupFile, bytes.NewReader(raw)); err != nil {
		return err
	}
	return syncFolders(fs, folder.tmp)
}

// checkpointTo makes a folder with the hot store, into which everything up to
// the LSN of the view that it gives has been flushed. The view is the caller's
// to release; while it is held nothing that the folder refers to is deleted.
func (db *DB) checkpointTo(ctx context.Context, dir string) (frozen *View, err error) {
	err = db.onFlusher(ctx, func() error {
		if err := db.Err(); err != nil {
			return err
		}
		frozen = db.freeze()
		if err := db.flushFrozen(frozen); err != nil {
			return err
		}
		return db.hot.Checkpoint(dir)
	})
	if err != nil && frozen != nil {
		frozen.Release()
	}
	return frozen, err
}

// rewindDead gives the blocks of a copy of the hot store the deletion vectors
// that they had at the view's LSN: a flush also stores what later records have
// killed, and those are not in the copy.
func rewindDead(fs vfs.FS, dir string, v *View) (err error) {
	store, err := hot.Open(fs, dir, hot.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, Still: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var writes []hot.Write
	for i, t := range v.db.tables {
		stored := make(map[string][]byte)
		lower, upper := layout.TableRange(layout.DeadKind, t.ID)
		err := store.Each(lower, upper, func(key, value []byte) error {
			stored[string(key)] = bytes.Clone(value)
			return nil
		})
		if err != nil {
			return err
		}
		for _, ref := range v.tables[i].blocks {
			key := layout.DeadKey(t.ID, ref.meta.Hour, ref.meta.ID)
			was, known := stored[string(key)]
			delete(stored, string(key))
			switch {
			case ref.dead != nil:
				if want := layout.AppendDead(nil, ref.dead, ref.meta.Rows); !bytes.Equal(was, want) {
					writes = append(writes, hot.Write{Key: key, Value: want})
				}
			case known:
				writes = append(writes, hot.Write{Key: key})
			}
		}
		for key := range stored { // of the blocks of that flush, and of blocks that a merge replaced
			name, _ := layout.ParseBlockKey([]byte(key))
			meta, err := store.Get(layout.MetaKey(name.Table, name.Hour, name.ID))
			switch {
			case err != nil:
				return err
			case meta == nil:
				writes = append(writes, goneWrites(name.Table, name.Hour, name.ID)...)
			default:
				writes = append(writes, hot.Write{Key: []byte(key)})
			}
		}
	}
	if len(writes) == 0 {
		return nil
	}
	return store.Commit(writes)
}

// filesOf lists what a backup copies: the checkpoint of the hot store in dir,
// and the texts outside the rows, perhaps with some that came later.
func (db *DB) filesOf(dir string) ([]storedFile, error) {
	fs := db.opts.FS
	files, err := filesBelow(fs, dir, layout.HotDir)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f storedFile) bool { return f.name == layout.HotDir+"/"+layout.LockFile })
	texts, err := filesBelow(fs, fs.PathJoin(db.dir, layout.BlobsDir), layout.BlobsDir)
	if err != nil {
		return nil, err
	}
	for _, f := range texts {
		if !strings.HasPrefix(f.name, layout.BlobsDir+"/tmp/") {
			files = append(files, f)
		}
	}
	return files, nil
}

// roomFor refuses a copy that would bring the disk below the watermark.
func (db *DB) roomFor(files []storedFile, dir string) error {
	if db.opts.MinFreeShare < 0 {
		return nil
	}
	need := uint64(0)
	for _, f := range files {
		need += uint64(f.bytes)
	}
	free, total, err := db.opts.DiskSpace(db.opts.FS.PathDir(dir))
	if err != nil || total == 0 {
		return nil // a file system that cannot tell is not refused for it
	}
	if float64(free) < float64(need)+db.opts.MinFreeShare*float64(total) {
		return fmt.Errorf("%w: %d bytes are free, the backup takes %d", ErrDiskFull, free, need)
	}
	return nil
}
