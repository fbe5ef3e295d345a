-- The geometric types are carried: text in, text out.
SELECT '(1, 2.50)'::point, '1,2'::point, '((1,2),(3,4))'::lseg, '[(1,2),(3,4)]'::lseg, '(1,4),(3,2)'::box, '{1,2,3}'::line, '<(1,2),3>'::circle, '((1,2),(3,4))'::path, '[(1,2),(3,4)]'::path, '((1,2),(3,4))'::polygon, '(1e300,-0.5)'::point
SELECT 'x'::point
SELECT '(1)'::point
SELECT '(1,2,3)'::box
SELECT '{1,2}'::line
SELECT '()'::polygon
