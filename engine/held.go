package engine

import (
	"maps"
	"math"
	"slices"
	"sync"
)

// heldViews are the views that somebody holds. It knows no store: the clean-up
// of a view refers to it, and would keep alive what it refers to.
type heldViews struct {
	mu   sync.Mutex
	lsns map[uint64]uint64 // number → LSN
}

func newHeldViews() *heldViews { return &heldViews{lsns: make(map[uint64]uint64)} }

func (h *heldViews) add(number, lsn uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lsns[number] = lsn
}

func (h *heldViews) forget(number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.lsns, number)
}

func (h *heldViews) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.lsns)
}

// oldestNumber gives the number of the oldest view that anybody holds.
func (h *heldViews) oldestNumber() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Min(slices.AppendSeq([]uint64{math.MaxUint64}, maps.Keys(h.lsns)))
}

// oldestLSN gives the LSN of the oldest view that anybody holds.
func (h *heldViews) oldestLSN() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Min(slices.AppendSeq([]uint64{math.MaxUint64}, maps.Values(h.lsns)))
}
