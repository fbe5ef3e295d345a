//go:build gms_pure_go

// Package gms plans joins with go-mysql-server's cost-based analyser. It is the
// only package that imports go-mysql-server.
//
// What goes in is a region of inner joins: its inputs with the columns and row
// counts that matter, and the conditions between them. What comes out is a tree
// that says in which order to join them, and which conditions belong to which
// join. Inputs and expressions stay opaque to the analyser: it sees column ids
// and which conditions are equalities, never a PostgreSQL value, so nothing of
// MySQL's semantics can reach a result. The tree is run by package exec, whose
// joins are metered and keep no state in plan nodes.
package gms

import (
	"context"
	"fmt"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// MaxInputs is the largest region that is handed to the analyser: it
// enumerates the orders of up to 15 inputs exhaustively and refuses 64, so
// larger regions (catalog queries) keep the order in which they were written.
const MaxInputs = 7

// An Input is one relation of a join region.
type Input struct {
	Columns []expr.ColID
	Rows    int64 // estimate
}

// A Condition is a conjunct over columns of the inputs. Where it is an
// equality whose sides each use the columns of different inputs, Left and
// Right list these.
type Condition struct {
	Columns     []expr.ColID
	Left, Right []expr.ColID
}

// A Tree is an order of joining. A leaf has Input >= 0; a join has both sides,
// and the places of the conditions that it decides.
type Tree struct {
	Input       int
	Left, Right *Tree
	Conditions  []int
}

// Order finds an order for joining the inputs, the smaller side of each join
// on the right, where its hash table is built. It fails on regions that the
// analyser cannot plan; the caller then joins in the order written.
func Order(ctx context.Context, inputs []Input, conditions []Condition) (tree *Tree, err error) {
	if len(inputs) > MaxInputs {
		return nil, fmt.Errorf("gms: %d inputs are more than %d", len(inputs), MaxInputs)
	}
	defer func() { // the analyser panics on shapes that it does not know
		if r := recover(); r != nil {
			tree, err = nil, fmt.Errorf("gms: analyser: %v", r)
		}
	}()
	r := newRegion(inputs, conditions)
	sqlCtx := sql.NewContext(ctx)
	root, err := r.build(sqlCtx)
	if err != nil {
		return nil, err
	}
	flags := &sql.QueryFlags{}
	flags.Set(sql.QFlagInnerJoin)
	analysed, err := r.analyser().Analyze(sqlCtx, root, nil, flags)
	if err != nil {
		return nil, fmt.Errorf("gms: analyse: %w", err)
	}
	tree, err = r.tree(analysed)
	if err != nil {
		return nil, err
	}
	return tree, r.check(tree)
}

// region is one call's translation between our ids and the analyser's, which
// number the columns of all inputs from 1 in order.
type region struct {
	inputs     []Input
	conditions []Condition
	db         sql.Database
	ids        map[expr.ColID]sql.ColumnId
	owner      map[expr.ColID]int
}

func newRegion(inputs []Input, conditions []Condition) *region {
	r := &region{
		inputs: inputs, conditions: conditions,
		db:  database{},
		ids: make(map[expr.ColID]sql.ColumnId), owner: make(map[expr.ColID]int),
	}
	next := sql.ColumnId(1)
	for i, in := range inputs {
		for _, id := range in.Columns {
			r.ids[id] = next
			r.owner[id] = i
			next++
		}
	}
	return r
}

func (r *region) analyser() *analyzer.Analyzer {
	return analyzer.NewBuilder(sql.NewDatabaseProvider(r.db)).Build()
}

// build makes a left-deep chain of inner joins in the order written; each
// condition is put on the first join that sees all its columns.
func (r *region) build(ctx *sql.Context) (sql.Node, error) {
	seen := map[int]bool{0: true}
	used := make([]bool, len(r.conditions))
	node := r.leaf(0)
	for i := 1; i < len(r.inputs); i++ {
		seen[i] = true
		var cond sql.Expression
		for c := range r.conditions {
			if used[c] || !r.visible(r.conditions[c].Columns, seen) {
				continue
			}
			used[c] = true
			e := r.expression(c)
			if cond == nil {
				cond = e
			} else {
				cond = expression.NewAnd(cond, e)
			}
		}
		if cond == nil {
			node = plan.NewCrossJoin(ctx, node, r.leaf(i))
		} else {
			node = plan.NewInnerJoin(ctx, node, r.leaf(i), cond)
		}
	}
	for c, ok := range used {
		if !ok {
			return nil, fmt.Errorf("gms: condition %d uses a column of no input", c)
		}
	}
	return node, nil
}

func (r *region) visible(columns []expr.ColID, seen map[int]bool) bool {
	for _, id := range columns {
		owner, ok := r.owner[id]
		if !ok || !seen[owner] {
			return false
		}
	}
	return true
}

// tree reads the analysed plan back. Nodes that only cache or index rows are
// looked through: package exec decides that for itself.
func (r *region) tree(n sql.Node) (*Tree, error) {
	switch n := n.(type) {
	case *plan.JoinNode:
		left, err := r.tree(n.Left())
		if err != nil {
			return nil, err
		}
		right, err := r.tree(n.Right())
		if err != nil {
			return nil, err
		}
		t := &Tree{Input: -1, Left: left, Right: right}
		return t, r.collect(t, n.Filter)
	case *plan.Filter:
		t, err := r.tree(n.Child)
		if err != nil {
			return nil, err
		}
		return t, r.collect(t, n.Expression)
	case *plan.HashLookup:
		return r.tree(n.Child)
	case *plan.CachedResults:
		return r.tree(n.Child)
	case *plan.ResolvedTable:
		t := n.Table
		for {
			if in, ok := t.(*input); ok {
				return &Tree{Input: in.number}, nil
			}
			w, ok := t.(sql.TableWrapper)
			if !ok {
				return nil, fmt.Errorf("gms: unknown table %T", t)
			}
			t = w.Underlying()
		}
	default:
		return nil, fmt.Errorf("gms: unknown node %T", n)
	}
}

func (r *region) collect(t *Tree, e sql.Expression) error {
	switch e := e.(type) {
	case nil:
		return nil
	case *expression.And:
		if err := r.collect(t, e.LeftChild); err != nil {
			return err
		}
		return r.collect(t, e.RightChild)
	case numbered:
		t.Conditions = append(t.Conditions, e.condition())
		return nil
	case *expression.Literal: // a join without condition
		return nil
	default:
		return fmt.Errorf("gms: unknown condition %T", e)
	}
}

// check proves that the tree joins every input once and decides every
// condition at least once, at a join that sees its columns.
func (r *region) check(t *Tree) error {
	decided := make([]bool, len(r.conditions))
	seen, err := r.walk(t, decided)
	if err != nil {
		return err
	}
	if len(seen) != len(r.inputs) {
		return fmt.Errorf("gms: the plan has %d of %d inputs", len(seen), len(r.inputs))
	}
	for c, ok := range decided {
		if !ok {
			return fmt.Errorf("gms: the plan lost condition %d", c)
		}
	}
	return nil
}

func (r *region) walk(t *Tree, decided []bool) (map[int]bool, error) {
	seen := map[int]bool{}
	if t.Input >= 0 {
		seen[t.Input] = true
	} else {
		left, err := r.walk(t.Left, decided)
		if err != nil {
			return nil, err
		}
		right, err := r.walk(t.Right, decided)
		if err != nil {
			return nil, err
		}
		for i := range left {
			seen[i] = true
		}
		for i := range right {
			if seen[i] {
				return nil, fmt.Errorf("gms: input %d is joined twice", i)
			}
			seen[i] = true
		}
	}
	for _, c := range t.Conditions {
		if !r.visible(r.conditions[c].Columns, seen) {
			return nil, fmt.Errorf("gms: condition %d is too low in the plan", c)
		}
		decided[c] = true
	}
	return seen, nil
}
