package tables

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A telemetry table is a stored table with the columns that follow from it.
type telemetry struct {
	rel     *catalog.Relation
	schema  *vector.Schema
	record  record.Type
	columns []column

	timeField string // Int64 field in ns since 1970 that retention goes by
}

func newTelemetry(oid pgtypes.OID, schema *vector.Schema, kind record.Type, s *section, key []string) *telemetry {
	rel := &catalog.Relation{OID: oid, Schema: catalog.PublicSchema, Name: schema.Name, Kind: 'r', Comment: s.comment, AppendOnly: true, Keys: true}
	for _, col := range s.columns {
		rel.Columns = append(rel.Columns, col.Column)
	}
	for _, name := range key {
		rel.PrimaryKey = append(rel.PrimaryKey, rel.Index(name))
	}
	return &telemetry{rel: rel, schema: schema, record: kind, columns: s.columns, timeField: timeFields[schema]}
}

// Relation describes the table.
func (t *telemetry) Relation() *catalog.Relation { return t.rel }

// estimatedRows is what the planner takes a telemetry table for: much larger
// than a catalog. Which of two telemetry tables is larger, filters decide.
const estimatedRows = 1_000_000

// Rows estimates the size for join order.
func (t *telemetry) Rows() int64 { return estimatedRows }

// Stored gives the live rows, and the bytes of the blocks.
func (t *telemetry) Stored(env *expr.Env) (rows, bytes int64, err error) {
	snap, err := snapshot(env)
	if err != nil {
		return 0, 0, err
	}
	for _, b := range snap.View.Blocks() {
		if b.Table == t.rel.Name {
			bytes += int64(b.Bytes)
		}
	}
	for _, p := range snap.View.Parts() {
		if p.Table == t.rel.Name {
			bytes += int64(p.Bytes)
		}
	}
	rows, err = snap.View.RowsSince(env.Ctx, t.rel.Name, t.since(snap, env))
	return rows, bytes, storageError(err)
}

// Scan reads the rows of the statement's view.
func (t *telemetry) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	return t.scan(req, rowChoice{})
}

// A rowChoice is stored rows by their running numbers: all from one on, or with
// rows those alone. The rows of the transaction are not subject to it.
type rowChoice struct {
	since *int64 // rows that have expired too, from this time in ns since 1970 on
	from  uint64
	rows  []engine.RowAt
}

func (t *telemetry) scan(req *catalog.ScanRequest, choice rowChoice) ([]vector.Reader, error) {
	snap, err := snapshot(req.Env)
	if err != nil {
		return nil, err
	}
	p := &projection{table: t, refs: req.Columns}
	p.payloads = p.llmFrom(otlp.LLMFromPayload)
	for _, ref := range req.Columns {
		p.plan(ref)
	}
	since, payloads := t.since(snap, req.Env), snap.payloadsSince(t.rel.Name, req.Env)
	if choice.since != nil {
		since = *choice.since
	}
	gone, number := deletedFrom(snap.writes, t), 0
	if gone != nil {
		number = p.need(engine.ColumnRef{Field: engine.RowNumber})
	}
	own := &ownReader{projection: p, since: since}
	var newer versions
	own.rows, own.numbers, newer = t.ownRows(snap.writes, gone)
	var key keyPlaces
	if newer != nil {
		key = p.needKey()
	}
	scan, err := snap.View.Scan(engine.ScanRequest{
		Table: t.schema.Name, Columns: p.stored, Filters: t.filters(req.Filters), Since: since, PayloadsSince: payloads, Skip: skipCorrupt(req.Env),
		FromNumber: choice.from, Rows: choice.rows,
	})
	if err != nil {
		return nil, storageError(err)
	}
	n := max(min(req.Workers, scan.Units()), 1)
	readers := make([]vector.Reader, n)
	var reading atomic.Int64 // readers that have not ended: the last one knows what all have read
	reading.Store(int64(n))
	done := func() {
		if reading.Add(-1) == 0 {
			observeEnd(req.Stats, scan)
		}
	}
	for i := range readers {
		in := scan.Reader()
		if gone != nil {
			in = &withoutDeleted{in, gone, number}
		}
		if newer != nil {
			in = &withoutReplaced{in, newer, key}
		}
		readers[i] = &telemetryReader{in: in, projection: p, done: done}
	}
	observe(req.Stats, scan)
	if len(own.rows) > 0 {
		readers = append(readers, own)
	}
	return readers, nil
}

// skipCorrupt gives what is told of damage that the session wants to read
// round, nil where it does not.
func skipCorrupt(env *expr.Env) func(error) {
	if env.Session == nil || env.Warn == nil {
		return nil
	}
	if on, _ := env.Session.Setting("tael.skip_corrupt"); on != "on" {
		return nil
	}
	return func(err error) {
		env.Warn(pgerr.DataCorrupted, "rows are missing: "+strings.TrimPrefix(err.Error(), engine.ErrCorrupt.Error()+": "))
	}
}

// observe notes what metadata decided.
func observe(stats *catalog.ScanStats, scan *engine.Scan) {
	if stats == nil {
		return
	}
	s := scan.Stats()
	stats.BlocksTotal.Add(s.BlocksTotal)
	stats.PartsTotal.Add(s.PartsTotal)
	stats.ChunksTotal.Add(s.ChunksTotal)
	for reason, n := range s.Pruned {
		stats.Prune(reason, n)
	}
}

// observeEnd notes what was read.
func observeEnd(stats *catalog.ScanStats, scan *engine.Scan) {
	if stats == nil {
		return
	}
	s := scan.Stats()
	stats.Rows.Store(s.Rows)
	stats.Memtable.Store(s.Memtable)
	stats.Blocks.Store(s.Blocks)
	stats.Parts.Store(s.Parts)
	stats.Chunks.Store(s.Chunks)
	stats.Bytes.Store(s.Bytes)
}

// projection computes the columns that a scan asks for from stored ones.
type projection struct {
	table  *telemetry
	refs   []catalog.ColumnRef
	stored []engine.ColumnRef
	inputs [][]int // by ref: places in stored

	members map[int]*otlp.LLMMember // by ref: what is asked of llm and can be had by itself

	payloads bool // what is asked of llm follows from payloads
}

// plan enters what a column is made of.
func (p *projection) plan(ref catalog.ColumnRef) {
	if ref.Index == catalog.RowNumber {
		p.inputs = append(p.inputs, []int{p.need(engine.ColumnRef{Field: engine.RowNumber})})
		return
	}
	source := p.table.columns[ref.Index].source
	var inputs []int
	if source[0] == "llm" && ref.Key != "" {
		if m, ok := otlp.FindLLMMember(ref.Key); ok {
			p.planMember(m, source[1], source[2])
			return
		}
	}
	switch {
	case source[0] == "row":
		inputs = append(inputs, p.need(engine.ColumnRef{Field: engine.RowNumber}))
	case source[0] == "sha256":
		inputs = append(inputs, p.need(engine.ColumnRef{Field: p.table.schema.Index(source[1]), Digest: true}))
	case len(source) == 1:
		field := p.table.schema.Index(source[0])
		key := ""
		if ref.Key != "" && p.table.schema.Fields[field].Kind == vector.Map {
			key = ref.Key
		}
		inputs = append(inputs, p.need(engine.ColumnRef{Field: field, Key: key}))
	default:
		for _, name := range source[1:] {
			inputs = append(inputs, p.need(engine.ColumnRef{Field: p.table.schema.Index(name), Stored: source[0] == "llm" && !p.payloads}))
		}
	}
	p.inputs = append(p.inputs, inputs)
}

func (p *projection) need(ref engine.ColumnRef) int {
	for i, have := range p.stored {
		if have == ref {
			return i
		}
	}
	p.stored = append(p.stored, ref)
	return len(p.stored) - 1
}

type telemetryReader struct {
	in         vector.Reader
	projection *projection
	done       func() // called at the end; then nil
}

func (r *telemetryReader) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := r.in.Next(ctx)
	if err != nil {
		return nil, storageError(err)
	}
	if b == nil {
		r.finish()
		return nil, nil
	}
	calls := r.projection.newLLMCalls()
	out := vector.NewLazyBatch(b.N, len(r.projection.refs), func(i int) (*vector.Column, error) {
		c, err := r.projection.column(b, i, calls)
		if err != nil {
			return nil, storageError(err)
		}
		return c, nil
	})
	out.Sel = b.Sel
	return out, nil
}

func (r *telemetryReader) finish() {
	if done := r.done; done != nil {
		r.done = nil
		done()
	}
}

func (r *telemetryReader) Close() {
	r.finish()
	r.in.Close()
}

// storageError gives an error of the engine its SQLSTATE.
func storageError(err error) error {
	if errors.Is(err, engine.ErrCorrupt) {
		return pgerr.New(pgerr.DataCorrupted, "stored data is corrupt").WithDetail("%v", err).Wrap(err)
	}
	if errors.Is(err, engine.ErrUnavailable) {
		return pgerr.New(pgerr.IOError, "the object store of older data is not available").WithHint("Newer data can be read: ask for a range of time.").Wrap(err)
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return pgerr.New(pgerr.IOError, "stored data cannot be read").Wrap(err)
	}
	return err
}

// column computes column i of a batch.
func (p *projection) column(b *vector.Batch, i int, calls *llmCalls) (*vector.Column, error) {
	ref := p.refs[i]
	if ref.Index == catalog.RowNumber {
		return b.Column(p.inputs[i][0])
	}
	if m := p.members[i]; m != nil {
		return member(b, p.inputs[i], m)
	}
	if p.table.columns[ref.Index].source[0] == "llm" {
		c, err := calls.column(b, p.inputs[i])
		if err != nil || ref.Key == "" {
			return c, err
		}
		return jsonKey(c, ref.Key), nil
	}
	inputs := make([]*vector.Column, len(p.inputs[i]))
	for k, at := range p.inputs[i] {
		c, err := b.Column(at)
		if err != nil {
			return nil, err
		}
		inputs[k] = c
	}
	switch p.table.columns[ref.Index].source[0] {
	case "row":
		return storedNumbers(inputs[0]), nil
	case "micros":
		return micros(inputs[0]), nil
	case "ms":
		return durationMillis(inputs[0], inputs[1]), nil
	case "ns":
		return durationNanos(inputs[0], inputs[1]), nil
	case "bytes":
		return rawBytes(inputs[0]), nil
	}
	if ref.Key != "" && p.stored[p.inputs[i][0]].Key == "" {
		return jsonKey(inputs[0], ref.Key), nil
	}
	return inputs[0], nil
}

// storedNumbers gives the running numbers; rows that are not committed have none.
func storedNumbers(c *vector.Column) *vector.Column {
	if len(c.Ints) == 0 || slices.Min(c.Ints) >= 0 {
		return c
	}
	out := &vector.Column{Kind: vector.Int64, Len: c.Len, Valid: vector.NewBitmap(c.Len), Ints: make([]int64, c.Len)}
	for i, n := range c.Ints {
		if n >= 0 {
			out.Ints[i] = n
			out.Valid.Set(i)
		}
	}
	return out
}

func micros(c *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.Int64, Len: c.Len, Valid: c.Valid, Ints: make([]int64, c.Len)}
	for i, n := range c.Ints {
		out.Ints[i] = pgtypes.MicrosFromUnixNanos(n)
	}
	return out
}

func rawBytes(c *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.Any, Len: c.Len, Valid: c.Valid, Anys: make([]any, c.Len)}
	for i := range c.Len {
		if !c.IsNull(i) {
			out.Anys[i] = []byte(c.Str(i))
		}
	}
	return out
}

func durationNanos(start, end *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.Int64, Len: start.Len, Ints: make([]int64, start.Len)}
	for i := range out.Ints {
		out.Ints[i] = end.Ints[i] - start.Ints[i]
	}
	return out
}

func durationMillis(start, end *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.Float, Len: start.Len, Floats: make([]float64, start.Len)}
	for i := range out.Floats {
		out.Floats[i] = float64(end.Ints[i]-start.Ints[i]) / 1e6
	}
	return out
}

// jsonKey is ->> over a column of jsonb texts, once for each dictionary value.
func jsonKey(c *vector.Column, key string) *vector.Column {
	out := vector.NewBuilder(vector.String, c.Len)
	if c.Dict == nil {
		for i := range c.Len {
			if c.IsNull(i) {
				out.AppendNull()
			} else {
				out.Append(jsonText(c.Strs[i], key))
			}
		}
		return out.Finish()
	}
	values := make([]any, len(c.Dict))
	for d, doc := range c.Dict {
		values[d] = jsonText(doc, key)
	}
	for i, code := range c.Codes {
		if c.IsNull(i) {
			out.AppendNull()
		} else {
			out.Append(values[code])
		}
	}
	return out.Finish()
}

func jsonText(doc, key string) any {
	raw, ok := pgtypes.JSONGet(doc, key)
	if !ok {
		return nil
	}
	text, null := pgtypes.JSONText(raw)
	if null {
		return nil
	}
	return text
}

// filters turns conjuncts into what the engine can prune by.
func (t *telemetry) filters(list []catalog.Filter) []engine.Filter {
	var out []engine.Filter
	for _, f := range list {
		if e, ok := t.filter(f); ok {
			out = append(out, e)
		}
	}
	return out
}

func (t *telemetry) filter(f catalog.Filter) (engine.Filter, bool) {
	source := t.columns[f.Column.Index].source
	if source[0] == "micros" {
		return timeFilter(t.schema.Index(source[1]), f)
	}
	field := t.schema.Index(source[0])
	if len(source) != 1 || field < 0 {
		return engine.Filter{}, false
	}
	ref := engine.ColumnRef{Field: field, Key: f.Column.Key}
	kind := t.schema.Fields[field].Kind
	switch {
	case f.Column.Key != "" && kind != vector.Map:
		return engine.Filter{}, false
	case f.Op == catalog.Contains, f.Op == catalog.ContainsFold:
		s, ok := f.Values[0].(string)
		return engine.Filter{Ref: ref, Contains: s, Fold: f.Op == catalog.ContainsFold}, ok
	case f.Op != catalog.Equal && f.Op != catalog.In:
		if kind == vector.Int64 {
			return rangeFilter(ref, f, 1)
		}
		return engine.Filter{}, false
	case kind == vector.Hex:
		return hexFilter(ref, t.schema.Fields[field].Width, f.Values), true
	case kind == vector.String || kind == vector.Map:
		return engine.Filter{Ref: ref, Equals: f.Values}, true
	case kind == vector.Int64 && f.Op == catalog.Equal:
		return rangeFilter(ref, f, 1)
	}
	return engine.Filter{}, false
}

// hexFilter compares ids as bytes. A text that is no id of that length in
// lower case equals none.
func hexFilter(ref engine.ColumnRef, width int, values []any) engine.Filter {
	f := engine.Filter{Ref: ref, Equals: []any{}}
	for _, v := range values {
		s, ok := v.(string)
		if !ok || len(s) != 2*width {
			continue
		}
		id := make([]byte, width)
		for i := range len(s) {
			d := strings.IndexByte("0123456789abcdef", s[i])
			if d < 0 {
				id = nil
				break
			}
			id[i/2] = id[i/2]<<4 | byte(d)
		}
		if id != nil {
			f.Equals = append(f.Equals, id)
		}
	}
	return f
}

const (
	minInt64 = -1 << 63
	maxInt64 = 1<<63 - 1
)

// timeFilter compares a timestamptz with a field in ns: the column is the
// field's microsecond, rounded towards the past.
func timeFilter(field int, f catalog.Filter) (engine.Filter, bool) {
	return rangeFilter(engine.ColumnRef{Field: field}, f, 1000)
}

// rangeFilter gives the range of a field whose value divided by unit compares
// with the constant. With unit 1000 constants are timestamptz.
func rangeFilter(ref engine.ColumnRef, f catalog.Filter, unit int64) (engine.Filter, bool) {
	if len(f.Values) != 1 {
		return engine.Filter{}, false
	}
	v, ok := f.Values[0].(int64)
	if !ok {
		return engine.Filter{}, false
	}
	low, high := v, v
	if unit == 1000 {
		low = pgtypes.UnixNanosFromMicros(v)
		if high = low; high < maxInt64-unit {
			high += unit - 1
		}
	}
	out := engine.Filter{Ref: ref, Min: minInt64, Max: maxInt64}
	switch f.Op {
	case catalog.Equal:
		out.Min, out.Max = low, high
	case catalog.Less:
		out.Max = max(low, minInt64+1) - 1
	case catalog.LessEqual:
		out.Max = high
	case catalog.Greater:
		out.Min = min(high, maxInt64-1) + 1
	case catalog.GreaterEqual:
		out.Min = low
	default:
		return engine.Filter{}, false
	}
	return out, true
}
