#!/usr/bin/env bash
# pg_dump writes the tables' schema, with their keys, and their rows as COPY;
# that of everything else runs through.
set -euo pipefail
statements() { grep -v '^--\|^SET\|^SELECT\|^$\|^\\restrict\|^\\unrestrict' | sed 's/ DEFAULT (\(.*()\))/ DEFAULT \1/'; }
pg_dump --schema-only --no-owner --no-comments -t public.comments -t public.llm_prices -t public.spans -t public.logs -t public.metrics | statements
pg_dump --data-only -t public.llm_prices | statements | sort
pg_dump --data-only -t public.logs | statements | wc -l
pg_dump --schema-only | grep -c '^CREATE TABLE public.spans'
