package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A block of SQL, with what psql prints of it.
var shownBlock = regexp.MustCompile("(?s)```sql\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

// Every block of SQL in docs/getting-started.md runs, on a new folder and in
// the order of the page, and prints what stands below it.
func TestGettingStarted(t *testing.T) {
	run := psqlOn(t, filepath.Join(t.TempDir(), "data"))
	const file = "../../docs/getting-started.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	out := shownBlock.ReplaceAllStringFunc(string(raw), func(block string) string {
		blocks++
		m := shownBlock.FindStringSubmatch(block)
		got := strings.TrimLeft(run(m[1]), "\n")
		if strings.Contains(got, "ERROR:") {
			t.Errorf("%s\nprints\n%s", m[1], got)
		}
		if got != m[2] && !*rewriteDocs {
			t.Errorf("%s\nprints\n%s\nnot\n%s", m[1], got, m[2])
		}
		if got == "" {
			return "```sql\n" + m[1] + "```\n"
		}
		return "```sql\n" + m[1] + "```\n\n```text\n" + got + "```\n"
	})
	if blocks == 0 {
		t.Error("there is no block of SQL")
	}
	if *rewriteDocs {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
