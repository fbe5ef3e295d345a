package tables

import (
	"context"
	"errors"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// maxWrittenBytes bounds the telemetry rows that a transaction holds.
const maxWrittenBytes = 64 << 20

// ours are columns that the store fills in, for whatever way a row comes by.
var ours = map[string]bool{"llm": true, "log_id": true, "body_sha256": true, "series_id": true, "source": true, "ingested_at": true}

// required are columns that a statement has to give a value.
var required = map[string][]string{
	"spans": {"trace_id", "span_id", "operation", "start_time"}, "logs": nil, "metrics": {"name"},
}

// Insert adds a row to the transaction, by way of the OTLP request that says
// the same: row is changed to what a reader will see.
func (t *telemetry) Insert(env *expr.Env, row []any) (existing []any, err error) {
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	fields, err := t.storedRow(env, row)
	if err != nil {
		return nil, err
	}
	decoded, err := t.asDecoded(fields)
	if err != nil {
		return nil, err
	}
	if err := s.tx.notExpired(t, decoded, time.Now().UnixNano()); err != nil {
		return nil, err
	}
	if err := t.show(decoded, row); err != nil {
		return nil, err
	}
	s.tx.bytes += decoded.Bytes()
	if s.tx.bytes > maxWrittenBytes {
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "a transaction can hold %d MiB of telemetry", maxWrittenBytes>>20).
			WithHint("Insert in several transactions.")
	}
	s.tx.writes = append(s.tx.writes, write{telemetry: t, row: fields, decoded: decoded})
	return nil, nil
}

// Update is refused: what was observed stays.
func (t *telemetry) Update(*expr.Env, []any, []any) error {
	hint := "Insert comments on it instead."
	if len(t.rel.PrimaryKey) > 0 {
		hint = "A span that is inserted again replaces the one of the same trace_id and span_id."
	}
	return pgerr.New(pgerr.FeatureNotSupported, "table \"%s\" cannot be updated", t.rel.Name).WithHint("%s", hint)
}

// storedRow gives the fields of the schema that a row of the table speaks of.
func (t *telemetry) storedRow(env *expr.Env, row []any) ([]any, error) {
	for i, col := range t.rel.Columns {
		if row[i] != nil && ours[col.Name] {
			return nil, pgerr.New("428C9", "cannot insert a non-DEFAULT value into column \"%s\"", col.Name).
				WithDetail("The store gives column \"%s\" its value.", col.Name)
		}
	}
	fields := make([]any, len(t.schema.Fields))
	missing := func(name string) bool { return fields[t.schema.Index(name)] == nil }
	for i, col := range t.columns { // what is exact comes before what was rounded
		if v := row[i]; v != nil && (len(col.source) == 1 || col.source[0] == "bytes") {
			if raw, ok := v.([]byte); ok {
				v = string(raw)
			}
			fields[t.schema.Index(col.source[len(col.source)-1])] = v
		}
	}
	for i, col := range t.columns {
		if row[i] != nil && col.source[0] == "micros" && missing(col.source[1]) {
			micros := row[i].(int64)
			if micros == pgtypes.NoBegin || micros == pgtypes.NoEnd {
				return nil, pgerr.New(pgerr.InvalidParameterValue, "column \"%s\" cannot be infinite", col.Name)
			}
			fields[t.schema.Index(col.source[1])] = pgtypes.UnixNanosFromMicros(micros)
		}
	}
	for i, col := range t.columns { // durations, from the start
		if row[i] == nil || len(col.source) != 3 || missing(col.source[1]) || !missing(col.source[2]) {
			continue
		}
		length, exact := row[i].(int64)
		if !exact {
			length = int64(row[i].(float64) * 1e6)
		}
		fields[t.schema.Index(col.source[2])] = fields[t.schema.Index(col.source[1])].(int64) + length
	}
	for _, name := range required[t.rel.Name] {
		at := t.rel.Index(name)
		if row[at] == nil && (t.columns[at].source[0] != "micros" || missing(t.columns[at].source[1])) {
			return nil, pgerr.New(pgerr.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
				name, t.rel.Name).WithDetail("Failing row contains (%s).", rowText(env, t.rel, row))
		}
	}
	switch t.schema {
	case otlp.SpansSchema:
		if missing("end_time_unix_nano") {
			fields[t.schema.Index("end_time_unix_nano")] = fields[t.schema.Index("start_time_unix_nano")]
		}
	default: // OTLP has the exact time; the table's own falls back on others
		if missing("time_unix_nano") {
			fields[t.schema.Index("time_unix_nano")] = fields[t.schema.Index("timestamp_unix_nano")]
		}
	}
	return fields, nil
}

// columnsOf makes columns of stored rows.
func (t *telemetry) columnsOf(rows [][]any) *vector.Rows {
	out := &vector.Rows{Schema: t.schema, N: len(rows), Cols: make([]*vector.Column, len(t.schema.Fields))}
	for i, f := range t.schema.Fields {
		b := vector.NewBuilder(f.Kind, len(rows))
		for _, row := range rows {
			b.Append(row[i])
		}
		out.Cols[i] = b.Finish()
	}
	return out
}

// encoded makes a request of stored rows that arrives at a time, in ns since 1970.
func (t *telemetry) encoded(rows [][]any, receiveNanos int64) (engine.Request, error) {
	body, err := otlp.Encode(t.columnsOf(rows))
	if bad, ok := errors.AsType[*otlp.ValueError](err); ok {
		return engine.Request{}, pgerr.New(pgerr.InvalidParameterValue, "invalid value for column \"%s\"", bad.Column).WithDetail("It %s.", bad.Reason)
	}
	if err != nil {
		return engine.Request{}, err
	}
	h := record.Header{
		Type: t.record, Codec: record.ProtobufS2, Source: record.SQL, MappingVersion: otlp.MappingVersion,
		ReceiveNanos: receiveNanos,
	}
	d, err := otlp.Decode(h, body)
	if err != nil {
		return engine.Request{}, err
	}
	if d.Rejected > 0 {
		return engine.Request{}, pgerr.New(pgerr.InvalidParameterValue, "a row of \"%s\" cannot be stored", t.rel.Name).WithDetail("%s", d.Reason)
	}
	return engine.Request{Header: h, Body: body, Rows: d.Rows, Items: d.Items}, nil
}

func (t *telemetry) asDecoded(fields []any) (*vector.Rows, error) {
	r, err := t.encoded([][]any{fields}, time.Now().UnixNano())
	return r.Rows, err
}

// show sets row to what the table's columns give of the one decoded row.
func (t *telemetry) show(decoded *vector.Rows, row []any) error {
	p := &projection{table: t}
	for i := range t.rel.Columns {
		p.refs = append(p.refs, catalog.ColumnRef{Index: i})
		p.plan(p.refs[i])
	}
	b, err := (&ownReader{rows: []*vector.Rows{decoded}, numbers: []int64{ownNumber(0)}, projection: p}).Next(context.Background())
	if err != nil {
		return err
	}
	for i := range row {
		c, err := b.Column(i)
		if err != nil {
			return err
		}
		row[i] = c.Value(0)
	}
	return nil
}

// requests makes one request for each telemetry table of what was written. They
// arrive when the write set does: replay decodes them with its header.
func (tx *Tx) requests(receiveNanos int64) (out []engine.Request, err error) {
	var order []*telemetry
	rows := make(map[*telemetry][][]any)
	unstored := make(map[*telemetry]map[int]bool)
	for i, w := range tx.writes {
		if w.decoded == nil {
			continue
		}
		t := w.telemetry
		if _, known := unstored[t]; !known {
			unstored[t], _ = t.unstored(tx.writes)
		}
		if unstored[t][i] {
			continue
		}
		if rows[t] == nil {
			order = append(order, t)
		}
		rows[t] = append(rows[t], w.row)
	}
	for _, t := range order {
		r, err := t.encoded(rows[t], receiveNanos)
		if err == nil {
			err = tx.notExpired(t, r.Rows, receiveNanos)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// An ownReader gives the rows that the transaction itself has written. They
// have no running number yet, but an ownNumber.
type ownReader struct {
	rows       []*vector.Rows
	numbers    []int64
	projection *projection
	since      int64 // time of the oldest row that is not left out; 0: none is
}

func (r *ownReader) Next(context.Context) (*vector.Batch, error) {
	if len(r.rows) == 0 {
		return nil, nil
	}
	rows := vector.Concat(r.projection.table.schema, r.rows)
	r.rows = nil
	stored := vector.NewLazyBatch(rows.N, len(r.projection.stored), func(i int) (*vector.Column, error) {
		switch ref := r.projection.stored[i]; {
		case ref.Field == engine.RowNumber:
			return &vector.Column{Kind: vector.Int64, Len: rows.N, Ints: r.numbers}, nil
		case ref.Key != "":
			return rows.Cols[ref.Field].Attrs.KeyColumn(ref.Key, rows.N), nil
		case ref.Digest:
			return engine.Digests(rows.Cols[ref.Field], maxBodyBytes), nil
		default:
			return rows.Cols[ref.Field], nil
		}
	})
	calls := r.projection.newLLMCalls()
	out := vector.NewLazyBatch(rows.N, len(r.projection.refs), func(i int) (*vector.Column, error) {
		return r.projection.column(stored, i, calls)
	})
	out.Sel = r.projection.table.unexpired(rows, r.since)
	return out, nil
}

func (r *ownReader) Close() {}
