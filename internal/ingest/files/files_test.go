package files

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tael-sql/tael-sql/wal/record"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch filepath.Ext(name) {
	case ".gz":
		w = gzip.NewWriter(&buf)
	case ".zst":
		z, err := zstd.NewWriter(&buf)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if w == nil {
		buf.Write(content)
	} else if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	} else if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read gives all bodies up to the end or an error.
func read(t *testing.T, path string) (bodies [][]byte, err error) {
	t.Helper()
	signal, ok := SignalOf(path)
	if !ok {
		t.Fatalf("%s has no signal", path)
	}
	f, err := Open(path, signal)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		body, err := f.Next()
		if err == io.EOF {
			return bodies, nil
		}
		if err != nil {
			return bodies, err
		}
		bodies = append(bodies, body)
	}
}

func framed(bodies ...string) (out []byte) {
	for _, b := range bodies {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(b))), b...)
	}
	return out
}

func TestFramed(t *testing.T) {
	for _, name := range []string{"a.traces.otlp", "a.traces.otlp.gz", "a.traces.otlp.zst"} {
		bodies, err := read(t, write(t, name, framed("one", "", "three")))
		if err != nil || len(bodies) != 3 || string(bodies[0]) != "one" || len(bodies[1]) != 0 || string(bodies[2]) != "three" {
			t.Errorf("%s: %q, %v", name, bodies, err)
		}
	}
}

// What is cut off or too long is an error after what came before it.
func TestFramedDamaged(t *testing.T) {
	whole := framed("one", "two")
	for cut := 8; cut < len(whole); cut++ {
		bodies, err := read(t, write(t, "a.logs.otlp", whole[:cut]))
		if !errors.Is(err, ErrFormat) || errors.Is(err, io.EOF) || len(bodies) != 1 {
			t.Errorf("cut at %d: %q, %v", cut, bodies, err)
		}
	}
	if _, err := read(t, write(t, "a.logs.otlp", []byte{0xff, 0xff, 0xff, 0xff, 1})); !errors.Is(err, ErrFormat) {
		t.Errorf("a length beyond the limit: %v", err)
	}
	path := filepath.Join(t.TempDir(), "a.logs.gz")
	if err := os.WriteFile(path, []byte("no gzip at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, path); !errors.Is(err, ErrFormat) {
		t.Errorf("not gzip: %v", err)
	}
}

const jsonSpan = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","name":"op","startTimeUnixNano":"5"}]}]}]}`

func TestJSONLines(t *testing.T) {
	bodies, err := read(t, write(t, "a.traces.jsonl", []byte(jsonSpan+"\n\n"+jsonSpan)))
	if err != nil || len(bodies) != 2 {
		t.Fatalf("%d requests, %v", len(bodies), err)
	}
	var m tracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(bodies[1], &m); err != nil {
		t.Fatal(err)
	}
	s := m.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0]
	if s.GetName() != "op" || s.GetTraceId()[0] != 0x0a || s.GetStartTimeUnixNano() != 5 {
		t.Errorf("%v", s)
	}
	for _, line := range []string{jsonSpan + "{}", jsonSpan + " x", `{"resourceSpans":`, `{"resourceSpans":7}`} {
		if _, err := read(t, write(t, "a.traces.jsonl", []byte(line))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSignalOf(t *testing.T) {
	for name, want := range map[string]record.Type{
		"0843.traces.otlp.zst": record.Traces, "x/a.logs.json": record.Logs, "metrics.otlp": record.Metrics,
		"traces.d/a.otlp": 0, "mytraces": 0,
	} {
		if got, ok := SignalOf(name); got != want || ok != (want != 0) {
			t.Errorf("%s: %v, %t", name, got, ok)
		}
	}
}

// Every time moves, in both directions; a missing one stays missing.
func TestShift(t *testing.T) {
	gauge := &metrics.Metric{Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: []*metrics.NumberDataPoint{{
		TimeUnixNano: 100, StartTimeUnixNano: 50, Exemplars: []*metrics.Exemplar{{TimeUnixNano: 90}},
	}}}}}
	for _, c := range []struct {
		signal record.Type
		m      proto.Message
	}{
		{record.Traces, &tracepb.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{ScopeSpans: []*trace.ScopeSpans{{
			Spans: []*trace.Span{{StartTimeUnixNano: 60, EndTimeUnixNano: 100, Events: []*trace.Span_Event{{TimeUnixNano: 70}, {}}}},
		}}}}}},
		{record.Logs, &logspb.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{{
			LogRecords: []*logs.LogRecord{{TimeUnixNano: 100, ObservedTimeUnixNano: 80}, {}},
		}}}}}},
		{record.Metrics, &metricspb.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
			ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{gauge}}},
		}}}},
	} {
		body, err := proto.Marshal(c.m)
		if err != nil {
			t.Fatal(err)
		}
		there, newest, err := Shift(c.signal, body, -30)
		if err != nil || newest != 70 {
			t.Errorf("%s: newest %d, %v", c.signal, newest, err)
		}
		if bytes.Equal(there, body) {
			t.Errorf("%s: nothing has moved", c.signal)
		}
		back, newest, err := Shift(c.signal, there, 30)
		if err != nil || newest != 100 || !bytes.Equal(back, body) {
			t.Errorf("%s: newest %d, %x, want %x; %v", c.signal, newest, back, body, err)
		}
	}
	if _, _, err := Shift(record.Traces, []byte("hello, world"), 1); !errors.Is(err, ErrFormat) {
		t.Errorf("malformed: %v", err)
	}
}

// A recorded file is read to its end.
func TestRecorded(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "shared", "data", "nezha", "dev", "tt-2023-01-29", "0843.traces.otlp.zst")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no shared data: %v", err)
	}
	bodies, err := read(t, path)
	if err != nil {
		t.Fatal(err)
	}
	spans := 0
	for _, body := range bodies {
		var m tracepb.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		for _, r := range m.GetResourceSpans() {
			for _, s := range r.GetScopeSpans() {
				spans += len(s.GetSpans())
			}
		}
	}
	if spans == 0 {
		t.Error("no spans")
	}
	t.Logf("%d requests, %d spans", len(bodies), spans)
}
