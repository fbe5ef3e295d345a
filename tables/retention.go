package tables

import (
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// since gives the time, in ns since 1970, before which a statement sees no row
// of the table; 0 for none. It is the same for all of the statement; and for
// all of a transaction that reads one view.
func (t *telemetry) since(s *Snapshot, env *expr.Env) int64 { return s.since(t.rel.Name, env) }

func (s *Snapshot) since(table string, env *expr.Env) int64 {
	return s.tx.store.db.Cutoff(table, s.moment(env))
}

// payloadsSince gives in the same way the time before which no row has its
// payloads.
func (s *Snapshot) payloadsSince(table string, env *expr.Env) int64 {
	return s.tx.store.db.PayloadCutoff(table, s.moment(env))
}

// moment is when the statement's view is of, in ns since 1970.
func (s *Snapshot) moment(env *expr.Env) int64 {
	if s.tx.repeatable {
		return pgtypes.UnixNanosFromMicros(env.Now)
	}
	return pgtypes.UnixNanosFromMicros(env.Statement)
}

// notExpired refuses to write rows that have expired when they arrive, at a
// time in ns since 1970: replay would reject them.
func (tx *Tx) notExpired(t *telemetry, rows *vector.Rows, receiveNanos int64) error {
	since := tx.store.db.Cutoff(t.rel.Name, receiveNanos)
	for _, nanos := range t.times(rows) {
		if since != 0 && nanos < since {
			return pgerr.New(pgerr.DatetimeFieldOverflow, "a row for table \"%s\" is older than rows are kept", t.rel.Name).
				WithDetail("It is of %s; retention.%s is %s.",
					time.Unix(0, nanos).UTC().Format(time.RFC3339Nano), t.rel.Name, tx.store.db.Retention(t.rel.Name))
		}
	}
	return nil
}

// times gives the times of stored rows, in ns since 1970.
func (t *telemetry) times(rows *vector.Rows) []int64 {
	return rows.Cols[t.schema.Index(t.timeField)].Ints[:rows.N]
}

// unexpired selects the rows that are not before a time; nil if none can be.
func (t *telemetry) unexpired(rows *vector.Rows, since int64) []int32 {
	if since == 0 {
		return nil
	}
	sel := make([]int32, 0, rows.N)
	for i, nanos := range t.times(rows) {
		if nanos >= since {
			sel = append(sel, int32(i))
		}
	}
	return sel
}
