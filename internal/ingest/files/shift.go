package files

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Shift moves all times of a request by deltaNanos. A time of zero says that
// there is none, and stays. Newest is the latest time of the result.
func Shift(signal record.Type, body []byte, deltaNanos int64) (out []byte, newest int64, err error) {
	c := &clock{delta: uint64(deltaNanos)}
	switch signal {
	case record.Traces:
		out, err = shift(body, &tracepb.ExportTraceServiceRequest{}, c.traces)
	case record.Logs:
		out, err = shift(body, &logspb.ExportLogsServiceRequest{}, c.logs)
	case record.Metrics:
		out, err = shift(body, &metricspb.ExportMetricsServiceRequest{}, c.metrics)
	default:
		err = fmt.Errorf("%w: records of type %s have no times", ErrFormat, signal)
	}
	return out, c.newest, err
}

func shift[M proto.Message](body []byte, m M, move func(M)) ([]byte, error) {
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	move(m)
	return proto.Marshal(m)
}

// A clock moves times.
type clock struct {
	delta  uint64 // sums wrap, so that it may be a negative number
	newest int64
}

func (c *clock) move(times ...*uint64) {
	for _, t := range times {
		if *t != 0 {
			*t += c.delta
			c.newest = max(c.newest, int64(*t))
		}
	}
}

func (c *clock) traces(m *tracepb.ExportTraceServiceRequest) {
	for _, r := range m.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				c.move(&span.StartTimeUnixNano, &span.EndTimeUnixNano)
				for _, e := range span.GetEvents() {
					c.move(&e.TimeUnixNano)
				}
			}
		}
	}
}

func (c *clock) logs(m *logspb.ExportLogsServiceRequest) {
	for _, r := range m.GetResourceLogs() {
		for _, s := range r.GetScopeLogs() {
			for _, l := range s.GetLogRecords() {
				c.move(&l.TimeUnixNano, &l.ObservedTimeUnixNano)
			}
		}
	}
}

func (c *clock) metrics(m *metricspb.ExportMetricsServiceRequest) {
	for _, r := range m.GetResourceMetrics() {
		for _, s := range r.GetScopeMetrics() {
			for _, mt := range s.GetMetrics() {
				c.points(mt)
			}
		}
	}
}

func (c *clock) points(m *metrics.Metric) {
	exemplars := func(list []*metrics.Exemplar) {
		for _, e := range list {
			c.move(&e.TimeUnixNano)
		}
	}
	for _, p := range append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...) {
		c.move(&p.TimeUnixNano, &p.StartTimeUnixNano)
		exemplars(p.GetExemplars())
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		c.move(&p.TimeUnixNano, &p.StartTimeUnixNano)
		exemplars(p.GetExemplars())
	}
	for _, p := range m.GetExponentialHistogram().GetDataPoints() {
		c.move(&p.TimeUnixNano, &p.StartTimeUnixNano)
		exemplars(p.GetExemplars())
	}
	for _, p := range m.GetSummary().GetDataPoints() {
		c.move(&p.TimeUnixNano, &p.StartTimeUnixNano)
	}
}
