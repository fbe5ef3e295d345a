package wal

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A found is what a folder holds, by reading alone.
type found struct {
	live      []segment // by number
	spares    []segment // by number, all behind the live ones
	orphans   []segment // before the live ones, without a valid record
	temporary []string  // paths of unfinished files
	highest   uint64    // number of any segment

	// The newest live segment.
	end     int64  // where its valid records end
	next    uint64 // LSN expected there
	durable uint64 // highest watermark in it
	tail    int64  // behind the last record that a watermark covers; perhaps not on disk from there on
	epoch   uint32 // of its last record
	cuts    []cut  // what was never acknowledged
}

// A cut is a place from which on a segment is to be overwritten with zeros.
type cut struct {
	segment segment
	off     int64
}

// scan reads the folder and decides what is torn and what is damaged. Older
// segments are only looked at; Replay and Check read them whole.
func scan(fs vfs.FS, dir string, o Options) (*found, error) {
	all, temporary, err := listSegments(fs, dir)
	if err != nil {
		return nil, err
	}
	f := &found{temporary: temporary, next: 1}
	var unopened []segment
	for _, s := range all {
		f.highest = s.number
		opened, err := s.opening(fs, dir, o)
		if err != nil {
			return nil, err
		}
		if opened {
			f.live = append(f.live, s)
		} else {
			unopened = append(unopened, s)
		}
	}
	var buf []byte
	if len(f.live) > 0 {
		if buf, err = f.scanNewest(fs, dir, o); err != nil {
			return nil, err
		}
	}
	for _, s := range unopened {
		if buf, err = s.read(fs, dir, buf); err != nil {
			return nil, err
		}
		some, durable := leftover(buf, o.salt(s.number))
		place := segment{number: s.number, size: s.size}
		off := int64(0)
		switch {
		case len(f.live) > 0 && s.number < f.live[len(f.live)-1].number:
			// Newer segments are in use, so this one's records were durable.
			if some {
				return nil, s.corrupt(fs, dir, 0, 0)
			}
			if s.number < f.live[0].number {
				f.orphans = append(f.orphans, s)
			}
			continue
		case len(f.live) > 0:
			place, off = f.live[len(f.live)-1], f.end
		}
		if durable >= f.next {
			return nil, place.corrupt(fs, dir, off, f.next)
		}
		if some {
			f.cuts = append(f.cuts, cut{s, 0})
		}
		f.spares = append(f.spares, s)
	}
	return f, nil
}

// scanNewest finds the end of the newest live segment.
func (f *found) scanNewest(fs vfs.FS, dir string, o Options) ([]byte, error) {
	s := f.live[len(f.live)-1]
	buf, err := s.read(fs, dir, nil)
	if err != nil {
		return nil, err
	}
	salt := o.salt(s.number)
	var ends []int64 // of the numbered records
	f.end, f.next, err = s.walk(buf, salt, func(off int64, h record.Header, payload []byte) error {
		if h.Type != record.Control {
			ends = append(ends, off+int64(record.Size(len(payload))))
		}
		f.durable, f.epoch = max(f.durable, h.Durable), h.Epoch
		return nil
	})
	if err != nil {
		return nil, err
	}
	if f.durable >= s.first {
		f.tail = ends[f.durable-s.first]
	}
	some, durable := leftover(buf[f.end:], salt)
	if durable >= f.next {
		return nil, s.corrupt(fs, dir, f.end, f.next)
	}
	if some {
		f.cuts = append(f.cuts, cut{s, f.end})
	}
	return buf, nil
}

func (s segment) corrupt(fs vfs.FS, dir string, off int64, expected uint64) error {
	return &CorruptError{File: s.path(fs, dir), Segment: s.number, Offset: off, LSN: expected}
}

// Open opens the log in dir, which it creates if it is missing, and brings it
// into a state in which records can be appended. It refuses damage.
func Open(fs vfs.FS, dir string, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := makeDir(fs, dir); err != nil {
		return nil, err
	}
	f, err := scan(fs, dir, o)
	if err != nil {
		return nil, err
	}
	if o.Epoch < f.epoch {
		return nil, fmt.Errorf("%w: %d, now %d", ErrEpoch, f.epoch, o.Epoch)
	}
	l := &Log{
		fs: fs, dir: dir, opts: o,
		wakeWriter: make(chan struct{}, 1), wakeSpares: make(chan struct{}, 1), spareReady: make(chan struct{}, 1),
		failed: make(chan struct{}), stop: make(chan struct{}), writerDone: make(chan struct{}),
		live: f.live, spares: f.spares, highest: f.highest, next: f.next,
	}
	l.written, l.confirmed = f.next-1, f.durable
	l.epoch.Store(o.Epoch)
	if err := l.tidy(f); err != nil {
		return nil, err
	}
	if err := l.begin(f); err != nil {
		_ = l.closeFile() // the first error counts
		return nil, err
	}
	l.room, l.replayEnd = l.segment.size-l.off, l.off
	l.wg.Go(l.runWriter)
	l.wg.Go(l.runPreparer)
	ctx, stop := context.WithCancel(context.Background())
	l.stopShip = stop
	if len(o.Sinks) > 0 {
		l.ship = newShipping(ctx, l)
	}
	return l, nil
}

// makeDir creates the folder durably.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	if err := fs.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("create folder: %w", err)
	}
	return syncDir(fs, fs.PathDir(dir))
}

// tidy removes what a crash left and what has another size than asked for, and
// cuts what was never acknowledged.
func (l *Log) tidy(f *found) error {
	for _, name := range f.temporary {
		if err := l.fs.Remove(name); err != nil {
			return fmt.Errorf("remove unfinished segment: %w", err)
		}
	}
	if !l.opts.faults.noCut {
		for _, c := range f.cuts {
			l.opts.Logger.Info("wal: cutting records that were never acknowledged",
				"segment", c.segment.number, "offset", c.off, "lsn", f.next)
			if err := l.overwrite(c); err != nil {
				return fmt.Errorf("cut segment %d at %d: %w", c.segment.number, c.off, err)
			}
		}
	}
	var err error
	remove := func(s segment) bool {
		if err == nil && s.size != l.opts.SegmentBytes {
			err = removeSegment(l.fs, l.dir, s)
			return true
		}
		return false
	}
	l.spares = slices.DeleteFunc(l.spares, remove)
	for _, s := range f.orphans {
		if err == nil {
			err = removeSegment(l.fs, l.dir, s)
		}
	}
	if err != nil {
		return err
	}
	// A rename that a crash interrupted may be known to the cache alone.
	return l.syncDir()
}

// overwrite does a cut: zeros to the end of the file, synced. If the sync fails,
// Open does; the next one sees the zeros in the cache and has nothing to cut, so
// that only a restart of the machine in between makes the cut sure.
func (l *Log) overwrite(c cut) (err error) {
	f, err := l.fs.OpenReadWrite(c.segment.path(l.fs, l.dir), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	zeros := make([]byte, min(c.segment.size-c.off, chunkBytes))
	for off := c.off; off < c.segment.size; {
		clear(zeros) // a vfs.File may change what it writes
		n, err := f.WriteAt(zeros[:min(c.segment.size-off, chunkBytes)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	if l.opts.faults.noCutSync {
		return nil
	}
	return f.Sync()
}

// begin makes the newest segment ready to be appended to, the first one of a
// new log included.
func (l *Log) begin(f *found) (err error) {
	if len(l.live) == 0 {
		if len(l.spares) == 0 {
			spare, err := l.create()
			if err != nil {
				return err
			}
			l.spares = append(l.spares, spare)
		}
		return l.rotate()
	}
	l.segment, l.off = l.live[len(l.live)-1], f.end
	l.file, err = l.fs.OpenReadWrite(l.segment.path(l.fs, l.dir), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", l.segment.number, err)
	}
	if l.opts.faults.trustCache || l.opts.faults.noCutSync && len(f.cuts) > 0 {
		l.durable.Store(l.written)
		return nil
	}
	return l.persistTail(f)
}

// persistTail makes durable what follows the last record that a watermark
// covers, be it only the control record that says so. It was read, but perhaps
// from the cache alone: after a kill it may not have been synced, and after a
// failed fsync the cache calls pages clean that the disk never got. Only
// writing them again brings them there.
func (l *Log) persistTail(f *found) error {
	buf, err := l.segment.readPrefix(l.fs, l.dir, nil, f.end)
	if err != nil {
		return err
	}
	l.buf, l.off = buf[f.tail:], f.tail
	if err := l.sync(); err != nil {
		return err
	}
	return l.confirm()
}
