package otlp

import (
	"slices"
	"strings"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tael-sql/tael-sql/wal/record"
)

// What had expired when its request arrived is rejected, and nothing else; the
// rest keep their ordinals. An item without a time is as old as its request.
func TestRetention(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	at := func(age time.Duration) uint64 { return uint64(now.Add(-age).UnixNano()) }
	ages := []time.Duration{time.Hour + 1, time.Hour, 2 * time.Hour, 0, -time.Hour}

	old := goodSpan()
	old.StartTimeUnixNano, old.EndTimeUnixNano = at(2*time.Hour), at(0) // the start decides
	young := goodSpan()
	young.StartTimeUnixNano, young.EndTimeUnixNano = at(0), at(0)

	var records []*logs.LogRecord
	var points []*metrics.NumberDataPoint
	for _, age := range ages {
		records = append(records, &logs.LogRecord{TimeUnixNano: at(age)})
		points = append(points, &metrics.NumberDataPoint{TimeUnixNano: at(age), Value: &metrics.NumberDataPoint_AsInt{AsInt: 1}})
	}
	records = append(records, &logs.LogRecord{ObservedTimeUnixNano: at(time.Hour + 1)}, &logs.LogRecord{})
	points = append(points, &metrics.NumberDataPoint{})
	marshal := func(m proto.Message) []byte {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	for _, c := range []struct {
		signal   record.Type
		body     []byte
		rejected int
		ordinals []uint32
	}{
		{record.Traces, request(t, old, young, old), 2, []uint32{1}},
		{record.Logs, marshal(&collectorlogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
			ScopeLogs: []*logs.ScopeLogs{{LogRecords: records}},
		}}}), 3, []uint32{1, 3, 4, 6}},
		{record.Metrics, marshal(&collectormetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
			ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{{Name: "m", Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: points}}}}}},
		}}}), 2, []uint32{1, 3, 4, 5}},
	} {
		h := record.Header{Type: c.signal, MappingVersion: MappingVersion, ReceiveNanos: now.UnixNano()}
		d, err := (Retention{c.signal: time.Hour}).Decode(h, c.body)
		if err != nil {
			t.Fatal(err)
		}
		if d.Rejected != c.rejected || !slices.Equal(d.Rows.Ordinals, c.ordinals) || !strings.Contains(d.Reason, "older than") {
			t.Errorf("%v: %d rejected, ordinals %v, %q", c.signal, d.Rejected, d.Rows.Ordinals, d.Reason)
		}
		if d, err = (Retention{}).Decode(h, c.body); err != nil || d.Rejected > 0 {
			t.Errorf("%v: without retention %d are rejected, %v", c.signal, d.Rejected, err)
		}
	}
}
