package wal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

const (
	segmentSuffix   = ".wal"
	temporarySuffix = ".tmp"
)

// A segment is one file of the log.
type segment struct {
	number uint64
	size   int64  // of the file, in whole multiples of record.Align
	first  uint64 // LSN of its first record; unused in a spare
}

func (s segment) path(fs vfs.FS, dir string) string {
	return fs.PathJoin(dir, fmt.Sprintf("%06d%s", s.number, segmentSuffix))
}

// salt is what the checksums of a segment's records are salted with.
func (o Options) salt(number uint64) uint64 {
	if o.faults.noSalt {
		return 0
	}
	return number
}

// listSegments finds the segments by number, and the temporary files.
func listSegments(fs vfs.FS, dir string) (segments []segment, temporary []string, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("list folder: %w", err)
	}
	for _, name := range names {
		base, temp := strings.CutSuffix(name, temporarySuffix)
		digits, ok := strings.CutSuffix(base, segmentSuffix)
		if !ok || len(digits) < 6 {
			continue
		}
		number, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || number == 0 {
			continue
		}
		if temp {
			temporary = append(temporary, fs.PathJoin(dir, name))
			continue
		}
		stat, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return nil, nil, fmt.Errorf("stat segment %d: %w", number, err)
		}
		segments = append(segments, segment{number: number, size: stat.Size() &^ (record.Align - 1)})
	}
	slices.SortFunc(segments, func(a, b segment) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return segments, temporary, nil
}

// read returns the whole segment, in buf if it has the capacity.
func (s segment) read(fs vfs.FS, dir string, buf []byte) ([]byte, error) {
	return s.readPrefix(fs, dir, buf, s.size)
}

func (s segment) readPrefix(fs vfs.FS, dir string, buf []byte, n int64) (_ []byte, err error) {
	f, err := fs.Open(s.path(fs, dir))
	if err != nil {
		return nil, fmt.Errorf("open segment %d: %w", s.number, err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	buf = slices.Grow(buf[:0], int(n))[:n]
	if m, err := f.ReadAt(buf, 0); m < len(buf) || err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read segment %d: %w", s.number, err)
	}
	return buf, nil
}

// opening reads a segment's first record. It says whether that is valid, so
// that the segment is not a spare, and sets first.
func (s *segment) opening(fs vfs.FS, dir string, o Options) (bool, error) {
	buf, err := s.readPrefix(fs, dir, nil, min(s.size, controlBytes))
	if err != nil {
		return false, err
	}
	h, _, _, err := record.Decode(o.salt(s.number), buf)
	if err != nil || h.Type != record.Control {
		return false, nil
	}
	s.first = h.LSN + 1
	return true, nil
}

// walk calls fn for each record of a segment, whose bytes are buf, as long as
// they are valid and in order. It returns the place where that ends and the
// LSN expected there.
func (s segment) walk(buf []byte, salt uint64, fn func(off int64, h record.Header, payload []byte) error) (off int64, expected uint64, err error) {
	expected = s.first
	for {
		h, payload, n, err := record.Decode(salt, buf[off:])
		if err != nil {
			return off, expected, nil
		}
		switch {
		case h.Type == record.Control && h.LSN+1 == expected:
		case h.Type != record.Control && h.LSN == expected && off > 0:
			expected++
		default:
			return off, expected, nil
		}
		if err := fn(off, h, payload); err != nil {
			return off, expected, err
		}
		off += int64(n)
	}
}

// leftover looks in buf for valid records behind a bad place. It says whether
// there are any, and the highest watermark among them.
func leftover(buf []byte, salt uint64) (found bool, durable uint64) {
	for off := 0; off < len(buf); {
		h, _, n, err := record.Decode(salt, buf[off:])
		if err != nil {
			off += record.Align
			continue
		}
		found, durable = true, max(durable, h.Durable)
		off += n
	}
	return found, durable
}
