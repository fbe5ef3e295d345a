package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A program is a client that prints what it got from a server.
type program struct {
	name string
	args []string
	all  bool // only with -all
}

var programs = []program{
	{name: "psycopg3", args: []string{"/usr/bin/python3", "programs/psycopg3_check.py"}},
	{name: "psycopg2", args: []string{"/usr/bin/python3", "programs/psycopg2_check.py"}},
	{name: "pgjdbc", args: []string{"java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar", "programs/Pgjdbc.java"}},
	{name: "node-pg", args: []string{"node", "programs/nodepg.js"}},
	{name: "postgres.js", all: true, args: []string{"node", "programs/postgresjs.js"}},
	{name: "asyncpg", all: true, args: []string{"/usr/bin/python3", "programs/asyncpg_check.py"}},
	{name: "SQLAlchemy", all: true, args: []string{"/usr/bin/python3", "programs/sqlalchemy_check.py"}},
	{name: "DBD::Pg", all: true, args: []string{"perl", "programs/dbdpg.pl"}},
	{name: "PHP", all: true, args: []string{"php", "programs/php.php"}},
	{name: "ruby-pg", all: true, args: []string{"ruby", "programs/rubypg.rb"}},
	{name: "psqlodbc", all: true, args: []string{"bash", "programs/odbc.sh"}},
	{name: "GDAL", all: true, args: []string{"bash", "programs/gdal.sh"}},
	{name: "pg_dump", all: true, args: []string{"bash", "programs/pgdump.sh"}},
	{name: "pgbench", all: true, args: []string{"bash", "programs/pgbench.sh"}},
}

// output runs a program against a server and gives what it printed.
func (p program) output(s server) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Env = append(s.environment(), "NODE_PATH="+filepath.Join(os.Getenv("CLIENTS_HOME"), "node_modules"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Each program prints over the gateway what it prints over a PostgreSQL with
// the same rows.
func TestPrograms(t *testing.T) {
	for _, p := range programs {
		if p.all && !*all {
			continue
		}
		client(t, p.name, func(t *testing.T) string {
			want, err := p.output(postgres)
			if err != nil {
				t.Fatalf("over PostgreSQL: %v\n%s", err, want)
			}
			got, err := p.output(gateway)
			if err != nil {
				t.Errorf("over the gateway: %v", err)
			}
			if got != want {
				t.Errorf("differs from PostgreSQL (-) on the gateway (+):\n%s", difference(want, got))
			}
			return fmt.Sprintf("%d lines as over PostgreSQL", strings.Count(want, "\n"))
		})
	}
}

// difference prints the lines that two texts do not share.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for len(a) > 0 || len(b) > 0 {
		if len(a) > 0 && len(b) > 0 && a[0] == b[0] {
			a, b = a[1:], b[1:]
			continue
		}
		i, j := resume(a, b)
		for _, line := range a[:i] {
			fmt.Fprintln(&out, "-", line)
		}
		for _, line := range b[:j] {
			fmt.Fprintln(&out, "+", line)
		}
		a, b = a[i:], b[j:]
	}
	return out.String()
}

// resume finds the nearest lines from which two texts go on alike.
func resume(a, b []string) (i, j int) {
	for sum := 1; sum <= len(a)+len(b); sum++ {
		for i := range min(sum, len(a)) + 1 {
			if j := sum - i; j <= len(b) && slices.Equal(a[i:min(i+1, len(a))], b[j:min(j+1, len(b))]) {
				return i, j
			}
		}
	}
	return len(a), len(b)
}
