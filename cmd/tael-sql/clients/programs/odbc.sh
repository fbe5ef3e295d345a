#!/usr/bin/env bash
# psqlodbc by unixODBC's isql: catalog functions, statements, cursors of Declare/Fetch.
set -euo pipefail
# isql writes errors where its buffered output happens to be: they come after it.
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
for declare in 0 1; do
	printf '%s\n' "SELECT 1, 2.5, 'x', NULL, true" \
		"SELECT service, kind, count(*) FROM spans GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 3" \
		"SELECT trace_id, duration_ms, start_time FROM spans ORDER BY trace_id, span_id LIMIT 150" \
		"help comments" "help spans" "SELECT nosuch FROM spans" "SELECT max(severity) FROM logs" |
		isql -b -k "Driver=PostgreSQL Unicode;Servername=$PGHOST;Port=$PGPORT;Database=$PGDATABASE;Username=$PGUSER;UseDeclareFetch=$declare;Fetch=50" 2>"$errors" |
		tr -s ' -' | sed -E 's/\| (16[0-9]{3}|200[0-9]{2}) \|/| OID |/; s/\(gen_random_uuid\(\)\)/gen_random_uuid()/' || true
	cat "$errors"
done
