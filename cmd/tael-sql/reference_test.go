package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/session"
	"github.com/tael-sql/tael-sql/tables"
)

// docs/reference.md is what the catalog says of its objects (-rewrite-docs).
func TestReference(t *testing.T) {
	const path = "../../docs/reference.md"
	want := reference()
	if *rewriteDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference.md is stale: make docs")
	}
}

func reference() string {
	c := catalog.New(database, user)
	tables.Register(c)
	var b strings.Builder
	b.WriteString(`# SQL reference

The tables, views and functions of the gateway, as ` + "`\\d+` and `\\df+`" + ` show them. SQL itself is PostgreSQL 15's; what
differs is in [differences.md](differences.md). The system catalogs are there too.
`)
	for _, kind := range []struct {
		letter byte
		title  string
	}{{'r', "Tables"}, {'v', "Views"}} {
		fmt.Fprintf(&b, "\n## %s\n", kind.title)
		for _, rel := range c.Relations() {
			if rel.Schema != catalog.PublicSchema || rel.Kind != kind.letter {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", rel.Name, rel.Comment)
			if len(rel.PrimaryKey) > 0 {
				key := make([]string, len(rel.PrimaryKey))
				for i, at := range rel.PrimaryKey {
					key[i] = rel.Columns[at].Name
				}
				fmt.Fprintf(&b, "\nKey: %s.\n", strings.Join(key, ", "))
			}
			columns(&b, rel.Columns)
		}
	}
	b.WriteString("\n## Functions in FROM\n\nArguments may be named: `anomalies(300, 3600, service => 'checkout')`.\n")
	for _, f := range c.TableFunctions() {
		rel := f.Relation()
		var args []string
		for _, a := range f.Args() {
			text := a.Name + " " + pgtypes.FormatType(a.Type)
			if a.Default != "" {
				text += " DEFAULT " + a.Default
			}
			args = append(args, text)
		}
		fmt.Fprintf(&b, "\n### %s(%s)\n\n%s\n", rel.Name, strings.Join(args, ", "), rel.Comment)
		columns(&b, rel.Columns)
	}
	writeOwnFunctions(&b)
	writeBuiltins(&b)
	writeSettings(&b)
	return b.String()
}

func columns(b *strings.Builder, list []catalog.Column) {
	b.WriteString("\n| column | type | |\n|---|---|---|\n")
	for _, col := range list {
		typ := pgtypes.FormatType(col.Type)
		if col.NotNull {
			typ += " not null"
		}
		text := strings.ReplaceAll(col.Comment, "|", "\\|")
		if col.Default != "" {
			text += "; default `" + col.Default + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", col.Name, typ, text)
	}
}

// firstOwn and lastOwn bound the OIDs of the functions that PostgreSQL does not have.
const firstOwn, lastOwn = 9000, 9999

// writeOwnFunctions lists the functions and aggregates that PostgreSQL does not have.
func writeOwnFunctions(b *strings.Builder) {
	b.WriteString("\n## Functions of its own\n\n| function | result | meaning |\n|---|---|---|\n")
	line := func(oid pgtypes.OID, name string, args []pgtypes.OID, result pgtypes.OID, comment string) {
		if oid < firstOwn || oid > lastOwn {
			return
		}
		types := make([]string, len(args))
		for i, a := range args {
			types[i] = pgtypes.FormatType(pgtypes.Of(a))
		}
		fmt.Fprintf(b, "| %s(%s) | %s | %s |\n", name, strings.Join(types, ", "), pgtypes.FormatType(pgtypes.Of(result)), strings.ReplaceAll(comment, "|", `\|`))
	}
	for _, f := range expr.AllFunctions() {
		line(f.OID, f.Name, f.Args, f.Result, f.Comment)
	}
	for _, a := range expr.AllAggregates() {
		line(a.OID, a.Name, a.Args, a.Result, a.Comment+" (aggregate)")
	}
}

// writeBuiltins lists the names of PostgreSQL's functions that there are.
func writeBuiltins(b *strings.Builder) {
	b.WriteString("\n## PostgreSQL's functions\n\nThese are as PostgreSQL 15 documents them; `\\dfS name` shows their arguments.\n")
	operatorCode := make(map[pgtypes.OID]bool)
	for _, o := range expr.AllOperators() {
		operatorCode[o.OID] = true
	}
	list := func(title string, names []string) {
		slices.Sort(names)
		fmt.Fprintf(b, "\n**%s**: %s\n", title, strings.Join(slices.Compact(names), ", "))
	}
	var functions, windows, aggregates []string
	for _, f := range expr.AllFunctions() {
		own := f.OID >= firstOwn && f.OID <= lastOwn
		if !own && !operatorCode[f.OID] {
			functions = append(functions, f.Name)
		}
	}
	for _, f := range expr.AllWindows() {
		windows = append(windows, f.Name)
	}
	for _, a := range expr.AllAggregates() {
		if a.OID < firstOwn || a.OID > lastOwn {
			aggregates = append(aggregates, a.Name)
		}
	}
	list("Functions", functions)
	list("Aggregates", aggregates)
	list("Window functions", windows)
}

func writeSettings(b *strings.Builder) {
	b.WriteString("\n## Settings\n\n`SET`, `SHOW`, `RESET`, `set_config`, and `options=-c name=value` when connecting. " +
		"Those of the gateway itself are in `tael-sql.example.yaml`.\n\n| setting | default | meaning |\n|---|---|---|\n")
	var inert []string
	for _, s := range session.Settings() {
		switch {
		case s.Context == "internal":
			continue
		case s.Inert:
			inert = append(inert, s.Name)
			continue
		}
		fmt.Fprintf(b, "| %s | `%s` | %s |\n", s.Name, cmp.Or(strings.TrimSpace(s.Boot+" "+s.Unit), "''"), s.Description)
	}
	fmt.Fprintf(b, "\nTaken for clients that set them, and without effect: %s.\n", strings.Join(inert, ", "))
}
