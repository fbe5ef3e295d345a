package bind

import "slices"

// Columns implements Node.
func (n *Scan) Columns() []Column { return n.Cols }

// Columns implements Node.
func (n *Values) Columns() []Column { return n.Cols }

// Columns implements Node.
func (n *FuncScan) Columns() []Column { return n.Cols }

// Columns implements Node.
func (n *Filter) Columns() []Column { return n.Input.Columns() }

// Columns implements Node.
func (n *Project) Columns() []Column { return itemColumns(n.Items) }

// Columns implements Node: those of the left side, then those of the right.
func (n *Join) Columns() []Column {
	return slices.Concat(n.Left.Columns(), n.Right.Columns())
}

// Columns implements Node.
func (n *Aggregate) Columns() []Column {
	cols := itemColumns(n.Keys)
	for _, a := range n.Aggs {
		cols = append(cols, a.Col)
	}
	if n.Grouping != nil {
		cols = append(cols, *n.Grouping)
	}
	return cols
}

// Columns implements Node: those of the input, then the calls.
func (n *Window) Columns() []Column {
	cols := slices.Clone(n.Input.Columns())
	for _, c := range n.Calls {
		cols = append(cols, c.Col)
	}
	return cols
}

// Columns implements Node.
func (n *Distinct) Columns() []Column { return n.Input.Columns() }

// Columns implements Node.
func (n *Sort) Columns() []Column { return n.Input.Columns() }

// Columns implements Node.
func (n *Limit) Columns() []Column { return n.Input.Columns() }

// Columns implements Node.
func (n *SetOp) Columns() []Column { return n.Cols }

// Columns implements Node.
func (n *CTERef) Columns() []Column { return n.Cols }

func itemColumns(items []Item) []Column {
	cols := make([]Column, len(items))
	for i := range items {
		cols[i] = items[i].Col
	}
	return cols
}
