package clients

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func psql(file string) program {
	return program{args: []string{"psql", "-X", "-q", "-f", "testdata/psql/" + file}}
}

// psql prints the same of both servers where they hold the same, and no
// command of it fails.
func TestPsql(t *testing.T) {
	client(t, "psql", func(t *testing.T) string {
		same := psql("same.sql")
		want, err := same.output(postgres)
		if err != nil {
			t.Fatalf("over PostgreSQL: %v\n%s", err, want)
		}
		got, err := same.output(gateway)
		if err != nil {
			t.Errorf("over the gateway: %v", err)
		}
		if got != want {
			t.Errorf("differs from PostgreSQL (-) on the gateway (+):\n%s", difference(want, got))
		}
		out, err := psql("commands.sql").output(gateway)
		if err != nil {
			t.Error(err)
		}
		commands, err := os.ReadFile("testdata/psql/commands.sql")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(commands), "\n")
		for line := range strings.Lines(out) {
			at, message, found := strings.Cut(line, ": ERROR:")
			if !found {
				continue
			}
			n := 0
			fmt.Sscanf(at[strings.LastIndexByte(at, ':')+1:], "%d", &n)
			t.Errorf("%s:%s", lines[n-1], strings.TrimRight(message, "\n"))
		}
		return fmt.Sprintf("%d lines as over PostgreSQL, %d commands", strings.Count(want, "\n"), strings.Count(string(commands), "\n\\"))
	})
}
