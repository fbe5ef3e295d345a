package session

import (
	"context"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

var (
	oracle  = flag.String("oracle", "", "connection string of a PostgreSQL 15 to compare with")
	rewrite = flag.Bool("rewrite", false, "rewrite settings.txt from the oracle")
)

// settings.txt is PostgreSQL 15's for the settings that exist.
func TestDetails(t *testing.T) {
	if *oracle == "" {
		t.Skip("no -oracle")
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var text string
	err = conn.QueryRow(ctx, `
SELECT string_agg(concat_ws(E'\t', name, coalesce(unit, ''), category, context, vartype, coalesce(min_val, ''), coalesce(max_val, ''),
  coalesce(array_to_string(enumvals, ','), ''), short_desc) || E'\n', '' ORDER BY lower(name) COLLATE "C")
FROM pg_settings WHERE lower(name) = ANY ($1)`, slices.Sorted(maps.Keys(defaults))).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case text == detailsText:
	case *rewrite:
		if err := os.WriteFile("settings.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("settings.txt differs from the oracle's; run with -rewrite")
	}
}

// Every value that a setting has at first can be set, and stays as it is.
func TestDefaults(t *testing.T) {
	for name, d := range defaults {
		if d.fixed || d.value == "" {
			continue
		}
		s := newSettings(nil)
		if err := s.set(name, d.value, false, false); err != nil {
			t.Errorf("%s = %s: %v", name, d.value, err)
		} else if got := s.get(name); got != d.value {
			t.Errorf("%s = %s becomes %s", name, d.value, got)
		}
		if shown, _ := s.display(name); !strings.EqualFold(shown, d.value) && details()[name].Unit == "" {
			t.Errorf("%s = %s is shown as %s", name, d.value, shown)
		}
	}
}
