package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal"
	"github.com/tael-sql/tael-sql/wal/record"
)

// benchRows makes spans of traces of eight, 1 ms apart, beginning with span
// number first.
func benchRows(first, n int) *vector.Rows {
	traces, spans := make([]byte, 0, 16*n), make([]byte, 0, 8*n)
	starts, values, codes := make([]int64, n), make([]int64, n), make([]uint32, n)
	for i := range n {
		number := first + i
		trace := rand.New(rand.NewPCG(uint64(number/8), 1))
		traces = binary.BigEndian.AppendUint64(traces, trace.Uint64())
		traces = binary.BigEndian.AppendUint64(traces, trace.Uint64())
		spans = binary.BigEndian.AppendUint64(spans, uint64(number)*0x9E3779B97F4A7C15)
		starts[i], values[i], codes[i] = minuteNanos(0)+int64(number)*int64(time.Millisecond), int64(number%1000), uint32(number%10)
	}
	dict := make([]string, 10)
	for i := range dict {
		dict[i] = "service-" + strconv.Itoa(i)
	}
	return &vector.Rows{Schema: spansSchema, N: n, Cols: []*vector.Column{
		{Kind: vector.Hex, Len: n, Width: 16, Raw: traces},
		{Kind: vector.Hex, Len: n, Width: 8, Raw: spans},
		{Kind: vector.Int64, Len: n, Ints: starts},
		{Kind: vector.String, Len: n, Codes: codes, Dict: dict},
		{Kind: vector.Int64, Len: n, Ints: values},
	}}
}

func benchRequest(first, n int, body []byte) Request {
	rows := benchRows(first, n)
	return Request{
		Header: record.Header{Type: record.Traces, Codec: record.ProtobufS2, Source: record.OTLPGRPC, ReceiveNanos: rows.Cols[2].Ints[0]},
		Body:   body, Rows: rows, Items: n,
	}
}

func benchOptions() Options {
	return Options{FS: vfs.Default, Tables: testTables, Decode: decodeTest, MinFreeShare: -1, WAL: wal.Options{QueueBytes: 256 << 20}}
}

// benchBody has the size of an OTLP request of n spans that s2 halves.
func benchBody(n int) []byte {
	body := make([]byte, 440*n)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range body {
		if i%440 < 100 {
			body[i] = byte(rng.Uint32())
		}
	}
	return body
}

// benchFixture opens a store of so many spans in blocks.
func benchFixture(b *testing.B, spans int) *DB {
	b.Helper()
	db, err := Open(b.TempDir(), benchOptions())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	for first := 0; first < spans; first += 8192 {
		for {
			err := db.Append(context.Background(), benchRequest(first, 8192, []byte("x")))
			if err == nil {
				break
			}
			if err := db.Checkpoint(context.Background()); err != nil { // overloaded: let it catch up
				b.Fatal(err)
			}
		}
	}
	if err := db.Checkpoint(context.Background()); err != nil {
		b.Fatal(err)
	}
	return db
}

// BenchmarkAppend counts durable spans, of requests that are decoded already.
func BenchmarkAppend(b *testing.B) {
	const perRequest = 100
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("spans=%d/writers=%d", perRequest, writers), func(b *testing.B) {
			db, err := Open(b.TempDir(), benchOptions())
			if err != nil {
				b.Fatal(err)
			}
			body := benchBody(perRequest)
			requests := make([]Request, b.N)
			for i := range requests {
				requests[i] = benchRequest(i*perRequest, perRequest, body)
			}
			next := make(chan Request, b.N)
			for _, r := range requests {
				next <- r
			}
			close(next)
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for r := range next {
						if err := db.Append(context.Background(), r); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N*perRequest)/b.Elapsed().Seconds(), "spans/s")
			b.StopTimer()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkScan counts the rows of each dictionary code in one thread.
func BenchmarkScan(b *testing.B) {
	const spans = 1 << 20
	db := benchFixture(b, spans)
	v := db.View()
	defer v.Release()
	for b.Loop() {
		s, err := v.Scan(ScanRequest{Table: "spans", Columns: []ColumnRef{{Field: 3}}})
		if err != nil {
			b.Fatal(err)
		}
		counts := make(map[string]int64)
		reader := s.Reader()
		for {
			batch, err := reader.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			if batch == nil {
				break
			}
			c, err := batch.Column(0)
			if err != nil {
				b.Fatal(err)
			}
			byCode := make([]int64, len(c.Dict))
			for _, code := range c.Codes {
				byCode[code]++
			}
			for code, n := range byCode {
				counts[c.Dict[code]] += n
			}
		}
		if counts["service-3"] < spans/11 {
			b.Fatalf("counted %v", counts)
		}
	}
	b.ReportMetric(float64(b.N)*spans/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkTrace looks traces up among many blocks. Its size is set by
// TAEL_BENCH_SPANS.
func BenchmarkTrace(b *testing.B) {
	spans := 1 << 20
	if text := os.Getenv("TAEL_BENCH_SPANS"); text != "" {
		var err error
		if spans, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	db := benchFixture(b, spans)
	for _, present := range []bool{true, false} {
		b.Run(fmt.Sprintf("spans=%d/present=%v", spans, present), func(b *testing.B) {
			var took []time.Duration
			rng := rand.New(rand.NewPCG(1, 2))
			for b.Loop() {
				id := benchRows(rng.IntN(spans/8)*8, 1).Cols[0].Raw
				if !present {
					id[0] ^= 0x55
				}
				start := time.Now()
				rows := benchLookUp(b, db, id)
				took = append(took, time.Since(start))
				if present != (rows == 8) {
					b.Fatalf("%d rows", rows)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
		})
	}
}

// benchLookUp reads all columns of a trace.
func benchLookUp(b *testing.B, db *DB, id []byte) int {
	v := db.View()
	defer v.Release()
	r := ScanRequest{Table: "spans", Filters: []Filter{{Ref: ColumnRef{Field: 0}, Equals: []any{id}}}}
	for i := range spansSchema.Fields {
		r.Columns = append(r.Columns, ColumnRef{Field: i})
	}
	s, err := v.Scan(r)
	if err != nil {
		b.Fatal(err)
	}
	rows, reader := 0, s.Reader()
	for {
		batch, err := reader.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		if batch == nil {
			return rows
		}
		for c := range batch.Width() {
			if _, err := batch.Column(c); err != nil {
				b.Fatal(err)
			}
		}
		rows += batch.Live()
	}
}
