package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rewriting is datadriven's -rewrite.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// docs/reference.md is what the catalog says now.
func TestReference(t *testing.T) {
	const file = "../../docs/reference.md"
	if rewriting() {
		if err := os.WriteFile(file, []byte(reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != reference() {
		t.Error("docs/reference.md is stale: make docs")
	}
}

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
		if got != m[2] && !rewriting() {
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
	if rewriting() {
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
