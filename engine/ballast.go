package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
)

// A ballast is a file that holds disk space, to be given up when there is none
// left: so that a flush that has begun can end, and what frees space can work.
// It has blocks of its own on the disk; its content means nothing.
type ballast struct {
	fs    vfs.FS // not the one that gives the ballast up
	path  string
	space func() (free, total uint64, err error)
	limit int64   // the largest size; 0: no ballast
	share float64 // the watermark, a share of the disk
}

// ballastShare is the most that the ballast takes of the disk: one part in so many.
const ballastShare = 100

func newBallast(fs vfs.FS, dir string, o *Options) *ballast {
	b := &ballast{
		fs: fs, path: fs.PathJoin(dir, layout.BallastFile), limit: o.BallastBytes, share: o.MinFreeShare,
		space: func() (uint64, uint64, error) { return o.DiskSpace(dir) },
	}
	if o.MinFreeShare < 0 || b.limit < 0 {
		b.limit = 0
	}
	return b
}

// keep makes the ballast where there is none and room for it: twice the
// watermark stays free. A disk that cannot tell has none.
func (b *ballast) keep(ctx context.Context) error {
	if b.limit == 0 {
		return b.giveUp() // a start with other settings has left it
	}
	if b.there() {
		return nil
	}
	free, total, err := b.space()
	size := min(b.limit, int64(total/ballastShare))
	if err != nil || size == 0 || float64(free) < 2*b.share*float64(total)+float64(size) {
		return nil
	}
	if err := b.make(ctx, size); err != nil {
		return errors.Join(fmt.Errorf("make %s: %w", b.path, err), b.giveUp())
	}
	return nil
}

func (b *ballast) there() bool {
	_, err := b.fs.Stat(b.path)
	return err == nil
}

// make writes the ballast under another name first, which giveUp knows too.
func (b *ballast) make(ctx context.Context, size int64) (err error) {
	f, err := b.fs.Create(b.path+temporarySuffix, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = b.fs.Rename(b.path+temporarySuffix, b.path)
		}
	}()
	before, _, _ := b.space()
	if f.Preallocate(0, size) == nil { // elsewhere than on Linux this does nothing
		if after, _, err := b.space(); err == nil && after+uint64(size)/2 < before {
			return nil
		}
	}
	chunk := make([]byte, min(size, 1<<20))
	noise := rand.NewChaCha8([32]byte{})
	for left := size; left > 0; left -= int64(len(chunk)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, _ = noise.Read(chunk) // never fails; zeros might be no blocks
		if _, err := f.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}

// temporarySuffix ends the name of a ballast that is being made.
const temporarySuffix = ".tmp"

// giveUp frees the ballast's space.
func (b *ballast) giveUp() error {
	var errs []error
	for _, path := range []string{b.path, b.path + temporarySuffix} {
		if _, err := b.fs.Stat(path); err == nil {
			errs = append(errs, b.fs.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// onDiskFull makes a file system that gives the ballast up at the first write
// for which there is no space, and tries that write once more. Syncs are not
// tried again.
func (db *DB) onDiskFull(fs vfs.FS) vfs.FS {
	return vfs.OnDiskFull(fs, func() {
		db.diskLow.Store(true) // until checkDisk sees room
		db.opts.Logger.Error("the disk is full: giving the ballast up", "ballast", db.ballast.path)
		if err := db.ballast.giveUp(); err != nil {
			db.opts.Logger.Error("the ballast cannot be given up", "error", err)
		}
	})
}

// checkDisk sets whether the disk is below the watermark: then nothing is taken,
// so that there is room for what is in the memtable already. Far below it the
// ballast is given up.
func (db *DB) checkDisk() {
	if db.opts.MinFreeShare < 0 {
		return
	}
	free, total, err := db.opts.DiskSpace(db.dir)
	if err != nil || total == 0 {
		return // a file system that cannot tell is not refused for it
	}
	watermark := db.opts.MinFreeShare * float64(total)
	low := float64(free) < max(watermark, float64(db.unflushed()))
	if db.diskLow.Swap(low) != low {
		db.events.DiskLow(low, free, total)
	}
	if float64(free) < watermark/2 && db.ballast.there() {
		if err := db.ballast.giveUp(); err != nil {
			db.opts.Logger.Error("the ballast cannot be given up", "error", err)
		}
	}
}

// unflushed is the bytes of the memtable, which are more than its blocks will be.
func (db *DB) unflushed() int64 {
	v := db.View()
	defer v.Release()
	bytes := v.keyed.bytes
	for _, tv := range v.tables {
		bytes += tv.memBytes
	}
	return bytes
}

// roomToFlush refuses a flush that would not end for want of space: a flush that
// fails stops the store, one that waits does not.
func (db *DB) roomToFlush() error {
	if db.opts.MinFreeShare < 0 {
		return nil
	}
	free, total, err := db.opts.DiskSpace(db.dir)
	if need := db.unflushed(); err == nil && total > 0 && free < uint64(need) {
		db.diskLow.Store(true)
		return fmt.Errorf("%w: a flush waits for %d bytes", ErrDiskFull, need)
	}
	return nil
}

// keepBallast is a job of the compactor.
func (db *DB) keepBallast(ctx context.Context) {
	if err := db.ballast.keep(ctx); err != nil {
		db.opts.Logger.Warn("there is no ballast", "error", err)
	}
}
