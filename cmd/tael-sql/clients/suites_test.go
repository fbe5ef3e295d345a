package clients

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// suites are drivers whose own tests run over the gateway, as go.mod has them.
var suites = []struct {
	name, module string
	packages     []string
}{
	{"pgx", "github.com/jackc/pgx/v5", []string{".", "pgconn", "stdlib", "pgtype"}},
	{"lib/pq", "github.com/lib/pq", []string{"."}},
}

const suitesFile = "testdata/suites.txt"

// racing are tests that pass or fail as the machine is quick: they cancel a
// statement milliseconds after they asked for it, or end a connection in use.
var racing = []string{
	"TestContextCancelBegin", "TestContextCancelExec", "TestContextCancelQuery", "TestPing",
	"TestQueryRowContext", "TestStmtExecContext", "TestStmtQueryContext",
}

// testPatience bounds a test of a suite that runs alone.
const testPatience = 20 * time.Second

// TestSuites runs those tests of drivers' suites that testdata/suites.txt lists:
// they pass, all of them. -rewrite tries the others, too, each alone, and adds
// those that pass; the list only grows.
func TestSuites(t *testing.T) {
	if *binary != "" && !*all {
		t.Skip("make clients runs the drivers' suites")
	}
	raw, err := os.ReadFile(suitesFile)
	if err != nil && !rewrite() {
		t.Fatal(err)
	}
	kept := strings.Fields(string(raw))
	var list []string
	for _, s := range suites {
		client(t, s.name+" suite", func(t *testing.T) string {
			total, passed := 0, 0
			for _, p := range s.packages {
				name := s.name + "/" + p
				test := compileSuite(t, s.module, p)
				every := test.list(t)
				var must []string
				for _, one := range every {
					if slices.Contains(kept, name+":"+one) {
						must = append(must, one)
					}
				}
				good := test.run(t, must, 10*time.Minute)
				for _, one := range must {
					if !slices.Contains(good, one) {
						t.Errorf("%s %s fails:\n%s", name, one, test.log(one))
					}
				}
				if rewrite() {
					for _, one := range every {
						if !slices.Contains(must, one) && !slices.Contains(racing, one) && len(test.run(t, []string{one}, testPatience)) > 0 {
							good = append(good, one)
						}
					}
				}
				slices.Sort(good)
				for _, one := range good {
					list = append(list, name+":"+one)
				}
				total, passed = total+len(every), passed+len(good)
			}
			return fmt.Sprintf("%d of %d tests", passed, total)
		})
	}
	if rewrite() {
		if err := os.WriteFile(suitesFile, []byte(strings.Join(list, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A suite is the compiled tests of a package.
type suite struct {
	program, dir string
	output       []byte // of the last run
}

// compileSuite copies a module out of the cache, which cannot be written to, and
// compiles the tests of a package.
func compileSuite(t *testing.T, module, pkg string) *suite {
	t.Helper()
	home := os.Getenv("CLIENTS_HOME")
	if home == "" {
		home = t.TempDir()
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	from := strings.TrimSpace(string(out))
	to := filepath.Join(home, "suites", filepath.Base(filepath.Dir(from))+"-"+filepath.Base(from))
	if _, err := os.Stat(to); err != nil {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	s := &suite{program: filepath.Join(t.TempDir(), "suite"), dir: filepath.Join(to, pkg)}
	compile := exec.Command("go", "test", "-c", "-vet=off", "-o", s.program, ".")
	compile.Dir, compile.Env = s.dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile %s/%s: %v\n%s", module, pkg, err, out)
	}
	return s
}

// list gives the names of the tests and examples.
func (s *suite) list(t *testing.T) []string {
	t.Helper()
	out, err := s.command(context.Background(), "-test.list", "^(Test|Example)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func (s *suite) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.program, args...)
	dsn := gateway.dsn()
	c.Dir = s.dir
	c.Env = append(gateway.environment(), "PGX_TEST_DATABASE="+dsn, "PGX_TEST_TCP_CONN_STRING="+dsn)
	return c
}

var passedTest = regexp.MustCompile(`(?m)^--- PASS: (\S+)`)

// run runs tests and gives those that passed.
func (s *suite) run(t *testing.T, names []string, patience time.Duration) []string {
	t.Helper()
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := s.command(ctx, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	_ = c.Run() // the output says which tests failed
	s.output = out.Bytes()
	var good []string
	for _, m := range passedTest.FindAllStringSubmatch(out.String(), -1) {
		good = append(good, m[1])
	}
	return good
}

// log is what the last run said of a test.
func (s *suite) log(name string) string {
	at := bytes.Index(s.output, []byte("--- FAIL: "+name+" "))
	if at < 0 {
		at = max(0, len(s.output)-2000)
	}
	return string(s.output[at:min(len(s.output), at+2000)])
}
