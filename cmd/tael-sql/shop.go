package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A service is one simulated process with the official SDK.
type service struct {
	name    string
	traces  *sdktrace.TracerProvider
	logs    *sdklog.LoggerProvider
	metrics *sdkmetric.MeterProvider
	tracer  trace.Tracer
	logger  otellog.Logger
	orders  metric.Float64Histogram
}

// shop is a handful of services that call each other.
type shop struct {
	rng      *rand.Rand
	services map[string]*service
}

var shopServices = []string{"frontend", "checkout", "cart", "payment", "postgres", "fulfilment", "email", "support-agent"}

// openShop connects the services to a gateway.
func openShop(ctx context.Context, addr string) (*shop, error) {
	s := &shop{rng: rand.New(rand.NewPCG(1, 2)), services: make(map[string]*service)}
	for _, name := range shopServices {
		svc, err := openService(ctx, addr, name)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		s.services[name] = svc
	}
	return s, nil
}

func openService(ctx context.Context, addr, name string) (*service, error) {
	res := resource.NewSchemaless(
		attribute.String("service.name", name), attribute.String("service.namespace", "shop"),
		attribute.String("deployment.environment.name", "demo"), attribute.String("host.name", name+"-0"))
	te, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(addr), otlptracegrpc.WithInsecure())
	if err != nil {
		return nil, err
	}
	le, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(addr), otlploggrpc.WithInsecure())
	if err != nil {
		return nil, err
	}
	me, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(addr), otlpmetricgrpc.WithInsecure())
	if err != nil {
		return nil, err
	}
	svc := &service{
		name:    name,
		traces:  sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(te, sdktrace.WithMaxQueueSize(1<<16))),
		logs:    sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(le, sdklog.WithMaxQueueSize(1<<16)))),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(me, sdkmetric.WithInterval(10*time.Second)))),
	}
	svc.tracer, svc.logger = svc.traces.Tracer("shop"), svc.logs.Logger("shop")
	svc.orders, err = svc.metrics.Meter("shop").Float64Histogram("operation.duration", metric.WithUnit("ms"))
	return svc, err
}

// A call is one span to be: its times are simulated, not waited for.
type call struct {
	ctx   context.Context
	span  trace.Span
	svc   *service
	start time.Time
	now   time.Time
}

func (s *shop) begin(ctx context.Context, name, operation string, kind trace.SpanKind, at time.Time, attrs ...attribute.KeyValue) *call {
	svc := s.services[name]
	ctx, span := svc.tracer.Start(ctx, operation, trace.WithSpanKind(kind), trace.WithTimestamp(at), trace.WithAttributes(attrs...))
	return &call{ctx: ctx, span: span, svc: svc, start: at, now: at}
}

// work lets simulated time go by.
func (c *call) work(rng *rand.Rand, ms float64) {
	c.now = c.now.Add(time.Duration((0.5 + rng.ExpFloat64()/2) * ms * float64(time.Millisecond)))
}

// end ends the span and gives the time at which it ended.
func (c *call) end() time.Time {
	c.span.End(trace.WithTimestamp(c.now))
	c.svc.orders.Record(c.ctx, float64(c.now.Sub(c.start))/float64(time.Millisecond))
	return c.now
}

// fail marks the span as failed and logs why.
func (c *call) fail(text string) {
	c.span.RecordError(errors.New(text), trace.WithTimestamp(c.now))
	c.span.SetStatus(codes.Error, text)
	c.log(otellog.SeverityError, text)
}

func (c *call) log(severity otellog.Severity, text string) {
	var r otellog.Record
	r.SetTimestamp(c.now)
	r.SetSeverity(severity)
	r.SetBody(attribute.StringValue(text))
	c.svc.logger.Emit(c.ctx, r)
}

// flush sends what the SDKs still hold.
func (s *shop) flush(ctx context.Context) error {
	var errs []error
	for _, svc := range s.services {
		errs = append(errs, svc.traces.ForceFlush(ctx), svc.logs.ForceFlush(ctx), svc.metrics.ForceFlush(ctx))
	}
	return errors.Join(errs...)
}

// close ends the SDKs.
func (s *shop) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	for _, svc := range s.services {
		errs = append(errs, svc.traces.Shutdown(ctx), svc.logs.Shutdown(ctx), svc.metrics.Shutdown(ctx))
	}
	return errors.Join(errs...)
}
