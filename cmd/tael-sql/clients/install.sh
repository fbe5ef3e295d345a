#!/usr/bin/env bash
# Installs what the tests of this folder need on Debian 12, what is missing
# alone: as root, quietly, again at no cost. "all" adds the clients of make
# clients. Packages of npm go to the folder that is given.
set -euo pipefail
which=${1:?usage: install.sh smoke|all FOLDER}
folder=${2:?usage: install.sh smoke|all FOLDER}

packages=(postgresql-15 postgresql-client-15 python3-psycopg python3-psycopg2 libpostgresql-jdbc-java)
command -v java >/dev/null && command -v javac >/dev/null || packages+=(default-jdk-headless)
command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)
if [ "$which" = all ]; then
	packages+=(python3-asyncpg python3-sqlalchemy python3-pandas pgcli libdbd-pg-perl odbc-postgresql unixodbc
		php-cli php-pgsql ruby-pg gdal-bin sqlsmith prometheus chromium)
fi
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	echo "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# The package would start a server of its own.
	mkdir -p /etc/postgresql-common/createcluster.d
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/tael-sql-clients.conf
	log=$(mktemp)
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends --no-upgrade "${missing[@]}"; } >"$log" 2>&1 || { cat "$log"; exit 1; }
	rm "$log"
fi

here=$(cd "$(dirname "$0")" && pwd)
if ! cmp -s "$here/package.json" "$folder/package.json"; then
	mkdir -p "$folder"
	cp "$here/package.json" "$here/package-lock.json" "$folder/"
	(cd "$folder" && npm ci --silent --no-audit --no-fund) || { rm "$folder/package.json"; exit 1; }
fi
