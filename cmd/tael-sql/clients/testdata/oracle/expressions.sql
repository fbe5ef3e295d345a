-- Literals, names and types.
SELECT 1, 1.0, 1e3, 'a', NULL, true, 2147483648, 9223372036854775808, -9223372036854775808
SELECT 1 AS "Mixed Case", 2 AS "select", 3 "no as", 4
SELECT E'a\tb\'c', U&'d\0061t\+000061', $$dollar $ quoted$$, $q$a$$b$q$, 'a''b', 'con' 'cat'
SELECT 'con'
SELECT 1::int2 + 1::int2, 1::int2 + 1, 1 + 1::int8, 1 + 1.0, 1 + 1::float4, 1::float4 + 1::float8, 1::numeric + 1::float8
SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7.0 / 2, 7 / 2.0::float8, 2 ^ 10, |/ 16, @ -5
SELECT 1 / 0
SELECT 1.0 / 0
SELECT 1::float8 / 0
SELECT 2147483647 + 1
SELECT 9223372036854775807 + 1
SELECT 32767::int2 + 1::int2
SELECT (-32768)::int2 / (-1)::int2
SELECT '1e400'::float8
SELECT 'NaN'::float8 = 'NaN'::float8, 'Infinity'::float8 > 1, '-0'::float8
SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 2
SELECT 1 = 1.0, 1 <> 2, 1 != 2, 'a' < 'b', 'a' < 'B', NULL = NULL, NULL IS NULL, 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL
SELECT true AND NULL, false AND NULL, true OR NULL, NOT NULL::bool, true IS TRUE, NULL IS UNKNOWN
SELECT 1 BETWEEN 0 AND 2, 1 NOT BETWEEN SYMMETRIC 2 AND 0, 3 IN (1, 2, NULL), 1 IN (1, NULL), 3 NOT IN (1, 2)
SELECT CASE WHEN 1 = 2 THEN 'a' WHEN NULL THEN 'b' ELSE 'c' END, CASE 3 WHEN 1 THEN 1 WHEN 3 THEN 2.5 END, CASE WHEN false THEN 1 END
SELECT coalesce(NULL, 1, 2), coalesce(NULL, 'x'), nullif(1, 1), nullif(1, 2), greatest(1, NULL, 3), least(2.5, 1), greatest('a', 'b')
SELECT CAST('12' AS int), '12'::int8, 12::text, '1.50'::numeric(4,1), 1.005::numeric(10,2), 'abc'::varchar(2), 'abc'::char(5), 'abc'::char(2)
SELECT 'x'::int
SELECT '12345678901'::int
SELECT 123456.789::numeric(5,2)
SELECT 1.5::int, 2.5::int, -1.5::int, 2.5::float8::int, 1e10::int8, 0.1::float4::float8, 1::bool, true::int
SELECT 'yes'::bool, 'off'::bool, 't'::bool, '0'::bool
SELECT 'maybe'::bool
SELECT 1.10::float4, 0.1::float8 + 0.2::float8, 1e15::float8, 1e16::float8, 1e-5::float8, 123456789.123::float4
SELECT 1.50::numeric, 1e3::numeric, 0.000001::numeric, 'NaN'::numeric, 1::numeric / 3, 10::numeric / 4, 2::numeric ^ 0.5, 1.1 * 1.10
SELECT round(2.5), round(-2.5), round(2.5::float8), round(3.5::float8), round(1.2345, 2), trunc(1.99), trunc(-1.234, 1), ceil(1.1), floor(-1.1)
SELECT abs(-1), sign(-2.5), mod(7, 3), div(7, 2), power(2, 3), sqrt(2), exp(1), ln(10), log(100), log(2, 8), pi()
SELECT sin(1), cos(1), atan2(1, 2), degrees(pi()), radians(180)
SELECT gcd(12, 18), lcm(4, 6), factorial(10), width_bucket(5, 0, 10, 5), scale(1.230), trim_scale(1.230), min_scale(1.230)
SELECT sqrt(-1)
SELECT ln(0)
SELECT mod(1, 0)
SELECT 1 + 'a'
SELECT 'a' + 'b'
SELECT 1 || 2
SELECT 'a' || 1, 1 || 'a', 'a' || NULL, 'a' || true
SELECT nosuch(1)
SELECT upper(1)
SELECT 1 = 'x'
SELECT true = 1
SELECT 1 WHERE 1
SELECT (1, 'a') = (1, 'a'), (1, 2) < (1, 3), ROW(1, NULL) IS NULL, ROW(NULL, NULL) IS NULL
SELECT ROW(1, 'a', NULL, 'b c')
SELECT 10::oid, 'pg_class'::regclass, 'int4'::regtype, 'public'::regnamespace, 'x'::"char", 'name'::name
SELECT 'nosuch'::regclass
SELECT current_database(), current_schema(), current_user, session_user, user, current_catalog, current_schemas(true)
SELECT pg_typeof(1), pg_typeof('a'::text), pg_typeof(1.5), pg_typeof(now()), pg_typeof(ARRAY[1]), pg_typeof('{}'::jsonb)
SELECT current_setting('server_version_num')::int / 10000, current_setting('nosuch.x', true), set_config('application_name', 'a', false)
SELECT current_setting('nosuch')
SHOW nosuch
SELECT 1 LIMIT 0
SELECT 1 OFFSET 1
SELECT 1 LIMIT -1
SELECT
SELECT FROM spans LIMIT 1
SELECT * 
SELECT 1 +
SELECT FROM WHERE
SELEKT 1
SELECT 'unterminated
SELECT "x
SELECT $1
SELECT 1; SELECT 2
VALUES (1, 'a'), (2, NULL)
VALUES (1, 2), (3)
VALUES (1), ('x')
VALUES (1), (2.5), (NULL)
TABLE comments
SELECT DISTINCT x FROM (VALUES (1), (1), (NULL), (NULL)) v(x)
SELECT * FROM (VALUES (3, 'c'), (1, 'a'), (2, NULL)) v(n, t) ORDER BY t NULLS FIRST, n DESC
SELECT * FROM (VALUES (3, 'c'), (1, 'a'), (2, NULL)) v(n, t) ORDER BY t DESC
SELECT * FROM (VALUES ('b'), ('A'), ('a'), ('B'), ('_'), ('ä')) v(t) ORDER BY t
SELECT n AS t, t AS n FROM (VALUES (2, 'b'), (1, 'c')) v(n, t) ORDER BY n
SELECT n FROM (VALUES (1), (2), (3)) v(n) ORDER BY -n LIMIT 2 OFFSET 1
SELECT n FROM (VALUES (1), (2), (3)) v(n) ORDER BY 2
SELECT DISTINCT ON (a) a, b FROM (VALUES (1, 2), (1, 1), (2, 3)) v(a, b) ORDER BY a, b
SELECT DISTINCT a FROM (VALUES (1, 2)) v(a, b) ORDER BY b
