package search

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Files of an index: Bleve's list of segments, its copy before it takes the
// list's place, and the list's checksum as Close left it.
const (
	listFile = "root.bolt"
	copyFile = "root.copy"
	sumFile  = "root.sum"
)

// Check verifies an index that nobody has open. One that is not there is sound.
func Check(dir string) error { return verify(dir) }

// verify reads what Bleve will map: the list of segments, and of each segment
// that it names the checksum that ends it. What a crash has left of other
// segments Bleve deletes.
func verify(dir string) error {
	path := filepath.Join(dir, listFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	want, err := os.ReadFile(filepath.Join(dir, sumFile))
	if err == nil {
		sum, err := sumOf(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(sum, want) {
			return fmt.Errorf("%w: %s: its checksum is wrong", ErrCorrupt, listFile)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	segments, err := segmentsOf(path, "")
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, listFile, err)
	}
	for _, name := range segments {
		if err := verifySegment(filepath.Join(dir, filepath.Base(name))); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
		}
	}
	return nil
}

// prepare puts a copy of the list in its place, of which nothing is left that
// verify has not read: neither free pages nor the list of these.
func prepare(dir string) error {
	path, temporary := filepath.Join(dir, listFile), filepath.Join(dir, copyFile)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if _, err := segmentsOf(path, temporary); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, listFile, err)
	}
	if err := os.Remove(filepath.Join(dir, sumFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(temporary, path) // a crash leaves either
}

// sumOf gives the checksum of a file as text.
func sumOf(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	return fmt.Appendf(nil, "%08x\n", crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli))), err
}

// segmentsOf reads every page of the list. A page that makes no sense panics, or
// is behind the end of the file that is mapped: both become an error. With target
// a copy of all that it holds is made there.
func segmentsOf(path, target string) (names []string, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("unreadable: %v", p)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	seen := make(map[string]bool)
	var walk func(b *bolt.Bucket, depth int) error
	walk = func(b *bolt.Bucket, depth int) error {
		if depth > 8 {
			return errors.New("buckets are too deep")
		}
		return b.ForEach(func(key, value []byte) error {
			if value == nil {
				if inner := b.Bucket(key); inner != nil {
					return walk(inner, depth+1)
				}
				return errors.New("a bucket is missing")
			}
			if name := string(value); string(key) == "p" && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
			return nil
		})
	}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return walk(b, 0) })
	})
	if err != nil || target == "" {
		return names, err
	}
	out, err := bolt.Open(target, 0o600, nil)
	if err != nil {
		return nil, err
	}
	return names, errors.Join(bolt.Compact(out, db, 0), out.Close())
}

// verifySegment compares the checksum at the end of a file with the rest.
func verifySegment(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < 4 {
		return errors.New("too short")
	}
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, f, info.Size()-4); err != nil {
		return err
	}
	var want [4]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(want[:]) {
		return errors.New("its checksum is wrong")
	}
	return nil
}
