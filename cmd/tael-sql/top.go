package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tael-sql/tael-sql/engine/layout"
)

func newTop() *cobra.Command {
	t := &top{seen: make(map[string]int64)}
	var url, dataDir string
	var once bool
	cmd := &cobra.Command{
		Use: "top", Short: "Show what a gateway is doing, live",
		Long: "top shows what arrives, what is stored in which tier, the statements under way and the last background jobs,\n" +
			"until it is interrupted. What it cannot draw on a terminal it prints once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			var conn *pgx.Conn
			if url != "" {
				conn, err = pgx.Connect(ctx, url)
			} else {
				conn, err = connectSocket(ctx, dataDir)
				t.admin = adminAddress(dataDir)
			}
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it only read
			out := cmd.OutOrStdout()
			if f, ok := out.(*os.File); once || !ok || !term.IsTerminal(int(f.Fd())) {
				return plainError(t.frame(ctx, conn, out, 0))
			}
			return plainError(t.watch(ctx, conn, out.(*os.File)))
		},
	}
	cmd.Flags().DurationVar(&t.every, "every", 2*time.Second, "time between two frames")
	cmd.Flags().BoolVar(&once, "once", false, "print one frame")
	cmd.Flags().StringVar(&url, "url", "", "postgres://… of the gateway (default: the one of --data-dir)")
	cmd.Flags().StringVar(&dataDir, "data-dir", "./tael-data", "data folder of the local gateway")
	return cmd
}

// adminAddress finds the admin pages of a local gateway; "" where there are none.
func adminAddress(dataDir string) string {
	var e endpoints
	raw, err := os.ReadFile(filepath.Join(dataDir, layout.EndpointsFile))
	if err != nil || json.Unmarshal(raw, &e) != nil {
		return ""
	}
	return e.Admin
}

// A top draws frames.
type top struct {
	every time.Duration
	admin string // HOST:PORT; "": its numbers are left out
	seen  map[string]int64
	at    time.Time // of the frame before
}

// watch draws until ctx ends, on a screen of its own.
func (t *top) watch(ctx context.Context, conn *pgx.Conn, out *os.File) error {
	if t.every < 100*time.Millisecond {
		return fmt.Errorf("--every %s is shorter than 100ms", t.every)
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l")       // another screen, no cursor
	defer fmt.Fprint(out, "\x1b[?25h\x1b[?1049l") // as it was
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			width, height = 80, 24
		}
		var frame strings.Builder
		if err := t.frame(ctx, conn, &frame, width); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		lines := strings.SplitAfter(frame.String(), "\n")
		text := strings.TrimSuffix(strings.Join(lines[:min(len(lines), height)], ""), "\n")
		fmt.Fprint(out, "\x1b[H", strings.ReplaceAll(text, "\n", "\x1b[K\r\n"), "\x1b[J")
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// The sections of a frame. The last column of the first is the rows of a table
// in all tiers, of which the rate is shown.
const (
	topTiers = `SELECT relation, tier, count(*)::text, sum(dead_rows)::int8::text, pg_size_pretty(sum(bytes)::int8), sum(rows)::int8::text,
		(SELECT sum(rows)::int8::text FROM tael_parts a WHERE a.relation = p.relation) FROM tael_parts p GROUP BY 1, 2 ORDER BY 1, 2 DESC`
	topQueries = `SELECT pid::text, usename, state, round(extract(epoch FROM now() - query_start)::numeric, 1)::text, query
		FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY state, query_start LIMIT 10`
	topJobs = `SELECT job, relation, state, to_char(started_at, 'HH24:MI:SS'), rows_in::text, rows_out::text, coalesce(error, '')
		FROM tael_jobs ORDER BY started_at DESC LIMIT 10`
)

// frame writes one frame, whose lines have at most width characters; 0: any number.
func (t *top) frame(ctx context.Context, conn *pgx.Conn, out io.Writer, width int) error {
	now := time.Now()
	line := "tael-sql  " + now.Format(time.TimeOnly)
	for _, n := range t.numbers(ctx) {
		line += "  " + n
	}
	frame := line + "\n"
	for _, s := range []struct{ sql, heads string }{
		{topTiers, "TABLE\tTIER\tPARTS\tDEAD\tSIZE\tROWS\tROWS/S"},
		{topQueries, "PID\tUSER\tSTATE\tSECONDS\tQUERY"},
		{topJobs, "JOB\tTABLE\tSTATE\tSTARTED\tROWS IN\tROWS OUT\tERROR"},
	} {
		rows, err := conn.Query(ctx, s.sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		var b strings.Builder
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "\n%s\n", s.heads)
		above := "" // of the line before
		for rows.Next() {
			cells := make([]string, len(rows.RawValues()))
			for i, raw := range rows.RawValues() {
				cells[i] = printable(string(raw))
			}
			if s.sql == topTiers {
				last := len(cells) - 1
				if cells[last] = t.rate(cells[0], cells[last], now); cells[0] == above {
					cells[last] = "" // it is of all tiers
				}
				above = cells[0]
			}
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		if err := errors.Join(rows.Err(), table.Flush()); err != nil {
			return err
		}
		frame += b.String()
	}
	t.at = now
	for text := range strings.Lines(frame) {
		text = strings.TrimRight(text, " \n")
		if runes := []rune(text); width > 0 && len(runes) > width {
			text = string(runes[:width])
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return nil
}

// rate gives how many rows a second have come to a table since the last frame.
func (t *top) rate(table, rows string, now time.Time) string {
	n, err := strconv.ParseInt(rows, 10, 64)
	before, known := t.seen[table]
	if t.seen[table] = n; err != nil || !known || t.at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(n-before)/now.Sub(t.at).Seconds())
}

// printable keeps what others wrote from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// numbers are some of the metrics that the admin pages have.
func (t *top) numbers(ctx context.Context) (out []string) {
	if t.admin == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+"/metrics", nil)
	if err != nil {
		return nil
	}
	answer, err := (&http.Client{Timeout: time.Second}).Do(r)
	if err != nil {
		return []string{"no metrics"}
	}
	defer func() { _ = answer.Body.Close() }()
	found := make(map[string]float64)
	for in := bufio.NewScanner(answer.Body); in.Scan(); {
		name, value, _ := strings.Cut(in.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			found[name] = v
		}
	}
	for _, m := range []struct{ name, show, unit string }{
		{"tael_pg_connections", "connections", ""},
		{"tael_ingest_in_flight_bytes", "in flight", "B"},
		{"tael_wal_bytes", "log", "B"},
		{"tael_hot_bytes", "hot", "B"},
		{"process_resident_memory_bytes", "memory", "B"},
		{"tael_ingest_repeated_requests_total", "sent again", ""},
	} {
		if v, ok := found[m.name]; ok {
			out = append(out, m.show+" "+amount(v)+m.unit)
		}
	}
	if found["tael_disk_below_watermark"] != 0 {
		out = append(out, "DISK FULL: INGEST IS REFUSED")
	}
	return out
}
