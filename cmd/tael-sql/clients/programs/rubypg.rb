# ruby-pg: typed results, prepared statements, single-row mode, COPY.
require 'pg'
conn = PG.connect
conn.type_map_for_results = PG::BasicTypeMapForResults.new(conn)
show = lambda { |r| puts r.fields.zip((0...r.nfields).map { |i| r.ftype(i) }).inspect, r.values.map(&:inspect) }
show.call conn.exec("SELECT 1::int4 a, 2::int8 b, 2.5::float8 c, true d, 'x'::text e, NULL f, '2024-02-29'::date g, ARRAY[1,2] h")
show.call conn.exec_params('SELECT service, count(*) AS n FROM spans WHERE duration_ns > $1 AND kind = $2 GROUP BY 1 ORDER BY 1 LIMIT 3', [1000, 'server'])
conn.prepare('p', 'SELECT span_id FROM spans WHERE trace_id > $1 ORDER BY trace_id, span_id LIMIT 2')
2.times { show.call conn.exec_prepared('p', ['0']) }
puts conn.describe_prepared('p').nparams
conn.send_query('SELECT span_id FROM spans')
conn.set_single_row_mode
n = 0
conn.get_result.stream_each { n += 1 }
conn.get_result
puts n
['SELECT nosuch FROM spans', 'SELECT 1/0', 'SELEC'].each do |sql|
  conn.exec(sql)
rescue PG::Error => e
  puts e.class, e.result.error_field(PG::PG_DIAG_SQLSTATE)
end
conn.transaction do
  conn.exec("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ('r1', 't', 's', 'me', 'b')")
  show.call conn.exec("DELETE FROM comments WHERE id = 'r1' RETURNING id, body")
end
conn.copy_data('COPY (SELECT trace_id, span_id FROM spans ORDER BY 1, 2 LIMIT 3) TO STDOUT') do
  while (row = conn.get_copy_data)
    puts row
  end
end
puts conn.transaction_status, conn.parameter_status('TimeZone')
