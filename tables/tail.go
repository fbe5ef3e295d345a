package tables

import (
	"context"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

const (
	// tailEvery is how often a tail that has given everything looks for new rows:
	// no delay that a person sees, and rows that come together are read together.
	tailEvery = 50 * time.Millisecond

	// maxTailRows is how many rows may wait for a reader of a tail.
	maxTailRows = 10_000
)

// tail is tail(): the rows of a signal as they arrive, from the call on and for
// as long as somebody reads. It keeps no rows: it goes on from where it is in
// the newest state, and passes over what has waited too long.
type tail struct {
	rel     *catalog.Relation
	signals []*telemetry
}

func newTail(signals ...*telemetry) *tail {
	return &tail{
		rel: &catalog.Relation{
			OID: functionOID("tail"), Schema: catalog.PublicSchema, Name: "tail", Kind: 'f',
			Comment: "Rows of spans, logs or metrics as they arrive, from now on; it does not end. signal and filter, an SQL condition over the signal's columns, are literals. The columns are those of the signal, and dropped. Follow it in psql by COPY (SELECT … FROM tail('logs')) TO STDOUT or with FETCH_COUNT 1, elsewhere by FETCH 1 from a cursor.",
			Columns: []catalog.Column{droppedColumn},
		},
		signals: signals,
	}
}

var droppedColumn = col("dropped", pgtypes.Int8, "Rows left out so far, because more than 10000 were waiting to be read")

// Relation describes what the results for all signals have in common.
func (t *tail) Relation() *catalog.Relation { return t.rel }

// Args describes the arguments.
func (t *tail) Args() []catalog.Arg {
	return []catalog.Arg{
		{Name: "signal", Type: pgtypes.Of(pgtypes.Text)},
		{Name: "filter", Type: pgtypes.Of(pgtypes.Text), Default: "NULL"},
	}
}

// Choose gives the tail of a signal, and the condition.
func (t *tail) Choose(args []any) (catalog.Table, string, error) {
	signal, _ := args[0].(string)
	filter, _ := args[1].(string)
	var names []string
	for _, table := range t.signals {
		if table.rel.Name == signal {
			rel := *table.rel
			rel.Columns = append(rel.Columns[:len(rel.Columns):len(rel.Columns)], droppedColumn)
			return &tailTable{table, &rel}, filter, nil
		}
		names = append(names, table.rel.Name)
	}
	return nil, "", pgerr.New(pgerr.InvalidParameterValue, "unknown signal: \"%s\"", signal).
		WithHint("Signals are %s.", strings.Join(names, ", "))
}

// A tailTable is the tail of one signal. It has the signal's name: who may read
// the signal may follow it.
type tailTable struct {
	signal *telemetry
	rel    *catalog.Relation
}

// Relation describes the table.
func (t *tailTable) Relation() *catalog.Relation { return t.rel }

// Rows estimates the size for join order.
func (t *tailTable) Rows() int64 { return estimatedRows }

// Scan follows the signal from the newest state on.
func (t *tailTable) Scan(_ context.Context, req *catalog.ScanRequest) ([]vector.Reader, error) {
	snap, err := snapshot(req.Env)
	if err != nil {
		return nil, err
	}
	r := &tailReader{table: t, snap: snap}
	r.req = catalog.ScanRequest{Filters: req.Filters, Workers: 1}
	dropped := len(t.rel.Columns) - 1
	for _, ref := range req.Columns {
		if ref.Index == dropped {
			ref = catalog.ColumnRef{Index: catalog.RowNumber}
		}
		r.droppedAt = append(r.droppedAt, ref.Index == catalog.RowNumber)
		r.req.Columns = append(r.req.Columns, ref)
	}
	r.env = *req.Env
	view := snap.tx.store.db.View()
	defer view.Release()
	r.from = view.NextRow(t.signal.rel.Name)
	return []vector.Reader{r}, nil
}

// A tailReader reads all rows from one number on, view after view.
type tailReader struct {
	table     *tailTable
	snap      *Snapshot
	env       expr.Env
	req       catalog.ScanRequest
	droppedAt []bool // by column

	from    uint64 // number of the next row to arrive
	dropped int64
	live    *Snapshot // whose rows in gives; nil: none
	in      []vector.Reader
	quiet   bool // nothing was given since the last empty batch
}

// Next waits for rows. Before it does, it gives one empty batch, which says that
// the next may be long in coming.
func (r *tailReader) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := r.read(ctx)
		switch {
		case err != nil:
			return nil, err
		case b != nil:
			r.quiet = false
			return b, nil
		}
		if opened, err := r.open(); err != nil || opened {
			if err != nil {
				return nil, err
			}
			continue
		}
		if !r.quiet {
			r.quiet = true
			return vector.NewLazyBatch(0, len(r.req.Columns), func(i int) (*vector.Column, error) {
				return vector.NewBuilder(r.kind(i), 0).Finish(), nil
			}), nil
		}
		wait := time.NewTimer(tailEvery)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		}
	}
}

func (r *tailReader) kind(i int) vector.Kind {
	switch ref := r.req.Columns[i]; {
	case ref.Index == catalog.RowNumber:
		return vector.Int64
	case ref.Key != "":
		return vector.String
	default:
		return expr.KindOf(r.table.rel.Columns[ref.Index].Type.OID)
	}
}

// read gives the next rows of the view that is being read, nil at its end.
func (r *tailReader) read(ctx context.Context) (*vector.Batch, error) {
	for len(r.in) > 0 {
		b, err := r.in[0].Next(ctx)
		if err != nil {
			return nil, err
		}
		if b != nil {
			dropped := r.dropped
			out := vector.NewLazyBatch(b.N, b.Width(), func(i int) (*vector.Column, error) {
				if r.droppedAt[i] {
					return vector.Const(vector.Int64, dropped, b.N), nil
				}
				return b.Column(i)
			})
			out.Sel = b.Sel
			return out, nil
		}
		r.in[0].Close()
		r.in = r.in[1:]
	}
	r.release()
	return nil, nil
}

// open begins to read what has arrived; false if nothing has.
func (r *tailReader) open() (bool, error) {
	view := r.snap.tx.store.db.View()
	next := view.NextRow(r.table.signal.rel.Name)
	if next == r.from {
		view.Release()
		return false, nil
	}
	if waiting := next - r.from; waiting > maxTailRows {
		r.dropped += int64(waiting - maxTailRows)
		r.from = next - maxTailRows
	}
	r.live = &Snapshot{View: view, tx: r.snap.tx, own: true}
	env := r.env
	env.Snapshot, env.Statement = r.live, expr.Micros(time.Now())
	r.req.Env = &env
	var err error
	r.in, err = r.table.signal.scan(&r.req, rowChoice{from: r.from})
	r.from = next
	return true, err
}

func (r *tailReader) release() {
	if r.live != nil {
		r.live.Release()
		r.live = nil
	}
}

// Close ends it.
func (r *tailReader) Close() {
	for _, in := range r.in {
		in.Close()
	}
	r.in = nil
	r.release()
}
