package otlp

import (
	"encoding/hex"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A row says what some columns must hold, in the form of package pgtypes. The
// oracle makes it with pdata alone; what it leaves out, other tests look at.
type row map[string]any

// arrived is when requests of these tests arrive.
const arrived = 1_700_000_000_123_456_789

func quote(s string) string { return string(pgtypes.JSONQuote(nil, s)) }

func oracleJSON(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return quote(v.Str())
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool())
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case pcommon.ValueTypeDouble:
		f := v.Double()
		switch {
		case math.IsNaN(f):
			return `"NaN"`
		case math.IsInf(f, 1):
			return `"Infinity"`
		case math.IsInf(f, -1):
			return `"-Infinity"`
		}
		text := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	case pcommon.ValueTypeBytes:
		return quote(vector.Base64(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		var parts []string
		for _, e := range v.Slice().All() {
			parts = append(parts, oracleJSON(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case pcommon.ValueTypeMap:
		return oracleMap(v.Map())
	}
	return "null"
}

// oracleMap sorts as jsonb does; of equal keys the last counts.
func oracleMap(m pcommon.Map) string {
	values := make(map[string]string)
	for k, v := range m.All() {
		values[k] = oracleJSON(v)
	}
	return oracleObject(values)
}

func oracleObject(values map[string]string) string {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if len(keys[i]) != len(keys[j]) {
			return len(keys[i]) < len(keys[j])
		}
		return keys[i] < keys[j]
	})
	for i, k := range keys {
		keys[i] = quote(k) + ": " + values[k]
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

func oracleTime(t pcommon.Timestamp) string {
	return quote(time.Unix(0, int64(t)).UTC().Truncate(time.Microsecond).Format("2006-01-02T15:04:05.999999-07:00"))
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nonZero(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func oraclePromoted(m pcommon.Map, names ...string) any {
	for _, name := range names {
		if v, ok := last(m, name); ok && v.Type() != pcommon.ValueTypeEmpty {
			if v.Type() == pcommon.ValueTypeStr {
				return v.Str()
			}
			return strings.Trim(oracleJSON(v), `"`)
		}
	}
	return nil
}

func last(m pcommon.Map, name string) (out pcommon.Value, ok bool) {
	for k, v := range m.All() {
		if k == name {
			out, ok = v, true
		}
	}
	return out, ok
}

func oracleOrigin(r row, res pcommon.Resource, resURL string, s pcommon.InstrumentationScope, scopeURL string) {
	r["service"] = "unknown"
	if v, ok := last(res.Attributes(), "service.name"); ok && v.Type() == pcommon.ValueTypeStr {
		r["service"] = v.Str()
	}
	r["resource_attributes"] = oracleMap(res.Attributes())
	r["resource_dropped_attributes_count"] = int64(res.DroppedAttributesCount())
	r["resource_schema_url"] = text(resURL)
	r["scope_name"], r["scope_version"] = text(s.Name()), text(s.Version())
	r["scope_schema_url"] = text(scopeURL)
	r["scope_attributes"] = oracleMap(s.Attributes())
	r["scope_dropped_attributes_count"] = int64(s.DroppedAttributesCount())
	r["source"] = "otlp_grpc"
	r["ingested_at_unix_nano"] = int64(arrived)
	r["service_namespace"] = oraclePromoted(res.Attributes(), "service.namespace")
	r["environment"] = oraclePromoted(res.Attributes(), "deployment.environment.name", "deployment.environment")
	r["host_name"] = oraclePromoted(res.Attributes(), "host.name")
	r["k8s_pod"] = oraclePromoted(res.Attributes(), "k8s.pod.name")
}

// hexText gives the text of an id; pdata's of a zero one is empty.
func hexText(id fmt.Stringer) any { return text(id.String()) }

func oracleTraces(body []byte) ([]row, error) {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		return nil, err
	}
	var rows []row
	for _, rs := range req.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				r := oracleSpan(s)
				oracleOrigin(r, rs.Resource(), rs.SchemaUrl(), ss.Scope(), ss.SchemaUrl())
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

func oracleSpan(s ptrace.Span) row {
	a := s.Attributes()
	kind := strings.ToLower(s.Kind().String())
	r := row{
		"trace_id": hexText(s.TraceID()), "span_id": hexText(s.SpanID()), "parent_span_id": hexText(s.ParentSpanID()),
		"operation": s.Name(), "is_root": s.ParentSpanID().IsEmpty(),
		"start_time_unix_nano": int64(s.StartTimestamp()), "end_time_unix_nano": int64(s.EndTimestamp()),
		"status":         map[ptrace.StatusCode]string{0: "unset", 1: "ok", 2: "error"}[s.Status().Code()],
		"status_message": text(s.Status().Message()), "trace_state": text(s.TraceState().AsRaw()),
		"attributes": oracleMap(a), "flags": int64(s.Flags()), "otel_kind": kind,
		"dropped_attributes_count": int64(s.DroppedAttributesCount()),
		"dropped_events_count":     int64(s.DroppedEventsCount()), "dropped_links_count": int64(s.DroppedLinksCount()),
		"http_method": oraclePromoted(a, "http.request.method", "http.method"),
		"db_system":   oraclePromoted(a, "db.system.name", "db.system"),
		"rpc_method":  oraclePromoted(a, "rpc.method"),
	}
	r["kind"] = kind
	if kind == "unspecified" {
		r["otel_kind"], r["kind"] = "unspecified", "internal"
	}
	for k := range a.All() {
		if strings.HasPrefix(k, "gen_ai.") {
			r["kind"] = "llm"
		}
	}
	if s.Flags()&(1<<8) != 0 {
		r["parent_is_remote"] = s.Flags()&(1<<9) != 0
	} else {
		r["parent_is_remote"] = nil
	}
	var events, links []string
	for _, e := range s.Events().All() {
		events = append(events, oracleObject(map[string]string{
			"name": quote(e.Name()), "timestamp": oracleTime(e.Timestamp()), "attributes": oracleMap(e.Attributes()),
			"time_unix_nano":           strconv.FormatUint(uint64(e.Timestamp()), 10),
			"dropped_attributes_count": strconv.FormatUint(uint64(e.DroppedAttributesCount()), 10),
		}))
	}
	for _, l := range s.Links().All() {
		traceID, spanID := l.TraceID(), l.SpanID()
		links = append(links, oracleObject(map[string]string{
			"trace_id": quote(hex.EncodeToString(traceID[:])), "span_id": quote(hex.EncodeToString(spanID[:])),
			"trace_state": quote(l.TraceState().AsRaw()), "attributes": oracleMap(l.Attributes()),
			"flags":                    strconv.FormatUint(uint64(l.Flags()), 10),
			"dropped_attributes_count": strconv.FormatUint(uint64(l.DroppedAttributesCount()), 10),
		}))
	}
	r["events"] = "[" + strings.Join(events, ", ") + "]"
	r["links"] = "[" + strings.Join(links, ", ") + "]"
	return r
}

func oracleLogs(body []byte) ([]row, error) {
	req := plogotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		return nil, err
	}
	var rows []row
	for _, rl := range req.Logs().ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				at := int64(l.Timestamp())
				if at == 0 {
					at = int64(l.ObservedTimestamp())
				}
				if at == 0 {
					at = arrived
				}
				r := row{
					"timestamp_unix_nano": at,
					"time_unix_nano":      nonZero(int64(l.Timestamp())), "observed_time_unix_nano": nonZero(int64(l.ObservedTimestamp())),
					"trace_id": hexText(l.TraceID()), "span_id": hexText(l.SpanID()),
					"severity_number": int64(l.SeverityNumber()), "severity_text": text(l.SeverityText()),
					"severity": "unspecified", "attributes": oracleMap(l.Attributes()),
					"event_name": text(l.EventName()), "flags": int64(l.Flags()),
					"dropped_attributes_count": int64(l.DroppedAttributesCount()),
					"exception_type":           oraclePromoted(l.Attributes(), "exception.type"),
				}
				if n := l.SeverityNumber(); n >= 1 && n <= 24 {
					r["severity"] = strings.ToLower(strings.TrimRight(n.String(), "1234"))
				}
				switch l.Body().Type() {
				case pcommon.ValueTypeEmpty:
					r["body"], r["body_json"] = nil, nil
				case pcommon.ValueTypeStr:
					r["body"], r["body_json"] = l.Body().Str(), nil
				default:
					r["body"], r["body_json"] = oracleJSON(l.Body()), oracleJSON(l.Body())
				}
				oracleOrigin(r, rl.Resource(), rl.SchemaUrl(), sl.Scope(), sl.SchemaUrl())
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

func oracleMetrics(body []byte) ([]row, error) {
	req := pmetricotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		return nil, err
	}
	var rows []row
	for _, rm := range req.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, r := range oraclePoints(m) {
					r["name"], r["unit"], r["description"] = m.Name(), m.Unit(), text(m.Description())
					oracleOrigin(r, rm.Resource(), rm.SchemaUrl(), sm.Scope(), sm.SchemaUrl())
					rows = append(rows, r)
				}
			}
		}
	}
	return rows, nil
}

// A dataPoint is what points of all kinds have.
type dataPoint interface {
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	Attributes() pcommon.Map
	Flags() pmetric.DataPointFlags
}

func oraclePoint(p dataPoint, otelType string) row {
	at := int64(p.Timestamp())
	if at == 0 {
		at = arrived
	}
	return row{
		"timestamp_unix_nano": at, "time_unix_nano": int64(p.Timestamp()),
		"start_time_unix_nano": nonZero(int64(p.StartTimestamp())), "attributes": oracleMap(p.Attributes()),
		"flags": int64(p.Flags()), "no_recorded_value": p.Flags().NoRecordedValue(),
		"otel_type": otelType, "metric_type": strings.TrimPrefix(otelType, "exponential_"),
	}
}

func oraclePoints(m pmetric.Metric) (rows []row) {
	number := func(p pmetric.NumberDataPoint, r row) row {
		switch p.ValueType() {
		case pmetric.NumberDataPointValueTypeInt:
			r["value"], r["value_int"] = float64(p.IntValue()), p.IntValue()
		case pmetric.NumberDataPointValueTypeDouble:
			r["value"], r["value_int"] = p.DoubleValue(), nil
		default:
			r["value"], r["value_int"] = nil, nil
		}
		return r
	}
	temporality := func(t pmetric.AggregationTemporality) string { return strings.ToLower(t.String()) }
	optional := func(has bool, v float64) any {
		if !has {
			return nil
		}
		return v
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			r := number(p, oraclePoint(p, "gauge"))
			r["temporality"], r["is_monotonic"] = nil, nil
			rows = append(rows, r)
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			r := number(p, oraclePoint(p, "sum"))
			r["temporality"], r["is_monotonic"] = temporality(m.Sum().AggregationTemporality()), m.Sum().IsMonotonic()
			rows = append(rows, r)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			r := oraclePoint(p, "histogram")
			r["temporality"] = temporality(m.Histogram().AggregationTemporality())
			r["count"], r["sum"] = int64(p.Count()), optional(p.HasSum(), p.Sum())
			r["value"] = r["sum"]
			r["min"], r["max"] = optional(p.HasMin(), p.Min()), optional(p.HasMax(), p.Max())
			r["bucket_counts"], r["explicit_bounds"] = ints(p.BucketCounts().AsRaw()), floats(p.ExplicitBounds().AsRaw())
			rows = append(rows, r)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			r := oraclePoint(p, "exponential_histogram")
			r["temporality"] = temporality(m.ExponentialHistogram().AggregationTemporality())
			r["count"], r["sum"] = int64(p.Count()), optional(p.HasSum(), p.Sum())
			r["scale"], r["zero_count"], r["zero_threshold"] = int64(p.Scale()), int64(p.ZeroCount()), p.ZeroThreshold()
			if n := p.Positive().BucketCounts().AsRaw(); len(n) > 0 {
				r["positive_offset"], r["positive_bucket_counts"] = int64(p.Positive().Offset()), ints(n)
			}
			rows = append(rows, r)
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			r := oraclePoint(p, "summary")
			r["count"], r["sum"], r["value"] = int64(p.Count()), p.Sum(), p.Sum()
			var q, v []float64
			for _, at := range p.QuantileValues().All() {
				q, v = append(q, at.Quantile()), append(v, at.Value())
			}
			r["quantiles"], r["quantile_values"] = floats(q), floats(v)
			rows = append(rows, r)
		}
	}
	return rows
}

func ints(list []uint64) any {
	if len(list) == 0 {
		return nil
	}
	return intArray(list)
}

func floats(list []float64) any {
	if len(list) == 0 {
		return nil
	}
	return floatArray(list)
}
