package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// The tests' own tables. A body is a line a row:
//
//	spans   trace span minute name value
//	logs    minute text
//
// trace is a letter, span a number, minute counts from testEpoch. Requests
// arrive at arrivalMinute. A line that begins with "!" is rejected.
var (
	spansSchema = vector.NewSchema("spans",
		vector.Field{Name: "trace", Kind: vector.Hex, Width: 16},
		vector.Field{Name: "span", Kind: vector.Hex, Width: 8},
		vector.Field{Name: "start", Kind: vector.Int64},
		vector.Field{Name: "name", Kind: vector.String, Filter: true},
		vector.Field{Name: "value", Kind: vector.Int64},
	)
	logsSchema = vector.NewSchema("logs",
		vector.Field{Name: "time", Kind: vector.Int64},
		vector.Field{Name: "body", Kind: vector.String, Tokens: true},
	)
	testTables = []TableSpec{
		{ID: 1, Record: record.Traces, Schema: spansSchema, Time: "start", Zones: []string{"value"}, Key: []string{"trace", "span"}, Trace: "trace", Order: []string{"trace", "start"}},
		{ID: 2, Record: record.Logs, Schema: logsSchema, Time: "time", Offload: []Offload{{Field: "body", Limit: 64}}, Order: []string{"time"}},
	}
	testEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

const arrivalMinute = 600

func minuteNanos(minute int) int64 { return testEpoch.UnixNano() + int64(minute)*int64(time.Minute) }

func traceID(name string) []byte { return append(bytes.Repeat([]byte{0xab}, 16-len(name)), name...) }

func dictColumn(values []string) *vector.Column {
	c := &vector.Column{Kind: vector.String, Len: len(values), Dict: []string{}}
	for _, v := range values {
		at := slices.Index(c.Dict, v)
		if at < 0 {
			at = len(c.Dict)
			c.Dict = append(c.Dict, v)
		}
		c.Codes = append(c.Codes, uint32(at))
	}
	return c
}

func decodeTest(h record.Header, body []byte) (*vector.Rows, int, error) {
	var names []string
	traces, spans := &vector.Column{Kind: vector.Hex, Width: 16}, &vector.Column{Kind: vector.Hex, Width: 8}
	starts, values := &vector.Column{Kind: vector.Int64}, &vector.Column{Kind: vector.Int64}
	var ordinals []uint32
	items := 0
	for line := range strings.Lines(string(body)) {
		items++
		if line[0] == '!' {
			continue
		}
		var trace, text string
		var span uint64
		var minute, value int
		var err error
		if h.Type == record.Traces {
			_, err = fmt.Sscan(line, &trace, &span, &minute, &text, &value)
		} else {
			_, err = fmt.Sscan(line, &minute, &text)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %q: %w", line, err)
		}
		names = append(names, text)
		traces.Raw = append(traces.Raw, traceID(trace)...)
		spans.Raw = append(spans.Raw, byte(span>>56), byte(span>>48), byte(span>>40), byte(span>>32), byte(span>>24), byte(span>>16), byte(span>>8), byte(span))
		starts.Ints, values.Ints = append(starts.Ints, minuteNanos(minute)), append(values.Ints, int64(value))
		ordinals = append(ordinals, uint32(items-1))
	}
	n := len(names)
	for _, c := range []*vector.Column{traces, spans, starts, values} {
		c.Len = n
	}
	rows := &vector.Rows{Schema: logsSchema, N: n, Ordinals: ordinals, Cols: []*vector.Column{starts, dictColumn(names)}}
	if h.Type == record.Traces {
		rows.Schema, rows.Cols = spansSchema, []*vector.Column{traces, spans, starts, dictColumn(names), values}
	}
	return rows, items, nil
}

func testRequest(kind record.Type, body string) Request {
	h := record.Header{Type: kind, Codec: record.ProtobufS2, Source: record.OTLPGRPC, ReceiveNanos: minuteNanos(arrivalMinute)}
	rows, items, err := decodeTest(h, []byte(body))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return Request{Header: h, Body: []byte(body), Rows: rows, Items: items}
}

// hashedRequest is a testRequest that is known again.
func hashedRequest(kind record.Type, body string) Request {
	r := testRequest(kind, body)
	sum := sha256.Sum256(append([]byte{byte(kind)}, body...))
	r.Header.Hash = [16]byte(sum[:])
	return r
}

func testOptions(fs vfs.FS) Options {
	return Options{
		FS: fs, Tables: testTables, Decode: decodeTest, BlockRows: 16, ChunkRows: 64, HotWindow: -1, MinFreeShare: -1, HotCacheBytes: 1 << 16, BlobFileBytes: 128,
		Now:          func() time.Time { return time.Unix(0, minuteNanos(arrivalMinute)) },
		CloseTimeout: time.Hour, // a busy machine is no failure; go test shows where one hangs
		WAL:          wal.Options{SegmentBytes: 8 << 10, Spares: 1},
	}
}

// checkFolder is the clean-up of every test that opens a store.
func checkFolder(t testing.TB, fs vfs.FS, dir string) Report {
	t.Helper()
	r, err := Check(fs, dir, testTables)
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, p := range r.Problems {
		t.Errorf("check: %s", p)
	}
	return r
}

func mustOpen(t testing.TB, o Options) *DB {
	t.Helper()
	db, err := Open("db", o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return db
}

// mustOpenChecked closes and checks the store when the test ends.
func mustOpenChecked(t testing.TB, o Options) *DB {
	t.Helper()
	db := mustOpen(t, o)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		checkFolder(t, o.FS, "db")
	})
	return db
}

func mustAppend(t testing.TB, db *DB, kind record.Type, body string) {
	t.Helper()
	if err := db.Append(context.Background(), testRequest(kind, body)); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func mustCheckpoint(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Checkpoint(context.Background()); err != nil {
		t.Fatalf("checkpoint: %v", err)
	}
}

// scanText gives the rows of a table, sorted, each as its fields; rowNumbers
// puts the running number in front.
func scanText(v *View, r ScanRequest, rowNumbers bool) ([]string, ScanStats, error) {
	schema := spansSchema
	if r.Table == "logs" {
		schema = logsSchema
	}
	if rowNumbers {
		r.Columns = append(r.Columns, ColumnRef{Field: RowNumber})
	}
	for i := range schema.Fields {
		r.Columns = append(r.Columns, ColumnRef{Field: i})
	}
	s, err := v.Scan(r)
	if err != nil {
		return nil, ScanStats{}, err
	}
	var out []string
	readers := []vector.Reader{s.Reader(), s.Reader()} // they share the rows
	for k := 0; len(readers) > 0; k++ {
		reader := readers[k%len(readers)]
		b, err := reader.Next(context.Background())
		if err != nil {
			return nil, s.Stats(), err
		}
		if b == nil {
			reader.Close()
			readers = slices.Delete(readers, k%len(readers), k%len(readers)+1)
			continue
		}
		for i := range b.Live() {
			var fields []string
			for c := range b.Width() {
				col, err := b.Column(c)
				if err != nil {
					return nil, s.Stats(), err
				}
				fields = append(fields, fieldText(r.Columns[c], schema, col, b.Row(i)))
			}
			out = append(out, strings.Join(fields, " "))
		}
	}
	slices.Sort(out)
	return out, s.Stats(), nil
}

func fieldText(ref ColumnRef, schema *vector.Schema, col *vector.Column, row int) string {
	if ref.Field == RowNumber {
		return fmt.Sprintf("#%d", col.Ints[row])
	}
	switch f := schema.Fields[ref.Field]; f.Name {
	case "trace":
		return string(bytes.TrimLeft(col.HexBytes(row), "\xab"))
	case "span":
		id := uint64(0)
		for _, b := range col.HexBytes(row) {
			id = id<<8 | uint64(b)
		}
		return fmt.Sprint(id)
	case "start", "time":
		return fmt.Sprint((col.Ints[row] - testEpoch.UnixNano()) / int64(time.Minute))
	case "value":
		return fmt.Sprint(col.Ints[row])
	default:
		return col.Str(row)
	}
}
