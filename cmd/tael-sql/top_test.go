package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// One frame has every section; of two, the second has rates.
func TestTop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	t.Cleanup(func() { stopGateway(t, g, dir) })
	conn := connect(t, g)
	insert := "INSERT INTO logs (body) SELECT 'b' FROM generate_series(1, 500)"
	ask(conn, insert)
	ask(conn, "CHECKPOINT /* \x1b[31m red */")
	cmd := newTop()
	cmd.SetArgs([]string{"--once", "--data-dir", dir})
	var out bytes.Buffer
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`^tael-sql  \d\d:\d\d:\d\d  connections \d.*  memory [\d.]+ MB`, `\nlogs +hot +1 +0 .* 500\n`, `\n\d+ +tael +idle .* CHECKPOINT /`, `\nflush +done .* 500 +500`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a statement steers the terminal: %q", &out)
	}
	top := &top{seen: map[string]int64{"logs": 100}, at: time.Now()}
	if got := top.rate("logs", "300", top.at.Add(2*time.Second)); got != "100" {
		t.Errorf("%s rows a second", got)
	}
	out.Reset()
	if err := top.frame(t.Context(), conn, &out, 20); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 21 {
			t.Errorf("%q is wider than 20", line)
		}
	}
}

// The shells take the scripts, and the scripts' questions are answered.
func TestCompletion(t *testing.T) {
	run := func(args ...string) string {
		t.Helper()
		root := newRoot()
		root.SetArgs(args)
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := run("completion", shell)
		if !strings.Contains(script, "tael-sql") {
			t.Errorf("%s: %s", shell, script)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("no %s here", shell)
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", shell, err, out)
		}
	}
	for _, c := range [][2]string{
		{"ex", "export"},
		{"export --sig", "--signal"},
		{"export --signal ", "metrics"},
		{"import --format ", "jaeger"},
		{"import --signal t", "traces"},
		{"restore --data-dir ", ":16"},
	} {
		if got := run(append([]string{"__complete"}, strings.Split(c[0], " ")...)...); !strings.Contains(got, c[1]) {
			t.Errorf("%q is completed by %q", c[0], got)
		}
	}
}
