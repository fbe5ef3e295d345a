package engine

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A droppingDisk fails one fsync as ext4 does: the cache keeps the pages and
// calls them clean, though the disk never got them. They come to the disk only
// if they are written again.
type droppingDisk struct {
	vfs.FS // the cache
	mem    *vfs.MemFS
	left   atomic.Int64 // until the sync that fails

	mu    sync.Mutex
	files map[string]*droppedPages
}

// droppedPages is what is known of one file.
type droppedPages struct {
	dirty, lost []extent
}

// An extent is bytes as the disk has them where the cache has others.
type extent struct {
	off    int64
	stored []byte
}

func newDroppingDisk() *droppingDisk {
	mem := vfs.NewCrashableMem()
	return &droppingDisk{FS: mem, mem: mem, files: make(map[string]*droppedPages)}
}

// crash gives what a power cut leaves.
func (d *droppingDisk) crash(rng *rand.Rand) *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	fs := d.mem.CrashClone(vfs.CrashCloneCfg{})
	for name, pages := range d.files {
		if len(pages.lost) == 0 || rng.IntN(4) == 0 { // the disk may have got them before it failed
			continue
		}
		f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			continue // its name was not synced
		}
		stat, err := f.Stat()
		if err != nil {
			panic("BUG: " + err.Error())
		}
		for _, e := range pages.lost {
			if n := min(int64(len(e.stored)), stat.Size()-e.off); n > 0 {
				if _, err := f.WriteAt(e.stored[:n], e.off); err != nil {
					panic("BUG: " + err.Error())
				}
			}
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	return fs
}

func (d *droppingDisk) file(f vfs.File, err error, name string, fresh bool) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] == nil || fresh {
		d.files[name] = &droppedPages{}
	}
	return &droppingFile{File: f, d: d, name: name, pages: d.files[name]}, nil
}

func (d *droppingDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.file(f, err, name, true)
}

func (d *droppingDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, o...)
	return d.file(f, err, name, false)
}

func (d *droppingDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	d.move(from, to, err)
	return d.file(f, err, to, false)
}

func (d *droppingDisk) Rename(from, to string) error {
	err := d.FS.Rename(from, to)
	d.move(from, to, err)
	return err
}

func (d *droppingDisk) move(from, to string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if pages := d.files[from]; pages != nil && err == nil {
		d.files[to] = pages
		delete(d.files, from)
	}
}

type droppingFile struct {
	vfs.File
	d     *droppingDisk
	name  string
	pages *droppedPages
	off   int64
}

func (f *droppingFile) Write(p []byte) (int, error) {
	f.dirty(len(p), f.off)
	n, err := f.File.Write(p)
	f.off += int64(n)
	return n, err
}

func (f *droppingFile) WriteAt(p []byte, off int64) (int, error) {
	f.dirty(len(p), off)
	return f.File.WriteAt(p, off)
}

// dirty remembers what the disk has in the place of what is written now.
func (f *droppingFile) dirty(n int, off int64) {
	before := make([]byte, n)
	if _, err := f.ReadAt(before, off); err != nil && !errors.Is(err, io.EOF) {
		panic("BUG: " + err.Error())
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	end := off + int64(n)
	var lost []extent
	for _, e := range f.pages.lost {
		last := e.off + int64(len(e.stored))
		if last <= off || e.off >= end {
			lost = append(lost, e)
			continue
		}
		from, to := max(e.off, off), min(last, end)
		copy(before[from-off:to-off], e.stored[from-e.off:])
		if e.off < off {
			lost = append(lost, extent{e.off, e.stored[:off-e.off]})
		}
		if last > end {
			lost = append(lost, extent{end, e.stored[end-e.off:]})
		}
	}
	f.pages.lost = lost
	f.pages.dirty = append(f.pages.dirty, extent{off, before})
}

func (f *droppingFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *droppingFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *droppingFile) sync(sync func() error) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.left.Add(-1) == 0 {
		for i := len(f.pages.dirty) - 1; i >= 0; i-- { // the oldest is applied last
			f.pages.lost = append(f.pages.lost, f.pages.dirty[i])
		}
		f.pages.dirty = nil
		return fmt.Errorf("sync %s: %w", f.name, syscall.EIO)
	}
	f.pages.dirty = nil
	return sync()
}
