// postgres.js: always extended and pipelined, cursors by Flush, types by pg_type.
const postgres = require('postgres')

async function main() {
  const sql = postgres({ host: process.env.PGHOST, port: process.env.PGPORT, user: process.env.PGUSER, database: process.env.PGDATABASE, max: 2, ssl: false, onnotice: () => {} })
  console.log(JSON.stringify(await sql`SELECT 1::int2 a, 2::int4 b, 3::int8 c, 2.5::float8 d, 12.50::numeric e, true f, 'x' g, '2024-02-29 12:00:00+00'::timestamptz h, '{"a": 1}'::jsonb i, ARRAY[1,2] j, NULL k`))
  for (let i = 0; i < 2; i++) {
    console.log(JSON.stringify(await sql`SELECT service, count(*) FROM spans WHERE duration_ns > ${1000} AND kind IN ${sql(['server', 'client'])} AND start_time > ${new Date('2023-01-01T00:00:00Z')} GROUP BY 1 ORDER BY 1 LIMIT 3`))
  }
  let n = 0
  await sql`SELECT * FROM spans`.cursor(250, rows => { n += rows.length })
  console.log(n)
  for (const bad of ['SELECT nosuch FROM spans', 'SELECT 1/0', 'SELEC']) {
    await sql.unsafe(bad).catch(e => console.log(e.code, e.message))
  }
  await sql.begin(async tx => {
    await tx`INSERT INTO comments ${tx({ id: 'w1', trace_id: 't', span_id: 's', author: 'me', body: 'b' })}`
    await tx.savepoint(sp => sp`SELECT nosuch`).catch(e => console.log(e.code))
    console.log(JSON.stringify(await tx`DELETE FROM comments WHERE id = 'w1' RETURNING id, body`))
  })
  console.log(JSON.stringify(await Promise.all([1, 2, 3, 4].map(i => sql`SELECT ${i}::int * 2 AS x`))))
  console.log(JSON.stringify(await sql`SELECT 1; SELECT 2`.simple()))
  await sql.end()
}
main().catch(e => { console.error(e); process.exit(1) })
