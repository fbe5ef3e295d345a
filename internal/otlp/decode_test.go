package otlp

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/internal/otlp/otlptest"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

var oracles = map[record.Type]func([]byte) ([]row, error){
	record.Traces: oracleTraces, record.Logs: oracleLogs, record.Metrics: oracleMetrics,
}

func header(signal record.Type) record.Header {
	return record.Header{Type: signal, Codec: record.Protobuf, Source: record.OTLPGRPC, ReceiveNanos: arrived}
}

func mustDecode(t testing.TB, signal record.Type, body []byte) *Decoded {
	t.Helper()
	d, err := Decode(header(signal), body)
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, d.Rows)
	return d
}

// checkRows checks what every Rows must be.
func checkRows(t testing.TB, rows *vector.Rows) {
	t.Helper()
	if len(rows.Cols) != len(rows.Schema.Fields) {
		t.Fatalf("%d columns for %d fields", len(rows.Cols), len(rows.Schema.Fields))
	}
	for i, c := range rows.Cols {
		f := rows.Schema.Fields[i]
		if c.Len != rows.N || c.Kind != f.Kind {
			t.Fatalf("%s has %d rows of kind %d, not %d of %d", f.Name, c.Len, c.Kind, rows.N, f.Kind)
		}
		for k := range c.Len {
			if c.IsNull(k) && !f.Nullable {
				t.Fatalf("%s is NULL in row %d", f.Name, k)
			}
		}
		seen := make(map[string]bool)
		for _, s := range c.Dict {
			if seen[s] {
				t.Fatalf("%s has %q twice in its dictionary", f.Name, s)
			}
			seen[s] = true
		}
	}
}

// sameRequest compares what Decode and pdata make of a request, and gives the
// number of items.
func sameRequest(t *testing.T, signal record.Type, body []byte) int {
	t.Helper()
	want, err := oracles[signal](body)
	if err != nil {
		t.Fatal(err)
	}
	d := mustDecode(t, signal, body)
	if d.Items != len(want) || d.Rejected != 0 || d.Rows.N != len(want) {
		t.Fatalf("%d items, %d rows, %d rejected (%s); want %d", d.Items, d.Rows.N, d.Rejected, d.Reason, len(want))
	}
	for i, r := range want {
		for name, v := range r {
			at := d.Rows.Schema.Index(name)
			if at < 0 {
				t.Fatalf("no column %s", name)
			}
			if got := d.Rows.Cols[at].Value(i); !same(got, v) {
				t.Fatalf("row %d, %s:\n got %v\nwant %v", i, name, got, v)
			}
		}
	}
	return len(want)
}

// same compares values; NaN is the same as NaN.
func same(a, b any) bool {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return x == y || math.IsNaN(x) && math.IsNaN(y)
	}
	return reflect.DeepEqual(a, b)
}

// shared gives the path of a shared file, or skips.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	full := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no shared data: %v", err)
	}
	return full
}

// messages reads a file of requests, each after its length.
func messages(t testing.TB, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if raw, err = z.DecodeAll(raw, nil); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for len(raw) > 0 {
		n := binary.BigEndian.Uint32(raw)
		out = append(out, raw[4:4+n])
		raw = raw[4+n:]
	}
	return out
}

// Real traffic comes out as pdata reads it.
func TestDecodeRecordedTraffic(t *testing.T) {
	for _, file := range []string{"tt-2023-01-29/0843", "tt-2023-01-29/0844", "ob-2022-08-22/0353"} {
		for signal := range oracles {
			t.Run(file+"/"+signal.String(), func(t *testing.T) {
				dir := shared(t, "data", "nezha", "dev")
				path := filepath.Join(dir, fmt.Sprintf("%s.%s.otlp.zst", file, signal))
				if _, err := os.Stat(path); err != nil {
					t.Skip(err)
				}
				items := 0
				for _, body := range messages(t, path) {
					items += sameRequest(t, signal, body)
				}
				if items == 0 {
					t.Fatal("no items")
				}
			})
		}
	}
}

// The examples of OTLP itself use what real traffic seldom does.
func TestDecodeExamples(t *testing.T) {
	dir := shared(t, "data", "otlp-proto-examples")
	for file, signal := range map[string]record.Type{
		"trace.json": record.Traces, "logs.json": record.Logs, "events.json": record.Logs, "metrics.json": record.Metrics,
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			body, err := fromJSON(signal, text)
			if err != nil {
				t.Fatal(err)
			}
			if sameRequest(t, signal, body) == 0 {
				t.Fatal("no items")
			}
		})
	}
}

func fromJSON(signal record.Type, text []byte) ([]byte, error) {
	switch signal {
	case record.Traces:
		m, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
		if err != nil {
			return nil, err
		}
		return ptraceotlp.NewExportRequestFromTraces(m).MarshalProto()
	case record.Logs:
		m, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(text)
		if err != nil {
			return nil, err
		}
		return plogotlp.NewExportRequestFromLogs(m).MarshalProto()
	default:
		m, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		if err != nil {
			return nil, err
		}
		return pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	}
}

// No prefix of a request, and no request with a byte changed, may do more harm
// than ErrMalformed.
func TestDecodeDamaged(t *testing.T) {
	for signal, body := range otlptest.Requests(1) {
		for i := range body {
			if d, err := Decode(header(signal), body[:i]); err == nil {
				checkRows(t, d.Rows)
			} else if !strings.Contains(err.Error(), ErrMalformed.Error()) {
				t.Fatal(err)
			}
			changed := append([]byte(nil), body...)
			changed[i] ^= 0x55
			if d, err := Decode(header(signal), changed); err == nil {
				checkRows(t, d.Rows)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	path := filepath.Join(shared(b, "data", "nezha", "dev"), "tt-2023-01-29", "0843.traces.otlp.zst")
	body := messages(b, path)[0]
	n := mustDecode(b, record.Traces, body).Items
	for _, reader := range []string{"ours", "pdata"} {
		b.Run("signal=traces/reader="+reader, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if reader == "ours" {
					if _, err := Decode(header(record.Traces), body); err != nil {
						b.Fatal(err)
					}
					continue
				}
				req := ptraceotlp.NewExportRequest()
				if err := req.UnmarshalProto(body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
