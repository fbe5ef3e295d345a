package otlp

import (
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// MappingVersion is the version of the mapping from OTLP bodies to rows, as
// WAL records carry it.
//
//	1: first version.
const MappingVersion = 1

// The columns stored of each signal. Names, order and kinds are on disk.
//
// Columns that follow from stored ones are not here: the microsecond times,
// duration_ms, duration_ns, log_id. A jsonb column other than attributes is a
// String in PostgreSQL's canonical text, bytea a String of the raw bytes, an
// array Any.
var (
	// SpansSchema has one row a span.
	SpansSchema = vector.NewSchema("spans", join(
		[]vector.Field{
			{Name: "trace_id", Kind: vector.Hex, Width: 16},
			{Name: "span_id", Kind: vector.Hex, Width: 8},
			{Name: "parent_span_id", Kind: vector.Hex, Width: 8, Nullable: true},
			{Name: "service", Kind: vector.String, Filter: true},
			{Name: "operation", Kind: vector.String, Filter: true},
			{Name: "start_time_unix_nano", Kind: vector.Int64},
			{Name: "end_time_unix_nano", Kind: vector.Int64},
			{Name: "status", Kind: vector.String, Filter: true},
			{Name: "kind", Kind: vector.String, Filter: true},
			{Name: "attributes", Kind: vector.Map, Filter: true},
			{Name: "events", Kind: vector.String},
			{Name: "otel_kind", Kind: vector.String},
			{Name: "status_message", Kind: vector.String, Nullable: true},
			{Name: "trace_state", Kind: vector.String, Nullable: true},
			{Name: "flags", Kind: vector.Int64},
			{Name: "parent_is_remote", Kind: vector.Bool, Nullable: true},
			{Name: "is_root", Kind: vector.Bool},
			{Name: "links", Kind: vector.String},
			{Name: "dropped_attributes_count", Kind: vector.Int64},
			{Name: "dropped_events_count", Kind: vector.Int64},
			{Name: "dropped_links_count", Kind: vector.Int64},
		},
		originFields,
		[]vector.Field{
			{Name: "service_version", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "service_instance_id", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "http_method", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "http_status_code", Kind: vector.Int64, Nullable: true, Filter: true},
			{Name: "http_route", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "url", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "server_address", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "db_system", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "db_name", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "db_operation", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "db_statement", Kind: vector.String, Nullable: true},
			{Name: "rpc_system", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "rpc_service", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "rpc_method", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "messaging_system", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "messaging_destination", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "peer_service", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "error_type", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "exception_type", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "exception_message", Kind: vector.String, Nullable: true},
		},
	)...)

	// LogsSchema has one row a log record. timestamp_unix_nano is the record's
	// time, else its observed time, else its arrival.
	LogsSchema = vector.NewSchema("logs", join(
		[]vector.Field{
			{Name: "timestamp_unix_nano", Kind: vector.Int64},
			{Name: "trace_id", Kind: vector.Hex, Width: 16, Nullable: true},
			{Name: "span_id", Kind: vector.Hex, Width: 8, Nullable: true},
			{Name: "severity", Kind: vector.String, Filter: true},
			{Name: "severity_text", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "body", Kind: vector.String, Nullable: true, Tokens: true},
			{Name: "service", Kind: vector.String, Filter: true},
			{Name: "attributes", Kind: vector.Map, Filter: true},
			{Name: "severity_number", Kind: vector.Int64},
			{Name: "body_json", Kind: vector.String, Nullable: true},
			{Name: "event_name", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "time_unix_nano", Kind: vector.Int64, Nullable: true},
			{Name: "observed_time_unix_nano", Kind: vector.Int64, Nullable: true},
			{Name: "flags", Kind: vector.Int64},
			{Name: "dropped_attributes_count", Kind: vector.Int64},
			{Name: "body_ext", Kind: vector.String, Nullable: true, Bytes: true}, // bytea
		},
		originFields,
		[]vector.Field{
			{Name: "exception_type", Kind: vector.String, Nullable: true, Filter: true},
			{Name: "exception_message", Kind: vector.String, Nullable: true},
			{Name: "exception_stacktrace", Kind: vector.String, Nullable: true},
		},
	)...)

	// MetricsSchema has one row a data point. timestamp_unix_nano is the point's
	// time, else its arrival.
	MetricsSchema = vector.NewSchema("metrics", join(
		[]vector.Field{
			{Name: "timestamp_unix_nano", Kind: vector.Int64},
			{Name: "time_unix_nano", Kind: vector.Int64},
			{Name: "start_time_unix_nano", Kind: vector.Int64, Nullable: true},
			{Name: "service", Kind: vector.String, Filter: true},
			{Name: "name", Kind: vector.String, Filter: true},
			{Name: "metric_type", Kind: vector.String, Filter: true},
			{Name: "value", Kind: vector.Float, Nullable: true},
			{Name: "unit", Kind: vector.String},
			{Name: "attributes", Kind: vector.Map, Filter: true},
			{Name: "otel_type", Kind: vector.String},
			{Name: "description", Kind: vector.String, Nullable: true},
			{Name: "value_int", Kind: vector.Int64, Nullable: true},
			{Name: "temporality", Kind: vector.String, Nullable: true},
			{Name: "is_monotonic", Kind: vector.Bool, Nullable: true},
			{Name: "flags", Kind: vector.Int64},
			{Name: "no_recorded_value", Kind: vector.Bool},
			{Name: "count", Kind: vector.Int64, Nullable: true},
			{Name: "sum", Kind: vector.Float, Nullable: true},
			{Name: "min", Kind: vector.Float, Nullable: true},
			{Name: "max", Kind: vector.Float, Nullable: true},
			{Name: "bucket_counts", Kind: vector.Any, Nullable: true, Elem: pgtypes.Int8},
			{Name: "explicit_bounds", Kind: vector.Any, Nullable: true, Elem: pgtypes.Float8},
			{Name: "scale", Kind: vector.Int64, Nullable: true},
			{Name: "zero_count", Kind: vector.Int64, Nullable: true},
			{Name: "zero_threshold", Kind: vector.Float, Nullable: true},
			{Name: "positive_offset", Kind: vector.Int64, Nullable: true},
			{Name: "positive_bucket_counts", Kind: vector.Any, Nullable: true, Elem: pgtypes.Int8},
			{Name: "negative_offset", Kind: vector.Int64, Nullable: true},
			{Name: "negative_bucket_counts", Kind: vector.Any, Nullable: true, Elem: pgtypes.Int8},
			{Name: "quantiles", Kind: vector.Any, Nullable: true, Elem: pgtypes.Float8},
			{Name: "quantile_values", Kind: vector.Any, Nullable: true, Elem: pgtypes.Float8},
			{Name: "exemplars", Kind: vector.String},
			{Name: "metadata", Kind: vector.String, Nullable: true},
			{Name: "series_id", Kind: vector.String, Filter: true},
		},
		originFields,
	)...)
)

// originFields are the columns that every signal has: what its resource and
// scope say, and how it came.
var originFields = []vector.Field{
	{Name: "resource_attributes", Kind: vector.String},
	{Name: "resource_dropped_attributes_count", Kind: vector.Int64, Nullable: true},
	{Name: "resource_schema_url", Kind: vector.String, Nullable: true},
	{Name: "resource_entity_refs", Kind: vector.String, Nullable: true},
	{Name: "scope_name", Kind: vector.String, Nullable: true, Filter: true},
	{Name: "scope_version", Kind: vector.String, Nullable: true},
	{Name: "scope_schema_url", Kind: vector.String, Nullable: true},
	{Name: "scope_attributes", Kind: vector.String, Nullable: true},
	{Name: "scope_dropped_attributes_count", Kind: vector.Int64, Nullable: true},
	{Name: "attributes_ext", Kind: vector.String, Nullable: true, Bytes: true}, // bytea
	{Name: "source", Kind: vector.String},
	{Name: "ingested_at_unix_nano", Kind: vector.Int64},
	{Name: "service_namespace", Kind: vector.String, Nullable: true, Filter: true},
	{Name: "environment", Kind: vector.String, Nullable: true, Filter: true},
	{Name: "host_name", Kind: vector.String, Nullable: true, Filter: true},
	{Name: "k8s_namespace", Kind: vector.String, Nullable: true, Filter: true},
	{Name: "k8s_pod", Kind: vector.String, Nullable: true, Filter: true},
}

func join(parts ...[]vector.Field) []vector.Field {
	var out []vector.Field
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
