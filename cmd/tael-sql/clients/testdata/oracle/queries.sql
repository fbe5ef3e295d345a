-- Joins.
SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (NULL, 'n')) l(k, x) JOIN (VALUES (1, 'p'), (1, 'q'), (3, 'r'), (NULL, 's')) r(k, y) ON l.k = r.k
SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (NULL, 'n')) l(k, x) LEFT JOIN (VALUES (1, 'p'), (1, 'q'), (3, 'r')) r(k, y) USING (k)
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) l(k, x) FULL JOIN (VALUES (1, 'p'), (3, 'r')) r(k, y) USING (k)
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) l(k, x) RIGHT JOIN (VALUES (1, 'p'), (3, 'r')) r(k, y) ON l.k = r.k AND x <> 'a'
SELECT * FROM (VALUES (1, 'a')) l(k, x) NATURAL JOIN (VALUES (1, 'p')) r(k, y)
SELECT * FROM (VALUES (1), (2)) a(x) CROSS JOIN (VALUES ('p'), ('q')) b(y)
SELECT * FROM (VALUES (1), (2)) a(x), LATERAL (SELECT g FROM generate_series(1, a.x) g) s
SELECT * FROM (VALUES (1), (2)) a(x) LEFT JOIN LATERAL (SELECT g FROM generate_series(2, a.x) g) s ON true
SELECT a.x, b.x FROM (VALUES (1), (2)) a(x) JOIN (VALUES (1), (2), (3)) b(x) ON a.x < b.x
SELECT x FROM (VALUES (1)) a(x), (VALUES (2)) b(x)
SELECT a.nosuch FROM (VALUES (1)) a(x)
SELECT b.x FROM (VALUES (1)) a(x)
SELECT * FROM (VALUES (1)) a(x), (VALUES (1)) a(y)
SELECT * FROM nosuch
SELECT * FROM nosuch.spans
-- Sub-queries.
SELECT (SELECT max(g) FROM generate_series(1, 3) g), EXISTS (SELECT 1 WHERE false), 2 IN (SELECT g FROM generate_series(1, 3) g), 5 > ALL (SELECT g FROM generate_series(1, 3) g), 9 = ANY (SELECT 1)
SELECT (SELECT g FROM generate_series(1, 2) g)
SELECT (SELECT 1, 2)
SELECT 1 NOT IN (SELECT NULL::int), 1 NOT IN (SELECT 2), NULL IN (SELECT 1 WHERE false)
SELECT x, (SELECT count(*) FROM generate_series(1, x) g) AS n FROM (VALUES (1), (3)) v(x)
SELECT x FROM (VALUES (1), (2), (3)) v(x) WHERE EXISTS (SELECT 1 FROM (VALUES (2), (3)) w(y) WHERE y = x)
SELECT x FROM (VALUES (1), (2), (3)) v(x) WHERE x NOT IN (SELECT y FROM (VALUES (2)) w(y))
SELECT x FROM (VALUES (1), (2), (3)) v(x) WHERE (x, x) IN (SELECT y, y FROM (VALUES (2)) w(y))
SELECT x FROM (VALUES (1), (2), (3)) v(x) WHERE x > (SELECT avg(y) FROM (VALUES (1), (3)) w(y))
-- WITH.
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, sum(n) OVER () FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t
WITH RECURSIVE t(n) AS (VALUES (1) UNION SELECT (n + 1) % 3 FROM t) SELECT n FROM t
WITH a(x) AS MATERIALIZED (SELECT generate_series(1, 3)) SELECT count(*), sum(x) FROM a
WITH a AS (SELECT 1) SELECT * FROM b
-- Sets.
SELECT 1 UNION SELECT 1 UNION ALL SELECT 2
SELECT 1 AS a UNION SELECT 2.5 ORDER BY a DESC
SELECT * FROM generate_series(1, 5) INTERSECT SELECT * FROM generate_series(3, 8)
SELECT * FROM generate_series(1, 5) EXCEPT SELECT * FROM generate_series(3, 8)
(SELECT x FROM (VALUES (1), (1), (1), (2)) v(x)) EXCEPT ALL SELECT 1
SELECT x FROM (VALUES (1), (1), (2)) v(x) INTERSECT ALL SELECT y FROM (VALUES (1), (1), (1)) w(y)
SELECT 1 UNION SELECT 1, 2
SELECT 1 UNION SELECT 'x'
SELECT NULL UNION SELECT 'x'
(SELECT 1 LIMIT 1) UNION ALL (SELECT 2 LIMIT 1) ORDER BY 1 LIMIT 1 OFFSET 1
-- Groups.
SELECT count(*), count(x), sum(x), avg(x), min(x), max(x) FROM (VALUES (1), (2), (NULL)) v(x)
SELECT count(*), count(x), sum(x), avg(x), min(x), max(x), array_agg(x), string_agg(x::text, ',') FROM (VALUES (1)) v(x) WHERE false
SELECT sum(x::int2), sum(x::int8), sum(x::float4), sum(x::float8), sum(x::numeric), avg(x::int8), avg(x::float8), avg(x::numeric) FROM (VALUES (1), (2)) v(x)
SELECT sum(i), avg(i), min(i), max(i) FROM (VALUES (interval '1 day'), (interval '2 hours')) v(i)
SELECT stddev(x), variance(x), stddev_pop(x), var_pop(x) FROM (VALUES (1.0::float8, 2.0::float8), (2, 5), (4, 7)) v(x, y)
SELECT bool_and(b), bool_or(b), every(b) FROM (VALUES (true, 3), (false, 5), (NULL, NULL)) v(b, n)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x), percentile_cont(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY x) FROM (VALUES (1), (2), (2), (10)) v(x)
SELECT percentile_cont(1.5) WITHIN GROUP (ORDER BY x) FROM (VALUES (1)) v(x)
SELECT count(DISTINCT x), sum(DISTINCT x), array_agg(DISTINCT x ORDER BY x DESC), string_agg(DISTINCT x::text, '') FROM (VALUES (1), (1), (2), (NULL)) v(x)
SELECT x, count(*) FILTER (WHERE y > 1), sum(y) FROM (VALUES ('a', 1), ('a', 2), ('b', 3)) v(x, y) GROUP BY x HAVING sum(y) > 1 ORDER BY x
SELECT x % 2 AS odd, count(*) FROM generate_series(1, 5) x GROUP BY odd ORDER BY odd
SELECT x % 2, count(*) FROM generate_series(1, 5) x GROUP BY 1 HAVING count(*) > 2
SELECT x, y, count(*), grouping(x, y) FROM (VALUES ('a', 1), ('a', 2), ('b', 1)) v(x, y) GROUP BY ROLLUP (x, y) ORDER BY x, y
SELECT x, y, count(*) FROM (VALUES ('a', 1), ('a', 2), ('b', 1)) v(x, y) GROUP BY CUBE (x, y) ORDER BY x, y
SELECT x, y, sum(1) FROM (VALUES ('a', 1), ('b', 1)) v(x, y) GROUP BY GROUPING SETS ((x), (y), ()) ORDER BY x, y
SELECT x FROM (VALUES (1)) v(x) GROUP BY x + 1
SELECT x, count(*) FROM (VALUES (1)) v(x)
SELECT count(count(*)) FROM (VALUES (1)) v(x)
SELECT x FROM (VALUES (1)) v(x) WHERE count(*) > 1
SELECT sum('a')
SELECT max(ARRAY[x]), min(x::text), max(x::numeric) FROM generate_series(1, 3) x
-- Windows.
SELECT x, row_number() OVER (ORDER BY x), rank() OVER (ORDER BY x / 2), dense_rank() OVER (ORDER BY x / 2), lag(x) OVER (ORDER BY x), lead(x, 2, 0) OVER (ORDER BY x) FROM generate_series(1, 4) x ORDER BY x
SELECT x, sum(x) OVER (ORDER BY x), avg(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), first_value(x) OVER w, last_value(x) OVER w FROM generate_series(1, 4) x WINDOW w AS (ORDER BY x) ORDER BY x
-- More of what dashboards and tools write.
SELECT x, sum(x) OVER (PARTITION BY x % 2 ORDER BY x), ntile(2) OVER (ORDER BY x), count(*) OVER () FROM generate_series(1, 5) x ORDER BY x
SELECT x, lag(x, 1, -1) OVER (PARTITION BY x % 2 ORDER BY x DESC), percent_rank() OVER (ORDER BY x), cume_dist() OVER (ORDER BY x) FROM generate_series(1, 4) x ORDER BY x
SELECT x FROM (SELECT x, row_number() OVER (ORDER BY x DESC) AS r FROM generate_series(1, 9) x) s WHERE r <= 2 ORDER BY x
SELECT sum(sum(x)) OVER (ORDER BY x % 3), x % 3 FROM generate_series(1, 7) x GROUP BY x % 3 ORDER BY 2
SELECT row_number() OVER () FROM nosuch
SELECT sum(x) OVER w FROM generate_series(1, 2) x
SELECT x FROM generate_series(1, 2) x WHERE row_number() OVER () = 1
SELECT CASE WHEN x > 2 THEN 'big' ELSE 'small' END AS size, count(*) FROM generate_series(1, 4) x GROUP BY size ORDER BY size
SELECT CASE WHEN x > 2 THEN 'big' ELSE 'small' END, count(*) FROM generate_series(1, 4) x GROUP BY 1 ORDER BY count(*) DESC, 1
SELECT count(*) FROM generate_series(1, 3) HAVING count(*) > 5
SELECT max(x) - min(x) AS spread, max(x)::text || 's' FROM generate_series(1, 3) x
SELECT x FROM generate_series(1, 3) x GROUP BY x HAVING bool_or(x > 1) ORDER BY sum(x) DESC
SELECT (SELECT max(y) FROM generate_series(1, x) y) AS m, count(*) FROM generate_series(1, 3) x GROUP BY x ORDER BY 1
SELECT a.x, b.x FROM generate_series(1, 3) a(x) LEFT JOIN generate_series(2, 4) b(x) ON a.x = b.x WHERE b.x IS NULL
SELECT a.x, b.y, c.z FROM generate_series(1, 2) a(x) JOIN (VALUES (1, 'p'), (2, 'q')) b(x, y) USING (x) LEFT JOIN (VALUES ('q', true)) c(y, z) USING (y)
SELECT x FROM generate_series(1, 5) x WHERE x = ANY (ARRAY(SELECT y FROM generate_series(2, 3) y))
SELECT x FROM generate_series(1, 5) x WHERE x IN (SELECT y FROM generate_series(2, 3) y UNION SELECT 5)
SELECT x, y FROM generate_series(1, 2) x CROSS JOIN LATERAL (SELECT array_agg(z) FROM generate_series(1, x) z) l(y)
SELECT * FROM (SELECT 1 AS a) t NATURAL LEFT JOIN (SELECT 2 AS b) u
SELECT t.*, 5 AS five FROM (VALUES (1, 2)) t(a, b)
SELECT t FROM (VALUES (1, 'a b')) t(a, b)
SELECT (t).a FROM (VALUES (1, 2)) t(a, b)
SELECT (t).* FROM (VALUES (1, 2)) t(a, b)
SELECT a FROM (VALUES (1, 2)) t(a, b) ORDER BY b, a + 1
SELECT a AS b FROM (VALUES (1, 2), (2, 1)) t(a, b) ORDER BY b
SELECT 1 AS a, 2 AS a
SELECT a FROM (SELECT 1 AS a, 2 AS a) t
SELECT sum(a) FROM (VALUES (1), (2)) t(a) ORDER BY 1
SELECT a FROM (VALUES (1)) t(a) LIMIT 1 + 1
SELECT a FROM (VALUES (1)) t(a) LIMIT (SELECT 1) OFFSET NULL
SELECT a FROM (VALUES (1)) t(a) LIMIT a
SELECT a FROM (VALUES (1)) t(a) LIMIT 'x'
WITH a AS (SELECT 1 AS x UNION ALL SELECT 2), b AS (SELECT x * 10 AS y FROM a) SELECT a.x, b.y FROM a JOIN b ON b.y = a.x * 10 ORDER BY 1
WITH RECURSIVE t(a, path) AS (SELECT 1, ARRAY[1] UNION ALL SELECT a + 1, path || (a + 1) FROM t WHERE a < 3) SELECT * FROM t ORDER BY a
WITH RECURSIVE t(n) AS (SELECT n + 1 FROM t) SELECT * FROM t
WITH a(x, y) AS (SELECT 1) SELECT * FROM a
WITH a AS (INSERT INTO comments (id, trace_id, span_id, author, body, created_at) VALUES ('w1', 't', 's', 'me', 'b', '2024-01-01') RETURNING id) SELECT * FROM a
WITH d AS (DELETE FROM comments WHERE id = 'w1' RETURNING id, body) SELECT count(*), max(body) FROM d
SELECT count(*) FROM comments WHERE id = 'w1'
SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS t(v, n)
SELECT * FROM generate_series(1, 2) a, generate_series(a, 2) b
SELECT generate_series(1, 3) AS g ORDER BY g DESC LIMIT 2
SELECT count(*), generate_series(1, 2) FROM (VALUES (1)) v
SELECT DISTINCT count(*) OVER () FROM generate_series(1, 3)
SELECT EXISTS (SELECT FROM generate_series(1, 0)), NOT EXISTS (SELECT 1)
SELECT x IS NULL, x IS NOT NULL, x IS TRUE, x IS NOT FALSE FROM (VALUES (true), (false), (NULL)) v(x) ORDER BY x
SELECT nullif(x, 0), 10 / nullif(x, 0) FROM (VALUES (0), (2)) v(x) ORDER BY x
SELECT x FROM (VALUES ('10'), ('9'), ('1')) v(x) ORDER BY x::int
SELECT string_agg(x, ', ' ORDER BY length(x), x) FROM (VALUES ('bb'), ('a'), ('cc')) v(x)
SELECT jsonb_agg(t) FROM (SELECT 1 AS a) t
SELECT jsonb_object_agg(k, v) FROM (VALUES ('a', 1), ('b', NULL)) t(k, v)
SELECT avg(x), stddev(x), variance(x), sum(x) / count(*) FROM generate_series(1, 4) x
SELECT min(x), max(x), count(DISTINCT x % 2), sum(DISTINCT x % 2) FROM generate_series(1, 5) x
SELECT grouping(a), a, count(*) FROM (VALUES (1), (NULL), (1)) t(a) GROUP BY GROUPING SETS ((a), ()) ORDER BY 1, 2
SELECT x, count(*) FROM (VALUES ('a', 1), ('b', 2)) v(x, y) GROUP BY x, y ORDER BY y DESC
SELECT v.x FROM (VALUES (1)) v(x) GROUP BY v.x ORDER BY v.y
SELECT x FROM (VALUES (1)) v(x) GROUP BY y
SELECT nosuch.x FROM (VALUES (1)) v(x)
SELECT count(DISTINCT *) FROM (VALUES (1)) v
SELECT count() FROM (VALUES (1)) v
SELECT sum(1, 2)
SELECT lower(1)
SELECT 'a' = 1
SELECT 1 = true
SELECT '2024-01-01'::date > 5
SELECT interval '1 day' > 1
SELECT ARRAY[1] = 1
SELECT now() + 1
SELECT '{}'::jsonb + 1
SELECT -'a'::text
SELECT NOT 1
SELECT 1 AND true
SELECT coalesce(1, 'x')
SELECT CASE WHEN true THEN 1 ELSE 'x' END
SELECT CASE WHEN 1 THEN 2 END
SELECT greatest(1, 'x')
SELECT 1::nosuch
SELECT 'a'::regclass
SELECT * FROM pg_catalog.nosuch
SELECT 1 FROM generate_series(1, 2) x JOIN generate_series(1, 2) y
SELECT 1 FROM generate_series(1, 2) x JOIN generate_series(1, 2) y ON x = 'a'
SELECT 1 FROM generate_series('a', 'b') x
SELECT x FROM generate_series(1, 2) x UNION SELECT y FROM generate_series(1, 2) y ORDER BY z
SELECT 1 UNION SELECT 2 ORDER BY 1 + 1
DELETE FROM spans WHERE span_id = 'nosuch'
INSERT INTO comments (id) VALUES ('x', 'y')
INSERT INTO comments (id, id) VALUES ('x', 'y')
INSERT INTO comments VALUES (1)
INSERT INTO comments (id, trace_id, body) VALUES ('z', 't', 'b') ON CONFLICT (body) DO NOTHING
UPDATE comments SET id = 1
UPDATE comments SET body = nosuch
UPDATE nosuch SET a = 1
DELETE FROM comments WHERE nosuch = 1
PREPARE p1 (int) AS SELECT $1 + 1
EXECUTE p1(41)
EXECUTE p1('x')
EXECUTE p1(1, 2)
EXECUTE nosuch
DEALLOCATE p1
FETCH 1 FROM nosuch
SET nosuch = 1
SET statement_timeout = 'x'
SET datestyle = 'nosuch'
SET TIME ZONE 'nosuch'
SHOW statement_timeout
SHOW datestyle
SHOW transaction_isolation
SAVEPOINT a
RELEASE a
COMMIT
BEGIN READ ONLY
INSERT INTO comments (id, trace_id, body) VALUES ('z', 't', 'b')
ROLLBACK
BEGIN ISOLATION LEVEL SERIALIZABLE
SHOW transaction_isolation
COMMIT
ABORT
