-- One statement a line, for TestOracle. Not here, because they differ: a whole
-- row is of type record, not of the table's row type; a sub-query in FROM needs
-- no alias, as since PostgreSQL 16.
SELECT 1, 2.5, 'x', NULL, true, 1e3, 12345678901, 123456789012345678901
SELECT 1 AS a, 2 b, 3 "C"
SELECT 7/2, -7/2, 7.0/2, 7/2.0, 1+1.5, 1::int8+1, 2^3, 5%3
SELECT 'a'||'b', 'a'||1, 1||'a', ARRAY[1]||2, ARRAY[1]||ARRAY[2], 1||ARRAY[2]
SELECT * FROM spans
SELECT s.* FROM spans s
SELECT spans.trace_id, public.spans.span_id FROM spans
SELECT x FROM spans
SELECT spans.x FROM spans
SELECT s.x FROM spans s
SELECT spans.trace_id FROM spans s
SELECT t.trace_id FROM spans s
SELECT trace_id FROM spans, logs
SELECT a.trace_id FROM spans a, spans a
SELECT * FROM nothing
SELECT * FROM public.nothing
SELECT * FROM nowhere.nothing
SELECT nowhere.f(1)
SELECT f(1)
SELECT f(1, 'a', NULL, 2.5)
SELECT abs('x')
SELECT abs(text 'x')
SELECT length(1)
SELECT upper(service), lower(status), length(operation) FROM spans
SELECT duration_ms + 1, duration_ns + 1, http_status_code + 1, duration_ms * duration_ns FROM spans
SELECT service + 1 FROM spans
SELECT service = 1 FROM spans
SELECT service = duration_ns FROM spans
SELECT service > 'a', start_time > '2024-01-01', duration_ms > '5', http_status_code = '200' FROM spans
SELECT http_status_code = 'abc' FROM spans
SELECT start_time > 'yesterdayish' FROM spans
SELECT duration_ms > 'x' FROM spans
SELECT start_time > now() - interval '1 hour' FROM spans
SELECT start_time - end_time, start_time - interval '1 day', start_time + '1 day' FROM spans
SELECT date '2024-01-01' + 1, date '2024-01-01' - date '2023-01-01', date '2024-01-01' + interval '1 day', date '2024-01-01' + time '10:00'
SELECT interval '1 day' * 2, 2 * interval '1 day', interval '1 day' / 2, interval '1' hour, interval '1:30' hour to minute, interval(3) '1.2345 s'
SELECT interval 'x'
SELECT timestamp '2024-01-01' AT TIME ZONE 'UTC', timestamptz '2024-01-01Z' AT TIME ZONE 'UTC'
SELECT extract(epoch FROM start_time), extract(hour FROM interval '1 day'), date_part('year', start_time) FROM spans
SELECT date_trunc('hour', start_time), date_trunc('day', d), date_trunc('hour', iv) FROM spans, kinds
SELECT date_bin('5 minutes', start_time, timestamptz '2001-01-01') FROM spans
SELECT substring('abc' FROM 2 FOR 1), substring('abc' FROM 'b'), position('b' IN 'abc'), trim(both 'x' FROM 'xax'), trim(' a '), overlay('abc' PLACING 'x' FROM 2), ltrim('a'), rtrim('a')
SELECT 'a' LIKE 'b', 'a' ILIKE 'b', 'a' NOT LIKE 'b', 'a' SIMILAR TO 'b', 'a' ~ 'b', 'a' !~* 'b', 'a' LIKE 'b' ESCAPE 'c'
SELECT service LIKE 1 FROM spans
SELECT 1 BETWEEN 0 AND 2, 1 NOT BETWEEN 0 AND 2, 1 BETWEEN SYMMETRIC 2 AND 0, service BETWEEN 'a' AND 'b' FROM spans
SELECT 1 BETWEEN 'a' AND 2
SELECT 1 IN (1, 2, 3), 1 IN (1, 2.5), 'a' IN ('b'), service IN ('a', 'b'), service NOT IN ('a') FROM spans
SELECT 1 IN ('a', 2)
SELECT service IN (1, 2) FROM spans
SELECT service IN ('a', 1) FROM spans
SELECT 1 IN (SELECT 1), service IN (SELECT service FROM logs), service NOT IN (SELECT service FROM logs) FROM spans
SELECT 1 IN (SELECT 'a')
SELECT 1 IN (SELECT 1, 2)
SELECT (1, 2) IN (SELECT 1)
SELECT (1, 2) IN (SELECT 1, 2), (1, 2) IN ((1, 2), (3, 4))
SELECT service IN (SELECT duration_ms FROM spans) FROM spans
SELECT 1 = ANY (ARRAY[1, 2]), 1 = ANY ('{1,2}'), service = ANY ('{a,b}'), service = ALL (ARRAY['a']), 1 = ANY (bucket_counts) FROM spans, metrics
SELECT 1 = ANY (1)
SELECT 1 = ANY ('a')
SELECT 'a' = ANY (ARRAY[1])
SELECT service = ANY (ARRAY[1]) FROM spans
SELECT service = ANY ($1), duration_ns = ANY ($2) FROM spans
SELECT 1 IS DISTINCT FROM 2, NULL IS NOT DISTINCT FROM 1, service IS DISTINCT FROM 'a' FROM spans
SELECT service IS DISTINCT FROM 1 FROM spans
SELECT 1 IS NULL, NULL IS NULL, service IS NOT NULL FROM spans
SELECT true IS TRUE, NULL IS UNKNOWN, is_root IS NOT FALSE FROM spans
SELECT 1 IS TRUE
SELECT NOT 1
SELECT 1 AND true
SELECT true AND service FROM spans
SELECT true AND 'f', true OR 'x'
SELECT * FROM spans WHERE 1
SELECT * FROM spans WHERE 'true'
SELECT * FROM spans WHERE service
SELECT * FROM spans WHERE NULL
SELECT CASE WHEN true THEN 1 ELSE 2.5 END, CASE 1 WHEN 1 THEN 'a' END, CASE WHEN true THEN NULL ELSE 1 END
SELECT CASE WHEN 1 THEN 2 END
SELECT CASE WHEN true THEN 1 ELSE 'a' END
SELECT CASE WHEN true THEN 1 ELSE text 'a' END
SELECT CASE service WHEN 1 THEN 2 END FROM spans
SELECT COALESCE(NULL, 1), COALESCE(service, 'x'), COALESCE(NULL, NULL), COALESCE(1, 2.5) FROM spans
SELECT COALESCE(1, 'a')
SELECT COALESCE(service, 1) FROM spans
SELECT NULLIF(1, 2), NULLIF('a', 'b'), NULLIF(service, ''), NULLIF(1, 2.5) FROM spans
SELECT NULLIF(1, 'a')
SELECT NULLIF(service, 1) FROM spans
SELECT GREATEST(1, 2.5), LEAST('a', 'b'), GREATEST(d, ts), LEAST(ts, tz) FROM kinds
SELECT GREATEST(1, text 'a')
SELECT 1::text, '1'::int, 1::float8, 'a'::varchar(3), 1.5::numeric(10,2), CAST('1' AS bigint), '{1,2}'::int[], int '5', float8 '1.5'
SELECT 'a'::int
SELECT '1.5'::int
SELECT ''::int
SELECT '99999999999'::int
SELECT 'x'::timestamptz
SELECT '2024-13-01'::date
SELECT 'x'::uuid
SELECT '{'::jsonb
SELECT 'maybe'::bool
SELECT true::timestamptz
SELECT 1::timestamptz
SELECT now()::int
SELECT 1::bool, true::int, 1::numeric::int8
SELECT 1::nosuchtype
SELECT 1::nowhere.nosuchtype
SELECT 'a'::nosuchtype[]
SELECT 1::pg_catalog.int8, 'x'::pg_catalog.text
SELECT 'a'::varchar(0)
SELECT 1::numeric(2000)
SELECT 1::int4(3)
SELECT text(1), int8(5), float8('1.5'), date('2024-01-01'), varchar(1), name('a'), bool('t')
SELECT ARRAY[1, 2], ARRAY[1, 2.5], ARRAY['a', 'b'], ARRAY[[1, 2], [3, 4]], ARRAY[]::int[], ARRAY[NULL]
SELECT ARRAY[]
SELECT ARRAY[1, 'a']
SELECT ARRAY[1, text 'a']
SELECT ARRAY[1, 2]::text[], ARRAY['1', '2']::int[]
SELECT ARRAY['a']::int[]
SELECT ARRAY(SELECT 1), ARRAY(SELECT service FROM spans)
SELECT ARRAY(SELECT 1, 2)
SELECT ia[1], ia[1:2], ia[:2], ia[1:], ta[1] FROM kinds
SELECT ia['a'] FROM kinds
SELECT ia[service] FROM kinds, spans
SELECT t[1] FROM kinds
SELECT jb['a'], jb['a']['b'] FROM kinds
SELECT attributes->'a', attributes->>'a', attributes->0, attributes#>'{a,b}', attributes#>>'{a,b}', attributes @> '{}', attributes ? 'a' FROM spans
SELECT attributes->>'a' = 'b', (attributes->>'n')::int > 5 FROM spans
SELECT attributes->'a' = 1 FROM spans
SELECT attributes->1.5 FROM spans
SELECT attributes || '{}', attributes - 'a', attributes - 1 FROM spans
SELECT j->'a', j->>1, jb->'a' FROM kinds
SELECT j = j FROM kinds
SELECT ROW(1, 'a'), (1, 2), ROW()
SELECT (1, 2) = (1, 2), (1, 2) < (3, 4), ROW(1, 'a') = ROW(1, 'b')
SELECT (1, 2) = (1, 2, 3)
SELECT (1, 2) ~ (1, 2)
SELECT (s).service FROM spans s
SELECT (s).nothing FROM spans s
SELECT (1).x
SELECT (s).* FROM spans s
SELECT count(*), count(service), count(DISTINCT service), sum(duration_ms), sum(duration_ns), sum(http_status_code), avg(http_status_code), min(service), max(start_time) FROM spans
SELECT sum(small), sum(num), sum(f4), avg(f8), avg(num), avg(iv), sum(iv), min(d), max(u) FROM kinds
SELECT max(ia), min(n), bool_and(b), every(b), string_agg(t, ','), array_agg(id), array_agg(ia), json_agg(t), jsonb_object_agg(t, id) FROM kinds
SELECT count()
SELECT sum(*)
SELECT sum(service) FROM spans
SELECT sum() FROM spans
SELECT string_agg(service) FROM spans
SELECT string_agg(service, ',' ORDER BY service DESC), array_agg(DISTINCT service ORDER BY service) FROM spans
SELECT array_agg(DISTINCT service ORDER BY operation) FROM spans
SELECT count(DISTINCT *) FROM spans
SELECT upper(DISTINCT service) FROM spans
SELECT upper(service) FILTER (WHERE true) FROM spans
SELECT upper(service) OVER () FROM spans
SELECT count(*) FILTER (WHERE status = 'error') FROM spans
SELECT count(*) FILTER (WHERE 1) FROM spans
SELECT count(*) FILTER (WHERE count(*) > 1) FROM spans
SELECT sum(sum(duration_ms)) FROM spans
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms), percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY duration_ms), percentile_disc(0.5) WITHIN GROUP (ORDER BY service), mode() WITHIN GROUP (ORDER BY status) FROM spans
SELECT percentile_cont(0.5) FROM spans
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY service) FROM spans
SELECT count(service) WITHIN GROUP (ORDER BY service) FROM spans
SELECT service, count(*) FROM spans GROUP BY service
SELECT service, count(*) FROM spans
SELECT service, operation, count(*) FROM spans GROUP BY service
SELECT service, count(*) FROM spans GROUP BY 1
SELECT service AS s, count(*) FROM spans GROUP BY s
SELECT service, count(*) FROM spans GROUP BY 3
SELECT service, count(*) FROM spans GROUP BY 0
SELECT service, count(*) FROM spans GROUP BY 2
SELECT service, count(*) FROM spans GROUP BY count(*)
SELECT service FROM spans GROUP BY 'x'
SELECT service FROM spans GROUP BY service, 1.5
SELECT upper(service), count(*) FROM spans GROUP BY upper(service)
SELECT upper(service) || 'x', count(*) FROM spans GROUP BY upper(service)
SELECT upper(operation), count(*) FROM spans GROUP BY upper(service)
SELECT trace_id, span_id, service FROM spans GROUP BY trace_id, span_id
SELECT trace_id, service FROM spans GROUP BY trace_id
SELECT service FROM spans HAVING count(*) > 1
SELECT count(*) FROM spans HAVING service = 'a'
SELECT count(*) FROM spans HAVING 1
SELECT * FROM spans WHERE count(*) > 1
SELECT * FROM spans JOIN logs ON count(*) > 1
SELECT * FROM spans GROUP BY service
SELECT service, (SELECT count(*) FROM logs l WHERE l.service = s.service) FROM spans s GROUP BY service
SELECT service, (SELECT count(*) FROM logs l WHERE l.trace_id = s.trace_id) FROM spans s GROUP BY service
SELECT (SELECT max(s.duration_ms)) FROM spans s
SELECT (SELECT max(s.duration_ms) FROM logs), service FROM spans s
SELECT service, count(*) FROM spans GROUP BY ROLLUP (service)
SELECT service, operation, count(*), GROUPING(service), GROUPING(service, operation) FROM spans GROUP BY CUBE (service, operation)
SELECT service, GROUPING(operation) FROM spans GROUP BY service
SELECT service, count(*) FROM spans GROUP BY GROUPING SETS ((service), ())
SELECT GROUPING(service) FROM spans
SELECT service FROM spans GROUP BY DISTINCT ROLLUP (service, operation), service
SELECT DISTINCT service FROM spans ORDER BY service
SELECT DISTINCT service FROM spans ORDER BY operation
SELECT DISTINCT service AS x FROM spans ORDER BY x, upper(service)
SELECT DISTINCT j FROM kinds
SELECT j FROM kinds GROUP BY j
SELECT j FROM kinds ORDER BY j
SELECT DISTINCT ON (service) service, operation FROM spans ORDER BY service, start_time
SELECT DISTINCT ON (service) service, operation FROM spans ORDER BY start_time
SELECT DISTINCT ON (service, operation) service FROM spans ORDER BY operation, start_time, service
SELECT DISTINCT ON (1) service FROM spans
SELECT DISTINCT ON (5) service FROM spans
SELECT service FROM spans ORDER BY 1
SELECT service FROM spans ORDER BY 2
SELECT service FROM spans ORDER BY 'a'
SELECT service FROM spans ORDER BY nothing
SELECT service AS a, operation AS a FROM spans ORDER BY a
SELECT service AS operation FROM spans ORDER BY operation
SELECT service AS a FROM spans ORDER BY a || 'x'
SELECT service FROM spans ORDER BY upper(operation) DESC NULLS LAST
SELECT service FROM spans LIMIT 10 OFFSET 5
SELECT service FROM spans LIMIT '10'
SELECT service FROM spans LIMIT 'x'
SELECT service FROM spans LIMIT service
SELECT service FROM spans LIMIT true
SELECT service FROM spans LIMIT $1 OFFSET $2
SELECT service FROM spans LIMIT 1 + 1
SELECT service FROM spans LIMIT count(*)
SELECT service FROM spans LIMIT ALL
SELECT service FROM spans FETCH FIRST 5 ROWS ONLY
SELECT service FROM spans OFFSET 'a'
SELECT 1 UNION SELECT 2
SELECT 1 UNION SELECT 2.5
SELECT 1 UNION SELECT 'a'
SELECT 1 UNION SELECT '2'
SELECT 'a' UNION SELECT 'b'
SELECT NULL UNION SELECT 1
SELECT NULL UNION SELECT NULL
SELECT NULL UNION SELECT NULL UNION SELECT 1
SELECT 1 UNION SELECT text 'a'
SELECT 1, 2 UNION SELECT 1
SELECT 1 AS a UNION SELECT 2 AS b ORDER BY a
SELECT 1 AS a UNION SELECT 2 AS b ORDER BY b
SELECT 1 AS a UNION SELECT 2 ORDER BY a + 1
SELECT 1 UNION SELECT 2 ORDER BY 2
SELECT 1 INTERSECT SELECT 2 EXCEPT SELECT 3
SELECT j FROM kinds UNION SELECT j FROM kinds
SELECT j FROM kinds UNION ALL SELECT j FROM kinds
(SELECT 1 LIMIT 1) UNION ALL (SELECT 2 ORDER BY 1)
SELECT d FROM kinds UNION SELECT ts FROM kinds
SELECT v FROM kinds UNION SELECT t FROM kinds
SELECT n FROM kinds UNION SELECT v FROM kinds
VALUES (1, 'a'), (2, 'b')
VALUES (1), (2.5)
VALUES (1), ('a')
VALUES (1, 2), (3)
VALUES (NULL), (1)
VALUES (1) ORDER BY column1 LIMIT 1
SELECT * FROM (VALUES (1, 'a')) AS t(x, y)
SELECT * FROM (VALUES (1, 'a')) AS t(x, y, z)
SELECT column1 FROM (VALUES (1)) v
SELECT * FROM (SELECT service, count(*) AS n FROM spans GROUP BY service) q WHERE n > 5
SELECT q.nothing FROM (SELECT 1 AS a) q
SELECT a FROM (SELECT 1 AS a, 2 AS a) q
SELECT q FROM (SELECT 1 AS a) q
SELECT * FROM spans JOIN logs ON spans.trace_id = logs.trace_id
SELECT * FROM spans JOIN logs USING (trace_id)
SELECT trace_id, spans.trace_id, logs.trace_id FROM spans JOIN logs USING (trace_id)
SELECT trace_id FROM spans LEFT JOIN logs USING (trace_id) FULL JOIN metrics USING (service)
SELECT * FROM spans NATURAL JOIN recent_spans
SELECT * FROM spans JOIN logs USING (nothing)
SELECT * FROM spans JOIN logs USING (operation)
SELECT * FROM spans JOIN logs USING (trace_id, trace_id)
SELECT * FROM (SELECT 1 AS a) x JOIN (SELECT text 'a' AS a) y USING (a)
SELECT * FROM (SELECT 1 AS a) x JOIN (SELECT 2.5 AS a) y USING (a)
SELECT * FROM (SELECT 1 AS a) x FULL JOIN (SELECT 2.5 AS a) y USING (a)
SELECT * FROM spans a JOIN logs b ON a.trace_id = c.trace_id
SELECT * FROM spans a JOIN logs b ON a.trace_id
SELECT * FROM spans a JOIN logs b ON b.trace_id = a.trace_id JOIN metrics m ON m.service = a.service
SELECT * FROM spans a, logs b JOIN metrics m ON m.service = a.service
SELECT j.service FROM (spans JOIN logs USING (service)) AS j
SELECT spans.service FROM (spans JOIN logs USING (service)) AS j
SELECT * FROM spans s, LATERAL (SELECT s.service AS x) q
SELECT * FROM spans s, (SELECT s.service AS x) q
SELECT * FROM spans s, (SELECT service AS x) q
SELECT * FROM spans s CROSS JOIN LATERAL (SELECT count(*) FROM logs l WHERE l.trace_id = s.trace_id) q
SELECT * FROM spans s LEFT JOIN LATERAL (SELECT l.body FROM logs l WHERE l.trace_id = s.trace_id LIMIT 1) q ON true
SELECT * FROM generate_series(1, 10)
SELECT * FROM generate_series(1, 10) AS g
SELECT g FROM generate_series(1, 10) g
SELECT g.g FROM generate_series(1, 10) g
SELECT x FROM generate_series(1, 10) AS g(x)
SELECT * FROM generate_series(1, 10) WITH ORDINALITY
SELECT * FROM generate_series(1, 10) WITH ORDINALITY AS t(a, b)
SELECT * FROM generate_series('2024-01-01'::timestamptz, now(), '1 hour')
SELECT * FROM generate_series(1, 2.5)
SELECT * FROM generate_series(1, 'a')
SELECT * FROM generate_series('a', 'b')
SELECT * FROM unnest(ARRAY[1, 2]) u
SELECT * FROM unnest(ARRAY['a']) WITH ORDINALITY u(x, n)
SELECT * FROM jsonb_each('{}')
SELECT * FROM jsonb_each_text('{}') AS t(a, b)
SELECT * FROM jsonb_array_elements('[]')
SELECT * FROM jsonb_array_elements('[]') AS x
SELECT value FROM jsonb_array_elements('[]') AS x
SELECT x FROM jsonb_array_elements('[]') AS x
SELECT * FROM jsonb_object_keys('{}')
SELECT s.service, e.key, e.value FROM spans s, jsonb_each_text(s.attributes) e
SELECT * FROM current_database()
SELECT * FROM upper('a') u
SELECT * FROM nofunction(1)
SELECT generate_series(1, 3), unnest(ARRAY['a'])
SELECT generate_series(1, 3) + 1
SELECT * FROM spans WHERE generate_series(1, 2) = 1
SELECT count(generate_series(1, 3))
SELECT CASE WHEN true THEN generate_series(1, 3) END
SELECT (jsonb_each('{}')).*
SELECT (jsonb_each('{}')).key
SELECT jsonb_each('{}')
SELECT * FROM anomalies(300, 3600)
SELECT * FROM anomalies(300)
SELECT * FROM anomalies(300, service => 'api')
SELECT * FROM anomalies(current_seconds => 300, at => now())
SELECT * FROM anomalies('x')
SELECT * FROM anomalies()
SELECT * FROM anomalies(300, nothing => 1)
SELECT * FROM anomalies(text 'a')
SELECT * FROM anomalies(300, current_seconds => 5)
SELECT s.service, a.score FROM services s CROSS JOIN LATERAL anomalies(300, service => s.service) a
SELECT row_number() OVER (), rank() OVER (ORDER BY duration_ms), lag(service) OVER w, lead(duration_ms, 1, 0) OVER w, ntile(4) OVER w, first_value(service) OVER w, nth_value(service, 2) OVER w FROM spans WINDOW w AS (PARTITION BY trace_id ORDER BY start_time)
SELECT sum(duration_ms) OVER (PARTITION BY service), count(*) OVER (), avg(duration_ns) OVER (ORDER BY start_time ROWS 5 PRECEDING) FROM spans
SELECT row_number() FROM spans
SELECT rank() OVER w FROM spans
SELECT sum(row_number() OVER ()) OVER () FROM spans
SELECT sum(row_number() OVER ()) FROM spans
SELECT * FROM spans WHERE row_number() OVER () = 1
SELECT service FROM spans GROUP BY row_number() OVER ()
SELECT service, sum(count(*)) OVER () FROM spans GROUP BY service
SELECT service, sum(duration_ms) OVER () FROM spans GROUP BY service
SELECT count(DISTINCT service) OVER () FROM spans
SELECT lag(1, 'a') OVER () FROM spans
SELECT sum(duration_ms) OVER (ORDER BY start_time RANGE BETWEEN interval '1 hour' PRECEDING AND CURRENT ROW) FROM spans
SELECT sum(duration_ms) OVER (ORDER BY start_time RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) FROM spans
SELECT sum(duration_ms) OVER (ORDER BY service ROWS BETWEEN 'a' PRECEDING AND CURRENT ROW) FROM spans
SELECT sum(duration_ms) OVER (RANGE 5 PRECEDING) FROM spans
SELECT sum(duration_ms) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED PRECEDING) FROM spans
SELECT sum(duration_ms) OVER (w PARTITION BY service) FROM spans WINDOW w AS (ORDER BY service)
SELECT rank() OVER (w ORDER BY service) FROM spans WINDOW w AS (ORDER BY service)
WITH x AS (SELECT 1 AS a) SELECT * FROM x
WITH x(b) AS (SELECT 1 AS a) SELECT b FROM x
WITH x(b, c) AS (SELECT 1 AS a) SELECT b FROM x
WITH x AS (SELECT 1), x AS (SELECT 2) SELECT * FROM x
WITH x AS (SELECT * FROM y), y AS (SELECT 1) SELECT * FROM x
WITH x AS (SELECT 1 AS a), y AS (SELECT a + 1 AS b FROM x) SELECT * FROM x, y, x AS z
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1.5 FROM t) SELECT n FROM t
WITH RECURSIVE t AS (SELECT 1 FROM t) SELECT * FROM t
WITH RECURSIVE t AS (SELECT * FROM t UNION SELECT 1) SELECT * FROM t
WITH RECURSIVE t AS (SELECT 1 AS a), u AS (SELECT * FROM t) SELECT * FROM u
SELECT (SELECT 1), (SELECT service FROM spans LIMIT 1), EXISTS (SELECT 1), NOT EXISTS (SELECT 1 FROM logs)
SELECT (SELECT 1, 2)
SELECT (SELECT s.trace_id FROM logs) FROM spans s
SELECT (SELECT x.trace_id FROM logs) FROM spans s
SELECT 1 + (SELECT 'a')
SELECT 1 + (SELECT '1'::text)
SELECT $1
SELECT $1 + 1, $2 || 'a', $3::int
SELECT $1::text, $1
SELECT $1 = $2
SELECT service = $1, duration_ns > $2, start_time > $3, attributes @> $4 FROM spans
SELECT $1::int, $1::text
SELECT * FROM spans WHERE start_time BETWEEN $1 AND $2 AND service = $3 LIMIT $4
SELECT $2::int
SELECT abs($1)
SELECT upper($1), length($2)
SELECT coalesce($1, 5), CASE WHEN $2 THEN $3 ELSE 1 END
SELECT $1 IS NULL
SELECT $1 IN (1, 2), 'a' IN ($2, $3)
SELECT ARRAY[$1, 2], $2 = ANY (ARRAY['a'])
SELECT now() - $1 * interval '1 second', $2 * interval '1 second'
SELECT date_trunc($1, start_time) FROM spans
SELECT * FROM generate_series(1, $1)
SELECT $1 UNION SELECT 1
SELECT percentile_cont($1) WITHIN GROUP (ORDER BY duration_ms) FROM spans
SELECT current_date, current_time, current_timestamp, localtime, localtimestamp, current_user, session_user, user, current_role, current_catalog, current_schema
SELECT current_timestamp(3), localtime(2)
SELECT 'a' COLLATE "C", service COLLATE pg_catalog."default" FROM spans
SELECT 'a' COLLATE "xx_XX"
SELECT 1 COLLATE "C"
SELECT 'a' OPERATOR(pg_catalog.~) 'b', 1 OPERATOR(pg_catalog.+) 2
SELECT 1 OPERATOR(nowhere.+) 2
SELECT 1 @@@ 2
SELECT @ -5, - 5, + 5, ~ 5, !! 5
SELECT - service FROM spans
SELECT 'a'::"char", E'a\nb', U&'\0061', $$x$$, 'a' 'b'
SELECT format('%s-%s', 1, 'a'), concat(1, 'a', NULL), concat_ws(',', 1, 2), concat()
SELECT format()
SELECT round(1.5), round(1.5, 1), round(duration_ms), floor(duration_ms), ceil(1.5), sqrt(2), power(2, 3), random(), mod(5, 3), ln(2), exp(1) FROM spans
SELECT round(duration_ms, 2) FROM spans
SELECT to_char(start_time, 'YYYY'), to_timestamp(0), to_timestamp('a', 'b'), make_interval(secs => 5), make_date(2024, 1, 1), age(start_time), age(start_time, end_time) FROM spans
SELECT make_interval(nothing => 5)
SELECT split_part('a,b', ',', 1), string_to_array('a,b', ','), array_to_string(ARRAY[1], ','), regexp_replace('a', 'b', 'c'), regexp_match('a', 'b'), left('a', 1), right('a', 1), lpad('a', 2), repeat('a', 2), reverse('a'), md5('a'), strpos('a', 'b'), replace('a', 'b', 'c'), initcap('a'), chr(65), ascii('a')
SELECT array_length(ia, 1), array_append(ia, 1), array_position(ta, 'x'), array_cat(ia, ia), cardinality(ia), array_remove(ia, 3), array_upper(ia, 1), unnest(ia) FROM kinds
SELECT array_append(ia, 'x') FROM kinds
SELECT array_append(ia, text 'x') FROM kinds
SELECT array_position(ia, 'x') FROM kinds
SELECT jsonb_build_object('a', 1), to_jsonb(service), jsonb_array_length('[]'), row_to_json(s), to_json(1), jsonb_typeof(attributes), jsonb_path_query(attributes, '$.a') FROM spans s
SELECT count(s), count(s.*) FROM spans s
SELECT small + big, small + num, f4 + f8, id + f4, num + f8, id * num, big / id, small + 1, f4 * 2, num * 1.5 FROM kinds
SELECT id = big, id = num, id = f8, t = v, t = n, v = c, n = 'a', d = ts, ts = tz, o = 5, rc = 'spans', rc = o FROM kinds
SELECT t = id FROM kinds
SELECT d = t FROM kinds
SELECT u = 'x' FROM kinds
SELECT u = t FROM kinds
SELECT by = 'a', by || '\x00', b = 't', b > false, tm > '10:00', iv > '1 day' FROM kinds
SELECT ia = '{1}', ia = ARRAY[1], ia = ARRAY[1.5], ia @> ARRAY[1], ia && '{2}' FROM kinds
SELECT ia = ta FROM kinds
SELECT 'spans'::regclass, 'int4'::regtype, 'now'::regproc, 5::regclass, rc::text, rc::oid FROM kinds
SELECT 1 AS "select", 2 AS "A b"
SELECT *, 1 AS x FROM kinds
SELECT * WHERE true
SELECT
SELECT FROM spans
SELECT nothing.* FROM spans
SELECT count(*).x FROM spans
SELECT recent_spans.ms FROM recent_spans WHERE ms > 5
SELECT * FROM services WHERE span_count > 5
SELECT * FROM services s WHERE s.service = 5
SELECT t1.service FROM spans t1 WHERE t1.duration_ms > (SELECT avg(t2.duration_ms) FROM spans t2 WHERE t2.service = t1.service)
SELECT t1.service FROM spans t1 WHERE t1.duration_ms > (SELECT t2.service FROM spans t2)
SELECT service, count(*) FILTER (WHERE status = 'error')::float8 / count(*) AS rate FROM spans GROUP BY service ORDER BY rate DESC NULLS LAST
SELECT date_bin('1 minute', start_time, 'epoch') AS t, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) FROM spans GROUP BY 1 ORDER BY 1
SELECT date_trunc('minute', start_time) AS m, service, count(*) FROM spans GROUP BY m, service ORDER BY m, count(*) DESC
SELECT floor(extract(epoch from start_time)/300)*300 AS "time", avg(duration_ms) FROM spans GROUP BY 1
SELECT start_time BETWEEN '2024-01-01T00:00:00Z' AND '2024-01-02T00:00:00Z' FROM spans
SELECT 5 AS service FROM spans GROUP BY service
SELECT max(service) AS service FROM spans GROUP BY service
SELECT service AS x FROM spans WHERE x = 'a'
SELECT service AS x FROM spans GROUP BY x HAVING x = 'a'
SELECT ((a.service)) FROM spans AS a(x1)
SELECT x1 FROM spans AS a(x1)
SELECT a.b.c.d.e FROM spans
SELECT nodb.public.spans.service FROM spans
SELECT '2024-01-01' < start_time, now() > '2024-01-01', 'a' < 'b', 1 < '2' FROM spans
SELECT 1 < 'a'
SELECT 'a' + 'b'
SELECT 'a' + 1
SELECT NULL + 1, NULL || 'a', NULL = NULL, - NULL
SELECT true + 1
SELECT true = 1
SELECT true > 'f', is_root = 'yes', is_root = 1 FROM spans
SELECT now() + 5
SELECT now() - now(), now() + '5', now()::date - 1
SELECT exists(SELECT 1) AND 1 = 1
SELECT ascii(1), lower(NULL), substr('a', 1, 2), substr(service, '1') FROM spans
SELECT width_bucket(5, 0, 10, 5), trunc(1.5), sign(-1), gcd(4, 6)
