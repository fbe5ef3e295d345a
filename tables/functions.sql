-- Figures of a window of time before a moment, of all services or one.
CREATE FUNCTION summary(window_seconds int, service text DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (
  window_seconds int, -- Length of the window
  service_filter text, -- Service that was asked for; NULL for all
  span_count int8, -- Spans that began in the window
  trace_count int8, -- Their traces
  error_count int8, -- Spans with status error
  error_rate float8, -- Their share
  avg_ms float8, -- Mean duration
  max_ms float8, -- Longest duration
  p50_ms float8, -- Median duration
  p95_ms float8, -- 95th percentile
  p99_ms float8, -- 99th percentile
  log_total int8, -- Log records
  log_error int8, -- Of severity error or fatal
  log_warn int8, -- Of severity warn
  log_info int8, -- Of severity info
  log_debug int8, -- Of severity debug
  metric_points int8, -- Metric points
  metric_names int8, -- Their names
  top_services jsonb, -- The rows of top_services()
  top_error_operations jsonb -- The rows of error_operations()
)
AS $$
 SELECT summary.window_seconds, summary.service, s.spans, s.traces, s.errors,
    coalesce(s.errors::float8 / nullif(s.spans, 0)::float8, 0), coalesce(s.average, 0), coalesce(s.longest, 0),
    coalesce(s.p50, 0), coalesce(s.p95, 0), coalesce(s.p99, 0),
    l.total, l.error, l.warn, l.info, l.debug, m.points, m.names,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('service', t.service, 'span_count', t.span_count,
              'error_rate', t.error_rate, 'p95_ms', t.p95_ms) ORDER BY t.span_count DESC, t.service), '[]'::jsonb)
       FROM top_services(summary.window_seconds, summary.service, at) AS t),
    (SELECT coalesce(jsonb_agg(jsonb_build_object('service', e.service, 'operation', e.operation, 'error_count', e.error_count,
              'span_count', e.span_count, 'error_rate', e.error_rate) ORDER BY e.error_count DESC, e.service, e.operation), '[]'::jsonb)
       FROM error_operations(summary.window_seconds, summary.service, at) AS e)
   FROM (SELECT count(*) AS spans, count(DISTINCT trace_id) AS traces, count(*) FILTER (WHERE status = 'error') AS errors,
            avg(duration_ms) AS average, max(duration_ms) AS longest,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95,
            percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99
           FROM spans
          WHERE start_time >= at - window_interval(summary.window_seconds) AND start_time < at
            AND (summary.service IS NULL OR spans.service = summary.service)) AS s
  CROSS JOIN (SELECT count(*) AS total, count(*) FILTER (WHERE severity IN ('error', 'fatal')) AS error,
            count(*) FILTER (WHERE severity = 'warn') AS warn, count(*) FILTER (WHERE severity = 'info') AS info,
            count(*) FILTER (WHERE severity = 'debug') AS debug
           FROM logs
          WHERE timestamp >= at - window_interval(summary.window_seconds) AND timestamp < at
            AND (summary.service IS NULL OR logs.service = summary.service)) AS l
  CROSS JOIN (SELECT count(*) AS points, count(DISTINCT name) AS names
           FROM metrics
          WHERE timestamp >= at - window_interval(summary.window_seconds) AND timestamp < at
            AND (summary.service IS NULL OR metrics.service = summary.service)) AS m
  WHERE window_interval(summary.window_seconds) IS NOT NULL
$$;

-- The ten services with the most spans in a window of time.
CREATE FUNCTION top_services(window_seconds int, service text DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (
  service text, -- Service
  span_count int8, -- Spans
  error_rate float8, -- Share of spans with status error
  p95_ms float8 -- 95th percentile of the duration
)
AS $$
 SELECT spans.service, count(*), (count(*) FILTER (WHERE status = 'error'))::float8 / count(*)::float8,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)
   FROM spans
  WHERE window_interval(window_seconds) IS NOT NULL
    AND start_time >= at - window_interval(window_seconds) AND start_time < at
    AND (top_services.service IS NULL OR spans.service = top_services.service)
  GROUP BY spans.service
  ORDER BY 2 DESC, 1
  LIMIT 10
$$;

-- The ten operations with the most errors in a window of time.
CREATE FUNCTION error_operations(window_seconds int, service text DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (
  service text, -- Service
  operation text, -- Span name
  error_count int8, -- Spans with status error
  span_count int8, -- Spans
  error_rate float8 -- Share of errors
)
AS $$
 SELECT spans.service, operation, count(*) FILTER (WHERE status = 'error'), count(*),
    (count(*) FILTER (WHERE status = 'error'))::float8 / count(*)::float8
   FROM spans
  WHERE window_interval(window_seconds) IS NOT NULL
    AND start_time >= at - window_interval(window_seconds) AND start_time < at
    AND (error_operations.service IS NULL OR spans.service = error_operations.service)
  GROUP BY spans.service, operation
 HAVING count(*) FILTER (WHERE status = 'error') > 0
  ORDER BY 3 DESC, 1, 2
  LIMIT 10
$$;

-- One row of figures of a trace; none where the trace is unknown.
CREATE FUNCTION trace_summary(trace_id text)
RETURNS TABLE (
  trace_id text, -- Trace
  span_count int8, -- Spans
  services text[], -- Services, by name
  start_time timestamptz, -- First start
  end_time timestamptz, -- Last end
  duration_ms float8, -- From first start to last end
  error_count int8, -- Spans with status error
  log_count int8, -- Log records of the trace
  metric_count int8, -- Metric points of its services within its time
  comment_count int8 -- Comments on it
)
AS $$
 SELECT t.trace_id, t.spans, t.services, t.start_time, t.end_time, t.duration_ms, t.errors,
    (SELECT count(*) FROM logs WHERE logs.trace_id = to_trace_id($1)),
    (SELECT count(*) FROM metrics
      WHERE metrics.service = ANY (t.services) AND metrics.timestamp >= t.start_time AND metrics.timestamp <= t.end_time),
    (SELECT count(*) FROM comments WHERE lower(comments.trace_id) = to_trace_id($1))
   FROM (SELECT spans.trace_id, count(*) AS spans, array_agg(DISTINCT service ORDER BY service) AS services,
            min(spans.start_time) AS start_time, max(spans.end_time) AS end_time,
            (max(end_time_unix_nano) - min(start_time_unix_nano))::float8 / 1000000::float8 AS duration_ms,
            count(*) FILTER (WHERE status = 'error') AS errors
           FROM spans
          WHERE to_trace_id($1) IS NOT NULL AND spans.trace_id = to_trace_id($1)
          GROUP BY spans.trace_id) AS t
$$;

-- The edges of the service graph in a range of time; NULL leaves an end open.
CREATE FUNCTION service_graph(since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS TABLE (
  source text, -- Calling service
  target text, -- Called service, database, queue or peer
  call_count int8, -- Calls
  error_count int8, -- Calls with status error
  p95_ms float8, -- 95th percentile of the duration
  connection_type text -- call for a span of another service; db, messaging or rpc for a client span without one
)
AS $$
 SELECT p.service, c.service, count(*), count(*) FILTER (WHERE c.status = 'error'),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY c.duration_ms), 'call'
   FROM spans AS c
   JOIN spans AS p ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id
  WHERE p.service <> c.service AND (since IS NULL OR c.start_time >= since) AND (until IS NULL OR c.start_time < until)
  GROUP BY p.service, c.service
 UNION ALL
 SELECT o.source, o.target, count(*), count(*) FILTER (WHERE o.status = 'error'),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY o.duration_ms), o.connection_type
   FROM (SELECT s.service AS source, s.status, s.duration_ms,
            CASE WHEN s.db_system IS NOT NULL THEN coalesce(s.peer_service, s.db_name, s.server_address, s.db_system)
                 WHEN s.messaging_system IS NOT NULL THEN coalesce(s.messaging_destination, s.peer_service, s.messaging_system)
                 ELSE coalesce(s.peer_service, s.rpc_service, s.server_address, s.rpc_system) END AS target,
            CASE WHEN s.db_system IS NOT NULL THEN 'db'
                 WHEN s.messaging_system IS NOT NULL THEN 'messaging' ELSE 'rpc' END AS connection_type
           FROM spans AS s
          WHERE s.otel_kind IN ('client', 'producer')
            AND (s.db_system IS NOT NULL OR s.messaging_system IS NOT NULL OR s.rpc_system IS NOT NULL)
            AND (since IS NULL OR s.start_time >= since) AND (until IS NULL OR s.start_time < until)
            AND NOT EXISTS (SELECT 1 FROM spans AS c
                             WHERE c.trace_id = s.trace_id AND c.parent_span_id = s.span_id AND c.service <> s.service)) AS o
  GROUP BY o.source, o.target, o.connection_type
$$;

-- The timeline of a trace: its spans, their events, its logs, comments on it, and
-- the metric points of its services, either side of it or as far as pad.
CREATE FUNCTION correlate(trace_id text, pad interval DEFAULT NULL)
RETURNS TABLE (
  timestamp timestamptz, -- Time; start of a span
  signal text, -- span, span_event, log, metric or comment
  service text, -- Service; NULL for a comment
  span_id text, -- Span
  name text, -- Span, event or metric name; author of a comment
  severity text, -- Severity of a log, status of a span
  value float8, -- Value of a metric point
  duration_ms float8, -- Duration of a span
  body text, -- Text of a log or comment, status message, exception message
  attributes jsonb -- Attributes
)
AS $$
 SELECT i.at, i.signal, i.service, i.span_id, i.name, i.severity, i.value, i.duration_ms, i.body, i.attributes
   FROM (SELECT start_time AS at, 'span' AS signal, service, span_id, operation AS name, status AS severity,
            NULL::float8 AS value, duration_ms, status_message AS body, attributes, 1 AS place
           FROM spans WHERE spans.trace_id = to_trace_id($1)
         UNION ALL
         SELECT e.timestamp, 'span_event', e.service, e.span_id, e.name, NULL, NULL, NULL, e.attributes ->> 'exception.message', e.attributes, 2
           FROM span_events AS e WHERE e.trace_id = to_trace_id($1)
         UNION ALL
         SELECT l.timestamp, 'log', l.service, l.span_id, l.event_name, l.severity, NULL, NULL, l.body, l.attributes, 3
           FROM logs AS l WHERE l.trace_id = to_trace_id($1)
         UNION ALL
         SELECT m.timestamp, 'metric', m.service, NULL, m.name, NULL, m.value, NULL, NULL, m.attributes, 4
           FROM (SELECT min(start_time) AS since, max(end_time) AS until, array_agg(DISTINCT service) AS services
                   FROM spans WHERE spans.trace_id = to_trace_id($1)) AS t
          CROSS JOIN LATERAL (
                SELECT p.timestamp, p.service, p.name, p.value, p.attributes
                  FROM metrics AS p
                 WHERE p.service = ANY (t.services) AND p.timestamp >= t.since - coalesce(pad, '0'::interval)
                   AND p.timestamp <= t.until + coalesce(pad, '0'::interval)
                UNION ALL
                SELECT p.timestamp, p.service, p.name, p.value, p.attributes
                  FROM metrics AS p
                  JOIN (SELECT series_id, max(b.timestamp) AS at FROM metrics AS b
                         WHERE pad IS NULL AND b.service = ANY (t.services) AND b.timestamp < t.since
                         GROUP BY series_id) AS n ON n.series_id = p.series_id AND n.at = p.timestamp
                 WHERE pad IS NULL AND p.service = ANY (t.services) AND p.timestamp < t.since
                UNION ALL
                SELECT p.timestamp, p.service, p.name, p.value, p.attributes
                  FROM metrics AS p
                  JOIN (SELECT series_id, min(a.timestamp) AS at FROM metrics AS a
                         WHERE pad IS NULL AND a.service = ANY (t.services) AND a.timestamp > t.until
                         GROUP BY series_id) AS n ON n.series_id = p.series_id AND n.at = p.timestamp
                 WHERE pad IS NULL AND p.service = ANY (t.services) AND p.timestamp > t.until) AS m
         UNION ALL
         SELECT c.created_at, 'comment', NULL, c.span_id, c.author, NULL, NULL, NULL, c.body, NULL, 5
           FROM comments AS c WHERE lower(c.trace_id) = to_trace_id($1)) AS i
  WHERE to_trace_id($1) IS NOT NULL
  ORDER BY i.at, i.place, i.service, i.span_id, i.name, i.value, i.body
$$;

-- A trace in the columns of Grafana's Traces panel.
CREATE FUNCTION grafana_trace(trace_id text)
RETURNS TABLE (
  "traceID" text, -- Trace
  "spanID" text, -- Span
  "parentSpanID" text, -- Parent; NULL at the root
  "operationName" text, -- Span name
  "serviceName" text, -- Service
  "serviceTags" jsonb, -- Resource attributes as key and value
  "startTime" float8, -- Start in milliseconds since 1970
  "duration" float8, -- Milliseconds
  "tags" jsonb, -- Attributes as key and value
  "logs" jsonb, -- Events
  "references" jsonb, -- Links
  "kind" text, -- Span kind
  "statusCode" int8, -- 0 unset, 1 ok, 2 error
  "statusMessage" text -- Status message
)
AS $$
 SELECT s.trace_id, s.span_id, s.parent_span_id, s.operation, s.service,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'value', a.value) ORDER BY a.key), '[]'::jsonb)
       FROM jsonb_each(s.resource_attributes) AS a),
    (s.start_time_unix_nano / 1000)::float8 / 1000::float8, s.duration_ms,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'value', a.value) ORDER BY a.key), '[]'::jsonb)
       FROM jsonb_each(CASE WHEN s.status = 'error' THEN s.attributes || '{"error": true}'::jsonb ELSE s.attributes END) AS a),
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
              'timestamp', ((e.event ->> 'time_unix_nano')::int8 / 1000)::float8 / 1000::float8, 'name', e.event ->> 'name',
              'fields', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', a.key, 'value', a.value) ORDER BY a.key), '[]'::jsonb)
                           FROM jsonb_each(jsonb_build_object('event', e.event ->> 'name') || coalesce(e.event -> 'attributes', '{}'::jsonb)) AS a))
              ORDER BY e.n), '[]'::jsonb)
       FROM jsonb_array_elements(s.events) WITH ORDINALITY AS e(event, n)),
    (SELECT coalesce(jsonb_agg(jsonb_build_object('traceID', l.link ->> 'trace_id', 'spanID', l.link ->> 'span_id') ORDER BY l.n), '[]'::jsonb)
       FROM jsonb_array_elements(s.links) WITH ORDINALITY AS l(link, n)),
    s.otel_kind, CASE s.status WHEN 'ok' THEN 1 WHEN 'error' THEN 2 ELSE 0 END, s.status_message
   FROM spans AS s
  WHERE to_trace_id($1) IS NOT NULL AND s.trace_id = to_trace_id($1)
  ORDER BY s.start_time_unix_nano, s.span_id
$$;
