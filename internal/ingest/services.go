package ingest

import (
	"bytes"
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A service is one of OTLP's three: each has a method Export.
type service struct {
	name   string
	file   string // for reflection
	signal record.Type
	path   string        // over HTTP
	full   proto.Message // the answer when all is stored
	// partial is the answer when items were rejected.
	partial func(rejected int64, message string) proto.Message
}

// metricsService is the place of the metrics in services.
const metricsService = 2

var services = [...]service{
	{
		name:   "opentelemetry.proto.collector.trace.v1.TraceService",
		file:   "opentelemetry/proto/collector/trace/v1/trace_service.proto",
		signal: record.Traces,
		path:   "/v1/traces",
		full:   &tracepb.ExportTraceServiceResponse{},
		partial: func(n int64, message string) proto.Message {
			return &tracepb.ExportTraceServiceResponse{PartialSuccess: &tracepb.ExportTracePartialSuccess{
				RejectedSpans: n, ErrorMessage: message,
			}}
		},
	},
	{
		name:   "opentelemetry.proto.collector.logs.v1.LogsService",
		file:   "opentelemetry/proto/collector/logs/v1/logs_service.proto",
		signal: record.Logs,
		path:   "/v1/logs",
		full:   &logspb.ExportLogsServiceResponse{},
		partial: func(n int64, message string) proto.Message {
			return &logspb.ExportLogsServiceResponse{PartialSuccess: &logspb.ExportLogsPartialSuccess{
				RejectedLogRecords: n, ErrorMessage: message,
			}}
		},
	},
	{
		name:   "opentelemetry.proto.collector.metrics.v1.MetricsService",
		file:   "opentelemetry/proto/collector/metrics/v1/metrics_service.proto",
		signal: record.Metrics,
		path:   "/v1/metrics",
		full:   &metricspb.ExportMetricsServiceResponse{},
		partial: func(n int64, message string) proto.Message {
			return &metricspb.ExportMetricsServiceResponse{PartialSuccess: &metricspb.ExportMetricsPartialSuccess{
				RejectedDataPoints: n, ErrorMessage: message,
			}}
		},
	},
}

// desc describes the service to gRPC, with a method that takes raw bytes.
func (sv *service) desc() *grpc.ServiceDesc {
	method := "/" + sv.name + "/Export"
	return &grpc.ServiceDesc{
		ServiceName: sv.name,
		HandlerType: (*any)(nil),
		Metadata:    sv.file,
		Methods: []grpc.MethodDesc{{
			MethodName: "Export",
			Handler: func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
				var body rawBytes
				if err := decode(&body); err != nil {
					return nil, err
				}
				if bytes.HasSuffix(body, corruptMark) {
					return nil, status.Error(codes.InvalidArgument, errCorrupt.Error())
				}
				handle := func(ctx context.Context, req any) (any, error) {
					return srv.(*Server).exportGRPC(ctx, sv, req.(rawBytes))
				}
				if intercept == nil {
					return handle(ctx, body)
				}
				return intercept(ctx, body, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, handle)
			},
		}},
	}
}
