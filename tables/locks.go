package tables

import (
	"context"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A rowKey names a row of a keyed table.
type rowKey struct {
	table uint8
	key   string
}

// locks holds which transaction may write which row of the keyed tables. A row
// is locked by its first write and freed at the end of the transaction, so
// what a transaction has written nobody else changes before it commits.
type locks struct {
	mu      sync.Mutex
	held    map[rowKey]*Tx
	waiting map[*Tx]rowKey           // each waits for one row at most
	freed   map[rowKey]chan struct{} // closed when the row is free
}

func newLocks() *locks {
	return &locks{held: make(map[rowKey]*Tx), waiting: make(map[*Tx]rowKey), freed: make(map[rowKey]chan struct{})}
}

// acquire locks a row, waiting up to timeout (0: for ever) for whoever holds it.
func (l *locks) acquire(ctx context.Context, tx *Tx, k rowKey, timeout time.Duration) error {
	var expired <-chan time.Time
	for {
		l.mu.Lock()
		owner := l.held[k]
		if owner == nil || owner == tx {
			l.held[k] = tx
			l.mu.Unlock()
			return nil
		}
		if l.wouldDeadlock(tx, owner) {
			l.mu.Unlock()
			return pgerr.New(pgerr.DeadlockDetected, "deadlock detected").
				WithHint("See server log for query details.")
		}
		free, ok := l.freed[k]
		if !ok {
			free = make(chan struct{})
			l.freed[k] = free
		}
		l.waiting[tx] = k
		l.mu.Unlock()
		if expired == nil && timeout > 0 {
			timer := time.NewTimer(timeout)
			defer timer.Stop()
			expired = timer.C
		}
		var err error
		select {
		case <-free:
		case <-expired:
			err = pgerr.New(pgerr.LockNotAvailable, "canceling statement due to lock timeout")
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		delete(l.waiting, tx)
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// wouldDeadlock follows who waits for whom from owner on. The caller holds mu.
func (l *locks) wouldDeadlock(tx, owner *Tx) bool {
	for range len(l.waiting) + 1 {
		if owner == tx {
			return true
		}
		k, waits := l.waiting[owner]
		if !waits {
			return false
		}
		if owner = l.held[k]; owner == nil {
			return false
		}
	}
	return false
}

// release frees all rows that a transaction holds.
func (l *locks) release(tx *Tx) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range tx.locked {
		if l.held[k] != tx {
			continue
		}
		delete(l.held, k)
		if free, ok := l.freed[k]; ok {
			close(free)
			delete(l.freed, k)
		}
	}
	clear(tx.locked)
}
