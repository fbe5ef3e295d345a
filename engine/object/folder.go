package object

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Folder is a Store of files: an object's name is its path in the folder.
//
//	spans/7.parquet            an object
//	spans/.7.parquet.3.tmp     one on its way; 3 tells apart those of a process
//
// A file has its object's name only when it is whole and synced. What a crash
// leaves on its way stays until Clean.
type Folder struct {
	fs     vfs.FS
	dir    string
	number atomic.Uint64 // of the last file on its way

	mu      sync.Mutex      // guards the fields below; never held across I/O
	durable map[string]bool // folders whose names are synced
	failed  error           // of syncing a folder, which is not tried again: nothing is put any more
}

// NewFolder gives the store in a folder, which need not exist.
func NewFolder(fs vfs.FS, dir string) *Folder {
	return &Folder{fs: fs, dir: dir, durable: make(map[string]bool)}
}

const (
	bufferBytes = 256 << 10
	// syncBytes is what may be dirty of a file while it is written: the whole
	// of a large one at its end would hold up every other sync of the disk.
	syncBytes = 1 << 20
)

// Put writes a file beside the name and renames it.
func (f *Folder) Put(ctx context.Context, name string, write func(io.Writer) error) (Info, error) {
	if err := checkName(name); err != nil {
		return Info{}, err
	}
	path := f.path(name)
	folder, base := f.fs.PathDir(path), f.fs.PathBase(path)
	tmp := f.fs.PathJoin(folder, fmt.Sprintf(".%s.%d.tmp", base, f.number.Add(1)))
	if err := f.folder(folder); err != nil {
		return Info{}, fmt.Errorf("put %s: %w", name, err)
	}
	info, err := f.write(ctx, tmp, write)
	if err == nil {
		err = f.fs.Rename(tmp, path)
	}
	if err != nil {
		_ = f.fs.Remove(tmp) // else Clean does
		return Info{}, fmt.Errorf("put %s: %w", name, err)
	}
	if err := f.sync(folder); err != nil {
		return Info{}, fmt.Errorf("put %s: %w", name, err)
	}
	return info, nil
}

// write writes a synced file.
func (f *Folder) write(ctx context.Context, path string, write func(io.Writer) error) (info Info, err error) {
	file, err := f.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return Info{}, err
	}
	file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: syncBytes, NoSyncOnClose: true})
	buffered := bufio.NewWriterSize(file, bufferBytes)
	sum := newSummer(ctx, buffered)
	err = write(sum)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return sum.info(), errors.Join(err, file.Close())
}

// Open opens the file of that name.
func (f *Folder) Open(_ context.Context, name string) (Reader, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	file, err := f.fs.Open(f.path(name))
	if err != nil {
		if missing(err) {
			return nil, fmt.Errorf("%w: %s", ErrMissing, name)
		}
		return nil, unreadable("open", name, err)
	}
	stat, err := file.Stat()
	switch {
	case err != nil:
		err = unreadable("open", name, err)
	case stat.IsDir():
		err = fmt.Errorf("open %s: %w", name, ErrMissing)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return fileReader{file, name, stat.Size()}, nil
}

type fileReader struct {
	vfs.File
	name string
	size int64
}

func (r fileReader) Size() int64 { return r.size }

// ReadAt replaces the file's.
func (r fileReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.File.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = unreadable("read", r.name, err)
	}
	return n, err
}

// unreadable is an error of the disk where something is read: it is the same to
// us as a bucket that does not answer.
func unreadable(what, name string, err error) error {
	return fmt.Errorf("%w: %s %s: %w", ErrUnavailable, what, name, err)
}

// Delete unlinks the file. It is not durable when it returns: what is deleted
// may be there again after a crash.
func (f *Folder) Delete(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := f.fs.Remove(f.path(name)); err != nil && !missing(err) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// List walks the folders. What is put or deleted meanwhile may be among the
// names or not.
func (f *Folder) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	return f.walk(ctx, "", func(name string, stat vfs.FileInfo) (bool, error) {
		if checkName(name) != nil {
			return false, nil // none of ours
		}
		if stat.IsDir() {
			return strings.HasPrefix(name+"/", prefix) || strings.HasPrefix(prefix, name+"/"), nil
		}
		if !strings.HasPrefix(name, prefix) {
			return false, nil
		}
		return false, fn(name, stat.Size())
	})
}

var onItsWay = regexp.MustCompile(`^\.([A-Za-z0-9_-][A-Za-z0-9_.-]*)\.([1-9][0-9]{0,19})\.tmp$`)

// Clean deletes what a crash left on its way.
func (f *Folder) Clean(ctx context.Context) error {
	return f.walk(ctx, "", func(name string, stat vfs.FileInfo) (bool, error) {
		if stat.IsDir() {
			return checkName(name) == nil, nil
		}
		base := name[strings.LastIndexByte(name, '/')+1:]
		match := onItsWay.FindStringSubmatch(base)
		if match == nil {
			return false, nil
		}
		if _, err := strconv.ParseUint(match[2], 10, 64); err != nil {
			return false, nil
		}
		if err := f.fs.Remove(f.path(name)); err != nil {
			return false, fmt.Errorf("remove what was left on its way: %w", err)
		}
		return false, nil
	})
}

// walk calls visit with the files and folders below a name, "" being all, in
// the order of their whole names, and goes into the folders that it says.
func (f *Folder) walk(ctx context.Context, name string, visit func(string, vfs.FileInfo) (enter bool, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	names, err := f.fs.List(f.path(name))
	if err != nil {
		if missing(err) {
			return nil
		}
		return unreadable("list", name, err)
	}
	type entry struct {
		name, order string
		stat        vfs.FileInfo
	}
	var entries []entry
	for _, base := range names {
		if base == "" || strings.ContainsAny(base, "/\x00") {
			continue
		}
		e := entry{name: base}
		if name != "" {
			e.name = name + "/" + base
		}
		e.stat, err = f.fs.Stat(f.path(e.name))
		if missing(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return unreadable("list", e.name, err)
		}
		e.order = e.name
		if e.stat.IsDir() {
			e.order += "/" // as all names in it go on
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	for _, e := range entries {
		enter, err := visit(e.name, e.stat)
		if err == nil && enter {
			err = f.walk(ctx, e.name, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func missing(err error) bool {
	return errors.Is(err, iofs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func (f *Folder) path(name string) string {
	return f.fs.PathJoin(append([]string{f.dir}, strings.Split(name, "/")...)...)
}

// folder creates a folder with what is missing above it, and syncs its name.
func (f *Folder) folder(dir string) error {
	f.mu.Lock()
	durable, failed := f.durable[dir], f.failed
	f.mu.Unlock()
	if failed != nil {
		return failed
	}
	if durable {
		return nil
	}
	parent := f.fs.PathDir(dir)
	below := len(dir) > len(f.dir)
	if !below { // what is there above the store's own folder is not ours
		_, err := f.fs.Stat(parent)
		if err != nil && !missing(err) {
			return err
		}
		below = err != nil
	}
	if below {
		if err := f.folder(parent); err != nil {
			return err
		}
	}
	if err := f.fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", dir, err)
	}
	if err := f.sync(parent); err != nil {
		return err
	}
	f.mu.Lock()
	f.durable[dir] = true
	f.mu.Unlock()
	return nil
}

func (f *Folder) sync(dir string) error {
	d, err := f.fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		err = fmt.Errorf("sync %s: %w", dir, err)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.failed == nil {
			f.failed = err
		}
		return err
	}
	return nil
}
