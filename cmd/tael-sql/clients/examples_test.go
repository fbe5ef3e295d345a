package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// An interpreter runs the blocks of a language, from a file of a name.
type interpreter struct {
	file string
	args []string
}

var interpreters = map[string]interpreter{
	"sh":     {"example.sh", []string{"bash", "-e", "-o", "pipefail"}},
	"go":     {"example.go", []string{"go", "run"}},
	"python": {"example.py", []string{"/usr/bin/python3"}},
	"js":     {"example.js", []string{"node"}},
	"java":   {"Example.java", []string{"java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar"}},
	"perl":   {"example.pl", []string{"perl"}},
	"php":    {"example.php", []string{"php"}},
	"ruby":   {"example.rb", []string{"ruby"}},
	"sql":    {"example.sql", []string{"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"}},
}

var (
	exampleBlock = regexp.MustCompile("(?ms)^### ([^\n]*)\n(.*?)^```(\\w+)\n(.*?)^```$")
	aNumber      = regexp.MustCompile(`\d+`)
)

// Each example of docs/clients.md, run as it stands but for the address, prints
// how many spans there are.
func TestExamples(t *testing.T) {
	if !*all {
		t.Skip("-all has the programs")
	}
	page, err := os.ReadFile("../../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), gateway.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var spans string
	if err := conn.QueryRow(t.Context(), "SELECT count(*)::text FROM spans").Scan(&spans); err != nil {
		t.Fatal(err)
	}
	blocks := exampleBlock.FindAllSubmatch(page, -1)
	if headings := bytes.Count(page, []byte("\n### ")); len(blocks) != headings {
		t.Errorf("%d examples under %d headings", len(blocks), headings)
	}
	for _, b := range blocks {
		name, language, text := string(b[1]), string(b[3]), string(b[4])
		client(t, name, func(t *testing.T) string {
			out, err := runExample(t, language, text)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, n := range aNumber.FindAllString(out, -1) {
				if n == spans {
					return "the example of docs/clients.md"
				}
			}
			t.Fatalf("%s is not in what it prints:\n%s", spans, out)
			return ""
		})
	}
}

func runExample(t *testing.T, language, text string) (string, error) {
	t.Helper()
	in, ok := interpreters[language]
	if !ok {
		t.Fatalf("nothing runs %s", language)
	}
	file := filepath.Join(t.TempDir(), in.file)
	text = strings.NewReplacer("127.0.0.1", gateway.host, "5433", gateway.port).Replace(text)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, in.args[0], append(in.args[1:len(in.args):len(in.args)], file)...)
	cmd.Env = os.Environ()
	if language == "sql" { // asked of PostgreSQL
		cmd.Env = postgres.environment()
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8", "NODE_PATH="+filepath.Join(os.Getenv("CLIENTS_HOME"), "node_modules"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
