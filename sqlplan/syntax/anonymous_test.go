package syntax

import (
	"strings"
	"testing"
)

func TestAnonymous(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT a+1 FROM t -- secret":                            "SELECT a + $ FROM t",
		"ALTER ROLE ann PASSWORD 'secret'":                       "ALTER ROLE ann PASSWORD $",
		"SELECT $$secret$$, $x$secret$x$, E'secret\\n', $1":      "SELECT $ , $ , $ , $1",
		"/* secret */ SELECT U&'secret', N'secret', B'1', X'ff'": "SELECT $ , N $ , $ , $",
		"SELECT 1e5, .5, 0x10, -3, 'a'\n'secret'":                "SELECT $ , $ , $ , - $ , $",
		"INSERT INTO \"T x\" VALUES ('secret', 42)":              "INSERT INTO \"T x\" VALUES ( $ , $ )",
		"SELEC broken 'secret'":                                  "SELEC broken $",
		"":                                                       "",
	} {
		got, ok := Anonymous(text)
		if !ok || strings.ReplaceAll(got, "N $", "$") != strings.ReplaceAll(want, "N $", "$") || strings.Contains(got, "secret") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"SELECT 'secret", "SELECT $$secret", "/* secret"} {
		if got, ok := Anonymous(text); ok || got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
