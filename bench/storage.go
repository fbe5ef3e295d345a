package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/bench/workload"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

const day = 24 * time.Hour

// byHand leaves compaction to the benchmark.
func byHand(o *engine.Options) { o.HotWindow = -1 }

// storage measures the store with many days of spans: bytes a span, compaction,
// what it does to those who write and ask meanwhile, a trace by id, opening, and
// a start with a long log.
func storage(ctx context.Context, o options, folder string) error {
	us, err := openOurs(folder, runtime.GOMAXPROCS(0), byHand)
	if err != nil {
		return err
	}
	defer func() { _ = us.db.Close() }()
	var present []string
	for n := range o.days {
		data := workload.Data{Seed: o.seed + uint64(n), Scale: o.scale}
		shift := time.Duration(n) * day
		ids, err := us.feed(ctx, data, shift)
		if err != nil {
			return fmt.Errorf("day %d: %w", n+1, err)
		}
		present = append(present, ids...)
		if n == 0 {
			if err := us.sizes("hot"); err != nil {
				return err
			}
			if err := us.beside(ctx, shift); err != nil {
				return err
			}
			if err := us.sizes("cold"); err != nil {
				return err
			}
			continue
		}
		if err := us.compact(ctx); err != nil {
			return err
		}
	}
	if err := us.db.Close(); err != nil {
		return err
	}
	start := time.Now()
	if us, err = openOurs(folder, runtime.GOMAXPROCS(0), byHand); err != nil {
		return err
	}
	opened := time.Since(start)
	parts, blocks := us.placement()
	fmt.Printf("opening %d rows in parts and %d in blocks: %s\n", parts, blocks, round(opened))
	if err := us.traces(present); err != nil {
		return err
	}
	return us.longLog(ctx, o)
}

// feed appends the spans of a day, and gives the ids of some traces.
func (o *ours) feed(ctx context.Context, data workload.Data, shift time.Duration) (ids []string, err error) {
	requests := make(chan []byte, 64)
	var failed error
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for r := range requests {
				if err := o.append(ctx, r); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	step, seen := int(5_000_000*data.Scale)/20+1, 0
	e := workload.NewEncoder(func(r []byte) { requests <- r })
	start := time.Now()
	data.Spans(func(s *workload.Span) {
		if seen++; seen%step == 0 {
			ids = append(ids, hex.EncodeToString(s.TraceID[:]))
		}
		s.StartNanos += int64(shift)
		e.Span(s)
	})
	e.Flush()
	close(requests)
	wg.Wait()
	fmt.Printf("%d spans in, %.0f/s, made by the same process\n", seen, float64(seen)/time.Since(start).Seconds())
	return ids, errors.Join(failed, o.db.Checkpoint(ctx))
}

// append appends a request of spans, and again while it is refused.
func (o *ours) append(ctx context.Context, body []byte) error {
	h := record.Header{Type: record.Traces, ReceiveNanos: time.Now().UnixNano()}
	d, err := otlp.Decode(h, body)
	if err != nil {
		return err
	}
	for {
		err := o.db.Append(ctx, engine.Request{Header: h, Body: body, Rows: d.Rows, Items: d.Items})
		if !errors.Is(err, engine.ErrOverloaded) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sizes prints the bytes a span takes on the disk, all files but the log's counted.
func (o *ours) sizes(name string) error {
	parts, blocks := o.placement()
	bytes := folderBytes(filepath.Join(o.dir, "hot")) + folderBytes(filepath.Join(o.dir, "cold"))
	fmt.Printf("%-5s %d rows, %.1f bytes each\n", name, parts+blocks, float64(bytes)/float64(parts+blocks))
	return nil
}

// latencies are how long requests of 100 spans and a question took.
type latencies struct{ appends, queries []time.Duration }

func (l *latencies) String() string {
	slices.Sort(l.appends)
	slices.Sort(l.queries)
	return fmt.Sprintf("append p50 %8s p99 %8s   query p50 %8s p99 %8s   of %d and %d",
		round(percentile(l.appends, 0.5)), round(percentile(l.appends, 0.99)),
		round(percentile(l.queries, 0.5)), round(percentile(l.queries, 0.99)), len(l.appends), len(l.queries))
}

// load appends 20,000 spans a second and asks a question ten times a second until
// the context ends. What it appends is of another year.
func (o *ours) load(ctx context.Context, far time.Duration) (l *latencies, err error) {
	l = &latencies{}
	requests := make(chan []byte)
	var wg sync.WaitGroup
	var appendErr, queryErr error
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		e := workload.NewEncoder(func(r []byte) {
			select {
			case requests <- r:
			case <-life.Done():
			}
		})
		for seed := uint64(far); life.Err() == nil; seed++ {
			workload.Data{Seed: seed, Scale: 0.004}.Spans(func(s *workload.Span) {
				s.StartNanos += int64(far)
				e.Span(s)
			})
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			select {
			case r := <-requests:
				start := time.Now()
				if appendErr = o.append(context.WithoutCancel(ctx), r); appendErr != nil {
					return
				}
				l.appends = append(l.appends, time.Since(start))
			case <-life.Done():
				return
			}
		}
	})
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		sql := fmt.Sprintf(`SELECT service, count(*), avg(duration_ms) FROM spans WHERE start_time >= '%s' AND start_time < '%s' GROUP BY service`,
			workload.Start.Add(2*time.Hour).Format(time.RFC3339), workload.Start.Add(4*time.Hour).Format(time.RFC3339))
		for range tick.C {
			if life.Err() != nil {
				return
			}
			start := time.Now()
			if _, queryErr = o.run(context.WithoutCancel(ctx), sql, true); queryErr != nil {
				return
			}
			l.queries = append(l.queries, time.Since(start))
		}
	})
	wg.Wait()
	return l, errors.Join(appendErr, queryErr)
}

// beside compacts under load, and compares with the load alone.
func (o *ours) beside(ctx context.Context, shift time.Duration) error {
	idle, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	heap := watchHeap(idle, &wg)
	alone, err := o.load(idle, 400*day)
	cancel()
	wg.Wait()
	if err != nil {
		return err
	}
	fmt.Printf("idle             %s; %d MB of live heap\n", alone, *heap>>20)
	busy, done := context.WithCancel(ctx)
	var during *latencies
	var loadErr error
	wg.Go(func() { during, loadErr = o.load(busy, 800*day) })
	heap = watchHeap(busy, &wg)
	start := time.Now()
	// Not what the load appends, so that compaction has the day alone to move.
	moved, err := o.db.Compact(ctx, workload.End.Add(shift).UnixNano())
	took := time.Since(start)
	done()
	wg.Wait()
	if err := errors.Join(err, loadErr); err != nil {
		return err
	}
	for _, m := range moved {
		if m.Rows > 0 {
			fmt.Printf("compaction       %d rows of %s in %s: %.0f/s under this load; %d MB of live heap at most, with the load's\n",
				m.Rows, m.Table, round(took), float64(m.Rows)/took.Seconds(), *heap>>20)
		}
	}
	fmt.Printf("while compacting %s\n\n", during)
	return nil
}

// watchHeap gives the most that was live of the heap at the end of a garbage
// collection, once the group is done.
func watchHeap(ctx context.Context, wg *sync.WaitGroup) *uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtime.GC()
	peak := new(uint64)
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if ctx.Err() != nil {
				return
			}
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
		}
	})
	return peak
}

// traces looks traces up that are and that are not there: each once, cold, then
// again.
func (o *ours) traces(ids []string) error {
	for pass, name := range []string{"first", "again"} {
		for _, absent := range []bool{false, true} {
			var times []time.Duration
			for _, id := range ids {
				if absent {
					id = strings.Repeat("f", 8) + id[8:]
				}
				start := time.Now()
				rows, err := o.trace(id)
				times = append(times, time.Since(start))
				if err != nil {
					return err
				}
				if (rows == 0) != absent {
					return fmt.Errorf("pass %d: trace %s has %d rows", pass, id, rows)
				}
			}
			slices.Sort(times)
			fmt.Printf("a trace by id, %-5s %-8s p50 %8s p95 %8s\n", name, map[bool]string{false: "present:", true: "absent:"}[absent],
				round(percentile(times, 0.5)), round(percentile(times, 0.95)))
		}
	}
	return nil
}

// longLog opens a copy of a folder as a kill leaves it with 512 MiB of log that
// no block holds yet.
func (o *ours) longLog(ctx context.Context, opts options) (err error) {
	dir, err := os.MkdirTemp(opts.dir, "log-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	const length = 512 << 20
	us, err := openOurs(filepath.Join(dir, "alive"), o.workers, func(o *engine.Options) {
		byHand(o)
		o.MaxMemtableBytes, o.MaxMemtableRows, o.MaxMemtableAge, o.MaxWALBytes = 1<<40, math.MaxInt32, time.Hour, 1<<40
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, us.db.Close()) }()
	sent := 0
	e := workload.NewEncoder(func(r []byte) {
		if err == nil {
			err = us.append(ctx, r)
			sent++
		}
	})
	for seed := opts.seed; err == nil && us.db.Metrics().WALBytes < length; seed++ {
		workload.Data{Seed: seed, Scale: 0.01}.Spans(e.Span)
	}
	if err != nil {
		return err
	}
	killed := filepath.Join(dir, "killed")
	if err := os.CopyFS(killed, os.DirFS(filepath.Join(dir, "alive"))); err != nil {
		return err
	}
	start := time.Now()
	again, err := openOurs(killed, o.workers, byHand)
	if err != nil {
		return err
	}
	fmt.Printf("a start with %d MiB of log, %d requests: %s\n", us.db.Metrics().WALBytes>>20, sent, round(time.Since(start)))
	return again.db.Close()
}
