package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// needPsql finds the psql of PostgreSQL 15: what it asks the catalog, and how
// it prints, differs from version to version.
func needPsql(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("psql")
	version := ""
	if err == nil {
		raw, _ := exec.Command(path, "--version").Output()
		version = string(raw)
	}
	if !strings.Contains(version, " 15.") {
		if os.Getenv("CI") == "true" {
			t.Fatalf("psql 15 is missing: %v %s", err, version)
		}
		t.Skipf("psql 15 is missing: %v %s", err, version)
	}
	return path
}

// volatile is what differs from run to run in psql's output.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`port "\d+"`), `port "PORT"`},
	{regexp.MustCompile(`Time: [\d.]+ ms`), "Time: N ms"},
	{regexp.MustCompile(`[ \t]+\n`), "\n"},
}

// psqlOn starts a gateway on a folder and gives a function that runs a script
// in psql: what it prints, without what differs from run to run.
func psqlOn(t *testing.T, dir string, options ...string) func(script string) string {
	t.Helper()
	program := needPsql(t)
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	host, port, err := net.SplitHostPort(g.endpoints.PG)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	return func(script string) string {
		cmd := exec.Command(program, append([]string{"-X", "-q"}, options...)...)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + home, "PGHOST=" + host, "PGPORT=" + port, "PGUSER=" + user, "PGDATABASE=" + database,
			"PGSSLMODE=disable", "LC_ALL=C.UTF-8", "TZ=UTC", "PAGER=cat",
		}
		cmd.Stdin = strings.NewReader(script)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run() // a failed statement is part of the transcript
		text := strings.TrimRight(out.String(), "\n") + "\n"
		for _, v := range volatile {
			text = v.pattern.ReplaceAllString(text, v.with)
		}
		return text
	}
}

// The transcripts of testdata/psql are what psql 15 prints of the gateway.
func TestPsql(t *testing.T) {
	run := psqlOn(t, filepath.Join(t.TempDir(), "data"), "-P", "null=∅")
	setup, err := os.ReadFile("testdata/psql.sql")
	if err != nil {
		t.Fatal(err)
	}
	if out := run(string(setup)); out != "\n" {
		t.Fatal(out)
	}
	datadriven.Walk(t, "testdata/psql", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string { return run(d.Input + "\n") })
	})
}

// Every statement that psql 15 completes words with is answered.
func TestCompletions(t *testing.T) {
	raw, err := os.ReadFile("testdata/completions.sql")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer stopGateway(t, g, dir)
	conn := connect(t, g)
	answered := 0
	for statement := range strings.SplitSeq(string(raw), "\n\n") {
		results, err := conn.PgConn().Exec(t.Context(), statement).ReadAll()
		if err != nil {
			t.Errorf("%s\n%v", statement, err)
			continue
		}
		if len(results[0].Rows) > 0 {
			answered++
		}
	}
	if answered < 45 { // the others ask for kinds of objects that there are none of
		t.Errorf("only %d have rows", answered)
	}
}
