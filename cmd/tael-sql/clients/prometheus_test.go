package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Debian's Prometheus scrapes itself and writes here. Once it has stopped, the
// gateway has of each series as many samples as Prometheus itself.
func TestPrometheus(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil && *binary != "" && !*all {
		t.Skip("no prometheus: make clients installs it")
	}
	client(t, "prometheus", func(t *testing.T) string {
		raw, err := os.ReadFile(gateway.endpoints)
		if err != nil {
			t.Fatal(err)
		}
		var at struct {
			OTLPHTTP string `json:"otlp_http"`
		}
		if err := json.Unmarshal(raw, &at); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close() // prometheus takes it
		dir := t.TempDir()
		settings := fmt.Sprintf("global: {scrape_interval: 1s}\n"+
			"scrape_configs: [{job_name: self, static_configs: [{targets: [%q]}]}]\n"+
			"remote_write: [{url: 'http://%s/api/v1/write'}]\n", addr, at.OTLPHTTP)
		file := filepath.Join(dir, "prometheus.yml")
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := start(filepath.Join(dir, "log"), exec.Command("prometheus", "--config.file", file,
			"--storage.tsdb.path", filepath.Join(dir, "tsdb"), "--web.listen-address", addr))
		if err != nil {
			t.Fatal(err)
		}
		stopped := false
		defer func() {
			if !stopped {
				_ = p.stop(syscall.SIGTERM)
			}
		}()
		conn, err := pgx.Connect(t.Context(), gateway.dsn())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		const ours = "SELECT count(*) FROM metrics WHERE source = 'remote_write' AND NOT no_recorded_value"
		number := func(sql string) (n int) {
			t.Helper()
			if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := eventually(func() error {
			if n := number(ours + " AND name = 'up'"); n < 10 {
				return fmt.Errorf("%d scrapes of prometheus have arrived", n)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		// Count what both have of the time before the last scrape that arrived.
		var end float64
		if err := conn.QueryRow(t.Context(), "SELECT extract(epoch FROM max(timestamp))::float8 - 1.5 FROM metrics WHERE source = 'remote_write' AND name = 'up'").Scan(&end); err != nil {
			t.Fatal(err)
		}
		url := fmt.Sprintf("http://%s/api/v1/query?time=%f&query=%s", addr, end, `{job="self"}[1h]`)
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Data struct {
				Result []struct{ Values []any }
			}
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%v: %.1000s", err, body)
		}
		want := 0
		for _, series := range answer.Data.Result {
			want += len(series.Values)
		}
		before := fmt.Sprintf(" AND timestamp <= to_timestamp(%f)", end)
		got := number(ours + before)
		if got != want || want < 1000 {
			t.Errorf("%d samples, not %d", got, want)
		}
		counters := number(ours + before + " AND service = 'self' AND metric_type = 'sum' AND is_monotonic AND name LIKE '%\\_total'")
		if others := number(ours + before + " AND name LIKE '%\\_total'"); counters != others || counters == 0 {
			t.Errorf("%d of %d samples of counters are of a monotonic sum of service self", counters, others)
		}
		stopped = true
		if err := p.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), "non-recoverable") {
			t.Errorf("%s", log)
		}
		return fmt.Sprintf("remote-write: %d samples of %d, as it has itself", got, want)
	})
}
