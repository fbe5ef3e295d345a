package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var (
	evaluate     = flag.Bool("evaluate", false, "run TestEvaluation")
	evaluateSeed = flag.Uint64("evaluate-seed", 0, "of its generated systems; 0: a new one")
)

// A labelled incident: minutes with a fault, and minutes of the same day without.
type labelled struct {
	id, system, day, service, fault string
	current, baseline               []string
	quiet                           string // a minute without a fault, to be asked about too; "": none
}

// records reads a CSV file by the names in its first line.
func records(t *testing.T, name string) (list []map[string]string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Skipf("the labelled incidents are missing: %v", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		r := make(map[string]string)
		for i, name := range rows[0] {
			r[name] = row[i]
		}
		list = append(list, r)
	}
	return list
}

// A recording is one minute of a day: where it lies in time.
type recording struct {
	first  time.Time
	length time.Duration
}

// TestEvaluation asks anomalies() about faults whose place is known, each in a
// gateway of its own, and about times without a fault. It prints how often the
// service at fault comes first and among the first three, by system and kind of
// fault, and in how many of the other times there is an alarm.
func TestEvaluation(t *testing.T) {
	if !*evaluate {
		t.Skip("without -evaluate")
	}
	t.Run("generated", evaluateGenerated)
	t.Run("incidents", evaluateIncidents)
}

// scores counts by what they are printed as.
type scores map[string]*score

type score struct{ first, three, all int }

func (s scores) count(key string, rank int) {
	if s[key] == nil {
		s[key] = &score{}
	}
	s[key].all++
	if rank == 1 {
		s[key].first++
	}
	if rank >= 1 && rank <= 3 {
		s[key].three++
	}
}

func (s scores) print() {
	fmt.Printf("\n%-26s %6s %6s %6s\n", "", "faults", "top-1", "top-3")
	for _, key := range slices.Sorted(maps.Keys(s)) {
		fmt.Printf("%-26s %6d %6d %6d\n", key, s[key].all, s[key].first, s[key].three)
	}
}

// evaluateGenerated draws systems, each with every kind of fault, and without.
func evaluateGenerated(t *testing.T) {
	seed := rand.Uint64()
	if *evaluateSeed != 0 {
		seed = *evaluateSeed
	}
	fmt.Printf("generated systems of seed %d\n", seed)
	const systems = 12
	drawn, alarms := scores{}, 0
	for n := range uint64(systems) {
		for _, kind := range append([]string{""}, harms...) {
			rng := rand.New(rand.NewPCG(seed, n))
			s := drawSystem(rng)
			var h harm
			if kind != "" {
				h = s.drawHarm(kind)
			}
			end := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
			s.play(end, h)
			findings := judge(t, func(g *gateway) (int, int, time.Time) {
				s.send(t, g)
				return illSeconds, wellSeconds, end
			})
			if kind == "" {
				if alarm := slices.IndexFunc(findings, func(f finding) bool { return f.severity == "high" }); alarm >= 0 {
					alarms++
					fmt.Printf("system %-7d an alarm without a fault: %v\n", n, findings[alarm])
				}
				continue
			}
			service := s.services[h.service]
			rank := rankOf(findings, service)
			drawn.count("generated", rank)
			drawn.count("generated "+kind, rank)
			if rank != 1 {
				fmt.Printf("system %-7d %s of %s by %s: rank %d; first is %v\n", n, h.op.name, service, kind, rank, findings[:min(1, len(findings))])
			}
		}
	}
	drawn.print()
	all := drawn["generated"]
	fmt.Printf("\nfalse alarms %d/%d\n\n", alarms, systems)
	if all.first*10 < all.all*9 || alarms > 1 {
		t.Error("that is too few, or too many alarms")
	}
}

func rankOf(findings []finding, service string) int {
	for _, f := range findings {
		if f.service == service {
			return f.rank
		}
	}
	return 0
}

func evaluateIncidents(t *testing.T) {
	folder := filepath.Dir(filepath.Dir(incident))
	recordings := make(map[string]recording)
	for _, r := range records(t, filepath.Join(folder, "windows.csv")) {
		var at [2]time.Time
		for i, key := range []string{"first_start", "last_end"} {
			var err error
			day := r["day"][strings.Index(r["day"], "-")+1:]
			if at[i], err = time.Parse("2006-01-02 15:04:05", day+" "+r[key]); err != nil {
				t.Fatal(err)
			}
		}
		recordings[r["day"]+"/"+r["window"]] = recording{at[0], at[1].Sub(at[0])}
	}
	found := scores{}
	minutes, alarms := 0, 0
	for _, r := range records(t, filepath.Join(folder, "labels.csv")) {
		in := labelled{
			id: r["id"], system: r["system"], day: r["system"] + "-" + r["day"], service: r["service"], fault: r["fault_type"],
			current: strings.Fields(r["fault_windows"]), baseline: strings.Fields(r["shared_baseline_windows"]),
		}
		if r["pre_window_ok"] == "yes" {
			in.quiet = r["pre_window"]
			if !slices.Contains(in.baseline, in.quiet) {
				in.baseline = append([]string{in.quiet}, in.baseline...)
			}
		}
		findings := judge(t, replay(t, folder, recordings, in.day, in.baseline, in.current))
		rank := rankOf(findings, in.service)
		for _, key := range []string{"all", in.system, in.system + " " + in.fault} {
			found.count(key, rank)
		}
		if rank != 1 {
			fmt.Printf("%-14s %s by %s: rank %d; first is %v\n", in.id, in.service, in.fault, rank, findings[:min(1, len(findings))])
		}
		if in.quiet == "" {
			continue
		}
		minutes++
		base := slices.DeleteFunc(slices.Clone(in.baseline), func(w string) bool { return w == in.quiet })
		for _, f := range judge(t, replay(t, folder, recordings, in.day, base, []string{in.quiet})) {
			if f.severity == "high" {
				alarms++
				fmt.Printf("%-14s an alarm in the minute %s without a fault: %v\n", in.id, in.quiet, f)
				break
			}
		}
	}
	found.print()
	all := found["all"]
	fmt.Printf("\ntop-1 %d/%d top-3 %d/%d false-alarms %d/%d\n", all.first, all.all, all.three, all.all, alarms, minutes)
	if all.first < 38 || all.three < 41 || alarms > 5 {
		t.Error("that is too few, or too many alarms")
	}
}

type finding struct {
	rank                    int
	service, kind, severity string
}

// replay gives what lays minutes end to end, the baseline before a moment and
// the others behind it, and sends them to a gateway.
func replay(t *testing.T, folder string, recordings map[string]recording, day string, baseline, current []string) func(*gateway) (int, int, time.Time) {
	return func(g *gateway) (int, int, time.Time) {
		at := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
		var seconds [2]int
		for i, windows := range [][]string{baseline, current} {
			for _, w := range windows {
				r := recordings[day+"/"+w]
				im := &importer{out: &bytes.Buffer{}, shift: int64(at.Sub(r.first))}
				files, err := filepath.Glob(filepath.Join(folder, day, w+".*.zst"))
				if err != nil || len(files) == 0 {
					t.Fatalf("%s %s: %v", day, w, err)
				}
				if err := im.run(t.Context(), "grpc://"+g.endpoints.OTLPGRPC, files); err != nil {
					t.Fatal(err)
				}
				slot := int(r.length.Seconds()) + 2 // spans are given by the second
				at = at.Add(time.Duration(slot) * time.Second)
				seconds[i] += slot
			}
		}
		return seconds[1], seconds[0], at
	}
}

// judge fills a new gateway and asks it. fill gives the seconds of the window to
// judge, those of the baseline, and the end of both.
func judge(t *testing.T, fill func(*gateway) (current, baseline int, end time.Time)) (list []finding) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("TAEL_SQL_INGEST_BALLAST", "0") // there are many
	g := testGateway(t, dir)
	defer func() {
		stopGateway(t, g, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	current, baseline, end := fill(g)
	rows, err := connect(t, g).Query(t.Context(), "SELECT rank, service, kind, severity FROM anomalies($1, $2, NULL, $3) ORDER BY rank, kind", current, baseline, end)
	if err != nil {
		t.Fatal(err)
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f finding, err error) {
		err = row.Scan(&f.rank, &f.service, &f.kind, &f.severity)
		return f, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
