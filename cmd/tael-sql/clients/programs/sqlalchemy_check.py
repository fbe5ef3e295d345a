"""SQLAlchemy with psycopg2: the inspector, expressions, server-side results; pandas on top of it."""
import pandas
import sqlalchemy as sa

engine = sa.create_engine("postgresql+psycopg2://")
tables = ["comments", "llm_prices", "logs", "metrics", "spans"]
with engine.connect() as conn:
    inspector = sa.inspect(conn)
    print("--", "public" in inspector.get_schema_names(), inspector.default_schema_name, [t for t in tables if t in inspector.get_table_names()])
    for table in tables:
        print("--", table, inspector.get_pk_constraint(table), inspector.get_foreign_keys(table), inspector.get_unique_constraints(table), inspector.get_check_constraints(table))
        for c in inspector.get_columns(table):
            print(c["name"], c["type"], c["nullable"])
    meta = sa.MetaData()
    spans, logs = (sa.Table(t, meta, autoload_with=conn) for t in ("spans", "logs"))
    q = (sa.select(spans.c.service, sa.func.count().label("n"), sa.func.date_trunc("minute", sa.func.min(spans.c.start_time)).label("first"))
         .where(spans.c.duration_ms > 3, spans.c.kind.in_(["server", "client"])).group_by(spans.c.service).order_by(sa.desc("n"), spans.c.service).limit(3))
    print("-- groups", conn.execute(q).fetchall())
    j = sa.select(spans.c.service, sa.func.count(logs.c.log_id)).select_from(spans.outerjoin(logs, sa.and_(logs.c.trace_id == spans.c.trace_id, logs.c.span_id == spans.c.span_id))).group_by(spans.c.service).order_by(spans.c.service)
    print("-- join", conn.execute(j).fetchall()[:3])
    print("-- json", conn.execute(sa.select(spans.c.attributes["http.method"].astext, sa.func.count()).group_by(sa.text("1")).order_by(sa.text("1"))).fetchall())
    print("-- stream", sum(1 for _ in conn.execution_options(stream_results=True).execute(sa.select(spans.c.span_id))))
with engine.begin() as conn:
    comments = sa.Table("comments", sa.MetaData(), autoload_with=conn)
    conn.execute(comments.insert(), [{"id": "s1", "trace_id": "t", "span_id": "s", "author": "me", "body": "b"}])
    print("-- returning", conn.execute(comments.update().where(comments.c.id == "s1").values(body="c").returning(comments.c.body)).fetchall())
    print("-- deleted", conn.execute(comments.delete().where(comments.c.id == "s1")).rowcount)
frame = pandas.read_sql_query("SELECT service, duration_ms, start_time, is_root FROM spans ORDER BY trace_id, span_id", engine)
print(frame.dtypes.to_string())
print(frame.groupby("service")["duration_ms"].agg(["count", "max"]).head(3).to_string())
print(pandas.read_sql_table("llm_prices", engine).shape, sum(len(c) for c in pandas.read_sql_query("SELECT * FROM logs", engine, chunksize=500)))
