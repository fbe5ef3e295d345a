package ingest

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/wal/record"
)

// What OpenTelemetry's SDK sends arrives, compressed as it is by users.
func TestSDK(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	ctx := t.Context()
	res := resource.NewSchemaless(attribute.String("service.name", "shop"))

	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn), otlptracegrpc.WithCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	parentCtx, parent := tracer.Tracer("lib").Start(ctx, "parent")
	_, child := tracer.Tracer("lib").Start(parentCtx, "child")
	child.SetAttributes(attribute.String("http.request.method", "GET"), attribute.Int64("n", 1<<60))
	child.End()
	parent.End()

	records, err := otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)), sdklog.WithResource(res))
	var rec log.Record
	rec.SetBody(attribute.StringValue("sold out"))
	rec.SetSeverity(log.SeverityWarn)
	logger.Logger("lib").Emit(parentCtx, rec)

	points, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(res))
	counter, err := meter.Meter("lib").Int64Counter("sold")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 3)

	for _, shutdown := range []func(context.Context) error{tracer.Shutdown, logger.Shutdown, meter.Shutdown} {
		if err := shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
	taken := make(map[record.Type]engine.Request)
	for _, q := range r.taken() {
		taken[q.Header.Type] = q
	}
	for _, c := range []struct {
		signal record.Type
		row    int
		column string
		want   any
	}{
		{record.Traces, 0, "service", "shop"},
		{record.Traces, 0, "operation", "child"},
		{record.Traces, 0, "http_method", "GET"},
		{record.Traces, 0, "attributes", `{"n": 1152921504606846976, "http.request.method": "GET"}`},
		{record.Traces, 0, "parent_span_id", parent.SpanContext().SpanID().String()},
		{record.Traces, 1, "is_root", true},
		{record.Logs, 0, "body", "sold out"},
		{record.Logs, 0, "severity", "warn"},
		{record.Logs, 0, "trace_id", parent.SpanContext().TraceID().String()},
		{record.Metrics, 0, "name", "sold"},
		{record.Metrics, 0, "value_int", int64(3)},
		{record.Metrics, 0, "temporality", "cumulative"},
	} {
		q, ok := taken[c.signal]
		if !ok {
			t.Fatalf("no %s", c.signal)
		}
		if got := q.Rows.Cols[q.Rows.Schema.Index(c.column)].Value(c.row); got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.signal, c.column, got, c.want)
		}
	}
}
