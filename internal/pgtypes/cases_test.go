package pgtypes_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// The files of testdata hold cases whose last fields PostgreSQL 15 gave. With
// PGORACLE set to a connection string, every case is compared with that server
// too; with -rewrite as well, the server's answers replace those of the files.
var rewrite = flag.Bool("rewrite", false, "replace expectations by the answers of the server of PGORACLE")

// A caseFile runs one file of cases: fields separated by " | ", the first n
// being the question and the rest the answer. A line "~ reason" says that our
// answer to the next one differs, and why it may.
type caseFile struct {
	name   string
	n      int
	ours   func(style *pgtypes.TextStyle, q []string) ([]string, error)
	theirs func(conn *pgconn.PgConn, q []string) ([]string, error)
}

func (f caseFile) run(t *testing.T) {
	path := "testdata/" + f.name
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	conn := oracle(t)
	style := &pgtypes.TextStyle{}
	var out strings.Builder
	number := 0
	differs := "" // why the next case differs
	scan := bufio.NewScanner(strings.NewReader(string(content)))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		number++
		line := scan.Text()
		if settings, ok := strings.CutPrefix(line, "set "); ok {
			style = styleOf(t, settings)
			if conn != nil {
				applySettings(t, conn, settings)
			}
		}
		if reason, ok := strings.CutPrefix(line, "~ "); ok {
			differs = reason
			out.WriteString(line + "\n")
			continue
		}
		if line == "" || line[0] == '#' || strings.HasPrefix(line, "set ") {
			out.WriteString(line + "\n")
			continue
		}
		fields := strings.Split(line, " | ")
		for i, w := range fields {
			if strings.HasPrefix(w, `"`) {
				if fields[i], err = strconv.Unquote(w); err != nil {
					t.Fatalf("%s:%d: field %d: %v", path, number, i, err)
				}
			}
		}
		if len(fields) < f.n {
			t.Fatalf("%s:%d: %d fields, want %d or more", path, number, len(fields), f.n)
		}
		question, want := fields[:f.n], fields[f.n:]
		if conn != nil {
			answer := answerOf(f.theirs(conn, question))
			if *rewrite {
				want = answer
			} else if strings.Join(answer, " | ") != strings.Join(want, " | ") {
				t.Errorf("%s:%d: %s: PostgreSQL gives %q, the file says %q", path, number, line, answer, want)
			}
		}
		got := answerOf(f.ours(style, question))
		same := strings.Join(got, " | ") == strings.Join(want, " | ")
		if differs != "" {
			if same {
				t.Errorf("%s:%d: %s: no difference any more: %s", path, number, line, differs)
			}
			differs = ""
		} else if !same {
			t.Errorf("%s:%d: %s\n got  %s\n want %s", path, number, strings.Join(question, " | "), strings.Join(got, " | "), strings.Join(want, " | "))
		}
		for i, w := range append(question[:f.n:f.n], want...) {
			if i > 0 {
				out.WriteString(" | ")
			}
			out.WriteString(quoteField(w))
		}
		out.WriteByte('\n')
	}
	if *rewrite && conn != nil {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// quoteField writes a field so that it survives an editor.
func quoteField(w string) string {
	plain := w != "" && w[0] != '"' && w[0] != ' ' && w[len(w)-1] != ' ' && !strings.Contains(w, " | ")
	for _, r := range w {
		plain = plain && strconv.IsPrint(r) && r != '\ufffd'
	}
	if plain {
		return w
	}
	return strconv.Quote(w)
}

// answerOf turns an error into "! SQLSTATE message".
func answerOf(fields []string, err error) []string {
	var theirs *pgconn.PgError
	if errors.As(err, &theirs) {
		return []string{"! " + theirs.Code + " " + theirs.Message}
	}
	if err != nil {
		e := pgerr.From(err)
		return []string{"! " + string(e.Code) + " " + e.Message}
	}
	return fields
}

func oracle(t *testing.T) *pgconn.PgConn {
	dsn := os.Getenv("PGORACLE")
	if dsn == "" {
		return nil
	}
	conn, err := pgconn.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	applySettings(t, conn, "TimeZone=UTC DateStyle=ISO,MDY IntervalStyle=postgres extra_float_digits=1 bytea_output=hex")
	return conn
}

func applySettings(t *testing.T, conn *pgconn.PgConn, settings string) {
	t.Helper()
	for w := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(w, "=")
		if _, err := conn.Exec(context.Background(), fmt.Sprintf("SET %s = '%s'", name, value)).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
}

// styleOf reads settings; those not named have their default. A line of the
// file therefore names all that an earlier line changed.
func styleOf(t *testing.T, settings string) *pgtypes.TextStyle {
	t.Helper()
	s := &pgtypes.TextStyle{}
	for w := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "DateStyle":
			s.DateStyle, s.DateOrder, _ = strings.Cut(value, ",")
		case "TimeZone":
			loc, err := time.LoadLocation(value)
			if err != nil {
				t.Fatal(err)
			}
			s.Location = loc
		case "IntervalStyle":
			s.IntervalStyle = value
		case "extra_float_digits":
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			s.Digits = &n
		case "bytea_output":
			s.ByteaEscape = value == "escape"
		default:
			t.Fatalf("unknown setting %s", name)
		}
	}
	return s
}

// typeNamed reads a type with its modifier: varchar(3), numeric(5,2).
func typeNamed(name string) (pgtypes.Type, error) {
	oid, ok := pgtypes.ByName(name)
	if name == `"char"` {
		oid, ok = pgtypes.Char, true
	}
	if !ok {
		return pgtypes.Type{}, fmt.Errorf("no type %s", name)
	}
	t := pgtypes.Of(oid)
	_, args, ok := strings.Cut(name, "(")
	if !ok {
		return t, nil
	}
	args, _, _ = strings.Cut(args, ")")
	var n []int
	for w := range strings.SplitSeq(args, ",") {
		i, err := strconv.Atoi(w)
		if err != nil {
			return t, err
		}
		n = append(n, i)
	}
	base := oid
	if pgtypes.IsArray(oid) {
		base = pgtypes.ElemOf(oid)
	}
	switch base {
	case pgtypes.Varchar, pgtypes.Bpchar:
		t.Mod = int32(n[0] + 4)
	case pgtypes.Numeric:
		n = append(n, 0)
		t.Mod = int32(n[0]<<16|n[1]&0x7ff) + 4
	case pgtypes.IntervalOID:
		t.Mod = int32(0x7fff<<16 | n[0])
	default:
		t.Mod = int32(n[0])
	}
	return t, nil
}

// ask runs a query with parameters in text form and gives its first row, as
// text or in binary.
func ask(conn *pgconn.PgConn, query string, params []string, oids []uint32, binary bool) ([]string, error) {
	values := make([][]byte, len(params))
	for i, p := range params {
		values[i] = []byte(p)
	}
	format := []int16{0}
	if binary {
		format[0] = 1
	}
	res := conn.ExecParams(context.Background(), query, values, oids, nil, format).Read()
	if res.Err != nil {
		return nil, res.Err
	}
	var out []string
	for _, v := range res.Rows[0] {
		if v == nil {
			out = append(out, "NULL")
		} else {
			out = append(out, string(v))
		}
	}
	return out, nil
}
