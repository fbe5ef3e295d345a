# DBD::Pg: server-side prepare, metadata, transactions and savepoints, COPY.
use strict;
use warnings;
use DBI;
my $dbh = DBI->connect("dbi:Pg:", $ENV{PGUSER}, "", { RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_enable_utf8 => 1 });
sub row { return join(" | ", map { defined $_ ? (ref $_ ? "[" . join(",", map { $_ // "NULL" } @$_) . "]" : $_) : "NULL" } @_) }
print "ping ", $dbh->ping, "\n";
my $st = $dbh->prepare("SELECT service, kind, count(*) AS n FROM spans WHERE duration_ns > ? AND service <> ? GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 3");
for (1 .. 3) {
    $st->execute(1000, "nobody");
    print row(@{ $st->{NAME} }), " ", row(@{ $st->{TYPE} }), "\n";
    print row(@$_), "\n" for @{ $st->fetchall_arrayref };
}
print row($dbh->selectrow_array("SELECT 1, 2.50, true, NULL, ARRAY[1,2], '\\x00ff'::bytea = '\\x00ff', now() IS NOT NULL, '{\"a\": 1}'::jsonb")), "\n";
my $n = $dbh->prepare("SELECT trace_id, parent_span_id FROM spans LIMIT 1");
$n->execute;
print "nullable ", row(@{ $n->{NULLABLE} }), "\n";
$n->finish;
for my $t (qw(spans logs metrics comments llm_prices)) {
    my $c = $dbh->column_info(undef, "public", $t, "%")->fetchall_arrayref({});
    print "$t $_->{COLUMN_NAME} $_->{TYPE_NAME} $_->{NULLABLE} $_->{ORDINAL_POSITION}\n" for @$c;
    print "key ", row($dbh->primary_key(undef, "public", $t)), "\n";
}
print "tables ", row(sort grep { /^public\.(spans|logs|metrics|comments|llm_prices)$/ } $dbh->tables(undef, "public", "%", "TABLE")), "\n";
for my $sql ("SELECT nosuch FROM spans", "SELECT 1/0", "SELEC") {
    eval { $dbh->do($sql) };
    print "error ", $dbh->state, " ", (split /\n/, $dbh->errstr)[0], "\n";
}
$dbh->begin_work;
$dbh->do("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES (?, 't', 's', 'me', ?)", undef, "d1", "o'neill");
$dbh->pg_savepoint("sp");
eval { $dbh->do("SELECT nosuch") };
$dbh->pg_rollback_to("sp");
print row($dbh->selectrow_array("SELECT id, body FROM comments WHERE id = 'd1'")), "\n";
$dbh->rollback;
$dbh->do("COPY (SELECT trace_id, span_id FROM spans ORDER BY 1, 2 LIMIT 3) TO STDOUT");
my $line;
print $line while $dbh->pg_getcopydata(\$line) >= 0;
$dbh->disconnect;
