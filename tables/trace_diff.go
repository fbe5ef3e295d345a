package tables

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// traceDiff is the table function that lays two traces on each other.
type traceDiff struct {
	rel   *catalog.Relation
	spans *telemetry
}

func newTraceDiff(spans *telemetry) *traceDiff {
	return &traceDiff{spans: spans, rel: &catalog.Relation{
		OID: functionOID("trace_diff"), Schema: catalog.PublicSchema, Name: "trace_diff", Kind: 'f',
		Comment: "Two traces laid on each other: spans of the same operation below the same callers stand in one row.",
		Columns: []catalog.Column{
			col("service", pgtypes.Text, "Service"), col("operation", pgtypes.Text, "Span name"),
			col("path", pgtypes.Text, "Numbers of the row and those above it among siblings; sorts as the tree reads"),
			col("count_a", pgtypes.Int8, "Spans of the first trace"), col("count_b", pgtypes.Int8, "Spans of the second"),
			col("self_ms_a", pgtypes.Float8, "Their time that no child covers, in sum"), col("self_ms_b", pgtypes.Float8, "The same of the second"),
			col("delta_ms", pgtypes.Float8, "self_ms_b less self_ms_a"),
			col("status_a", pgtypes.Text, "error if one of them failed, else ok or unset; NULL where there is none"), col("status_b", pgtypes.Text, "The same of the second"),
		},
	}}
}

// Relation describes the rows.
func (f *traceDiff) Relation() *catalog.Relation { return f.rel }

// Args describes the arguments.
func (f *traceDiff) Args() []catalog.Arg {
	return []catalog.Arg{{Name: "a", Type: pgtypes.Of(pgtypes.Text)}, {Name: "b", Type: pgtypes.Of(pgtypes.Text)}}
}

// Call reads both traces. One that is not there has no spans.
func (f *traceDiff) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	kinds := exec.Kinds(columnTypes(f.rel))
	var traces [2]*trace
	for i := range traces {
		text, ok := args[i].(string)
		if !ok {
			return exec.FromSlice(kinds, nil), nil
		}
		id, err := expr.TraceID(text)
		if err == nil {
			traces[i], err = readTrace(ctx, env, f.spans, id)
		}
		if err != nil {
			return nil, err
		}
	}
	rows, err := diff(traces, env.Account)
	if err != nil {
		return nil, err
	}
	return exec.FromSlice(kinds, rows), nil
}

// A place is the spans of one operation below the same place.
type place struct {
	service, operation string
	spans              [2][]int // by trace
	path               string
}

// diff gives the rows of trace_diff, parents before children. Siblings come in
// the order of the first trace, and what only the second has behind them.
func diff(traces [2]*trace, account *vector.Account) (rows [][]any, err error) {
	stack := merge(traces, [2][]int{traces[0].roots, traces[1].roots}, "")
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := account.Grow(int64(256 + len(p.path))); err != nil {
			return nil, err
		}
		var self [2]float64
		var status [2]any
		var children [2][]int
		for side, t := range traces {
			for _, i := range p.spans[side] {
				s := &t.spans[i]
				self[side] += float64(t.self(s)) / 1e6
				status[side] = worse(status[side], s.status)
				children[side] = append(children[side], s.children...)
			}
			slices.Sort(children[side]) // spans are sorted by start
		}
		rows = append(rows, []any{
			p.service, p.operation, p.path, int64(len(p.spans[0])), int64(len(p.spans[1])),
			self[0], self[1], self[1] - self[0], status[0], status[1],
		})
		stack = append(stack, merge(traces, children, p.path+".")...)
	}
	return rows, nil
}

// merge makes places of the spans below one, the last first.
func merge(traces [2]*trace, spans [2][]int, above string) []place {
	type key struct{ service, operation string }
	places := make([]place, 0, max(len(spans[0]), len(spans[1])))
	numbers := make(map[key]int)
	for side, t := range traces {
		for _, i := range spans[side] {
			s := &t.spans[i]
			k := key{s.service, s.operation}
			n, ok := numbers[k]
			if !ok {
				n = len(places)
				numbers[k] = n
				places = append(places, place{service: s.service, operation: s.operation})
			}
			places[n].spans[side] = append(places[n].spans[side], i)
		}
	}
	digits := len(fmt.Sprint(len(places)))
	for n := range places {
		places[n].path = fmt.Sprintf("%s%0*d", above, digits, n+1)
	}
	slices.Reverse(places)
	return places
}

var badness = map[string]int{"unset": 0, "ok": 1, "error": 2}

// worse gives the more telling of what is known of a status, nil for nothing,
// and another one.
func worse(known any, status string) any {
	if s, ok := known.(string); ok && cmp.Compare(badness[s], badness[status]) >= 0 {
		return known
	}
	return status
}
