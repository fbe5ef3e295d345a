package block

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// spanSchema is a cut of the spans table: what costs bytes in it.
var spanSchema = vector.NewSchema("spans",
	vector.Field{Name: "trace_id", Kind: vector.Hex, Width: 16},
	vector.Field{Name: "span_id", Kind: vector.Hex, Width: 8},
	vector.Field{Name: "parent_span_id", Kind: vector.Hex, Width: 8, Nullable: true},
	vector.Field{Name: "service", Kind: vector.String, Filter: true},
	vector.Field{Name: "operation", Kind: vector.String, Filter: true},
	vector.Field{Name: "start_time_unix_nano", Kind: vector.Int64},
	vector.Field{Name: "end_time_unix_nano", Kind: vector.Int64},
	vector.Field{Name: "duration_ns", Kind: vector.Int64},
	vector.Field{Name: "duration_ms", Kind: vector.Float},
	vector.Field{Name: "status", Kind: vector.String, Filter: true},
	vector.Field{Name: "kind", Kind: vector.String},
	vector.Field{Name: "attributes", Kind: vector.Map, Filter: true},
	vector.Field{Name: "resource_attributes", Kind: vector.Map},
	vector.Field{Name: "http_method", Kind: vector.String, Nullable: true, Filter: true},
	vector.Field{Name: "http_status_code", Kind: vector.Int64, Nullable: true},
	vector.Field{Name: "host_name", Kind: vector.String, Nullable: true},
	vector.Field{Name: "service_version", Kind: vector.String, Nullable: true},
	vector.Field{Name: "error_type", Kind: vector.String, Nullable: true},
	vector.Field{Name: "db_system", Kind: vector.String, Nullable: true},
	vector.Field{Name: "is_root", Kind: vector.Bool},
	vector.Field{Name: "flags", Kind: vector.Int64},
	vector.Field{Name: "source", Kind: vector.String},
	vector.Field{Name: "ingested_at", Kind: vector.Int64},
)

// attributeCardinalities are the distinct values of OTelBench's ten keys; 7 or
// 8 of them are on each span.
var attributeCardinalities = []struct {
	key    string
	values int
	format string
}{
	{"http.request.method", 5, "M%d"},
	{"region", 8, "eu-%d"},
	{"http.route", 300, "/api/v1/resource-%d/{id}"},
	{"peer.address", 300, "10.0.3.%d:8080"},
	{"tenant", 20, "tenant-%d"},
	{"user.id", 20_000, "user-%d"},
	{"order.id", 100_000, "ord-%08d"},
	{"cache.hit", 2, ""},
	{"http.response.status_code", 75, ""},
	{"thread.name", 64, "worker-thread-%d"},
}

// newSpans makes spans of one block as ingest has them: requests of 100 spans
// over shared dictionaries, sorted by start.
func newSpans(rng *rand.Rand, n int) (sources []*vector.Rows, picks []Pick, numbers, lsns []uint64) {
	type span struct {
		trace, id, parent [16]byte
		root              bool
		service, op       int
		start, duration   int64
	}
	random := func() (id [16]byte) {
		binary.LittleEndian.PutUint64(id[:], rng.Uint64())
		binary.LittleEndian.PutUint64(id[8:], rng.Uint64())
		return id
	}
	spans := make([]span, 0, n)
	const base = 1_780_000_000_000_000_000
	for len(spans) < n {
		trace, size := random(), 1+rng.IntN(14)
		start := base + rng.Int64N(int64(n)*17_280_000) // 5 M over a day
		first := len(spans)
		for i := range min(size, n-len(spans)) {
			service := rng.IntN(30)
			s := span{
				trace: trace, id: random(), root: i == 0, service: service, op: 10*service + rng.IntN(10),
				start:    start + int64(i)*rng.Int64N(3_000_000),
				duration: int64(math.Exp(rng.NormFloat64()*1.2+3) * 1e6),
			}
			if i > 0 {
				s.parent = spans[first+rng.IntN(i)].id
			}
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })

	dict := func(n int, format string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf(format, i)
		}
		return out
	}
	services, operations := dict(30, "service-%d"), dict(300, "GET /operation/%d")
	hosts, versions := dict(30, "host-%d.example.org"), dict(7, "1.%d.0")
	kinds := []string{"internal", "server", "client"}
	statuses := []string{"unset", "ok", "error"}
	errors := []string{"", "timeout", "java.lang.NullPointerException"}
	systems := []string{"postgresql", "redis"}
	source := []string{"otlp_grpc"}
	var keys, strs []string
	firsts := make([]int, len(attributeCardinalities))
	for k, a := range attributeCardinalities {
		keys, firsts[k] = append(keys, a.key), len(strs)
		if a.format != "" {
			strs = append(strs, dict(a.values, a.format)...)
		}
	}
	resourceKeys := []string{"host.name", "service.name", "service.version", "telemetry.sdk.language", "telemetry.sdk.name"}
	resourceStrs := slices.Concat(hosts, services, versions, []string{"go", "opentelemetry"})

	for at := 0; at < n; at += 100 {
		part := spans[at:min(at+100, n)]
		size := len(part)
		rows := &vector.Rows{Schema: spanSchema, N: size}
		for _, f := range spanSchema.Fields {
			c := &vector.Column{Kind: f.Kind, Len: size, Width: f.Width}
			if f.Nullable {
				c.Valid = vector.NewBitmap(size)
			}
			switch f.Name {
			case "attributes":
				c.Attrs = &vector.Attrs{Off: make([]uint32, 1), KeyDict: keys, Strs: strs}
			case "resource_attributes":
				c.Attrs = &vector.Attrs{Off: make([]uint32, 1), KeyDict: resourceKeys, Strs: resourceStrs}
			}
			rows.Cols = append(rows.Cols, c)
		}
		col := func(name string) *vector.Column { return rows.Cols[spanSchema.Index(name)] }
		code := func(name string, dict []string, code int) {
			c := col(name)
			c.Dict = dict
			if c.Valid != nil && code >= 0 {
				c.Valid.Set(len(c.Codes))
			}
			c.Codes = append(c.Codes, uint32(max(code, 0)))
		}
		integer := func(name string, v int64) { c := col(name); c.Ints = append(c.Ints, v) }
		attribute := func(a *vector.Attrs, key int, tag vector.Tag, v uint64) {
			a.Keys, a.Tags, a.Vals = append(a.Keys, uint32(key)), append(a.Tags, tag), append(a.Vals, v)
		}
		for i, s := range part {
			col("trace_id").Raw = append(col("trace_id").Raw, s.trace[:]...)
			col("span_id").Raw = append(col("span_id").Raw, s.id[:8]...)
			col("parent_span_id").Raw = append(col("parent_span_id").Raw, s.parent[:8]...)
			if !s.root {
				col("parent_span_id").Valid.Set(i)
			}
			code("service", services, s.service)
			code("operation", operations, s.op)
			integer("start_time_unix_nano", s.start)
			integer("end_time_unix_nano", s.start+s.duration)
			integer("duration_ns", s.duration)
			col("duration_ms").Floats = append(col("duration_ms").Floats, float64(s.duration)/1e6)
			failed := rng.IntN(50) == 0
			switch {
			case failed:
				code("status", statuses, 2)
				code("error_type", errors, 1+rng.IntN(2))
			default:
				code("status", statuses, 0)
				code("error_type", errors, -1)
			}
			code("kind", kinds, s.op%3)
			code("host_name", hosts, s.service)
			code("service_version", versions, s.service%7)
			code("db_system", systems, max(s.op%5-2, 0)-1)
			col("is_root").Bools = append(col("is_root").Bools, s.root)
			integer("flags", 1)
			code("source", source, 0)
			integer("ingested_at", base+int64(at)*17_280_000+12345)
			method, status := -1, int64(-1)
			a := col("attributes").Attrs
			for k, spec := range attributeCardinalities {
				if rng.IntN(4) == 0 {
					continue
				}
				v := rng.IntN(spec.values)
				switch spec.key {
				case "cache.hit":
					attribute(a, k, vector.TagBool, uint64(v))
				case "http.response.status_code":
					status = int64(200 + v)
					attribute(a, k, vector.TagInt, uint64(status))
				case "http.request.method":
					method = v
					fallthrough
				default:
					attribute(a, k, vector.TagString, uint64(firsts[k]+v))
				}
			}
			a.Off = append(a.Off, uint32(len(a.Keys)))
			code("http_method", strs, method)
			integer("http_status_code", max(status, 0))
			if status >= 0 {
				col("http_status_code").Valid.Set(i)
			}
			r := col("resource_attributes").Attrs
			for k, v := range []int{s.service, 30 + s.service, 60 + s.service%7, 67, 68} {
				attribute(r, k, vector.TagString, uint64(v))
			}
			r.Off = append(r.Off, uint32(len(r.Keys)))
		}
		sources = append(sources, rows)
		for i := range size {
			picks = append(picks, Pick{Source: uint32(len(sources) - 1), Row: uint32(i)})
			numbers, lsns = append(numbers, uint64(5_000_000+at+i)), append(lsns, uint64(50_000+at/100))
		}
	}
	return sources, picks, numbers, lsns
}

func encodeSpans(t testing.TB, n int) []byte {
	t.Helper()
	sources, picks, numbers, lsns := newSpans(rand.New(rand.NewPCG(1, 2)), n)
	raw, err := Encode(spanSchema, sources, picks, numbers, lsns)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A span with eight attributes takes at most 50 bytes.
func TestSpanBytes(t *testing.T) {
	raw := encodeSpans(t, MaxRows)
	b, err := Open(spanSchema, raw)
	if err != nil {
		t.Fatal(err)
	}
	if perSpan := float64(len(raw)) / MaxRows; perSpan > 50 {
		t.Errorf("%.1f bytes a span", perSpan)
	}
	if testing.Verbose() {
		seen := map[int]bool{}
		for _, c := range b.chunks {
			if !seen[c.offset] {
				t.Logf("%6.2f B/row  encoding %2d  %q", float64(c.stored)/MaxRows, c.encoding, c.name)
			}
			seen[c.offset] = true
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	sources, picks, numbers, lsns := newSpans(rand.New(rand.NewPCG(1, 2)), MaxRows)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		raw, err := Encode(spanSchema, sources, picks, numbers, lsns)
		if err != nil {
			b.Fatal(err)
		}
		size = len(raw)
	}
	b.ReportMetric(float64(MaxRows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/MaxRows, "bytes/row")
}

func BenchmarkColumn(b *testing.B) {
	block, err := Open(spanSchema, encodeSpans(b, MaxRows))
	if err != nil {
		b.Fatal(err)
	}
	measure := func(name string, decode func() (*vector.Column, error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(MaxRows*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
	for i, f := range spanSchema.Fields {
		measure("field="+f.Name, func() (*vector.Column, error) { return block.Column(i) })
	}
	for _, a := range attributeCardinalities {
		measure("key="+a.key, func() (*vector.Column, error) { return block.Key(spanSchema.Index("attributes"), a.key) })
	}
}

func BenchmarkUnpack(b *testing.B) {
	codes, ints := make([]uint32, MaxRows), make([]int64, MaxRows)
	for width := 1; width <= 32; width++ {
		buf := append(appendPacked(nil, codes, width), make([]byte, padding)...)
		b.Run(fmt.Sprintf("codes/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				unpackCodes(buf, width, codes)
			}
			b.ReportMetric(float64(MaxRows*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
	for _, width := range []int{9, 20, 28, 40} {
		buf := make([]byte, packedBytes(MaxRows, width)+padding)
		b.Run(fmt.Sprintf("ints/width=%d", width), func(b *testing.B) {
			for b.Loop() {
				unpackInts(buf, width, 7, 1, ints)
			}
			b.ReportMetric(float64(MaxRows*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
