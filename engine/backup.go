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
	"github.com/tael-sql/tael-sql/engine/object"
)

// Backup copies the store, as it is at one LSN, into a folder that is absent or
// empty. Appends, flushes and queries go on meanwhile. Parts that are not in the
// data folder stay where they are, unless withCold is set: then the backup is
// whole only while that store keeps them.
func (db *DB) Backup(ctx context.Context, dir string, withCold bool) (b *Backup, err error) {
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
	if err := db.backup(ctx, folder, b, withCold || db.opts.Cold == nil, job); err != nil {
		return nil, errors.Join(fmt.Errorf("back up to %s: %w", dir, err), folder.abandon())
	}
	if err := folder.finish(); err != nil {
		return nil, fmt.Errorf("back up to %s: %w", dir, err)
	}
	return b, nil
}

func (db *DB) backup(ctx context.Context, folder *newFolder, b *Backup, withCold bool, job *job) (err error) {
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
	need, named := int64(0), frozen.partMetas()
	for _, f := range files {
		need += f.bytes
	}
	for _, m := range named {
		if withCold {
			need += m.Bytes
		} else {
			b.Parts = append(b.Parts, BackupPart{m.Name, m.Bytes, fmt.Sprintf("%016x", m.Checksum)})
		}
	}
	if err := db.roomFor(need, folder.dir); err != nil {
		return err
	}
	if withCold {
		for _, m := range named {
			copied, err := db.copyPart(ctx, folder, m)
			if err != nil {
				return fmt.Errorf("copy part %s: %w", m.Name, err)
			}
			b.Files = append(b.Files, copied)
		}
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
		wanted := make(map[string][]byte) // vectors by key
		for _, ref := range v.tables[i].blocks {
			if ref.dead != nil {
				wanted[string(layout.DeadKey(t.ID, ref.meta.Hour, ref.meta.ID))] = layout.AppendDead(nil, ref.dead, ref.meta.Rows)
			}
		}
		for _, p := range v.tables[i].parts {
			if p.dead != nil {
				wanted[string(layout.PartDeadKey(t.ID, p.meta.ID))] = layout.AppendDead(nil, p.dead, p.meta.Rows)
			}
			if len(p.unsettled) > 0 {
				wanted[string(layout.UnsettledKey(t.ID, p.meta.ID))] = layout.AppendUnsettled(nil, p.unsettled)
			}
		}
		var others [][]byte
		for _, kind := range []layout.KeyKind{layout.DeadKind, layout.VectorKind, layout.UnsettledKind} {
			lower, upper := layout.TableRange(kind, t.ID)
			err := store.Each(lower, upper, func(key, value []byte) error {
				switch want, ok := wanted[string(key)]; {
				case !ok:
					others = append(others, bytes.Clone(key))
				case bytes.Equal(value, want):
					delete(wanted, string(key))
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, key := range others { // of new blocks and parts, and of blocks that a merge has replaced
			writes = append(writes, hot.Write{Key: key})
			if name, ok := layout.ParseBlockKey(key); ok {
				meta, err := store.Get(layout.MetaKey(name.Table, name.Hour, name.ID))
				if err != nil {
					return err
				}
				if meta == nil {
					writes = append(writes, goneWrites(name.Table, name.Hour, name.ID)...)
				}
			}
		}
		for key, value := range wanted {
			writes = append(writes, hot.Write{Key: []byte(key), Value: value})
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

// partMetas gives the manifest entries of all parts of a view.
func (v *View) partMetas() []*layout.PartMeta {
	var list []*layout.PartMeta
	for _, tv := range v.tables {
		for _, p := range tv.parts {
			list = append(list, p.meta)
		}
	}
	return list
}

// copyPart copies the file of a part into the folder.
func (db *DB) copyPart(ctx context.Context, folder *newFolder, m *layout.PartMeta) (BackupFile, error) {
	src, err := db.parts.store.Open(ctx, m.Name)
	if err != nil {
		return BackupFile{}, err
	}
	f, err := folder.write(ctx, layout.ColdDir+"/"+m.Name, object.Stream(src))
	return f, errors.Join(err, src.Close())
}

// roomFor refuses a copy that would bring the disk below the watermark.
func (db *DB) roomFor(bytes int64, dir string) error {
	if db.opts.MinFreeShare < 0 {
		return nil
	}
	free, total, err := db.opts.DiskSpace(db.opts.FS.PathDir(dir))
	if err != nil || total == 0 {
		return nil // a file system that cannot tell is not refused for it
	}
	if float64(free) < float64(bytes)+db.opts.MinFreeShare*float64(total) {
		return fmt.Errorf("%w: %d bytes are free, the backup takes %d", ErrDiskFull, free, bytes)
	}
	return nil
}
