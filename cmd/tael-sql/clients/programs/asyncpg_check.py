"""asyncpg: binary in both directions, type introspection by WITH RECURSIVE, cursors with Flush, resets of pooled connections."""
import asyncio
import datetime
import json
import os
import asyncpg


async def main():
    args = dict(host=os.environ["PGHOST"], port=os.environ["PGPORT"], user=os.environ["PGUSER"], database=os.environ["PGDATABASE"], ssl=False)
    conn = await asyncpg.connect(**args)
    print("-- types", dict(await conn.fetchrow(
        "SELECT 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float4 d, 2.5::float8 e, 12.50::numeric f, true g, 'x'::text h, '\\x00ff'::bytea i,"
        " '2024-02-29'::date j, '12:34:56.5'::time k, '2024-02-29 12:00:00+00'::timestamptz l, '1 day 02:03:04'::interval m,"
        " '11111111-2222-3333-4444-555555555555'::uuid n, '{\"a\": [1, null]}'::jsonb o, ARRAY[1,2,NULL] p, ARRAY['a','b'] q, NULL::int r,"
        " ROW(1, 'x') s, 26::oid t, 'n'::name u, ARRAY[now()] IS NOT NULL v")))
    for _ in range(2):
        rows = await conn.fetch("SELECT service, count(*) n, max(duration_ms) m FROM spans WHERE duration_ns > $1 AND kind = ANY($2) AND start_time > $3 GROUP BY 1 ORDER BY 1 LIMIT 3",
                                1000, ["server", "client"], datetime.datetime(2023, 1, 1, tzinfo=datetime.timezone.utc))
        print("-- rows", [tuple(r) for r in rows])
    st = await conn.prepare("SELECT attributes, duration_ns, start_time FROM spans WHERE span_id = $1")
    print("-- prepared", [(a.name, a.type.name) for a in st.get_attributes()], [p.name for p in st.get_parameters()])
    async with conn.transaction():
        n = 0
        async for _ in conn.cursor("SELECT * FROM spans", prefetch=200):
            n += 1
        cur = await conn.cursor("SELECT g FROM generate_series(1, 20) g")
        await cur.forward(5)
        print("-- cursor", n, [r[0] for r in await cur.fetch(3)])
    for sql in ("SELECT nosuch FROM spans", "SELECT 1/0", "SELEC"):
        try:
            await conn.fetch(sql)
        except asyncpg.PostgresError as e:
            print("-- error", type(e).__name__, e.sqlstate, e.message)
    try:
        await conn.fetch("SELECT pg_sleep(20)", timeout=0.2)
    except asyncio.TimeoutError:
        print("-- timeout")
    await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    print("-- codec", await conn.fetchval("SELECT '{\"a\": 1}'::jsonb"))
    await conn.executemany("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ($1, 't', 's', 'me', $2)", [("a1", "x"), ("a2", "y")])
    print("-- deleted", await conn.execute("DELETE FROM comments WHERE id LIKE 'a_'"))
    await conn.close()
    async with asyncpg.create_pool(min_size=1, max_size=3, **args) as pool:
        print("-- pool", await asyncio.gather(*[pool.fetchval("SELECT $1::int * 2", i) for i in range(5)]))


asyncio.run(main())
