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

// A traceFunction is a table function of a trace id whose rows follow from the
// tree that the spans of the trace make.
type traceFunction struct {
	rel   *catalog.Relation
	spans *telemetry
	rows  func(*trace, *vector.Account) ([][]any, error)
}

func newTraceFunctions(spans *telemetry) []catalog.RowFunction {
	function := func(name, comment string, rows func(*trace, *vector.Account) ([][]any, error), columns ...catalog.Column) catalog.RowFunction {
		return &traceFunction{
			rel: &catalog.Relation{
				OID: functionOID(name), Schema: catalog.PublicSchema, Name: name, Kind: 'f', Comment: comment, Columns: columns,
			},
			spans: spans, rows: rows,
		}
	}
	text := func(name, comment string) catalog.Column { return col(name, pgtypes.Text, comment) }
	number := func(name, comment string) catalog.Column { return col(name, pgtypes.Float8, comment) }
	return []catalog.RowFunction{
		function("trace_tree", "The spans of a trace as a tree, parents before children, children in order of time.", (*trace).tree,
			col("depth", pgtypes.Int4, "Ancestors"), text("path", "Numbers of the span and its ancestors among siblings; sorts as the tree reads"), text("trace_id", "Trace"), text("span_id", "Span"), text("parent_span_id", "Parent; NULL at a root"),
			text("service", "Service"), text("operation", "Span name"), number("start_offset_ms", "From the trace's first start"), number("duration_ms", "Duration"), number("self_ms", "Time that no child covers"),
			text("status", "unset, ok or error"), col("is_orphan", pgtypes.Bool, "Its parent is not there"), col("on_critical_path", pgtypes.Bool, "It decides how long the trace takes")),
		function("critical_path", "The spans that decide how long a trace takes, with the time that each of them has the path.", (*trace).path,
			col("step", pgtypes.Int4, "Place on the path, by start"), text("span_id", "Span"), text("service", "Service"), text("operation", "Span name"),
			number("start_offset_ms", "From the trace's first start"), number("duration_ms", "Duration"), number("self_ms", "Time that it has the path"), number("share", "Part of the path's length")),
	}
}

// Relation describes the rows.
func (f *traceFunction) Relation() *catalog.Relation { return f.rel }

// Args describes the argument.
func (f *traceFunction) Args() []catalog.Arg {
	return []catalog.Arg{{Name: "trace_id", Type: pgtypes.Of(pgtypes.Text)}}
}

// Call reads the spans of a trace.
func (f *traceFunction) Call(ctx context.Context, env *expr.Env, args []any) (vector.Reader, error) {
	kinds := exec.Kinds(columnTypes(f.rel))
	text, ok := args[0].(string)
	if !ok {
		return exec.FromSlice(kinds, nil), nil
	}
	id, err := expr.TraceID(text)
	if err != nil {
		return nil, err
	}
	t, err := readTrace(ctx, env, f.spans, id)
	if err != nil {
		return nil, err
	}
	rows, err := f.rows(t, env.Account)
	if err != nil {
		return nil, err
	}
	return exec.FromSlice(kinds, rows), nil
}

// A trace is the spans of one trace id with the tree that they make.
type trace struct {
	id    string
	spans []treeSpan
	roots []int // in order: true roots, orphans, what stands in a cycle
	begin int64 // first start
}

type treeSpan struct {
	id, service, operation, status string
	parentID                       any
	start, end                     int64 // ns
	children                       []int // by start
	orphan                         bool
	onPath                         bool
	pathNanos                      int64 // time that the span has the critical path
}

func readTrace(ctx context.Context, env *expr.Env, spans *telemetry, id string) (*trace, error) {
	req := &catalog.ScanRequest{
		Env: env, Workers: 1,
		Filters: []catalog.Filter{{Column: catalog.ColumnRef{Index: spans.rel.Index("trace_id")}, Op: catalog.Equal, Values: []any{id}}},
	}
	for _, name := range []string{
		"trace_id", "span_id", "parent_span_id", "service", "operation", "status", "start_time_unix_nano", "end_time_unix_nano",
	} {
		req.Columns = append(req.Columns, catalog.ColumnRef{Index: spans.rel.Index(name)})
	}
	readers, err := spans.Scan(ctx, req)
	if err != nil {
		return nil, err
	}
	in := exec.Concat(readers...)
	defer in.Close()
	rows, err := exec.Collect(env, in)
	if err != nil {
		return nil, err
	}
	t := &trace{id: id}
	for _, r := range rows {
		if r[0] != id {
			continue
		}
		t.spans = append(t.spans, treeSpan{
			id: r[1].(string), parentID: r[2], service: r[3].(string), operation: r[4].(string), status: r[5].(string),
			start: r[6].(int64), end: r[7].(int64),
		})
	}
	t.plant()
	return t, nil
}

// plant finds children and roots. A span whose parent is not there is an
// orphan, as is the first of a cycle of parents: every span is in the tree once.
func (t *trace) plant() {
	slices.SortFunc(t.spans, func(a, b treeSpan) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id)) })
	place := make(map[string]int, len(t.spans))
	for i := range t.spans {
		place[t.spans[i].id] = i
	}
	var orphans []int
	for i := range t.spans {
		s := &t.spans[i]
		if i == 0 {
			t.begin = s.start
		}
		parent, has := s.parentID.(string)
		at, there := place[parent]
		switch {
		case !has:
			t.roots = append(t.roots, i)
		case there && at != i:
			t.spans[at].children = append(t.spans[at].children, i)
		default:
			s.orphan = true
			orphans = append(orphans, i)
		}
	}
	t.roots = append(t.roots, orphans...)
	t.breakCycles(place)
	if len(t.roots) > 0 {
		t.critical(t.roots[0])
	}
}

// breakCycles makes roots of the first spans that no root leads to.
func (t *trace) breakCycles(place map[string]int) {
	reached := make([]bool, len(t.spans))
	visit := func(root int) {
		for stack := []int{root}; len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			reached[i] = true
			stack = append(stack, t.spans[i].children...)
		}
	}
	for _, r := range t.roots {
		visit(r)
	}
	for i := range t.spans {
		if reached[i] {
			continue
		}
		s := &t.spans[i]
		parent := &t.spans[place[s.parentID.(string)]]
		parent.children = slices.DeleteFunc(parent.children, func(c int) bool { return c == i })
		s.orphan = true
		t.roots = append(t.roots, i)
		visit(i)
	}
}

// critical walks back from the end of a root: whatever ended last before a
// moment is what was waited for. A child that outlasts its parent counts until
// the parent's end.
func (t *trace) critical(root int) {
	type leg struct {
		span       int
		begin, end int64
	}
	for stack := []leg{{span: root, begin: t.spans[root].start, end: t.spans[root].end}}; len(stack) > 0; {
		l := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s := &t.spans[l.span]
		s.onPath = true
		byEnd := slices.Clone(s.children)
		slices.SortStableFunc(byEnd, func(a, b int) int {
			return cmp.Or(cmp.Compare(t.spans[b].end, t.spans[a].end), cmp.Compare(t.spans[b].start, t.spans[a].start))
		})
		at := l.end
		for _, c := range byEnd {
			begin, end := max(t.spans[c].start, l.begin), min(t.spans[c].end, l.end)
			if begin >= end || end > at {
				continue // without time within the parent, or beside a later one
			}
			s.pathNanos += at - end
			at = begin
			stack = append(stack, leg{span: c, begin: begin, end: end})
		}
		s.pathNanos += max(at-l.begin, 0)
	}
}

func (t *trace) offset(nanos int64) float64 { return float64(nanos-t.begin) / 1e6 }

// tree gives the rows of trace_tree. A path numbers a span and its ancestors
// among their siblings; in order of paths, the tree is read from the top. In a
// deep tree paths are long, so they are taken from the account.
func (t *trace) tree(account *vector.Account) ([][]any, error) {
	widest := len(t.roots)
	for i := range t.spans {
		widest = max(widest, len(t.spans[i].children))
	}
	digits := len(fmt.Sprint(widest))
	type place struct {
		span  int
		path  string
		depth int64
	}
	var stack []place
	push := func(list []int, above string, depth int64) {
		for i := len(list) - 1; i >= 0; i-- {
			stack = append(stack, place{list[i], fmt.Sprintf("%s%0*d", above, digits, i+1), depth})
		}
	}
	rows := make([][]any, 0, len(t.spans))
	push(t.roots, "", 0)
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s := &t.spans[p.span]
		if err := account.Grow(int64(256 + len(p.path))); err != nil {
			return nil, err
		}
		rows = append(rows, []any{
			p.depth, p.path, t.id, s.id, s.parentID, s.service, s.operation, t.offset(s.start), float64(s.end-s.start) / 1e6,
			float64(t.self(s)) / 1e6, s.status, s.orphan, s.onPath,
		})
		push(s.children, p.path+".", p.depth+1)
	}
	return rows, nil
}

// self is the time of a span that none of its children covers.
func (t *trace) self(s *treeSpan) int64 {
	own, until := s.end-s.start, s.start
	for _, c := range s.children { // by start
		begin, end := max(t.spans[c].start, until), min(t.spans[c].end, s.end)
		if begin < end {
			own -= end - begin
			until = end
		}
	}
	return own
}

// path gives the rows of critical_path: the times on it add up to the root's
// duration.
func (t *trace) path(*vector.Account) ([][]any, error) {
	total := int64(0)
	for i := range t.spans {
		total += t.spans[i].pathNanos
	}
	var rows [][]any
	for i := range t.spans {
		s := &t.spans[i]
		if !s.onPath {
			continue
		}
		share := 0.0
		if total > 0 {
			share = float64(s.pathNanos) / float64(total)
		}
		rows = append(rows, []any{
			int64(len(rows) + 1), s.id, s.service, s.operation, t.offset(s.start), float64(s.end-s.start) / 1e6,
			float64(s.pathNanos) / 1e6, share,
		})
	}
	return rows, nil
}
