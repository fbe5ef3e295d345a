package tables

import (
	"context"
	"errors"
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// KeepComments sets how long comments are kept, by their created_at; 0 is for
// ever. It is called before the store is used.
func (s *Store) KeepComments(keep time.Duration) {
	s.keepComments = keep
	s.comments = newKeyed(commentsOID, "comments", commentsID, parseColumns()["comments"], []string{"id"})
}

// commentsID is on disk.
const commentsID = 1

// hidden tells the rows that have expired for a statement; nil: none has.
func (t *keyed) hidden(s *Snapshot, env *expr.Env) func(row []any) bool {
	keep := s.tx.store.keepComments
	if t.id != commentsID || keep == 0 {
		return nil
	}
	moment := env.Statement
	if s.tx.repeatable {
		moment = env.Now
	}
	at, before := t.rel.Index("created_at"), moment-keep.Microseconds()
	return func(row []any) bool {
		created, ok := row[at].(int64)
		return ok && created < before
	}
}

// deleteBatch is how many comments one transaction deletes.
const deleteBatch = 1000

// expireComments deletes the comments that have expired, and counts them. One
// that somebody is changing stays for the next time.
func (s *Store) expireComments(ctx context.Context) (deleted int64, err error) {
	if s.keepComments == 0 {
		return 0, nil
	}
	for {
		n, err := s.expireSome(ctx)
		deleted += n
		if err != nil || n < deleteBatch {
			return deleted, err
		}
	}
}

func (s *Store) expireSome(ctx context.Context) (n int64, err error) {
	t, tx := s.comments, s.Begin(false)
	snap := tx.Snapshot()
	defer snap.Release()
	now := expr.Micros(time.Now())
	env := &expr.Env{Ctx: ctx, Now: now, Statement: now, Snapshot: snap, LockTimeout: time.Second}
	if n, err = t.deleteSome(snap, env); err != nil {
		tx.Rollback()
		return 0, err
	}
	return n, tx.Commit(ctx)
}

func (t *keyed) deleteSome(snap *Snapshot, env *expr.Env) (n int64, err error) {
	hidden := t.hidden(snap, env)
	for row, err := range t.rows(snap, "") {
		if err != nil {
			return 0, err
		}
		if !hidden(row) {
			continue
		}
		key := t.key(row)
		if _, err := snap.lock(env, t, key, false); errors.Is(err, ErrChanged) {
			continue
		} else if err != nil {
			return 0, err
		}
		snap.tx.writes = append(snap.tx.writes, write{keyed: t, key: key})
		if n++; n == deleteBatch {
			break
		}
	}
	return n, nil
}
