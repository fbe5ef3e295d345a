-- The gateway's own tables, of which PostgreSQL has copies.
SELECT count(*) FROM spans
SELECT count(*), count(DISTINCT trace_id), min(start_time), max(end_time), sum(duration_ns), max(duration_ms) FROM spans
SELECT service, count(*), count(*) FILTER (WHERE status = 'error') AS errors, max(duration_ns) FROM spans GROUP BY service ORDER BY 2 DESC, 1
SELECT service, kind, count(*) FROM spans GROUP BY ROLLUP (service, kind) ORDER BY 1, 2
SELECT service, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95, percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ns) FROM spans GROUP BY 1 ORDER BY 1
SELECT date_trunc('second', start_time) AS s, count(*) FROM spans WHERE service LIKE 'ts-route%' GROUP BY 1 ORDER BY 1
SELECT floor(extract(epoch FROM start_time) / 10) * 10 AS "time", service AS metric, count(*) AS value FROM spans WHERE start_time BETWEEN '2023-01-29T09:12:00Z' AND '2023-01-29T09:12:30.123456789Z' GROUP BY 1, 2 ORDER BY 1, 2
SELECT date_bin('10 seconds', start_time, '2023-01-01') AS bin, service, sum(duration_ms) > 0 FROM spans GROUP BY 1, 2 ORDER BY 1, 2
SELECT * FROM spans ORDER BY trace_id, span_id LIMIT 20
SELECT * FROM logs ORDER BY timestamp, log_id LIMIT 20
SELECT * FROM metrics ORDER BY timestamp, name, series_id LIMIT 20
SELECT trace_id, span_id FROM spans WHERE trace_id = (SELECT min(trace_id) FROM spans) ORDER BY 2
SELECT span_id FROM spans WHERE duration_ms > 100 AND kind = 'server' AND NOT is_root ORDER BY duration_ns DESC, span_id LIMIT 10
SELECT span_id FROM spans WHERE service IN ('ts-route-service', 'ts-order-service') AND operation ILIKE '%get%' ORDER BY 1 LIMIT 10
SELECT span_id FROM spans WHERE parent_span_id IS NULL ORDER BY 1
SELECT span_id FROM spans WHERE span_id = 'nosuch'
SELECT span_id FROM spans WHERE start_time >= '2023-01-29 09:12:10+00' AND start_time < '2023-01-29 09:12:11+00' ORDER BY start_time, span_id
SELECT attributes ->> 'http.method', count(*) FROM spans GROUP BY 1 ORDER BY 1
SELECT k, count(*) FROM spans, jsonb_object_keys(attributes) k GROUP BY k ORDER BY k
SELECT k, count(*) FROM spans, jsonb_object_keys(resource_attributes) k GROUP BY k ORDER BY k
SELECT jsonb_typeof(attributes), jsonb_array_length(events), count(*) FROM spans GROUP BY 1, 2 ORDER BY 1, 2
SELECT span_id, attributes FROM spans WHERE attributes ? 'http.method' ORDER BY trace_id, span_id LIMIT 3
SELECT count(*) FROM spans WHERE attributes @> '{"nosuch": 1}' OR attributes -> 'a' -> 'b' IS NOT NULL
SELECT s.service, p.service AS parent, count(*) FROM spans s JOIN spans p ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id GROUP BY 1, 2 ORDER BY 1, 2
SELECT s.service, count(l.log_id) FROM spans s LEFT JOIN logs l ON l.trace_id = s.trace_id AND l.span_id = s.span_id GROUP BY 1 ORDER BY 1
SELECT trace_id, count(*) AS n, max(duration_ms) FROM spans GROUP BY trace_id HAVING count(*) > 3 ORDER BY n DESC, trace_id LIMIT 10
WITH RECURSIVE t AS (SELECT trace_id, span_id, 0 AS depth FROM spans WHERE parent_span_id IS NULL AND trace_id < '2' UNION ALL SELECT s.trace_id, s.span_id, t.depth + 1 FROM t JOIN spans s ON s.trace_id = t.trace_id AND s.parent_span_id = t.span_id) SELECT depth, count(*) FROM t GROUP BY 1 ORDER BY 1
WITH slow AS (SELECT * FROM spans WHERE duration_ms > 50) SELECT service, count(*) FROM slow GROUP BY 1 EXCEPT SELECT 'nosuch', 0
SELECT service FROM spans UNION SELECT service FROM logs UNION SELECT service FROM metrics ORDER BY 1
SELECT DISTINCT ON (service) service, span_id, duration_ns FROM spans ORDER BY service, duration_ns DESC, span_id
SELECT DISTINCT kind, otel_kind, status FROM spans ORDER BY 1, 2, 3
SELECT severity, severity_number, severity_text, count(*) FROM logs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
SELECT body FROM logs WHERE body ~* 'exception|error' ORDER BY timestamp, log_id LIMIT 5
SELECT left(body, 20), length(body), upper(left(body, 3)) FROM logs ORDER BY timestamp, log_id LIMIT 5
SELECT service, date_trunc('minute', timestamp), count(*) FROM logs GROUP BY 1, 2 ORDER BY 1, 2
SELECT name, metric_type, unit, count(*), min(value), max(value) FROM metrics GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
SELECT name, count(DISTINCT series_id), bool_and(is_monotonic) FROM metrics GROUP BY 1 ORDER BY 1
SELECT avg(value) FROM metrics WHERE name = 'nosuch'
SELECT timestamp, value FROM metrics WHERE name = (SELECT min(name) FROM metrics) ORDER BY 1, 2 LIMIT 5
SELECT service, (SELECT count(*) FROM logs l WHERE l.service = s.service) FROM (SELECT DISTINCT service FROM spans) s ORDER BY 1
SELECT service FROM spans s GROUP BY service HAVING EXISTS (SELECT 1 FROM logs l WHERE l.service = s.service) ORDER BY 1
SELECT count(*) FROM spans s WHERE NOT EXISTS (SELECT 1 FROM spans p WHERE p.span_id = s.parent_span_id AND p.trace_id = s.trace_id)
SELECT x.service, x.n, y.n FROM (SELECT service, count(*) n FROM spans GROUP BY 1) x FULL JOIN (SELECT service, count(*) n FROM logs GROUP BY 1) y USING (service) ORDER BY 1
SELECT service, array_agg(DISTINCT kind ORDER BY kind), string_agg(DISTINCT status, ',') FROM spans GROUP BY 1 ORDER BY 1
SELECT nosuch FROM spans
SELECT service FROM spans GROUP BY 1 HAVING nosuch > 1
SELECT spans.service, s.service FROM spans s
SELECT s.* FROM spans s WHERE s.duration_ms > 'x'
SELECT public.spans.service FROM public.spans ORDER BY trace_id, span_id LIMIT 1
SELECT tael.public.spans.service FROM tael.public.spans ORDER BY 1 LIMIT 1
SELECT tableoid::regclass, count(*) FROM spans GROUP BY 1
SELECT relname, relkind, relnatts FROM pg_class WHERE relname IN ('spans', 'logs', 'metrics', 'comments', 'llm_prices') AND relnamespace = 'public'::regnamespace ORDER BY 1
SELECT attname, atttypid::regtype, attnotnull, attnum FROM pg_attribute WHERE attrelid = 'spans'::regclass AND attnum > 0 ORDER BY attnum
SELECT table_name, column_name, ordinal_position, data_type, udt_name FROM information_schema.columns WHERE table_name IN ('spans', 'logs', 'metrics') AND table_schema = 'public' ORDER BY 1, 3
SELECT conname, contype, conkey, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'spans'::regclass
SELECT oid, typname, typlen, typtype, typcategory, typelem, typarray FROM pg_type WHERE typname IN ('int4', '_int4', 'text', 'timestamptz', 'jsonb', 'float8', 'bytea', 'uuid', 'interval', 'numeric') ORDER BY 1
-- Writing to comments.
INSERT INTO comments (id, trace_id, span_id, author, body, created_at) VALUES ('o1', 't', 's', 'me', 'one', '2024-01-01'), ('o2', 't', 's', 'me', 'two', '2024-01-02')
INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ('o1', 't', 's', 'me', 'again')
INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ('o1', 't', 's', 'me', 'again') ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING id, body
INSERT INTO comments (id, trace_id) VALUES ('o3', NULL)
INSERT INTO comments (nosuch) VALUES (1)
UPDATE comments SET body = body || '!' WHERE id IN ('o1', 'o2') RETURNING id, body
UPDATE comments SET nosuch = 1
SELECT * FROM comments WHERE id LIKE 'o%' ORDER BY id
DELETE FROM comments WHERE id LIKE 'o%' RETURNING id
BEGIN
SELECT 1/0
SELECT 1
ROLLBACK
SELECT count(attributes ->> ''), count(attributes ->> 'http.method' || (attributes ->> '')) FROM spans WHERE attributes ->> '' IS NULL OR attributes ->> '' = ''
