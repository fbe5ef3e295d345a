-- What psql prints of the same rows and tables.
\pset null ∅
\d comments
\d llm_prices
\d spans
\d logs
\d metrics
\d nosuch
\dt public.spans
\dt nosuch*
\du nosuch
\dt+ nosuch
\di public.spans_pkey
SELECT service, count(*) AS spans, max(duration_ms) FROM spans GROUP BY 1 ORDER BY 1;
SELECT parent_span_id, service, operation, start_time, attributes FROM spans ORDER BY trace_id, span_id LIMIT 3;
SELECT timestamp, severity, left(body, 40) AS line FROM logs ORDER BY timestamp, body LIMIT 3;
\x
SELECT * FROM logs ORDER BY timestamp, body, log_id LIMIT 1;
SELECT * FROM metrics ORDER BY timestamp, name, series_id LIMIT 1;
\x off
SELECT service, duration_ns, start_time, attributes, is_root, 1.5 AS n, ARRAY['a'] AS a FROM spans \gdesc
SELECT 1 AS one, 'x' AS two \gset p_
\echo :p_one :p_two
SELECT format('SELECT %s AS n', g) FROM generate_series(1, 3) g \gexec
SELECT service, kind, count(*) FROM spans WHERE service < 'ts-c' GROUP BY 1, 2 ORDER BY 1, 2 \crosstabview
SELECT 1 AS a \g (format=unaligned)
\set FETCH_COUNT 100
SELECT trace_id, span_id FROM spans ORDER BY trace_id, span_id LIMIT 250;
\unset FETCH_COUNT
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT nosuch FROM spans;
SELECT 'still there' AS transaction;
ROLLBACK;
\set VERBOSITY sqlstate
SELECT 1 / 0;
SELECT nosuch FROM spans;
\set VERBOSITY default
\set SHOW_ALL_RESULTS off
SELECT 1 \; SELECT 2;
\set SHOW_ALL_RESULTS on
SELECT 1 \; SELECT 2;
PREPARE q(text, int) AS SELECT service FROM spans WHERE kind = $1 ORDER BY 1 LIMIT $2;
EXECUTE q('server', 1);
DEALLOCATE q;
\encoding
\timing off
\pset format csv
SELECT service, operation FROM spans ORDER BY trace_id, span_id LIMIT 3;
\pset format aligned
\dp nosuch
\sf nosuch
\set ON_ERROR_STOP off
COPY (SELECT trace_id, duration_ms, parent_span_id, attributes FROM spans ORDER BY trace_id, span_id LIMIT 5) TO STDOUT;
COPY (SELECT 1, 'a,"b"', E'c\nd\t\\', NULL, '', ARRAY['x,y'], true, 1.50, '\x00ff'::bytea) TO STDOUT;
COPY (SELECT 1, 'a,"b"', E'c\nd\t\\', NULL, '', ARRAY['x,y'], true, 1.50, '\x00ff'::bytea) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT 1, 'a,"b"', E'c\nd\t\\', NULL, '') TO STDOUT WITH CSV HEADER;
COPY (SELECT 1, 'a,"b"', 'x;y', NULL, 'N') TO STDOUT WITH (FORMAT csv, DELIMITER ';', NULL 'N', FORCE_QUOTE *, QUOTE '''', ESCAPE '\');
COPY (SELECT '\.', '') TO STDOUT (FORMAT csv);
COPY (SELECT '\.') TO STDOUT (FORMAT csv);
COPY (SELECT 'a|b', NULL, '\N') TO STDOUT WITH DELIMITER '|' NULL 'null';
COPY comments (id, body) TO STDOUT;
COPY public.llm_prices TO STDOUT CSV HEADER;
COPY (SELECT nosuch) TO STDOUT;
COPY nosuch TO STDOUT;
COPY comments (nosuch) TO STDOUT;
COPY comments TO STDOUT (FORMAT xml);
COPY comments TO STDOUT (nosuch);
COPY comments TO STDOUT (DELIMITER 'ab');
\copy (SELECT service FROM spans ORDER BY trace_id, span_id LIMIT 2) to stdout csv
\copy (SELECT trace_id, duration_ns, start_time, attributes, is_root, duration_ms FROM spans ORDER BY trace_id, span_id) to program 'md5sum' (format binary)
