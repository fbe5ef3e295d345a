-- Arrays.
SELECT ARRAY[1, 2, NULL], ARRAY['a', 'b'], ARRAY[[1, 2], [3, 4]], '{1,2}'::int[], '{"a b",c,NULL,"NULL"}'::text[], ARRAY[]::int[], ARRAY[1, 2.5], '[2:3]={1,2}'::int[]
SELECT ARRAY[]
SELECT ARRAY[1, 'x']
SELECT '{1,2'::int[]
SELECT (ARRAY[1, 2, 3])[2], (ARRAY[1, 2, 3])[9], (ARRAY[1, 2, 3])[2:3], (ARRAY[[1, 2], [3, 4]])[2][1], (ARRAY[1, 2, 3])[:2]
SELECT array_length(ARRAY[1, 2], 1), array_length('{}'::int[], 1), array_upper(ARRAY[1, 2], 1), array_lower(ARRAY[1], 1), cardinality(ARRAY[[1, 2], [3, 4]]), array_ndims(ARRAY[[1]])
SELECT array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2]), ARRAY[1] || 2, 0 || ARRAY[1], ARRAY[1] || ARRAY[2, 3], array_remove(ARRAY[1, 2, 1], 1)
SELECT array_position(ARRAY['a', 'b'], 'b'), ARRAY[1, 2] @> ARRAY[1], ARRAY[1] <@ ARRAY[1, 2], ARRAY[1, 2] && ARRAY[2, 3], ARRAY[1, 2] = ARRAY[1, 2], ARRAY[1, 2] < ARRAY[1, 3]
SELECT 2 = ANY (ARRAY[1, 2]), 2 > ALL (ARRAY[1, 0]), 2 = ANY ('{1,NULL}'), 'a' LIKE ANY (ARRAY['b%', 'a%'])
SELECT unnest(ARRAY[1, 2, NULL]), unnest(ARRAY['a'])
SELECT u, o FROM unnest(ARRAY['x', 'y']) WITH ORDINALITY AS t(u, o)
SELECT array_agg(g ORDER BY g DESC), array_agg(g) FILTER (WHERE g > 5) FROM generate_series(1, 3) g
SELECT ARRAY(SELECT g * 2 FROM generate_series(1, 3) g), ARRAY(SELECT 1 WHERE false)
SELECT generate_subscripts(ARRAY['a', 'b'], 1)
SELECT ARRAY[1, 2]::text[], ARRAY['1', '2']::int[], ARRAY[1, 2]::text
SELECT array_agg(a) FROM (VALUES (ARRAY[1, 2]), (ARRAY[3, 4])) v(a)
-- JSON.
SELECT '{"b": 1, "a": [1, 2.50, null, true, "x"], "b": 2}'::jsonb, '{"b": 1, "b": 2}'::json, '"x"'::jsonb, 'null'::jsonb, '1.10'::jsonb, '"\u00e4\n"'::jsonb
SELECT '{a}'::jsonb
SELECT '{"a": 1}'::jsonb -> 'a', '{"a": "x"}'::jsonb ->> 'a', '[1, 2]'::jsonb -> 1, '[1, 2]'::jsonb -> -1, '{"a": {"b": [1]}}'::jsonb #> '{a,b,0}', '{"a": {"b": "c"}}'::jsonb #>> '{a,b}', '{"a": null}'::jsonb -> 'a', '{"a": null}'::jsonb ->> 'a', '{}'::jsonb -> 'x'
SELECT '{"a": 1, "b": 2}'::jsonb @> '{"a": 1}', '{"a": 1}'::jsonb <@ '{"a": 1, "b": 2}', '{"a": 1}'::jsonb ? 'a', '{"a": 1}'::jsonb ?| ARRAY['x', 'a'], '{"a": 1}'::jsonb ?& ARRAY['x', 'a'], '["a"]'::jsonb ? 'a', '[1, [2]]'::jsonb @> '[[2]]'
SELECT '{"a": 1}'::jsonb || '{"b": 2}', '[1]'::jsonb || '2', '{"a": 1, "b": 2}'::jsonb - 'a', '[1, 2]'::jsonb - 0, '{"a": 1, "b": 2}'::jsonb - ARRAY['a', 'b']
SELECT jsonb_typeof('[]'), jsonb_array_length('[1, 2]'), jsonb_build_object('a', 1, 'b', ARRAY[1], 'c', NULL), jsonb_build_array(1, 'a', NULL), to_jsonb('x'::text), to_jsonb(ARRAY[1, 2]), to_jsonb(timestamptz '2024-01-01 00:00+00'), jsonb_strip_nulls('{"a": null, "b": 1}')
SELECT jsonb_extract_path('{"a": {"b": 1}}', 'a', 'b'), jsonb_extract_path_text('{"a": "x"}', 'a')
SELECT * FROM jsonb_each('{"a": 1, "b": "x"}')
SELECT * FROM jsonb_each_text('{"a": 1, "b": null}')
SELECT * FROM jsonb_array_elements('[1, "a", null]') WITH ORDINALITY
SELECT * FROM jsonb_array_elements_text('[1, "a", null]')
SELECT jsonb_object_keys('{"b": 1, "a": 2}')
SELECT jsonb_array_elements('{"a": 1}')
SELECT jsonb_agg(g), jsonb_object_agg('k' || g, g), json_agg(g) FROM generate_series(1, 3) g
SELECT ('{"a": 5}'::jsonb -> 'a')::int + 1, ('{"a": "5"}'::jsonb ->> 'a')::int, '5'::jsonb::numeric, 'true'::jsonb::bool
SELECT '"x"'::jsonb::int
SELECT '{"a": 1}'::jsonb = '{"a": 1.0}'::jsonb, '[1]'::jsonb < '{"a": 1}'::jsonb, '1'::jsonb > '"a"'::jsonb
SELECT to_jsonb(v) FROM (VALUES (1, 'a')) v(n, t)
SELECT '{"a":  1}'::json ->> 'a', json_typeof('1'), json_array_length('[1,2]'), '[1,{"a":2}]'::json #> '{1,a}'
-- Other types.
SELECT '11111111-2222-3333-4444-555555555555'::uuid, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, '\x00ff'::bytea, 'abc'::bytea, E'\\000'::bytea, gen_random_uuid() IS NOT NULL
SELECT 'x'::uuid
SELECT '\xzz'::bytea
SELECT '10.0.0.1/8'::inet
SELECT '[1,5)'::int4range
