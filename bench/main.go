// Command bench runs OTelBench: it sends the workload to a gateway process over
// OTLP, then asks the same questions of tael-sql's engine and of its peers in
// this process, compares every value, and prints the ratios.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/bench/workload"
	"github.com/tael-sql/tael-sql/wal/record"
)

type options struct {
	scale   float64
	seed    uint64
	binary  string
	dir     string
	writers int
	rounds  int
	only    string
	data    string
	alone   bool
	cold    bool
	profile string
	days    int

	postgres bool
}

func main() {
	var o options
	flag.Float64Var(&o.scale, "scale", 0.02, "share of 5 M spans, 5 M logs, 2 M points")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the workload")
	flag.StringVar(&o.binary, "binary", "../bin/tael-sql", "the gateway to send to")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "otelbench"), "folder for the requests and the data")
	flag.IntVar(&o.writers, "writers", 8, "clients that send at the same time")
	flag.IntVar(&o.rounds, "rounds", 5, "times that each query is run, after one to warm up")
	flag.StringVar(&o.only, "only", "", "comma-separated names of the queries to run")
	flag.StringVar(&o.data, "data", "", "folder to keep the data in; what it holds already is not sent again")
	flag.BoolVar(&o.alone, "alone", false, "run without DuckDB: times of the engine, nothing compared")
	flag.BoolVar(&o.cold, "cold", true, "ask again with all rows in parts, also of DuckDB over the same Parquet files")
	flag.StringVar(&o.profile, "cpuprofile", "", "file for a profile of look-ups and queries")
	flag.IntVar(&o.days, "days", 0, "measure the store instead, with the spans of so many days")
	flag.BoolVar(&o.postgres, "postgres", true, "ask PostgreSQL 15 too, where it is installed, up to scale 0.2")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	data := workload.Data{Seed: o.seed, Scale: o.scale}
	fmt.Printf("OTelBench at scale %g, seed %d, on %s with %d processors\n\n", o.scale, o.seed, cpuModel(), runtime.NumCPU())
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	folder := o.data
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp(o.dir, "data-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
	}
	if o.days > 0 {
		return storage(ctx, o, folder)
	}
	if _, err := os.Stat(filepath.Join(folder, "hot")); err != nil {
		if err := ingestAll(ctx, o, data, folder); err != nil {
			return err
		}
	}
	workers := runtime.GOMAXPROCS(0)
	us, err := openOurs(folder, workers)
	if err != nil {
		return err
	}
	defer func() { _ = us.db.Close() }()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var peer *duck
	if !o.alone {
		if peer, err = openDuck(workers); err != nil {
			return err
		}
		defer func() { _ = peer.close() }()
		if err := peer.load(ctx, data); err != nil {
			return fmt.Errorf("load DuckDB: %w", err)
		}
	}
	if _, blocks := us.placement(); blocks > 0 {
		fmt.Println("With the rows in hot blocks")
		if err := lookUps(ctx, us, data); err != nil {
			return err
		}
		if err := ask(ctx, o, us, ofDuck(peer, "DuckDB")); err != nil {
			return err
		}
	}
	if err := againstPostgres(ctx, o, us, data); err != nil {
		return err
	}
	if !o.cold {
		return nil
	}
	if err := us.compact(ctx); err != nil {
		return err
	}
	fmt.Println("With the rows in cold parts")
	if err := lookUps(ctx, us, data); err != nil {
		return err
	}
	if peer == nil {
		return ask(ctx, o, us, ofDuck(nil, ""))
	}
	if err := ask(ctx, o, us, ofDuck(peer, "DuckDB")); err != nil {
		return err
	}
	if err := peer.readParts(us); err != nil {
		return err
	}
	return ask(ctx, o, us, ofDuck(peer, "on parts"))
}

// againstPostgres asks PostgreSQL the same, and both of them over the wire.
func againstPostgres(ctx context.Context, o options, us *ours, data workload.Data) (err error) {
	if !o.postgres || o.alone || o.scale > mostForPostgres {
		fmt.Printf("PostgreSQL 15: not asked (-postgres, a scale up to %g)\n\n", mostForPostgres)
		return nil
	}
	p, err := openPostgres(ctx, us.workers)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if p == nil {
		fmt.Print("PostgreSQL 15: absent\n\n")
		return nil
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.load(ctx, data); err != nil {
		return fmt.Errorf("load PostgreSQL: %w", err)
	}
	if err := ask(ctx, o, us, against{"Postgres", p, func(q query) string { return q.postgres }}); err != nil {
		return err
	}
	return overTheWire(ctx, o, us, p, data)
}

// against is an engine that is asked the same. peer is nil if there is none.
type against struct {
	name string
	peer interface {
		run(ctx context.Context, query string, discard bool) ([][]string, error)
	}
	text func(query) string
}

func ofDuck(d *duck, name string) against {
	a := against{name: name, text: func(q query) string { return q.duckdb }}
	if d != nil {
		a.peer = d
	}
	return a
}

// ingestAll sends the three signals and prints how it went.
func ingestAll(ctx context.Context, o options, data workload.Data, folder string) (err error) {
	g, err := startGateway(o.binary, folder)
	if err != nil {
		return err
	}
	fmt.Printf("%-8s %10s %10s %12s %9s %9s %8s\n", "ingest", "items", "items/s", "per CPU s", "ack p50", "ack p99", "RSS MB")
	if err := g.comment(ctx, data); err != nil {
		return errors.Join(fmt.Errorf("write comments: %w", err), g.stop())
	}
	for _, signal := range []record.Type{record.Traces, record.Logs, record.Metrics} {
		path, err := requestFile(o.dir, data, signal)
		if err != nil {
			return errors.Join(err, g.stop())
		}
		in, err := g.send(ctx, path, signal, o.writers)
		if err != nil {
			return errors.Join(fmt.Errorf("send %s: %w", signal, err), g.stop())
		}
		items := float64(in.requests) * 100
		now, _ := g.memory()
		fmt.Printf("%-8s %10.0f %10.0f %12.0f %9s %9s %8d\n", signal, items, items/in.took.Seconds(), items/in.cpu,
			percentile(in.acks, 0.5).Round(10*time.Microsecond), percentile(in.acks, 0.99).Round(10*time.Microsecond), now)
	}
	_, most := g.memory()
	if err := g.stop(); err != nil {
		return err
	}
	fmt.Printf("at most %d MB resident; %.1f MB on disk\n\n", most, float64(folderBytes(filepath.Join(folder, "hot")))/1e6)
	return nil
}

// lookUps measures a trace by its id, present and absent.
func lookUps(ctx context.Context, us *ours, data workload.Data) error {
	var ids []string
	step, seen := int(5_000_000*data.Scale)/200+1, 0
	data.Spans(func(s *workload.Span) {
		if seen%step == 0 {
			ids = append(ids, hex.EncodeToString(s.TraceID[:]))
		}
		seen++
	})
	ways := []struct {
		name string
		rows func(id string) (int, error)
	}{
		{"in the engine", us.trace},
		{"through SQL, planning included", func(id string) (int, error) {
			rows, err := us.run(ctx, "SELECT * FROM spans WHERE trace_id = '"+id+"'", false)
			return len(rows), err
		}},
	}
	for _, way := range ways {
		for _, absent := range []bool{false, true} {
			var times []time.Duration
			for pass := range 2 { // one to warm up
				times = times[:0]
				for _, id := range ids {
					if absent {
						id = strings.Repeat("f", 8) + id[8:]
					}
					start := time.Now()
					rows, err := way.rows(id)
					times = append(times, time.Since(start))
					if err != nil {
						return err
					}
					if (rows == 0) != absent {
						return fmt.Errorf("pass %d: trace %s has %d rows", pass, id, rows)
					}
				}
			}
			slices.Sort(times)
			fmt.Printf("Q4 trace by id, %-8s p50 %8s  p95 %8s  all columns, %s\n",
				map[bool]string{false: "present:", true: "absent:"}[absent], percentile(times, 0.5).Round(time.Microsecond), percentile(times, 0.95).Round(time.Microsecond), way.name)
		}
	}
	fmt.Println()
	return nil
}

// ask runs the queries on both engines. A difference is an error, after all
// queries have run.
func ask(ctx context.Context, o options, us *ours, other against) error {
	fmt.Printf("%-4s %-40s %10s %10s %7s\n", "", "median of "+fmt.Sprint(o.rounds), "tael-sql", other.name, "ratio")
	var wrong []error
	logs, n := 0.0, 0
	for _, q := range queries() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), q.name) {
			continue
		}
		ourRows, err := us.run(ctx, q.ours, false)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", q.name, err))
			continue
		}
		ourTime, err := median(o.rounds, func() error { _, err := us.run(ctx, q.ours, true); return err })
		if err != nil {
			return err
		}
		text := other.text(q)
		if other.peer == nil || text == "" {
			fmt.Printf("%-4s %-40s %10s\n", q.name, q.title, round(ourTime))
			continue
		}
		theirRows, err := other.peer.run(ctx, text, false)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s on %s: %w", q.name, other.name, err))
			continue
		}
		if err := equal(ourRows, theirRows); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", q.name, err))
		}
		theirTime, err := median(o.rounds, func() error { _, err := other.peer.run(ctx, text, true); return err })
		if err != nil {
			return err
		}
		ratio := float64(ourTime) / float64(theirTime)
		logs, n = logs+math.Log(ratio), n+1
		fmt.Printf("%-4s %-40s %10s %10s %7.2f\n", q.name, q.title, round(ourTime), round(theirTime), ratio)
	}
	if n > 0 {
		fmt.Printf("%-4s %-40s %10s %10s %7.2f\n", "", "geometric mean", "", "", math.Exp(logs/float64(n)))
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	if other.peer == nil {
		return nil
	}
	fmt.Print("every value is the same on both engines\n\n")
	return nil
}

func median(rounds int, f func() error) (time.Duration, error) {
	var times []time.Duration
	for range rounds {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func round(d time.Duration) string {
	if d > 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

func folderBytes(dir string) (n int64) {
	_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

func cpuModel() string {
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(raw)) {
			if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(model)
			}
		}
	}
	return runtime.GOARCH
}
