package cold

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// incidents is real traces, logs and metrics of two systems.
const incidents = "../../../shared/data/nezha/dev"

// readIncidents decodes the files of a signal into blocks of up to 8192 rows,
// as they are before they become a part; at most limit rows.
func readIncidents(t testing.TB, signal record.Type, name string, spec *Spec, limit int) []Source {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(incidents, "*", "*."+name+".otlp.zst"))
	if err != nil || len(files) == 0 {
		t.Skip("no recorded telemetry")
	}
	var sources []Source
	var pending []*vector.Rows
	rows, total := 0, 0
	flush := func() {
		all := vector.Concat(spec.Schema, pending)
		for from := 0; from < all.N; from += block.MaxRows {
			n := min(block.MaxRows, all.N-from)
			picks, numbers, lsns := make([]block.Pick, n), make([]uint64, n), make([]uint64, n)
			for i := range picks {
				picks[i], numbers[i], lsns[i] = block.Pick{Row: uint32(from + i)}, uint64(total+i), uint64((total+i)/100)
			}
			raw, err := block.Encode(spec.Schema, []*vector.Rows{all}, picks, numbers, lsns)
			if err != nil {
				t.Fatal(err)
			}
			b, err := block.Open(spec.Schema, raw)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, b)
			total += n
		}
		pending, rows = nil, 0
	}
	for _, file := range files {
		for _, r := range decodeFile(t, file, signal) {
			if pending = append(pending, r); rows+r.N >= block.MaxRows || total+rows+r.N >= limit {
				flush()
			} else {
				rows += r.N
			}
			if total >= limit {
				return sources
			}
		}
	}
	flush()
	return sources
}

func decodeFile(t testing.TB, name string, signal record.Type) []*vector.Rows {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var out []*vector.Rows
	for len(content) > 0 {
		n := binary.BigEndian.Uint32(content)
		d, err := otlp.Decode(record.Header{Type: signal, MappingVersion: otlp.MappingVersion}, content[4:4+n])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Rows)
		content = content[4+n:]
	}
	return out
}

// sortedPicks picks all rows, sorted as the spec says.
func sortedPicks(t testing.TB, spec *Spec, sources []Source) []block.Pick {
	t.Helper()
	keys := make([][]*vector.Column, len(sources))
	var picks []block.Pick
	for s, source := range sources {
		for _, name := range spec.Order {
			c, err := source.Column(spec.Schema.Index(name))
			if err != nil {
				t.Fatal(err)
			}
			keys[s] = append(keys[s], c)
		}
		for row := range keys[s][0].Len {
			picks = append(picks, block.Pick{Source: uint32(s), Row: uint32(row)})
		}
	}
	slices.SortStableFunc(picks, func(x, y block.Pick) int {
		for k := range spec.Order {
			if d := compareValues(keys[x.Source][k], int(x.Row), keys[y.Source][k], int(y.Row)); d != 0 {
				return d
			}
		}
		return 0
	})
	return picks
}

func compareValues(a *vector.Column, i int, b *vector.Column, k int) int {
	switch a.Kind {
	case vector.Hex:
		return bytes.Compare(a.HexBytes(i), b.HexBytes(k))
	case vector.Int64:
		if a.Ints[i] != b.Ints[k] {
			if a.Ints[i] < b.Ints[k] {
				return -1
			}
			return 1
		}
		return 0
	}
	return bytes.Compare([]byte(a.Str(i)), []byte(b.Str(k)))
}

// whole is a spec with chunks of the size that parts have.
func whole(s *Spec) *Spec {
	out := *s
	out.ChunkRows = 0
	return &out
}

type benchTable struct {
	name   string
	signal record.Type
	spec   *Spec
}

var benchTables = []benchTable{
	{"traces", record.Traces, whole(spans)}, {"logs", record.Logs, whole(logs)}, {"metrics", record.Metrics, whole(metrics)},
}

const benchRows = 160_000

// BenchmarkWrite writes recorded rows out of blocks.
func BenchmarkWrite(b *testing.B) {
	for _, table := range benchTables {
		b.Run("table="+table.name, func(b *testing.B) {
			sources := readIncidents(b, table.signal, table.name, table.spec, benchRows)
			picks := sortedPicks(b, table.spec, sources)
			var raw []byte
			var index *layout.PartIndex
			b.ReportAllocs()
			for b.Loop() {
				raw, _, index = writePart(b, table.spec, sources, picks)
			}
			b.ReportMetric(float64(len(picks)*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(len(raw))/float64(len(picks)), "bytes/row")
			b.ReportMetric(float64(len(index.Append(nil)))/float64(len(picks)), "index-bytes/row")
		})
	}
}

// BenchmarkScan reads fields of all rows, with and without the pages cached.
func BenchmarkScan(b *testing.B) {
	table := benchTables[0]
	sources := readIncidents(b, table.signal, table.name, table.spec, benchRows)
	picks := sortedPicks(b, table.spec, sources)
	raw, meta, _ := writePart(b, table.spec, sources, picks)
	for _, fields := range [][]string{
		{"service"}, {"trace_id"}, {"start_time_unix_nano"}, {"end_time_unix_nano"}, {"service", "start_time_unix_nano", "end_time_unix_nano"}, {"attributes"}, {"operation"},
	} {
		for _, cached := range []bool{false, true} {
			name := "fields=" + fields[0]
			if len(fields) > 1 {
				name += "+"
			}
			if cached {
				name += "/cached"
			}
			b.Run(name, func(b *testing.B) {
				p := openPart(b, table.spec, raw, meta)
				b.ReportAllocs()
				for b.Loop() {
					if !cached {
						p.cache = NewCache(64 << 20)
					}
					for k := range p.Chunks() {
						c := p.Chunk(k)
						for _, f := range fields {
							if _, err := c.Column(table.spec.Schema.Index(f)); err != nil {
								b.Fatal(err)
							}
						}
					}
				}
				b.ReportMetric(float64(len(picks)*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
			})
		}
	}
}

// BenchmarkFew reads every field of the ten rows of a trace.
func BenchmarkFew(b *testing.B) {
	table := benchTables[0]
	sources := readIncidents(b, table.signal, table.name, table.spec, benchRows)
	raw, meta, _ := writePart(b, table.spec, sources, sortedPicks(b, table.spec, sources))
	p := openPart(b, table.spec, raw, meta)
	rows := []int32{5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009}
	for _, cached := range []bool{false, true} {
		name := "pages=read"
		if cached {
			name = "pages=cached"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			read := int64(0)
			for b.Loop() {
				if !cached {
					p.cache = NewCache(64 << 20)
				}
				c := p.Chunk(3)
				for f := range table.spec.Schema.Fields {
					if _, err := c.Few(f, rows); err != nil {
						b.Fatal(err)
					}
				}
				read = c.Bytes()
			}
			b.ReportMetric(float64(read), "bytes-read")
		})
	}
}
