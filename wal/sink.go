package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A Frame is a record on its way to a sink, as the log has it.
type Frame struct {
	Header  record.Header
	Payload []byte
}

// A Sink takes the records of a log, in the order of their LSNs.
type Sink interface {
	// LastLSN is the last record that the sink has synced; 0: none.
	LastLSN() uint64
	// Ship takes records that follow one another and returns once the last of
	// them is synced. It ignores what it has, refuses a gap with ErrGap, and
	// records of an older epoch than it knows with ErrEpoch.
	Ship(ctx context.Context, frames []Frame) error
}

// AllSinks as Options.RequiredAcks waits for every sink.
const AllSinks = -1

const (
	recentBytes = 16 << 20 // of the newest records, kept in memory for the sinks
	shipFrames  = 256      // at most, in one call of Ship
	shipBytes   = 4 << 20
	shipRetry   = 100 * time.Millisecond // after a sink failed, doubled up to
	shipPause   = 5 * time.Second
)

// shipping hands synced records to the sinks, each of which has a goroutine of
// its own and is as far as it is. Nothing but WaitAcked waits for them.
type shipping struct {
	log *Log
	ctx context.Context

	mu      sync.Mutex
	recent  []Frame // the newest synced records, without gaps
	bytes   int64
	acked   []uint64      // by sink
	failed  []error       // by sink: why it got nothing at the last attempt
	changed chan struct{} // closed and replaced when any of these changes
}

func newShipping(ctx context.Context, l *Log) *shipping {
	n := len(l.opts.Sinks)
	s := &shipping{log: l, ctx: ctx, acked: make([]uint64, n), failed: make([]error, n), changed: make(chan struct{})}
	for i := range n {
		l.wg.Go(func() { s.run(i) })
	}
	return s
}

// offer takes records that have been synced.
func (s *shipping) offer(entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.recent = append(s.recent, Frame{e.header, e.payload})
		s.bytes += int64(len(e.payload)) + record.HeaderBytes
	}
	drop := 0
	for s.bytes > recentBytes && drop < len(s.recent)-1 {
		s.bytes -= int64(len(s.recent[drop].Payload)) + record.HeaderBytes
		drop++
	}
	if drop > 0 {
		s.recent = append([]Frame(nil), s.recent[drop:]...)
	}
	s.signalLocked()
}

func (s *shipping) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// run ships to one sink until the log is closed.
func (s *shipping) run(i int) {
	sink := s.log.opts.Sinks[i]
	pause := time.Duration(0)
	for s.ctx.Err() == nil {
		last := sink.LastLSN()
		s.note(i, last, nil)
		frames, err := s.after(last)
		if err == nil {
			err = sink.Ship(s.ctx, frames)
		}
		if err == nil {
			pause = 0
			continue
		}
		if s.ctx.Err() != nil {
			return
		}
		s.note(i, sink.LastLSN(), err)
		if pause == 0 || errors.Is(err, ErrGap) || errors.Is(err, ErrEpoch) {
			s.log.opts.Logger.Warn("a sink takes no records", "sink", i, "last", last, "error", err)
		}
		pause = min(max(2*pause, shipRetry), shipPause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
		}
	}
}

func (s *shipping) note(i int, acked uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acked[i] == acked && errors.Is(err, s.failed[i]) {
		return
	}
	s.acked[i], s.failed[i] = acked, err
	s.signalLocked()
}

// after waits for records behind an LSN and gives some of them: the newest from
// memory, older ones from the segments.
func (s *shipping) after(last uint64) ([]Frame, error) {
	for {
		s.mu.Lock()
		changed, recent := s.changed, s.recent
		s.mu.Unlock()
		durable := s.log.DurableLSN()
		switch {
		case last > durable:
			return nil, fmt.Errorf("%w: the sink has record %d, the log ends at %d", ErrEpoch, last, durable)
		case len(recent) > 0 && last+1 >= recent[0].Header.LSN && last < recent[len(recent)-1].Header.LSN:
			return some(recent[last+1-recent[0].Header.LSN:]), nil
		case last < durable && (len(recent) == 0 || last+1 < recent[0].Header.LSN):
			return s.log.stored(last + 1)
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
	}
}

// some gives as many of the frames as one call of Ship takes.
func some(frames []Frame) []Frame {
	bytes := 0
	for i, f := range frames {
		if bytes += len(f.Payload); i == shipFrames || i > 0 && bytes > shipBytes {
			return frames[:i:i]
		}
	}
	return frames[:len(frames):len(frames)]
}

var errEnough = errors.New("wal: enough read")

// stored reads records from the segments, beginning with one that is synced. It
// is an ErrGap if that one is not there any more.
func (l *Log) stored(from uint64) (frames []Frame, err error) {
	l.mu.Lock()
	live, room := append([]segment(nil), l.live...), l.room
	l.mu.Unlock()
	bytes := 0
	for i, s := range live {
		if i+1 < len(live) && live[i+1].first <= from {
			continue
		}
		written := s.size
		if i+1 == len(live) {
			written -= room
		}
		buf, err := s.readPrefix(l.fs, l.dir, nil, written)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGap, err) // recycled while it was read
		}
		_, _, err = s.walk(buf, l.opts.salt(s.number), func(_ int64, h record.Header, payload []byte) error {
			if h.Type == record.Control || h.LSN < from {
				return nil
			}
			if h.LSN > l.DurableLSN() || len(frames) == shipFrames || len(frames) > 0 && bytes > shipBytes {
				return errEnough
			}
			bytes += len(payload)
			frames = append(frames, Frame{h, payload})
			return nil
		})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(frames) == 0 || frames[0].Header.LSN != from {
		return nil, fmt.Errorf("%w: record %d has been recycled; the sink needs a copy of the data to begin with", ErrGap, from)
	}
	return frames, nil
}

// WaitAcked waits until as many sinks as Options.RequiredAcks says have synced
// a record. The error of ctx means that it is unknown which have.
func (l *Log) WaitAcked(ctx context.Context, lsn uint64) error {
	need := l.opts.RequiredAcks
	if need == AllSinks {
		need = len(l.opts.Sinks)
	}
	if need == 0 {
		return nil
	}
	for {
		l.ship.mu.Lock()
		changed, have := l.ship.changed, 0
		for _, acked := range l.ship.acked {
			if acked >= lsn {
				have++
			}
		}
		l.ship.mu.Unlock()
		if have >= need {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d sinks have record %d: %w", have, need, lsn, ctx.Err())
		}
	}
}

// AppendShipped is Append of a record that another log numbered: its LSN must
// be the next one here, else it is an ErrGap.
func (l *Log) AppendShipped(h record.Header, payload []byte) (*Pending, error) {
	size := int64(record.Size(len(payload)))
	if size > l.opts.SegmentBytes-2*controlBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case h.LSN != l.next:
		return nil, fmt.Errorf("%w: record %d follows record %d", ErrGap, h.LSN, l.next-1)
	case h.Epoch < l.epoch.Load():
		return nil, fmt.Errorf("%w: record %d is of epoch %d, the log of %d", ErrEpoch, h.LSN, h.Epoch, l.epoch.Load())
	}
	l.epoch.Store(h.Epoch)
	_, pending, err := l.appendLocked(h, payload, size)
	return pending, err
}
