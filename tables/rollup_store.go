package tables

import (
	"context"
	"encoding/binary"
	"iter"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// What is kept of points once they have been deleted, as keyed tables that no
// statement sees by name. One transaction writes the rows of a step, the last
// points before its end, and the boundary, which is that end. Points before the
// boundary are in metrics_5m by the stored rows alone.
//
// The ids and the columns' order are on disk.
var (
	storedRollups = &keyed{id: 5, rel: &catalog.Relation{
		Name: "rollups", Kind: 'r', Columns: rollupColumns(),
	}}
	lastPoints = &keyed{id: 6, rel: &catalog.Relation{
		Name: "rollup_last", Kind: 'r', PrimaryKey: []int{4, 5, 6}, Columns: pointColumns(),
	}}
	rollupBoundary = &keyed{id: 7, rel: &catalog.Relation{
		Name: "rollup_boundary", Kind: 'r', PrimaryKey: []int{0},
		Columns: []catalog.Column{col("table", pgtypes.Text, ""), col("before", pgtypes.Timestamptz, "")},
	}}
)

// rollupKey is the key of a stored row: its bucket, so that rows are in the order
// in which they expire, and its number among those that were stored with it.
func rollupKey(bucket int64, number int) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(bucket)^1<<63)
	return binary.BigEndian.AppendUint32(key, uint32(number))
}

// rollupColumns are those of a row before averages are taken.
func rollupColumns() []catalog.Column {
	return []catalog.Column{
		col("bucket", pgtypes.Timestamptz, "Begin of the five minutes"), col("service", pgtypes.Text, "Service"),
		col("name", pgtypes.Text, "Metric"), col("series_id", pgtypes.Text, "Series"),
		col("attributes", pgtypes.Jsonb, "Attributes"), col("metric_type", pgtypes.Text, "As in metrics"),
		col("count", pgtypes.Int8, "As in metrics_5m"), col("sum", pgtypes.Float8, "As in metrics_5m"),
		col("min", pgtypes.Float8, "As in metrics_5m"), col("max", pgtypes.Float8, "As in metrics_5m"),
		col("last", pgtypes.Float8, "As in metrics_5m"),
	}
}

// pointColumns are those of metrics that metrics_5m is made of.
func pointColumns() []catalog.Column {
	return []catalog.Column{
		col("timestamp", pgtypes.Timestamptz, "As in metrics"), col("time_unix_nano", pgtypes.Int8, "As in metrics"),
		col("start_time", pgtypes.Timestamptz, "As in metrics"), col("start_time_unix_nano", pgtypes.Int8, "As in metrics"),
		col("service", pgtypes.Text, "As in metrics"), col("name", pgtypes.Text, "As in metrics"), col("series_id", pgtypes.Text, "As in metrics"),
		col("attributes", pgtypes.Jsonb, "As in metrics"), col("metric_type", pgtypes.Text, "As in metrics"),
		col("temporality", pgtypes.Text, "As in metrics"), col("is_monotonic", pgtypes.Bool, "As in metrics"),
		col("value", pgtypes.Float8, "As in metrics"), col("count", pgtypes.Int8, "As in metrics"),
		col("min", pgtypes.Float8, "As in metrics"), col("max", pgtypes.Float8, "As in metrics"),
		col("no_recorded_value", pgtypes.Bool, "As in metrics"), col("ingested_at", pgtypes.Timestamptz, "As in metrics"),
	}
}

// rollupStep is how long a step of metrics_5m is, in µs.
const rollupStep = int64(5 * time.Minute / time.Microsecond)

// stepOf gives the begin of the step of a time, both in µs since 2000.
func stepOf(micros int64) int64 {
	step := micros / rollupStep
	if micros%rollupStep < 0 {
		step--
	}
	return step * rollupStep
}

// KeepRollups sets how long rows of metrics_5m are kept, by their bucket; 0 is
// for ever. It is called before the store is used, which must hold the points
// (engine.Options.Held).
func (s *Store) KeepRollups(keep time.Duration) error {
	s.keepRollups = keep
	v := s.db.View()
	defer v.Release()
	before, ok, err := boundary(v)
	if ok {
		s.db.Release("metrics", pgtypes.UnixNanosFromMicros(before))
	}
	return err
}

// boundary is the end of what is stored, in µs since 2000.
func boundary(v *engine.View) (before int64, ok bool, err error) {
	stored, ok, err := v.KeyedGet(rollupBoundary.id, []byte(rollupBoundary.key([]any{"metrics", nil})))
	if err != nil || !ok {
		return 0, false, storageError(err)
	}
	row, err := rollupBoundary.decode(stored.Value)
	if err != nil {
		return 0, false, err
	}
	return row[1].(int64), true, nil
}

// keptFrom is the time before which rows of metrics_5m have expired for a
// statement, in µs since 2000.
func (s *Snapshot) keptFrom(env *expr.Env) int64 {
	moment := env.Statement
	if s.tx.repeatable {
		moment = env.Now
	}
	if keep := s.tx.store.keepRollups; keep != 0 {
		return moment - keep.Microseconds()
	}
	return minInt64
}

// rollupRows is internal table rollup_rows: the stored rows.
type rollupRows struct{}

// Relation describes the table.
func (rollupRows) Relation() *catalog.Relation {
	return &catalog.Relation{OID: rollupRowsOID, Schema: catalog.PublicSchema, Name: "rollup_rows", Kind: 'r', Columns: rollupColumns()}
}

// Rows estimates the size for join order.
func (rollupRows) Rows() int64 { return estimatedRows }

// Scan reads them, which is granted as metrics are.
func (rollupRows) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	snap, err := metricsSnapshot(req.Env)
	if err != nil {
		return nil, err
	}
	from, to := snap.keptFrom(req.Env), int64(maxInt64)
	for _, f := range req.Filters {
		if at, ok := f.Values[0].(int64); ok && f.Column.Index == 0 {
			switch f.Op {
			case catalog.Greater, catalog.GreaterEqual:
				from = max(from, at)
			case catalog.Less, catalog.LessEqual:
				to = min(to, at)
			}
		}
	}
	var lower, upper []byte
	if from != minInt64 {
		lower = rollupKey(from, 0)
	}
	if to != maxInt64 {
		upper = rollupKey(to+1, 0)
	}
	return []vector.Reader{keyedReader(rollupColumns(), req.Columns, snap.View, storedRollups, lower, upper)}, nil
}

// metricsSnapshot is the snapshot of a statement that may read metrics.
func metricsSnapshot(env *expr.Env) (*Snapshot, error) {
	if err := env.Denied("SELECT", "table", catalog.PublicSchema, "metrics"); err != nil {
		return nil, err
	}
	return snapshot(env)
}

// rollupPoints is internal table rollup_points: what metrics_5m is made of from
// the boundary on, points that have expired too, and the last point before it of
// each series.
type rollupPoints struct {
	metrics *telemetry
	rel     *catalog.Relation
}

func newRollupPoints(metrics *telemetry) *rollupPoints {
	return &rollupPoints{metrics, &catalog.Relation{
		OID: rollupPointsOID, Schema: catalog.PublicSchema, Name: "rollup_points", Kind: 'r',
		Columns: append(pointColumns(), col("carried", pgtypes.Bool, "It is in a stored row"), col("counted", pgtypes.Bool, "It is not, and its step is kept")),
	}}
}

// Relation describes the table.
func (t *rollupPoints) Relation() *catalog.Relation { return t.rel }

// Rows estimates the size for join order.
func (t *rollupPoints) Rows() int64 { return estimatedRows }

// Scan reads them, which is granted as metrics are.
func (t *rollupPoints) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	snap, err := metricsSnapshot(req.Env)
	if err != nil {
		return nil, err
	}
	before, stored, err := boundary(snap.View)
	if err != nil {
		return nil, err
	}
	var since int64
	if stored {
		since = pgtypes.UnixNanosFromMicros(before)
	}
	told := &toldPoints{wanted: req.Columns, from: snap.keptFrom(req.Env), carriedAt: len(t.rel.Columns) - 2}
	points := &catalog.ScanRequest{Env: req.Env, Workers: req.Workers, Stats: req.Stats}
	for _, ref := range req.Columns {
		if ref.Index >= told.carriedAt {
			ref.Index = 0 // the time tells
		}
		points.Columns = append(points.Columns, t.ofMetrics(ref))
	}
	for _, f := range req.Filters {
		if f.Column.Index < told.carriedAt {
			f.Column = t.ofMetrics(f.Column)
			points.Filters = append(points.Filters, f)
		}
	}
	readers, err := t.metrics.scan(points, rowChoice{since: &since})
	if err != nil {
		return nil, err
	}
	for i, in := range readers {
		readers[i] = &pointReader{in, told}
	}
	return append(readers, keyedReader(t.rel.Columns, req.Columns, snap.View, lastPoints, nil, nil, true, false)), nil
}

// ofMetrics gives the column of metrics that is a column of t.
func (t *rollupPoints) ofMetrics(ref catalog.ColumnRef) catalog.ColumnRef {
	return catalog.ColumnRef{Index: t.metrics.rel.Index(t.rel.Columns[ref.Index].Name)}
}

// toldPoints is what is told of points beside their columns: they are not
// carried, and counted if their step begins at from or later, in µs since 2000.
type toldPoints struct {
	wanted    []catalog.ColumnRef
	from      int64
	carriedAt int // place of carried; counted is the next
}

// A pointReader reads points, with a time in the place of what is told of them.
type pointReader struct {
	in   vector.Reader
	told *toldPoints
}

// Next gives the next batch.
func (r *pointReader) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := r.in.Next(ctx)
	if b == nil || err != nil {
		return nil, err
	}
	out := vector.NewLazyBatch(b.N, b.Width(), func(i int) (*vector.Column, error) {
		switch r.told.wanted[i].Index {
		case r.told.carriedAt:
			return vector.Const(vector.Bool, false, b.N), nil
		case r.told.carriedAt + 1:
			times, err := b.Column(i)
			if err != nil {
				return nil, err
			}
			counted := vector.NewBuilder(vector.Bool, b.N)
			for row := range b.N {
				counted.Append(stepOf(times.Ints[row]) >= r.told.from)
			}
			return counted.Finish(), nil
		}
		return b.Column(i)
	})
	out.Sel = b.Sel
	return out, nil
}

// Close ends it.
func (r *pointReader) Close() { r.in.Close() }

// keyedReader reads columns of the rows of a keyed table between two keys, of
// all from nil; values stand for columns that it does not have.
func keyedReader(columns []catalog.Column, wanted []catalog.ColumnRef, v *engine.View, t *keyed, lower, upper []byte, values ...any) vector.Reader {
	types := make([]pgtypes.Type, len(wanted))
	for i, ref := range wanted {
		types[i] = columns[ref.Index].Type
	}
	next, stop := iter.Pull2(v.Keyed(t.id, lower, upper))
	return exec.FromRows(exec.Kinds(types), func(context.Context) ([]any, error) {
		stored, err, ok := next()
		if err != nil || !ok {
			return nil, storageError(err)
		}
		row, err := t.decode(stored.Value)
		if err != nil {
			return nil, err
		}
		row = append(row, values...)
		out := make([]any, len(wanted))
		for i, ref := range wanted {
			out[i] = row[ref.Index]
		}
		return out, nil
	}, stop)
}

// rollupTarget gives the time up to which points are to be in stored rows: the
// begin of a step by when all points have expired for a while, so that none is
// on its way; ok is false if nothing is to be done.
func (s *Store) rollupTarget() (until int64, ok bool, err error) {
	expiry := s.db.Expiry(s.db.Retention("metrics"))
	if expiry == 0 {
		return 0, false, nil
	}
	until = stepOf(pgtypes.MicrosFromUnixNanos(expiry) - rollupStep)
	v := s.db.View()
	defer v.Release()
	before, stored, err := boundary(v)
	return until, err == nil && (!stored || before < until), err
}

// storeRollups writes the rows and last points that rollupQueries have given of
// the points before a time in µs, and moves the boundary there.
func (s *Store) storeRollups(ctx context.Context, until int64, rows, last [][]any) error {
	tx := s.Begin(false)
	snap := tx.Snapshot()
	defer snap.Release()
	env := &expr.Env{Ctx: ctx, Snapshot: snap, LockTimeout: time.Minute}
	for i, row := range rows {
		tx.writes = append(tx.writes, write{keyed: storedRollups, key: string(rollupKey(row[0].(int64), i)), row: row})
	}
	replace := func(t *keyed, row []any) error {
		key := t.key(row)
		if _, err := snap.lock(env, t, key, true); err != nil {
			return err
		}
		tx.writes = append(tx.writes, write{keyed: t, key: key, row: row})
		return nil
	}
	err := replace(rollupBoundary, []any{"metrics", until})
	for i := 0; i < len(last) && err == nil; i++ {
		err = replace(lastPoints, last[i])
	}
	if err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	s.db.Release("metrics", pgtypes.UnixNanosFromMicros(until))
	return nil
}

// expireRollups deletes the stored rows that have expired.
func (s *Store) expireRollups(ctx context.Context) error {
	if s.keepRollups == 0 {
		return nil
	}
	before := pgtypes.MicrosFromUnixNanos(s.db.Expiry(s.keepRollups))
	upper := rollupKey(before, 0)
	for {
		v := s.db.View()
		set := &engine.WriteSet{}
		for row, err := range v.Keyed(storedRollups.id, nil, upper) {
			if err != nil {
				v.Release()
				return storageError(err)
			}
			if set.Keyed = append(set.Keyed, engine.KeyedWrite{Table: storedRollups.id, Key: row.Key, Seen: row.LSN}); len(set.Keyed) == deleteBatch {
				break
			}
		}
		v.Release()
		if len(set.Keyed) == 0 {
			return nil
		}
		set.Header.ReceiveNanos = time.Now().UnixNano()
		if _, err := s.db.Commit(ctx, set); err != nil {
			return commitError(err)
		}
	}
}

// RollUp stores what metrics_5m is of points that expire, step by step, and
// deletes its rows that have expired. Run gives the rows of a query.
func (s *Store) RollUp(ctx context.Context, run func(ctx context.Context, sql string) ([][]any, error)) error {
	s.rolling.Lock()
	defer s.rolling.Unlock()
	until, due, err := s.rollupTarget()
	if err == nil && due {
		err = s.db.RunJob(engine.RollUpJob, "metrics", func() (in, out int64, err error) {
			out, err = s.rollUp(ctx, until, run)
			return 0, out, err
		})
	}
	if err != nil {
		return err
	}
	return s.expireRollups(ctx)
}

// rollUp stores step after step, so that what is in memory and in one record is
// bounded. Steps without points are passed over.
func (s *Store) rollUp(ctx context.Context, until int64, run func(ctx context.Context, sql string) ([][]any, error)) (stored int64, err error) {
	to := int64(minInt64) // not known: where the oldest points are
	for {
		if to == minInt64 {
			least, err := run(ctx, oldestPoint(timeOf(until)))
			if err != nil {
				return stored, err
			}
			to = until
			if oldest, ok := least[0][0].(int64); ok {
				to = min(until, stepOf(oldest)+rollupStep)
			}
		}
		ofRows, ofLast := rollupQueries(timeOf(to))
		rows, err := run(ctx, ofRows)
		if err != nil {
			return stored, err
		}
		last, err := run(ctx, ofLast)
		if err != nil {
			return stored, err
		}
		if len(last) == 0 && to < until {
			to = minInt64
			continue
		}
		if err := s.storeRollups(ctx, to, rows, last); err != nil {
			return stored, err
		}
		stored += int64(len(rows))
		if to == until {
			return stored, nil
		}
		to += rollupStep
	}
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros + pgtypes.EpochUnixMicros).UTC() }
