package pgwire

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tael-sql/tael-sql/pgwire/script"
)

// elsewhere are the scenarios of real clients that no test here covers, nor the
// conversations of cmd/tael-sql/clients. The list only shrinks.
var elsewhere = map[string]string{
	"w06": "SCRAM", "w07": "SCRAM", "w09": "SCRAM",
}

// TestScenarios holds the tests of this package against the list of what real
// clients do: each is covered by a test that names it, or is listed above.
func TestScenarios(t *testing.T) {
	list, err := os.ReadFile("../../shared/clients/protocol-scenarios.jsonl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("the list of scenarios is missing: ", err)
	}
	var tests []byte
	for _, pattern := range []string{"testdata/*.txt", "*_test.go", "../cmd/tael-sql/clients/testdata/wire/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if name != "scenarios_test.go" {
				tests = append(tests, text...)
			}
		}
	}
	n := 0
	for line := range bytes.Lines(list) {
		var s struct{ ID, Name string }
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		n++
		covered := regexp.MustCompile(`(#|//).*\b` + s.ID + `\b`).Match(tests)
		if _, other := elsewhere[s.ID]; covered == other {
			t.Errorf("%s %s: covered %t, listed as not %t", s.ID, s.Name, covered, other)
		}
	}
	if n != 61 {
		t.Errorf("%d scenarios, want 61", n)
	}
}

// What a connection does is counted.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := NewServer(toy{}, Options{Registerer: registry})
	c := &tape{said: bytes.NewReader(append(script.Startup(3<<16, "user", "alice"), "Q\x00\x00\x00\x0bsyntax\x00"...))}
	s.accept(c)
	s.wg.Wait()
	s.stop()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.Metric {
			name := strings.TrimPrefix(f.GetName(), "tael_pgwire_")
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"connections_total opened": 1, "connections": 0, "errors_total 42": 1, "panics_total": 0,
		"sent_bytes_total": float64(c.heard.Len()), "received_bytes_total": 12,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}
