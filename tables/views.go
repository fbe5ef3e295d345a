package tables

import (
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A view is a query with a name; its columns are those of the query.
type view struct {
	oid     pgtypes.OID
	name    string
	comment string
	columns []catalog.Column
	query   string
}

func col(name string, oid pgtypes.OID, comment string) catalog.Column {
	return catalog.Column{Name: name, Type: pgtypes.Of(oid), Comment: comment}
}

var views = []view{
	{
		recentSpansOID, "recent_spans", "Spans, newest first, in a width that fits a terminal.",
		[]catalog.Column{
			col("start_time", pgtypes.Timestamptz, "Start"), col("service", pgtypes.Text, "Service"),
			col("operation", pgtypes.Text, "Span name"), col("duration_ms", pgtypes.Float8, "Duration in milliseconds"),
			col("status", pgtypes.Text, "unset, ok or error"), col("trace_id", pgtypes.Text, "Trace"),
			col("span_id", pgtypes.Text, "Span"),
		},
		` SELECT start_time, service, operation, duration_ms, status, trace_id, span_id
   FROM spans
  ORDER BY start_time DESC;`,
	},
	{
		servicesOID, "services", "One row a service, with the figures of its spans.",
		[]catalog.Column{
			col("name", pgtypes.Text, "Service"), col("span_count", pgtypes.Int8, "Spans"),
			col("trace_count", pgtypes.Int8, "Traces that it takes part in"),
			col("avg_duration_ms", pgtypes.Float8, "Mean duration"),
			col("error_rate", pgtypes.Float8, "Share of spans with status error"),
			col("p50_ms", pgtypes.Float8, "Median duration"), col("p95_ms", pgtypes.Float8, "95th percentile"),
			col("p99_ms", pgtypes.Float8, "99th percentile"),
			col("first_seen", pgtypes.Timestamptz, "Start of its first span"),
			col("last_seen", pgtypes.Timestamptz, "Start of its last span"),
		},
		` SELECT service AS name,
    count(*) AS span_count,
    count(DISTINCT trace_id) AS trace_count,
    avg(duration_ms) AS avg_duration_ms,
    (count(*) FILTER (WHERE status = 'error'))::float8 / count(*)::float8 AS error_rate,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99_ms,
    min(start_time) AS first_seen,
    max(start_time) AS last_seen
   FROM spans
  GROUP BY service;`,
	},
	{
		tracesOID, "traces", "One row a trace, summed up from its spans.",
		[]catalog.Column{
			col("trace_id", pgtypes.Text, "Trace"), col("root_service", pgtypes.Text, "Service of the root span"),
			col("root_operation", pgtypes.Text, "Name of the root span"),
			col("start_time", pgtypes.Timestamptz, "First start"), col("end_time", pgtypes.Timestamptz, "Last end"),
			col("duration_ms", pgtypes.Float8, "From first start to last end"),
			col("span_count", pgtypes.Int8, "Spans"), col("error_count", pgtypes.Int8, "Spans with status error"),
			col("services", pgtypes.TextArray, "Services, by name"),
		},
		` SELECT trace_id,
    min(service) FILTER (WHERE is_root) AS root_service,
    min(operation) FILTER (WHERE is_root) AS root_operation,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    (max(end_time_unix_nano) - min(start_time_unix_nano))::float8 / 1000000::float8 AS duration_ms,
    count(*) AS span_count,
    count(*) FILTER (WHERE status = 'error') AS error_count,
    array_agg(DISTINCT service ORDER BY service) AS services
   FROM spans
  GROUP BY trace_id;`,
	},
}

func registerViews(c *catalog.Catalog) {
	for _, v := range slices.Concat(views, itemViews, llmViews, []view{rollup}) {
		c.AddView(&catalog.Relation{
			OID: v.oid, Schema: catalog.PublicSchema, Name: v.name, Kind: 'v',
			Columns: v.columns, Comment: v.comment, Definition: v.query,
		})
	}
}
