package expr

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// TestFormat holds the formatting functions against testdata/format.txt:
// function | type of the first argument | its text | template | answer.
// The answers are PostgreSQL's: -oracle compares, -rewrite replaces them.
func TestFormat(t *testing.T) {
	const path = "testdata/format.txt"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	conn := formatOracle(t)
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	env := &Env{Ctx: t.Context(), Style: &pgtypes.TextStyle{Location: loc}}
	var out strings.Builder
	number := 0
	scan := bufio.NewScanner(strings.NewReader(string(content)))
	for scan.Scan() {
		number++
		line := scan.Text()
		if line == "" || line[0] == '#' {
			out.WriteString(line + "\n")
			continue
		}
		f := strings.Split(line, "|")
		if len(f) < 4 {
			t.Fatalf("%s:%d: too few fields", path, number)
		}
		want := strings.Join(f[4:], "|")
		if conn != nil {
			answer := theirFormat(conn, f)
			if !*rewrite && answer != want {
				t.Errorf("%s:%d: %s: PostgreSQL gives %s", path, number, line, answer)
			}
			want = answer
		}
		if got := ourFormat(t, env, f); got != want {
			t.Errorf("%s:%d: %s\n got  %s\n want %s", path, number, strings.Join(f[:4], "|"), got, want)
		}
		out.WriteString(strings.Join(append(f[:4:4], want), "|") + "\n")
	}
	if conn != nil && *rewrite {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func formatOracle(t *testing.T) *pgconn.PgConn {
	if *oracle == "" {
		return nil
	}
	conn, err := pgconn.Connect(context.Background(), *oracle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(t.Context(), "SET TimeZone = 'America/New_York'").ReadAll(); err != nil {
		t.Fatal(err)
	}
	return conn
}

func theirFormat(conn *pgconn.PgConn, f []string) string {
	res := conn.ExecParams(context.Background(), "select "+f[0]+"($1::"+f[1]+", $2::text)",
		[][]byte{[]byte(f[2]), []byte(f[3])}, nil, nil, nil).Read()
	var e *pgconn.PgError
	if errors.As(res.Err, &e) {
		return "! " + e.Code + " " + e.Message
	}
	if res.Err != nil {
		return res.Err.Error()
	}
	if res.Rows[0][0] == nil {
		return "NULL"
	}
	return strconv.Quote(string(res.Rows[0][0]))
}

func ourFormat(t *testing.T, env *Env, f []string) string {
	t.Helper()
	oid, ok := pgtypes.ByName(f[1])
	if !ok {
		t.Fatalf("no type %s", f[1])
	}
	v, err := pgtypes.DecodeText(pgtypes.Of(oid), f[2], env.Style)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range Functions(f[0]) {
		if len(fn.Args) != 2 || fn.Args[0] != oid {
			continue
		}
		got, err := fn.Row(env, &Call{Fn: fn}, []any{v, f[3]})
		if err != nil {
			e := pgerr.From(err)
			return "! " + string(e.Code) + " " + e.Message
		}
		if got == nil {
			return "NULL"
		}
		text, err := pgtypes.AppendText(nil, pgtypes.Of(fn.Result), got, env.Style)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.Quote(string(text))
	}
	t.Fatalf("no function %s(%s, text)", f[0], f[1])
	return ""
}
