SELECT length('äb'), char_length('äb'), octet_length('äb'), bit_length('a'), length(''), upper('straße'), lower('ÄB'), initcap('hello wORLD-x')
SELECT substring('hello' from 2 for 3), substring('hello' from 0), substring('hello', -1, 3), substr('hello', 2), left('hello', -2), right('hello', 2), right('hello', -2)
SELECT substring('hello' from 2 for -1)
SELECT substring('foobar' from 'o(.)b'), substring('foobar' from 'x'), substring('foobar' similar 'f#"_*#"bar' escape '#')
SELECT position('l' in 'hello'), strpos('hello', 'z'), overlay('hello' placing 'XX' from 2 for 3), replace('aXbX', 'X', '--'), translate('12345', '143', 'ax')
SELECT trim('  a '), trim(both 'x' from 'xxaxx'), ltrim('  a'), rtrim('a  '), btrim('xyaxy', 'xy'), lpad('a', 3), lpad('abc', 2), rpad('a', 3, 'xy'), repeat('ab', 3), reverse('abc')
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), split_part('a,b,c', ',', 9), string_to_array('a,b,,c', ','), string_to_array('a,b', NULL), string_to_array('', ','), array_to_string(ARRAY['a', NULL, 'c'], ',', '*')
SELECT split_part('a', ',', 0)
SELECT concat('a', NULL, 1, true), concat_ws(',', 'a', NULL, 'b'), format('%s %I %L %% %2$s', 'a', 'B c'), format('%5s|%-5s|', 'a', 'b')
SELECT format('%s')
SELECT quote_ident('a b'), quote_ident('ab'), quote_ident('select'), quote_literal('o''neill'), quote_literal(E'a\\b'), quote_nullable(NULL)
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'a%c' LIKE 'a\%c', 'abc' NOT LIKE 'b%', 'ABC' ILIKE 'a%', 'abc' ~~ 'a%', 'a' LIKE 'a' ESCAPE ''
SELECT 'abc' LIKE 'a\'
SELECT 'abc' ~ '^a.c$', 'ABC' ~* 'b', 'abc' !~ 'x', 'abc' !~* 'B', 'abc' SIMILAR TO '(a|b)%', 'x.y' ~ 'x\.y', 'a1' ~ '\d', 'foo' ~ '\mfoo\M'
SELECT 'a' ~ '('
SELECT regexp_replace('hello world', 'o', '0'), regexp_replace('hello world', 'o', '0', 'g'), regexp_replace('abc', '(.)(.)', '\2\1'), regexp_replace('ABC', 'b', 'x', 'i')
SELECT regexp_matches('foobarbeque', '(bar)(beque)'), regexp_match('abc', 'x'), regexp_split_to_array('a1b2c', '\d'), regexp_count('banana', 'a'), regexp_substr('hello', 'l+'), regexp_instr('hello', 'l')
SELECT m FROM regexp_matches('a1b2', '([a-z])(\d)', 'g') m
SELECT s FROM regexp_split_to_table('a b  c', '\s+') s
SELECT ascii('a'), ascii('ä'), chr(228), md5('a'), encode('\x00ff'::bytea, 'hex'), encode('abc'::bytea, 'base64'), encode('\x00'::bytea, 'escape'), decode('YWJj', 'base64')
SELECT chr(0)
SELECT decode('zz', 'hex')
SELECT sha256('a'::bytea), length('\x0102'::bytea), get_byte('\x0102'::bytea, 1), substring('\x010203'::bytea from 2 for 1), '\x01'::bytea || '\x02'::bytea
SELECT to_hex(255), to_hex(-1), starts_with('abc', 'ab'), 'abc' ^@ 'a', string_agg(x, ',' ORDER BY x DESC) FROM (VALUES ('a'), ('b')) v(x)
SELECT to_char(1234.5, 'FM9,999.00'), to_char(-5, 'S99'), to_char(0.5, '0.99'), to_char(12, '0000'), to_char(1234567, '9,999,999'), to_char(5, 'RN')
SELECT 'a' < 'b' COLLATE "C", 'x' || 'y' COLLATE "default", 'a' = ANY (ARRAY['a', 'b']), 'c' <> ALL (ARRAY['a', 'b']), 1 = ANY (NULL::int[])
SELECT parse_ident('a."B c"'), ('x' || 'y')::name
SELECT 'a'::text = 'a '::text, 'a'::char(3) = 'a  '::char(5), length('a '::char(3)), 'a '::char(3) || 'b'
SELECT least('b', 'a'), 'abc'::text > 'abd'::varchar, 'a' BETWEEN 'A' AND 'b', max(x), min(x) FROM (VALUES ('b'), ('a')) v(x)
