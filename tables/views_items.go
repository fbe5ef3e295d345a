package tables

import (
	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// itemViews are the views that give what rows hold in lists a row each, and
// those over all time of functions over a range.
var itemViews = []view{
	{
		20021, "span_events", "One row an event of a span.",
		[]catalog.Column{
			col("trace_id", pgtypes.Text, "Trace"), col("span_id", pgtypes.Text, "Span"),
			col("service", pgtypes.Text, "Service of the span"), col("operation", pgtypes.Text, "Name of the span"),
			col("event_index", pgtypes.Int4, "Place among the span's events, from 0"), col("name", pgtypes.Text, "Event name"),
			col("timestamp", pgtypes.Timestamptz, "Time, to the microsecond"),
			col("time_unix_nano", pgtypes.Int8, "Time as sent"), col("attributes", pgtypes.Jsonb, "Attributes of the event"),
			col("dropped_attributes_count", pgtypes.Int4, "Attributes that the sender dropped"),
		},
		` SELECT trace_id, span_id, service, operation, event_index,
    event ->> 'name' AS name,
    (event ->> 'timestamp')::timestamptz AS "timestamp",
    (event ->> 'time_unix_nano')::int8 AS time_unix_nano,
    event -> 'attributes' AS attributes,
    (event ->> 'dropped_attributes_count')::int4 AS dropped_attributes_count
   FROM ( SELECT trace_id, span_id, service, operation,
            generate_series(0, jsonb_array_length(events) - 1) AS event_index,
            jsonb_array_elements(events) AS event
           FROM spans
          WHERE events <> '[]'::jsonb) e;`,
	},
	{
		20022, "span_links", "One row a link of a span to another.",
		[]catalog.Column{
			col("trace_id", pgtypes.Text, "Trace"), col("span_id", pgtypes.Text, "Span"),
			col("service", pgtypes.Text, "Service of the span"), col("operation", pgtypes.Text, "Name of the span"),
			col("start_time", pgtypes.Timestamptz, "Start of the span"),
			col("link_index", pgtypes.Int4, "Place among the span's links, from 0"),
			col("linked_trace_id", pgtypes.Text, "Trace that it points to"),
			col("linked_span_id", pgtypes.Text, "Span that it points to"),
			col("trace_state", pgtypes.Text, "Trace state of the link"), col("flags", pgtypes.Int8, "Flags of the link"),
			col("attributes", pgtypes.Jsonb, "Attributes of the link"),
			col("dropped_attributes_count", pgtypes.Int4, "Attributes that the sender dropped"),
		},
		` SELECT trace_id, span_id, service, operation, start_time, link_index,
    link ->> 'trace_id' AS linked_trace_id,
    link ->> 'span_id' AS linked_span_id,
    link ->> 'trace_state' AS trace_state,
    (link ->> 'flags')::int8 AS flags,
    link -> 'attributes' AS attributes,
    (link ->> 'dropped_attributes_count')::int4 AS dropped_attributes_count
   FROM ( SELECT trace_id, span_id, service, operation, start_time,
            generate_series(0, jsonb_array_length(links) - 1) AS link_index,
            jsonb_array_elements(links) AS link
           FROM spans
          WHERE links <> '[]'::jsonb) l;`,
	},
	{
		20023, "exceptions", "One row an exception, from span events and logs.",
		[]catalog.Column{
			col("timestamp", pgtypes.Timestamptz, "Time"), col("service", pgtypes.Text, "Service"),
			col("trace_id", pgtypes.Text, "Trace, NULL for a log without one"), col("span_id", pgtypes.Text, "Span"),
			col("exception_type", pgtypes.Text, "Type"), col("exception_message", pgtypes.Text, "Message"),
			col("exception_stacktrace", pgtypes.Text, "Stack trace"),
			col("escaped", pgtypes.Bool, "It left the span; NULL where not told"),
			col("origin", pgtypes.Text, "span_event or log"),
		},
		` SELECT "timestamp", service, trace_id, span_id,
    attributes ->> 'exception.type' AS exception_type,
    attributes ->> 'exception.message' AS exception_message,
    attributes ->> 'exception.stacktrace' AS exception_stacktrace,
    CASE lower(attributes ->> 'exception.escaped') WHEN 'true' THEN true WHEN 'false' THEN false END AS escaped,
    'span_event' AS origin
   FROM span_events
  WHERE name = 'exception'
UNION ALL
 SELECT "timestamp", service, trace_id, span_id, exception_type, exception_message, exception_stacktrace,
    CASE lower(attributes ->> 'exception.escaped') WHEN 'true' THEN true WHEN 'false' THEN false END AS escaped,
    'log' AS origin
   FROM logs
  WHERE exception_type IS NOT NULL OR exception_message IS NOT NULL;`,
	},
	{
		20024, "exemplars", "One row an exemplar of a metric point.",
		[]catalog.Column{
			col("timestamp", pgtypes.Timestamptz, "Time of the measurement"), col("name", pgtypes.Text, "Metric"),
			col("service", pgtypes.Text, "Service"), col("value", pgtypes.Float8, "Measured value"),
			col("trace_id", pgtypes.Text, "Trace"), col("span_id", pgtypes.Text, "Span"),
			col("attributes", pgtypes.Jsonb, "Attributes that the metric does not have"),
		},
		` SELECT (exemplar ->> 'timestamp')::timestamptz AS "timestamp", name, service,
    (exemplar ->> 'value')::float8 AS value,
    exemplar ->> 'trace_id' AS trace_id,
    exemplar ->> 'span_id' AS span_id,
    exemplar -> 'filtered_attributes' AS attributes
   FROM ( SELECT name, service, jsonb_array_elements(exemplars) AS exemplar
           FROM metrics
          WHERE exemplars <> '[]'::jsonb) e;`,
	},
	{
		20025, "service_edges", "The edges of the service graph, of all time.",
		[]catalog.Column{
			col("source", pgtypes.Text, "Calling service"), col("target", pgtypes.Text, "Called service, database, queue or peer"),
			col("call_count", pgtypes.Int8, "Calls"), col("error_count", pgtypes.Int8, "Calls with status error"),
			col("p95_ms", pgtypes.Float8, "95th percentile of the duration"),
			col("connection_type", pgtypes.Text, "call for a span of another service; db, messaging or rpc for a client span without one"),
		},
		` SELECT source, target, call_count, error_count, p95_ms, connection_type
   FROM service_graph();`,
	},
}
