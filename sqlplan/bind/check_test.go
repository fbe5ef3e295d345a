package bind

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A checker finds what is wrong with a plan: references to columns that are not
// there or of another type, one id made twice, sub-queries that hide what they
// need from outside.
type checker struct {
	problems []string
	ctes     map[*CTE]bool
}

type visible map[expr.ColID]pgtypes.OID

func (c *checker) fail(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func with(outer visible, nodes ...Node) visible {
	v := maps.Clone(outer)
	for _, n := range nodes {
		for _, col := range n.Columns() {
			v[col.ID] = col.Type.OID
		}
	}
	return v
}

func (c *checker) expr(e expr.Expr, v visible) {
	eachExpr(e, func(e expr.Expr) {
		switch x := e.(type) {
		case *expr.Col:
			if t, ok := v[x.ID]; !ok {
				c.fail("%s (%d) is not there", x.Name, x.ID)
			} else if t != x.Typ.OID {
				c.fail("%s is of type %d, not %d", x.Name, t, x.Typ.OID)
			}
		case *Subquery:
			free := freeColumns(x.Plan)
			if len(free) != len(x.Outer) {
				c.fail("sub-query %d needs %v, lists %v", x.N, free, x.Outer)
			}
			c.node(x.Plan, v)
			if len(x.Tests) > 0 && len(x.Tests) != len(x.Plan.Columns()) {
				c.fail("sub-query %d tests %d values with %d columns", x.N, len(x.Tests), len(x.Plan.Columns()))
			}
			if x.Kind == Scalar && (len(x.Plan.Columns()) != 1 || x.Plan.Columns()[0].Type.OID != x.Typ.OID) {
				c.fail("sub-query %d gives %v", x.N, x.Plan.Columns())
			}
		case *expr.Const:
			if x.Typ.OID == pgtypes.Unknown {
				c.fail("a constant of unknown type: %v", x.Val)
			}
		case *groupingMark:
			c.fail("GROUPING is left")
		}
	})
}

func (c *checker) node(n Node, outer visible) {
	made := map[expr.ColID]bool{}
	for _, col := range n.Columns() {
		if made[col.ID] {
			c.fail("%T gives %s (%d) twice", n, col.Name, col.ID)
		}
		made[col.ID] = true
	}
	in := outer
	switch v := n.(type) {
	case *Join:
		c.node(v.Left, outer)
		right := outer
		if v.Lateral {
			right = with(outer, v.Left)
		}
		c.node(v.Right, right)
		in = with(outer, v.Left, v.Right)
		if (v.On == nil) != (v.Kind == CrossJoin) {
			c.fail("a join of kind %d with condition %v", v.Kind, v.On)
		}
	case *SetOp:
		c.node(v.Left, outer)
		c.node(v.Right, outer)
		for i, col := range v.Cols {
			for _, side := range []Node{v.Left, v.Right} {
				if cols := side.Columns(); len(cols) != len(v.Cols) || cols[i].Type.OID != col.Type.OID {
					c.fail("a side of a set operation does not fit column %d", i)
				}
			}
		}
	case *CTERef:
		if !c.ctes[v.CTE] {
			c.ctes[v.CTE] = true
			c.node(v.CTE.Query, outer)
			if v.CTE.Recursive != nil {
				c.node(v.CTE.Recursive, outer)
			}
		}
		if len(v.Cols) != len(v.CTE.Query.Columns()) {
			c.fail("CTE %s has %d columns, not %d", v.CTE.Name, len(v.CTE.Query.Columns()), len(v.Cols))
		}
	default:
		inputs := inputs(n, c.ctes)
		for _, i := range inputs {
			c.node(i, outer)
		}
		in = with(outer, inputs...)
	}
	for _, e := range nodeExprs(n) {
		c.expr(e, in)
	}
	if p, ok := n.(*Project); ok {
		for _, it := range p.Items {
			if it.Expr.Type().OID != it.Col.Type.OID {
				c.fail("%s is of type %d, its column %d", it.Expr, it.Expr.Type().OID, it.Col.Type.OID)
			}
		}
	}
}

// Every plan must be sound, as bound and after its parameters are set.
func TestPlansAreSound(t *testing.T) {
	text, err := os.ReadFile("testdata/oracle.sql")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		stmts, err := syntax.Parse(line)
		if err != nil || len(stmts) != 1 {
			continue
		}
		q, err := Bind(stmts[0], Environment{Catalog: TestCatalog, Path: []string{"public"}})
		if err != nil {
			continue
		}
		n++
		params := make([]any, len(q.Params))
		for _, q := range []*Query{q, q.With(params)} {
			c := &checker{ctes: map[*CTE]bool{}}
			c.node(q.Root, visible{})
			if len(q.Root.Columns()) != len(q.Columns) {
				c.fail("%d columns, %d announced", len(q.Root.Columns()), len(q.Columns))
			}
			if len(c.problems) > 0 {
				t.Errorf("%s\n%s\n%s", line, strings.Join(c.problems, "\n"), Format(q.Root))
				break
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d statements were bound", n)
	}
}
