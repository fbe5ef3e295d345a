// Package otlptest makes OTLP requests for tests: random ones that are odd, but
// legal.
package otlptest

import (
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A generator makes requests that are odd, but legal.
type generator struct{ *rand.Rand }

// Requests makes a request of each signal; a seed always makes the same.
func Requests(seed uint64) map[record.Type][]byte {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	traces, logs, metrics := ptrace.NewTraces(), plog.NewLogs(), pmetric.NewMetrics()
	for range g.IntN(3) + 1 {
		rs, rl, rm := traces.ResourceSpans().AppendEmpty(), logs.ResourceLogs().AppendEmpty(), metrics.ResourceMetrics().AppendEmpty()
		for _, res := range []pcommon.Resource{rs.Resource(), rl.Resource(), rm.Resource()} {
			g.attributes(res.Attributes(), 1)
			res.SetDroppedAttributesCount(g.Uint32())
		}
		rs.SetSchemaUrl(g.word())
		for range g.IntN(3) {
			ss, sl, sm := rs.ScopeSpans().AppendEmpty(), rl.ScopeLogs().AppendEmpty(), rm.ScopeMetrics().AppendEmpty()
			for _, s := range []pcommon.InstrumentationScope{ss.Scope(), sl.Scope(), sm.Scope()} {
				s.SetName(g.word())
				s.SetVersion(g.word())
				g.attributes(s.Attributes(), 1)
			}
			ss.SetSchemaUrl(g.word())
			for range g.IntN(5) {
				g.span(ss.Spans().AppendEmpty())
				g.log(sl.LogRecords().AppendEmpty())
				g.metric(sm.Metrics().AppendEmpty())
			}
		}
	}
	out := make(map[record.Type][]byte)
	for signal, request := range map[record.Type]interface{ MarshalProto() ([]byte, error) }{
		record.Traces:  ptraceotlp.NewExportRequestFromTraces(traces),
		record.Logs:    plogotlp.NewExportRequestFromLogs(logs),
		record.Metrics: pmetricotlp.NewExportRequestFromMetrics(metrics),
	} {
		body, err := request.MarshalProto()
		if err != nil {
			panic(err)
		}
		out[signal] = body
	}
	return out
}

var words = []string{
	"", "service.name", "service.namespace", "host.name", "http.method", "http.request.method", "db.system",
	"gen_ai.system", "exception.type", "k", "kk", "a", "\u00e9\u4e16", "line\nbreak", `quo"te\`, "deployment.environment",
	"deployment.environment.name", "rpc.method",
}

func (g generator) word() string { return words[g.IntN(len(words))] }

func (g generator) attributes(m pcommon.Map, depth int) {
	for range g.IntN(6) {
		g.value(m.PutEmpty(g.word()), depth)
	}
}

func (g generator) value(v pcommon.Value, depth int) {
	n := 9
	if depth > 4 {
		n = 7
	}
	switch g.IntN(n) {
	case 0:
	case 1, 2:
		v.SetStr(g.word())
	case 3:
		v.SetBool(g.IntN(2) == 0)
	case 4:
		v.SetInt(int64(g.Uint64()))
	case 5:
		v.SetDouble([]float64{0, 1, -1.5, 1e300, 1e-300, math.NaN(), math.Inf(1), math.Inf(-1), 0.1}[g.IntN(9)])
	case 6:
		v.SetEmptyBytes().FromRaw([]byte(g.word()))
	case 7:
		list := v.SetEmptySlice()
		for range g.IntN(4) {
			g.value(list.AppendEmpty(), depth+1)
		}
	default:
		g.attributes(v.SetEmptyMap(), depth+1)
	}
}

func (g generator) time() pcommon.Timestamp {
	if g.IntN(5) == 0 {
		return 0
	}
	return pcommon.Timestamp(g.Int64())
}

func (g generator) ids() (trace pcommon.TraceID, span pcommon.SpanID) {
	for i := range trace {
		trace[i] = byte(g.IntN(255) + 1)
	}
	for i := range span {
		span[i] = byte(g.IntN(255) + 1)
	}
	return trace, span
}

func (g generator) span(s ptrace.Span) {
	traceID, spanID := g.ids()
	s.SetTraceID(traceID)
	s.SetSpanID(spanID)
	if g.IntN(2) == 0 {
		_, parent := g.ids()
		s.SetParentSpanID(parent)
	}
	s.SetName(g.word())
	s.TraceState().FromRaw(g.word())
	s.SetKind(ptrace.SpanKind(g.IntN(6)))
	s.SetFlags(g.Uint32())
	s.SetStartTimestamp(g.time())
	s.SetEndTimestamp(g.time())
	s.SetDroppedAttributesCount(g.Uint32())
	s.Status().SetCode(ptrace.StatusCode(g.IntN(3)))
	s.Status().SetMessage(g.word())
	g.attributes(s.Attributes(), 1)
	for range g.IntN(3) {
		e := s.Events().AppendEmpty()
		e.SetName(g.word())
		e.SetTimestamp(g.time())
		g.attributes(e.Attributes(), 1)
		l := s.Links().AppendEmpty()
		traceID, spanID := g.ids()
		l.SetTraceID(traceID)
		l.SetSpanID(spanID)
		l.SetFlags(g.Uint32())
		l.TraceState().FromRaw(g.word())
		g.attributes(l.Attributes(), 1)
	}
}

func (g generator) log(l plog.LogRecord) {
	if g.IntN(2) == 0 {
		traceID, spanID := g.ids()
		l.SetTraceID(traceID)
		l.SetSpanID(spanID)
	}
	l.SetTimestamp(g.time())
	l.SetObservedTimestamp(g.time())
	l.SetSeverityNumber(plog.SeverityNumber(g.IntN(26)))
	l.SetSeverityText(g.word())
	l.SetEventName(g.word())
	l.SetFlags(plog.LogRecordFlags(g.Uint32()))
	g.value(l.Body(), 1)
	g.attributes(l.Attributes(), 1)
}

func (g generator) metric(m pmetric.Metric) {
	m.SetName(g.word())
	m.SetUnit(g.word())
	m.SetDescription(g.word())
	g.attributes(m.Metadata(), 1)
	n := g.IntN(4)
	switch g.IntN(6) {
	case 0:
		m.SetEmptyGauge()
		for range n {
			g.number(m.Gauge().DataPoints().AppendEmpty())
		}
	case 1:
		s := m.SetEmptySum()
		s.SetIsMonotonic(g.IntN(2) == 0)
		s.SetAggregationTemporality(pmetric.AggregationTemporality(g.IntN(3)))
		for range n {
			g.number(s.DataPoints().AppendEmpty())
		}
	case 2:
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporality(g.IntN(3)))
		for range n {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetStartTimestamp(g.time())
			p.SetCount(uint64(g.Int64()))
			if g.IntN(2) == 0 {
				p.SetSum(g.NormFloat64())
				p.SetMin(g.NormFloat64())
				p.SetMax(g.NormFloat64())
			}
			p.ExplicitBounds().FromRaw([]float64{1, 2.5, math.Inf(1)}[:g.IntN(4)])
			p.BucketCounts().FromRaw([]uint64{1, 2, 1 << 40, 0}[:g.IntN(5)])
			p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
			g.exemplars(p.Exemplars())
			g.attributes(p.Attributes(), 1)
		}
	case 3:
		h := m.SetEmptyExponentialHistogram()
		for range n {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetCount(uint64(g.Int64()))
			p.SetScale(int32(g.Uint32()))
			p.SetZeroCount(uint64(g.Int64()))
			p.SetZeroThreshold(g.Float64())
			p.Positive().SetOffset(int32(g.Uint32()))
			p.Positive().BucketCounts().FromRaw([]uint64{1, 300, 1 << 40, 0}[:g.IntN(5)])
			p.Negative().SetOffset(int32(g.Uint32()))
			p.Negative().BucketCounts().FromRaw([]uint64{1, 300, 1 << 40, 0}[:g.IntN(5)])
			if g.IntN(2) == 0 {
				p.SetSum(g.NormFloat64())
				p.SetMin(g.NormFloat64())
				p.SetMax(g.NormFloat64())
			}
			g.exemplars(p.Exemplars())
			g.attributes(p.Attributes(), 1)
		}
	case 4:
		s := m.SetEmptySummary()
		for range n {
			p := s.DataPoints().AppendEmpty()
			p.SetTimestamp(g.time())
			p.SetCount(uint64(g.Int64()))
			p.SetSum(g.NormFloat64())
			for range g.IntN(3) {
				q := p.QuantileValues().AppendEmpty()
				q.SetQuantile(g.Float64())
				q.SetValue(g.NormFloat64())
			}
			g.attributes(p.Attributes(), 1)
		}
	}
}

func (g generator) exemplars(list pmetric.ExemplarSlice) {
	for range g.IntN(3) {
		e := list.AppendEmpty()
		e.SetTimestamp(g.time())
		switch g.IntN(3) {
		case 0:
			e.SetIntValue(int64(g.Uint64()))
		case 1:
			e.SetDoubleValue([]float64{1, 0.5, math.NaN(), math.Inf(1)}[g.IntN(4)])
		}
		if g.IntN(2) == 0 {
			traceID, spanID := g.ids()
			e.SetTraceID(traceID)
			e.SetSpanID(spanID)
		}
		g.attributes(e.FilteredAttributes(), 1)
	}
}

func (g generator) number(p pmetric.NumberDataPoint) {
	p.SetTimestamp(g.time())
	p.SetStartTimestamp(g.time())
	p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
	switch g.IntN(3) {
	case 0:
		p.SetIntValue(int64(g.Uint64()))
	case 1:
		p.SetDoubleValue(g.NormFloat64())
	}
	g.exemplars(p.Exemplars())
	g.attributes(p.Attributes(), 1)
}
