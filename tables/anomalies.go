package tables

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/anomaly"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// anomalies is the table function over package anomaly: it reads both windows,
// in one scan a signal, and gives the findings as rows.
type anomalies struct {
	rel                  *catalog.Relation
	spans, logs, metrics *telemetry
}

func newAnomalies(spans, logs, metrics *telemetry) *anomalies {
	rel := &catalog.Relation{
		OID: functionOID("anomalies"), Schema: catalog.PublicSchema, Name: "anomalies", Kind: 'f',
		Comment: "What services do differently in the current window than in the one before it, the likeliest origin first.",
	}
	rel.Columns = []catalog.Column{
		col("service", pgtypes.Text, "Service"),
		col("kind", pgtypes.Text, "What differs: error_rate, p95_latency, new_service, traffic_drop, log_error_rate; or as the strongest evidence own_time, edge_time, tail, error, log_new, log_missing, log_error, call_new, call_missing, local_new, local_missing, truncation, cpu"),
		col("severity", pgtypes.Text, "high and medium are alarms; low only ranks"),
		col("current", pgtypes.Float8, "Figure of the current window: a share, milliseconds, or a rate"),
		col("baseline", pgtypes.Float8, "The same of the window before it"),
		col("delta", pgtypes.Float8, "current less baseline"),
		col("description", pgtypes.Text, "A sentence with both figures"),
		col("rank", pgtypes.Int8, "Of the service: 1 is the likeliest origin"),
		col("score", pgtypes.Float8, "Strength of the service's strongest evidence, at 90 % confidence, in natural-log units"),
		col("factor", pgtypes.Float8, "exp(score): at least so many times slower, or higher odds"),
		col("p_value", pgtypes.Float8, "Chance of such a difference without a cause, corrected for all that was compared"),
		col("operation", pgtypes.Text, "Operation that the evidence is of"),
		col("caller", pgtypes.Text, "Caller, where calls are slower"),
		col("explained_by", pgtypes.Text, "Neighbour that explains a part"),
		col("current_count", pgtypes.Int8, "Samples in the current window"),
		col("baseline_count", pgtypes.Int8, "Samples in the baseline"),
		col("evidence_trace_id", pgtypes.Text, "A trace of the current window that shows it"),
	}
	return &anomalies{rel: rel, spans: spans, logs: logs, metrics: metrics}
}

// Relation describes the findings.
func (a *anomalies) Relation() *catalog.Relation { return a.rel }

// Args describes the arguments.
func (a *anomalies) Args() []catalog.Arg {
	return []catalog.Arg{
		{Name: "current_seconds", Type: pgtypes.Of(pgtypes.Int4)},
		{Name: "baseline_seconds", Type: pgtypes.Of(pgtypes.Int4)},
		{Name: "service", Type: pgtypes.Of(pgtypes.Text), Default: "NULL"},
		{Name: "at", Type: pgtypes.Of(pgtypes.Timestamptz), Default: "now()"},
	}
}

// Call compares [at-current, at) with the baseline before it. Every service is
// judged, since they explain each other; the argument service picks from that.
func (a *anomalies) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	kinds := exec.Kinds(columnTypes(a.rel))
	current, ok1 := args[0].(int64)
	baseline, ok2 := args[1].(int64)
	at, ok3 := args[3].(int64)
	if !ok1 || !ok2 || !ok3 {
		return exec.FromSlice(kinds, nil), nil
	}
	for _, seconds := range []int64{current, baseline} {
		if seconds <= 0 {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "a window of %d seconds is not positive", seconds)
		}
	}
	if at == maxInt64 || at == minInt64 {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "a window cannot end at infinity")
	}
	since, until := at-(current+baseline)*1e6, at
	gather := func() *windows {
		return &windows{
			in:    anomaly.NewInput(float64(baseline), float64(current)),
			since: pgtypes.UnixNanosFromMicros(since), until: pgtypes.UnixNanosFromMicros(until),
			boundary: pgtypes.UnixNanosFromMicros(at - current*1e6),
			env:      env,
		}
	}
	// Logs cost most, for their templates: they are read aside.
	w, aside := gather(), gather()
	defer func() { env.Account.Shrink(w.taken + aside.taken) }()
	var wait sync.WaitGroup
	var logsErr error
	wait.Go(func() {
		logsErr = aside.read(ctx, a.logs, logColumns, timeRange(a.logs, since, until, nil), aside.addLogs)
	})
	err := w.read(ctx, a.spans, spanColumns, timeRange(a.spans, since, until, nil), w.addSpans)
	if err == nil {
		err = w.read(ctx, a.metrics, readingColumns, timeRange(a.metrics, since, until, []catalog.Filter{{
			Column: catalog.ColumnRef{Index: a.metrics.rel.Index("name")}, Op: catalog.In, Values: []any{cpuLimitUse, cpuUse},
		}}), w.addReadings)
	}
	wait.Wait()
	if err = cmp.Or(err, logsErr); err != nil {
		return nil, err
	}
	w.in.Absorb(aside.in)
	var rows [][]any
	for _, f := range anomaly.Detect(w.in) {
		if args[2] == nil || args[2] == f.Service {
			rows = append(rows, findingRow(f))
		}
	}
	return exec.FromSlice(kinds, rows), nil
}

func columnTypes(rel *catalog.Relation) []pgtypes.Type {
	types := make([]pgtypes.Type, len(rel.Columns))
	for i, c := range rel.Columns {
		types[i] = c.Type
	}
	return types
}

// timeRange is the filters of a scan of [since, until).
func timeRange(t *telemetry, since, until int64, more []catalog.Filter) []catalog.Filter {
	place := t.rel.Index("timestamp")
	if place < 0 {
		place = t.rel.Index("start_time")
	}
	ref := catalog.ColumnRef{Index: place}
	return append([]catalog.Filter{
		{Column: ref, Op: catalog.GreaterEqual, Values: []any{since}},
		{Column: ref, Op: catalog.Less, Values: []any{until}},
	}, more...)
}

func findingRow(f anomaly.Finding) []any {
	evidence := any(nil)
	if f.HasEvidence {
		evidence = hex.EncodeToString(f.Evidence[:])
	}
	return []any{
		f.Service, f.Kind, f.Severity, f.Current, f.Base, f.Current - f.Base, f.Description,
		int64(f.Rank), f.Score, f.Factor(), f.P, orNull(f.Operation), orNull(f.Caller), orNull(f.ExplainedBy),
		f.CurrentCount, f.BaseCount, evidence,
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// The columns that the windows are made of, in the order in which the methods
// of windows find them.
var (
	spanColumns = []string{
		"trace_id", "span_id", "parent_span_id", "service", "operation", "otel_kind",
		"start_time_unix_nano", "end_time_unix_nano", "status", "status_message", "exception_type", "error_type",
	}
	logColumns     = []string{"timestamp", "trace_id", "span_id", "service", "severity", "body", "exception_type"}
	readingColumns = []string{"timestamp", "service", "name", "unit", "value"}
)

// Pod CPU by the names of OpenTelemetry's Kubernetes receivers.
const (
	cpuLimitUse = "k8s.pod.cpu_limit_utilization"
	cpuUse      = "k8s.pod.cpu.usage"
)

// windows gathers the input from batches of columns.
type windows struct {
	in           *anomaly.Input
	since, until int64 // ns
	boundary     int64 // where the current window begins
	env          *expr.Env
	taken        int64
	templates    map[uint32]map[uint32]bool // by service
}

func (w *windows) read(ctx context.Context, t *telemetry, columns []string, filters []catalog.Filter, add func(*vector.Batch) error) error {
	req := &catalog.ScanRequest{Env: w.env, Filters: filters, Workers: 1}
	for _, name := range columns {
		req.Columns = append(req.Columns, catalog.ColumnRef{Index: t.rel.Index(name)})
	}
	readers, err := t.Scan(ctx, req)
	if err != nil {
		return err
	}
	in := exec.Concat(readers...)
	defer in.Close()
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		n := int64(b.Live()) * 160 // what the items and what is derived of them take
		if err := w.env.Account.Grow(n); err != nil {
			return err
		}
		w.taken += n
		if err := add(b); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// side tells which window a time is in.
func (w *windows) side(nanos int64) (anomaly.Side, bool) {
	switch {
	case nanos < w.since || nanos >= w.until:
		return 0, false
	case nanos < w.boundary:
		return anomaly.Base, true
	}
	return anomaly.Current, true
}

// texts reads a String column as codes of the input's names.
type texts struct {
	col   *vector.Column
	codes []uint32 // of the dictionary, ^0 where not made yet
	code  func(string) uint32
}

func newTexts(col *vector.Column, code func(string) uint32) *texts {
	t := &texts{col: col, code: code}
	if col.Dict != nil {
		t.codes = make([]uint32, len(col.Dict))
		for i := range t.codes {
			t.codes[i] = ^uint32(0)
		}
	}
	return t
}

// at gives the code of row i, 0 for NULL.
func (t *texts) at(i int) uint32 {
	switch {
	case t.col.IsNull(i):
		return 0
	case t.codes == nil:
		return t.code(t.col.Str(i))
	}
	d := t.col.Codes[i]
	if t.codes[d] == ^uint32(0) {
		t.codes[d] = t.code(t.col.Dict[d])
	}
	return t.codes[d]
}

// decode gives all columns of a batch.
func decode(b *vector.Batch) ([]*vector.Column, error) {
	cols := make([]*vector.Column, b.Width())
	for i := range cols {
		c, err := b.Column(i)
		if err != nil {
			return nil, err
		}
		cols[i] = c
	}
	return cols, nil
}

func (w *windows) addSpans(b *vector.Batch) error {
	cols, err := decode(b)
	if err != nil {
		return err
	}
	is := func(texts ...string) func(string) uint32 {
		return func(s string) uint32 {
			for _, t := range texts {
				if s == t {
					return 1
				}
			}
			return 0
		}
	}
	services, operations := newTexts(cols[3], w.in.Name), newTexts(cols[4], w.in.Name)
	entry, failed := newTexts(cols[5], is("server", "consumer")), newTexts(cols[8], is("error"))
	template := func(s string) uint32 { return w.in.Name(anomaly.Template(s)) }
	messages, exceptions, types := newTexts(cols[9], template), newTexts(cols[10], w.in.Name), newTexts(cols[11], w.in.Name)
	for k := range b.Live() {
		i := b.Row(k)
		side, ok := w.side(cols[6].Ints[i])
		if !ok {
			continue
		}
		s := anomaly.Span{
			Trace: w.in.Trace([16]byte(cols[0].HexBytes(i))), ID: binary.BigEndian.Uint64(cols[1].HexBytes(i)),
			Service: services.at(i), Operation: operations.at(i), Start: cols[6].Ints[i], End: cols[7].Ints[i],
			Side: side, Entry: entry.at(i) == 1, Failed: failed.at(i) == 1,
		}
		if !cols[2].IsNull(i) {
			s.Parent = binary.BigEndian.Uint64(cols[2].HexBytes(i))
		}
		if s.Failed {
			for _, t := range []*texts{messages, exceptions, types} {
				if s.Error = t.at(i); s.Error != 0 {
					break
				}
			}
			if s.Error == 0 {
				s.Error = w.in.Name("error")
			}
		}
		w.in.Spans = append(w.in.Spans, s)
	}
	return nil
}

func (w *windows) addLogs(b *vector.Batch) error {
	cols, err := decode(b)
	if err != nil {
		return err
	}
	const warning, failure = 1, 2
	severities := newTexts(cols[4], func(s string) uint32 {
		switch s {
		case "warn":
			return warning
		case "error", "fatal":
			return failure
		}
		return 0
	})
	services := newTexts(cols[3], w.in.Name)
	templates := newTexts(cols[5], func(s string) uint32 { return w.in.Name(anomaly.Template(s)) })
	thrown := newTexts(cols[5], func(s string) uint32 { return w.in.Name(anomaly.Thrown(s)) })
	exceptions := newTexts(cols[6], func(s string) uint32 { return w.in.Name(s[strings.LastIndexByte(s, '.')+1:]) })
	for k := range b.Live() {
		i := b.Row(k)
		side, ok := w.side(pgtypes.UnixNanosFromMicros(cols[0].Ints[i]))
		if !ok {
			continue
		}
		severity := severities.at(i)
		l := anomaly.Log{
			Service: services.at(i), Side: side, Warning: severity >= warning, Error: severity == failure, Thrown: exceptions.at(i),
		}
		l.Template = w.template(l.Service, templates.at(i))
		if l.Thrown == 0 {
			l.Thrown = thrown.at(i)
		}
		if !cols[1].IsNull(i) && !cols[2].IsNull(i) {
			l.Trace = w.in.Trace([16]byte(cols[1].HexBytes(i)))
			l.Span = binary.BigEndian.Uint64(cols[2].HexBytes(i))
		}
		w.in.Logs = append(w.in.Logs, l)
	}
	return nil
}

// template bounds how many templates of a service are told apart.
func (w *windows) template(service, template uint32) uint32 {
	seen := w.templates[service]
	if seen == nil {
		seen = make(map[uint32]bool)
		if w.templates == nil {
			w.templates = make(map[uint32]map[uint32]bool)
		}
		w.templates[service] = seen
	}
	if !seen[template] {
		if len(seen) >= anomaly.MaxTemplates {
			return w.in.Name("(other)")
		}
		seen[template] = true
	}
	return template
}

func (w *windows) addReadings(b *vector.Batch) error {
	cols, err := decode(b)
	if err != nil {
		return err
	}
	for k := range b.Live() {
		i := b.Row(k)
		side, ok := w.side(pgtypes.UnixNanosFromMicros(cols[0].Ints[i]))
		name := cols[2].Str(i)
		if !ok || cols[4].IsNull(i) || name != cpuLimitUse && name != cpuUse {
			continue
		}
		r := anomaly.Reading{Service: w.in.Name(cols[1].Str(i)), Side: side, Limited: name == cpuLimitUse, Value: cols[4].Floats[i]}
		switch cols[3].Str(i) {
		case "%":
			r.Value /= 100
		case "m{cpu}":
			r.Value /= 1000
		}
		w.in.Readings = append(w.in.Readings, r)
	}
	return nil
}
