package vector

import (
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// An Account meters the memory that one query, or all of them, may buffer. A
// child draws on its parent too. The nil Account is without limit.
type Account struct {
	parent *Account
	limit  int64 // bytes; 0: no limit of its own
	used   atomic.Int64
	peak   atomic.Int64
}

// NewAccount makes an account of limit bytes under parent, which may be nil.
func NewAccount(parent *Account, limit int64) *Account {
	return &Account{parent: parent, limit: limit}
}

// Grow takes n bytes, or fails with SQLSTATE 53200 and takes nothing.
func (a *Account) Grow(n int64) error {
	if a == nil {
		return nil
	}
	used := a.used.Add(n)
	if a.limit > 0 && used > a.limit {
		a.used.Add(-n)
		return pgerr.New(pgerr.OutOfMemory, "out of memory").
			WithDetail("The query needs more than its budget of %d MiB.", a.limit>>20).
			WithHint("Narrow the time range, or raise limits.query_memory.")
	}
	if err := a.parent.Grow(n); err != nil {
		a.used.Add(-n)
		return err
	}
	for {
		peak := a.peak.Load()
		if used <= peak || a.peak.CompareAndSwap(peak, used) {
			return nil
		}
	}
}

// Shrink gives n bytes back.
func (a *Account) Shrink(n int64) {
	if a == nil {
		return
	}
	a.used.Add(-n)
	a.parent.Shrink(n)
}

// Close gives back all that is still taken.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.parent.Shrink(a.used.Swap(0))
}

// Used gives the bytes taken now.
func (a *Account) Used() int64 {
	if a == nil {
		return 0
	}
	return a.used.Load()
}

// Peak gives the most bytes ever taken at once.
func (a *Account) Peak() int64 {
	if a == nil {
		return 0
	}
	return a.peak.Load()
}
