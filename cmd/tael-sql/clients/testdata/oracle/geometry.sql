-- The geometric types are carried: text in, text out.
SELECT '(1, 2.50)'::point, '1,2'::point, '((1,2),(3,4))'::lseg, '[(1,2),(3,4)]'::lseg, '(1,4),(3,2)'::box, '{1,2,3}'::line, '<(1,2),3>'::circle, '((1,2),(3,4))'::path, '[(1,2),(3,4)]'::path, '((1,2),(3,4))'::polygon, '(1e300,-0.5)'::point
SELECT 'x'::point
SELECT '(1)'::point
SELECT '(1,2,3)'::box
SELECT '{1,2}'::line
SELECT '()'::polygon
-- So are ranges.
SELECT '[1,5)'::int4range, '[1,4]'::int4range, '(0,4]'::int8range, 'empty'::int4range, '[3,3)'::int4range, '(,5]'::int4range, '[1,)'::int8range, '[1.5,2.5]'::numrange, '[2026-01-01,2026-01-03]'::daterange
SELECT '[5,1)'::int4range
SELECT 'x'::int4range
SELECT '[x,1)'::int4range
