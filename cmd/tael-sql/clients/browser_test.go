package clients

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Every page of the console shows in a browser what SQL says.
func TestBrowser(t *testing.T) {
	if !*all {
		t.Skip("-all runs a browser")
	}
	client(t, "chromium", func(t *testing.T) string {
		conn, err := pgx.Connect(t.Context(), gateway.dsn())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		var id, service, operation, count string
		err = conn.QueryRow(t.Context(), `SELECT trace_id, root_service, root_operation, span_count::text
			FROM traces WHERE root_service IS NOT NULL ORDER BY span_count DESC, trace_id LIMIT 1`).Scan(&id, &service, &operation, &count)
		if err != nil {
			t.Fatal(err)
		}
		pages := []struct {
			at   string
			want []string
		}{
			{"sql/" + url.PathEscape("SELECT 40 + 2 AS answer, '<b>' AS text, NULL AS nothing"), []string{
				`<td class="number">42</td>`, `<td class="text">&lt;b&gt;</td>`, `<td class="null">NULL</td>`, "<summary", "llm_spans",
			}},
			{"sql/" + url.PathEscape("SELECT\n nothing FROM spans"), []string{"ERROR 42703", "line 2, column 2"}},
			{"sql/" + url.PathEscape("SELECT n FROM generate_series(1, 1000000) n"), []string{`<td class="number">500</td>`, "500+ rows", "More rows"}},
			{"sql/" + url.PathEscape("SELECT time_bucket('1 minute', start_time) AS time, count(*) FROM spans GROUP BY 1"), []string{`class="chart"`}},
			{"trace/" + id, []string{html.EscapeString(service + ": " + operation), count + " spans", "Add comment", `role="row"`}},
			{"traces", []string{"No trace is like that."}}, // the incident was long ago
			{"anomalies", []string{"Nothing is different from before."}},
			{"map", []string{"No service called another."}},
			{"tail", []string{"Waiting for rows"}},
		}
		for _, p := range pages {
			dom, err := render(t.Context(), "http://"+gateway.admin+"/console/#"+p.at)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range p.want {
				if !strings.Contains(dom, want) {
					t.Errorf("#%s does not show %q:\n%s", p.at, want, dom[max(0, strings.Index(dom, "<main")):])
				}
			}
		}
		return fmt.Sprintf("%d pages of the console", len(pages))
	})
}

// render gives the document of a page once its scripts have run.
func render(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom", address)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	return string(out), err
}
