package sqlplan

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/gms"
)

func isInner(n *bind.Join) bool {
	return !n.Lateral && (n.Kind == bind.InnerJoin || n.Kind == bind.CrossJoin)
}

func (c *compiler) join(n *bind.Join) (*stage, error) {
	switch {
	case n.Lateral:
		return c.lateral(n)
	case isInner(n):
		return c.region(n, nil)
	}
	left, err := c.compile(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.compile(n.Right)
	if err != nil {
		return nil, err
	}
	kinds := map[bind.JoinKind]exec.JoinKind{bind.LeftJoin: exec.Left, bind.RightJoin: exec.Right, bind.FullJoin: exec.Full}
	return c.hashJoin(kinds[n.Kind], left, right, conjuncts(n.On)), nil
}

// region joins the inputs of nested inner joins in the order that package gms
// finds, or in the order written where it finds none. conds are conjuncts that
// stand above the region.
func (c *compiler) region(n *bind.Join, conds []expr.Expr) (*stage, error) {
	var inputs []bind.Node
	var flatten func(n bind.Node)
	flatten = func(n bind.Node) {
		switch n := n.(type) {
		case *bind.Join:
			if isInner(n) {
				flatten(n.Left)
				flatten(n.Right)
				conds = append(conds, conjuncts(n.On)...)
				return
			}
		case *bind.Filter:
			if join, ok := n.Input.(*bind.Join); ok && isInner(join) {
				flatten(join)
				conds = append(conds, conjuncts(n.Cond)...)
				return
			}
		}
		inputs = append(inputs, n)
	}
	flatten(n)
	conds, never, failed := c.decided(conds)
	if never != nil {
		return c.empty(n, never, failed), nil
	}
	r := &joinRegion{c: c}
	// Conjuncts over one input go below the joins; the rest join or filter.
	own := make([][]expr.Expr, len(inputs))
	for _, cond := range conds {
		ids := columnsOf(cond)
		if at := ownerOf(inputs, ids); at >= 0 && len(ids) > 0 {
			own[at] = append(own[at], cond)
		} else {
			r.conds = append(r.conds, cond)
		}
	}
	for i, in := range inputs {
		if cond := conjunction(own[i]); cond != nil {
			in = &bind.Filter{Input: in, Cond: cond}
		}
		s, err := c.compile(in)
		if err != nil {
			return nil, err
		}
		r.stages = append(r.stages, s)
	}
	return r.compile()
}

// ownerOf gives the only input that has all the columns, or -1.
func ownerOf(inputs []bind.Node, ids []expr.ColID) int {
	for i, in := range inputs {
		has := make(map[expr.ColID]bool)
		for _, col := range in.Columns() {
			has[col.ID] = true
		}
		all := true
		for _, id := range ids {
			all = all && has[id]
		}
		if all {
			return i
		}
	}
	return -1
}

// joinRegion is the inputs of a region with the conditions between them.
type joinRegion struct {
	c      *compiler
	stages []*stage
	conds  []expr.Expr
}

func (r *joinRegion) compile() (*stage, error) {
	var inputs []gms.Input
	for _, s := range r.stages {
		in := gms.Input{Rows: s.step.Rows}
		for _, col := range s.cols {
			in.Columns = append(in.Columns, col.ID)
		}
		inputs = append(inputs, in)
	}
	var ordered []gms.Condition
	var between, above []expr.Expr // ordered by gms; applied at the top
	for _, cond := range r.conds {
		if ids := columnsOf(cond); len(ids) > 0 && r.ownsAll(ids) {
			between = append(between, cond)
			ordered = append(ordered, r.condition(cond, ids))
		} else {
			above = append(above, cond)
		}
	}
	var tree *gms.Tree
	var err error
	if len(r.stages) > 2 {
		tree, err = gms.Order(r.c.env.Ctx, inputs, ordered)
	}
	if tree == nil || err != nil {
		tree = r.written(between)
	}
	s := r.build(tree, between)
	return r.c.applyFilter(r.inWrittenOrder(s), above), nil
}

func (r *joinRegion) ownsAll(ids []expr.ColID) bool {
	has := make(map[expr.ColID]bool)
	for _, s := range r.stages {
		for _, col := range s.cols {
			has[col.ID] = true
		}
	}
	for _, id := range ids {
		if !has[id] {
			return false
		}
	}
	return true
}

func (r *joinRegion) condition(cond expr.Expr, ids []expr.ColID) gms.Condition {
	out := gms.Condition{Columns: ids}
	if left, right, ok := equation(cond); ok {
		l, rr := columnsOf(left), columnsOf(right)
		if len(l) > 0 && len(rr) > 0 && r.owner(l) >= 0 && r.owner(rr) >= 0 && r.owner(l) != r.owner(rr) {
			out.Left, out.Right = l, rr
		}
	}
	return out
}

func (r *joinRegion) owner(ids []expr.ColID) int {
	for i, s := range r.stages {
		if hasAll(s.cols, ids) {
			return i
		}
	}
	return -1
}

func hasAll(cols []bind.Column, ids []expr.ColID) bool {
	for _, id := range ids {
		found := false
		for _, col := range cols {
			found = found || col.ID == id
		}
		if !found {
			return false
		}
	}
	return true
}

// equation recognises left = right with a common key form.
func equation(cond expr.Expr) (left, right expr.Expr, ok bool) {
	call, ok := cond.(*expr.Call)
	if !ok || call.Fn.Operator != "=" || len(call.Args) != 2 {
		return nil, nil, false
	}
	_, ok = exec.Hashable(call.Args[0].Type(), call.Args[1].Type())
	return call.Args[0], call.Args[1], ok
}

// written joins the inputs from left to right, each condition at the first
// join that sees its columns. An input that no condition ties to those before
// it waits until one does.
func (r *joinRegion) written(conds []expr.Expr) *gms.Tree {
	tree := &gms.Tree{Input: 0}
	cols := append([]bind.Column(nil), r.stages[0].cols...)
	left := make([]int, 0, len(r.stages))
	for i := 1; i < len(r.stages); i++ {
		left = append(left, i)
	}
	used := make([]bool, len(conds))
	for len(left) > 0 {
		at := 0
		for k, i := range left {
			if r.tied(cols, r.stages[i].cols, conds) {
				at = k
				break
			}
		}
		i := left[at]
		left = append(left[:at], left[at+1:]...)
		cols = append(cols, r.stages[i].cols...)
		tree = &gms.Tree{Input: -1, Left: tree, Right: &gms.Tree{Input: i}}
		for k, cond := range conds {
			if !used[k] && hasAll(cols, columnsOf(cond)) {
				used[k] = true
				tree.Conditions = append(tree.Conditions, k)
			}
		}
	}
	return tree
}

func (r *joinRegion) tied(have, add []bind.Column, conds []expr.Expr) bool {
	both := append(append([]bind.Column(nil), have...), add...)
	for _, cond := range conds {
		if left, right, ok := equation(cond); ok {
			l, rr := columnsOf(left), columnsOf(right)
			if len(l) > 0 && len(rr) > 0 && hasAll(both, append(append([]expr.ColID(nil), l...), rr...)) &&
				(hasAll(have, l) != hasAll(have, rr)) {
				return true
			}
		}
	}
	return false
}

func (r *joinRegion) build(t *gms.Tree, conds []expr.Expr) *stage {
	if t.Input >= 0 {
		return r.c.applyFilter(r.stages[t.Input], pick(conds, t.Conditions))
	}
	left, right := r.build(t.Left, conds), r.build(t.Right, conds)
	if left.step.Rows < right.step.Rows { // the smaller side is built
		left, right = right, left
	}
	return r.c.hashJoin(exec.Inner, left, right, pick(conds, t.Conditions))
}

func pick(conds []expr.Expr, places []int) []expr.Expr {
	out := make([]expr.Expr, len(places))
	for i, p := range places {
		out[i] = conds[p]
	}
	return out
}

// inWrittenOrder puts the columns back in the order of the bound plan, which
// the operators above count on.
func (r *joinRegion) inWrittenOrder(s *stage) *stage {
	var cols []bind.Column
	for _, in := range r.stages {
		cols = append(cols, in.cols...)
	}
	exprs := make([]expr.Expr, len(cols))
	for i, col := range cols {
		exprs[i] = &expr.Col{ID: col.ID, Slot: -1, Typ: col.Type, Name: qualified(col)}
	}
	resolved := r.c.resolveAll(exprs, s.cols)
	readers := make([]vector.Reader, len(s.readers))
	for i, in := range s.readers {
		readers[i] = exec.Project(r.c.env, in, resolved)
	}
	return &stage{readers: readers, cols: cols, step: s.step}
}

// hashJoin joins two stages by the equalities among conds; the others are
// decided on candidate pairs.
func (c *compiler) hashJoin(kind exec.JoinKind, left, right *stage, conds []expr.Expr) *stage {
	both := append(append([]bind.Column(nil), left.cols...), right.cols...)
	spec := exec.JoinSpec{Kind: kind, LeftKinds: left.kinds(), RightKinds: right.kinds()}
	var rest []expr.Expr
	var names []string
	for _, cond := range conds {
		a, b, ok := equation(cond)
		if ok && len(columnsOf(a)) > 0 && len(columnsOf(b)) > 0 {
			if hasAll(right.cols, columnsOf(a)) && hasAll(left.cols, columnsOf(b)) {
				a, b = b, a
			}
			if hasAll(left.cols, columnsOf(a)) && hasAll(right.cols, columnsOf(b)) {
				typ, _ := exec.Hashable(a.Type(), b.Type())
				spec.LeftKeys = append(spec.LeftKeys, exec.Retype(c.resolve(a, left.cols), typ))
				spec.RightKeys = append(spec.RightKeys, exec.Retype(c.resolve(b, right.cols), typ))
				names = append(names, cond.String())
				continue
			}
		}
		rest = append(rest, cond)
	}
	spec.Residual = c.resolve(conjunction(rest), both)
	left.forExprs(append(spec.LeftKeys[:len(spec.LeftKeys):len(spec.LeftKeys)], spec.Residual)...)
	right.forExprs(spec.RightKeys...)
	spec.Left, spec.Right = left.readers, right.readers
	cols := both
	if kind == exec.Semi || kind == exec.Anti {
		cols = left.cols
	}
	step := &Step{
		Title: joinTitle(kind, len(names) > 0), Rows: max(left.step.Rows, right.step.Rows),
		Width: 32 * len(cols), Children: []*Step{left.step, right.step},
	}
	if len(names) > 0 {
		step.addDetail("Hash Cond", strings.Join(names, " AND "))
	} else if kind == exec.Inner {
		step.Rows = left.step.Rows * max(right.step.Rows, 1)
	}
	if spec.Residual != nil {
		step.addDetail("Join Filter", spec.Residual.String())
	}
	return &stage{readers: exec.Join(c.env, spec), cols: cols, step: step}
}

func joinTitle(kind exec.JoinKind, hash bool) string {
	name := map[exec.JoinKind]string{
		exec.Inner: "Join", exec.Left: "Left Join", exec.Right: "Right Join",
		exec.Full: "Full Join", exec.Semi: "Semi Join", exec.Anti: "Anti Join",
	}[kind]
	switch {
	case hash:
		return "Hash " + name
	case kind == exec.Inner:
		return "Nested Loop"
	default:
		return "Nested Loop " + name
	}
}

// lateral opens the right side anew for each left row, with the columns that
// it refers to as constants.
func (c *compiler) lateral(n *bind.Join) (*stage, error) {
	if n.Kind == bind.RightJoin || n.Kind == bind.FullJoin {
		return nil, pgerr.New(pgerr.InvalidColumnReference, "invalid reference to FROM-clause entry").
			WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
	}
	left, err := c.compile(n.Left)
	if err != nil {
		return nil, err
	}
	rightCols := n.Right.Columns()
	ids := make(map[expr.ColID]bool)
	for _, col := range left.cols {
		ids[col.ID] = true
	}
	if !planRefersTo(n.Right, ids) {
		plain := *n
		plain.Lateral = false
		return c.join(&plain)
	}
	step := &Step{
		Title: "Nested Loop", Rows: left.step.Rows * 10, Width: 32 * (len(left.cols) + len(rightCols)),
		Children: []*Step{left.step},
	}
	open := func(row []any) (vector.Reader, error) {
		s, err := c.withOuter(n.Right, left.cols, row)
		if err != nil {
			return nil, err
		}
		return s.reader(), nil
	}
	cols := append(append([]bind.Column(nil), left.cols...), rightCols...)
	reader := exec.Apply(c.env, left.reader(), open, left.kinds(), kindsOf(rightCols),
		c.resolve(n.On, cols), n.Kind == bind.LeftJoin)
	return &stage{readers: []vector.Reader{reader}, cols: cols, step: step}, nil
}

// withOuter compiles a plan in which columns of the enclosing query have the
// values of one of its rows.
func (c *compiler) withOuter(n bind.Node, cols []bind.Column, row []any) (*stage, error) {
	values := make(map[expr.ColID]*expr.Const, len(cols))
	for i, col := range cols {
		values[col.ID] = &expr.Const{Typ: col.Type, Val: row[i]}
	}
	inner := &compiler{env: c.env, workers: 1, ctes: c.ctes}
	return inner.compile(foldConstants(c.env, substitute(n, values)))
}
