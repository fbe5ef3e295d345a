package catalog

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

var (
	oracle  = flag.String("oracle", "", "connection string of a PostgreSQL 15 to compare with")
	rewrite = flag.Bool("rewrite", false, "rewrite the embedded lists, or testdata, from what is")
)

// supportQuery gives the functions that types, casts and access methods name;
// @types is the types that there are.
const supportQuery = `
select p.oid, p.proname, coalesce((select string_agg(t.typname, ',' order by n) from unnest(p.proargtypes) with ordinality a(o, n) join pg_type t on t.oid = a.o), ''),
  rt.typname, p.provolatile::text || case when p.proisstrict then 'S' else '' end || case when p.proretset then 'R' else '' end,
  coalesce(obj_description(p.oid, 'pg_proc'), '')
from pg_proc p join pg_type rt on rt.oid = p.prorettype where p.oid in (
  select unnest(array[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript]::oid[]) from pg_type where oid = any(@types)
  union select castfunc from pg_cast where castsource = any(@types) and casttarget = any(@types) union select amhandler from pg_am where amname in ('heap', 'btree'))
order by p.oid`

const typesQuery = `
select oid, typmodin::oid, typmodout::oid, typanalyze::oid, typsubscript::oid, typbyval, coalesce(obj_description(oid, 'pg_type'), '')
from pg_type where oid = any(@types) order by oid`

const castsQuery = `select oid, castsource, casttarget, castfunc, castmethod::text from pg_cast where castsource = any(@types) and casttarget = any(@types) order by oid`

// relationsQuery gives domains by their base types, and types that only the
// statistics collector writes as text.
const relationsQuery = `
select n.nspname || '.' || c.relname || ' ' || c.relkind::text || ' ' || c.oid,
  (select string_agg(E'\n  ' || a.attname || ' ' || case when t.typtype = 'd' then b.typname when t.typname in ('pg_ndistinct', 'pg_dependencies', 'pg_mcv_list') then 'text'
    when t.typname = '_pg_statistic' then '_text' else t.typname end || case when a.attnotnull then ' !' else '' end, '' order by a.attnum)
   from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_type b on b.oid = t.typbasetype where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v') order by n.nspname <> 'pg_catalog', c.relname`

// The embedded lists are those of PostgreSQL 15; -rewrite makes them anew.
func TestLists(t *testing.T) {
	if *oracle == "" {
		t.Skip("no -oracle")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var types []string
	for _, typ := range pgtypes.All() {
		types = append(types, fmt.Sprint(typ.OID))
	}
	known := strings.NewReplacer("@types", "'{"+strings.Join(types, ",")+"}'::oid[]")
	for _, list := range []struct{ file, query, separator, embedded string }{
		{"functions.txt", supportQuery, "\t", functionsText},
		{"types.txt", typesQuery, "\t", typesText},
		{"casts.txt", castsQuery, "\t", castsText},
		{"relations.txt", relationsQuery, "", relationsText},
	} {
		rows, err := conn.Query(ctx, known.Replace(list.query))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			fields := make([]string, len(values))
			for i, v := range values {
				fields[i] = fmt.Sprint(v)
			}
			fmt.Fprintln(&b, strings.Join(fields, list.separator))
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		switch {
		case b.String() == list.embedded:
		case *rewrite:
			if err := os.WriteFile(list.file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s differs from the oracle's catalog; run with -rewrite", list.file)
		}
	}
}
