package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/tael-sql/tael-sql/internal/ingest/files"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

func newExport() *cobra.Command {
	ex := &exporter{}
	var signal, url, dataDir string
	cmd := &cobra.Command{
		Use:   "export --out FILE|FOLDER [--from TIME] [--to TIME]",
		Short: "Write what a gateway holds to files of OTLP",
		Long: "export writes spans, logs and metric points of a range of time, as they are at one moment, to files that import\n" +
			"and the OpenTelemetry Collector read. A file's name says its form: .json or .jsonl is a request a line, anything\n" +
			"else protobuf messages each behind a 4-byte big-endian length; .gz or .zst at its end compresses. A file named\n" +
			"x.traces.otlp holds traces; a folder gets a .traces., a .logs. and a .metrics. file.\n\n" +
			"TIME is what PostgreSQL reads as a timestamptz, or a duration before now, as 90m.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ex.report, ex.terminal = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := ex.plan(signal); err != nil {
				return err
			}
			ctx := cmd.Context()
			var conn *pgx.Conn
			if url != "" {
				conn, err = pgx.Connect(ctx, url)
			} else {
				conn, err = connectSocket(ctx, dataDir)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
			return plainError(ex.run(ctx, conn))
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&ex.out, "out", "", "file or existing folder to write to")
	fs.StringVar(&signal, "signal", "", "traces, logs or metrics; default: from the file's name, all for a folder")
	fs.StringVar(&ex.from, "from", "", "first time; default: the oldest")
	fs.StringVar(&ex.to, "to", "", "time before which to end; default: the newest")
	fs.StringVar(&ex.service, "service", "", "this service alone")
	fs.StringVar(&ex.where, "where", "", "SQL condition on the columns of spans, logs or metrics")
	fs.StringVar(&url, "url", "", "postgres://… of the gateway (default: the one of --data-dir)")
	fs.StringVar(&dataDir, "data-dir", "./tael-data", "data folder of the local gateway")
	_ = cmd.MarkFlagRequired("out") // it exists
	return cmd
}

// An exporter writes rows to files.
type exporter struct {
	report, terminal         io.Writer
	out                      string
	from, to, service, where string
	targets                  []target
}

// A target is a file to be made of one table.
type target struct {
	path   string
	signal record.Type
	schema *vector.Schema
	time   string // column that the range is of
}

// plan finds which files to write.
func (ex *exporter) plan(signal string) error {
	all := []target{
		{signal: record.Traces, schema: otlp.SpansSchema, time: "start_time"},
		{signal: record.Logs, schema: otlp.LogsSchema, time: "timestamp"},
		{signal: record.Metrics, schema: otlp.MetricsSchema, time: "timestamp"},
	}
	want, known := files.SignalOf("file." + signal + ".x")
	if signal != "" && !known {
		return fmt.Errorf("--signal is traces, logs or metrics, not %q", signal)
	}
	folder := false
	if info, err := os.Stat(ex.out); err == nil {
		folder = info.IsDir()
	}
	if !folder && !known {
		if want, known = files.SignalOf(ex.out); !known {
			return fmt.Errorf("%s: the name does not tell the signal, and it is no folder; use --signal", ex.out)
		}
	}
	for _, t := range all {
		if known && t.signal != want {
			continue
		}
		if t.path = ex.out; folder {
			t.path = filepath.Join(ex.out, "tael."+t.signal.String()+".otlp.zst")
		}
		ex.targets = append(ex.targets, t)
	}
	return nil
}

// run writes all files from one view of the data.
func (ex *exporter) run(ctx context.Context, conn *pgx.Conn) error {
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0"
	if _, err := conn.PgConn().Exec(ctx, begin).ReadAll(); err != nil {
		return err
	}
	for _, t := range ex.targets {
		if err := ex.write(ctx, conn, t); err != nil {
			return fmt.Errorf("%s: %w", t.path, plainError(err))
		}
	}
	_, err := conn.Exec(ctx, "COMMIT")
	return err
}

// condition gives the WHERE clause and its parameters.
func (ex *exporter) condition(t target, now time.Time) (sql string, args []string) {
	parts := []string{"true"}
	add := func(format, arg string) {
		args = append(args, arg)
		parts = append(parts, fmt.Sprintf(format, len(args)))
	}
	for _, bound := range []struct{ text, operator string }{{ex.from, ">="}, {ex.to, "<"}} {
		if d, err := time.ParseDuration(bound.text); err == nil {
			bound.text = now.Add(-d).UTC().Format(time.RFC3339Nano)
		}
		if bound.text != "" {
			add(t.time+" "+bound.operator+" $%d::timestamptz", bound.text)
		}
	}
	if ex.service != "" {
		add("service = $%d", ex.service)
	}
	if ex.where != "" {
		parts = append(parts, "("+ex.where+"\n)")
	}
	return " FROM " + t.schema.Name + " WHERE " + strings.Join(parts, " AND "), args
}

// What one request holds at most.
const (
	exportRows  = 1000
	exportBytes = 4 << 20
)

// write makes one file.
func (ex *exporter) write(ctx context.Context, conn *pgx.Conn, t target) (err error) {
	start := time.Now()
	where, texts := ex.condition(t, start)
	args := make([][]byte, len(texts))
	for i, text := range texts {
		args[i] = []byte(text)
	}
	count := conn.PgConn().ExecParams(ctx, "SELECT count(*)::text"+where, args, nil, nil, nil).Read()
	if count.Err != nil {
		return count.Err
	}
	var total int64
	if _, err := fmt.Sscan(string(count.Rows[0][0]), &total); err != nil {
		return err
	}
	w, err := files.Create(t.path, t.signal)
	if err != nil {
		return err
	}
	written := false
	defer func() {
		if !written {
			w.Abandon()
		}
	}()
	fields := exported(t.schema)
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = t.schema.Fields[field].Name
	}
	rows := conn.PgConn().ExecParams(ctx, "SELECT "+strings.Join(names, ", ")+where, args, nil, nil, []int16{pgx.BinaryFormatCode})
	bar := newProgress(ex.terminal, "rows", total)
	defer bar.end()
	b := newBatch(t.schema, fields)
	n := int64(0)
	types := make([]pgtypes.Type, len(fields))
	for i, f := range rows.FieldDescriptions() {
		types[i] = pgtypes.Of(pgtypes.OID(f.DataTypeOID))
	}
	for rows.NextRow() {
		if err := b.add(rows.Values(), types); err != nil {
			return err
		}
		n++
		if b.rows == exportRows || b.bytes >= exportBytes {
			if err := b.flush(w); err != nil {
				return err
			}
			bar.at(n)
		}
	}
	if _, err := rows.Close(); err != nil {
		return err
	}
	if err := b.flush(w); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	written = true
	bar.end()
	_, err = fmt.Fprintf(ex.report, "%s: %d rows of %s in %d requests after %s\n", t.path, n, t.schema.Name, b.requests, time.Since(start).Round(time.Millisecond))
	return err
}

// exported gives the fields of which otlp.Encode makes a request, as far as
// rows that came by OTLP have something to say in them.
func exported(schema *vector.Schema) []int {
	derived := map[string]bool{
		"timestamp_unix_nano": true, "ingested_at_unix_nano": true, "source": true, "service": true, "kind": true,
		"severity": true, "metric_type": true, "parent_is_remote": true, "is_root": true, "no_recorded_value": true, "series_id": true,
	}
	var fields []int
	for i, f := range schema.Fields {
		if f.Name == "service_namespace" || f.Name == "service_version" || schema == otlp.LogsSchema && f.Name == "exception_type" {
			break // from here on, columns that are made of attributes
		}
		if !derived[f.Name] {
			fields = append(fields, i)
		}
	}
	return fields
}

// A batch is rows on their way into one request.
type batch struct {
	schema      *vector.Schema
	fields      []int
	builders    []*vector.Builder
	rows, bytes int
	requests    int
}

func newBatch(schema *vector.Schema, fields []int) *batch {
	b := &batch{schema: schema, fields: fields}
	b.reset()
	return b
}

func (b *batch) reset() {
	b.rows, b.bytes = 0, 0
	b.builders = b.builders[:0]
	for _, field := range b.fields {
		b.builders = append(b.builders, vector.NewBuilder(b.schema.Fields[field].Kind, exportRows))
	}
}

// add takes a row in binary.
func (b *batch) add(row [][]byte, types []pgtypes.Type) error {
	for i, raw := range row {
		if raw == nil {
			b.builders[i].AppendNull()
			continue
		}
		b.bytes += len(raw)
		v, err := pgtypes.DecodeBinary(types[i], raw)
		if err != nil {
			return err
		}
		switch x := v.(type) {
		case []byte:
			v = string(x)
		case int64:
			if strings.HasSuffix(b.schema.Fields[b.fields[i]].Name, "_count") && types[i].OID == pgtypes.Int4 {
				v = int64(uint32(x)) // an int4 that is over 2^31 in OTLP
			}
		}
		b.builders[i].Append(v)
	}
	b.rows++
	return nil
}

// flush writes the rows as one request.
func (b *batch) flush(w *files.Writer) error {
	if b.rows == 0 {
		return nil
	}
	rows := &vector.Rows{Schema: b.schema, N: b.rows, Cols: make([]*vector.Column, len(b.schema.Fields))}
	for i, field := range b.fields {
		rows.Cols[field] = b.builders[i].Finish()
	}
	body, err := otlp.Encode(rows)
	if err != nil {
		return err
	}
	b.requests++
	b.reset()
	return w.Write(body)
}
