package tables

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A Store is the engine with what its transactions share.
type Store struct {
	db    *engine.DB
	locks *locks
	roles roleCache

	keepComments time.Duration // 0: for ever
	comments     *keyed        // nil if that has not been set
	keepRollups  time.Duration // 0: for ever
	rolling      sync.Mutex    // held while rows of metrics_5m are made or deleted
}

// NewStore makes a store.
func NewStore(db *engine.DB) *Store { return &Store{db: db, locks: newLocks()} }

// ErrChanged tells that a row which a statement is to change has been changed
// by another transaction since the statement's view was taken. The statement
// has to be run again, over a new view.
var ErrChanged = errors.New("tables: a row was changed by another transaction")

// A Tx is a transaction: what it has written, to be laid over a view of the
// engine and, at Commit, to become one WAL record. It serves one session, which
// calls it from one goroutine at a time.
type Tx struct {
	store      *Store
	repeatable bool         // one view for all statements
	view       *engine.View // of a repeatable transaction, nil before its first statement
	writes     []write
	locked     map[rowKey]uint64 // rows that are ours, with the version that we replace
	bytes      int64             // of telemetry rows in writes
	deleted    int               // rows that were deleted from telemetry tables, in all
}

// A write is a row of a keyed table, or a row or the deletes of a telemetry table.
type write struct {
	keyed *keyed // or
	key   string
	row   []any // nil: deleted

	telemetry *telemetry   // whose stored fields row has
	decoded   *vector.Rows // the row as it will be; nil: deletes
	deletes   []int64      // numbers of rows: of stored ones, or ownNumber
	by        *Snapshot    // of the statement that deletes

	undo func() // of a change to a temporary table, which no log knows
}

// Begin starts a transaction. A repeatable one reads one view throughout.
func (s *Store) Begin(repeatable bool) *Tx {
	return &Tx{store: s, repeatable: repeatable, locked: make(map[rowKey]uint64)}
}

// A Snapshot is what the scans of one statement read: a view, and over it the
// first writes of the transaction.
type Snapshot struct {
	View   *engine.View
	tx     *Tx
	writes []write
	own    bool // View is released with the snapshot
}

// Snapshot gives the state that a statement reads. What the statement itself
// writes is not in it.
func (tx *Tx) Snapshot() *Snapshot {
	s := &Snapshot{tx: tx, writes: tx.writes}
	switch {
	case !tx.repeatable:
		s.View, s.own = tx.store.db.View(), true
	case tx.view == nil:
		tx.view = tx.store.db.View()
		fallthrough
	default:
		s.View = tx.view
	}
	return s
}

// Release gives the snapshot's view up, once its scans have ended.
func (s *Snapshot) Release() {
	if s.own {
		s.View.Release()
	}
}

// snapshot finds the snapshot of a statement.
func snapshot(env *expr.Env) (*Snapshot, error) {
	s, ok := env.Snapshot.(*Snapshot)
	if !ok {
		return nil, errors.New("BUG: a statement without a snapshot")
	}
	return s, nil
}

// OnRollback has undo called if what follows it in the transaction is taken back.
func (tx *Tx) OnRollback(undo func()) { tx.writes = append(tx.writes, write{undo: undo}) }

// Mark is a position among the writes, to go back to.
func (tx *Tx) Mark() int { return len(tx.writes) }

// RollbackTo forgets the writes since a Mark. Their rows stay locked.
func (tx *Tx) RollbackTo(mark int) {
	for _, w := range slices.Backward(tx.writes[mark:]) {
		if w.undo != nil {
			w.undo()
		}
		if w.decoded != nil {
			tx.bytes -= w.decoded.Bytes()
		}
	}
	tx.writes = tx.writes[:mark:mark]
}

// Rollback forgets all writes and ends the transaction.
func (tx *Tx) Rollback() {
	tx.RollbackTo(0)
	tx.end()
}

func (tx *Tx) end() {
	tx.store.locks.release(tx)
	if tx.view != nil {
		tx.view.Release()
		tx.view = nil
	}
}

// Commit makes the writes durable and visible as one, and ends the transaction.
func (tx *Tx) Commit(ctx context.Context) error {
	defer tx.end()
	if !slices.ContainsFunc(tx.writes, func(w write) bool { return w.undo == nil }) {
		return nil
	}
	set, err := tx.writeSet(ctx)
	if err != nil {
		tx.RollbackTo(0)
		return err
	}
	ofRoles := slices.ContainsFunc(tx.writes, func(w write) bool { return w.keyed == roles })
	if _, err = tx.store.db.Commit(ctx, set); err != nil {
		tx.RollbackTo(0)
	}
	tx.writes = nil
	if ofRoles {
		tx.store.roles.forget()
	}
	return commitError(err)
}

func (tx *Tx) writeSet(ctx context.Context) (*engine.WriteSet, error) {
	set := &engine.WriteSet{Header: record.Header{Source: record.SQL, ReceiveNanos: time.Now().UnixNano()}}
	newest := make(map[rowKey]int) // place in set.Keyed
	for _, w := range tx.writes {
		if w.keyed == nil {
			continue
		}
		k := rowKey{w.keyed.id, w.key}
		at, ok := newest[k]
		if !ok {
			at = len(set.Keyed)
			newest[k] = at
			set.Keyed = append(set.Keyed, engine.KeyedWrite{Table: k.table, Key: []byte(k.key), Seen: tx.locked[k]})
		}
		set.Keyed[at].Value = nil
		if w.row != nil {
			value, err := w.keyed.encode(w.row)
			if err != nil {
				return nil, err
			}
			set.Keyed[at].Value = value
		}
	}
	var err error
	if set.Deletes, err = tx.deletes(ctx); err != nil {
		return nil, err
	}
	set.Requests, err = tx.requests(set.Header.ReceiveNanos)
	return set, err
}

// commitError gives an error of Commit its SQLSTATE.
func commitError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrConflict):
		return pgerr.New(pgerr.SerializationFailure, "could not serialize access due to concurrent update").Wrap(err)
	case errors.Is(err, engine.ErrStandby):
		return pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot write to a standby").Wrap(err)
	case errors.Is(err, engine.ErrUnconfirmed):
		return pgerr.New("08007", "the transaction is committed here, but not known to be replicated").Wrap(err)
	case errors.Is(err, engine.ErrDiskFull):
		return pgerr.New(pgerr.DiskFull, "the disk is nearly full: writes are refused").Wrap(err)
	case errors.Is(err, engine.ErrOverloaded):
		return pgerr.New(pgerr.InsufficientResources, "too many bytes are in flight, try again").Wrap(err)
	case errors.Is(err, engine.ErrFailed), errors.Is(err, engine.ErrClosed):
		return pgerr.New(pgerr.IOError, "the store takes no more writes").Wrap(err)
	}
	return err
}

// lock makes a row of a keyed table the transaction's own and gives its newest
// version. A version that the statement's view has not is ErrChanged, or for a
// repeatable transaction 40001; with fresh, a row that the view lacks is given.
func (s *Snapshot) lock(env *expr.Env, t *keyed, key string, fresh bool) ([]any, error) {
	tx, k := s.tx, rowKey{t.id, key}
	if _, mine := tx.locked[k]; !mine {
		if err := tx.store.locks.acquire(env.Ctx, tx, k, env.LockTimeout); err != nil {
			return nil, err
		}
		tx.locked[k] = 0 // so that it is freed whatever comes
		newest := tx.store.db.View()
		defer newest.Release()
		now, exists, err := newest.KeyedGet(t.id, []byte(key))
		if err != nil {
			return nil, storageError(err)
		}
		seen, _, err := s.View.KeyedGet(t.id, []byte(key))
		if err != nil {
			return nil, storageError(err)
		}
		tx.locked[k] = now.LSN
		if now.LSN != seen.LSN && !(fresh && !tx.repeatable) {
			if tx.repeatable {
				what := "update"
				if !exists {
					what = "delete"
				}
				return nil, pgerr.New(pgerr.SerializationFailure, "could not serialize access due to concurrent %s", what)
			}
			return nil, ErrChanged
		}
	}
	for i := len(tx.writes) - 1; i >= 0; i-- {
		if w := tx.writes[i]; w.keyed == t && w.key == key {
			return w.row, nil
		}
	}
	newest := tx.store.db.View()
	defer newest.Release()
	now, ok, err := newest.KeyedGet(t.id, []byte(key))
	if err != nil || !ok {
		return nil, storageError(err)
	}
	return t.decode(now.Value)
}
