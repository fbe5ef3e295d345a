package otlp

import (
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

func goodSpan() *trace.Span {
	return &trace.Span{
		TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: "good",
		StartTimeUnixNano: 1, EndTimeUnixNano: 2,
	}
}

func request(t *testing.T, spans ...*trace.Span) []byte {
	t.Helper()
	body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		ScopeSpans: []*trace.ScopeSpans{{Spans: spans}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// An item that no row can hold is left out; the rest keep their ordinals.
func TestDecodeRejects(t *testing.T) {
	for name, spoil := range map[string]func(*trace.Span){
		"trace id too short": func(s *trace.Span) { s.TraceId = s.TraceId[:15] },
		"trace id missing":   func(s *trace.Span) { s.TraceId = nil },
		"trace id zero":      func(s *trace.Span) { s.TraceId = make([]byte, 16) },
		"span id too long":   func(s *trace.Span) { s.SpanId = make([]byte, 9) },
		"span id zero":       func(s *trace.Span) { s.SpanId = make([]byte, 8) },
		"parent too short":   func(s *trace.Span) { s.ParentSpanId = []byte{1} },
		"start too late":     func(s *trace.Span) { s.StartTimeUnixNano = math.MaxInt64 + 1 },
		"end too late":       func(s *trace.Span) { s.EndTimeUnixNano = math.MaxUint64 },
		"too deep": func(s *trace.Span) {
			v := &common.AnyValue{}
			for range 40 {
				v = &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{v}}}}
			}
			s.Attributes = []*common.KeyValue{{Key: "k", Value: v}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := goodSpan()
			spoil(bad)
			d := mustDecode(t, record.Traces, request(t, goodSpan(), bad, goodSpan()))
			if d.Items != 3 || d.Rejected != 1 || d.Reason == "" || d.Rows.N != 2 {
				t.Fatalf("%+v", d)
			}
			if want := []uint32{0, 2}; !slices.Equal(d.Rows.Ordinals, want) {
				t.Fatalf("ordinals %v, want %v", d.Rows.Ordinals, want)
			}
			only := mustDecode(t, record.Traces, request(t, bad))
			if only.Items != 1 || only.Rejected != 1 || only.Rows.N != 0 {
				t.Fatalf("%+v", only)
			}
		})
	}
}

// What jsonb cannot carry is kept beside it, as sent.
func TestDecodeKeepsWhatJSONCannotCarry(t *testing.T) {
	text := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	s := goodSpan()
	s.Attributes = []*common.KeyValue{
		{Key: "plain", Value: text("x")},
		{Key: "raw", Value: &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0xff, 0}}}},
		{Key: "nan", Value: &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: math.NaN()}}},
		{Key: "twice", Value: text("first")},
		{Key: "twice", Value: text("second")},
		{Key: "nul", Value: text("a\x00b")},
	}
	rows := mustDecode(t, record.Traces, request(t, s, goodSpan())).Rows
	attributes := rows.Cols[rows.Schema.Index("attributes")]
	if got, want := attributes.Attrs.JSON(0), `{"nan": "NaN", "nul": "a`+"\uFFFD"+`b", "raw": "/wA=", "plain": "x", "twice": "second"}`; got != want {
		t.Errorf("attributes are %s, want %s", got, want)
	}
	column := rows.Cols[rows.Schema.Index("attributes_ext")]
	if !column.IsNull(1) {
		t.Error("a span without such attributes has attributes_ext")
	}
	var ext common.KeyValueList
	if err := proto.Unmarshal([]byte(column.Value(0).(string)), &ext); err != nil {
		t.Fatal(err)
	}
	if want := s.Attributes[1:]; len(ext.GetValues()) != len(want) {
		t.Fatalf("attributes_ext has %v", &ext)
	}
	for i, kv := range ext.GetValues() {
		if !proto.Equal(kv, s.Attributes[i+1]) {
			t.Errorf("attributes_ext has %v, want %v", kv, s.Attributes[i+1])
		}
	}
}

// Texts that are not UTF-8, which proto.Marshal refuses to make, are cleaned.
func TestDecodeInvalidUTF8(t *testing.T) {
	s := goodSpan()
	s.Name = "a#b"
	body := request(t, s)
	at := slices.Index(body, '#')
	body[at] = 0xff
	rows := mustDecode(t, record.Traces, body).Rows
	if got := rows.Cols[rows.Schema.Index("operation")].Value(0); got != "a\uFFFDb" {
		t.Errorf("operation is %q", got)
	}
	if rows.Cols[rows.Schema.Index("attributes_ext")].IsNull(0) {
		t.Error("the name as sent is lost")
	}
}

// The first exception event is promoted, and a value of the newer name wins.
func TestDecodePromotes(t *testing.T) {
	kv := func(k, v string) *common.KeyValue {
		return &common.KeyValue{Key: k, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v}}}
	}
	s := goodSpan()
	s.Attributes = []*common.KeyValue{kv("http.method", "old"), kv("http.request.method", "new"), {
		Key: "http.status_code", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: 503}},
	}}
	s.Events = []*trace.Span_Event{
		{Name: "other", Attributes: []*common.KeyValue{kv("exception.type", "no")}},
		{Name: "exception", Attributes: []*common.KeyValue{kv("exception.type", "T"), kv("exception.message", "M")}},
		{Name: "exception", Attributes: []*common.KeyValue{kv("exception.type", "later")}},
	}
	rows := mustDecode(t, record.Traces, request(t, s)).Rows
	for name, want := range map[string]any{
		"http_method": "new", "http_status_code": int64(503), "exception_type": "T", "exception_message": "M",
		"service": "unknown", "url": nil,
	} {
		if got := rows.Cols[rows.Schema.Index(name)].Value(0); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	for name, body := range map[string][]byte{"text": []byte("hello, world"), "cut off": {10, 5, 1}} {
		if _, err := Decode(header(record.Traces), body); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := mustDecode(t, record.Logs, nil); d.Items != 0 || d.Rows.N != 0 {
		t.Errorf("an empty request: %+v", d)
	}
	if _, err := Decode(header(record.Control), nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("a control record: %v", err)
	}
}

// Rows must not change when the decoder is used again.
func TestDecodeKeepsRows(t *testing.T) {
	first := otlptest.Requests(7)
	for signal, body := range first {
		before := mustDecode(t, signal, body)
		texts := rowTexts(before.Rows)
		for seed := range uint64(20) {
			mustDecode(t, signal, otlptest.Requests(seed)[signal])
		}
		if !slices.Equal(texts, rowTexts(before.Rows)) {
			t.Errorf("%s: rows have changed", signal)
		}
	}
}

func rowTexts(rows *vector.Rows) (out []string) {
	for _, c := range rows.Cols {
		if c.Kind == vector.String || c.Kind == vector.Map || c.Kind == vector.Hex {
			for i := range rows.N {
				if v := c.Value(i); v != nil {
					out = append(out, v.(string))
				}
			}
		}
	}
	return out
}
