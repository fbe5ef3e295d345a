package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
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
		t.Error("docs/reference.md is stale: go test ./cmd/tael-sql -run TestReference -rewrite-docs")
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
