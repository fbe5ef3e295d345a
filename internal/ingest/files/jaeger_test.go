package files

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/wal/record"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata from what is")

const jaegerText = ` {"total": 0, "errors": null, "data": [{"traceID": "1", "processes": {
  "p1": {"serviceName": "shop", "tags": [{"key": "hostname", "type": "string", "value": "h"}, {"key": "jaeger.version", "type": "string", "value": "Go-2"}]},
  "p2": {"serviceName": "bank"}}, "spans": [
 {"traceID": "1", "spanID": "a", "operationName": "buy", "flags": 1, "startTime": 1000, "duration": 5, "processID": "p1", "references": [],
  "tags": [{"key": "span.kind", "type": "string", "value": "server"}, {"key": "error", "type": "bool", "value": true},
   {"key": "otel.status_description", "type": "string", "value": "broken"}, {"key": "big", "type": "int64", "value": 9223372036854775807},
   {"key": "text", "type": "int64", "value": "12"}, {"key": "raw", "type": "binary", "value": "AQI="}, {"key": "f", "type": "float64", "value": 0.5},
   {"key": "otel.library.name", "type": "string", "value": "lib"}, {"key": "w3c.tracestate", "type": "string", "value": "a=b"}],
  "logs": [{"timestamp": 1001, "fields": [{"key": "event", "type": "string", "value": "tried"}, {"key": "n", "type": "int64", "value": 1}]}],
  "warnings": ["clock skew"]},
 {"traceID": "1", "spanID": "b", "operationName": "pay", "startTime": 1001, "duration": 2, "processID": "p2",
  "references": [{"refType": "FOLLOWS_FROM", "traceID": "2", "spanID": "c"}, {"refType": "CHILD_OF", "traceID": "1", "spanID": "a"}],
  "tags": [{"key": "otel.status_code", "type": "string", "value": "OK"}], "logs": []}
 ]}], "limit": 1}`

func jaegerFile(t *testing.T, path string) (spans []ptrace.Traces) {
	t.Helper()
	f, err := Open(path, record.Traces)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for {
		body, err := f.Next()
		if err == io.EOF {
			return spans
		}
		r := ptraceotlp.NewExportRequest()
		if err = errors.Join(err, r.UnmarshalProto(body)); err != nil {
			t.Fatal(err)
		}
		spans = append(spans, r.Traces())
	}
}

func TestJaeger(t *testing.T) {
	traces := jaegerFile(t, write(t, "a.json", []byte(jaegerText)))
	if len(traces) != 1 {
		t.Fatalf("%d requests", len(traces))
	}
	got, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces[0])
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/jaeger.json"
	want, err := os.ReadFile(golden)
	if *rewrite {
		err = os.WriteFile(golden, append(got, '\n'), 0o644)
	}
	if err != nil || strings.TrimSpace(string(want)) != string(got) {
		t.Errorf("%v\n%s\nnot\n%s", err, got, want)
	}
	for _, damaged := range []string{
		`{"data": [{"spans": [{"traceID": "x", "spanID": "1"}]}]}`, `{"data": [`, `{"data": [{}`, `{"data": 7}`, `{"total": 1}`,
		`{"data": [{"spans": [{"traceID": "1", "spanID": "12345678123456789"}]}]}`,
		`{"data": [{"spans": [{"traceID": "1", "spanID": "1", "tags": [{"key": "k", "type": "int64", "value": "x"}]}]}]}`,
	} {
		if bodies, err := read(t, write(t, "a.traces.json", []byte(damaged))); !errors.Is(err, ErrFormat) || errors.Is(err, io.EOF) {
			t.Errorf("%s: %q, %v", damaged, bodies, err)
		}
	}
}

// A recorded file has all of its spans, each with its service.
func TestJaegerRecorded(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "shared", "data", "deathstarbench", "jaeger-traces-socialnetwork.json.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	spans, parents := 0, 0
	for _, tr := range jaegerFile(t, path) {
		for _, rs := range tr.ResourceSpans().All() {
			if _, ok := rs.Resource().Attributes().Get("service.name"); !ok {
				t.Error("a span without service")
			}
			for _, s := range rs.ScopeSpans().At(0).Spans().All() {
				if spans++; !s.ParentSpanID().IsEmpty() {
					parents++
				}
			}
		}
	}
	if spans != 660 || parents != 640 {
		t.Errorf("%d spans, %d with a parent", spans, parents)
	}
}
