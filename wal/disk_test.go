package wal

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	pageBytes   = 4096
	sectorBytes = 512
)

var errPower = errors.New("disk: power is off")

// A disk is a file system with a page cache. What was not synced survives a
// crash in pieces: of each page any version since the last sync, now and then a
// mix of two by sectors, pages independently of each other; of the names a
// prefix of the unsynced changes. After a failed fsync the cache calls the
// pages clean although the disk never got some of them, as ext4 does.
type disk struct {
	vfs.FS // for the functions on paths

	mu      sync.Mutex
	names   map[string]*inode
	synced  map[string]*inode // names on disk
	changes []func(names map[string]*inode)
	dead    bool
	// before runs before each change of the disk, with mu held. It may set dead,
	// or return an error for a sync to fail with.
	before func(op, name string) error
}

type inode struct {
	cache  []byte
	stored []byte           // on disk
	dirty  map[int][][]byte // by page: its versions since the last sync
}

func newDisk() *disk {
	return &disk{FS: vfs.NewMem(), names: map[string]*inode{}, synced: map[string]*inode{}}
}

// crash returns what a power cut leaves. mu must be held, or the disk idle.
func (d *disk) crash(rng *rand.Rand) *disk {
	c := newDisk()
	names := maps.Clone(d.synced)
	for _, change := range d.changes[:rng.IntN(len(d.changes)+1)] {
		change(names)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		stored := names[name].persist(rng, slices.Clone(names[name].stored))
		n := &inode{cache: stored, stored: slices.Clone(stored), dirty: map[int][][]byte{}}
		c.names[name], c.synced[name] = n, n
	}
	return c
}

// persist writes a random part of the dirty pages to stored.
func (n *inode) persist(rng *rand.Rand, stored []byte) []byte {
	for _, page := range slices.Sorted(maps.Keys(n.dirty)) {
		versions := n.dirty[page]
		i := rng.IntN(len(versions) + 1) // the newest of all as likely as none
		if rng.IntN(2) == 0 {
			i = len(versions)
		}
		if i == 0 {
			continue
		}
		image := slices.Clone(versions[i-1])
		off := page * pageBytes
		if end := off + len(image); end > len(stored) {
			stored = append(stored, make([]byte, end-len(stored))...)
		}
		if rng.IntN(4) == 0 { // torn: some sectors stay as they were
			for s := 0; s < len(image); s += sectorBytes {
				if end := min(s+sectorBytes, len(image)); rng.IntN(2) == 0 {
					copy(image[s:end], stored[off+s:])
				}
			}
		}
		copy(stored[off:], image)
	}
	return stored
}

func (d *disk) begin(op, name string) error {
	if d.dead {
		return errPower
	}
	if d.before == nil {
		return nil
	}
	err := d.before(op, name)
	if d.dead {
		return errPower
	}
	return err
}

func (d *disk) change(f func(names map[string]*inode)) {
	f(d.names)
	d.changes = append(d.changes, f)
}

func notExist(op, name string) error {
	return &os.PathError{Op: op, Path: name, Err: os.ErrNotExist}
}

func (d *disk) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("create", name); err != nil {
		return nil, err
	}
	n := &inode{dirty: map[int][][]byte{}}
	d.change(func(names map[string]*inode) { names[name] = n })
	return &diskFile{d: d, n: n, name: name}, nil
}

func (d *disk) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	switch {
	case d.dead:
		return nil, errPower
	case n == nil:
		return nil, notExist("open", name)
	}
	return &diskFile{d: d, n: n, name: name}, nil
}

func (d *disk) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return d.Open(name) // the log never creates a file this way
}

func (d *disk) OpenDir(name string) (vfs.File, error) { return &diskFile{d: d, name: name}, nil }

func (d *disk) MkdirAll(string, os.FileMode) error { return nil }

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return notExist("remove", name)
	}
	d.change(func(names map[string]*inode) { delete(names, name) })
	return nil
}

func (d *disk) Rename(oldName, newName string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.begin("rename", newName); err != nil {
		return err
	}
	if d.names[oldName] == nil {
		return notExist("rename", oldName)
	}
	d.change(func(names map[string]*inode) {
		names[newName] = names[oldName]
		delete(names, oldName)
	})
	return nil
}

func (d *disk) List(dir string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.names {
		if d.PathDir(name) == dir {
			names = append(names, d.PathBase(name))
		}
	}
	return names, nil
}

func (d *disk) Stat(name string) (vfs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return vfs.NewMemFile(n.cache).Stat()
	}
	if d.PathBase(name) == name { // the folder itself
		return vfs.NewMemFile(nil).Stat()
	}
	return nil, notExist("stat", name)
}

// A diskFile is an open file, or with a nil inode an open folder.
type diskFile struct {
	vfs.File // nil: what is not defined below is not used
	d        *disk
	n        *inode
	name     string
	off      int64
}

func (f *diskFile) Close() error { return nil }

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.dead {
		return 0, errPower
	}
	n := copy(p, f.n.cache[min(int(off), len(f.n.cache)):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.WriteAt(p, f.off)
	f.off += int64(n)
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.begin("write", f.name); err != nil {
		return 0, err
	}
	n, end := f.n, int(off)+len(p)
	if end > len(n.cache) {
		n.cache = append(n.cache, make([]byte, end-len(n.cache))...)
	}
	for at := int(off); at < end; {
		page := at / pageBytes
		stop := min(end, (page+1)*pageBytes)
		at += copy(n.cache[at:stop], p[at-int(off):])
		image := bytes.Clone(n.cache[page*pageBytes : min((page+1)*pageBytes, len(n.cache))])
		n.dirty[page] = append(n.dirty[page], image)
	}
	return len(p), nil
}

func (f *diskFile) SyncData() error { return f.Sync() }

func (f *diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.d.begin("sync", f.name)
	if errors.Is(err, errPower) {
		return err
	}
	switch {
	case f.n == nil && err == nil:
		f.d.synced, f.d.changes = maps.Clone(f.d.names), nil
	case f.n != nil && err == nil:
		n := f.n
		n.stored = append(n.stored, make([]byte, max(0, len(n.cache)-len(n.stored)))...)
		for page, versions := range n.dirty {
			copy(n.stored[page*pageBytes:], versions[len(versions)-1])
		}
		clear(n.dirty)
	case f.n != nil && errors.Is(err, syscall.EIO):
		clear(f.n.dirty) // and none of them is on disk
	}
	return err
}
