// Package blob keeps large contents as files, each named by its hash.
//
//	ab/cd/abcd…   the content whose SHA-256 is abcd…, in 64 hex digits
//	tmp/N         a content on its way to its name
//
// A file has its name only when it is whole and synced, so the same content
// under the same name is success.
package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrCorrupt says that a content is missing, or not what its name says.
var ErrCorrupt = errors.New("blob: corrupt")

// A Store is a folder of contents. Get is safe for concurrent use, and while
// the one goroutine that owns the rest writes.
type Store struct {
	fs      vfs.FS
	dir     string
	durable map[string]bool // folders whose names are synced
	next    uint64          // number of the next temporary file
}

// New gives the store in a folder, which need not exist.
func New(fs vfs.FS, dir string) *Store {
	return &Store{fs: fs, dir: dir, durable: make(map[string]bool)}
}

const tmpDir = "tmp"

// Clean deletes what a crash left on its way.
func (s *Store) Clean() error {
	tmp := s.fs.PathJoin(s.dir, tmpDir)
	if _, err := s.fs.Stat(tmp); err != nil {
		return nil // nothing was ever written
	}
	names, err := s.fs.List(tmp)
	if err != nil {
		return fmt.Errorf("list %s: %w", tmp, err)
	}
	for _, name := range names {
		if _, err := strconv.ParseUint(name, 10, 64); err != nil {
			continue // none of ours
		}
		if err := s.fs.Remove(s.fs.PathJoin(tmp, name)); err != nil {
			return fmt.Errorf("remove what was left on its way: %w", err)
		}
	}
	return nil
}

// A Content is a text with its SHA-256.
type Content struct {
	Hash [32]byte
	Text string
}

// Put makes contents durable. After an error it is unknown which are; if it was
// for want of space Put may be called again.
func (s *Store) Put(contents []Content) error {
	if len(contents) == 0 {
		return nil
	}
	if err := s.folder(s.fs.PathJoin(s.dir, tmpDir)); err != nil {
		return err
	}
	var folders []string
	for _, c := range contents {
		folder, path := s.path(c.Hash)
		if err := s.folder(folder); err != nil {
			return err
		}
		if err := s.write(path, c.Text); err != nil {
			return fmt.Errorf("write blob %x: %w", c.Hash, err)
		}
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	// Also where a file was there already: a process that was killed may have
	// renamed it without syncing its folder.
	for _, folder := range folders {
		if err := s.sync(folder); err != nil {
			return err
		}
	}
	return nil
}

// Get reads a content of so many bytes and verifies it.
func (s *Store) Get(hash [32]byte, size int) (text []byte, err error) {
	_, path := s.path(hash)
	f, err := s.fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read blob %x: %w", hash, err)
	}
	if info.Size() != int64(size) {
		return nil, fmt.Errorf("%w: %s has %d bytes, not %d", ErrCorrupt, s.short(path), info.Size(), size)
	}
	text = make([]byte, size)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, fmt.Errorf("read blob %x: %w", hash, err)
	}
	if sha256.Sum256(text) != hash {
		return nil, fmt.Errorf("%w: %s is not what its name says", ErrCorrupt, s.short(path))
	}
	return text, nil
}

// Delete deletes a content; one that is not there is success. After a crash it
// may be there again.
func (s *Store) Delete(hash [32]byte) error {
	_, path := s.path(hash)
	if _, err := s.fs.Stat(path); err != nil {
		return nil
	}
	if err := s.fs.Remove(path); err != nil {
		return fmt.Errorf("delete blob %x: %w", hash, err)
	}
	return nil
}

// Check reads every content, and calls each with its problem, nil for none.
func (s *Store) Check(each func(problem error)) error {
	return s.Each(func(hash [32]byte, size int64) error {
		_, err := s.Get(hash, int(size))
		each(err)
		return nil
	})
}

// Each calls fn with the contents that are stored, by the names of their files.
func (s *Store) Each(fn func(hash [32]byte, size int64) error) error {
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		names, err := s.fs.List(dir)
		if err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		for _, name := range names {
			path := s.fs.PathJoin(dir, name)
			if depth < 2 {
				if len(name) == 2 { // tmp is not
					if err := walk(path, depth+1); err != nil {
						return err
					}
				}
				continue
			}
			hash, err := hex.DecodeString(name)
			if err != nil || len(hash) != sha256.Size {
				continue // none of ours
			}
			info, err := s.fs.Stat(path)
			if err != nil {
				return fmt.Errorf("stat %s: %w", path, err)
			}
			if err := fn([32]byte(hash), info.Size()); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := s.fs.Stat(s.dir); err != nil {
		return nil // nothing was ever written
	}
	return walk(s.dir, 0)
}

func (s *Store) path(hash [32]byte) (folder, path string) {
	name := hex.EncodeToString(hash[:])
	folder = s.fs.PathJoin(s.dir, name[:2], name[2:4])
	return folder, s.fs.PathJoin(folder, name)
}

// short gives the name of a file within the data folder.
func (s *Store) short(path string) string { return path[len(s.dir)-len(s.fs.PathBase(s.dir)):] }

// write writes a content under its name, by way of a temporary one. The name
// is durable once its folder is synced.
func (s *Store) write(path, text string) (err error) {
	if info, err := s.fs.Stat(path); err == nil && info.Size() == int64(len(text)) {
		return nil
	}
	tmp := s.fs.PathJoin(s.dir, tmpDir, strconv.FormatUint(s.next, 10))
	s.next++
	f, err := s.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(f, text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.fs.Rename(tmp, path)
	}
	if err != nil {
		_ = s.fs.Remove(tmp) // the next start does otherwise
	}
	return err
}

// folder creates a folder, with what is missing above it, and syncs its name.
func (s *Store) folder(dir string) error {
	if s.durable[dir] {
		return nil
	}
	parent := s.fs.PathDir(dir)
	if dir != s.dir {
		if err := s.folder(parent); err != nil {
			return err
		}
	}
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", dir, err)
	}
	if err := s.sync(parent); err != nil {
		return err
	}
	s.durable[dir] = true
	return nil
}

func (s *Store) sync(dir string) error {
	f, err := s.fs.OpenDir(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("sync %s: %v", dir, err) // whatever it is, this sync must not be tried again
	}
	return nil
}
