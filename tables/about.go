package tables

import (
	"context"
	"math"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// about is a relation in which the store tells of itself. Its rows are made
// when a statement first reads it.
type about struct {
	rel  *catalog.Relation
	rows func(*Snapshot, *expr.Env) ([][]any, error)
}

func registerAbout(c *catalog.Catalog) {
	for _, a := range []struct {
		oid           pgtypes.OID
		name, comment string
		columns       []catalog.Column
		rows          func(*Snapshot, *expr.Env) ([][]any, error)
	}{
		{
			partsOID, "tael_parts", "What the rows of each table are stored in, as the statement sees it.",
			[]catalog.Column{
				col("relation", pgtypes.Text, "Table"),
				col("tier", pgtypes.Text, "memtable, hot (a block) or cold (a part)"),
				col("id", pgtypes.Int8, "Number of the block or part within its table; NULL for the memtable"),
				col("rows", pgtypes.Int8, "Rows, dead ones included"),
				col("dead_rows", pgtypes.Int8, "Rows that were replaced or deleted and are still stored"),
				col("bytes", pgtypes.Int8, "Size"),
				col("min_time", pgtypes.Timestamptz, "Time of the oldest row"),
				col("max_time", pgtypes.Timestamptz, "Time of the newest row"),
				col("min_lsn", pgtypes.Int8, "First record that rows are from"),
				col("max_lsn", pgtypes.Int8, "Last record that rows are from"),
				col("name", pgtypes.Text, "File of a part, within the cold folder or bucket"),
				col("problem", pgtypes.Text, "Why a part cannot be read: missing, or its size; NULL if its file is there"),
			},
			partRows,
		},
		{
			jobsOID, "tael_jobs", "Background jobs that run, and the last that have ended since the start.",
			[]catalog.Column{
				col("job", pgtypes.Text, "What it does: flush, reblock, compact, merge, rollup, retention, sweep"),
				col("relation", pgtypes.Text, "Table; NULL for all"),
				col("started_at", pgtypes.Timestamptz, "Start"),
				col("finished_at", pgtypes.Timestamptz, "End; NULL while it runs"),
				col("rows_in", pgtypes.Int8, "Rows read"),
				col("rows_out", pgtypes.Int8, "Rows written"),
				col("bytes_in", pgtypes.Int8, "Bytes read"),
				col("bytes_out", pgtypes.Int8, "Bytes written"),
				col("state", pgtypes.Text, "running, done or failed"),
				col("error", pgtypes.Text, "Why it failed"),
				col("id", pgtypes.Int8, "Number of the job since the start"),
			},
			jobRows,
		},
		{attributeKeysOID, "attribute_keys", "Attributes that stored rows have, with their types and some of their values.", attributeKeyColumns, attributeKeyRows},
		{metricNamesOID, "metric_names", "Metrics that stored points have.", metricNameColumns, metricNameRows},
	} {
		c.AddTable(&about{
			rel:  &catalog.Relation{OID: a.oid, Schema: catalog.PublicSchema, Name: a.name, Kind: 'v', Comment: a.comment, Columns: a.columns},
			rows: a.rows,
		})
	}
}

// Relation describes the relation.
func (a *about) Relation() *catalog.Relation { return a.rel }

// Rows estimates: a store has few blocks, beside its rows.
func (a *about) Rows() int64 { return 1000 }

// Scan makes the rows, once in a statement.
func (a *about) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	snap, err := snapshot(req.Env)
	if err != nil {
		return nil, err
	}
	type made struct {
		rows [][]any
		err  error
	}
	all := req.Env.Memo.Get(a, func() any {
		rows, err := a.rows(snap, req.Env)
		return made{rows, err}
	}).(made)
	if all.err != nil {
		return nil, storageError(all.err)
	}
	types := columnTypes(a.rel)
	picked := make([]pgtypes.Type, len(req.Columns))
	for i, ref := range req.Columns {
		picked[i] = types[ref.Index]
	}
	next := 0
	reader := exec.FromRows(exec.Kinds(picked), func(context.Context) ([]any, error) {
		if next == len(all.rows) {
			return nil, nil
		}
		row := make([]any, len(req.Columns))
		for i, ref := range req.Columns {
			row[i] = all.rows[next][ref.Index]
		}
		next++
		return row, nil
	}, nil)
	return []vector.Reader{reader}, nil
}

func partRows(snap *Snapshot, _ *expr.Env) ([][]any, error) {
	var rows [][]any
	add := func(tier string, id any, b engine.BlockInfo, name, problem any) {
		rows = append(rows, []any{
			b.Table, tier, id, int64(b.Rows), int64(b.Dead), int64(b.Bytes),
			pgtypes.MicrosFromUnixNanos(b.MinTime), pgtypes.MicrosFromUnixNanos(b.MaxTime), lsn(b.MinLSN), lsn(b.MaxLSN), name, problem,
		})
	}
	for _, m := range snap.View.Memtables() {
		add("memtable", nil, m, nil, nil)
	}
	for _, b := range snap.View.Blocks() {
		add("hot", lsn(b.ID), b, nil, nil)
	}
	for _, p := range snap.View.Parts() {
		var problem any
		if p.Problem != "" {
			problem = p.Problem
		}
		add("cold", lsn(p.ID), p.BlockInfo, p.Name, problem)
	}
	return rows, nil
}

// lsn gives a number that never comes near the sign.
func lsn(n uint64) any { return int64(min(n, math.MaxInt64)) }

func jobRows(snap *Snapshot, _ *expr.Env) ([][]any, error) {
	var rows [][]any
	for _, j := range snap.tx.store.db.Jobs() {
		var relation, ended, failure any
		if j.Table != "" {
			relation = j.Table
		}
		if j.State != engine.JobRunning {
			ended = expr.Micros(j.Ended)
		}
		if j.Err != nil {
			failure = j.Err.Error()
		}
		rows = append(rows, []any{
			string(j.Kind), relation, expr.Micros(j.Started), ended, j.RowsIn, j.RowsOut, j.BytesIn, j.BytesOut, string(j.State), failure, j.ID,
		})
	}
	return rows, nil
}
