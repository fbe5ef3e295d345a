package wal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Replay calls fn for each record whose LSN is at least from, in order; control
// records are left out. The payload is valid until fn returns. It is called
// before the first Append. It returns an ErrGap if records from there on are
// missing, an ErrCorrupt if one is damaged, or the error of fn.
func (l *Log) Replay(from uint64, fn func(record.Header, []byte) error) error {
	l.mu.Lock()
	live, next := l.live, l.next
	l.mu.Unlock()
	if first := live[0].first; from < first && first > 1 || from > next {
		return fmt.Errorf("%w: replay from LSN %d, but the log holds %d to %d", ErrGap, from, first, next-1)
	}
	var buf []byte
	for i, s := range live {
		last := i == len(live)-1
		end, written := next, s.size
		if last {
			written = l.replayEnd
		} else {
			end = live[i+1].first
		}
		if end <= from {
			continue
		}
		var err error
		if buf, err = s.readPrefix(l.fs, l.dir, buf, written); err != nil {
			return err
		}
		off, reached, err := s.walk(buf, l.opts.salt(s.number), func(_ int64, h record.Header, payload []byte) error {
			if h.Type == record.Control || h.LSN < from {
				return nil
			}
			return fn(h, payload)
		})
		if err != nil {
			return err
		}
		if reached == end {
			continue
		}
		if last {
			return s.corrupt(l.fs, l.dir, off, reached)
		}
		return s.broken(l.fs, l.dir, live[i+1], off, reached)
	}
	return nil
}

// broken is the error of a segment that ends, or is damaged, at off where LSN
// reached is expected, although the next one begins elsewhere.
func (s segment) broken(fs vfs.FS, dir string, next segment, off int64, reached uint64) error {
	err := s.corrupt(fs, dir, off, reached)
	if next.number > s.number+1 {
		return fmt.Errorf("%w: segments %d to %d: %w", ErrGap, s.number+1, next.number-1, err)
	}
	return err
}

// A Report is what Check found.
type Report struct {
	Segments  int    // with records
	Spares    int    // without
	Records   int    // control records left out
	FirstLSN  uint64 // of the first record; if there is none, of the next
	LastLSN   uint64
	Durable   uint64 // highest watermark
	CutBytes  int64  // behind the last record, never acknowledged: Open will cut them
	CutOffset int64  // where they begin in the newest segment
}

// Check verifies every record of a log that is not open, without changing
// anything. It calls fn, which may be nil, for each header, those of control
// records included.
func Check(fs vfs.FS, dir string, fn func(record.Header)) (Report, error) {
	f, err := scan(fs, dir, Options{})
	if err != nil {
		return Report{}, err
	}
	r := Report{Segments: len(f.live), Spares: len(f.spares), FirstLSN: f.next, LastLSN: f.next - 1, Durable: f.durable}
	for _, c := range f.cuts {
		r.CutBytes += c.segment.size - c.off
		r.CutOffset = f.end
	}
	if len(f.live) > 0 {
		r.FirstLSN = f.live[0].first
	}
	var errs []error
	var buf []byte
	for i, s := range f.live {
		if buf, err = s.read(fs, dir, buf); err != nil {
			return r, err
		}
		off, reached, err := s.walk(buf, s.number, func(_ int64, h record.Header, _ []byte) error {
			if h.Type != record.Control {
				r.Records++
			}
			if fn != nil {
				fn(h)
			}
			return nil
		})
		if err != nil {
			return r, err
		}
		if i+1 < len(f.live) && reached != f.live[i+1].first {
			errs = append(errs, s.broken(fs, dir, f.live[i+1], off, reached))
		}
	}
	return r, errors.Join(errs...)
}
