package clients

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// captured is a file of statements that real clients sent, each with the
// columns that PostgreSQL 15 gave them.
const captured = "../../../../shared/clients/corpus-dev.jsonl"

// A capture is one statement of the file.
type capture struct {
	ID, Client, Protocol, SQL, Priority string

	Declared []uint32 `json:"declared_param_oids"`
	Expect   struct {
		Columns  [][2]any
		Params   []uint32 `json:"param_oids"`
		Describe []string `json:"pg15_describe_error"`
		Simple   []struct {
			Error string
			Cols  [][2]any
			Tag   string
		} `json:"simple_response"`
	}
}

// gave reports whether PostgreSQL answered with these columns. Several
// statements were captured with the columns of each, or of none.
func (c *capture) gave(columns []string) bool {
	want := [][][2]any{c.Expect.Columns}
	if len(c.Expect.Columns) == 0 && len(c.Expect.Describe) > 0 {
		return true
	}
	if len(c.Expect.Columns) == 0 {
		for _, r := range c.Expect.Simple {
			want = append(want, r.Cols)
		}
	}
	return slices.ContainsFunc(want, func(list [][2]any) bool {
		var names []string
		for _, col := range list {
			names = append(names, fmt.Sprintf("%v:%v", col[0], col[1]))
		}
		return slices.Equal(names, columns)
	})
}

// fails gives the SQLSTATE that PostgreSQL answered, "" if none.
func (c *capture) fails() string {
	for _, r := range c.Expect.Simple {
		if r.Error != "" {
			return r.Error
		}
	}
	if len(c.Expect.Describe) > 0 && !strings.Contains(c.Expect.Describe[1], "multiple commands") {
		return c.Expect.Describe[0]
	}
	return ""
}

// The statements were captured over tables with other columns than the
// gateway's: these stand in for them.
var fixture = map[string]string{
	"spans": `(SELECT trace_id, span_id, parent_span_id, operation AS name, kind, service AS service_name, start_time, end_time,
		duration_ns, duration_ms, status AS status_code, status_message, attributes, resource_attributes AS resource, events,
		ARRAY[kind] AS tags, is_root, NULL::numeric(18,6) AS cost FROM public.spans)`,
	"logs": `(SELECT timestamp AS "time", observed_timestamp AS observed_time, trace_id, span_id, severity_number, severity, body,
		service::varchar(255) AS service_name, attributes, body_ext AS raw FROM public.logs)`,
	"metrics": `(SELECT timestamp AS "time", name AS metric, value, sum, count, unit, attributes AS labels, quantiles, scale::smallint AS kind,
		value::float4 AS v4, timestamp::date AS d, timestamp::time AS t, interval '1 day' AS iv, NULL::uuid AS u, value_int::numeric AS n FROM public.metrics)`,
}

var (
	fixtureRef = regexp.MustCompile(`(?i)\b(FROM|JOIN)(\s+\(?)(?:public\.)?"?(spans|logs|metrics)"?(\s+[a-z_0-9"]+|$)?`)
	objectRef  = regexp.MustCompile(`\{\{oid:public\.(\w+)\}\}`)
	keyword    = regexp.MustCompile(`(?i)^\s*(WHERE|LIMIT|GROUP|ORDER|JOIN|LEFT|INNER|ON|FOR|UNION)?$`)
)

// translate puts the gateway's tables and OIDs into a captured statement.
func translate(sql string, oids map[string]string) string {
	var out strings.Builder
	end := 0
	for _, at := range fixtureRef.FindAllStringSubmatchIndex(sql, -1) {
		if strings.Count(sql[:at[0]], "'")%2 == 1 { // in a string
			continue
		}
		m := fixtureRef.FindStringSubmatch(sql[at[0]:at[1]])
		out.WriteString(sql[end:at[0]] + m[1] + m[2] + fixture[strings.ToLower(m[3])])
		if keyword.MatchString(m[4]) {
			out.WriteString(" AS " + m[3])
		}
		out.WriteString(m[4])
		end = at[1]
	}
	sql = out.String() + sql[end:]
	sql = strings.NewReplacer("'2026-01-01 00:00:00.000000'", "'2023-01-29 00:00:00.000000'", // the days of the rows
		"'2026-01-02 00:00:00.000000'", "'2023-01-30 00:00:00.000000'").Replace(sql)
	sql = strings.ReplaceAll(sql, "'slow_spans'", "'traces'")
	return objectRef.ReplaceAllStringFunc(sql, func(m string) string {
		name := objectRef.FindStringSubmatch(m)[1]
		if name == "slow_spans" {
			name = "traces"
		}
		return cmp.Or(oids[name], "999999")
	})
}

var (
	needsCursor    = regexp.MustCompile(`(?i)^\s*(?:FETCH|MOVE|CLOSE)\b.*?("[^"]+"|\w+)\s*;?\s*$`)
	needsStatement = regexp.MustCompile(`(?i)^\s*(?:EXECUTE|DEALLOCATE)\s+("[^"]+"|\w+)`)
	needsSavepoint = regexp.MustCompile(`(?i)^\s*(?:RELEASE(?:\s+SAVEPOINT)?|ROLLBACK\s+TO(?:\s+SAVEPOINT)?)\s+("[^"]+"|\w+)`)
	takesData      = regexp.MustCompile(`(?i)^\s*COPY\b.*\bFROM\s+STDIN`)
	needsTable     = regexp.MustCompile(`(?i)^\s*DROP TABLE\s+("[^"]+"|\w+)`)
	outside        = regexp.MustCompile(`(?i)^\s*(BEGIN|START|VACUUM|DISCARD|TRUNCATE)\b`)
	setsOutside    = regexp.MustCompile(`(?i)\bBEGIN\b\s*;`)
)

// prelude is what must have gone before a statement.
func prelude(sql string) string {
	if outside.MatchString(sql) || setsOutside.MatchString(sql) {
		return ""
	}
	out := "BEGIN"
	if m := needsCursor.FindStringSubmatch(sql); m != nil && !strings.EqualFold(m[1], "ALL") {
		out += "; DECLARE " + m[1] + " SCROLL CURSOR FOR SELECT span_id FROM public.spans"
	}
	if m := needsStatement.FindStringSubmatch(sql); m != nil && !strings.EqualFold(m[1], "ALL") {
		out += "; PREPARE " + m[1] + "(text, int) AS SELECT span_id FROM public.spans WHERE operation = $1 AND duration_ns > $2"
	}
	if m := needsTable.FindStringSubmatch(sql); m != nil {
		out += "; CREATE TEMP TABLE " + m[1] + " (a int)"
	}
	if m := needsSavepoint.FindStringSubmatch(sql); m != nil {
		out += "; SAVEPOINT " + m[1]
	}
	return out
}

// empty says that PostgreSQL answered with rows where there are none.
func (c *capture) empty(rows int) bool {
	for _, r := range c.Expect.Simple {
		if n, ok := strings.CutPrefix(r.Tag, "SELECT "); ok && n != "0" {
			return rows == 0
		}
	}
	return false
}

// replay runs a statement on a connection and says what is wrong, "" if nothing.
func replay(conn *pgconn.PgConn, c *capture, sql string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if c.fails() == "57014" { // captured with a cancel request
		stop := time.AfterFunc(100*time.Millisecond, func() { _ = conn.CancelRequest(context.Background()) })
		defer stop.Stop()
	}
	var fields []pgconn.FieldDescription
	var params []uint32
	var err error
	rows := -1
	if c.Protocol == "extended" {
		fields, params, err = runExtended(ctx, conn, sql, c.Declared)
	} else {
		fields, rows, err = runSimple(ctx, conn, sql)
	}
	if err != nil {
		e, ok := errors.AsType[*pgconn.PgError](err)
		switch {
		case !ok:
			return err.Error()
		case e.Code == c.fails():
			return ""
		}
		return e.Code + " " + e.Message
	}
	if want := c.fails(); want != "" {
		return "no error " + want
	}
	var got []string
	for _, f := range fields {
		got = append(got, fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID))
	}
	if needsCursor.MatchString(sql) || needsStatement.MatchString(sql) { // over rows of the prelude
		return ""
	}
	if !c.gave(got) {
		return fmt.Sprintf("columns %v, not %v", got, c.Expect.Columns)
	}
	if c.empty(rows) {
		return "no rows"
	}
	declared := slices.ContainsFunc(c.Declared, func(oid uint32) bool { return oid != 0 })
	if c.Expect.Params != nil && !declared && !slices.Equal(params, c.Expect.Params) {
		return fmt.Sprintf("parameters %v, not %v", params, c.Expect.Params)
	}
	return ""
}

// runExtended runs a statement with NULL for every parameter, and takes its
// rows in binary.
func runExtended(ctx context.Context, conn *pgconn.PgConn, sql string, declared []uint32) ([]pgconn.FieldDescription, []uint32, error) {
	st, err := conn.Prepare(ctx, "", sql, declared)
	if err != nil {
		return nil, nil, err
	}
	values := make([][]byte, len(st.ParamOIDs))
	result := conn.ExecPrepared(ctx, "", values, nil, []int16{1}).Read()
	return st.Fields, st.ParamOIDs, result.Err
}

// runSimple gives the columns of the last result that has any, and its rows' number.
func runSimple(ctx context.Context, conn *pgconn.PgConn, sql string) (fields []pgconn.FieldDescription, rows int, err error) {
	if takesData.MatchString(sql) { // none was captured
		_, err := conn.CopyFrom(ctx, strings.NewReader(""), sql)
		return nil, 0, err
	}
	results := conn.Exec(ctx, sql)
	for results.NextResult() {
		r := results.ResultReader()
		if f := r.FieldDescriptions(); len(f) > 0 {
			fields, rows = slices.Clone(f), 0
		}
		for r.NextRow() {
			rows++
		}
		if _, err := r.Close(); err != nil {
			return nil, 0, errors.Join(err, results.Close())
		}
	}
	return fields, rows, results.Close()
}

// Every captured statement gives the columns, types and SQLSTATEs that
// PostgreSQL gave, but those of testdata/captured.txt, which says of each why
// it does not. One that passes is reported, and taken out by -rewrite.
func TestCaptured(t *testing.T) {
	client(t, "captured", func(t *testing.T) string {
		f, err := os.Open(captured)
		if err != nil {
			t.Fatal("the captured statements are missing: ", err)
		}
		defer f.Close()
		known := readKnown(t)
		oids, originals := relationOIDs(t, gateway), relationOIDs(t, postgres)
		pg, tael := open(t, postgres), open(t, gateway)
		total, good := map[string]int{}, map[string]int{}
		must, agree, apart := map[string]int{}, map[string]int{}, 0 // by priority
		var wrong []string
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			c := &capture{}
			if err := json.Unmarshal(lines.Bytes(), c); err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(c.Client, "-4") // pgjdbc-42.5.5
			total[name]++
			sql := translate(c.SQL, oids)
			problem := replayAlone(t, c, sql)
			if problem == "" && c.reads() {
				problem = missingRows(pg, translate(c.SQL, originals), tael, sql)
			}
			if strings.HasSuffix(known[c.ID], "of the captured schema") { // these are no musts
				c.Priority = "should"
			}
			if reason := known[c.ID]; problem != "" && strings.HasPrefix(reason, theirs) {
				apart++
			} else {
				must[c.Priority]++
				if problem == "" {
					agree[c.Priority]++
				}
			}
			reason, excused := known[c.ID]
			switch {
			case problem == "":
				good[name]++
				if excused {
					note("testdata/captured.txt: %s passes now: %s", c.ID, reason)
				}
			case !excused:
				t.Errorf("%s of %s: %s\n\t%s", c.ID, c.Client, problem, strings.ReplaceAll(sql, "\n", "\n\t"))
			}
			if problem != "" {
				wrong = append(wrong, fmt.Sprintf("%s %s\n", c.ID, cmp.Or(reason, problem)))
			}
			delete(known, c.ID)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		for id := range known {
			t.Errorf("testdata/captured.txt names %s, which is not there", id)
		}
		if rewrite() {
			if err := os.WriteFile(knownFile, []byte(knownHead+strings.Join(wrong, "")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		all, passed := 0, 0
		var rates []string
		for _, name := range slices.Sorted(maps.Keys(total)) {
			all, passed = all+total[name], passed+good[name]
			rates = append(rates, fmt.Sprintf("%s %d/%d", name, good[name], total[name]))
		}
		for _, p := range slices.Sorted(maps.Keys(must)) {
			rates = append(rates, fmt.Sprintf("%s: %.1f %%", p, 100*float64(agree[p])/float64(must[p])))
		}
		return fmt.Sprintf("%d of %d statements, %d of them about objects that only PostgreSQL has: %s", passed, all, apart, strings.Join(rates, ", "))
	})
}

func replayAlone(t *testing.T, c *capture, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, gateway.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, prelude(sql)).ReadAll(); err != nil {
		return "before it: " + err.Error()
	}
	return replay(conn, c, sql)
}

const (
	// theirs begins the reason of a statement that asks for objects that only
	// PostgreSQL has, or had when it was captured: neither right nor wrong.
	theirs    = "theirs:"
	knownFile = "testdata/captured.txt"
	knownHead = "# Captured statements that the gateway answers otherwise than PostgreSQL, and why.\n"
)

func readKnown(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(knownFile)
	if err != nil && !rewrite() {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if id, reason, ok := strings.Cut(strings.TrimSpace(line), " "); ok && id != "#" {
			known[id] = reason
		}
	}
	return known
}

// reads reports whether a captured statement can be asked again by itself, for
// its rows: a query without parameters.
func (c *capture) reads() bool {
	return c.fails() == "" && queries.MatchString(c.SQL) && !strings.Contains(c.SQL, "$1") && !strings.Contains(c.SQL, "pg_sleep")
}

var queries = regexp.MustCompile(`(?is)^\s*(SELECT|WITH|VALUES|SHOW|TABLE)\b`)

// missingRows says that PostgreSQL gives rows where the gateway gives none.
func missingRows(pg *pgconn.PgConn, original string, tael *pgconn.PgConn, sql string) string {
	want, got := answer(pg, original), answer(tael, sql)
	if len(want.rows) > 0 && len(got.rows) == 0 {
		return fmt.Sprintf("no rows, where PostgreSQL has %d: %s", len(want.rows), want.rows[0])
	}
	return ""
}

func relationOIDs(t *testing.T, s server) map[string]string {
	t.Helper()
	result := open(t, s).ExecParams(context.Background(),
		"SELECT relname, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace", nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	oids := map[string]string{}
	for _, row := range result.Rows {
		oids[string(row[0])] = string(row[1])
	}
	return oids
}
