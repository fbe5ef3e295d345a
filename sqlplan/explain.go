package sqlplan

import (
	"context"
	"fmt"
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
	Details  []string
	Children []*Step

	scan    *catalog.ScanStats
	actual  *atomic.Int64 // rows given; nil without ANALYZE
	elapsed *atomic.Int64 // ns in Next, children included
}

func (s *Step) addDetail(line string) { s.Details = append(s.Details, line) }

// Lines prints the steps as PostgreSQL's EXPLAIN does. The cost of a step is
// the number of rows that it and its inputs handle, by a hundred.
func (s *Step) Lines() []string { return s.lines(nil, 0) }

func (s *Step) lines(out []string, depth int) []string {
	indent, arrow := strings.Repeat("      ", depth), ""
	if depth > 0 {
		indent, arrow = strings.Repeat("      ", depth-1)+"  ", "->  "
	}
	line := fmt.Sprintf("%s%s%s  (cost=0.00..%.2f rows=%d width=%d)", indent, arrow, s.Title, s.cost(), s.Rows, s.Width)
	if s.actual != nil {
		line += fmt.Sprintf(" (actual time=0.000..%.3f rows=%d loops=1)",
			float64(s.elapsed.Load())/1e6, s.actual.Load())
	}
	out = append(out, line)
	pad := strings.Repeat("      ", depth) + "  "
	for _, d := range s.Details {
		out = append(out, pad+d)
	}
	if s.actual != nil && s.scan != nil {
		out = append(out, s.scanLines(pad)...)
	}
	for _, child := range s.Children {
		out = child.lines(out, depth+1)
	}
	return out
}

// scanLines says where the rows of a scan came from and what was not read.
func (s *Step) scanLines(pad string) []string {
	st := s.scan
	lines := []string{fmt.Sprintf("%sTiers: memtable rows=%d, hot blocks=%d of %d, cold parts=%d of %d, bytes=%d", pad,
		st.Memtable.Load(), st.Blocks.Load(), st.BlocksTotal.Load(), st.Parts.Load(), st.PartsTotal.Load(), st.Bytes.Load())}
	pruned := st.Pruned()
	reasons := make([]string, 0, len(pruned))
	for reason := range pruned {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
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
