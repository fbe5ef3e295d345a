package sqlplan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Step describes one operator, for EXPLAIN.
type Step struct {
	Title    string
	Rows     int64 // estimate
	Width    int   // bytes a row, estimate
	Details  []Detail
	Children []*Step

	scan    *catalog.ScanStats
	actual  *atomic.Int64 // rows given; nil without ANALYZE
	elapsed *atomic.Int64 // ns in Next, children included
}

// A Detail is a property of a step: a text, or a list of them.
type Detail struct {
	Name   string
	Values []string
	List   bool
}

func (s *Step) addDetail(name, value string) {
	s.Details = append(s.Details, Detail{Name: name, Values: []string{value}})
}

func (s *Step) addList(name string, values []string) {
	s.Details = append(s.Details, Detail{name, values, true})
}

// Show says what of the steps is printed.
type Show struct{ Costs, Timing bool }

// Lines prints the steps as PostgreSQL's EXPLAIN does. The cost of a step is
// the number of rows that it and its inputs handle, by a hundred.
func (s *Step) Lines(show Show) []string { return s.lines(nil, show, 0) }

func (s *Step) lines(out []string, show Show, depth int) []string {
	indent, arrow := strings.Repeat("      ", depth), ""
	if depth > 0 {
		indent, arrow = strings.Repeat("      ", depth-1)+"  ", "->  "
	}
	line := indent + arrow + s.Title
	if show.Costs {
		line += fmt.Sprintf("  (cost=0.00..%.2f rows=%d width=%d)", s.cost(), s.Rows, s.Width)
	}
	switch {
	case s.actual != nil && show.Timing:
		line += fmt.Sprintf(" (actual time=0.000..%.3f rows=%d loops=1)", s.millis(), s.actual.Load())
	case s.actual != nil:
		line += fmt.Sprintf(" (actual rows=%d loops=1)", s.actual.Load())
	}
	out = append(out, line)
	pad := strings.Repeat("      ", depth) + "  "
	for _, d := range s.Details {
		out = append(out, pad+d.Name+": "+strings.Join(d.Values, ", "))
	}
	if s.actual != nil && s.scan != nil {
		out = append(out, s.scanLines(pad)...)
	}
	for _, child := range s.Children {
		out = child.lines(out, show, depth+1)
	}
	return out
}

func (s *Step) millis() float64 { return float64(s.elapsed.Load()) / 1e6 }

// scanLines says where the rows of a scan came from and what was not read.
func (s *Step) scanLines(pad string) []string {
	st := s.scan
	lines := []string{fmt.Sprintf("%sTiers: memtable rows=%d, hot blocks=%d of %d, cold parts=%d of %d, cold chunks=%d of %d, bytes=%d", pad,
		st.Memtable.Load(), st.Blocks.Load(), st.BlocksTotal.Load(), st.Parts.Load(), st.PartsTotal.Load(),
		st.Chunks.Load(), st.ChunksTotal.Load(), st.Bytes.Load())}
	pruned := st.Pruned()
	for _, reason := range slices.Sorted(maps.Keys(pruned)) {
		lines = append(lines, fmt.Sprintf("%sPruned by %s: %d", pad, reason, pruned[reason]))
	}
	return lines
}

func (s *Step) cost() float64 {
	rows := float64(s.Rows) / 100
	for _, child := range s.Children {
		rows += child.cost()
	}
	return rows
}

// measure makes the readers of a stage count rows and time. Where a node and
// the one above it share a step (a filter on a scan), the upper one counts.
func (s *Step) measure(st *stage) {
	s.actual, s.elapsed = new(atomic.Int64), new(atomic.Int64)
	for i, r := range st.readers {
		st.readers[i] = &measured{in: r, rows: s.actual, nanos: s.elapsed}
	}
}

// measured counts what a reader gives.
type measured struct {
	in    vector.Reader
	rows  *atomic.Int64
	nanos *atomic.Int64
}

func (m *measured) Next(ctx context.Context) (*vector.Batch, error) {
	start := time.Now()
	b, err := m.in.Next(ctx)
	m.nanos.Add(int64(time.Since(start)))
	if b != nil {
		m.rows.Add(int64(b.Live()))
	}
	return b, err
}

func (m *measured) Close() { m.in.Close() }
