"""psycopg2: the simple protocol with client-side literals, named cursors,
transactions and its savepoints by hand."""
import datetime
import psycopg2
import psycopg2.extras
import psycopg2.extensions as ext

conn = psycopg2.connect("")
cur = conn.cursor()


def show(title, sql, args=None):
    cur.execute(sql, args)
    print("--", title, [(c.name, c.type_code) for c in cur.description], cur.rowcount, cur.statusmessage)
    for row in cur.fetchall():
        print([bytes(v) if isinstance(v, memoryview) else v for v in row])


show("literals", "SELECT %s, %s, %s, %s, %s, %s, %s, %s", (
    1, 2.5, "o'neill \\ x", None, True, datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc), ["a", "b"], psycopg2.Binary(b"\x00\xff")))
show("dates", "SELECT %s AS d, %s AS t, %s AS i", (datetime.date(2024, 2, 29), datetime.time(1, 2, 3), datetime.timedelta(days=1, seconds=5)))
show("spans", "SELECT service, kind, count(*) FROM spans WHERE start_time > %s AND kind IN %s GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 3",
     (datetime.datetime(2023, 1, 1, tzinfo=datetime.timezone.utc), ("server", "client")))
show("arrays", "SELECT ARRAY[1,2], ARRAY['x','y'], ARRAY[now() > '2020-01-01'], '{}'::text[]")
show("jsonb", "SELECT '{\"a\": 1}'::jsonb, attributes -> 'nothing' FROM spans LIMIT 1")

with conn.cursor(name="mycur") as c:
    c.itersize = 500
    c.execute("SELECT span_id FROM spans ORDER BY trace_id, span_id")
    print("-- named", len(list(c)))
with conn.cursor(name="sc", scrollable=True) as c:
    c.execute("SELECT g FROM generate_series(1, 20) g")
    print("-- scroll", c.fetchmany(3))
    c.scroll(-2)
    print(c.fetchone())
    c.scroll(10, mode="absolute")
    print(c.fetchone())
conn.commit()
with conn.cursor(name="wh", withhold=True) as c:
    c.execute("SELECT g FROM generate_series(1, 5) g")
    conn.commit()
    print("-- with hold", c.fetchall())
conn.rollback()

for sql in ("SELECT nosuch FROM spans", "SELECT 1/0", "SELEC", "SELECT 'x'::int", "SELECT * FROM logs WHERE body = 1"):
    try:
        cur.execute(sql)
    except psycopg2.Error as e:
        print("-- error", type(e).__name__, e.pgcode, e.diag.message_primary)
    print(conn.get_transaction_status() == ext.TRANSACTION_STATUS_INERROR)
    conn.rollback()

conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
try:
    cur.execute("DELETE FROM comments")
except psycopg2.Error as e:
    print("-- read only", e.pgcode)
conn.rollback()
conn.set_session(isolation_level="DEFAULT", readonly=False, autocommit=True)
cur.execute("SHOW transaction_isolation")
print(cur.fetchone())
psycopg2.extras.execute_values(cur, "INSERT INTO comments (id, trace_id, span_id, author, body) VALUES %s", [("q1", "t", "s", "a", "b"), ("q2", "t", "s", "a", "c")])
cur.execute("UPDATE comments SET body = body || '!' WHERE id IN ('q1', 'q2') RETURNING id, body")
print("-- returning", sorted(cur.fetchall()), cur.rowcount)
cur.execute("DELETE FROM comments WHERE id LIKE 'q_'")
print("-- deleted", cur.rowcount)
with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as c:
    c.execute("SELECT service AS \"Service Name\", max(duration_ms) AS m FROM spans GROUP BY 1 ORDER BY 1 LIMIT 2")
    print("-- dict", [dict(r) for r in c.fetchall()])
print(conn.encoding, conn.server_version // 10000, conn.get_parameter_status("TimeZone"))
conn.close()
