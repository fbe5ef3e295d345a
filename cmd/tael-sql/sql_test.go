package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/tables"
)

// incident is a minute of real traces, logs and metrics of a shop in trouble.
const incident = "../../../shared/data/nezha/dev/tt-2023-01-29/0912"

func needIncident(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, signal := range []string{"traces", "logs", "metrics"} {
		files = append(files, incident+"."+signal+".otlp.zst")
	}
	if _, err := os.Stat(files[0]); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the incident data is missing: %v", err)
		}
		t.Skipf("the incident data is missing: %v", err)
	}
	return files
}

// testGateway starts a gateway on a folder, on ports of its own.
func testGateway(t testing.TB, dir string) *gateway {
	t.Helper()
	t.Setenv("TAEL_SQL_PG_ADDR", "127.0.0.1:0")
	t.Setenv("TAEL_SQL_OTLP_GRPC_ADDR", "127.0.0.1:0")
	t.Setenv("TAEL_SQL_OTLP_HTTP_ADDR", "127.0.0.1:0")
	t.Setenv("TAEL_SQL_ADMIN_ADDR", "127.0.0.1:0")
	t.Setenv("TAEL_SQL_DATA_DIR", dir)
	cmd := newServe()
	c, err := loadConfig(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	g, err := startGateway(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func stopGateway(t *testing.T, g *gateway, dir string) {
	t.Helper()
	if err := g.stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	r, err := engine.Check(vfs.Default, dir, tables.Specs())
	if err != nil || len(r.Problems) > 0 {
		t.Fatalf("check: %v %v", r.Problems, err)
	}
}

func connect(t testing.TB, g *gateway) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, g.endpoints.PG, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// ask runs a script by the simple protocol and prints its results.
func ask(conn *pgx.Conn, sql string) string {
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	var b strings.Builder
	for _, r := range results {
		if r.Err != nil {
			continue
		}
		names := make([]string, len(r.FieldDescriptions))
		for i, f := range r.FieldDescriptions {
			names[i] = f.Name
		}
		if len(names) > 0 {
			fmt.Fprintln(&b, strings.Join(names, " | "))
		}
		for _, row := range r.Rows {
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = string(v)
				if v == nil {
					cells[i] = "NULL"
				}
			}
			fmt.Fprintln(&b, strings.Join(cells, " | "))
		}
		fmt.Fprintln(&b, r.CommandTag.String())
	}
	if err != nil {
		pgErr, ok := errors.AsType[*pgconn.PgError](err)
		if !ok {
			return b.String() + err.Error() + "\n"
		}
		fmt.Fprintf(&b, "%s %s", pgErr.Code, pgErr.Message)
		if pgErr.Position > 0 {
			fmt.Fprintf(&b, " (at %d)", pgErr.Position)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// The statements of testdata/sql give the same rows with the data in the
// memtable, in blocks, in parts, mixed, and after a restart.
func TestSQL(t *testing.T) {
	files := needIncident(t)
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("TAEL_SQL_INGEST_DEDUPE_WINDOW", "0s") // traces are sent twice below
	g := testGateway(t, dir)
	send := func(files ...string) {
		im := &importer{out: &bytes.Buffer{}}
		if err := im.run(context.Background(), "http://"+g.endpoints.OTLPHTTP, files); err != nil {
			t.Fatal(err)
		}
	}
	walk := func(placement string) {
		conn := connect(t, g)
		datadriven.Walk(t, "testdata/sql", func(t *testing.T, path string) {
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				out := ask(conn, d.Input)
				if d.Cmd == "unordered" {
					lines := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
					slices.Sort(lines)
					out = strings.Join(lines, "")
				}
				if t.Failed() {
					t.Logf("placement: %s", placement)
				}
				return out
			})
		})
		if t.Failed() {
			t.Fatalf("with the data in the placement %q", placement)
		}
	}
	send(files...)
	walk("memtable")
	if out := ask(connect(t, g), "CHECKPOINT"); out != "CHECKPOINT\n" {
		t.Fatal(out)
	}
	walk("blocks")
	send(files[0]) // the traces again: every span replaces itself
	walk("memtable and blocks")
	move(t, g, "blocks")
	walk("parts")
	send(files[0])
	walk("memtable and parts")
	stopGateway(t, g, dir)
	g = testGateway(t, dir)
	walk("blocks and parts, after a restart")
	move(t, g, "blocks")
	walk("parts, merged")
	stopGateway(t, g, dir)
}

// Parameters travel both ways in text and in binary.
func TestParameters(t *testing.T) {
	files := needIncident(t)
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer stopGateway(t, g, dir)
	im := &importer{out: &bytes.Buffer{}}
	if err := im.run(context.Background(), "grpc://"+g.endpoints.OTLPGRPC, files[:1]); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, g)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		var spans int64
		var p95 float64
		err := conn.QueryRow(context.Background(),
			`SELECT count(*), percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FROM spans WHERE service = $1 AND duration_ms >= $2`,
			mode, "ts-route-service", 0.5).Scan(&spans, &p95)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if spans == 0 || p95 <= 0.5 {
			t.Errorf("%s: %d spans, p95 %g", mode, spans, p95)
		}
	}
}

// A second gateway on the same folder is refused, and says why.
func TestLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer stopGateway(t, g, dir)
	_, err := engine.Open(dir, engine.Options{Tables: tables.Specs(), Decode: otlp.Retention{}.Rows})
	if !errors.Is(err, engine.ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
}

// An unknown setting is refused by its name, wherever it comes from.
func TestUnknownSetting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("hot:\n  flush_afer: 1m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := newServe()
	if err := cmd.Flags().Set("config", file); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(cmd.Flags()); err == nil || !strings.Contains(err.Error(), "hot.flush_afer") {
		t.Fatalf("got %v", err)
	}
	t.Setenv("TAEL_SQL_HOT_FLUSH_AFER", "1m")
	if _, err := loadConfig(newServe().Flags()); err == nil || !strings.Contains(err.Error(), "TAEL_SQL_HOT_FLUSH_AFER") {
		t.Fatalf("got %v", err)
	}
}
