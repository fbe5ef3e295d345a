package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A system is services that a seed has drawn: each has operations that take
// time, log, do steps of their own and call operations of services behind it.
type system struct {
	services []string
	ops      [][]*operation // by service
	roots    []*operation
	rng      *rand.Rand

	traces  ptraceotlp.ExportRequest
	logs    plogotlp.ExportRequest
	metrics pmetricotlp.ExportRequest
	spansOf map[int]ptrace.SpanSlice
	logsOf  map[int]plog.LogRecordSlice
	last    uint64 // span id
}

type operation struct {
	service int
	name    string
	ms      float64 // own time, between each two calls
	step    bool    // has an internal span
	lines   []string
	calls   []*operation
}

// A harm is what is wrong with one service, from a moment on.
type harm struct {
	service int
	kind    string
	op      *operation // of kinds that are about one
	size    float64
}

var harms = []string{"cpu_contention", "cpu_consumed", "network_delay", "exception", "return"}

const (
	wellSeconds, illSeconds = 480, 120
	requestsASecond         = 2
)

var serviceWords = []string{
	"gateway", "orders", "stock", "billing", "ledger", "search", "profile", "notify", "catalogue", "shipping", "rates", "geo", "sessions", "store",
}

// drawSystem draws eight to fourteen services.
func drawSystem(rng *rand.Rand) *system {
	s := &system{services: serviceWords[:8+rng.IntN(7)], rng: rng}
	s.ops = make([][]*operation, len(s.services))
	for i := len(s.services) - 1; i >= 0; i-- {
		for k := range 1 + rng.IntN(3) {
			op := &operation{service: i, name: fmt.Sprintf("%s/%s", s.services[i], []string{"get", "put", "list"}[k]), ms: 1 + rng.ExpFloat64()*6, step: rng.IntN(3) == 0}
			for l := range 1 + rng.IntN(3) {
				op.lines = append(op.lines, fmt.Sprintf("%s %s %d", op.name, []string{"accepted", "looked up row", "done after tries"}[l], l))
			}
			if i < len(s.services)-1 {
				for range 1 + rng.IntN(2) {
					behind := s.ops[i+1+rng.IntN(min(4, len(s.services)-1-i))]
					op.calls = append(op.calls, behind[rng.IntN(len(behind))])
				}
			}
			s.ops[i] = append(s.ops[i], op)
		}
	}
	s.roots = s.ops[0]
	return s
}

// reached lists the operations that requests come to.
func (s *system) reached() (list []*operation) {
	var walk func(op *operation)
	walk = func(op *operation) {
		if slices.Contains(list, op) {
			return
		}
		list = append(list, op)
		for _, call := range op.calls {
			walk(call)
		}
	}
	for _, root := range s.roots {
		walk(root)
	}
	return list
}

// drawHarm draws a service that is not the first, and what is wrong with it.
func (s *system) drawHarm(kind string) harm {
	ops := slices.DeleteFunc(s.reached(), func(op *operation) bool {
		return op.service == 0 || kind == "return" && len(op.calls) == 0 && len(op.lines) < 2
	})
	op := ops[s.rng.IntN(len(ops))]
	return harm{service: op.service, kind: kind, op: op, size: s.rng.Float64()}
}

// play plays well and ill seconds before end. The zero harm is none.
func (s *system) play(end time.Time, h harm) {
	s.traces, s.logs, s.metrics = ptraceotlp.NewExportRequest(), plogotlp.NewExportRequest(), pmetricotlp.NewExportRequest()
	s.spansOf, s.logsOf = map[int]ptrace.SpanSlice{}, map[int]plog.LogRecordSlice{}
	for i, name := range s.services {
		rs, rl := s.traces.Traces().ResourceSpans().AppendEmpty(), s.logs.Logs().ResourceLogs().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", name)
		rl.Resource().Attributes().PutStr("service.name", name)
		s.spansOf[i], s.logsOf[i] = rs.ScopeSpans().AppendEmpty().Spans(), rl.ScopeLogs().AppendEmpty().LogRecords()
		rm := s.metrics.Metrics().ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", name)
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("k8s.pod.cpu_limit_utilization")
		s.use(m.SetEmptyGauge().DataPoints(), end, h.kind == "cpu_consumed" && h.service == i)
	}
	begin := end.Add(-(wellSeconds + illSeconds) * time.Second)
	for n := range (wellSeconds + illSeconds) * requestsASecond {
		at := begin.Add(time.Duration((float64(n) + s.rng.Float64()) * float64(time.Second) / requestsASecond))
		var now harm
		if end.Sub(at) < illSeconds*time.Second {
			now = h
		}
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[:], s.rng.Uint64())
		binary.BigEndian.PutUint64(id[8:], s.rng.Uint64()|1)
		s.request(s.roots[s.rng.IntN(len(s.roots))], id, at, now)
	}
}

// use is the share of its limit that a service's CPU takes.
func (s *system) use(points pmetric.NumberDataPointSlice, end time.Time, full bool) {
	for second := 0; second < wellSeconds+illSeconds; second += 15 {
		p := points.AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(end.Add(-time.Duration(second+1) * time.Second)))
		share := 0.2 + 0.1*s.rng.Float64()
		if full && second < illSeconds {
			share = 0.9 + 0.1*s.rng.Float64()
		}
		p.SetDoubleValue(share)
	}
}

// request is a request of a user. It ends well, or with the error that its
// first operation passes on.
func (s *system) request(op *operation, id pcommon.TraceID, at time.Time, h harm) {
	s.serve(op, id, pcommon.SpanID{}, at, h)
}

func (s *system) span(service int, id pcommon.TraceID, parent pcommon.SpanID, name string, kind ptrace.SpanKind) (ptrace.Span, pcommon.SpanID) {
	sp := s.spansOf[service].AppendEmpty()
	s.last++
	var own pcommon.SpanID
	binary.BigEndian.PutUint64(own[:], s.last)
	sp.SetTraceID(id)
	sp.SetSpanID(own)
	sp.SetParentSpanID(parent)
	sp.SetName(name)
	sp.SetKind(kind)
	return sp, own
}

func (s *system) ms(mean float64) time.Duration {
	return time.Duration(mean * math.Exp(0.35*s.rng.NormFloat64()) * float64(time.Millisecond))
}

// serve is an operation's part of a request, and what it calls.
func (s *system) serve(op *operation, id pcommon.TraceID, parent pcommon.SpanID, at time.Time, h harm) (end time.Time, failed bool) {
	ill := h.kind != "" && h.service == op.service
	sp, own := s.span(op.service, id, parent, op.name, ptrace.SpanKindServer)
	sp.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	work := func() {
		ms := op.ms
		switch {
		case ill && h.kind == "cpu_contention":
			ms *= 4 + 6*h.size
		case ill && h.kind == "cpu_consumed":
			ms *= 1.5
		}
		at = at.Add(s.ms(ms))
	}
	work()
	s.log(op.service, id, own, at, plog.SeverityNumberInfo, op.lines[0])
	throws := ill && h.kind == "exception" && h.op == op && s.rng.Float64() < 0.3+0.7*h.size
	returns := ill && h.kind == "return" && h.op == op
	switch {
	case throws:
		e := sp.Events().AppendEmpty()
		e.SetName("exception")
		e.SetTimestamp(pcommon.NewTimestampFromTime(at))
		e.Attributes().PutStr("exception.type", "java.lang.IllegalStateException")
		e.Attributes().PutStr("exception.message", "no such state")
		s.log(op.service, id, own, at, plog.SeverityNumberError, "java.lang.IllegalStateException: no such state "+op.name)
		failed = true
	case returns:
	default:
		if op.step {
			step, _ := s.span(op.service, id, own, "compute "+op.name, ptrace.SpanKindInternal)
			step.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
			work()
			step.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
		}
		for _, call := range op.calls {
			var broken bool
			at, broken = s.call(op, call, id, own, at, h)
			failed = failed || broken
			work()
			if broken {
				s.log(op.service, id, own, at, plog.SeverityNumberWarn, "call of "+call.name+" failed")
				break
			}
		}
		for _, line := range op.lines[1:] {
			s.log(op.service, id, own, at, plog.SeverityNumberInfo, line)
		}
	}
	if failed {
		sp.Status().SetCode(ptrace.StatusCodeError)
	}
	sp.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
	return at, failed
}

// call is a call over the network, as its caller sees it.
func (s *system) call(from, op *operation, id pcommon.TraceID, parent pcommon.SpanID, at time.Time, h harm) (time.Time, bool) {
	sp, own := s.span(from.service, id, parent, op.name, ptrace.SpanKindClient)
	sp.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	way := func() time.Duration {
		d := s.ms(0.4)
		if h.kind == "network_delay" && h.service == op.service {
			d += s.ms(20 + 80*h.size)
		}
		return d
	}
	at, failed := s.serve(op, id, own, at.Add(way()), h)
	at = at.Add(way())
	if failed {
		sp.Status().SetCode(ptrace.StatusCodeError)
	}
	sp.SetEndTimestamp(pcommon.NewTimestampFromTime(at))
	return at, failed
}

func (s *system) log(service int, id pcommon.TraceID, span pcommon.SpanID, at time.Time, severity plog.SeverityNumber, text string) {
	r := s.logsOf[service].AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(at))
	r.SetTraceID(id)
	r.SetSpanID(span)
	r.SetSeverityNumber(severity)
	r.Body().SetStr(text)
}

// send sends what was played.
func (s *system) send(t *testing.T, g *gateway) {
	t.Helper()
	conn, err := grpc.NewClient(g.endpoints.OTLPGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx := context.Background()
	if _, err := ptraceotlp.NewGRPCClient(conn).Export(ctx, s.traces); err != nil {
		t.Fatal(err)
	}
	if _, err := plogotlp.NewGRPCClient(conn).Export(ctx, s.logs); err != nil {
		t.Fatal(err)
	}
	if _, err := pmetricotlp.NewGRPCClient(conn).Export(ctx, s.metrics); err != nil {
		t.Fatal(err)
	}
}
