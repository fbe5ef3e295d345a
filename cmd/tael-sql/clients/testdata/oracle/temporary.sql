-- Temporary tables: of one session, taken back with what made or changed them.
CREATE TEMP TABLE tt (id serial PRIMARY KEY, a text NOT NULL DEFAULT 'x' || 'y', b numeric(5,2), d int[], t timestamptz(0), v varchar(3))
INSERT INTO tt (a) VALUES ('q') RETURNING id, a, b
INSERT INTO tt (b, d, v) VALUES (1.234, '{1,2}', 'abc'), (2.5, NULL, NULL) RETURNING *
INSERT INTO tt (v) VALUES ('abcd')
INSERT INTO tt (id) VALUES (1)
INSERT INTO tt (id, a) VALUES (9, NULL)
INSERT INTO tt (id, a) VALUES (1, 'conf') ON CONFLICT (id) DO UPDATE SET a = excluded.a || tt.a RETURNING *
INSERT INTO tt (id, a) VALUES (1, 'conf') ON CONFLICT DO NOTHING
SELECT * FROM tt ORDER BY id
UPDATE tt SET b = b * 2, a = upper(a) WHERE id > 1 RETURNING id, a, b
UPDATE tt SET id = 1 WHERE id = 2
UPDATE tt SET a = NULL
DELETE FROM tt WHERE id = 3 RETURNING id
SELECT count(*), sum(b) FROM tt
SELECT tt.id, s.service FROM tt LEFT JOIN (SELECT DISTINCT service FROM spans) s ON s.service = tt.a ORDER BY 1
BEGIN
UPDATE tt SET a = 'gone'
SAVEPOINT s
DELETE FROM tt
DROP TABLE tt
SELECT count(*) FROM tt
ROLLBACK TO s
SELECT id, a FROM tt ORDER BY id
CREATE TEMP TABLE inner_one (a int)
ROLLBACK
SELECT id, a FROM tt ORDER BY id
SELECT * FROM inner_one
SELECT attname, atttypid::regtype, atttypmod, attnotnull, atthasdef FROM pg_attribute WHERE attrelid = 'tt'::regclass AND attnum > 1 ORDER BY attnum
SELECT relname, relkind, relpersistence FROM pg_class WHERE oid = 'tt'::regclass
SELECT indisprimary, indkey FROM pg_index WHERE indrelid = 'tt'::regclass
CREATE TEMP TABLE tt (a int)
CREATE TEMP TABLE IF NOT EXISTS tt (a int)
CREATE TEMPORARY TABLE made AS SELECT g AS n, g::text AS t FROM generate_series(1, 5) g
SELECT * FROM made ORDER BY n
INSERT INTO made SELECT * FROM made
DELETE FROM made WHERE n = 3
UPDATE made SET t = 'same' WHERE n = 4
SELECT n, t, count(*) FROM made GROUP BY n, t ORDER BY n
TRUNCATE made
SELECT count(*) FROM made
CREATE TEMP TABLE dup (a int, a text)
CREATE TEMP TABLE bad (a nosuch)
CREATE TEMP TABLE bad (a int PRIMARY KEY, b int PRIMARY KEY)
CREATE TEMP TABLE bad (a int, PRIMARY KEY (b))
CREATE TEMP TABLE two (a int, b text, PRIMARY KEY (a, b))
INSERT INTO two VALUES (1, 'x'), (1, 'y'), (1, 'x')
INSERT INTO two VALUES (1, 'x'), (1, 'y')
SELECT * FROM pg_temp.two ORDER BY b
CREATE TEMP TABLE likeness (LIKE two)
INSERT INTO likeness VALUES (1, 'x'), (1, 'x')
SELECT * FROM likeness
BEGIN
CREATE TEMP TABLE short (a int) ON COMMIT DROP
CREATE TEMP TABLE emptied (a int) ON COMMIT DELETE ROWS
INSERT INTO short VALUES (1)
INSERT INTO emptied VALUES (1)
SELECT * FROM short, emptied
COMMIT
SELECT * FROM short
SELECT * FROM emptied
CREATE TEMP TABLE uniq (a int UNIQUE, b int, c int, UNIQUE (b, c), CONSTRAINT later UNIQUE (c) DEFERRABLE INITIALLY DEFERRED)
INSERT INTO uniq VALUES (1, 1, 1), (NULL, NULL, 2), (NULL, NULL, 3)
INSERT INTO uniq VALUES (1, 9, 9)
INSERT INTO uniq VALUES (9, 1, 1)
INSERT INTO uniq VALUES (9, 9, 1)
UPDATE uniq SET a = 1
BEGIN
INSERT INTO uniq VALUES (9, 9, 1)
SELECT count(*) FROM uniq
UPDATE uniq SET c = 5 WHERE a = 9
COMMIT
BEGIN
INSERT INTO uniq VALUES (10, 10, 1)
COMMIT
SELECT * FROM uniq ORDER BY c
DROP TABLE tt, made, two
DROP TABLE IF EXISTS tt
DROP TABLE tt
DISCARD TEMP
SELECT * FROM likeness
