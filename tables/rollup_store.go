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

// rollupRows is rollup_rows(): the stored rows.
type rollupRows struct{}

// Relation describes the result.
func (rollupRows) Relation() *catalog.Relation {
	return &catalog.Relation{
		OID: functionOID("rollup_rows"), Schema: catalog.PublicSchema, Name: "rollup_rows", Kind: 'f',
		Comment: "Rows of metrics_5m that are stored because their points expire.", Columns: rollupColumns(),
	}
}

// Args describes the arguments.
func (rollupRows) Args() []catalog.Arg { return nil }

// Call reads them.
func (f rollupRows) Call(_ context.Context, env *expr.Env, _ []any) (vector.Reader, error) {
	snap, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	from := snap.keptFrom(env)
	var lower []byte
	if from != minInt64 {
		lower = rollupKey(from, 0)
	}
	return keyedReader(rollupColumns(), snap.View, storedRollups, lower, func(row []any) []any {
		if row[0].(int64) < from {
			return nil
		}
		return row
	}), nil
}

// rollupPoints is rollup_points(): what metrics_5m is made of from the boundary
// on, and the last point before it of each series.
type rollupPoints struct{ metrics *telemetry }

func newRollupPoints(metrics *telemetry) *rollupPoints { return &rollupPoints{metrics} }

// Relation describes the result.
func (f *rollupPoints) Relation() *catalog.Relation {
	return &catalog.Relation{
		OID: functionOID("rollup_points"), Schema: catalog.PublicSchema, Name: "rollup_points", Kind: 'f',
		Comment: "Points that are not in a stored row of metrics_5m, before a time, and the last one before them of each series.",
		Columns: append(pointColumns(), col("carried", pgtypes.Bool, "It is in a stored row"), col("counted", pgtypes.Bool, "It is not, and its step is kept")),
	}
}

// Args describes the arguments.
func (f *rollupPoints) Args() []catalog.Arg {
	return []catalog.Arg{{Name: "until", Type: pgtypes.Of(pgtypes.Timestamptz), Default: "NULL"}}
}

// Call reads them.
func (f *rollupPoints) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	snap, err := snapshot(env)
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
	until := int64(maxInt64)
	req := &catalog.ScanRequest{Env: env, Workers: 1}
	for _, c := range pointColumns() {
		req.Columns = append(req.Columns, catalog.ColumnRef{Index: f.metrics.rel.Index(c.Name)})
	}
	if t, ok := args[0].(int64); ok {
		until = t
		req.Filters = []catalog.Filter{{Column: req.Columns[0], Op: catalog.Less, Values: []any{t}}}
	}
	readers, err := f.metrics.scan(req, rowChoice{since: &since})
	if err != nil {
		return nil, err
	}
	columns := f.Relation().Columns
	readers = append(readers, keyedReader(columns, snap.View, lastPoints, nil, func(row []any) []any { return append(row, true, false) }))
	return &pointReader{readers: readers, stored: len(readers) - 1, until: until, from: snap.keptFrom(env)}, nil
}

// pointReader reads one reader after the other; the last has carried points.
type pointReader struct {
	readers     []vector.Reader
	at, stored  int
	until, from int64 // µs: points from until on are left out, those of steps that begin before from are not counted
}

// Next gives the next batch.
func (r *pointReader) Next(ctx context.Context) (*vector.Batch, error) {
	for r.at < len(r.readers) {
		b, err := r.readers[r.at].Next(ctx)
		switch {
		case err != nil:
			return nil, err
		case b == nil:
			r.at++
		case r.at == r.stored:
			return b, nil
		default:
			return r.told(b)
		}
	}
	return nil, nil
}

// told adds what is known of points.
func (r *pointReader) told(b *vector.Batch) (*vector.Batch, error) {
	times, err := b.Column(0)
	if err != nil {
		return nil, err
	}
	width := b.Width()
	out := vector.NewLazyBatch(b.N, width+2, func(i int) (*vector.Column, error) {
		switch i {
		case width:
			return vector.Const(vector.Bool, false, b.N), nil
		case width + 1:
			c := vector.NewBuilder(vector.Bool, b.N)
			for row := range b.N {
				c.Append(stepOf(times.Ints[row]) >= r.from)
			}
			return c.Finish(), nil
		}
		return b.Column(i)
	})
	out.Sel = b.Sel
	if r.until == maxInt64 {
		return out, nil
	}
	sel := make([]int32, 0, b.Live())
	for k := range b.Live() {
		if row := b.Row(k); times.Ints[row] < r.until {
			sel = append(sel, int32(row))
		}
	}
	out.Sel = sel
	return out, nil
}

// Close ends all readers.
func (r *pointReader) Close() {
	for _, in := range r.readers {
		in.Close()
	}
}

// keyedReader reads the rows of a keyed table from a key on, as made of them;
// nil leaves one out.
func keyedReader(columns []catalog.Column, v *engine.View, t *keyed, lower []byte, made func(row []any) []any) vector.Reader {
	types := make([]pgtypes.Type, len(columns))
	for i, c := range columns {
		types[i] = c.Type
	}
	next, stop := iter.Pull2(v.Keyed(t.id, lower, nil))
	return exec.FromRows(exec.Kinds(types), func(context.Context) ([]any, error) {
		for {
			stored, err, ok := next()
			if err != nil || !ok {
				return nil, storageError(err)
			}
			row, err := t.decode(stored.Value)
			if err != nil {
				return nil, err
			}
			if out := made(row); out != nil {
				return out, nil
			}
		}
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
