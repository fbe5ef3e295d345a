package tables

import (
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tael-sql/tael-sql/internal/anomaly"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// incidents is real traces, logs and metrics of two systems with labelled faults.
const incidents = "../../shared/data/nezha/dev"

// minute is one window of the incidents, by signal.
type minute struct{ spans, logs, readings []*vector.Batch }

type recordings struct {
	t       *testing.T
	minutes map[string]*minute
}

func (r *recordings) minute(day, window string) *minute {
	name := filepath.Join(day, window)
	if m := r.minutes[name]; m != nil {
		return m
	}
	m := &minute{
		spans:    r.read(name+".traces", record.Traces, spanColumns),
		logs:     r.read(name+".logs", record.Logs, logColumns),
		readings: r.read(name+".metrics", record.Metrics, readingColumns),
	}
	r.minutes[name] = m
	return m
}

// read decodes a file as the gateway does and keeps the columns.
func (r *recordings) read(name string, signal record.Type, columns []string) []*vector.Batch {
	f, err := os.Open(filepath.Join(incidents, name+".otlp.zst"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // not every window has logs
	}
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		r.t.Fatal(err)
	}
	defer z.Close()
	content, err := io.ReadAll(z)
	if err != nil {
		r.t.Fatal(err)
	}
	var batches []*vector.Batch
	for len(content) > 0 {
		n := binary.BigEndian.Uint32(content)
		d, err := otlp.Decode(record.Header{Type: signal, MappingVersion: otlp.MappingVersion}, content[4:4+n])
		if err != nil {
			r.t.Fatal(err)
		}
		var cols []*vector.Column
		for _, c := range columns {
			if c == "timestamp" {
				cols = append(cols, micros(d.Rows.Cols[d.Rows.Schema.Index("timestamp_unix_nano")]))
			} else {
				cols = append(cols, d.Rows.Cols[d.Rows.Schema.Index(c)])
			}
		}
		batches = append(batches, vector.NewBatch(d.Rows.N, cols))
		content = content[4+n:]
	}
	return batches
}

// compare judges the minutes of current against those of base.
func (r *recordings) compare(day string, base, current []string) []anomaly.Finding {
	r.t.Helper()
	w := &windows{
		in:    anomaly.NewInput(60*float64(len(base)), 60*float64(len(current))),
		since: minInt64, until: maxInt64,
	}
	for _, part := range []struct {
		list     []string
		boundary int64
	}{{base, maxInt64}, {current, minInt64}} {
		w.boundary = part.boundary
		for _, window := range part.list {
			m := r.minute(day, window)
			for _, err := range []error{each(m.spans, w.addSpans), each(m.logs, w.addLogs), each(m.readings, w.addReadings)} {
				if err != nil {
					r.t.Fatal(err)
				}
			}
		}
	}
	return anomaly.Detect(w.in)
}

func each(batches []*vector.Batch, add func(*vector.Batch) error) error {
	for _, b := range batches {
		if err := add(b); err != nil {
			return err
		}
	}
	return nil
}

// incident is a row of labels.csv.
type incident struct {
	id, day, service, fault, pre, preOK string
	current, shared                     []string
}

func readIncidents(t *testing.T) []incident {
	f, err := os.Open(filepath.Join(incidents, "labels.csv"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the incidents are missing: %v", err)
		}
		t.Skipf("the incidents are missing: %v", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	place := make(map[string]int)
	for i, name := range rows[0] {
		place[name] = i
	}
	var list []incident
	for _, row := range rows[1:] {
		get := func(name string) string { return row[place[name]] }
		list = append(list, incident{
			id: get("id"), day: get("system") + "-" + get("day"), service: get("service"), fault: get("fault_type"),
			current: strings.Fields(get("fault_windows")), shared: strings.Fields(get("shared_baseline_windows")),
			pre: get("pre_window"), preOK: get("pre_window_ok"),
		})
	}
	return list
}

// The injected service of labelled faults comes first, or among the first
// three, as often as this says; and minutes without a fault raise few alarms.
// The bounds are what the method reaches: a change that makes it worse fails.
func TestIncidents(t *testing.T) {
	const leastFirst, leastThree, mostAlarms = 43, 43, 2
	list := readIncidents(t)
	r := &recordings{t: t, minutes: make(map[string]*minute)}
	first, three := 0, 0
	for _, in := range list {
		base := in.shared
		if in.preOK == "yes" && in.pre != in.shared[0] && in.pre != in.shared[1] {
			base = append([]string{in.pre}, base...)
		}
		rank := 0
		findings := r.compare(in.day, base, in.current)
		for _, f := range findings {
			if f.Service == in.service {
				rank = f.Rank
				break
			}
		}
		if rank == 1 {
			first++
		}
		if rank >= 1 && rank <= 3 {
			three++
		}
		if rank != 1 {
			t.Logf("%s: %s by %s has rank %d of %s", in.id, in.service, in.fault, rank, brief(findings))
		}
	}
	minutes, alarms := 0, 0
	for _, in := range list {
		if in.preOK != "yes" {
			continue
		}
		minutes++
		var base []string
		for _, w := range in.shared {
			if w != in.pre {
				base = append(base, w)
			}
		}
		findings := r.compare(in.day, base, []string{in.pre})
		for _, f := range findings {
			if f.Severity == anomaly.High {
				alarms++
				t.Logf("alarm in %s %s: %s", in.day, in.pre, brief(findings))
				break
			}
		}
	}
	t.Logf("first %d, among the first three %d of %d; alarms in %d of %d minutes without a fault", first, three, len(list), alarms, minutes)
	if first < leastFirst || three < leastThree || alarms > mostAlarms {
		t.Errorf("want at least %d and %d, and at most %d alarms", leastFirst, leastThree, mostAlarms)
	}
}

func brief(findings []anomaly.Finding) string {
	var b strings.Builder
	for i, f := range findings {
		if i == 5 {
			break
		}
		fmt.Fprintf(&b, "\n    %d %s %s %s score=%.2f p=%.2g: %s", f.Rank, f.Service, f.Kind, f.Severity, f.Score, f.P, f.Description)
	}
	return b.String()
}
