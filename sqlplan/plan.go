// Package sqlplan turns bound queries into running operators.
//
// A bound plan is rewritten (attribute access becomes a column of its own,
// constants are folded), join regions are ordered by package gms, sub-queries
// that can be are turned into joins, and every node becomes an operator of
// package exec. Nothing of a run is kept in a plan, so a plan may be run any
// number of times, also at once.
package sqlplan

import (
	"errors"
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// Options say how a plan is run.
type Options struct {
	// Workers is how many goroutines a scan below an aggregate may use. Default 1.
	Workers int
	// Steps, where set, is filled with a description of the operators, for
	// EXPLAIN; with Analyze they also count rows and time as they run.
	Steps   *Step
	Analyze bool
	// Affected, where set, counts the rows that the statement changes.
	Affected *int64
}

// Run opens the operators of a plan. Parameters must have been replaced. The
// reader's columns are those of root.
func Run(env *expr.Env, root bind.Node, o Options) (vector.Reader, error) {
	c := &compiler{env: env, workers: max(o.Workers, 1), analyze: o.Analyze, affected: o.Affected, ctes: make(map[*bind.CTE]*cteRows)}
	s, err := c.run(root)
	if err != nil {
		c.close()
		return nil, err
	}
	if o.Steps != nil {
		*o.Steps = *s.step
	}
	return &closing{Reader: s.reader(), close: c.close}, nil
}

// closing releases what belongs to the whole statement after its last operator.
type closing struct {
	vector.Reader
	close func()
}

func (c *closing) Close() {
	c.Reader.Close()
	c.close()
}

// compiler makes the operators of one run.
type compiler struct {
	env     *expr.Env
	workers int
	analyze bool
	ctes    map[*bind.CTE]*cteRows

	top      *bind.Modify // the statement itself, where it changes rows
	affected *int64       // counts those
}

func (c *compiler) close() {
	for _, rows := range c.ctes {
		rows.release()
	}
}

// run rewrites and compiles a whole plan.
func (c *compiler) run(root bind.Node) (*stage, error) {
	root = attributeColumns(foldConstants(c.env, root))
	top := root
	if with, ok := top.(*bind.With); ok {
		top = with.Input
	}
	c.top, _ = top.(*bind.Modify)
	return c.compile(root)
}

// A stage is a compiled node: readers that together give its rows, and the
// columns that they have in common.
type stage struct {
	readers []vector.Reader
	cols    []bind.Column
	step    *Step
}

// reader gives all rows through one reader.
func (s *stage) reader() vector.Reader { return exec.Concat(s.readers...) }

// forExprs makes the stage ready to have expressions evaluated over it. A
// sub-query keeps the results of its runs and shares the CTEs of the statement:
// it is run by one goroutine, so its rows come through one reader.
func (s *stage) forExprs(list ...expr.Expr) {
	if len(s.readers) < 2 {
		return
	}
	for _, e := range list {
		if runsSubquery(e) {
			s.readers = []vector.Reader{s.reader()}
			return
		}
	}
}

func runsSubquery(e expr.Expr) bool {
	if e == nil {
		return false
	}
	if _, ok := e.(*subqueryExpr); ok {
		return true
	}
	return slices.ContainsFunc(e.Children(), runsSubquery)
}

func (s *stage) kinds() []vector.Kind { return kindsOf(s.cols) }

func kindsOf(cols []bind.Column) []vector.Kind {
	kinds := make([]vector.Kind, len(cols))
	for i, col := range cols {
		kinds[i] = expr.KindOf(col.Type.OID)
	}
	return kinds
}

func (c *compiler) compile(n bind.Node) (*stage, error) { return c.measured(c.compileNode(n)) }

// measured makes a compiled stage count what it gives, for ANALYZE.
func (c *compiler) measured(s *stage, err error) (*stage, error) {
	if err == nil && c.analyze {
		s.step.measure(s)
	}
	return s, err
}

func (c *compiler) compileNode(n bind.Node) (*stage, error) {
	switch n := n.(type) {
	case *bind.Scan:
		return c.scan(n, nil)
	case *bind.Values:
		return c.values(n)
	case *bind.FuncScan:
		return c.funcScan(n)
	case *bind.Filter:
		return c.filter(n)
	case *bind.Project:
		return c.project(n)
	case *bind.Join:
		return c.join(n)
	case *bind.Aggregate:
		return c.aggregate(n)
	case *bind.Window:
		return c.window(n)
	case *bind.Distinct:
		return c.distinct(n)
	case *bind.Sort:
		return c.sort(n, 0)
	case *bind.Limit:
		return c.limit(n)
	case *bind.SetOp:
		return c.setOp(n)
	case *bind.CTERef:
		return c.cteRef(n)
	case *bind.Modify:
		return c.modify(n)
	case *bind.With:
		return c.with(n)
	default:
		return nil, errors.New("BUG: no operator for a bound node")
	}
}

// resolve gives expressions their places in rows of cols, and sub-queries
// their means to run.
func (c *compiler) resolve(e expr.Expr, cols []bind.Column) expr.Expr {
	if e == nil {
		return nil
	}
	slots := make(map[expr.ColID]int, len(cols))
	for i, col := range cols {
		slots[col.ID] = i
	}
	return c.place(e, slots)
}

func (c *compiler) place(e expr.Expr, slots map[expr.ColID]int) expr.Expr {
	switch e := e.(type) {
	case *expr.Col:
		col := *e
		slot, ok := slots[e.ID]
		if !ok {
			panic("BUG: column " + e.Name + " is not among the operator's inputs")
		}
		col.Slot = slot
		return &col
	case *bind.Subquery:
		return c.subquery(e, slots)
	}
	children := e.Children()
	if len(children) == 0 {
		return e
	}
	out := make([]expr.Expr, len(children))
	for i, child := range children {
		out[i] = c.place(child, slots)
	}
	return e.With(out)
}

func (c *compiler) resolveAll(list []expr.Expr, cols []bind.Column) []expr.Expr {
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		out[i] = c.resolve(e, cols)
	}
	return out
}

func (c *compiler) resolveKeys(keys []expr.SortKey, cols []bind.Column) []expr.SortKey {
	out := make([]expr.SortKey, len(keys))
	for i, k := range keys {
		k.Expr = c.resolve(k.Expr, cols)
		out[i] = k
	}
	return out
}

// columnRefs gives an expression for each column, in order.
func columnRefs(cols []bind.Column) []expr.Expr {
	refs := make([]expr.Expr, len(cols))
	for i, col := range cols {
		refs[i] = &expr.Col{ID: col.ID, Slot: i, Typ: col.Type, Name: qualified(col)}
	}
	return refs
}

func qualified(col bind.Column) string {
	if col.Table == "" {
		return col.Name
	}
	return col.Table + "." + col.Name
}

// scan opens a table; conds are the conjuncts that the caller applies, from
// which those that can skip blocks are handed down.
func (c *compiler) scan(n *bind.Scan, conds []expr.Expr) (*stage, error) {
	rel := n.Table.Relation()
	if err := c.env.Denied("SELECT", "table", rel.Schema, rel.Name); err != nil {
		return nil, err
	}
	stats := &catalog.ScanStats{}
	columns, title := n.Refs, "Seq Scan on "+rel.Name
	var sample exec.SampleSpec
	if n.Sample != nil {
		spec, identity, err := c.sampling(n)
		if err != nil {
			return nil, err
		}
		sample, columns, title = spec, append(slices.Clip(columns), identity...), "Sample Scan on "+rel.Name
	}
	readers, err := n.Table.Scan(c.env.Ctx, &catalog.ScanRequest{
		Env: c.env, Columns: columns, Filters: scanFilters(n, conds),
		Workers: c.workers, Stats: stats,
	})
	if err != nil {
		return nil, err
	}
	if n.Alias != "" && n.Alias != rel.Name {
		title += " " + n.Alias
	}
	step := &Step{Title: title, Rows: n.Table.Rows(), Width: 32 * len(n.Cols), scan: stats}
	if len(readers) == 0 {
		readers = []vector.Reader{exec.FromSlice(nil, nil)}
	}
	if n.Sample != nil {
		step.addDetail("Sampling", n.Sample.String())
		for i := range readers {
			readers[i] = exec.Project(c.env, exec.Sample(readers[i], sample), columnRefs(n.Cols))
		}
	}
	return &stage{readers: readers, cols: n.Cols, step: step}, nil
}

func (c *compiler) values(n *bind.Values) (*stage, error) {
	rows := make([][]any, len(n.Rows))
	for i, list := range n.Rows {
		rows[i] = make([]any, len(list))
		for k, e := range list {
			v, err := c.resolve(e, nil).Eval(c.env, nil)
			if err != nil {
				return nil, err
			}
			rows[i][k] = v
		}
	}
	title := "Values Scan"
	if len(n.Cols) == 0 {
		title = "Result"
	}
	return &stage{
		readers: []vector.Reader{exec.FromSlice(kindsOf(n.Cols), rows)}, cols: n.Cols,
		step: &Step{Title: title, Rows: int64(len(rows)), Width: 32 * len(n.Cols)},
	}, nil
}

func (c *compiler) funcScan(n *bind.FuncScan) (*stage, error) {
	reader, name, err := c.openFunction(n)
	if err != nil {
		return nil, err
	}
	return &stage{
		readers: []vector.Reader{reader}, cols: n.Cols,
		step: &Step{Title: "Function Scan on " + name, Rows: 1000, Width: 32 * len(n.Cols)},
	}, nil
}

func (c *compiler) openFunction(n *bind.FuncScan) (vector.Reader, string, error) {
	if n.Table != nil {
		if err := c.env.Denied("EXECUTE", "function", catalog.PublicSchema, n.Table.Relation().Name); err != nil {
			return nil, "", err
		}
		args := make([]any, len(n.Args))
		for i, a := range n.Args {
			v, err := c.resolve(a, nil).Eval(c.env, nil)
			if err != nil {
				return nil, "", err
			}
			args[i] = v
		}
		reader, err := n.Table.Call(c.env.Ctx, c.env, args)
		if err == nil && n.Ordinality {
			reader = exec.Number(reader, len(n.Cols)-1)
		}
		return reader, n.Table.Relation().Name, err
	}
	call, ok := c.resolve(n.Func, nil).(*expr.Call)
	if !ok {
		return nil, "", errors.New("BUG: a function scan without a call")
	}
	kinds := kindsOf(n.Cols)
	if n.Ordinality {
		kinds = kinds[:len(kinds)-1]
	}
	var rows [][]any
	emit := func(row []any) error {
		rows = append(rows, row)
		return c.env.Account.Grow(int64(24 + 32*len(row)))
	}
	var err error
	if call.Fn.Set {
		err = exec.SetRows(c.env, call, nil, emit)
	} else {
		var v any
		if v, err = call.Eval(c.env, nil); err == nil {
			err = emit(spread(v, len(kinds)))
		}
	}
	if err != nil {
		return nil, "", err
	}
	reader := exec.FromSlice(kinds, rows)
	if n.Ordinality {
		reader = exec.Number(reader, len(kinds))
	}
	return reader, call.Fn.Name, nil
}

// spread makes the row that a function without a set gives in FROM: a record
// becomes its fields.
func spread(v any, width int) []any {
	if rec, ok := v.(*pgtypes.Record); ok && len(rec.Vals) == width {
		return rec.Vals
	}
	row := make([]any, width)
	row[0] = v
	return row
}
