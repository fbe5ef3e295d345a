#!/usr/bin/env bash
# pgbench in its three protocols; what it prints of time is left out.
set -euo pipefail
script=$(mktemp)
trap 'rm "$script"' EXIT
cat >"$script" <<'SQL'
\set d random(1, 1000)
BEGIN;
SELECT count(*) FROM spans WHERE duration_ns > :d;
SELECT service FROM logs LIMIT 1;
END;
SQL
for mode in simple extended prepared; do
	pgbench -n -M $mode -c 3 -t 20 -f "$script" 2>&1 | grep -E 'query mode|actually processed|failed'
done
