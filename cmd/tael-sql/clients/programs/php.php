<?php
// PDO with emulated and real prepares, and the pgsql functions.
$pdo = new PDO("pgsql:host={$_SERVER['PGHOST']};port={$_SERVER['PGPORT']};dbname={$_SERVER['PGDATABASE']}", $_SERVER['PGUSER'], '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
foreach ([true, false] as $emulate) {
    $pdo->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
    $st = $pdo->prepare('SELECT service, count(*) AS n FROM spans WHERE duration_ns > :d AND kind = :k GROUP BY 1 ORDER BY 1 LIMIT 3');
    $st->execute(['d' => 1000, 'k' => 'server']);
    echo json_encode($st->fetchAll(PDO::FETCH_ASSOC)), "\n";
    for ($i = 0; $i < 3; $i++) {
        $m = $st->getColumnMeta($i % 2);
        echo $m['name'], ' ', $m['native_type'], ' ', $m['pdo_type'], "\n";
    }
}
echo json_encode($pdo->query("SELECT 1, 2.50, true, NULL, 'x', ARRAY[1,2], '{\"a\": 1}'::jsonb")->fetch(PDO::FETCH_NUM)), "\n";
$cursor = $pdo->prepare('SELECT g FROM generate_series(1, 10) g', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
$cursor->execute();
echo json_encode([$cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 4), $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), $cursor->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST)]), "\n";
unset($cursor);
try {
    $pdo->query('SELECT nosuch FROM spans');
} catch (PDOException $e) {
    echo $e->getCode(), "\n";
}
$pdo->beginTransaction();
echo $pdo->exec("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES ('h1', 't', 's', 'me', 'b')"), "\n";
$pdo->rollBack();
$pg = pg_connect('');
echo json_encode(pg_fetch_all(pg_query_params($pg, 'SELECT severity, count(*) FROM logs WHERE service <> $1 GROUP BY 1 ORDER BY 1', ['nobody']))), "\n";
$r = pg_query($pg, 'SELECT trace_id, duration_ns, start_time FROM spans LIMIT 1');
for ($i = 0; $i < 3; $i++) {
    echo pg_field_name($r, $i), ' ', pg_field_type($r, $i), ' ', pg_field_size($r, $i), ' ', pg_field_table($r, $i), "\n";
}
echo json_encode(array_map(fn ($c) => [$c['num'], $c['type'], $c['not null']], pg_meta_data($pg, 'comments'))), "\n";
echo json_encode(pg_copy_to($pg, 'llm_prices')), "\n";
pg_prepare($pg, 'p', 'SELECT $1::int + 1');
echo pg_fetch_result(pg_execute($pg, 'p', [41]), 0), "\n";
