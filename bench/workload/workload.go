// Package workload makes OTelBench's data: spans, log records and metric points
// of a day, the same for the same seed and scale.
package workload

import (
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Sizes at scale 1.
const (
	spansAtOne  = 5_000_000
	logsAtOne   = 5_000_000
	pointsAtOne = 2_000_000

	services   = 30
	operations = 10 // of each service
	series     = 2000
)

// Start is the first moment of the data, End the first one after it.
var (
	Start = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	End   = Start.Add(24 * time.Hour)
)

// A Span is a span as the peers' tables have it.
type Span struct {
	TraceID            [16]byte
	SpanID, ParentID   [8]byte
	Root               bool
	Service, Operation string
	StartNanos         int64
	DurationNanos      int64
	Failed             bool
	Server             bool

	// The ten attributes; zero values are absent.
	Method    string // 5 values
	Status    int64  // 8
	Route     string // 300
	Statement string // 300
	Region    string // 20
	User      string // 20,000
	Session   string // 100,000
	CacheHit  int8   // 1 no, 2 yes
	Pod       string // 75
	Shard     int64  // 64, from 1
}

// A Log is a log record.
type Log struct {
	Nanos          int64
	TraceID        [16]byte
	SpanID         [8]byte
	HasTrace       bool
	Service        string
	Severity       string
	SeverityNumber int64
	Body           string
}

// A Point is a data point of a cumulative counter or a gauge.
type Point struct {
	Nanos   int64
	Service string
	Name    string
	Counter bool
	Value   float64
	Pod     string
}

// Data generates the workload.
type Data struct {
	Seed  uint64
	Scale float64
}

func (d Data) rng(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(d.Seed, stream)) }

func scaled(n int, scale float64) int { return max(int(float64(n)*scale), 1) }

// Service names service i.
func Service(i int) string { return "service-" + strconv.Itoa(i%services) }

var (
	methods  = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH"}
	statuses = []int64{200, 200, 200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503}
	verbs    = []string{"list", "get", "create", "update", "delete", "search", "render", "publish", "consume", "check"}
)

// Spans gives the spans, trace by trace, in the order of the traces' starts.
func (d Data) Spans(yield func(*Span)) {
	rng := d.rng(1)
	total := scaled(spansAtOne, d.Scale)
	day := End.UnixNano() - Start.UnixNano()
	var s Span
	for made := 0; made < total; {
		// 1 to 14 spans, 7.5 on average.
		n := min(1+rng.IntN(14), total-made)
		begin := Start.UnixNano() + int64(float64(made)/float64(total)*float64(day))
		d.trace(rng, begin, n, &s, yield)
		made += n
	}
}

func (d Data) trace(rng *rand.Rand, begin int64, n int, s *Span, yield func(*Span)) {
	trace := randomTrace(rng)
	user, session := rng.IntN(20_000), rng.IntN(100_000)
	region := rng.IntN(20)
	ids := make([][8]byte, n)
	at := begin
	entry := rng.IntN(services)
	for i := range n {
		ids[i] = randomID(rng)
		svc := entry
		if i > 0 {
			svc = (entry + 1 + rng.IntN(6)) % services
		}
		op := rng.IntN(operations)
		*s = Span{
			TraceID: trace, SpanID: ids[i], Root: i == 0, Service: Service(svc),
			Operation:  verbs[op] + " " + strconv.Itoa(svc),
			StartNanos: at, DurationNanos: int64(math.Exp(rng.NormFloat64()*1.1+15.5)) * int64(1+svc%3),
			Failed: rng.IntN(50) == 0, Server: i%2 == 0,
		}
		if i > 0 {
			s.ParentID = ids[rng.IntN(i)]
		}
		d.attributes(rng, s, svc, op, region, user, session)
		yield(s)
		at += int64(rng.IntN(2_000_000))
	}
}

// attributes sets seven or eight of the ten.
func (d Data) attributes(rng *rand.Rand, s *Span, svc, op, region, user, session int) {
	skip := rng.IntN(10)
	other := (skip + 1 + rng.IntN(9)) % 10
	third := -1
	if rng.IntN(2) == 0 {
		third = rng.IntN(10)
	}
	has := func(i int) bool { return i != skip && i != other && i != third }
	if has(0) {
		s.Method = methods[rng.IntN(len(methods))]
	}
	if has(1) {
		s.Status = statuses[rng.IntN(len(statuses))]
	}
	if has(2) {
		s.Route = "/v1/" + strconv.Itoa(svc) + "/" + verbs[op]
	}
	if has(3) {
		s.Statement = "SELECT * FROM t" + strconv.Itoa(svc) + " WHERE " + verbs[op] + " = $1"
	}
	if has(4) {
		s.Region = "region-" + strconv.Itoa(region)
	}
	if has(5) {
		s.User = "user-" + strconv.Itoa(user)
	}
	if has(6) {
		s.Session = "session-" + strconv.Itoa(session)
	}
	if has(7) {
		s.CacheHit = int8(1 + rng.IntN(2))
	}
	if has(8) {
		s.Pod = "pod-" + strconv.Itoa(rng.IntN(75))
	}
	if has(9) {
		s.Shard = int64(1 + rng.IntN(64))
	}
}

func randomTrace(rng *rand.Rand) (id [16]byte) {
	a, b := randomID(rng), randomID(rng)
	copy(id[:], a[:])
	copy(id[8:], b[:])
	return id
}

func randomID(rng *rand.Rand) (id [8]byte) {
	v := rng.Uint64() | 1
	for i := range id {
		id[i] = byte(v >> (8 * i))
	}
	return id
}

// Logs gives the log records in the order of their times. Six of ten are of a
// trace, whose id is one of the spans'.
func (d Data) Logs(yield func(*Log)) {
	rng := d.rng(2)
	total := scaled(logsAtOne, d.Scale)
	day := End.UnixNano() - Start.UnixNano()
	// The spans' own random numbers are drawn again, so that the ids are theirs.
	next, stop := iter.Pull(d.ids)
	defer stop()
	var l Log
	for i := range total {
		l = Log{Nanos: Start.UnixNano() + int64(float64(i)/float64(total)*float64(day)), Service: Service(rng.IntN(services)), Severity: "info", SeverityNumber: 9}
		switch rng.IntN(100) {
		case 0:
			l.Severity, l.SeverityNumber = "error", 17
		case 1, 2, 3:
			l.Severity, l.SeverityNumber = "warn", 13
		}
		if rng.IntN(10) < 6 {
			if id, ok := next(); ok {
				l.HasTrace = true
				copy(l.TraceID[:], id[:16])
				copy(l.SpanID[:], id[16:])
			}
		}
		l.Body = body(rng, l.Severity)
		yield(&l)
	}
}

// ids gives trace and span id of each span.
func (d Data) ids(yield func([24]byte) bool) {
	more := true
	d.Spans(func(s *Span) {
		if !more {
			return
		}
		var id [24]byte
		copy(id[:], s.TraceID[:])
		copy(id[16:], s.SpanID[:])
		more = yield(id)
	})
}

func body(rng *rand.Rand, severity string) string {
	n := strconv.Itoa
	switch k := rng.IntN(8); {
	case severity == "error":
		return "request " + n(rng.IntN(1_000_000)) + " failed: connection to 10.0." + n(rng.IntN(256)) + "." + n(rng.IntN(256)) +
			":5432 refused after " + n(rng.IntN(5000)) + " ms, giving up and answering 503 to the caller, attempt 3 of 3"
	case k < 3:
		return "handled request " + n(rng.IntN(1_000_000)) + " of user-" + n(rng.IntN(20_000)) + " in " + n(rng.IntN(500)) +
			" ms, 200 OK, " + n(rng.IntN(65536)) + " bytes sent, upstream connection reused, cache status HIT, tls 1.3, http/2"
	case k < 6:
		return "cache lookup for key session-" + n(rng.IntN(100_000)) + " took " + n(rng.IntN(90)) +
			" us; the entry was refreshed in the background by worker " + n(rng.IntN(64)) + " and will expire in 300 s"
	}
	return "scheduled job compact-" + n(rng.IntN(300)) + " finished: " + n(rng.IntN(10_000)) + " items scanned, " + n(rng.IntN(100)) +
		" removed, next run in 60 s on shard " + n(rng.IntN(64)) + " of region-" + n(rng.IntN(20)) + ", no errors"
}

// Points gives the data points, series by series within each round.
func (d Data) Points(yield func(*Point)) {
	rng := d.rng(3)
	total := scaled(pointsAtOne, d.Scale)
	rounds := max(total/series, 1)
	day := End.UnixNano() - Start.UnixNano()
	totals := make([]float64, series)
	var p Point
	for r := range rounds {
		at := Start.UnixNano() + int64(float64(r)/float64(rounds)*float64(day))
		for s := range min(series, total) {
			p = Point{Nanos: at, Service: Service(s), Pod: "pod-" + strconv.Itoa(s/services), Name: "queue.length", Value: math.Trunc(rng.Float64() * 100)}
			if s%2 == 0 {
				totals[s] += math.Trunc(rng.Float64() * 50)
				if rng.IntN(5000) == 0 {
					totals[s] = 0 // a restart
				}
				p.Name, p.Counter, p.Value = "requests.total", true, totals[s]
			}
			yield(&p)
		}
	}
}
