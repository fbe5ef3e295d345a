package sqlplan

import (
	"context"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// with runs the data-modifying CTEs. They all see the rows as they were before
// the statement, so their order decides nothing but which error comes first.
func (c *compiler) with(n *bind.With) (*stage, error) {
	for _, cte := range n.Modifying {
		if _, done := c.ctes[cte]; done {
			continue
		}
		if _, err := c.compute(cte); err != nil {
			return nil, err
		}
	}
	return c.compile(n.Input)
}

// modify makes the operator of a data-modifying statement. It changes nothing
// before its first row is asked for.
func (c *compiler) modify(n *bind.Modify) (*stage, error) {
	rel := n.Table.Relation()
	if err := c.env.Denied(n.Op.String(), "table", rel.Schema, rel.Name); err != nil {
		return nil, err
	}
	in, err := c.compile(n.Source)
	if err != nil {
		return nil, err
	}
	m := &modifier{
		env: c.env, table: n.Table, op: n.Op, in: in.reader(), touched: make(map[string]bool),
		old: slotsOf(n.Old, in.cols), new: slotsOf(n.New, in.cols), number: -1,
	}
	if n.Number != nil {
		m.number = slotsOf([]bind.Column{*n.Number}, in.cols)[0]
		m.numbers = make(map[any]bool)
	}
	if n == c.top {
		m.affected = c.affected
	}
	over := append(append([]bind.Column{}, n.Row...), in.cols...)
	cols := n.Columns()
	for _, it := range n.Returning {
		m.returning = append(m.returning, c.resolve(it.Expr, over))
	}
	if n.Conflict != nil {
		over := append(append([]bind.Column{}, n.Conflict.Existing...), n.Conflict.Excluded...)
		m.onConflict = n.Conflict
		m.set, m.where = c.resolveAll(n.Conflict.Set, over), c.resolve(n.Conflict.Where, over)
	}
	title := n.Op.String()
	title = title[:1] + strings.ToLower(title[1:]) + " on " + n.Table.Relation().Name
	return &stage{
		readers: []vector.Reader{exec.FromRows(kindsOf(cols), m.next, m.in.Close)}, cols: cols,
		step: &Step{Title: title, Rows: in.step.Rows, Width: 32 * len(cols), Children: []*Step{in.step}},
	}, nil
}

// slotsOf finds columns among an operator's input.
func slotsOf(want, have []bind.Column) []int {
	slots := make([]int, len(want))
	for i, w := range want {
		slots[i] = -1
		for k, h := range have {
			if h.ID == w.ID {
				slots[i] = k
			}
		}
	}
	return slots
}

// modifier reads all rows of its source before it changes the first one, so
// that a statement never meets its own changes.
type modifier struct {
	env        *expr.Env
	table      catalog.WritableTable
	op         bind.ModifyOp
	in         vector.Reader
	old, new   []int // slots of the source
	number     int   // that of the row's number in an AppendOnly table, or -1
	onConflict *bind.Conflict
	set        []expr.Expr // over the existing and the excluded row
	where      expr.Expr
	returning  []expr.Expr // over the changed row and the source's
	affected   *int64      // nil, or counts changed rows

	started bool
	rows    [][]any         // to be given
	touched map[string]bool // keys of rows that this statement wrote
	numbers map[any]bool    // of rows that it deleted
}

func (m *modifier) next(context.Context) ([]any, error) {
	if !m.started {
		m.started = true
		source, err := exec.Collect(m.env, m.in)
		if err != nil {
			return nil, err
		}
		for _, row := range source {
			if err := m.change(row); err != nil {
				return nil, err
			}
		}
	}
	if len(m.rows) == 0 {
		return nil, nil
	}
	row := m.rows[0]
	m.rows = m.rows[1:]
	return row, nil
}

func fieldsAt(row []any, slots []int) []any {
	out := make([]any, len(slots))
	for i, s := range slots {
		out[i] = row[s]
	}
	return out
}

// change does what one row of the source asks for.
func (m *modifier) change(source []any) error {
	if m.op == bind.Insert {
		return m.insert(source)
	}
	old := fieldsAt(source, m.old)
	if m.number >= 0 {
		return m.deleteNumber(source[m.number], old, source)
	}
	// A row that a join gives several times is changed once.
	if !m.touch(old) {
		return nil
	}
	if m.op == bind.Delete {
		if err := m.table.Delete(m.env, old); err != nil {
			return err
		}
		return m.changed(old, source)
	}
	row := fieldsAt(source, m.new)
	if err := m.table.Update(m.env, old, row); err != nil {
		return err
	}
	return m.changed(row, source)
}

// deleteNumber deletes a row of an AppendOnly table, once.
func (m *modifier) deleteNumber(number any, old, source []any) error {
	if m.numbers[number] {
		return nil
	}
	m.numbers[number] = true
	if err := m.env.Account.Grow(64); err != nil {
		return err
	}
	if err := m.table.Delete(m.env, []any{number}); err != nil {
		return err
	}
	return m.changed(old, source)
}

func (m *modifier) insert(source []any) error {
	row := fieldsAt(source, m.new)
	existing, err := m.table.Insert(m.env, row)
	switch {
	case err != nil:
		return err
	case existing == nil:
		m.touch(row)
		return m.changed(row, source)
	case m.onConflict == nil:
		return catalog.DuplicateKey(m.table.Relation(), row, m.env.Style)
	case !m.onConflict.Update:
		return nil
	case m.touched[m.key(row)]:
		return pgerr.New(pgerr.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	both := append(append([]any{}, existing...), row...)
	if m.where != nil {
		if ok, err := m.where.Eval(m.env, both); err != nil || ok != true {
			return err
		}
	}
	updated := make([]any, len(m.set))
	for i, e := range m.set {
		if updated[i], err = e.Eval(m.env, both); err != nil {
			return err
		}
	}
	if err := m.table.Update(m.env, existing, updated); err != nil {
		return err
	}
	m.touch(updated)
	return m.changed(updated, source)
}

// changed counts a row and keeps what RETURNING gives of it.
func (m *modifier) changed(row, source []any) error {
	if m.affected != nil {
		*m.affected++
	}
	if m.returning == nil {
		return nil
	}
	over := append(append([]any{}, row...), source...)
	out := make([]any, len(m.returning))
	for i, e := range m.returning {
		var err error
		if out[i], err = e.Eval(m.env, over); err != nil {
			return err
		}
	}
	m.rows = append(m.rows, out)
	return m.env.Account.Grow(int64(24 + 32*len(out)))
}

// key tells the rows of a table apart; "" in a table without a primary key.
func (m *modifier) key(row []any) string {
	rel := m.table.Relation()
	var key []byte
	for _, at := range rel.PrimaryKey {
		key = pgtypes.AppendKey(key, rel.Columns[at].Type, row[at])
	}
	return string(key)
}

// touch reports whether the row is met for the first time.
func (m *modifier) touch(row []any) bool {
	key := m.key(row)
	if key == "" {
		return true
	}
	first := !m.touched[key]
	m.touched[key] = true
	return first
}
