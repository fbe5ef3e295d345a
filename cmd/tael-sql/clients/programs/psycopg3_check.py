"""psycopg 3: server-side parameters in text and binary, prepared statements,
named cursors, pipelines, errors and transactions."""
import datetime
import psycopg
from psycopg.rows import dict_row

print("psycopg", psycopg.__version__.split(".")[0])
conn = psycopg.connect()


def show(title, cur):
    print("--", title, [(c.name, c.type_code) for c in cur.description])
    for row in cur.fetchall():
        print(row)


def types(cur):
    cur.execute(
        "SELECT 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float4 d, 2.5::float8 e, 12.50::numeric f, true g, 'x'::text h, '\\x00ff'::bytea i,"
        " '2024-02-29'::date j, '12:34:56.5'::time k, '2024-02-29 12:00:00+00'::timestamptz l, '2024-02-29 12:00:00'::timestamp m,"
        " '1 day 02:03:04'::interval n, '11111111-2222-3333-4444-555555555555'::uuid o, '{\"a\": [1, null]}'::jsonb p,"
        " ARRAY[1,2,NULL] q, ARRAY['a','b,c','d\"e'] r, NULL::int s, 'n'::name t, 26::oid u, ARRAY[1.5::float8] v")
    show("types", cur)


for binary in (False, True):
    with conn.cursor(binary=binary) as cur:
        types(cur)
        for _ in range(7):  # prepared from the sixth on
            cur.execute("SELECT service, count(*) AS n FROM spans WHERE duration_ns > %s AND kind = ANY(%s) AND start_time > %s GROUP BY 1 ORDER BY 1 LIMIT 3",
                        (1000, ["server", "client"], datetime.datetime(2023, 1, 1, tzinfo=datetime.timezone.utc)))
        show("prepared", cur)
        cur.execute("SELECT %b::int8, %b::float8, %b::bool, %b::timestamptz, %b::uuid, %b::int[]",
                    (5, 1.25, True, datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), __import__("uuid").UUID(int=7), [1, 2]))
        show("binary parameters", cur)
        cur.execute("SELECT %s, %s", ("text", None))
        show("unknown", cur)

with conn.cursor(name="mycur") as cur:
    cur.itersize = 700
    cur.execute("SELECT span_id, duration_ns FROM spans ORDER BY trace_id, span_id")
    rows = list(cur)
    print("-- named cursor", len(rows), rows[0], rows[-1])
with conn.cursor(name="scrolling", scrollable=True) as cur:
    cur.execute("SELECT g FROM generate_series(1, 10) g")
    cur.scroll(4)
    print("-- scroll", cur.fetchmany(2))
    cur.scroll(-3)
    print(cur.fetchone())
conn.commit()

with conn.pipeline():
    a = conn.execute("SELECT %s::int + 1", (1,))
    b = conn.execute("SELECT %s::text", ("x",))
print("-- pipeline", a.fetchone(), b.fetchone())

for sql in ("SELECT nosuch FROM spans", "SELECT 1/0", "SELECT * FROM nowhere", "SELEC 1", "SELECT 'x'::int", "SELECT 1 WHERE 'a'"):
    try:
        conn.execute(sql)
    except psycopg.Error as e:
        print("-- error", type(e).__name__, e.sqlstate, e.diag.message_primary, e.diag.statement_position)
    conn.rollback()

conn.autocommit = True
with conn.transaction():
    conn.execute("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES (%s, %s, %s, %s, %s)", ("p3", "t", "s", "me", "o'neill \\ \u00fc"))
    try:
        with conn.transaction():
            conn.execute("UPDATE comments SET body = 'lost' WHERE id = 'p3'")
            raise psycopg.Rollback
    except psycopg.Rollback:
        pass
print("-- comment", conn.execute("SELECT id, body FROM comments WHERE id = 'p3'").fetchall())
print("-- rows", conn.execute("DELETE FROM comments WHERE id = 'p3'").rowcount)
with conn.cursor(row_factory=dict_row) as cur:
    print("-- dict", cur.execute("SELECT service, severity, body FROM logs ORDER BY timestamp, body LIMIT 2").fetchall())
with conn.cursor() as cur:
    cur.executemany("SELECT %s::int * 2", [(1,), (2,)], returning=True)
    print("-- executemany", cur.fetchone(), cur.nextset(), cur.fetchone())
print(conn.info.server_version // 10000, conn.info.encoding, conn.info.timezone, conn.info.transaction_status.name)
print("-- json", conn.execute("SELECT attributes FROM spans ORDER BY trace_id, span_id LIMIT 1").fetchone()[0].keys())
