package sqlplan

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// window makes one operator for each window that calls share, the one on top of
// the other.
func (c *compiler) window(n *bind.Window) (*stage, error) {
	s, err := c.compile(n.Input)
	if err != nil {
		return nil, err
	}
	rest := n.Calls
	input := s.cols
	for len(rest) > 0 {
		first := windowKey(rest[0])
		var same, others []bind.WindowItem
		for _, w := range rest {
			if windowKey(w) == first {
				same = append(same, w)
			} else {
				others = append(others, w)
			}
		}
		s, rest = c.windowOver(s, same), others
	}
	// The columns are the input's, then the calls' in their order.
	want := append(append([]bind.Column{}, input...), n.Columns()[len(input):]...)
	exprs := make([]expr.Expr, len(want))
	for i, col := range want {
		exprs[i] = c.resolve(&expr.Col{ID: col.ID, Typ: col.Type, Name: qualified(col)}, s.cols)
	}
	return &stage{readers: []vector.Reader{exec.Project(c.env, s.reader(), exprs)}, cols: want, step: s.step}, nil
}

// windowKey is equal for calls whose rows are sorted and split alike.
func windowKey(w bind.WindowItem) string {
	var b strings.Builder
	for _, e := range w.Partition {
		b.WriteString(e.String() + "\x00")
	}
	b.WriteString("\x01")
	for _, k := range w.Order {
		b.WriteString(k.Expr.String())
		if k.Desc {
			b.WriteString(" DESC")
		}
		if k.NullsFirst {
			b.WriteString(" NULLS FIRST")
		}
		b.WriteString("\x00")
	}
	return b.String()
}

func (c *compiler) windowOver(s *stage, items []bind.WindowItem) *stage {
	spec := exec.WindowSpec{
		Partition: c.resolveAll(items[0].Partition, s.cols), Order: c.resolveKeys(items[0].Order, s.cols),
	}
	calls := make([]exec.WindowCall, len(items))
	cols := append([]bind.Column{}, s.cols...)
	for i, w := range items {
		call := exec.WindowCall{
			Func: w.Func, Args: c.resolveAll(w.Args, s.cols), Kind: expr.KindOf(w.Col.Type.OID),
			Frame: exec.Frame{
				Mode: w.Frame.Mode, Exclude: w.Frame.Exclude,
				Start: exec.FrameBound{Kind: w.Frame.Start.Kind, Offset: c.resolve(w.Frame.Start.Offset, nil)},
				End:   exec.FrameBound{Kind: w.Frame.End.Kind, Offset: c.resolve(w.Frame.End.Offset, nil)},
			},
		}
		if w.Agg != nil {
			call.Agg = c.resolveAgg(w.Agg, s.cols)
		}
		calls[i] = call
		cols = append(cols, w.Col)
	}
	step := &Step{Title: "WindowAgg", Rows: s.step.Rows, Width: 32 * len(cols), Children: []*Step{s.step}}
	return &stage{
		readers: []vector.Reader{exec.Window(c.env, s.reader(), spec, calls, s.kinds())}, cols: cols, step: step,
	}
}
