package tables

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A keyed table holds rows that statements write, by their primary key.
type keyed struct {
	rel *catalog.Relation
	id  uint8
}

func newKeyed(oid pgtypes.OID, name string, id uint8, s *section, key []string) *keyed {
	rel := &catalog.Relation{OID: oid, Schema: catalog.PublicSchema, Name: name, Kind: 'r', Comment: s.comment}
	for _, col := range s.columns {
		if d := strings.Join(col.source, " "); d != "-" {
			col.Default = d
		}
		rel.Columns = append(rel.Columns, col.Column)
	}
	for _, name := range key {
		rel.PrimaryKey = append(rel.PrimaryKey, rel.Index(name))
	}
	return &keyed{rel: rel, id: id}
}

// Relation describes the table.
func (t *keyed) Relation() *catalog.Relation { return t.rel }

// Rows estimates the size for join order: people write these rows.
func (t *keyed) Rows() int64 { return 1000 }

// Stored gives the committed rows, and the bytes of their keys and values.
func (t *keyed) Stored(env *expr.Env) (rows, bytes int64, err error) {
	s, err := snapshot(env)
	if err != nil {
		return 0, 0, err
	}
	for row, err := range s.View.Keyed(t.id, nil, nil) {
		if err != nil {
			return 0, 0, storageError(err)
		}
		rows++
		bytes += int64(len(row.Key) + len(row.Value))
	}
	return rows, bytes, nil
}

// Scan reads the rows of the statement's snapshot, those that its transaction
// has written in place of the stored ones.
func (t *keyed) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	s, err := snapshot(req.Env)
	if err != nil {
		return nil, err
	}
	kinds := make([]vector.Kind, len(req.Columns))
	for i, ref := range req.Columns {
		kinds[i] = expr.KindOf(t.rel.Columns[ref.Index].Type.OID)
	}
	next, stop := iter.Pull2(t.rows(s, t.wanted(req.Filters)))
	hidden := t.hidden(s, req.Env)
	source := func(context.Context) ([]any, error) {
		row, err, ok := next()
		for ok && err == nil && hidden != nil && hidden(row) {
			row, err, ok = next()
		}
		if err != nil || !ok {
			return nil, err
		}
		out := make([]any, len(req.Columns))
		for i, ref := range req.Columns {
			out[i] = row[ref.Index]
		}
		return out, nil
	}
	return []vector.Reader{exec.FromRows(kinds, source, stop)}, nil
}

// wanted gives the one key that filters ask for; "" means all.
func (t *keyed) wanted(filters []catalog.Filter) string {
	row := make([]any, len(t.rel.Columns))
	have := 0
	for _, f := range filters {
		if f.Op == catalog.Equal && f.Column.Key == "" && slices.Contains(t.rel.PrimaryKey, f.Column.Index) && row[f.Column.Index] == nil {
			row[f.Column.Index] = f.Values[0]
			have++
		}
	}
	if have < len(t.rel.PrimaryKey) {
		return ""
	}
	return t.key(row)
}

// rows gives the live rows of a snapshot, or the one of a key.
func (t *keyed) rows(s *Snapshot, only string) iter.Seq2[[]any, error] {
	own := make(map[string][]any)
	var order []string
	for _, w := range s.writes {
		if w.keyed != t || only != "" && w.key != only {
			continue
		}
		if _, again := own[w.key]; !again {
			order = append(order, w.key)
		}
		own[w.key] = w.row
	}
	return func(yield func([]any, error) bool) {
		var lower, upper []byte
		if only != "" {
			lower, upper = []byte(only), append([]byte(only), 0)
		}
		for stored, err := range s.View.Keyed(t.id, lower, upper) {
			if err != nil {
				yield(nil, storageError(err))
				return
			}
			if _, replaced := own[string(stored.Key)]; replaced {
				continue
			}
			row, err := t.decode(stored.Value)
			if !yield(row, err) || err != nil {
				return
			}
		}
		for _, key := range order {
			if row := own[key]; row != nil && !yield(row, nil) {
				return
			}
		}
	}
}

// key is the row's key in the store.
func (t *keyed) key(row []any) string {
	var key []byte
	for _, at := range t.rel.PrimaryKey {
		key = pgtypes.AppendKey(key, t.rel.Columns[at].Type, row[at])
	}
	return string(key)
}

// Insert adds a row to the transaction.
func (t *keyed) Insert(env *expr.Env, row []any) (existing []any, err error) {
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	if err := checkNotNull(env, t.rel, row); err != nil {
		return nil, err
	}
	key := t.key(row)
	if existing, err = s.lock(env, t, key, true); existing != nil || err != nil {
		return existing, err
	}
	s.tx.writes = append(s.tx.writes, write{keyed: t, key: key, row: row})
	return nil, nil
}

// Update replaces a row in the transaction.
func (t *keyed) Update(env *expr.Env, old, row []any) error {
	s, err := snapshot(env)
	if err != nil {
		return err
	}
	if err := checkNotNull(env, t.rel, row); err != nil {
		return err
	}
	was, key := t.key(old), t.key(row)
	if _, err := s.lock(env, t, was, false); err != nil {
		return err
	}
	if key != was {
		existing, err := s.lock(env, t, key, true)
		if err != nil {
			return err
		}
		if existing != nil {
			return catalog.DuplicateKey(t.rel, row, env.Style)
		}
		s.tx.writes = append(s.tx.writes, write{keyed: t, key: was})
	}
	s.tx.writes = append(s.tx.writes, write{keyed: t, key: key, row: row})
	return nil
}

// Delete removes a row in the transaction.
func (t *keyed) Delete(env *expr.Env, old []any) error {
	s, err := snapshot(env)
	if err != nil {
		return err
	}
	key := t.key(old)
	if _, err := s.lock(env, t, key, false); err != nil {
		return err
	}
	s.tx.writes = append(s.tx.writes, write{keyed: t, key: key})
	return nil
}

// checkNotNull is PostgreSQL's check of a row before it is written.
func checkNotNull(env *expr.Env, rel *catalog.Relation, row []any) error {
	for i := range rel.Columns {
		if !rel.Columns[i].NotNull || row[i] != nil {
			continue
		}
		return pgerr.New(pgerr.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
			rel.Columns[i].Name, rel.Name).WithDetail("Failing row contains (%s).", rowText(env, rel, row))
	}
	return nil
}

// rowText shows a row in an error, long values cut short.
func rowText(env *expr.Env, rel *catalog.Relation, row []any) string {
	const longest = 64 // of a value, in bytes, as in PostgreSQL
	texts := make([]string, len(row))
	for i, v := range row {
		texts[i] = "null"
		if v == nil {
			continue
		}
		text, err := pgtypes.AppendText(nil, rel.Columns[i].Type, v, env.Style)
		if err != nil {
			text = []byte("?")
		}
		if len(text) > longest {
			text = append([]byte(strings.ToValidUTF8(string(text[:longest]), "")), "..."...)
		}
		texts[i] = string(text)
	}
	return strings.Join(texts, ", ")
}

// keyedFormat is the version of a row's encoding.
//
//	1: first version.
const keyedFormat = 1

// encode makes the stored form of a row:
//
//	+---------+--------------+  +----------------+-------------------+
//	| format  | columns      |  | length + 1     | binary form       |
//	| u8      | uvarint      |  | uvarint, 0: NULL | of the value    |  for each column
//	+---------+--------------+  +----------------+-------------------+
//
// The binary form is that of PostgreSQL's protocol. A column that was added to
// the table later is NULL in older rows.
func (t *keyed) encode(row []any) ([]byte, error) {
	out := binary.AppendUvarint([]byte{keyedFormat}, uint64(len(row)))
	var value []byte
	for i, v := range row {
		if v == nil {
			out = binary.AppendUvarint(out, 0)
			continue
		}
		var err error
		if value, err = pgtypes.AppendBinary(value[:0], t.rel.Columns[i].Type, v); err != nil {
			return nil, err
		}
		out = append(binary.AppendUvarint(out, uint64(len(value))+1), value...)
	}
	return out, nil
}

// decode is the inverse of encode.
func (t *keyed) decode(raw []byte) ([]any, error) {
	corrupt := func(what string) error {
		return storageError(fmt.Errorf("%w: a row of %s: %s", engine.ErrCorrupt, t.rel.Name, what))
	}
	if len(raw) == 0 || raw[0] != keyedFormat {
		return nil, corrupt("unknown format")
	}
	raw = raw[1:]
	n, used := binary.Uvarint(raw)
	if used <= 0 || n > uint64(len(t.rel.Columns)) {
		return nil, corrupt("number of columns")
	}
	raw = raw[used:]
	row := make([]any, len(t.rel.Columns))
	for i := range int(n) {
		size, used := binary.Uvarint(raw)
		if used <= 0 || size > uint64(len(raw)-used)+1 {
			return nil, corrupt("length of a value")
		}
		raw = raw[used:]
		if size == 0 {
			continue
		}
		v, err := pgtypes.DecodeBinary(t.rel.Columns[i].Type, raw[:size-1])
		if err != nil {
			return nil, corrupt(err.Error())
		}
		row[i], raw = v, raw[size-1:]
	}
	return row, nil
}
