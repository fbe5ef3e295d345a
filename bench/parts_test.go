package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/easyproto"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/ingest/files"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

// recorded is a folder of real telemetry.
const recorded = "../../shared/data"

// outside says what DuckDB asks of a table's parts, and what our SQL gives for
// it. Attributes come last.
var outside = map[string]struct{ ours, theirs string }{
	"spans": {
		`SELECT trace_id, span_id, parent_span_id, service, operation, start_time, start_time_unix_nano, duration_ns, status, kind,
			events, status_message, flags, is_root, http_method, http_status_code, db_statement, attributes FROM spans`,
		`SELECT lower(hex(trace_id)), lower(hex(span_id)), lower(hex(parent_span_id)), service, operation, start_time,
			epoch_us(start_time) * 1000 + start_time_nanos, duration_ns, status, kind,
			events, status_message, flags, is_root, http_method, http_status_code, db_statement`,
	},
	"logs": {
		`SELECT trace_id, span_id, timestamp, time_unix_nano, severity, severity_number, service,
			CASE WHEN body_sha256 IS NULL THEN body END, body_sha256, event_name, exception_type, attributes FROM logs`,
		`SELECT lower(hex(trace_id)), lower(hex(span_id)), timestamp, epoch_us(timestamp) * 1000 + timestamp_nanos + time_after_ns, severity,
			severity_number, service, body, lower(hex(body_sha256)), event_name, exception_type`,
	},
	"metrics": {
		`SELECT service, name, series_id, metric_type, timestamp, time_unix_nano, value, unit, value_int, is_monotonic,
			count, sum, array_to_string(bucket_counts, ','), attributes FROM metrics`,
		`SELECT service, name, series_id, metric_type, timestamp, epoch_us(timestamp) * 1000 + timestamp_nanos + time_after_ns, value, unit,
			value_int, is_monotonic, count, sum, array_to_string(bucket_counts, ',')`,
	},
}

// Parts are read by DuckDB as they are, by the list of those that count and
// less their dead rows, and hold what our SQL gives.
func TestPartsOutside(t *testing.T) {
	if _, err := os.Stat(recorded); err != nil {
		t.Skip("no recorded telemetry:", err)
	}
	dir := t.TempDir()
	us, err := openOurs(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := us.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	dev := filepath.Join(recorded, "nezha/dev/tt-2023-01-29")
	for _, minute := range []string{"0859", "1014"} {
		for _, signal := range []record.Type{record.Traces, record.Logs, record.Metrics} {
			load(t, us.db, signal, filepath.Join(dev, minute+"."+signal.String()+".otlp.zst"), math.MaxInt)
		}
	}
	appendBody(t, us.db, record.Logs, longLogs())
	compact(t, us.db, math.MaxInt64)
	want := make(map[string][][]string)
	ask := func(sql string) [][]string {
		t.Helper()
		rows, err := us.run(t.Context(), sql, false)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	for table, sql := range outside {
		want[table] = ask(sql.ours)
		for _, row := range want[table] {
			row[len(row)-1] = jsonText(t, row[len(row)-1])
		}
	}
	pandas := ask(forPandas)[0]

	// Spans come again. The new versions are not in parts yet, the old ones die.
	resent := time.Now()
	load(t, us.db, record.Traces, filepath.Join(dev, "1014.traces.otlp.zst"), 1)
	if err := us.db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	compact(t, us.db, math.MinInt64)
	again := make(map[string]bool)
	for _, id := range ask("SELECT trace_id, span_id FROM spans WHERE ingested_at > '" + resent.Format(time.RFC3339Nano) + "'") {
		again[id[0]+id[1]] = true
	}
	all := len(want["spans"])
	want["spans"] = slices.DeleteFunc(want["spans"], func(row []string) bool { return again[row[0]+row[1]] })
	if len(again) == 0 || len(want["spans"])+len(again) != all {
		t.Fatalf("%d of %d spans came again", len(again), all)
	}

	peer, err := openDuck(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := peer.close(); err != nil {
			t.Error(err)
		}
	}()
	for table, sql := range outside {
		t.Run(table, func(t *testing.T) {
			got := readParts(t, peer.db, filepath.Join(dir, "cold", table), sql.theirs)
			sortRows(want[table])
			sortRows(got)
			if err := equal(want[table], got); err != nil {
				t.Error("ours against DuckDB's:", err)
			}
		})
	}
	compact(t, us.db, math.MaxInt64)
	t.Run("pandas", func(t *testing.T) { checkPandas(t, filepath.Join(dir, "cold/spans"), pandas) })
}

// documented gives the block of docs/parts.md in a language, for a folder.
func documented(t *testing.T, language, dir string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/parts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(page), "```"+language+"\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok || !strings.Contains(block, "tael-data/cold/spans") {
		t.Fatalf("docs/parts.md has no block in %s", language)
	}
	return strings.ReplaceAll(block, "tael-data/cold/spans", dir)
}

// readParts asks DuckDB for the rows of a folder of parts that count.
func readParts(t *testing.T, db *sql.DB, dir, query string) [][]string {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), documented(t, "sql", dir)); err != nil {
		t.Fatal(err)
	}
	var parts, dead int
	if err := conn.QueryRowContext(t.Context(), `SELECT count(*), sum(dead) FROM live`).Scan(&parts, &dead); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d parts, %d dead rows", parts, dead)
	if dead == 0 && filepath.Base(dir) == "spans" {
		t.Error("no row is dead")
	}
	rows, err := conn.QueryContext(t.Context(), query+", attributes, COLUMNS('attributes\\..*') FROM spans")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	width := slices.Index(names, "attributes")
	var out [][]string
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, width, width+1)
		for i, v := range values[:width] {
			row[i] = canonical(v)
		}
		out = append(out, append(row, attributes(t, names[width:], values[width:])))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// attributes puts together what a part has apart: a map of JSON texts, and
// frequent keys as columns.
func attributes(t *testing.T, names []string, values []any) string {
	t.Helper()
	all := make(map[string]any)
	rest := values[0].(duckdb.OrderedMap)
	for i, text := range rest.Values() {
		var v any
		if err := json.Unmarshal([]byte(text.(string)), &v); err != nil {
			t.Fatalf("%v: %v", rest.Keys()[i], err)
		}
		all[rest.Keys()[i].(string)] = v
	}
	for i, v := range values[1:] {
		if v != nil {
			all[strings.TrimPrefix(names[i+1], "attributes.")] = v
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return jsonText(t, string(raw))
}

// jsonText writes a document as Go does.
func jsonText(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// forPandas is what checkPandas has pandas count.
const forPandas = `SELECT count(*)::text, sum(duration_ns)::text, (count(*) FILTER (WHERE status = 'error'))::text,
	count(DISTINCT trace_id)::text, to_char(min(start_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00',
	(count(*) FILTER (WHERE parent_span_id IS NULL))::text FROM spans`

// checkPandas has pandas read the spans, where it is installed.
func checkPandas(t *testing.T, dir string, want []string) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import pandas, pyarrow").Run(); err != nil {
		t.Skip("no pandas with pyarrow:", err)
	}
	script := documented(t, "python", dir) + `
print(len(spans), spans.duration_ns.sum(), (spans.status == "error").sum(), spans.trace_id.map(bytes.hex).nunique())
print(spans.start_time.min().isoformat(), spans.parent_span_id.isna().sum())
`
	out, err := exec.CommandContext(t.Context(), "python3", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, want) {
		t.Errorf("pandas has %s, not %s", got, want)
	}
}

func sortRows(rows [][]string) { slices.SortFunc(rows, slices.Compare[[]string]) }

// load appends the first requests of a file.
func load(t *testing.T, db *engine.DB, signal record.Type, path string, most int) {
	t.Helper()
	f, err := files.Open(path, signal)
	if err != nil {
		t.Fatal(err)
	}
	for range most {
		body, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		appendBody(t, db, signal, body)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendBody(t *testing.T, db *engine.DB, signal record.Type, body []byte) {
	t.Helper()
	h := record.Header{Type: signal, ReceiveNanos: time.Now().UnixNano()}
	d, err := otlp.Decode(h, body)
	if err == nil {
		err = db.Append(t.Context(), engine.Request{Header: h, Body: body, Rows: d.Rows, Items: d.Items})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// longLogs is a request of logs whose bodies are stored in the row, and
// outside of it in the hot store and in a file.
func longLogs() []byte {
	var m easyproto.Marshaler
	scope := m.MessageMarshaler().AppendMessage(1).AppendMessage(2)
	for i, n := range []int{0, 8192, 8193, 100_000} {
		log := scope.AppendMessage(2)
		log.AppendFixed64(1, uint64(1674982800000000123+i))
		log.AppendMessage(5).AppendString(1, strings.Repeat("x", n))
	}
	return m.Marshal(nil)
}

// compact moves the rows before a time into parts.
func compact(t *testing.T, db *engine.DB, before int64) {
	t.Helper()
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Compact(t.Context(), before); err != nil {
		t.Fatal(err)
	}
}
