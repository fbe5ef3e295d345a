// Package wal makes appended records durable before they are acknowledged.
//
// A Log is a directory of numbered segments, 000001.wal and so on, each written
// full of zeros before it is used. Package record draws a record byte by byte.
// A segment begins with a control record that repeats the LSN of the last
// record before it; it is written once that record is synced, and synced before
// anything follows it. So only the end of the newest segment can be torn by a
// crash. Records follow one another until one no longer fits; the room for one
// more control record always remains. A segment without a valid first record is
// a spare. A recycled segment becomes a spare by taking a new number, which is
// the salt of the checksums and so makes its old records invalid.
//
// One goroutine writes all waiting records, syncs once, then releases their
// callers, while the next records gather. Each record carries the durable
// watermark: the highest LSN known synced when it was written. 100 ms after the
// last group a control record repeats it.
//
// At Open, a bad place where LSN b was expected is damage (ErrCorrupt) if and
// only if some later valid record says that b was durable. Otherwise nobody was
// told of b, and everything from there on is overwritten with zeros and synced
// before anything is appended: the pages of an unsynced group reach the disk in
// any order, so a valid record behind a torn one is normal.
//
// An I/O error on the way to the disk poisons the log for ever, because a
// second fsync says nothing about the pages that the first one lost. Only a
// full disk passes: it stops the making of spares, which is tried again.
//
// The package knows nothing of SQL: payloads are opaque bytes.
package wal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Errors that callers test for.
var (
	ErrOverloaded = errors.New("wal: too many bytes are waiting to be synced") // passes; retry later
	ErrNoSpace    = errors.New("wal: no space for another segment")            // passes when space is freed
	ErrTooLarge   = errors.New("wal: record does not fit into a segment")
	ErrClosed     = errors.New("wal: closed")
	ErrFailed     = errors.New("wal: stopped after an I/O error") // never passes
	ErrCorrupt    = errors.New("wal: corrupt")                    // see CorruptError
	ErrGap        = errors.New("wal: records are missing")
	ErrEpoch      = errors.New("wal: the log was written in a later epoch")
)

// A CorruptError says where acknowledged records are damaged. It is an
// ErrCorrupt.
type CorruptError struct {
	File    string
	Segment uint64
	Offset  int64  // of the bad place within the file
	LSN     uint64 // expected there; 0: unknown
}

// Error describes the place.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: corrupt: %s, segment %d, offset %d: no valid record with LSN %d, although it was durable",
		e.File, e.Segment, e.Offset, e.LSN)
}

// Is makes the error an ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

const (
	watermarkDelay = 100 * time.Millisecond // idle time after which the watermark is repeated
	spaceRetry     = time.Second            // between attempts to make a spare on a full disk
	chunkBytes     = 1 << 20                // what is written at once
)

// controlBytes is the size of a control record.
var controlBytes = int64(record.Size(0))

// Options configure Open. The zero value is valid.
type Options struct {
	// SegmentBytes is the size of a segment. Default 64 MiB.
	SegmentBytes int64
	// Spares is the number of segments kept written in advance. Default 2.
	Spares int
	// QueueBytes bounds what waits to be synced. Default 64 MiB.
	QueueBytes int64
	// Logger receives recovery notices. Default: discard.
	Logger *slog.Logger
	// Epoch is written into every record. An epoch older than the log's newest
	// is refused.
	Epoch uint32
	// Sinks take the records too; RequiredAcks is how many of them WaitAcked
	// waits for, or AllSinks.
	Sinks        []Sink
	RequiredAcks int

	faults faults // set by tests alone
}

// faults are planted bugs with which the tests prove that they see bugs.
type faults struct {
	ackBeforeSync bool // callers are released before their records are synced
	noSalt        bool // checksums do not depend on the segment's number
	noCut         bool // what follows a torn record stays in the file
	noCutSync     bool // the cut is not synced before records are appended
	noDirSync     bool // a new or renamed segment is used before its name is synced
	noWatermark   bool // records do not say what was durable
	retrySync     bool // a failed fsync is tried again, and believed
	trustCache    bool // what Open read counts as durable without being written again
}

func (o Options) withDefaults() (Options, error) {
	o.SegmentBytes = cmp.Or(o.SegmentBytes, 64<<20)
	if o.SegmentBytes < 4<<10 || o.SegmentBytes > 1<<31 || o.SegmentBytes%record.Align != 0 {
		return o, fmt.Errorf("wal: SegmentBytes %d is not a multiple of 64 from 4096 to 2^31", o.SegmentBytes)
	}
	o.Spares = cmp.Or(o.Spares, 2)
	if o.Spares < 1 {
		return o, fmt.Errorf("wal: Spares %d is below 1", o.Spares)
	}
	o.QueueBytes = cmp.Or(o.QueueBytes, 64<<20)
	if o.QueueBytes < 1 {
		return o, fmt.Errorf("wal: QueueBytes %d is below 1", o.QueueBytes)
	}
	if o.RequiredAcks < AllSinks || o.RequiredAcks > len(o.Sinks) {
		return o, fmt.Errorf("wal: RequiredAcks %d of %d sinks", o.RequiredAcks, len(o.Sinks))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// A Log is an open directory of segments. It owns two goroutines: the writer
// (write.go), which alone writes records, and the preparer (spare.go), which
// alone creates, renames and removes files. Close ends both.
type Log struct {
	fs   vfs.FS
	dir  string
	opts Options

	durable    atomic.Uint64
	epoch      atomic.Uint32 // of what is appended
	wakeWriter chan struct{} // capacity 1: records wait
	wakeSpares chan struct{} // capacity 1: segments are freed or used
	spareReady chan struct{} // capacity 1: a spare was made, or could not be
	failed     chan struct{} // closed by the first I/O error
	stop       chan struct{} // closed by Close: the writer drains and ends
	writerDone chan struct{} // closed by the writer: the preparer ends
	wg         sync.WaitGroup
	ship       *shipping // nil without sinks
	stopShip   context.CancelFunc

	writer           // the writer's own fields; Open's before it starts
	highest   uint64 // number of any segment yet; the preparer's, Open's before it starts
	replayEnd int64  // where the newest segment's records ended at Open; immutable

	mu       sync.Mutex // guards the fields below; never held across I/O
	next     uint64     // LSN of the next record
	filling  group      // what Append adds to
	queued   int64      // bytes of records neither synced nor failed
	live     []segment  // by number; the last is being written
	freed    []segment  // to be recycled, oldest first
	spares   []segment  // by number
	room     int64      // bytes left in the newest segment, as seen by the writer
	spareErr error      // why no spare can be made; passes
	closed   bool
	err      error // the I/O error
}

// A group is a list of records that one sync makes durable.
type group struct {
	entries []entry
	bytes   int64 // as records
	pending *Pending
}

type entry struct {
	header  record.Header
	payload []byte
}

// A Pending is a promise that a record will be synced. The records of one
// group share it.
type Pending struct {
	done chan struct{}
	err  error // set before done is closed
}

// Wait returns nil once the record is synced. After any error the outcome is
// unknown: the record may be found by a replay, or not.
func (p *Pending) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	default:
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Append queues a record and returns its LSN at once; it does no I/O. Records
// reach the disk in LSN order, so a caller that numbers rows holds its own lock
// around the numbering and Append. The log sets the header's LSN, Durable and
// Epoch. The payload must not change until Wait returns. Without an error the
// LSN is taken; with one it is not.
func (l *Log) Append(h record.Header, payload []byte) (lsn uint64, p *Pending, err error) {
	if h.LSN, h.Durable = 0, 0; !h.Valid() || h.Type == record.Control {
		panic(fmt.Sprintf("BUG: append a record of %v, %v, %v", h.Type, h.Codec, h.Source))
	}
	size := int64(record.Size(len(payload)))
	if size > l.opts.SegmentBytes-2*controlBytes {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appendLocked(h, payload, size)
}

func (l *Log) appendLocked(h record.Header, payload []byte, size int64) (uint64, *Pending, error) {
	switch {
	case l.err != nil:
		return 0, nil, l.err
	case l.closed:
		return 0, nil, ErrClosed
	case l.queued > 0 && l.queued+size > l.opts.QueueBytes:
		return 0, nil, ErrOverloaded
	case l.spareErr != nil && !l.fitsLocked(size):
		return 0, nil, fmt.Errorf("%w: %w", ErrNoSpace, l.spareErr)
	}
	h.LSN, h.Epoch = l.next, l.epoch.Load()
	l.next++
	l.queued += size
	if l.filling.pending == nil {
		l.filling.pending = &Pending{done: make(chan struct{})}
	}
	l.filling.entries = append(l.filling.entries, entry{header: h, payload: payload})
	l.filling.bytes += size
	notify(l.wakeWriter)
	return h.LSN, l.filling.pending, nil
}

// fitsLocked says whether a record fits behind those that wait without another
// segment being made. It errs on the side of no.
func (l *Log) fitsLocked(size int64) bool {
	return len(l.spares) > 0 || l.queued+size+controlBytes <= l.room
}

// DurableLSN is the highest LSN that is synced.
func (l *Log) DurableLSN() uint64 { return l.durable.Load() }

// LastLSN is the highest LSN that was assigned; 0: none.
func (l *Log) LastLSN() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next - 1
}

// FirstLSN is the lowest LSN that the log holds, or the next one if it holds
// none.
func (l *Log) FirstLSN() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live[0].first
}

// Bytes is the size of the live segments, of the newest the written part.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.live) - 1
	total := l.live[last].size - l.room
	for _, s := range l.live[:last] {
		total += s.size
	}
	return total
}

// Recycle gives up the segments all of whose records have an LSN below the
// given one. They leave the log at once; the preparer turns their files into
// spares or removes them, and a file that comes back in a crash only makes the
// log begin earlier. The newest segment always stays.
func (l *Log) Recycle(below uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n+1 < len(l.live) && l.live[n+1].first <= below {
		n++
	}
	if n > 0 {
		l.freed = append(l.freed, l.live[:n]...)
		l.live = append([]segment(nil), l.live[n:]...)
		notify(l.wakeSpares)
	}
	return l.err
}

// Failed is closed by the first I/O error.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err is the I/O error that stopped the log; it is an ErrFailed.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close syncs what waits, repeats the watermark and ends the goroutines. It
// returns the error that stopped the log, if one did.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	<-l.writerDone
	l.stopShip()
	l.wg.Wait()
	return l.Err()
}

// fail poisons the log: what waits and what will come gets the error.
func (l *Log) fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.err = fmt.Errorf("%w: %w", ErrFailed, cause)
	close(l.failed)
	if p := l.filling.pending; p != nil {
		p.err = l.err
		close(p.done)
		l.filling = group{}
	}
	notify(l.wakeWriter)
	notify(l.spareReady)
	return l.err
}

// notify wakes the reader of c, which must have capacity 1, without waiting.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
