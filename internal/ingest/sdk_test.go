package ingest

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/wal/record"
)

// exporters are those of the SDK over one transport.
type exporters struct {
	spans   sdktrace.SpanExporter
	records sdklog.Exporter
	points  sdkmetric.Exporter
}

func grpcExporters(t *testing.T, a Appender) (out exporters) {
	_, conn := start(t, a, Options{})
	ctx := t.Context()
	var errs [3]error
	out.spans, errs[0] = otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn), otlptracegrpc.WithCompressor("gzip"))
	out.records, errs[1] = otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithCompressor("gzip"))
	out.points, errs[2] = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithCompressor("gzip"))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return out
}

func webExporters(t *testing.T, a Appender) (out exporters) {
	_, addr := startWeb(t, a, Options{})
	ctx := t.Context()
	var errs [3]error
	out.spans, errs[0] = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(addr+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	out.records, errs[1] = otlploghttp.New(ctx, otlploghttp.WithEndpointURL(addr+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression))
	out.points, errs[2] = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(addr+"/v1/metrics"), otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return out
}

// What OpenTelemetry's SDK sends arrives, compressed as it is by users.
func TestSDK(t *testing.T) {
	t.Run("grpc", func(t *testing.T) { testSDK(t, grpcExporters) })
	t.Run("http", func(t *testing.T) { testSDK(t, webExporters) })
}

func testSDK(t *testing.T, connect func(*testing.T, Appender) exporters) {
	r := &recorder{}
	ctx := t.Context()
	res := resource.NewSchemaless(attribute.String("service.name", "shop"))
	to := connect(t, r)

	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(to.spans), sdktrace.WithResource(res))
	parentCtx, parent := tracer.Tracer("lib").Start(ctx, "parent")
	_, child := tracer.Tracer("lib").Start(parentCtx, "child")
	child.SetAttributes(attribute.String("http.request.method", "GET"), attribute.Int64("n", 1<<60))
	child.End()
	parent.End()

	logger := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(to.records)), sdklog.WithResource(res))
	var rec log.Record
	rec.SetBody(attribute.StringValue("sold out"))
	rec.SetSeverity(log.SeverityWarn)
	logger.Logger("lib").Emit(parentCtx, rec)

	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(to.points)), sdkmetric.WithResource(res))
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
