package tables

import (
	"context"
	"slices"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// maxDeleted bounds the rows that a transaction deletes from telemetry tables:
// they are one WAL record.
const maxDeleted = 4 << 20

// ownNumber stands for the running number of the row that a write of the
// transaction adds.
func ownNumber(write int) int64 { return -1 - int64(write) }

// Delete notes the number of a row to delete. Who replaces a span meanwhile
// replaces it: the newer one stays.
func (t *telemetry) Delete(env *expr.Env, old []any) error {
	s, err := snapshot(env)
	if err != nil {
		return err
	}
	tx := s.tx
	if tx.deleted++; tx.deleted > maxDeleted {
		return pgerr.New(pgerr.ProgramLimitExceeded, "a transaction can delete %d rows of telemetry", maxDeleted).
			WithHint("Delete in several transactions, or let retention do it.")
	}
	number := old[0].(int64)
	if last := len(tx.writes) - 1; last >= 0 && tx.writes[last].by == s && tx.writes[last].telemetry == t {
		w := &tx.writes[last]
		w.deletes = append(w.deletes, number)
		return nil
	}
	tx.writes = append(tx.writes, write{telemetry: t, by: s, deletes: []int64{number}})
	return nil
}

// deletedFrom gives the numbers of the rows that writes delete from a table,
// nil for none.
func deletedFrom(writes []write, t *telemetry) map[int64]bool {
	var gone map[int64]bool
	for _, w := range writes {
		if w.telemetry != t {
			continue
		}
		for _, n := range w.deletes {
			if gone == nil {
				gone = make(map[int64]bool)
			}
			gone[n] = true
		}
	}
	return gone
}

// deletes gives the stored rows that the transaction deletes, by table, with
// those that spans have replaced which it inserts and deletes again: no request
// will replace them.
func (tx *Tx) deletes(ctx context.Context) (out []record.Deleted, err error) {
	byType := make(map[record.Type][]uint64)
	seen := make(map[*telemetry]bool)
	for _, w := range tx.writes {
		if t := w.telemetry; len(w.deletes) > 0 && !seen[t] {
			seen[t] = true
			if byType[t.record], err = tx.replacedByUnstored(ctx, t); err != nil {
				return nil, err
			}
		}
		for _, n := range w.deletes {
			if n >= 0 {
				byType[w.telemetry.record] = append(byType[w.telemetry.record], uint64(n))
			}
		}
	}
	for _, kind := range []record.Type{record.Traces, record.Logs, record.Metrics} {
		if rows := byType[kind]; rows != nil {
			slices.Sort(rows)
			out = append(out, record.Deleted{Type: kind, Rows: slices.Compact(rows)})
		}
	}
	return out, nil
}

// replacedByUnstored looks through the newest view, as COMMIT does for what is
// stored.
func (tx *Tx) replacedByUnstored(ctx context.Context, t *telemetry) ([]uint64, error) {
	_, of := t.unstored(tx.writes)
	if len(of) == 0 {
		return nil, nil
	}
	view := tx.store.db.View()
	defer view.Release()
	return of.stored(ctx, view, t)
}

// A withoutDeleted leaves out the rows that the transaction has deleted.
type withoutDeleted struct {
	vector.Reader
	gone   map[int64]bool
	number int // place of the rows' numbers
}

func (r *withoutDeleted) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := r.Reader.Next(ctx)
		if err != nil || b == nil {
			return b, err
		}
		numbers, err := b.Column(r.number)
		if err != nil {
			return nil, err
		}
		sel := make([]int32, 0, b.Live())
		for k := range b.Live() {
			if row := b.Row(k); !r.gone[numbers.Ints[row]] {
				sel = append(sel, int32(row))
			}
		}
		if len(sel) == b.Live() {
			return b, nil
		}
		if len(sel) > 0 {
			return b.Select(sel), nil
		}
	}
}
