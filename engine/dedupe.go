package engine

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/engine/hot"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A requestWindow knows the requests received lately by the hash of their
// bodies, so that one that is sent again writes nothing: it shares the outcome
// of the first. Requests without a hash are not known.
//
// A hash is entered before its record is written and taken out if that fails.
// It lives in the WAL's header until its record is recycled; the flush that
// allows this has it in its batch. It is forgotten by a flush after the window
// has passed.
type requestWindow struct {
	window time.Duration // 0: off

	mu     sync.Mutex                       // guards the fields below; never held across I/O
	onWay  map[[16]byte]*entry              // neither visible nor failed yet
	known  map[[16]byte]layout.RequestEntry // in the WAL, or else in the hot store
	order  []requestRecord                  // those that known has or had, by LSN
	stored int                              // how many of order are in the hot store
}

type requestRecord struct {
	hash [16]byte
	layout.RequestEntry
}

// newRequestWindow makes a window; a negative one is off.
func newRequestWindow(window time.Duration) *requestWindow {
	return &requestWindow{
		window: max(window, 0), onWay: make(map[[16]byte]*entry), known: make(map[[16]byte]layout.RequestEntry),
	}
}

func (w *requestWindow) takes(h record.Header) bool { return w.window > 0 && h.Hash != [16]byte{} }

// within says whether two times of arrival are in one window. A clock that was
// set back must not keep hashes for ever.
func (w *requestWindow) within(a, b int64) bool { return max(a, b)-min(a, b) <= int64(w.window) }

// claim enters a request that is about to be written. If it repeats one, that
// one is given: its entry while it is on its way, its LSN once it is visible.
func (w *requestWindow) claim(e *entry) (first *entry, lsn uint64, repeats bool) {
	if !w.takes(e.header) {
		return nil, 0, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if first, ok := w.onWay[e.header.Hash]; ok {
		return first, 0, true
	}
	if seen, ok := w.known[e.header.Hash]; ok && w.within(seen.ReceiveNanos, e.header.ReceiveNanos) {
		return nil, seen.LSN, true
	}
	w.onWay[e.header.Hash] = e
	return nil, 0, false
}

// abandon takes out a request of which nothing was written, and tells those
// that repeat it.
func (w *requestWindow) abandon(e *entry, err error) {
	if !w.takes(e.header) {
		return
	}
	w.mu.Lock()
	delete(w.onWay, e.header.Hash)
	w.mu.Unlock()
	e.err = err
	close(e.done)
}

// written notes the record of a request. Records come in the order of LSNs.
func (w *requestWindow) written(h record.Header) {
	if !w.takes(h) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	entry := layout.RequestEntry{LSN: h.LSN, ReceiveNanos: h.ReceiveNanos}
	if w.known[h.Hash] == entry {
		return // replayed again
	}
	w.known[h.Hash] = entry
	w.order = append(w.order, requestRecord{h.Hash, entry})
}

// settle ends the way of a request that is visible or has failed. A failed one
// may or may not be durable; nothing is written after it.
func (w *requestWindow) settle(e *entry) {
	if !w.takes(e.header) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.onWay, e.header.Hash)
	if e.err != nil {
		delete(w.known, e.header.Hash)
	}
}

// flushWrites stores the requests up to an LSN that are not stored yet, and
// forgets those that the window has left behind.
func (w *requestWindow) flushWrites(applied uint64, now int64) []hot.Write {
	w.mu.Lock()
	defer w.mu.Unlock()
	var writes []hot.Write
	for ; w.stored < len(w.order) && w.order[w.stored].LSN <= applied; w.stored++ {
		r := w.order[w.stored]
		writes = append(writes, hot.Write{Key: layout.RequestKey(r.hash), Value: r.Append(nil)})
	}
	past := 0
	for ; past < w.stored && !w.within(w.order[past].ReceiveNanos, now); past++ {
		r := w.order[past]
		if w.known[r.hash] == r.RequestEntry { // else it came again later
			delete(w.known, r.hash)
			writes = append(writes, hot.Write{Key: layout.RequestKey(r.hash)})
		}
	}
	w.order, w.stored = slices.Delete(w.order, 0, past), w.stored-past
	return writes
}

// load reads what the hot store remembers.
func (w *requestWindow) load(store *hot.Store) error {
	if w.window == 0 {
		return nil
	}
	lower, upper := layout.KindRange(layout.RequestKind)
	err := store.Each(lower, upper, func(key, value []byte) error {
		hash, ok := layout.ParseRequestKey(key)
		if !ok {
			return fmt.Errorf("%w: request key %x", ErrCorrupt, key)
		}
		entry, err := layout.DecodeRequest(value)
		if err != nil {
			return fmt.Errorf("%w: request %x: %w", ErrCorrupt, hash, err)
		}
		w.known[hash] = entry
		w.order = append(w.order, requestRecord{hash, entry})
		return nil
	})
	slices.SortFunc(w.order, func(a, b requestRecord) int { return cmp.Compare(a.LSN, b.LSN) })
	w.stored = len(w.order)
	return hotError(err)
}
