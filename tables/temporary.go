package tables

import (
	"context"
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Temporary is a temporary table: rows in memory, of one session, which calls
// it from one goroutine at a time. What is taken back of a transaction is undone
// row by row; a scan reads the rows that were there when it began.
type Temporary struct {
	rel     *catalog.Relation
	serial  []int // places of columns that number the rows
	account *vector.Account
	uniques []catalog.Unique

	next int64 // number of the next row
	rows []*temporaryRow
	dead int
	// byKey has the live rows by primary key, or by all columns where there is none.
	byKey map[string][]*temporaryRow
	// byUnique has, for each of uniques, how many live rows have a key.
	byUnique []map[string]int
}

type temporaryRow struct {
	values []any
	key    string
	dead   bool
}

// NewTemporary makes an empty table. What its rows take is taken of account.
func NewTemporary(rel *catalog.Relation, serial []int, uniques []catalog.Unique, account *vector.Account) *Temporary {
	t := &Temporary{rel: rel, serial: serial, uniques: uniques, account: account, next: 1, byKey: make(map[string][]*temporaryRow)}
	for range uniques {
		t.byUnique = append(t.byUnique, make(map[string]int))
	}
	return t
}

// Relation describes the table.
func (t *Temporary) Relation() *catalog.Relation { return t.rel }

// Rows gives how many rows there are.
func (t *Temporary) Rows() int64 { return int64(len(t.rows) - t.dead) }

// Scan reads the rows as they are now.
func (t *Temporary) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	kinds := make([]vector.Kind, len(req.Columns))
	for i, ref := range req.Columns {
		kinds[i] = expr.KindOf(t.rel.Columns[ref.Index].Type.OID)
	}
	live := make([][]any, 0, t.Rows())
	for _, row := range t.rows {
		if !row.dead {
			live = append(live, row.values)
		}
	}
	at := 0
	source := func(context.Context) ([]any, error) {
		if at == len(live) {
			return nil, nil
		}
		out := make([]any, len(req.Columns))
		for i, ref := range req.Columns {
			out[i] = live[at][ref.Index]
		}
		at++
		return out, nil
	}
	return []vector.Reader{exec.FromRows(kinds, source, func() {})}, nil
}

// key tells rows apart: by their primary key, or by all that they hold.
func (t *Temporary) key(row []any) (key []byte, err error) {
	for _, at := range t.rel.PrimaryKey {
		key = pgtypes.AppendKey(key, t.rel.Columns[at].Type, row[at])
	}
	if len(t.rel.PrimaryKey) > 0 {
		return key, nil
	}
	for i, v := range row {
		if v == nil {
			key = append(key, 0)
			continue
		}
		begin := len(key)
		if key, err = pgtypes.AppendBinary(append(key, 1), t.rel.Columns[i].Type, v); err != nil {
			return nil, err
		}
		n := uint32(len(key) - begin)
		key = append(key, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return key, nil
}

// size is what a row takes, about.
func (r *temporaryRow) size() int64 { return int64(2*len(r.key) + 64 + 24*len(r.values)) }

// Insert adds a row; a column that numbers rows is filled if it is NULL.
func (t *Temporary) Insert(env *expr.Env, row []any) (existing []any, err error) {
	for _, at := range t.serial {
		if row[at] == nil {
			row[at] = t.next
			t.next++
		}
	}
	if err := checkNotNull(env, t.rel, row); err != nil {
		return nil, err
	}
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	key, err := t.key(row)
	if err != nil {
		return nil, err
	}
	if same := t.byKey[string(key)]; len(t.rel.PrimaryKey) > 0 && len(same) > 0 {
		return same[0].values, nil
	}
	if err := t.unique(env, row); err != nil {
		return nil, err
	}
	added := &temporaryRow{values: slices.Clone(row), key: string(key)}
	if err := t.account.Grow(added.size()); err != nil {
		return nil, err
	}
	t.rows = append(t.rows, added)
	t.byKey[added.key] = append(t.byKey[added.key], added)
	t.count(added, 1)
	s.tx.OnRollback(func() { t.bury(added) })
	return nil, nil
}

// uniqueKey is the key of a row under a constraint, "" if it has a NULL and is
// like no other.
func (t *Temporary) uniqueKey(u catalog.Unique, row []any) string {
	var key []byte
	for _, at := range u.Columns {
		if row[at] == nil {
			return ""
		}
		key = pgtypes.AppendKey(key, t.rel.Columns[at].Type, row[at])
	}
	return string(key)
}

// count enters a row under its unique keys, or with -1 takes it out.
func (t *Temporary) count(row *temporaryRow, n int) {
	for i, u := range t.uniques {
		if key := t.uniqueKey(u, row.values); key != "" {
			if t.byUnique[i][key] += n; t.byUnique[i][key] == 0 {
				delete(t.byUnique[i], key)
			}
		}
	}
}

// unique refuses a new row that is like another under a constraint that is not deferred.
func (t *Temporary) unique(env *expr.Env, row []any) error {
	for i, u := range t.uniques {
		if !u.Deferred && t.byUnique[i][t.uniqueKey(u, row)] > 0 {
			return catalog.Duplicate(t.rel, u, row, env.Style)
		}
	}
	return nil
}

// Check is what deferred constraints do at the end of a transaction.
func (t *Temporary) Check(style *pgtypes.TextStyle) error {
	for i, u := range t.uniques {
		if !u.Deferred || len(t.byUnique[i]) == int(t.Rows()) {
			continue
		}
		for _, row := range t.rows {
			if !row.dead && t.byUnique[i][t.uniqueKey(u, row.values)] > 1 {
				return catalog.Duplicate(t.rel, u, row.values, style)
			}
		}
	}
	return nil
}

// bury takes a row out.
func (t *Temporary) bury(row *temporaryRow) {
	row.dead = true
	t.dead++
	t.count(row, -1)
	t.account.Shrink(row.size())
	rest := slices.DeleteFunc(t.byKey[row.key], func(r *temporaryRow) bool { return r == row })
	if len(rest) == 0 {
		delete(t.byKey, row.key)
	} else {
		t.byKey[row.key] = rest
	}
}

// Update replaces a row.
func (t *Temporary) Update(env *expr.Env, old, row []any) error {
	if err := checkNotNull(env, t.rel, row); err != nil {
		return err
	}
	was, err := t.key(old)
	if err != nil {
		return err
	}
	key, err := t.key(row)
	if err != nil {
		return err
	}
	if len(t.rel.PrimaryKey) > 0 && string(was) != string(key) && len(t.byKey[string(key)]) > 0 {
		return catalog.DuplicateKey(t.rel, row, env.Style)
	}
	if err := t.Delete(env, old); err != nil {
		return err
	}
	_, err = t.Insert(env, row)
	return err
}

// Delete deletes a row.
func (t *Temporary) Delete(env *expr.Env, old []any) error {
	s, err := snapshot(env)
	if err != nil {
		return err
	}
	key, err := t.key(old)
	if err != nil {
		return err
	}
	same := t.byKey[string(key)]
	if len(same) == 0 {
		return nil // a join gave the row before
	}
	t.remove(s.tx, same[0])
	return nil
}

func (t *Temporary) remove(tx *Tx, row *temporaryRow) {
	t.bury(row)
	tx.OnRollback(func() {
		row.dead = false
		t.dead--
		t.count(row, 1)
		_ = t.account.Grow(row.size()) // it was there before: more than the limit for a moment at worst
		t.byKey[row.key] = append(t.byKey[row.key], row)
	})
}

// Truncate deletes all rows.
func (t *Temporary) Truncate(tx *Tx) {
	for _, row := range t.rows {
		if !row.dead {
			t.remove(tx, row)
		}
	}
}

// Settle forgets dead rows, once no transaction can bring them back.
func (t *Temporary) Settle() {
	if t.dead > len(t.rows)/2 {
		t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(r *temporaryRow) bool { return r.dead })
		t.dead = 0
	}
}

// Free gives back what the rows take.
func (t *Temporary) Free() {
	for _, row := range t.rows {
		if !row.dead {
			t.account.Shrink(row.size())
		}
	}
	t.rows, t.byKey, t.dead = nil, make(map[string][]*temporaryRow), 0
}
