package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	logsCollector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricsCollector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// throughPData reads a request with pdata and writes it again, so that what it
// does not tell apart (an empty id and a zero one) is the same.
func throughPData(t testing.TB, signal record.Type, body []byte) []byte {
	t.Helper()
	var request interface {
		UnmarshalProto([]byte) error
		MarshalProto() ([]byte, error)
	}
	switch signal {
	case record.Traces:
		request = ptraceotlp.NewExportRequest()
	case record.Logs:
		request = plogotlp.NewExportRequest()
	default:
		request = pmetricotlp.NewExportRequest()
	}
	if err := request.UnmarshalProto(body); err != nil {
		t.Fatalf("pdata: %v", err)
	}
	out, err := request.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// dump prints every field that is set. The order of KeyValues counts only
// among those of one key.
func dump(w *strings.Builder, m protoreflect.Message) {
	type field struct {
		num  protoreflect.FieldNumber
		text string
	}
	var list []field
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		var s strings.Builder
		one := func(v protoreflect.Value) string {
			var e strings.Builder
			switch fd.Kind() {
			case protoreflect.MessageKind:
				dump(&e, v.Message())
			case protoreflect.DoubleKind:
				fmt.Fprintf(&e, "%x", math.Float64bits(v.Float()))
			default:
				fmt.Fprintf(&e, "%q", fmt.Sprint(v.Interface()))
			}
			return e.String()
		}
		if fd.IsList() {
			var parts, keys []string
			for i := range v.List().Len() {
				e := v.List().Get(i)
				parts = append(parts, one(e))
				if fd.Kind() == protoreflect.MessageKind && fd.Message().Name() == "KeyValue" {
					keys = append(keys, e.Message().Interface().(*common.KeyValue).Key)
				}
			}
			if keys != nil {
				order := make([]int, len(keys))
				for i := range order {
					order[i] = i
				}
				sort.SliceStable(order, func(i, j int) bool { return keys[order[i]] < keys[order[j]] })
				sorted := make([]string, len(parts))
				for i, at := range order {
					sorted[i] = parts[at]
				}
				parts = sorted
			}
			fmt.Fprintf(&s, "[%s]", strings.Join(parts, ", "))
		} else {
			s.WriteString(one(v))
		}
		list = append(list, field{fd.Number(), fmt.Sprintf("%s: %s", fd.Name(), &s)})
		return true
	})
	slices.SortFunc(list, func(a, b field) int { return int(a.num - b.num) })
	w.WriteByte('{')
	for i, f := range list {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(f.text)
	}
	w.WriteByte('}')
}

// itemTexts prints every item of a request with all that is said of it.
func itemTexts(t testing.TB, signal record.Type, body []byte) (out []string) {
	t.Helper()
	body = throughPData(t, signal, body)
	add := func(res *resourcepb.Resource, resURL string, scope *common.InstrumentationScope, scopeURL string, messages ...proto.Message) {
		var w strings.Builder
		fmt.Fprintf(&w, "%q %q\n", resURL, scopeURL)
		for _, m := range append([]proto.Message{res, scope}, messages...) {
			dump(&w, m.ProtoReflect())
			w.WriteByte('\n')
		}
		out = append(out, w.String())
	}
	unmarshal := func(m proto.Message) {
		if err := proto.Unmarshal(body, m); err != nil {
			t.Fatal(err)
		}
	}
	switch signal {
	case record.Traces:
		var r collector.ExportTraceServiceRequest
		unmarshal(&r)
		for _, rs := range r.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					add(rs.Resource, rs.SchemaUrl, ss.Scope, ss.SchemaUrl, s)
				}
			}
		}
	case record.Logs:
		var r logsCollector.ExportLogsServiceRequest
		unmarshal(&r)
		for _, rl := range r.ResourceLogs {
			for _, sl := range rl.ScopeLogs {
				for _, l := range sl.LogRecords {
					add(rl.Resource, rl.SchemaUrl, sl.Scope, sl.SchemaUrl, l)
				}
			}
		}
	default:
		var r metricsCollector.ExportMetricsServiceRequest
		unmarshal(&r)
		for _, rm := range r.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				for _, m := range sm.Metrics {
					points := takePoints(m)
					for _, p := range points {
						add(rm.Resource, rm.SchemaUrl, sm.Scope, sm.SchemaUrl, m, p)
					}
				}
			}
		}
	}
	return out
}

// takePoints takes the points out of a metric.
func takePoints(m *metrics.Metric) (out []proto.Message) {
	switch d := m.Data.(type) {
	case *metrics.Metric_Gauge:
		for _, p := range d.Gauge.DataPoints {
			out = append(out, p)
		}
		d.Gauge.DataPoints = nil
	case *metrics.Metric_Sum:
		for _, p := range d.Sum.DataPoints {
			out = append(out, p)
		}
		d.Sum.DataPoints = nil
	case *metrics.Metric_Histogram:
		for _, p := range d.Histogram.DataPoints {
			out = append(out, p)
		}
		d.Histogram.DataPoints = nil
	case *metrics.Metric_ExponentialHistogram:
		for _, p := range d.ExponentialHistogram.DataPoints {
			out = append(out, p)
		}
		d.ExponentialHistogram.DataPoints = nil
	case *metrics.Metric_Summary:
		for _, p := range d.Summary.DataPoints {
			out = append(out, p)
		}
		d.Summary.DataPoints = nil
	}
	return out
}

// encodesBack decodes a request, encodes the rows and compares the items, then
// the rows that the encoded request decodes to. It gives the number of items.
func encodesBack(t *testing.T, signal record.Type, body []byte) int {
	t.Helper()
	rows := mustDecode(t, signal, body).Rows
	again, err := Encode(rows)
	if err != nil {
		t.Fatal(err)
	}
	want, got := itemTexts(t, signal, body), itemTexts(t, signal, again)
	if len(got) != len(want) {
		t.Fatalf("%d items, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("item %d is\n%s\nwant\n%s", i, got[i], want[i])
		}
	}
	sameRows(t, mustDecode(t, signal, again).Rows, rows)
	return len(want)
}

// sameRows compares rows. The parts of attributes_ext may be in another order.
func sameRows(t *testing.T, got, want *vector.Rows) {
	t.Helper()
	if got.N != want.N {
		t.Fatalf("%d rows, want %d", got.N, want.N)
	}
	for i, f := range want.Schema.Fields {
		for row := range want.N {
			a, b := got.Cols[i].Value(row), want.Cols[i].Value(row)
			if f.Name == "attributes_ext" {
				x, _ := a.(string)
				y, _ := b.(string)
				if len(x) != len(y) {
					t.Fatalf("row %d, %s: %x, want %x", row, f.Name, x, y)
				}
			} else if !sameBits(a, b) {
				t.Fatalf("row %d, %s: %v, want %v", row, f.Name, a, b)
			}
		}
	}
}

func sameBits(a, b any) bool {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return math.Float64bits(x) == math.Float64bits(y)
	}
	if x, ok := a.(*pgtypes.Array); ok {
		y, ok := b.(*pgtypes.Array)
		return ok && slices.EqualFunc(x.Elems, y.Elems, sameBits)
	}
	return same(a, b)
}

func TestEncodeRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range uint64(150) {
		for signal, body := range otlptest.Requests(seed + i) {
			encodesBack(t, signal, body)
			if t.Failed() {
				t.Fatalf("seed %d", seed+i)
			}
		}
	}
}

// Whole files of real traffic survive.
func TestEncodeRecordedTraffic(t *testing.T) {
	for _, file := range []string{"tt-2023-01-29/0843", "ob-2022-08-22/0519", "ob-2022-08-22/0353"} {
		for signal := range oracles {
			t.Run(file+"/"+signal.String(), func(t *testing.T) {
				path := filepath.Join(shared(t, "data", "nezha", "dev"), fmt.Sprintf("%s.%s.otlp.zst", file, signal))
				if _, err := os.Stat(path); err != nil {
					t.Skip(err)
				}
				items := 0
				for _, body := range messages(t, path) {
					items += encodesBack(t, signal, body)
				}
				if items == 0 {
					t.Fatal("no items")
				}
			})
		}
	}
}

func TestEncodeExamples(t *testing.T) {
	dir := shared(t, "data", "otlp-proto-examples")
	for file, signal := range map[string]record.Type{
		"trace.json": record.Traces, "logs.json": record.Logs, "events.json": record.Logs, "metrics.json": record.Metrics,
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		body, err := fromJSON(signal, text)
		if err != nil {
			t.Fatal(err)
		}
		if encodesBack(t, signal, body) == 0 {
			t.Fatalf("%s: no items", file)
		}
	}
}

func strValue(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

// oddAttributes have all that jsonb cannot carry, and its neighbours.
func oddAttributes() []*common.KeyValue {
	list := &common.KeyValueList{Values: []*common.KeyValue{{Key: "x", Value: strValue("a\x00")}, {Key: "x", Value: strValue("b")}}}
	return []*common.KeyValue{
		{Key: "twice", Value: strValue("1")},
		{Key: "plain", Value: strValue("p")},
		{Key: "twice", Value: strValue("2")},
		{Key: "bytes", Value: &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0, 0xff}}}},
		{Key: "nan", Value: &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: math.NaN()}}},
		{Key: "zero", Value: &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: math.Copysign(0, -1)}}},
		{Key: "nothing"},
		{Key: "list", Value: &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: list}}},
		{Key: "nul\x00", Value: strValue("c")},
		{Key: "nul\ufffd", Value: strValue("d")},
	}
}

// What only attributes_ext carries comes back, from every level, and does not
// pass to rows beside.
func TestEncodeKeepsWhatJSONCannotCarry(t *testing.T) {
	odd := goodSpan()
	odd.Name, odd.TraceState = "a\x00b", "c\x00"
	odd.Kind, odd.Status = 17, &trace.Status{Code: 9, Message: "m\x00"}
	odd.Attributes = oddAttributes()
	for range 2 {
		odd.Events = append(odd.Events, &trace.Span_Event{Name: "plain", TimeUnixNano: 5}, &trace.Span_Event{Name: "e", Attributes: oddAttributes()})
		odd.Links = append(odd.Links, &trace.Span_Link{}, &trace.Span_Link{Attributes: oddAttributes()})
	}
	res := &resourcepb.Resource{Attributes: oddAttributes(), EntityRefs: []*common.EntityRef{
		{Type: "t", IdKeys: []string{"a", "b"}, DescriptionKeys: []string{"d"}, SchemaUrl: "u"}, {Type: "x\x00"},
	}}
	scope := &common.InstrumentationScope{Name: "s\x00", Version: "v", Attributes: oddAttributes()}
	request := &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{
		{Resource: res, SchemaUrl: "url\x00", ScopeSpans: []*trace.ScopeSpans{
			{Scope: scope, SchemaUrl: "x\x00", Spans: []*trace.Span{goodSpan(), odd, goodSpan()}},
			{Scope: &common.InstrumentationScope{Name: "s\ufffd", Version: "v"}, Spans: []*trace.Span{goodSpan()}},
		}},
		{Resource: &resourcepb.Resource{}, ScopeSpans: []*trace.ScopeSpans{{Spans: []*trace.Span{goodSpan()}}}},
	}}
	body, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if n := encodesBack(t, record.Traces, body); n != 5 {
		t.Errorf("%d spans", n)
	}

	log := &logs.LogRecord{TimeUnixNano: 1, Attributes: oddAttributes(), SeverityText: "s\x00", EventName: "e\x00", Body: &common.AnyValue{
		Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: oddAttributes()}},
	}}
	body, err = proto.Marshal(&logsCollector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: res, ScopeLogs: []*logs.ScopeLogs{{Scope: scope, LogRecords: []*logs.LogRecord{log, {TimeUnixNano: 2, Body: strValue("nul\x00")}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	encodesBack(t, record.Logs, body)

	point := &metrics.NumberDataPoint{
		TimeUnixNano: 1, Attributes: oddAttributes(), Value: &metrics.NumberDataPoint_AsDouble{AsDouble: math.NaN()},
		Exemplars: []*metrics.Exemplar{
			{Value: &metrics.Exemplar_AsInt{AsInt: -3}, TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), TimeUnixNano: 7},
			{Value: &metrics.Exemplar_AsDouble{AsDouble: 3}},
			{Value: &metrics.Exemplar_AsDouble{AsDouble: math.Inf(-1)}},
			{FilteredAttributes: oddAttributes()},
		},
	}
	gauge := func(name string, metadata []*common.KeyValue) *metrics.Metric {
		return &metrics.Metric{
			Name: name, Unit: "u\x00", Metadata: metadata,
			Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: []*metrics.NumberDataPoint{point, {TimeUnixNano: 4}}}},
		}
	}
	clean := gauge("g\ufffd", nil)
	clean.Unit = "u\ufffd"
	sum := &metrics.Metric{Name: "g\ufffd", Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
		AggregationTemporality: 7, DataPoints: []*metrics.NumberDataPoint{point},
	}}}
	body, err = proto.Marshal(&metricsCollector.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource: res, ScopeMetrics: []*metrics.ScopeMetrics{{Scope: scope, Metrics: []*metrics.Metric{
			gauge("g\x00", oddAttributes()), gauge("g\ufffd", oddAttributes()[:1]), gauge("g\ufffd", nil), clean, sum,
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	encodesBack(t, record.Metrics, body)
}

// A name that is not UTF-8, which proto.Marshal refuses, comes back too.
func TestEncodeInvalidUTF8(t *testing.T) {
	s := goodSpan()
	s.Name = "a#b"
	body := request(t, s)
	body[slices.Index(body, '#')] = 0xff
	again, err := Encode(mustDecode(t, record.Traces, body).Rows)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(again, []byte("a\xffb")) {
		t.Errorf("the name is lost in %q", again)
	}
}

// Rows in sequence share what they agree in: the request does not grow.
func TestEncodeShares(t *testing.T) {
	spans := make([]*trace.Span, 100)
	for i := range spans {
		spans[i] = goodSpan()
	}
	body := request(t, spans...)
	again, err := Encode(mustDecode(t, record.Traces, body).Rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(again) > len(body)+20 {
		t.Errorf("%d bytes have become %d", len(body), len(again))
	}
}

// build makes rows of one column a name, as a statement would give them.
func build(schema *vector.Schema, values map[string]any) *vector.Rows {
	rows := &vector.Rows{Schema: schema, N: 1, Cols: make([]*vector.Column, len(schema.Fields))}
	for name, v := range values {
		i := mustField(schema, name)
		b := vector.NewBuilder(schema.Fields[i].Kind, 1)
		b.Append(v)
		rows.Cols[i] = b.Finish()
	}
	return rows
}

// Rows that no request made: most columns are left out, ids and jsonb are texts.
func TestEncodeSparseRows(t *testing.T) {
	const traceID, spanID = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
	for _, c := range []struct {
		signal record.Type
		schema *vector.Schema
		values map[string]any
		want   map[string]any
	}{
		{
			record.Traces, SpansSchema,
			map[string]any{
				"trace_id": traceID, "span_id": spanID, "operation": "op", "service": "shop", "kind": "server", "status": "error",
				"start_time_unix_nano": int64(1), "http_method": "GET", "http_status_code": int64(503), "environment": "prod",
				"parent_is_remote": true, "attributes": `{"a": 1, "b": [1.5, null, {"c": true}]}`,
				"events": `[{"name": "e", "timestamp": "1970-01-01T00:00:01.5+00:00"}]`,
			},
			map[string]any{
				"trace_id": traceID, "span_id": spanID, "operation": "op", "service": "shop", "kind": "server", "otel_kind": "server",
				"status": "error", "parent_span_id": nil, "is_root": true, "http_method": "GET", "http_status_code": int64(503),
				"environment": "prod", "resource_attributes": `{"service.name": "shop", "deployment.environment.name": "prod"}`,
				"parent_is_remote": true, "flags": int64(0x300), "attributes_ext": nil,
				"attributes": `{"a": 1, "b": [1.5, null, {"c": true}], "http.request.method": "GET", "http.response.status_code": 503}`,
				"events":     `[{"name": "e", "timestamp": "1970-01-01T00:00:01.5+00:00", "attributes": {}, "time_unix_nano": 1500000000, "dropped_attributes_count": 0}]`,
			},
		},
		{ // an attribute that is there already is not doubled, by whatever name
			record.Traces, SpansSchema,
			map[string]any{
				"trace_id": traceID, "span_id": spanID, "kind": "llm", "http_method": "GET", "service": "x",
				"attributes": `{"http.method": "POST"}`, "resource_attributes": `{"service.name": "y"}`,
			},
			map[string]any{"attributes": `{"http.method": "POST"}`, "http_method": "POST", "service": "y", "otel_kind": "internal"},
		},
		{
			record.Logs, LogsSchema,
			map[string]any{"body": "hello", "severity": "warn", "trace_id": traceID, "exception_type": "E"},
			map[string]any{
				"body": "hello", "body_json": nil, "severity": "warn", "severity_number": int64(13), "service": "unknown",
				"trace_id": traceID, "span_id": nil, "exception_type": "E", "timestamp_unix_nano": int64(arrived), "resource_attributes": "{}",
			},
		},
		{
			record.Metrics, MetricsSchema,
			map[string]any{"name": "m", "metric_type": "sum", "value": 2.5, "is_monotonic": true, "temporality": "delta", "time_unix_nano": int64(9)},
			map[string]any{
				"name": "m", "otel_type": "sum", "value": 2.5, "value_int": nil, "is_monotonic": true, "temporality": "delta",
				"unit": "", "no_recorded_value": false, "timestamp_unix_nano": int64(9),
			},
		},
		{
			record.Metrics, MetricsSchema,
			map[string]any{
				"name": "m", "otel_type": "histogram", "count": int64(3), "value": 1.5, "time_unix_nano": int64(9),
				"bucket_counts": intArray([]uint64{1, 2}), "explicit_bounds": floatArray([]float64{5}), "no_recorded_value": true,
			},
			map[string]any{
				"metric_type": "histogram", "count": int64(3), "sum": 1.5, "bucket_counts": intArray([]uint64{1, 2}),
				"explicit_bounds": floatArray([]float64{5}), "flags": int64(1), "temporality": "unspecified",
			},
		},
	} {
		body, err := Encode(build(c.schema, c.values))
		if err != nil {
			t.Fatal(err)
		}
		rows := mustDecode(t, c.signal, body).Rows
		if rows.N != 1 {
			t.Fatalf("%d rows of %v", rows.N, c.values)
		}
		for name, want := range c.want {
			if got := rows.Cols[mustField(c.schema, name)].Value(0); !same(got, want) {
				t.Errorf("%s: %s is %v, want %v", c.schema.Name, name, got, want)
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		schema *vector.Schema
		column string
		value  any
	}{
		{SpansSchema, "trace_id", "0123"},
		{SpansSchema, "span_id", "0123456789abcdeX"},
		{SpansSchema, "status", "bad"},
		{SpansSchema, "kind", "sideways"},
		{SpansSchema, "start_time_unix_nano", int64(-1)},
		{SpansSchema, "dropped_links_count", int64(1 << 32)},
		{SpansSchema, "flags", int64(-1)},
		{SpansSchema, "attributes", "[1]"},
		{SpansSchema, "attributes", `{"a": 1e999}`},
		{SpansSchema, "resource_attributes", "3"},
		{SpansSchema, "events", `[{"timestamp": "yesterday"}]`},
		{SpansSchema, "events", `[{"time_unix_nano": -1}]`},
		{SpansSchema, "links", `[{"trace_id": "xyz"}]`},
		{SpansSchema, "attributes_ext", "\xff"},
		{LogsSchema, "severity", "loud"},
		{MetricsSchema, "otel_type", "guess"},
		{MetricsSchema, "count", int64(-2)},
		{MetricsSchema, "quantiles", floatArray([]float64{1})},
		{MetricsSchema, "bucket_counts", pgtypes.NewArray(pgtypes.Int8, []any{nil})},
		{MetricsSchema, "scale", int64(1 << 40)},
	} {
		values := map[string]any{c.column: c.value}
		if c.schema == MetricsSchema && c.column != "otel_type" {
			values["otel_type"] = map[string]string{"quantiles": "summary", "scale": "exponential_histogram"}[c.column]
			if values["otel_type"] == "" {
				values["otel_type"] = "histogram"
			}
		}
		_, err := Encode(build(c.schema, values))
		var value *ValueError
		if !errors.As(err, &value) || !strings.HasPrefix(value.Column, c.column[:4]) {
			t.Errorf("%s = %v: %v", c.column, c.value, err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	path := filepath.Join(shared(b, "data", "nezha", "dev"), "tt-2023-01-29", "0843.traces.otlp.zst")
	rows := mustDecode(b, record.Traces, messages(b, path)[0]).Rows
	b.Run("signal=traces", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Encode(rows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows.N)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
	})
}

// Whatever Decode takes, rows give it back: their request decodes to the same.
func FuzzEncode(f *testing.F) {
	for seed := range uint64(5) {
		for signal, body := range otlptest.Requests(seed) {
			f.Add(uint8(signal), body)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) { givesBack(t, record.Type(typ%3+1), body) })
}

// givesBack says whether a body can be decoded; its rows then are given back.
func givesBack(t *testing.T, signal record.Type, body []byte) bool {
	d, err := Decode(header(signal), body)
	if err != nil {
		return false
	}
	again, err := Encode(d.Rows)
	if err != nil {
		t.Fatal(err)
	}
	second := mustDecode(t, signal, again)
	if second.Rejected > 0 {
		t.Fatalf("%d are rejected: %s", second.Rejected, second.Reason)
	}
	sameRows(t, second.Rows, d.Rows)
	return true
}

// A request with a byte changed may still be one, if an odd one.
func TestEncodeDamaged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	odd := 0
	for signal, body := range otlptest.Requests(seed) {
		for at := range body {
			for _, flip := range []byte{0x01, 0x55, 0x80} {
				changed := append([]byte(nil), body...)
				changed[at] ^= flip
				if givesBack(t, signal, changed) {
					odd++
				}
			}
		}
	}
	if odd == 0 {
		t.Error("no changed request was decoded")
	}
	t.Logf("%d requests", odd)
}
