package anomaly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A fault changes a request of the simulated shop, where it is on.
type fault struct {
	ownOf     map[string]float64 // times longer
	gapTo     string             // ms more before this callee begins
	lagging   bool               // cart's calls all begin later
	throttled string             // one in five spans takes a second
	failing   string             // share of its requests
	share     float64
	ending    bool   // who calls it says so and does no more
	stopAt    string // the caller ends after this call
	skipped   string // a call that is not made
	log       string // of a service: a new line
	cpu       string // of a service: at its limit
	fewer     float64
}

// shop simulates gateway → cart → (stock → db, price, tax), as many requests a
// second as told.
type shop struct {
	in   *Input
	rng  *rand.Rand
	next uint64
	f    *fault
	on   bool

	broken bool // the call that ended last has failed
}

const (
	baseSeconds, currentSeconds = 480, 120
	perSecond                   = 1
)

func simulate(seed uint64, f *fault) *Input {
	s := &shop{in: NewInput(baseSeconds, currentSeconds), rng: rand.New(rand.NewPCG(seed, 7)), f: f}
	for second := range baseSeconds + currentSeconds {
		s.on = second >= baseSeconds
		for range perSecond {
			if s.on && s.rng.Float64() < f.fewer {
				continue
			}
			s.request(int64(second)*1e9 + s.rng.Int64N(1e9))
		}
	}
	for _, name := range []string{"gateway", "cart", "stock", "price", "tax", "db"} {
		for _, side := range []Side{Base, Current} {
			use := 0.3
			if side == Current && f.cpu == name {
				use = 0.95
			}
			s.in.Readings = append(s.in.Readings, Reading{Service: s.in.Name(name), Side: side, Limited: true, Value: use})
		}
	}
	return s.in
}

func (s *shop) request(at int64) {
	s.next++
	var id [16]byte
	id[0], id[7], id[6] = 1, byte(s.next), byte(s.next>>8)
	trace := s.in.Trace(id)
	s.call(trace, 0, "gateway", "GET /cart", at, func(span uint64, at int64) int64 {
		return s.call(trace, span, "cart", "get", at, func(span uint64, at int64) int64 {
			at = s.call(trace, span, "stock", "check", s.lag(at), func(span uint64, at int64) int64 {
				return s.call(trace, span, "db", "select", at, nil)
			})
			if s.broken && s.f.ending || s.on && s.f.stopAt == "stock" || s.on && s.f.skipped == "price" {
				return at
			}
			at = s.call(trace, span, "price", "quote", s.lag(at), nil)
			return s.call(trace, span, "tax", "rate", s.lag(at), nil)
		})
	})
}

// lag is the time at which cart's next call goes out.
func (s *shop) lag(at int64) int64 {
	if s.on && s.f.lagging {
		at += 40e6
	}
	return at
}

// call enters a span of a service and gives the time of its end.
func (s *shop) call(trace uint32, parent uint64, service, operation string, at int64, inner func(span uint64, at int64) int64) int64 {
	s.next++
	span := Span{Trace: trace, ID: s.next, Parent: parent, Service: s.in.Name(service), Operation: s.in.Name(operation), Entry: true}
	ms := func(mean float64) int64 { return int64(1e6 * mean * math.Exp(0.3*s.rng.NormFloat64())) }
	at += ms(0.2)
	if s.on && s.f.gapTo == service {
		at += ms(40)
	}
	span.Start = at
	if s.on {
		span.Side = Current
	}
	own := 4.0
	if k := s.f.ownOf[service]; s.on && k > 0 {
		own *= k
	}
	at += ms(own)
	if s.on && s.f.throttled == service && s.rng.Float64() < 0.2 {
		at += 1e9
	}
	s.broken = false
	if inner != nil {
		at = inner(span.ID, at)
	}
	span.End = at
	line := "handled"
	if s.f.ending && s.broken {
		span.Failed, span.Error, line = true, s.in.Name("passed on"), "a call has failed"
	}
	if s.on && s.f.failing == service && s.rng.Float64() < s.f.share {
		span.Failed, span.Error = true, s.in.Name("boom")
	}
	s.broken = span.Failed
	s.in.Spans = append(s.in.Spans, span)
	if s.on && s.f.log == service {
		line = "cache is gone"
	}
	s.in.Logs = append(s.in.Logs, Log{
		Trace: trace, Span: span.ID, Service: span.Service, Side: span.Side, Template: s.in.Name(line),
		Warning: span.Failed, Error: span.Failed,
	})
	return at
}

// Each kind of fault names its service first, by evidence of its kind.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, service string
		kinds         []string
		f             fault
	}{
		{"slow itself", "price", []string{"own_time", "tail"}, fault{ownOf: map[string]float64{"price": 5}}},
		{"slow below others", "db", []string{"own_time", "tail"}, fault{ownOf: map[string]float64{"db": 8}}},
		{"slow network", "db", []string{"edge_time", "tail"}, fault{gapTo: "db"}},
		{"slow calls to all", "cart", []string{"own_time", "tail", "edge_time"}, fault{lagging: true}},
		{"throttled", "price", []string{"tail"}, fault{throttled: "price"}},
		{"failing", "stock", []string{"error", "log_error"}, fault{failing: "stock", share: 0.4}},
		{"failing for all", "stock", []string{"error", "log_error"}, fault{failing: "stock", share: 0.4, ending: true}},
		{"a call is missing", "cart", []string{"call_missing"}, fault{skipped: "price"}},
		{"a new log line", "stock", []string{"log_new", "log_missing"}, fault{log: "stock"}},
		{"busy", "stock", []string{"cpu"}, fault{cpu: "stock"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(3) {
				list := Detect(simulate(seed, &c.f))
				if len(list) == 0 || list[0].Service != c.service || list[0].Rank != 1 || !slices.Contains(c.kinds, list[0].Kind) {
					t.Fatalf("seed %d: %s", seed, show(list))
				}
				if c.name != "busy" && (list[0].Severity != High || !list[0].HasEvidence) {
					t.Errorf("seed %d: %s", seed, show(list))
				}
			}
		})
	}
}

func show(list []Finding) string {
	out := ""
	for _, f := range list {
		out += fmt.Sprintf("\n  %d %s %s %s score=%.3g p=%.2g %.4g %.4g: %s", f.Rank, f.Service, f.Kind, f.Severity, f.Score, f.P, f.Current, f.Base, f.Description)
	}
	return out
}

// Where nothing changed, there is no alarm in 200 draws.
func TestNoFaults(t *testing.T) {
	rows := 0
	for seed := range uint64(200) {
		for _, f := range Detect(simulate(1000+seed, &fault{})) {
			rows++
			if f.Severity == High || f.Severity == Medium && f.P < 0.01 {
				t.Errorf("seed %d: %s", seed, show([]Finding{f}))
			}
		}
	}
	t.Logf("%d rows in 200 draws", rows)
}

// The thresholds hold with tested figures, each at its severity.
func TestThresholds(t *testing.T) {
	find := func(list []Finding, service, kind string) Finding {
		for _, f := range list {
			if f.Service == service && f.Kind == kind {
				return f
			}
		}
		return Finding{}
	}
	list := Detect(simulate(1, &fault{failing: "stock", share: 0.12}))
	if f := find(list, "stock", "error_rate"); f.Severity != Medium || f.Base != 0 || math.Abs(f.Current-0.12) > 0.06 {
		t.Errorf("errors in 12 %%: %s", show(list))
	}
	list = Detect(simulate(1, &fault{failing: "stock", share: 0.5}))
	if f := find(list, "stock", "error_rate"); f.Severity != High {
		t.Errorf("errors in half: %s", show(list))
	}
	if f := find(list, "stock", "log_error_rate"); f.Severity != High || f.P > 0.01 {
		t.Errorf("errors logged: %s", show(list))
	}
	list = Detect(simulate(1, &fault{ownOf: map[string]float64{"db": 20}}))
	for _, service := range []string{"db", "gateway"} { // the latency of the callers rises too
		if f := find(list, service, "p95_latency"); f.Severity != High || f.Current < f.Base+25 {
			t.Errorf("slow: %s", show(list))
		}
	}
	if list[0].Service != "db" {
		t.Errorf("slow: %s", show(list))
	}
	if list = Detect(simulate(1, &fault{ownOf: map[string]float64{"db": 3}})); find(list, "db", "p95_latency").Kind != "" {
		t.Errorf("8 ms more is not 25 ms more: %s", show(list))
	}
	list = Detect(simulate(1, &fault{fewer: 0.8}))
	if f := find(list, "cart", "traffic_drop"); f.Severity != Medium || f.Current > 0.5*f.Base {
		t.Errorf("traffic gone: %s", show(list))
	}
}

func TestNewService(t *testing.T) {
	in := simulate(1, &fault{})
	in.Spans = slices.DeleteFunc(in.Spans, func(s Span) bool { return s.Side == Base && in.names[s.Service] == "price" })
	list := Detect(in)
	for _, f := range list {
		if f.Service == "price" && f.Kind == "new_service" {
			if f.Severity != Medium || f.P > 0.01 {
				t.Error(show(list))
			}
			return
		}
	}
	t.Errorf("no new service: %s", show(list))
}

// Nine requests are noise, and a short baseline never alarms highly.
func TestFewSamples(t *testing.T) {
	in := simulate(1, &fault{failing: "stock", share: 1})
	kept := 0
	in.Spans = slices.DeleteFunc(in.Spans, func(s Span) bool {
		if s.Side == Base || in.names[s.Service] != "stock" {
			return false
		}
		kept++
		return kept >= minSamples
	})
	for _, f := range Detect(in) {
		if f.Service == "stock" && f.Kind == "error_rate" {
			t.Errorf("%d samples: %s", minSamples-1, show([]Finding{f}))
		}
	}
	in = simulate(1, &fault{failing: "stock", share: 1})
	in.Seconds[Base] = 60
	for _, f := range Detect(in) {
		if f.Severity == High {
			t.Errorf("a baseline of a minute: %s", show([]Finding{f}))
		}
	}
}

// The order in which spans and logs come changes nothing.
func TestOrder(t *testing.T) {
	f := &fault{ownOf: map[string]float64{"db": 8}, failing: "stock", share: 0.3}
	want := show(Detect(simulate(3, f)))
	for seed := range uint64(5) {
		in := simulate(3, f)
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(in.Spans), func(i, k int) { in.Spans[i], in.Spans[k] = in.Spans[k], in.Spans[i] })
		rng.Shuffle(len(in.Logs), func(i, k int) { in.Logs[i], in.Logs[k] = in.Logs[k], in.Logs[i] })
		if got := show(Detect(in)); got != want {
			t.Fatalf("got %s\nwant %s", got, want)
		}
	}
}

// Damaged traces end too: cycles of parents, spans that are their own parent,
// empty windows.
func TestOddTraces(t *testing.T) {
	in := NewInput(60, 60)
	trace, name := in.Trace([16]byte{1}), in.Name("x")
	for i := range uint64(4) {
		in.Spans = append(in.Spans, Span{Trace: trace, ID: i + 1, Parent: (i+1)%4 + 1, Service: name, Operation: name, Failed: true, Start: 5, End: 1})
	}
	in.Spans = append(in.Spans, Span{Trace: trace, ID: 9, Parent: 9, Service: name})
	if list := Detect(in); len(list) != 0 {
		t.Error(show(list))
	}
	if list := Detect(NewInput(1, 1)); len(list) != 0 {
		t.Error(show(list))
	}
}

func BenchmarkDetect(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		in := simulate(1, &fault{})
		b.StartTimer()
		Detect(in)
	}
	b.ReportMetric(float64(6*perSecond*(baseSeconds+currentSeconds))*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}
