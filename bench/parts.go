package main

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// placement counts the rows in parts and in blocks.
func (o *ours) placement() (parts, blocks int64) {
	v := o.db.View()
	defer v.Release()
	for _, b := range v.Blocks() {
		blocks += int64(b.Rows)
	}
	for _, p := range v.Parts() {
		parts += int64(p.Rows)
	}
	return parts, blocks
}

// compact moves all rows into parts and prints how that went.
func (o *ours) compact(ctx context.Context) error {
	start := time.Now()
	moved, err := o.db.Compact(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	took := time.Since(start).Round(time.Millisecond)
	v := o.db.View()
	defer v.Release()
	for _, m := range moved {
		rows, bytes, parts := int64(0), int64(0), 0
		for _, p := range v.Parts() {
			if p.Table == m.Table {
				rows, bytes, parts = rows+int64(p.Rows), bytes+int64(p.Bytes), parts+1
			}
		}
		if rows > 0 {
			fmt.Printf("%-8s %9d rows moved; %d in %d parts, %.1f bytes each\n", m.Table, m.Rows, rows, parts, float64(bytes)/float64(rows))
		}
	}
	for _, j := range o.db.Jobs() {
		if j.RowsOut > 0 {
			fmt.Printf("%-8s %-8s %9d rows from %d to %d: %.0f rows/s\n", j.Kind, j.Table, j.RowsOut, j.Inputs, j.Outputs, float64(j.RowsOut)/j.Ended.Sub(j.Started).Seconds())
		}
	}
	fmt.Printf("in %s\n\n", took)
	return nil
}

// partViews present our parts, as they are, in the terms of DuckDB's tables.
const partViews = `
CREATE OR REPLACE VIEW spans AS SELECT lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, lower(hex(parent_span_id)) AS parent_span_id,
  service, operation, start_time::TIMESTAMP AS start_time, epoch_us(start_time) * 1000 + start_time_nanos AS start_time_unix_nano,
  duration_ns, duration_ns / 1e6 AS duration_ms, status, "attributes.http.request.method" AS method,
  "attributes.http.response.status_code" AS status_code, "attributes.http.route" AS route, "attributes.user.id" AS user_id,
  "attributes.session.id" AS session_id FROM read_parquet([SPANS], union_by_name = true);
CREATE OR REPLACE VIEW logs AS SELECT timestamp::TIMESTAMP AS timestamp, lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id, service,
  severity, body FROM read_parquet([LOGS], union_by_name = true);
CREATE OR REPLACE VIEW metrics AS SELECT epoch_us(timestamp) * 1000 + timestamp_nanos AS time_unix_nano, service, name, value,
  "attributes.pod" AS pod FROM read_parquet([METRICS], union_by_name = true);`

// readParts puts views of our parts in the place of the native tables.
func (d *duck) readParts(us *ours) error {
	v := us.db.View()
	defer v.Release()
	sql := "SET timezone = 'UTC'; DROP TABLE spans; DROP TABLE logs; DROP TABLE metrics;" + partViews
	for _, table := range []string{"spans", "logs", "metrics"} {
		var files []string
		for _, p := range v.Parts() {
			if p.Table == table {
				files = append(files, "'"+filepath.Join(us.dir, "cold", p.Name)+"'")
			}
		}
		sql = strings.Replace(sql, strings.ToUpper(table)+"]", strings.Join(files, ", ")+"]", 1)
	}
	_, err := d.db.Exec(sql)
	return err
}
