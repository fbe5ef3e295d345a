// node-pg: text and binary results, prepared statements, cursors and streams,
// which execute portals with a row limit and Flush.
const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const QueryStream = require('pg-query-stream')

async function main() {
  const client = new Client()
  await client.connect()
  const show = (title, r) => console.log('--', title, r.command, r.rowCount, JSON.stringify(r.fields.map(f => [f.name, f.dataTypeID, f.format])), JSON.stringify(r.rows))
  show('types', await client.query("SELECT 1::int2 a, 2::int4 b, 3::int8 c, 2.5::float8 d, 12.50::numeric e, true f, 'x' g, '2024-02-29 12:00:00+00'::timestamptz h, '{\"a\":1}'::jsonb i, ARRAY[1,2] j, NULL k, '1 day'::interval l, '2024-02-29'::date m"))
  show('parameters', await client.query('SELECT service, count(*) FROM spans WHERE duration_ns > $1 AND kind = ANY($2) AND start_time > $3 AND is_root = $4 GROUP BY 1 ORDER BY 1 LIMIT 3',
    [1000, ['server', 'client'], new Date('2023-01-01T00:00:00Z'), false]))
  for (let i = 0; i < 2; i++) show('named', await client.query({ name: 'n1', text: 'SELECT span_id FROM spans WHERE trace_id > $1 ORDER BY trace_id, span_id LIMIT 2', values: ['0'] }))
  show('binary', await client.query({ text: "SELECT 7::int4 a, 8::int8 b, true c, 1.5::float8 d, 'x'::text e", binary: true }))
  show('array rows', await client.query({ text: 'SELECT 1, 2', rowMode: 'array' }))
  const several = await client.query('SELECT 1 AS a; SELECT 2 AS b; SHOW TimeZone')
  several.forEach((r, i) => show('statement ' + i, r))
  const cursor = client.query(new Cursor('SELECT g FROM generate_series(1, 10) g WHERE g > $1', [2]))
  console.log('-- cursor', JSON.stringify([await cursor.read(3), await cursor.read(3), await cursor.read(10), await cursor.read(1)]))
  await cursor.close()
  let n = 0
  for await (const _ of client.query(new QueryStream('SELECT * FROM spans', [], { batchSize: 300 }))) n++
  console.log('-- stream', n)
  for (const q of ['SELECT nosuch FROM spans', 'SELECT 1/0', 'SELEC', { text: 'SELECT $1::int', values: ['x'] }, { text: 'SELECT 1 LIMIT $1', values: [-1] }]) {
    try { await client.query(q) } catch (e) { console.log('-- error', e.code, e.message, e.position) }
  }
  await client.query('BEGIN')
  await client.query("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ($1, 't', 's', 'me', $2)", ['n1', 'x'])
  await client.query('ROLLBACK')
  show('rolled back', await client.query("SELECT count(*) FROM comments WHERE id = 'n1'"))
  await client.end()
  const pool = new Pool({ max: 3 })
  console.log('-- pool', JSON.stringify((await Promise.all([1, 2, 3, 4, 5].map(i => pool.query('SELECT $1::int * 2 AS x', [i])))).map(r => r.rows[0].x)))
  await pool.end()
}
main().catch(e => { console.error(e); process.exit(1) })
