package files

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Shift moves every time stamp of a request by nanos. Zero, which stands for
// no time, stays. newest is the latest time stamp after the shift, so that a
// shift of 0 finds it.
func Shift(typ record.Type, body []byte, nanos int64) (out []byte, newest int64, err error) {
	move := func(get func() pcommon.Timestamp, set func(pcommon.Timestamp)) {
		if t := get(); t != 0 {
			t = pcommon.Timestamp(int64(t) + nanos)
			set(t)
			newest = max(newest, int64(t))
		}
	}
	switch typ {
	case record.Traces:
		r := ptraceotlp.NewExportRequest()
		if err := r.UnmarshalProto(body); err != nil {
			return nil, 0, err
		}
		for _, rs := range r.Traces().ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					move(s.StartTimestamp, s.SetStartTimestamp)
					move(s.EndTimestamp, s.SetEndTimestamp)
					for _, e := range s.Events().All() {
						move(e.Timestamp, e.SetTimestamp)
					}
				}
			}
		}
		out, err = r.MarshalProto()
	case record.Logs:
		r := plogotlp.NewExportRequest()
		if err := r.UnmarshalProto(body); err != nil {
			return nil, 0, err
		}
		for _, rl := range r.Logs().ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					move(l.Timestamp, l.SetTimestamp)
					move(l.ObservedTimestamp, l.SetObservedTimestamp)
				}
			}
		}
		out, err = r.MarshalProto()
	default:
		r := pmetricotlp.NewExportRequest()
		if err := r.UnmarshalProto(body); err != nil {
			return nil, 0, err
		}
		for _, rm := range r.Metrics().ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					movePoints(m, move)
				}
			}
		}
		out, err = r.MarshalProto()
	}
	return out, newest, err
}

type mover func(get func() pcommon.Timestamp, set func(pcommon.Timestamp))

func movePoints(m pmetric.Metric, move mover) {
	number := func(points pmetric.NumberDataPointSlice) {
		for _, p := range points.All() {
			move(p.StartTimestamp, p.SetStartTimestamp)
			move(p.Timestamp, p.SetTimestamp)
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		number(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		number(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			move(p.StartTimestamp, p.SetStartTimestamp)
			move(p.Timestamp, p.SetTimestamp)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			move(p.StartTimestamp, p.SetStartTimestamp)
			move(p.Timestamp, p.SetTimestamp)
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			move(p.StartTimestamp, p.SetStartTimestamp)
			move(p.Timestamp, p.SetTimestamp)
		}
	}
}
