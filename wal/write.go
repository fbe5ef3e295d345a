package wal

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A writer is what the writing goroutine knows of the newest segment.
type writer struct {
	file      vfs.File
	segment   segment
	off       int64  // in file, of buf's first byte
	buf       []byte // records not yet given to the file
	written   uint64 // LSN of the last record in buf or file
	confirmed uint64 // watermark on disk
	writing   group  // being written; swaps with Log.filling
}

// runWriter is the writer's goroutine. It ends after Close, or after an error.
func (l *Log) runWriter() {
	defer close(l.writerDone)
	idle := time.NewTimer(watermarkDelay)
	defer idle.Stop()
	for {
		var err error
		select {
		case <-l.wakeWriter:
			if err = l.writeGroup(); err == nil {
				idle.Reset(watermarkDelay)
			}
		case <-idle.C:
			err = l.confirm()
		case <-l.stop:
			if err = l.writeGroup(); err == nil {
				err = l.confirm()
			}
			if closeErr := l.closeFile(); err == nil {
				err = closeErr
			}
			if err != nil {
				_ = l.fail(err) // Close returns it
			}
			return
		}
		if err == nil {
			err = l.Err() // the preparer's
		}
		if err != nil {
			_ = l.fail(err)
			_ = l.closeFile() // the first error counts
			return
		}
	}
}

// writeGroup writes what waits, syncs it and releases its callers.
func (l *Log) writeGroup() error {
	l.mu.Lock()
	l.filling, l.writing = group{entries: l.writing.entries[:0]}, l.filling
	l.mu.Unlock()
	g := &l.writing
	if g.pending == nil {
		return nil
	}
	if l.opts.faults.ackBeforeSync {
		l.durable.Store(g.entries[len(g.entries)-1].header.LSN)
		close(g.pending.done)
		g.pending = &Pending{done: make(chan struct{})}
	}
	confirmed, err := l.writeRecords(g.entries)
	if err == nil {
		l.confirmed = confirmed
	} else {
		err = l.fail(err)
	}

	l.mu.Lock()
	l.queued -= g.bytes
	l.room = l.segment.size - l.off
	l.mu.Unlock()
	if l.ship != nil && err == nil {
		l.ship.offer(g.entries)
	}
	g.pending.err = err
	close(g.pending.done)
	clear(g.entries) // frees the payloads
	if cap(g.entries) > 1<<16 {
		g.entries = nil
	}
	return err
}

// writeRecords writes the entries and syncs them. It returns the watermark
// that they carry.
func (l *Log) writeRecords(entries []entry) (confirmed uint64, err error) {
	for i := range entries {
		e := &entries[i]
		size := int64(record.Size(len(e.payload)))
		if l.off+int64(len(l.buf))+size+controlBytes > l.segment.size {
			if err := l.sync(); err != nil {
				return 0, err
			}
			if err := l.rotate(); err != nil {
				return 0, err
			}
		}
		confirmed = l.put(e.header, e.payload)
		l.written = e.header.LSN
		if len(l.buf) >= chunkBytes {
			if err := l.flush(); err != nil {
				return 0, err
			}
		}
	}
	return confirmed, l.sync()
}

// put adds a record to buf and returns the watermark that it carries.
func (l *Log) put(h record.Header, payload []byte) uint64 {
	h.Durable = l.durable.Load()
	if l.opts.faults.noWatermark {
		h.Durable = 0
	}
	l.buf = record.Append(l.buf, l.opts.salt(l.segment.number), h, payload)
	return h.Durable
}

// control is the header of a control record behind the last record.
func (l *Log) control() record.Header {
	return record.Header{LSN: l.written, Epoch: l.epoch.Load(), Type: record.Control}
}

// flush gives buf to the file.
func (l *Log) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	if _, err := l.file.WriteAt(l.buf, l.off); err != nil {
		return fmt.Errorf("write segment %d at %d: %w", l.segment.number, l.off, err)
	}
	l.off += int64(len(l.buf))
	if l.buf = l.buf[:0]; cap(l.buf) > 4*chunkBytes {
		l.buf = nil // a large record must not hold its memory for ever
	}
	return nil
}

// sync makes all that was put durable.
func (l *Log) sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	err := l.file.SyncData()
	if err != nil && l.opts.faults.retrySync {
		err = l.file.SyncData()
	}
	if err != nil {
		return fmt.Errorf("sync segment %d: %w", l.segment.number, err)
	}
	l.durable.Store(l.written)
	return nil
}

// confirm writes the watermark if the disk does not know it. Behind a record
// there is always room for that; where there is none, the next segment begins
// with the watermark.
func (l *Log) confirm() error {
	if l.confirmed == l.durable.Load() || l.off+controlBytes > l.segment.size {
		return nil
	}
	confirmed := l.put(l.control(), nil)
	if err := l.sync(); err != nil {
		return err
	}
	l.confirmed = confirmed
	l.mu.Lock()
	l.room = l.segment.size - l.off
	l.mu.Unlock()
	return nil
}

// rotate goes on to the next spare. All that was put must be synced.
func (l *Log) rotate() error {
	if err := l.closeFile(); err != nil {
		return err
	}
	next, err := l.takeSpare()
	if err != nil {
		return err
	}
	l.segment, l.off = next, 0
	l.file, err = l.fs.OpenReadWrite(next.path(l.fs, l.dir), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("open segment %d: %w", next.number, err)
	}
	confirmed := l.put(l.control(), nil)
	if err := l.sync(); err != nil {
		return err
	}
	l.confirmed = confirmed
	l.mu.Lock()
	next.first = l.written + 1
	l.live = append(l.live, next)
	l.room = next.size - l.off
	l.mu.Unlock()
	return nil
}

func (l *Log) closeFile() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	if err != nil {
		return fmt.Errorf("close segment %d: %w", l.segment.number, err)
	}
	return nil
}

// takeSpare waits for a spare and takes it.
func (l *Log) takeSpare() (segment, error) {
	for {
		l.mu.Lock()
		if len(l.spares) > 0 {
			next := l.spares[0]
			l.spares = l.spares[1:]
			l.mu.Unlock()
			notify(l.wakeSpares)
			return next, nil
		}
		err := l.err
		if err == nil && l.closed && l.spareErr != nil {
			err = fmt.Errorf("%w: %w", ErrNoSpace, l.spareErr)
		}
		l.mu.Unlock()
		if err != nil {
			return segment{}, err
		}
		<-l.spareReady // the preparer reports at least every spaceRetry while none is there
	}
}
