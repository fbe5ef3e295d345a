package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/tables"
	"github.com/tael-sql/tael-sql/wal/record"
)

// anHour makes rows of one hour.
type anHour struct {
	name   string
	record record.Type
	schema *vector.Schema
	rows   int
	keys   int // attributes of a row
	body   int // bytes of a log's
}

var hourStart = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC).UnixNano()

const requestRows = 8192

// request makes the rows from number first on. Services, texts and ids are as
// they come from many programs at the same time.
func (h *anHour) request(first, n int, text string) *vector.Rows {
	rng := rand.New(rand.NewPCG(uint64(first), 7))
	rows := &vector.Rows{Schema: h.schema, N: n}
	for _, f := range h.schema.Fields {
		c := &vector.Column{Kind: f.Kind, Len: n, Width: f.Width}
		if f.Nullable {
			c.Valid = vector.NewBitmap(n)
		}
		switch f.Kind {
		case vector.Int64:
			c.Ints = make([]int64, n)
		case vector.Bool:
			c.Bools = make([]bool, n)
		case vector.Hex:
			c.Raw = make([]byte, n*f.Width)
		case vector.String:
			c.Dict, c.Codes = []string{""}, make([]uint32, n)
		case vector.Map:
			c.Valid, c.Attrs = nil, &vector.Attrs{Off: make([]uint32, n+1)}
		}
		switch f.Name {
		case "trace_id", "span_id":
			c.Valid = nil
			for i := range n {
				at := uint64(first+i) * 8 / uint64(f.Width) // two rows a trace, at least
				binary.BigEndian.PutUint64(c.HexBytes(i), at*0x9E3779B97F4A7C15)
			}
		case "start_time_unix_nano", "timestamp_unix_nano", "end_time_unix_nano", "ingested_at_unix_nano":
			for i := range n {
				c.Ints[i] = hourStart + int64(float64(time.Hour)*float64(first+i)/float64(h.rows))
				if f.Name == "end_time_unix_nano" {
					c.Ints[i] += rng.Int64N(1e9)
				}
			}
		case "service", "operation":
			c.Dict = nil
			for k := range map[string]int{"service": 20, "operation": 300}[f.Name] {
				c.Dict = append(c.Dict, fmt.Sprintf("%s-%d", f.Name, k))
			}
			for i := range n {
				c.Codes[i] = uint32(rng.IntN(len(c.Dict)))
			}
		case "attributes":
			a := c.Attrs
			for k := range h.keys {
				a.KeyDict = append(a.KeyDict, fmt.Sprintf("attribute.number%02d", k))
			}
			for i := range n {
				for k := range h.keys {
					distinct := []int{4, 8, 300, n}[k%4]
					v := rng.IntN(distinct)
					a.Keys, a.Tags, a.Vals = append(a.Keys, uint32(k)), append(a.Tags, vector.TagString), append(a.Vals, uint64(len(a.Strs)))
					a.Strs = append(a.Strs, fmt.Sprintf("value %d of %d", v*k, distinct))
				}
				a.Off[i+1] = uint32(len(a.Keys))
			}
		case "body":
			c.Valid, c.Dict, c.Codes = nil, nil, nil
			for i := range n {
				at := rng.IntN(len(text) - h.body)
				c.Strs = append(c.Strs, fmt.Sprintf("%07d", first+i)+text[at:at+h.body-7])
			}
		}
		rows.Cols = append(rows.Cols, c)
	}
	return rows
}

// words is text that compresses to about a third.
func words(n int) string {
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "word%d ", rng.IntN(3000))
		if rng.IntN(4) == 0 {
			fmt.Fprintf(&b, "%08x ", rng.Uint32())
		}
	}
	return b.String()
}

// fill opens a store that has the hours in blocks.
func fill(tb testing.TB, hours ...anHour) *engine.DB {
	tb.Helper()
	db, err := engine.Open(tb.TempDir(), engine.Options{
		Tables: tables.Specs(), Keyed: tables.KeyedSpecs(), HotWindow: -1, MinFreeShare: -1, BallastBytes: -1,
		HotCacheBytes: 1 << 20, BlockCacheBytes: 1 << 20, PageCacheBytes: 1 << 20, MaxMemtableBytes: 64 << 20,
		Decode: func(record.Header, []byte) (*vector.Rows, int, error) {
			return nil, 0, errors.New("nothing is replayed")
		},
		Now: func() time.Time { return time.Unix(0, hourStart).Add(2 * time.Hour) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	text := words(4 << 20)
	for _, h := range hours {
		size := min(requestRows, max(256, (8<<20)/(h.body+1)))
		for first := 0; first < h.rows; first += size {
			rows := h.request(first, min(size, h.rows-first), text)
			header := record.Header{Type: h.record, ReceiveNanos: hourStart + int64(time.Hour)}
			for {
				err := db.Append(context.Background(), engine.Request{Header: header, Body: []byte("x"), Rows: rows, Items: rows.N})
				if err == nil {
					break
				}
				if !errors.Is(err, engine.ErrOverloaded) {
					tb.Fatal(err)
				}
				if err := db.Checkpoint(context.Background()); err != nil {
					tb.Fatal(err)
				}
			}
			if h.body > 1000 && first/size%8 == 7 {
				if err := db.Checkpoint(context.Background()); err != nil {
					tb.Fatal(err)
				}
			}
		}
		if err := db.Checkpoint(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}

// compactAll moves what is before a time into parts and merges these. It gives
// how many rows it moved and the most bytes of the heap that were live meanwhile,
// as the ends of garbage collections tell, beyond those that were before.
func compactAll(tb testing.TB, db *engine.DB, before int64) (rows int64, live uint64) {
	tb.Helper()
	ctx, done := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtime.GC()
	runtime.GC()
	metrics.Read(sample)
	start := sample[0].Value.Uint64()
	peak := start
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
		}
	})
	moved, err := db.Compact(context.Background(), before)
	done()
	wg.Wait()
	if err != nil {
		tb.Fatal(err)
	}
	for _, m := range moved {
		rows += m.Rows
	}
	return rows, peak - start
}

var (
	spansHour    = anHour{name: "spans", record: record.Traces, schema: otlp.SpansSchema, rows: 1 << 20, keys: 10}
	manyKeysHour = anHour{name: "manykeys", record: record.Traces, schema: otlp.SpansSchema, rows: 1 << 18, keys: 64}
	logsHour     = anHour{name: "logs", record: record.Logs, schema: otlp.LogsSchema, rows: 1 << 19, keys: 3, body: 200}
	longLogsHour = anHour{name: "longlogs", record: record.Logs, schema: otlp.LogsSchema, rows: 1 << 17, keys: 3, body: 8192}
)

// cpuSeconds is what the process has used.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkCompact moves an hour into parts, then merges these as on a day that
// is over: rows by the seconds of one processor, garbage collection included, and
// the most bytes that were live.
func BenchmarkCompact(b *testing.B) {
	for _, h := range []anHour{spansHour, manyKeysHour, logsHour, longLogsHour} {
		b.Run("hour="+h.name, func(b *testing.B) {
			for b.Loop() {
				db := fill(b, h)
				for _, phase := range []string{"compact", "merge"} {
					before := hourStart + 2*int64(time.Hour)
					if phase == "merge" {
						before = math.MaxInt64
					}
					start := cpuSeconds(b)
					_, live := compactAll(b, db, before)
					b.ReportMetric(float64(h.rows)/(cpuSeconds(b)-start), phase+"-rows/cpu-s")
					b.ReportMetric(float64(live>>20), phase+"-live-MB")
				}
				v := db.View()
				b.ReportMetric(float64(len(v.Parts())), "parts")
				v.Release()
			}
		})
	}
}

// Compaction and merges hold a part of an hour in memory, however long its rows
// are and however many it has, and change no row. Without bounds they would
// hold 390 MB of this one.
func TestCompactHeap(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	const most = 240 << 20
	hour := longLogsHour
	hour.rows = 10240
	db := fill(t, hour)
	before := hashes(t, db)
	moved, live := compactAll(t, db, math.MaxInt64)
	t.Logf("%d rows, %d MB live", moved, live>>20)
	if moved != int64(hour.rows) || live > most {
		t.Errorf("%d rows of %d, %d MB of the heap are live", moved, hour.rows, live>>20)
	}
	if after := hashes(t, db); after != before {
		t.Errorf("rows changed: %s, before %s", after, before)
	}
}

func hashes(t *testing.T, db *engine.DB) string {
	t.Helper()
	v := db.View()
	defer v.Release()
	list, err := v.RowHashes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(list)
}
