package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/session"
	"github.com/tael-sql/tael-sql/tables"
)

// newReference is a hidden sub-command: make docs writes docs/reference.md by it.
func newReference() *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "Print the SQL reference", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), reference())
			return err
		},
	}
}

// firstOwn and lastOwn bound the OIDs of the functions that PostgreSQL does not have.
const firstOwn, lastOwn = 9000, 9999

// reference prints what the catalog says of itself.
func reference() string {
	c := catalog.New(database, user)
	tables.Register(c)
	var b strings.Builder
	b.WriteString("# SQL reference\n\nWritten by `make docs` from the catalog's own comments, which `\\d+` and `\\df+` show, too.\n" +
		"The grammar is PostgreSQL's; what differs is in [differences.md](differences.md).\n")
	for _, part := range []struct {
		title string
		kind  byte
	}{{"Tables", 'r'}, {"Views", 'v'}} {
		fmt.Fprintf(&b, "\n## %s\n", part.title)
		for _, rel := range byName(c.Relations()) {
			if rel.Schema == catalog.PublicSchema && rel.Kind == part.kind {
				writeRelation(&b, rel)
			}
		}
	}
	writeTableFunctions(&b, c)
	writeOwnFunctions(&b)
	writeBuiltins(&b)
	b.WriteString("\n## Settings\n\n`SET`, `SHOW`, `RESET`, `set_config`, and `options=-c name=value` when connecting. " +
		"Those of the gateway itself are in `tael-sql.example.yaml`.\n\n| setting | default | meaning |\n|---|---|---|\n")
	for _, s := range session.Settings() {
		if s.Context == "internal" {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.Name, code(strings.TrimSpace(s.Boot+" "+s.Unit)), escaped(s.Description))
	}
	return b.String()
}

func byName(list []*catalog.Relation) []*catalog.Relation {
	slices.SortFunc(list, func(a, b *catalog.Relation) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// escaped makes text fit a cell of a table.
func escaped(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func writeRelation(b *strings.Builder, rel *catalog.Relation) {
	fmt.Fprintf(b, "\n### %s\n\n%s", rel.Name, rel.Comment)
	if len(rel.PrimaryKey) > 0 {
		var key []string
		for _, at := range rel.PrimaryKey {
			key = append(key, rel.Columns[at].Name)
		}
		fmt.Fprintf(b, " Key: %s.", strings.Join(key, ", "))
	}
	b.WriteString("\n\n| column | type | meaning |\n|---|---|---|\n")
	for _, col := range rel.Columns {
		typ := pgtypes.FormatType(col.Type)
		if col.NotNull {
			typ += ", not null"
		}
		if col.Default != "" {
			typ += ", default " + code(col.Default)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", col.Name, typ, escaped(col.Comment))
	}
}

func writeTableFunctions(b *strings.Builder, c *catalog.Catalog) {
	b.WriteString("\n## Table functions\n\nThey stand in `FROM`. Arguments may be named: `summary(300, at => '2026-01-02 03:04:05Z')`.\n")
	list := c.TableFunctions()
	slices.SortFunc(list, func(x, y catalog.TableFunction) int {
		return strings.Compare(x.Relation().Name, y.Relation().Name)
	})
	for _, f := range list {
		rel := f.Relation()
		var args []string
		for _, a := range f.Args() {
			arg := a.Name + " " + pgtypes.FormatType(a.Type)
			if a.Default != "" {
				arg += " DEFAULT " + a.Default
			}
			args = append(args, arg)
		}
		fmt.Fprintf(b, "\n### %s\n\n```\n%s(%s)\n```\n\n%s\n\n| column | type |\n|---|---|\n", rel.Name, rel.Name, strings.Join(args, ", "), rel.Comment)
		for _, col := range rel.Columns {
			fmt.Fprintf(b, "| %s | %s |\n", col.Name, pgtypes.FormatType(col.Type))
		}
	}
}

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
		fmt.Fprintf(b, "| %s(%s) | %s | %s |\n", name, strings.Join(types, ", "), pgtypes.FormatType(pgtypes.Of(result)), escaped(comment))
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
