package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var evaluate = flag.Bool("evaluate", false, "run TestEvaluation")

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

// TestEvaluation asks anomalies() about every labelled incident, each in a
// gateway of its own, and about minutes without a fault. It prints how often the
// injected service comes first and among the first three, by system and kind of
// fault, and in how many of the other minutes there is an alarm.
func TestEvaluation(t *testing.T) {
	if !*evaluate {
		t.Skip("without -evaluate")
	}
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
	type score struct{ first, three, all int }
	scores := map[string]*score{}
	count := func(key string, rank int) {
		s := scores[key]
		if s == nil {
			s = &score{}
			scores[key] = s
		}
		s.all++
		if rank == 1 {
			s.first++
		}
		if rank >= 1 && rank <= 3 {
			s.three++
		}
	}
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
		findings := judge(t, folder, recordings, in.day, in.baseline, in.current)
		rank := 0
		for _, f := range findings {
			if f.service == in.service {
				rank = f.rank
				break
			}
		}
		for _, key := range []string{"all", in.system, in.system + " " + in.fault} {
			count(key, rank)
		}
		if rank != 1 {
			fmt.Printf("%-14s %s by %s: rank %d; first is %v\n", in.id, in.service, in.fault, rank, findings[:min(1, len(findings))])
		}
		if in.quiet == "" {
			continue
		}
		minutes++
		base := slices.DeleteFunc(slices.Clone(in.baseline), func(w string) bool { return w == in.quiet })
		for _, f := range judge(t, folder, recordings, in.day, base, []string{in.quiet}) {
			if f.severity == "high" {
				alarms++
				fmt.Printf("%-14s an alarm in the minute %s without a fault: %v\n", in.id, in.quiet, f)
				break
			}
		}
	}
	fmt.Printf("\n%-22s %6s %6s %6s\n", "", "faults", "top-1", "top-3")
	for _, key := range slices.Sorted(maps.Keys(scores)) {
		s := scores[key]
		fmt.Printf("%-22s %6d %6d %6d\n", key, s.all, s.first, s.three)
	}
	all := scores["all"]
	fmt.Printf("\ntop-1 %d/%d top-3 %d/%d false-alarms %d/%d\n", all.first, all.all, all.three, all.all, alarms, minutes)
	if all.first < 38 || all.three < 41 || alarms > 5 {
		t.Error("that is too few, or too many alarms")
	}
}

type finding struct {
	rank                    int
	service, kind, severity string
}

// judge lays minutes end to end, the baseline before a moment and the others
// behind it, sends them to a new gateway, and asks at their end.
func judge(t *testing.T, folder string, recordings map[string]recording, day string, baseline, current []string) (list []finding) {
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
	rows, err := connect(t, g).Query(t.Context(), "SELECT rank, service, kind, severity FROM anomalies($1, $2, NULL, $3) ORDER BY rank, kind", seconds[1], seconds[0], at)
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
