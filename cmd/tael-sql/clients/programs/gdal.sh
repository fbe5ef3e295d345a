#!/usr/bin/env bash
# GDAL reads tables without geometry: probes for PostGIS, cursors, all extended.
set -euo pipefail
source="PG:host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE schemas=public"
ogrinfo -ro -q -sql "SELECT span_id, duration_ms FROM spans WHERE duration_ns > 100000000 ORDER BY span_id" "$source"
ogrinfo -ro -so "$source" comments | grep -v '^INFO' | sed 's/(gen_random_uuid())/gen_random_uuid()/'
ogrinfo -ro -q "$source" llm_prices
ogr2ogr -f CSV /vsistdout/ "$source" logs -select service,severity,body -where "severity = 'error'" | sort
