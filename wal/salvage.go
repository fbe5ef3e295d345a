package wal

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A Salvaged says what Salvage has done.
type Salvaged struct {
	Files       []string // names of segments that were moved, or copied and then cut
	First, Last uint64   // records that are lost; First 0: none
	From, To    int64    // receive times of those of them that can still be read in the quarantine; 0: unknown
}

// A remnant is a segment of a damaged log.
type remnant struct {
	segment
	opened  bool
	end     int64    // where its valid records end
	reached uint64   // LSN expected there
	within  []header // those
	beyond  []header // valid records behind
}

type header struct {
	lsn, durable uint64
	received     int64
	control      bool
}

// Salvage makes a damaged log one that Open takes, with the records behind
// applied as far as they follow one another; everything else is lost. What it
// takes out of segments goes to quarantine, a folder on the same file system.
func Salvage(fs vfs.FS, dir, quarantine string, applied uint64, o Options) (out Salvaged, err error) {
	if o, err = o.withDefaults(); err != nil {
		return out, err
	}
	all, err := remnants(fs, dir, o)
	if err != nil {
		return out, err
	}
	if err := fs.MkdirAll(quarantine, 0o755); err != nil {
		return out, err
	}
	highest := uint64(0) // record that there was
	for _, s := range all {
		if s.opened {
			highest = max(highest, s.reached-1)
		}
		for _, h := range s.beyond {
			highest = max(highest, h.lsn, h.durable)
		}
	}
	first, last := chain(all, applied)
	next := applied + 1
	if first >= 0 {
		next = max(next, all[last].reached)
	}
	if highest >= next {
		out.First, out.Last = next, highest
	}
	for i, s := range all {
		used := s.opened || len(s.beyond) > 0
		out.count(s, next)
		switch {
		case first >= 0 && i >= first && i <= last && s.opened:
			if i == last && len(s.beyond) > 0 {
				if err := copySegment(fs, dir, quarantine, s.segment); err != nil {
					return out, err
				}
				if err := overwriteAt(fs, s.path(fs, dir), make([]byte, s.size-s.end), s.end); err != nil {
					return out, err
				}
				out.Files = append(out.Files, fs.PathBase(s.path(fs, dir)))
			}
		case used:
			to := s.path(fs, quarantine)
			if err := fs.Rename(s.path(fs, dir), to); err != nil {
				return out, fmt.Errorf("move segment %d to quarantine: %w", s.number, err)
			}
			out.Files = append(out.Files, fs.PathBase(to))
		case first < 0: // a spare; the new log begins without
			if err := fs.Remove(s.path(fs, dir)); err != nil {
				return out, err
			}
		}
	}
	for _, folder := range []string{dir, quarantine} {
		if err := syncDir(fs, folder); err != nil {
			return out, err
		}
	}
	if first < 0 {
		return out, Create(fs, dir, next, o)
	}
	return out, nil
}

// count notes the receive times of a segment's records that are lost.
func (out *Salvaged) count(s remnant, next uint64) {
	for _, list := range [][]header{s.within, s.beyond} {
		for _, h := range list {
			if h.control || h.lsn < next {
				continue
			}
			if out.From == 0 || h.received < out.From {
				out.From = h.received
			}
			out.To = max(out.To, h.received)
		}
	}
}

func headerOf(h record.Header) header {
	return header{h.LSN, h.Durable, h.ReceiveNanos, h.Type == record.Control}
}

// remnants reads all segments, by number.
func remnants(fs vfs.FS, dir string, o Options) ([]remnant, error) {
	list, _, err := listSegments(fs, dir)
	if err != nil {
		return nil, err
	}
	var out []remnant
	var buf []byte
	for _, s := range list {
		r := remnant{segment: s}
		if r.opened, err = r.opening(fs, dir, o); err != nil {
			return nil, err
		}
		if buf, err = s.read(fs, dir, buf); err != nil {
			return nil, err
		}
		salt := o.salt(s.number)
		if r.opened {
			if r.end, r.reached, err = r.walk(buf, salt, func(_ int64, h record.Header, _ []byte) error {
				r.within = append(r.within, headerOf(h))
				return nil
			}); err != nil {
				return nil, err
			}
		}
		for off := int(r.end); off < len(buf); {
			h, _, n, err := record.Decode(salt, buf[off:])
			if err != nil {
				off += record.Align
				continue
			}
			r.beyond = append(r.beyond, headerOf(h))
			off += n
		}
		out = append(out, r)
	}
	return out, nil
}

// chain finds the segments that hold the record behind applied and what follows
// it without a gap; first is negative if none does. Segments before it that join
// it without a gap stay as well.
func chain(all []remnant, applied uint64) (first, last int) {
	var opened []int
	for i, s := range all {
		if s.opened {
			opened = append(opened, i)
		}
	}
	at := -1
	for k, i := range opened {
		if all[i].first <= applied+1 {
			at = k
		}
	}
	if at < 0 || all[opened[at]].reached < applied+1 {
		return -1, -1
	}
	joined := func(k int) bool { // opened[k] and the one behind it
		return all[opened[k]].reached == all[opened[k+1]].first
	}
	begin, end := at, at
	for end+1 < len(opened) && joined(end) {
		end++
	}
	for begin > 0 && joined(begin-1) {
		begin--
	}
	return opened[begin], opened[end]
}

// copySegment copies a segment's file, synced.
func copySegment(fs vfs.FS, dir, to string, s segment) (err error) {
	buf, err := s.read(fs, dir, nil)
	if err != nil {
		return err
	}
	f, err := fs.Create(s.path(fs, to), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := f.Write(slices.Clone(buf)); err != nil { // a vfs.File may change what it writes
		return err
	}
	return f.Sync()
}

// Walk calls fn with every record of a log that is not open, as far as its
// segments can be read.
func Walk(fs vfs.FS, dir string, fn func(h record.Header, payload []byte)) error {
	list, _, err := listSegments(fs, dir)
	if err != nil {
		return err
	}
	var buf []byte
	for _, s := range list {
		opened, err := s.opening(fs, dir, Options{})
		if err == nil && opened {
			buf, err = s.read(fs, dir, buf)
		}
		if err != nil {
			return err
		}
		if !opened {
			continue
		}
		if _, _, err = s.walk(buf, s.number, func(_ int64, h record.Header, payload []byte) error {
			if h.Type != record.Control {
				fn(h, payload)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
