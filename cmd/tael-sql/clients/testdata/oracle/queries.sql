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
