package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A dashboard is what is needed of Grafana's JSON.
type dashboard struct {
	UID, Title  string
	Templating  struct{ List []variable }
	Annotations struct {
		List []struct {
			Name   string
			Target *panelQuery
		}
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []panelQuery
	}
}

type variable struct {
	Name, Type string
	Query      string
	IncludeAll bool
}

type panelQuery struct{ RefID, Format, RawSQL string }

// numbers are the types that Grafana takes for numbers.
var numbers = []uint32{pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID}

// A grafana expands what Grafana expands before it sends a statement, for a
// range of time that a browser shows with so many points.
type grafana struct {
	from, to time.Time
	values   map[string][]string
}

const (
	intervalText   = "1m"
	grafanaTime    = "2006-01-02T15:04:05.999999999Z"
	intervalMillis = "60000"
)

var (
	formatted = regexp.MustCompile(`\$\{(\w+):sqlstring\}`)
	macro     = regexp.MustCompile(`\$__(\w+)\(([^()]*(?:\([^()]*\))?[^()]*)\)`)
)

// expand replaces variables, then macros, as the plugin's Go code does.
func (g *grafana) expand(t *testing.T, sql string) string {
	t.Helper()
	sql = formatted.ReplaceAllStringFunc(sql, func(m string) string {
		name := formatted.FindStringSubmatch(m)[1]
		values, ok := g.values[name]
		if !ok {
			t.Errorf("%s: there is no variable %s", sql, name)
		}
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
		return strings.Join(quoted, ",")
	})
	sql = strings.ReplaceAll(sql, "$__interval_ms", intervalMillis)
	sql = strings.ReplaceAll(sql, "$__interval", intervalText)
	from, to := "'"+g.from.UTC().Format(grafanaTime)+"'", "'"+g.to.UTC().Format(grafanaTime)+"'"
	sql = macro.ReplaceAllStringFunc(sql, func(m string) string {
		p := macro.FindStringSubmatch(m)
		args := strings.Split(p[2], ",")
		for i := range args {
			args[i] = strings.Trim(strings.TrimSpace(args[i]), "'")
		}
		switch p[1] {
		case "timeFilter":
			return args[0] + " BETWEEN " + from + " AND " + to
		case "timeFrom":
			return from
		case "timeTo":
			return to
		case "timeGroupAlias":
			d, err := time.ParseDuration(args[1])
			if err != nil {
				t.Errorf("%s: %v", m, err)
			}
			s := strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
			return "floor(extract(epoch from " + args[0] + ")/" + s + ")*" + s + ` AS "time"`
		}
		t.Errorf("%s: an unknown macro", m)
		return m
	})
	if strings.Contains(sql, "$") {
		t.Errorf("something is not expanded: %s", sql)
	}
	return sql
}

// run sends a statement as the datasource does, and gives its rows.
func (g *grafana) run(t *testing.T, conn *pgx.Conn, where, sql string) *pgconn.Result {
	t.Helper()
	began := time.Now()
	results, err := conn.PgConn().Exec(t.Context(), g.expand(t, sql)).ReadAll()
	if took := time.Since(began); took > 50*time.Millisecond {
		t.Logf("%s took %s", where, took.Round(time.Millisecond))
	}
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	if len(results) != 1 || !strings.HasPrefix(results[0].CommandTag.String(), "SELECT") {
		t.Errorf("%s: not one SELECT", where)
		return nil
	}
	for _, f := range results[0].FieldDescriptions {
		if _, ok := conn.TypeMap().TypeForOID(f.DataTypeOID); !ok {
			t.Errorf("%s: column %s is of an unknown type %d", where, f.Name, f.DataTypeOID)
		}
	}
	return results[0]
}

// Every dashboard's variables, annotations and panels give what Grafana's panel
// of that type shows, over the demo's data.
func TestDashboards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := testGateway(t, dir)
	defer func() { stopGateway(t, gw, dir) }()
	ctx := context.Background()
	shop, err := openShop(ctx, gw.endpoints.OTLPGRPC)
	if err != nil {
		t.Fatal(err)
	}
	shop.tell(ctx)
	if err := shop.flush(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shop.close() }() // everything is sent
	conn := connect(t, gw)
	for _, sql := range []string{
		"CHECKPOINT",
		`INSERT INTO comments (trace_id, author, body) SELECT evidence_trace_id, 'ann', 'look at the pool' FROM anomalies(300, 3600) WHERE rank = 1 LIMIT 1`,
	} {
		if out := ask(conn, sql); strings.Contains(out, "0 0") || strings.Contains(out, " ERROR") {
			t.Fatal(out)
		}
	}
	files, err := filepath.Glob("../../examples/grafana/dashboards/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	uids := make(map[string]bool)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if uids[d.UID] || d.UID == "" {
			t.Errorf("%s: uid %q", file, d.UID)
		}
		uids[d.UID] = true
		t.Run(d.UID, func(t *testing.T) { checkDashboard(t, conn, &d) })
	}
	for uid := range uids { // links lead somewhere
		for _, file := range files {
			raw, _ := os.ReadFile(file) // read above
			for _, m := range regexp.MustCompile(`/d/([\w-]+)`).FindAllStringSubmatch(string(raw), -1) {
				if !uids[m[1]] {
					t.Errorf("%s links to %s, which is not there (%s is)", file, m[1], uid)
				}
			}
		}
	}
}

func checkDashboard(t *testing.T, conn *pgx.Conn, d *dashboard) {
	g := &grafana{from: time.Now().Add(-65 * time.Minute), to: time.Now().Add(time.Second), values: map[string][]string{}}
	for _, v := range d.Templating.List {
		switch v.Type {
		case "query":
			r := g.run(t, conn, "variable "+v.Name, v.Query)
			if r == nil || len(r.Rows) == 0 {
				t.Fatalf("variable %s has no values", v.Name)
			}
			for _, row := range r.Rows {
				if v.IncludeAll || len(g.values[v.Name]) == 0 {
					g.values[v.Name] = append(g.values[v.Name], string(row[0]))
				}
			}
		case "custom":
			g.values[v.Name] = strings.Split(v.Query, ",")
		case "textbox":
			g.values[v.Name] = []string{v.Query}
		}
	}
	if _, ok := g.values["trace_id"]; ok { // a trace that has everything
		var id string
		if err := conn.QueryRow(t.Context(), "SELECT trace_id FROM comments LIMIT 1").Scan(&id); err != nil {
			t.Fatal(err)
		}
		g.values["trace_id"] = []string{id}
	}
	if _, ok := g.values["metric"]; ok {
		g.values["metric"] = []string{"operation.duration"}
	}
	began := time.Now()
	for _, a := range d.Annotations.List {
		if a.Target == nil {
			continue
		}
		if _, ok := g.values["service"]; ok {
			g.values["service"] = []string{troubled}
		}
		r := g.run(t, conn, "annotation "+a.Name, a.Target.RawSQL)
		if r == nil || len(r.Rows) == 0 || columnOf(r, "time") < 0 || columnOf(r, "text") < 0 {
			t.Errorf("annotation %s: %v", a.Name, r)
		}
	}
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W*p.GridPos.H == 0 {
			t.Errorf("panel %d: id or place", p.ID)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			where := fmt.Sprintf("%s, %s", p.Title, q.RefID)
			if r := g.run(t, conn, where, q.RawSQL); r != nil {
				checkFrame(t, where, p.Type, q, r)
			}
		}
	}
	t.Logf("%d panels in %s", len(d.Panels), time.Since(began).Round(time.Millisecond))
}

func columnOf(r *pgconn.Result, name string) int {
	return slices.IndexFunc(r.FieldDescriptions, func(f pgconn.FieldDescription) bool { return f.Name == name })
}

// required are the columns by whose names panels know their data, with the types
// that they must have (0: any).
var required = map[string]map[string]uint32{
	"traces": {
		"traceID": pgtype.TextOID, "spanID": pgtype.TextOID, "parentSpanID": pgtype.TextOID, "operationName": pgtype.TextOID,
		"serviceName": pgtype.TextOID, "serviceTags": pgtype.JSONBOID, "startTime": pgtype.Float8OID, "duration": pgtype.Float8OID,
		"tags": pgtype.JSONBOID, "logs": pgtype.JSONBOID,
	},
	"logs":            {"time": pgtype.TimestamptzOID, "body": pgtype.TextOID, "level": pgtype.TextOID, "id": pgtype.TextOID, "labels": pgtype.JSONBOID},
	"nodeGraph nodes": {"id": pgtype.TextOID, "title": 0, "mainstat": 0, "arc__ok": pgtype.Float8OID, "arc__error": pgtype.Float8OID},
	"nodeGraph edges": {"id": pgtype.TextOID, "source": pgtype.TextOID, "target": pgtype.TextOID},
}

func checkFrame(t *testing.T, where, panel string, q panelQuery, r *pgconn.Result) {
	t.Helper()
	if len(r.Rows) == 0 {
		t.Errorf("%s: no rows", where)
		return
	}
	want := required[panel]
	if panel == "nodeGraph" {
		want = required[panel+" "+q.RefID]
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		at := columnOf(r, name)
		if at < 0 || want[name] != 0 && r.FieldDescriptions[at].DataTypeOID != want[name] {
			t.Errorf("%s: column %s is missing, or of another type", where, name)
		}
	}
	if q.Format != "time_series" {
		return
	}
	at, labels, values := columnOf(r, "time"), []int(nil), 0
	if at < 0 {
		t.Errorf("%s: no column time", where)
		return
	}
	for i, f := range r.FieldDescriptions {
		switch {
		case i == at:
			if f.DataTypeOID != pgtype.TimestamptzOID && !slices.Contains(numbers, f.DataTypeOID) {
				t.Errorf("%s: time is of type %d", where, f.DataTypeOID)
			}
		case slices.Contains(numbers, f.DataTypeOID):
			values++
		case f.DataTypeOID == pgtype.TextOID:
			labels = append(labels, i)
		default:
			t.Errorf("%s: column %s of type %d is neither a value nor a label", where, f.Name, f.DataTypeOID)
		}
	}
	if values == 0 {
		t.Errorf("%s: no values", where)
	}
	seen, last := make(map[string]bool), ""
	for _, row := range r.Rows {
		now := string(row[at])
		if len(now) == len(last) && now < last {
			t.Errorf("%s: %s is behind %s", where, now, last)
		}
		last = now
		key := now
		for _, i := range labels {
			key += "\x00" + string(row[i])
		}
		if seen[key] {
			t.Errorf("%s: %q is there twice", where, key)
		}
		seen[key] = true
	}
}
