package tables

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/anomaly"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// latencyDiff is the table function that compares durations of two windows.
type latencyDiff struct {
	rel   *catalog.Relation
	spans *telemetry
}

func newLatencyDiff(spans *telemetry) *latencyDiff {
	text := func(name, comment string) catalog.Column { return col(name, pgtypes.Text, comment) }
	count := func(name, comment string) catalog.Column { return col(name, pgtypes.Int8, comment) }
	number := func(name, comment string) catalog.Column { return col(name, pgtypes.Float8, comment) }
	return &latencyDiff{spans: spans, rel: &catalog.Relation{
		OID: functionOID("latency_diff"), Schema: catalog.PublicSchema, Name: "latency_diff", Kind: 'f',
		Comment: "How durations differ between two windows of time, by service, another column of spans or an attribute; what has become slower by most comes first.",
		Columns: []catalog.Column{
			text("key", "Value of what is grouped by"),
			count("count_a", "Spans of the first window"), count("count_b", "Spans of the second"),
			number("p50_a", "Median duration in ms; NULL without spans"), number("p50_b", "The same of the second"),
			number("p95_a", "95th percentile"), number("p95_b", "The same of the second"), number("delta_p95_ms", "p95_b less p95_a"),
			number("ci_low_ms", "Lower bound of that difference at 95 % confidence; NULL where a window has fewer than 73 spans"), number("ci_high_ms", "Its upper bound"),
			number("p_value", "Chance of such a difference if there were none"),
		},
	}}
}

// Relation describes the rows.
func (f *latencyDiff) Relation() *catalog.Relation { return f.rel }

// Args describes the arguments.
func (f *latencyDiff) Args() []catalog.Arg {
	var list []catalog.Arg
	for _, name := range []string{"from_a", "to_a", "from_b", "to_b"} {
		list = append(list, catalog.Arg{Name: name, Type: pgtypes.Of(pgtypes.Timestamptz)})
	}
	return append(list, catalog.Arg{Name: "by", Type: pgtypes.Of(pgtypes.Text), Default: "'service'"})
}

// Call compares [from_a, to_a) with [from_b, to_b).
func (f *latencyDiff) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	kinds := exec.Kinds(columnTypes(f.rel))
	if slices.Contains(args, nil) {
		return exec.FromSlice(kinds, nil), nil
	}
	by := args[4].(string)
	g := &durations{env: env, byKey: make(map[string]*[2][]float64)}
	defer func() { env.Account.Shrink(g.taken) }()
	for side := range 2 {
		from, to := args[2*side].(int64), args[2*side+1].(int64)
		if from >= to {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "window %c ends at or before its begin", 'a'+rune(side))
		}
		if err := g.read(ctx, f.spans, f.groupBy(by), from, to, side); err != nil {
			return nil, err
		}
	}
	return exec.FromSlice(kinds, g.rows()), nil
}

// groupBy gives the column of that name, else the attribute.
func (f *latencyDiff) groupBy(by string) catalog.ColumnRef {
	if i := f.spans.rel.Index(by); i >= 0 && f.spans.rel.Columns[i].Type.OID == pgtypes.Text {
		return catalog.ColumnRef{Index: i}
	}
	return catalog.ColumnRef{Index: f.spans.rel.Index("attributes"), Key: by}
}

// durations are the milliseconds of spans by key and window.
type durations struct {
	env   *expr.Env
	byKey map[string]*[2][]float64
	taken int64
}

func (g *durations) read(ctx context.Context, spans *telemetry, by catalog.ColumnRef, from, to int64, side int) error {
	req := &catalog.ScanRequest{
		Env: g.env, Filters: timeRange(spans, from, to, nil), Workers: 1,
		Columns: []catalog.ColumnRef{by, {Index: spans.rel.Index("duration_ms")}, {Index: spans.rel.Index("start_time")}},
	}
	readers, err := spans.Scan(ctx, req)
	if err != nil {
		return err
	}
	in := exec.Concat(readers...)
	defer in.Close()
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		n := int64(b.Live()) * 16 // with the room that appending leaves
		if err := g.env.Account.Grow(n); err != nil {
			return err
		}
		g.taken += n
		cols, err := decode(b)
		if err != nil {
			return err
		}
		for k := range b.Live() {
			i := b.Row(k)
			if at := cols[2].Ints[i]; cols[0].IsNull(i) || at < from || at >= to {
				continue
			}
			key := cols[0].Str(i)
			list := g.byKey[key]
			if list == nil {
				list = new([2][]float64)
				g.byKey[key] = list
			}
			list[side] = append(list[side], cols[1].Floats[i])
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// rows gives a row per key: those that are slower than before by most first,
// those of one window alone last.
func (g *durations) rows() [][]any {
	var rows [][]any
	delta := make(map[string]float64)
	for key, list := range g.byKey {
		row := []any{key, int64(len(list[0])), int64(len(list[1])), nil, nil, nil, nil, nil, nil, nil, nil}
		for side, ms := range list {
			slices.Sort(ms)
			if len(ms) > 0 {
				row[3+side], row[5+side] = anomaly.Quantile(0.5, ms), anomaly.Quantile(0.95, ms)
			}
		}
		delta[key] = math.Inf(-1)
		if a, ok := row[5].(float64); ok && row[6] != nil {
			delta[key] = row[6].(float64) - a
			row[7] = delta[key]
		}
		if s, ok := anomaly.QuantileShift(0.95, list[0], list[1]); ok {
			row[8], row[9], row[10] = s.Low, s.High, s.P
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(x, y []any) int {
		a, b := x[0].(string), y[0].(string)
		return cmp.Or(cmp.Compare(delta[b], delta[a]), cmp.Compare(a, b))
	})
	return rows
}
