package tables

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

func newTestTx(l *locks) *Tx {
	return &Tx{store: &Store{locks: l}, locked: make(map[rowKey]uint64)}
}

func (tx *Tx) lockForTest(ctx context.Context, key string, timeout time.Duration) error {
	k := rowKey{1, key}
	err := tx.store.locks.acquire(ctx, tx, k, timeout)
	if err == nil {
		tx.locked[k] = 0
	}
	return err
}

func wantCode(t *testing.T, err error, code pgerr.Code) {
	t.Helper()
	if e, ok := errors.AsType[*pgerr.Error](err); !ok || e.Code != code {
		t.Fatalf("got %v, want SQLSTATE %s", err, code)
	}
}

func TestLockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		a, b, c := newTestTx(l), newTestTx(l), newTestTx(l)
		ctx := t.Context()
		for _, key := range []string{"x", "x", "y"} { // again by its owner: at once
			if err := a.lockForTest(ctx, key, 0); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, b.lockForTest(ctx, "x", time.Second), pgerr.LockNotAvailable)

		var wg sync.WaitGroup
		got := make(chan *Tx, 2)
		for _, tx := range []*Tx{b, c} {
			wg.Go(func() {
				if err := tx.lockForTest(ctx, "x", 0); err != nil {
					t.Error(err)
				}
				got <- tx
			})
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("a row was locked twice")
		}
		l.release(a)
		synctest.Wait()
		if len(got) != 1 {
			t.Fatalf("%d transactions got the row that was freed", len(got))
		}
		l.release(<-got)
		wg.Wait()
		l.release(<-got)
		if len(l.held)+len(l.freed)+len(l.waiting) != 0 {
			t.Errorf("something is left: %v %v %v", l.held, l.freed, l.waiting)
		}
	})
}

func TestLockCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		a, b := newTestTx(l), newTestTx(l)
		if err := a.lockForTest(t.Context(), "x", 0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.lockForTest(ctx, "x", 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

// Three transactions in a ring: the one that closes it is told, the others go on.
func TestDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		txs := []*Tx{newTestTx(l), newTestTx(l), newTestTx(l)}
		keys := []string{"x", "y", "z"}
		for i, tx := range txs {
			if err := tx.lockForTest(t.Context(), keys[i], 0); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i, tx := range txs[:2] {
			wg.Go(func() {
				if err := tx.lockForTest(t.Context(), keys[i+1], 0); err != nil {
					t.Error(err)
				}
				l.release(tx)
			})
		}
		synctest.Wait()
		wantCode(t, txs[2].lockForTest(t.Context(), "x", 0), pgerr.DeadlockDetected)
		l.release(txs[2])
		wg.Wait()
	})
}
