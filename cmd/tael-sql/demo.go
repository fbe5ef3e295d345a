package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
)

// A stop of the demo's tour: a question and the query that answers it.
type tourStop struct{ question, sql string }

var tour = []tourStop{
	{
		"Which services are there, and how are they?",
		`SELECT name, span_count, trace_count, round(p95_ms::numeric, 1) AS p95_ms, round(error_rate::numeric, 3) AS error_rate
FROM services ORDER BY span_count DESC`,
	},
	{"What has just happened?", `SELECT service, operation, round(duration_ms::numeric, 1) AS ms, status FROM recent_spans LIMIT 5`},
	{
		"Which operations fail?",
		`SELECT service, operation, count(*) FILTER (WHERE status = 'error') AS errors, count(*) AS spans
FROM spans GROUP BY service, operation HAVING count(*) FILTER (WHERE status = 'error') > 0 ORDER BY errors DESC LIMIT 5`,
	},
	{
		"What do the logs of failing traces say?",
		`SELECT l.service, l.severity, l.body, count(*) AS times
FROM logs l JOIN spans s ON s.trace_id = l.trace_id AND s.span_id = l.span_id
WHERE s.status = 'error' GROUP BY 1, 2, 3 ORDER BY times DESC, l.body LIMIT 5`,
	},
	{
		"How slow are payments, by card?",
		`SELECT attributes->>'card.type' AS card, count(*) AS payments,
       round((percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms))::numeric, 1) AS p95_ms
FROM spans WHERE service = 'payment' AND kind = 'server' GROUP BY 1 ORDER BY 1`,
	},
	{"Which traces have an error under a root that is fine?", `SELECT t.trace_id, t.root_operation, t.span_count
FROM traces t
WHERE EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = t.trace_id AND s.status = 'error')
ORDER BY t.duration_ms DESC LIMIT 3`},
	{
		"What is wrong right now? (the last five minutes against the hour before)",
		anomaliesSQL,
	},
	{
		"Show me: the evidence, as a tree",
		`SELECT repeat('  ', depth) || operation AS operation, t.service, round(t.duration_ms::numeric, 1) AS ms, round(t.self_ms::numeric, 1) AS self_ms, t.status
FROM (SELECT evidence_trace_id AS id FROM anomalies(300, 3600) WHERE rank = 1 LIMIT 1) a CROSS JOIN LATERAL trace_tree(a.id) t`,
	},
	{
		"Note it, for whoever looks at that trace next",
		`INSERT INTO comments (trace_id, body)
SELECT evidence_trace_id, 'seen in the tour: ' || description FROM anomalies(300, 3600) WHERE rank = 1 LIMIT 1
RETURNING author, body`,
	},
	{
		"What do the support agent's answers cost?",
		`SELECT model, count(*) AS calls, sum(input_tokens) AS input, sum(output_tokens) AS output, round(sum(cost_usd)::numeric, 4) AS usd
FROM llm_spans WHERE llm_operation = 'chat' GROUP BY model ORDER BY usd DESC`,
	},
	{
		"Which tools fail it?",
		`SELECT tool_name, count(*) AS calls, count(*) FILTER (WHERE status = 'error') AS failed
FROM llm_spans WHERE llm_operation = 'tool' GROUP BY tool_name`,
	},
	{
		"Of the slowest measurements, which traces?",
		`SELECT name, service, round(value::numeric, 1) AS value, trace_id FROM exemplars ORDER BY exemplars.value DESC LIMIT 3`,
	},
	{"What is measured?", `SELECT name, unit, count(*) AS points, round(avg(value)::numeric, 2) AS mean FROM metrics GROUP BY name, unit ORDER BY name`},
}

// anomaliesSQL must name the service that the story troubles first.
const anomaliesSQL = `SELECT rank, service, kind, severity, round(current::numeric, 3) AS current, round(baseline::numeric, 3) AS baseline, description
FROM anomalies(300, 3600) WHERE kind IS NOT NULL ORDER BY rank, kind LIMIT 4`

func newDemo() *cobra.Command {
	var once bool
	var dir string
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the gateway with simulated services and a tour of queries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := loadConfig(cmd.Flags())
			if err != nil {
				return err
			}
			if dir == "" {
				if dir, err = os.MkdirTemp("", "tael-sql-demo-"); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			}
			c.DataDir, c.Log.Level = dir, "error"
			if once { // a gateway may be running beside it
				c.PGAddr, c.OTLPGRPCAddr, c.OTLPHTTPAddr, c.AdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
			}
			return runDemo(cmd.Context(), c, cmd.OutOrStdout(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "exit after the tour; fail if a query gives no rows, or anomalies() names another service")
	cmd.Flags().StringVar(&dir, "keep", "", "folder for the data, kept (default: a temporary one)")
	serveFlags(cmd.Flags())
	return cmd
}

func runDemo(ctx context.Context, c *config, out io.Writer, once bool) (err error) {
	_, log, err := newLogger(c)
	if err != nil {
		return err
	}
	g, err := startGateway(c, log)
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		err = errors.Join(err, g.stop(stopCtx))
	}()
	shop, err := openShop(ctx, g.endpoints.OTLPGRPC)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.close()) }()
	fmt.Fprintln(out, "A simulated shop tells the last hour through the OpenTelemetry SDK: traces, logs and metrics …")
	shop.tell(ctx)
	if err := shop.flush(ctx); err != nil {
		return err
	}
	url := fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, g.endpoints.PG, database)
	empty, err := takeTour(ctx, url, out)
	if err != nil {
		return err
	}
	if once {
		if len(empty) > 0 {
			return errors.New(strings.Join(empty, "; "))
		}
		return nil
	}
	host, port, _ := strings.Cut(g.endpoints.PG, ":")
	fmt.Fprintf(out, "\nThe shop goes on. Ask it yourself:\n\n    psql -h %s -p %s -U %s %s\n\nor look at it: http://%s/\n\nCtrl-C ends the demo.\n", host, port, user, database, g.endpoints.Admin)
	for ctx.Err() == nil {
		shop.order(ctx, time.Now().Add(-time.Second), true)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// takeTour runs the queries and prints their rows. It gives what is wrong with
// the answers.
func takeTour(ctx context.Context, url string, out io.Writer) (empty []string, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, stop := range tour {
		fmt.Fprintf(out, "\n-- %s\n%s;\n", stop.question, stop.sql)
		start := time.Now()
		results, err := conn.PgConn().Exec(ctx, stop.sql).ReadAll()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stop.question, err)
		}
		printTable(out, results[0].FieldDescriptions, results[0].Rows)
		fmt.Fprintf(out, "(%d rows, %s)\n", len(results[0].Rows), time.Since(start).Round(100*time.Microsecond))
		rows := results[0].Rows
		if len(rows) == 0 {
			empty = append(empty, "no rows: "+stop.question)
		} else if first := string(rows[0][1]); stop.sql == anomaliesSQL && first != troubled {
			empty = append(empty, fmt.Sprintf("anomalies() names %s first, not %s", first, troubled))
		}
	}
	return empty, nil
}
