package clients

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	generated = flag.Int("generated", 0, "number of generated queries; 400, or 20000 with -all, if 0")
	seed      = flag.Uint64("seed", 0, "seed of the generated queries; if 0, 1, or of the clock with -all")
)

var spanColumns = []column{
	{"service", "text"},
	{"operation", "text"},
	{"kind", "text"},
	{"status", "text"},
	{"duration_ms", "float8"},
	{"duration_ns", "int8"},
	{"start_time", "timestamptz"},
	{"end_time", "timestamptz"},
	{"is_root", "bool"},
	{"parent_span_id", "text"},
	{"attributes", "jsonb"},
	{"resource_attributes", "jsonb"},
	{"http_status_code", "int4"},
	{"dropped_events_count", "int4"},
	{"http_method", "text"},
	{"trace_id", "text"},
	{"span_id", "text"},
}

var logColumns = []column{
	{"severity", "text"},
	{"severity_number", "int4"},
	{"body", "text"},
	{"service", "text"},
	{"timestamp", "timestamptz"},
	{"time_unix_nano", "int8"},
	{"trace_id", "text"},
	{"attributes", "jsonb"},
	{"log_id", "int8"},
	{"exception_type", "text"},
}

var metricColumns = []column{
	{"name", "text"},
	{"service", "text"},
	{"metric_type", "text"},
	{"value", "float8"},
	{"value_int", "int8"},
	{"is_monotonic", "bool"},
	{"timestamp", "timestamptz"},
	{"start_time", "timestamptz"},
	{"unit", "text"},
	{"k8s_pod", "text"},
	{"scale", "int4"},
	{"attributes", "jsonb"},
	{"series_id", "text"},
}

// source is what a query reads: rows of its own, or of a telemetry table.
func (g *generator) source(alias string) (from *part, columns []column, keys string) {
	qualify := func(in []column) {
		for _, c := range in {
			columns = append(columns, column{alias + "." + c.name, c.typ})
		}
	}
	switch g.rng.IntN(8) {
	case 0, 1:
		from = &part{}
		names := "id"
		for row := range 1 + g.rng.IntN(6) {
			values, text := &part{spare: row > 0}, "("
			if row > 0 {
				text = ", ("
			}
			text += strconv.Itoa(row)
			for i, typ := range types {
				values.add(text+", ", g.literal(typ))
				text = ""
				if row == 0 {
					text = "::" + sqlType(typ)
					names += fmt.Sprintf(", c%d", i)
					columns = append(columns, column{fmt.Sprintf("%s.c%d", alias, i), typ})
				}
			}
			values.text[len(values.text)-1] = text + ")"
			from.add("", values)
		}
		from.text[0] = "(VALUES "
		from.text[len(from.text)-1] = ") " + alias + "(" + names + ")"
		return from, append(columns, column{alias + ".id", "int4"}), alias + ".id"
	case 2:
		qualify([]column{{"id", "int4"}, {"i", "int4"}, {"l", "int8"}, {"f", "float8"}, {"n", "numeric"}, {"t", "text"}, {"b", "bool"}, {"d", "date"}, {"tz", "timestamptz"}})
		return word("(SELECT id, id % 5 AS i, id::int8 * 1000003 AS l, id::float8 / 4 AS f, id / 8.0 AS n, chr(96 + abs(id) % 7) AS t, nullif(id % 3, 0) = 1 AS b, " +
			"date '2024-02-27' + id AS d, timestamptz '2024-02-27' + id * interval '1 hour' AS tz FROM generate_series(-4, " + strconv.Itoa(5+g.rng.IntN(30)) + ") id) " + alias), columns, alias + ".id"
	case 3, 4, 5:
		qualify(spanColumns)
		keys = alias + ".trace_id, " + alias + ".span_id"
		return word(pick(g, []string{"spans ", "spans ", "(SELECT * FROM spans WHERE trace_id < '1') ", "(SELECT * FROM spans WHERE kind = 'server' AND duration_ms > 20) "}) + alias), columns, keys
	case 6:
		qualify(logColumns)
		return word(pick(g, []string{"logs ", "(SELECT * FROM logs WHERE severity <> 'info' OR log_id % 10 = 0) "}) + alias), columns, alias + ".log_id"
	}
	qualify(metricColumns)
	return word("(SELECT * FROM metrics WHERE service LIKE 'ts-o%') " + alias), columns, alias + ".name, " + alias + ".series_id, " + alias + ".timestamp"
}

func spare(p *part) *part { p.spare = true; return p }

// clause is an optional clause.
func clause(text string, kid *part) *part {
	p := &part{spare: true}
	p.add(text, kid)
	return p
}

// A query is a generated statement.
type query struct {
	*part
	ordered bool // by all of its columns
	grouped bool // which of several equal values it prints is open
	// The pieces of a plain one, for checks of the gateway against itself.
	from, where *part
}

// selectList puts n items after SELECT.
func (g *generator) selectList(q *part, n int, item func() *part) {
	for i := range n {
		if i == 0 {
			q.add("", item())
		} else {
			q.add("", clause(", ", item()))
		}
	}
}

func (g *generator) any() *part { return g.expression(pick(g, types), 1+g.rng.IntN(3)) }

func (g *generator) query() query {
	g.columns, g.keys = nil, "1"
	q := query{part: &part{text: []string{""}}}
	if g.one(5) { // of constants
		q.add("SELECT ", word(""))
		g.selectList(q.part, 1+g.rng.IntN(4), g.any)
		return q
	}
	from, columns, keys := g.source("a")
	g.columns, g.keys = columns, keys
	if g.one(5) {
		right, more, rightKeys := g.source("b")
		joined := &part{}
		joined.add("", from)
		joined.add(pick(g, []string{" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "}), right)
		joined.add(" ON ", word(g.equal(columns, more)))
		g.columns = append(slices.Clone(columns), more...)
		if g.one(2) && !strings.Contains(joined.text[1], "FULL") {
			joined.add("", clause(" AND ", g.expression("bool", 2)))
		}
		from, g.keys = joined, keys+", "+rightKeys
	}
	where := g.expression("bool", 1+g.rng.IntN(3))
	if g.one(4) {
		where = g.subquery(where)
	}
	q.from, q.where = from, where
	n := 1 + g.rng.IntN(4)
	rest := func() {
		q.add(" FROM ", from)
		if !g.one(4) {
			q.add("", clause(" WHERE ", where))
		}
	}
	switch g.rng.IntN(7) {
	case 0, 1:
		q.add("SELECT ", word(""))
		g.selectList(q.part, n, g.any)
		rest()
		g.order(&q, n, true)
	case 2:
		q.grouped = true
		q.add("SELECT DISTINCT ", word(""))
		g.selectList(q.part, n, g.any)
		rest()
		g.order(&q, n, true)
	case 3, 4:
		q.grouped = true
		keys, rollup := g.rng.IntN(3), false
		q.add("SELECT ", word(""))
		i := 0
		g.selectList(q.part, keys+n, func() *part {
			if i++; i <= keys {
				return g.expression(pick(g, compared), 1+g.rng.IntN(2))
			}
			return g.call(g.aggregates)
		})
		rest()
		if keys > 0 {
			q.add(pick(g, []string{" GROUP BY 1", " GROUP BY ROLLUP (1", " GROUP BY 1"}), word(""))
			if keys > 1 {
				q.add(", 2", word(""))
			}
			if rollup = strings.Contains(q.String(), "ROLLUP (1"); rollup {
				q.add(")", word(""))
			}
		}
		if g.one(4) {
			q.add("", clause(" HAVING ", g.fill(pick(g, g.aggregates["bool"]), "bool", "int4", 2)))
		}
		if !rollup || g.one(2) {
			g.order(&q, keys+n, !rollup)
		}
	case 5:
		q.grouped = true
		q.add("SELECT ", word(""))
		g.selectList(q.part, n, func() *part { return g.call(g.windows) })
		rest()
		g.order(&q, n, true)
	default:
		q.grouped = true
		typ := pick(g, types)
		q.add("SELECT ", g.expression(typ, 2))
		rest()
		for range 1 + g.rng.IntN(2) {
			q.add(pick(g, []string{" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " EXCEPT ALL ", " INTERSECT ALL "})+"SELECT ", g.expression(typ, 1))
			q.add(" FROM ", from)
		}
		g.order(&q, 1, true)
	}
	return q
}

// equal compares two columns of one type.
func (g *generator) equal(a, b []column) string {
	for range 50 {
		x, y := pick(g, a), pick(g, b)
		if x.typ == y.typ && slices.Contains(compared, x.typ) && x.typ != "bool" {
			return x.name + " = " + y.name
		}
	}
	return "true"
}

// subquery makes a condition of rows of another table.
func (g *generator) subquery(where *part) *part {
	outer, keys := g.columns, g.keys
	defer func() { g.columns, g.keys = outer, keys }()
	from, columns, _ := g.source("x")
	p := &part{typ: "bool"}
	switch g.rng.IntN(3) {
	case 0:
		g.columns = append(slices.Clone(outer), columns...)
		p.add(pick(g, []string{"EXISTS", "NOT EXISTS"})+" (SELECT 1 FROM ", from)
		p.add(" WHERE "+g.equal(outer, columns)+" AND ", g.expression("bool", 1))
	case 1:
		typ := pick(g, compared)
		p.add("", g.expression(typ, 1))
		g.columns = columns
		p.add(pick(g, []string{" IN (SELECT ", " NOT IN (SELECT ", " > ALL (SELECT ", " <> ALL (SELECT ", " = ANY (SELECT "}), g.expression(typ, 1))
		p.add(" FROM ", from)
	default:
		p.add("", g.expression("int8", 1))
		p.add(" < (SELECT count(*) FROM ", from)
		p.add(" WHERE ", word(g.equal(outer, columns)))
	}
	p.text[len(p.text)-1] += ")"
	both := &part{typ: "bool"}
	both.add("(", where)
	both.add(pick(g, []string{" AND ", " OR "}), p)
	both.text[2] = ")"
	return both
}

// order sorts by all of n columns, which makes a limit safe; but PostgreSQL 15
// does not sort by a constant key of ROLLUP, as if that were not NULL in some rows.
func (g *generator) order(q *query, n int, safe bool) {
	if g.one(2) {
		return
	}
	q.ordered = safe
	text := " ORDER BY 1"
	for i := 2; i <= n; i++ {
		text += fmt.Sprintf(", %d%s", i, pick(g, []string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}))
	}
	if safe && g.one(2) {
		q.grouped = true
		text += fmt.Sprintf(" LIMIT %d", g.rng.IntN(20))
		if g.one(3) {
			text += fmt.Sprintf(" OFFSET %d", g.rng.IntN(4))
		}
	}
	q.add("", spare(word(text)))
}

// pair is a connection to each server, made anew when it is lost.
type pair struct {
	t        *testing.T
	pg, tael *pgconn.PgConn

	// lazy is PostgreSQL again, in a database whose functions are STABLE, so
	// that it computes no constant that no row asks for.
	lazy   *pgconn.PgConn
	folded int // queries that fail in PostgreSQL only because it does
}

const limit, patience = "SET statement_timeout = '5s'", "SET statement_timeout = '20s'"

func (p *pair) connect() {
	if p.pg == nil {
		p.pg = open(p.t, postgres)
		answer(p.pg, limit)
	}
	if p.tael == nil || p.tael.IsClosed() {
		p.tael = open(p.t, gateway)
		answer(p.tael, patience)
	}
}

// differs compares the answers to a query; "" if they agree.
func (p *pair) differs(q query) string {
	p.connect()
	sql := q.String()
	began := time.Now()
	want := answer(p.pg, sql)
	took := time.Since(began)
	if want.code == "57014" || want.code == "?" || strings.HasPrefix(want.code, "XX") {
		p.pg = nil
		return ""
	}
	got := answer(p.tael, sql)
	if took > time.Second && (got.code == "57014" || got.code == "53200") { // too large
		return ""
	}
	if got.code == "" && want.code == "42883" && strings.Contains(want.String(), "comparison function for type unknown") { // as docs/differences.md says
		return ""
	}
	if got.code == "" && strings.HasPrefix(want.code, "22") { // as docs/differences.md says
		p.folded++
		want = answer(p.unfolding(), sql)
	}
	if want.code != "" || got.code != "" {
		if want.code == got.code {
			return ""
		}
		return difference(want.brief(), got.brief())
	}
	if !q.ordered {
		slices.Sort(want.rows)
		slices.Sort(got.rows)
	}
	if slices.Equal(want.columns, got.columns) && slices.Equal(want.rows, got.rows) {
		return ""
	}
	if slices.Equal(want.columns, got.columns) && len(want.rows) == len(got.rows) {
		a, b := want.loose(q.grouped), got.loose(q.grouped)
		if slices.EqualFunc(a, b, near) {
			return ""
		}
	}
	return difference(want.brief(), got.brief())
}

// unfolding is a connection to the database lazy, made when it is first needed.
func (p *pair) unfolding() *pgconn.PgConn {
	if p.lazy != nil && !p.lazy.IsClosed() {
		return p.lazy
	}
	server := postgres
	server.database = "lazy"
	if p.lazy == nil {
		admin := postgres
		admin.database = "postgres"
		for _, step := range []struct {
			to  string
			sql string
		}{
			{admin.dsn(), "DROP DATABASE IF EXISTS lazy"},
			{admin.dsn(), "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'tael'"}, // CREATE needs it to itself
			{admin.dsn(), "CREATE DATABASE lazy TEMPLATE tael"},
			{server.dsn(), "UPDATE pg_proc SET provolatile = 's' WHERE provolatile = 'i'"},
		} {
			if err := execute(step.to, step.sql); err != nil {
				p.t.Fatal(err)
			}
		}
		p.t.Cleanup(func() {
			if err := execute(admin.dsn(), "DROP DATABASE lazy WITH (FORCE)"); err != nil {
				p.t.Error(err)
			}
		})
		p.pg = open(p.t, postgres)
		answer(p.pg, limit)
	}
	p.lazy = open(p.t, server)
	answer(p.lazy, limit)
	return p.lazy
}

// brief is the first rows.
func (r result) brief() string {
	const most = 8
	if len(r.rows) > most {
		r.rows = append(slices.Clone(r.rows[:most]), fmt.Sprintf("… %d rows", len(r.rows)))
	}
	var b strings.Builder
	for line := range strings.Lines(r.String()) {
		b.WriteString(strings.TrimSuffix(line[:min(len(line), 300)], "\n") + "\n")
	}
	return b.String()
}

// loose splits rows to cells; of equal numbers it prints one alike.
func (r result) loose(equalsAlike bool) (rows [][]string) {
	for _, row := range r.rows {
		cells := strings.Split(row, " | ")
		for i, cell := range cells {
			if equalsAlike && len(cells) == len(r.columns) && strings.HasSuffix(r.columns[i], ":1700") && strings.Contains(cell, ".") {
				cells[i] = strings.TrimRight(strings.TrimRight(cell, "0"), ".")
			}
			if equalsAlike && cell == "-0" {
				cells[i] = "0"
			}
		}
		rows = append(rows, cells)
	}
	if equalsAlike {
		slices.SortFunc(rows, slices.Compare)
	}
	return rows
}

// near compares rows, floating-point numbers but for the last digits.
func near(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool {
		if x == y {
			return true
		}
		f, err1 := strconv.ParseFloat(x, 64)
		g, err2 := strconv.ParseFloat(y, 64)
		return err1 == nil && err2 == nil && strings.ContainsAny(x+y, ".e") && math.Abs(f-g) <= 1e-9*math.Max(math.Abs(f), math.Abs(g))
	})
}

// Random queries answer alike on both servers: names, types and values, or the
// SQLSTATE.
func TestGenerated(t *testing.T) {
	client(t, "generated", func(t *testing.T) string {
		g, n := newGenerator(t), count()
		p := &pair{t: t}
		found := map[string]bool{}
		failed := 0
		for range n {
			q := g.query()
			if p.differs(q) == "" {
				continue
			}
			failed++
			if failed > 400 {
				break
			}
			began := time.Now()
			q.smaller(g.literals, func() bool { return time.Since(began) < 20*time.Second && p.differs(q) != "" })
			sql := q.String()
			if !found[sql] {
				found[sql] = true
				t.Errorf("%s\ndiffers from PostgreSQL (-) on the gateway (+):\n%s", sql, p.differs(q))
			}
		}
		return fmt.Sprintf("%d queries, %d differ, %d in what PostgreSQL computes ahead, seed %d", n, failed, p.folded, g.seed)
	})
}

func count() int {
	switch {
	case *generated > 0:
		return *generated
	case *all:
		return 20_000
	}
	return 400
}

// newSeed is that of the flag, or if it is 0 the clock's with -all, else 1.
func newSeed() uint64 {
	if *seed == 0 && *all {
		return uint64(time.Now().UnixNano())
	}
	return cmp.Or(*seed, 1)
}

func newGenerator(t *testing.T) *seeded {
	t.Helper()
	s := newSeed()
	return &seeded{generator{grammar: readGrammar(t), rng: rand.New(rand.NewPCG(s, 0))}, s}
}

// A seeded generator knows its seed.
type seeded struct {
	generator
	seed uint64
}

// The gateway agrees with itself: a condition, its negation and its being null
// part the rows in three (TLP), and as many rows satisfy a filter as an
// expression that cannot be pushed down (NoREC).
func TestGeneratedPartitions(t *testing.T) {
	client(t, "partitions", func(t *testing.T) string {
		g, n := newGenerator(t), count()/4
		p := &pair{t: t}
		tried := 0
		for range n {
			p.connect()
			q := g.query()
			if q.from == nil {
				continue
			}
			item := g.any()
			rows := func(where string) result {
				return answer(p.tael, "SELECT "+item.String()+" FROM "+q.from.String()+where)
			}
			ask := func(where string) string {
				return answer(p.tael, "SELECT count(*) FROM "+q.from.String()+where).String()
			}
			w := "(" + q.where.String() + ")"
			fails := func() bool {
				w = "(" + q.where.String() + ")"
				whole, parts := rows(""), result{}
				for _, where := range []string{" WHERE " + w, " WHERE NOT " + w, " WHERE " + w + " IS NULL"} {
					r := rows(where)
					if r.code != "" {
						return strings.HasPrefix(r.code, "XX") || r.code == "?"
					}
					parts.rows = append(parts.rows, r.rows...)
				}
				if whole.code != "" {
					return false
				}
				slices.Sort(whole.rows)
				slices.Sort(parts.rows)
				if !slices.Equal(whole.rows, parts.rows) {
					return true
				}
				filtered := ask(" WHERE " + w)
				counted := answer(p.tael, "SELECT coalesce(sum(CASE WHEN "+w+" THEN 1 ELSE 0 END), 0)::int8 AS count FROM "+q.from.String()).String()
				return filtered != counted
			}
			tried++
			if fails() {
				q.where.smaller(g.literals, fails)
				item.smaller(g.literals, fails)
				q.from.smaller(g.literals, fails)
				t.Errorf("SELECT %s FROM %s WHERE %s\ndoes not part its rows, or counts them otherwise", item, q.from, q.where)
			}
		}
		return fmt.Sprintf("%d conditions, seed %d", tried, g.seed)
	})
}
