package sqlplan

import (
	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// subqueryExpr evaluates a sub-query for a row of the enclosing query. The rows
// of the sub-query are kept for each combination of outer values, so it runs
// once where it refers to nothing outside.
type subqueryExpr struct {
	*bind.Subquery
	c     *compiler
	outer []expr.Expr // the outer columns, placed in the enclosing rows
	tests []expr.Expr
	cache *subqueryCache
}

// subqueryCache is one statement's results of a sub-query. It is used by one
// goroutine at a time: scans with sub-queries are not split among workers.
type subqueryCache struct {
	rows map[string]*subqueryRows
}

// subqueryRows is what a sub-query gave for some outer values.
type subqueryRows struct {
	rows    [][]any
	members map[string]bool // keys of the values, made when a second row asks; nil: not hashed
	null    bool            // one is NULL
	asked   bool
}

// maxCached bounds how many outer combinations a sub-query keeps rows for.
const maxCached = 10_000

func (c *compiler) subquery(s *bind.Subquery, slots map[expr.ColID]int) expr.Expr {
	out := &subqueryExpr{Subquery: s, c: c, cache: &subqueryCache{rows: make(map[string]*subqueryRows)}}
	for _, col := range s.Outer {
		slot, ok := slots[col.ID]
		if !ok {
			continue // already replaced by a value of a query further out
		}
		out.outer = append(out.outer, &expr.Col{ID: col.ID, Slot: slot, Typ: col.Type, Name: qualified(col)})
	}
	for _, t := range s.Tests {
		out.tests = append(out.tests, c.place(t, slots))
	}
	return out
}

// Children gives the placed expressions, so that a row evaluation decodes
// their columns.
func (s *subqueryExpr) Children() []expr.Expr {
	return append(append([]expr.Expr(nil), s.outer...), s.tests...)
}

// With replaces the placed expressions.
func (s *subqueryExpr) With(children []expr.Expr) expr.Expr {
	out := *s
	out.outer, out.tests = children[:len(s.outer)], children[len(s.outer):]
	return &out
}

// Eval gives the value for one row.
func (s *subqueryExpr) Eval(env *expr.Env, row []any) (any, error) {
	found, err := s.fetch(env, row)
	if err != nil {
		return nil, err
	}
	rows := found.rows
	switch s.Kind {
	case bind.Exists:
		return len(rows) > 0, nil
	case bind.Scalar:
		switch len(rows) {
		case 0:
			return nil, nil
		case 1:
			return rows[0][0], nil
		}
		return nil, pgerr.New(pgerr.CardinalityViolation, "more than one row returned by a subquery used as an expression")
	case bind.Array:
		elems := make([]any, len(rows))
		for i, r := range rows {
			elems[i] = r[0]
		}
		return pgtypes.NewArray(pgtypes.ElemOf(s.Typ.OID), elems), nil
	case bind.Row:
		if len(rows) == 0 {
			return nil, nil
		}
		if len(rows) > 1 {
			return nil, pgerr.New(pgerr.CardinalityViolation, "more than one row returned by a subquery used as an expression")
		}
	}
	return s.quantified(env, row, found)
}

// Vec evaluates row by row: results are cached by outer values.
func (s *subqueryExpr) Vec(env *expr.Env, b *vector.Batch) (*vector.Column, error) {
	return expr.ByRows(env, s, b)
}

// fetch gives the sub-query's rows for the outer values of row.
func (s *subqueryExpr) fetch(env *expr.Env, row []any) (*subqueryRows, error) {
	values := make([]any, len(s.outer))
	cols := make([]bind.Column, len(s.outer))
	var key []byte
	for i, e := range s.outer {
		v, err := e.Eval(env, row)
		if err != nil {
			return nil, err
		}
		values[i] = v
		col := e.(*expr.Col)
		cols[i] = bind.Column{ID: col.ID, Type: col.Typ}
		key = pgtypes.AppendKey(key, e.Type(), v)
	}
	if found := s.cache.rows[string(key)]; found != nil {
		return found, nil
	}
	stage, err := s.c.withOuter(s.limited(), cols, values)
	if err != nil {
		return nil, err
	}
	reader := stage.reader()
	defer reader.Close()
	rows, err := exec.Collect(env, reader)
	if err != nil {
		return nil, err
	}
	found := &subqueryRows{rows: rows}
	if len(s.cache.rows) < maxCached {
		s.cache.rows[string(key)] = found
	}
	return found, nil
}

// limited reads no more rows than the kind needs.
func (s *subqueryExpr) limited() bind.Node {
	n := int64(0)
	switch s.Kind {
	case bind.Exists:
		n = 1
	case bind.Scalar, bind.Row:
		n = 2
	default:
		return s.Plan
	}
	return &bind.Limit{Input: s.Plan, Count: &expr.Const{Typ: pgtypes.Of(pgtypes.Int8), Val: n}}
}

// quantified is test op ANY or ALL over the rows, three-valued.
func (s *subqueryExpr) quantified(env *expr.Env, row []any, found *subqueryRows) (any, error) {
	tests := make([]any, len(s.tests))
	for i, t := range s.tests {
		v, err := t.Eval(env, row)
		if err != nil {
			return nil, err
		}
		tests[i] = v
	}
	all := s.Kind == bind.All
	if hashed, err := s.hash(env, found); err != nil {
		return nil, err
	} else if hashed && tests[0] != nil {
		switch {
		case found.members[string(pgtypes.AppendKey(nil, s.tests[0].Type(), tests[0]))]:
			return !all, nil
		case found.null:
			return nil, nil
		}
		return all, nil
	}
	null := false
	for _, r := range found.rows {
		v, err := s.compare(env, tests, r)
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			null = true
		case v.(bool) != all: // one true decides ANY, one false decides ALL
			return !all, nil
		}
	}
	if null {
		return nil, nil
	}
	return all, nil
}

// hash makes a set of the rows' values when = ANY or <> ALL asks the second
// time, and says whether there is one.
func (s *subqueryExpr) hash(env *expr.Env, found *subqueryRows) (bool, error) {
	if found.members != nil || !found.asked {
		found.asked = true
		return found.members != nil, nil
	}
	member := map[bind.SubqueryKind]string{bind.Any: "=", bind.All: "<>"}[s.Kind]
	if len(s.tests) != 1 || s.Ops[0].Operator != member || len(found.rows) < 8 {
		return false, nil
	}
	typ := s.tests[0].Type()
	if s.Plan.Columns()[0].Type.OID != typ.OID || s.Ops[0].Args[0] != s.Ops[0].Args[1] {
		return false, nil
	}
	members, bytes := make(map[string]bool, len(found.rows)), int64(0)
	for _, r := range found.rows {
		if r[0] == nil {
			found.null = true
			continue
		}
		key := string(pgtypes.AppendKey(nil, typ, r[0]))
		members[key] = true
		bytes += int64(len(key)) + 32 // and an entry of the map
	}
	if err := env.Account.Grow(bytes); err != nil {
		return false, err
	}
	found.members = members
	return true, nil
}

// compare compares the tests with one row, as rows are compared: = needs all
// fields, <> needs one, and of < and the like the first pair that differs
// decides.
func (s *subqueryExpr) compare(env *expr.Env, tests, row []any) (any, error) {
	ask := func(op *expr.Func, i int) (any, error) {
		if tests[i] == nil || row[i] == nil {
			return nil, nil
		}
		return op.Row(env, &expr.Call{Fn: op, Typ: pgtypes.Of(pgtypes.Bool)}, []any{tests[i], row[i]})
	}
	for i, eq := range s.Equals {
		same, err := ask(eq, i)
		if err != nil || same == nil {
			return nil, err
		}
		if same == false {
			return ask(s.Ops[i], i)
		}
	}
	if n := len(s.Ops) - 1; s.Equals != nil {
		return ask(s.Ops[n], n)
	}
	decisive := s.Ops[0].Operator == "<>" && len(s.Ops) > 1
	null := false
	for i, op := range s.Ops {
		v, err := ask(op, i)
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			null = true
		case v == decisive:
			return decisive, nil
		}
	}
	if null {
		return nil, nil
	}
	return !decisive, nil
}

// semiJoins turns conjuncts of a filter that are EXISTS, NOT EXISTS or
// x IN (SELECT …) into semi- and anti-joins on the filter's input. It gives
// the joined stage, nil if there was none, and the conjuncts that remain.
func (c *compiler) semiJoins(input bind.Node, conds []expr.Expr) (*stage, []expr.Expr, error) {
	var joins []*semiJoin
	var rest []expr.Expr
	for _, cond := range conds {
		if j := asSemiJoin(input, cond); j != nil {
			joins = append(joins, j)
		} else {
			rest = append(rest, cond)
		}
	}
	if len(joins) == 0 {
		return nil, conds, nil
	}
	below := input
	if cond := conjunction(rest); cond != nil {
		below = &bind.Filter{Input: input, Cond: cond}
	}
	s, err := c.compile(below)
	if err != nil {
		return nil, nil, err
	}
	for _, j := range joins {
		right, err := c.compile(j.right)
		if err != nil {
			return nil, nil, err
		}
		s = c.hashJoin(j.kind, s, right, j.conds)
	}
	return s, nil, nil
}

type semiJoin struct {
	kind  exec.JoinKind
	right bind.Node
	conds []expr.Expr
}

// asSemiJoin recognises a sub-query that a hash join can decide: one whose
// outer references are all in the conjuncts of its topmost filter, at least
// one of them an equality.
func asSemiJoin(input bind.Node, cond expr.Expr) *semiJoin {
	kind := exec.Semi
	if not, ok := cond.(*expr.Not); ok {
		kind = exec.Anti
		cond = not.Children()[0]
	}
	s, ok := cond.(*bind.Subquery)
	if !ok || (s.Kind != bind.Exists && s.Kind != bind.Any) || (s.Kind == bind.Any && kind == exec.Anti) {
		return nil
	}
	outer := make(map[expr.ColID]bool)
	for _, col := range s.Outer {
		outer[col.ID] = true
	}
	if !hasAll(input.Columns(), keysOf(outer)) {
		return nil
	}
	j := &semiJoin{kind: kind, right: s.Plan}
	if s.Kind == bind.Any {
		right := s.Plan.Columns()
		for i, op := range s.Ops {
			if op.Operator != "=" || len(columnsOf(s.Tests[i])) == 0 || !hasAll(input.Columns(), columnsOf(s.Tests[i])) {
				return nil
			}
			j.conds = append(j.conds, &expr.Call{
				Fn: op, Typ: pgtypes.Of(pgtypes.Bool),
				Args: []expr.Expr{s.Tests[i], &expr.Col{ID: right[i].ID, Slot: -1, Typ: right[i].Type, Name: right[i].Name}},
			})
		}
	} else {
		j.right = withoutProjection(s.Plan)
	}
	if !j.lift(outer) {
		return nil
	}
	for _, cond := range j.conds {
		if a, b, ok := equation(cond); ok && len(columnsOf(a)) > 0 && len(columnsOf(b)) > 0 {
			return j
		}
	}
	return nil
}

func keysOf(set map[expr.ColID]bool) []expr.ColID {
	ids := make([]expr.ColID, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	return ids
}

// withoutProjection drops what EXISTS does not look at: the select list, and
// the order.
func withoutProjection(n bind.Node) bind.Node {
	for {
		switch p := n.(type) {
		case *bind.Project:
			if returnsSets(p) {
				return n
			}
			n = p.Input
		case *bind.Sort:
			n = p.Input
		default:
			return n
		}
	}
}

// lift moves the conjuncts with outer references from the top of the right
// side into the join's conditions; false if others remain below.
func (j *semiJoin) lift(outer map[expr.ColID]bool) bool {
	f, ok := j.right.(*bind.Filter)
	if !ok {
		return !planRefersTo(j.right, outer)
	}
	if planRefersTo(f.Input, outer) {
		return false
	}
	var stay []expr.Expr
	for _, cond := range conjuncts(f.Cond) {
		if refersTo(cond, outer) {
			if hasSubquery(cond) {
				return false
			}
			j.conds = append(j.conds, cond)
		} else {
			stay = append(stay, cond)
		}
	}
	j.right = f.Input
	if cond := conjunction(stay); cond != nil {
		j.right = &bind.Filter{Input: f.Input, Cond: cond}
	}
	return true
}

func hasSubquery(e expr.Expr) bool {
	found := false
	r := &rewriter{leaf: func(e expr.Expr) (expr.Expr, bool) {
		_, ok := e.(*bind.Subquery)
		found = found || ok
		return e, ok
	}}
	r.expr(e)
	return found
}
