package expr

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var (
	oracle  = flag.String("oracle", "", "connection string of a PostgreSQL 15 to compare with")
	rewrite = flag.Bool("rewrite", false, "rewrite builtins.txt from the oracle")
)

const procQuery = `
select p.oid::text, p.proname, coalesce((select string_agg(t.typname, ',' order by n) from unnest(p.proargtypes) with ordinality a(o, n) join pg_type t on t.oid = a.o), '') as args,
  rt.typname, p.provolatile::text || case when p.proisstrict then 'S' else '' end || case when p.proretset then 'R' else '' end,
  coalesce(vt.typname, ''), p.pronargdefaults::text,
  coalesce((select string_agg(coalesce(nm,''), ',' order by n) from unnest(p.proargnames[1:cardinality(p.proargtypes)]) with ordinality a(nm, n)), ''),
  coalesce((select string_agg(p.proargnames[n] || ':' || t.typname, ',' order by n) from unnest(p.proallargtypes) with ordinality a(o, n) join pg_type t on t.oid = a.o where p.proargmodes[n] in ('o','t')), ''),
  coalesce(obj_description(p.oid, 'pg_proc'), '')
from pg_proc p join pg_type rt on rt.oid = p.prorettype left join pg_type vt on vt.oid = p.provariadic
where p.prokind = $1 order by p.proname, p.oid`

const operatorQuery = `
select o.oid::text, o.oprname, coalesce(l.typname, ''), r.typname, t.typname, o.oprcode::oid::text, coalesce(obj_description(o.oid, 'pg_operator'), '')
from pg_operator o left join pg_type l on l.oid = o.oprleft join pg_type r on r.oid = o.oprright join pg_type t on t.oid = o.oprresult
order by o.oprname, o.oid`

const aggregateQuery = `
select p.oid::text, p.proname, coalesce((select string_agg(t.typname, ',' order by n) from unnest(p.proargtypes) with ordinality a(o, n) join pg_type t on t.oid = a.o), '') as args,
  rt.typname, g.aggkind::text, g.aggnumdirectargs::text, coalesce(vt.typname, ''), coalesce(obj_description(p.oid, 'pg_proc'), '')
from pg_proc p join pg_aggregate g on g.aggfnoid = p.oid join pg_type rt on rt.oid = p.prorettype left join pg_type vt on vt.oid = p.provariadic
order by p.proname, p.oid`

// TestBuiltins holds builtins.txt against PostgreSQL's catalog; -rewrite makes
// it anew for the functions that are implemented.
func TestBuiltins(t *testing.T) {
	if *oracle == "" {
		t.Skip("no -oracle")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	impls := implementations()
	aggregates := aggregateImpls()
	used := make(map[string]bool)
	operatorProcs := make(map[string]bool)
	var sb strings.Builder
	each := func(kind, query string, want func(f []string) bool, args ...any) {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			vals, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			f := make([]string, len(vals))
			for i, v := range vals {
				f[i] = strings.ReplaceAll(fmt.Sprint(v), "\t", " ")
			}
			if want(f) {
				sb.WriteString(kind + "\t" + strings.Join(f, "\t") + "\n")
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
	each("o", operatorQuery, func(f []string) bool {
		signature := f[1] + " " + f[3]
		if f[2] != "" {
			signature = f[2] + " " + signature
		}
		_, ok := impls[signature]
		used[signature] = true
		if !ok {
			_, ok = comparison(f[1], f[2], f[3])
		}
		if ok {
			operatorProcs[f[5]] = true
		}
		return ok
	})
	each("f", procQuery, func(f []string) bool {
		signature := f[1] + "(" + f[2] + ")"
		_, ok := impls[signature]
		used[signature] = true
		return ok || operatorProcs[f[0]]
	}, "f")
	each("w", procQuery, func([]string) bool { return true }, "w")
	each("a", aggregateQuery, func(f []string) bool {
		signature := f[1] + "(" + f[2] + ")"
		_, ok := aggregates[signature]
		used[signature] = true
		return ok
	})
	for line := range strings.Lines(ownText) {
		f := strings.Split(line, "\t")
		used[f[2]+"("+f[3]+")"] = true
		if f[0] == "o" {
			used[f[3]+" "+f[2]+" "+f[4]] = true
		}
	}
	for _, signature := range slices.Sorted(maps.Keys(impls)) {
		if !used[signature] {
			t.Errorf("PostgreSQL has no %s", signature)
		}
	}
	for _, signature := range slices.Sorted(maps.Keys(aggregates)) {
		if !used[signature] {
			t.Errorf("PostgreSQL has no aggregate %s", signature)
		}
	}
	if *rewrite {
		if err := os.WriteFile("builtins.txt", []byte(sb.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if sb.String() != builtinsText {
		t.Error("builtins.txt differs from the oracle's catalog; run with -rewrite")
	}
}
