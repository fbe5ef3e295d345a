package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A call is what the arguments of a SQL function stand for in its query.
type call struct {
	function string
	params   []catalog.Arg
	values   []expr.Expr
}

// argument gives the value of a parameter, nil where there is none of that name.
func (c *call) argument(name string) expr.Expr {
	if c == nil {
		return nil
	}
	i := slices.IndexFunc(c.params, func(p catalog.Arg) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return c.values[i]
}

// numbered gives the value of $n.
func (c *call) numbered(b *binder, n *pg.ParamRef) expr.Expr {
	i := int(n.Number)
	if i < 1 || i > len(c.values) {
		b.fail(n.Location, pgerr.UndefinedParameter, "there is no parameter $%d", i)
	}
	return c.values[i-1]
}

// callQuery binds the query of a SQL function with its arguments in place, under
// a path of its own, and gives src its columns. s is the scope that the
// arguments were bound in.
func (s *scope) callQuery(f *catalog.SQLFunction, args []expr.Expr, src *source) Node {
	b := s.b
	rel := f.Result
	if b.view >= 16 {
		panic(pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded"))
	}
	stmt, err := syntax.ParseOne(rel.Definition)
	if err != nil {
		panic(pgerr.New(pgerr.Internal, "function \"%s\" has a bad definition", rel.Name).Wrap(err))
	}
	sel, ok := stmt.Node.Node.(*pg.Node_SelectStmt)
	if !ok {
		panic(pgerr.New(pgerr.Internal, "function \"%s\" is not a query", rel.Name))
	}
	args, once := b.evaluatedOnce(f, args)
	inner := &binder{
		shared: b.shared, stmt: stmt, path: []string{"pg_catalog", rel.Schema}, view: b.view + 1,
		within: &call{function: rel.Name, params: f.Parameters, values: args},
	}
	// The query sees nothing of the caller, and is still one level inside it:
	// that tells the columns in arguments from its own.
	outside := &scope{b: inner, depth: s.depth}
	r := inner.selectStmt(sel.SelectStmt, outside, nil)
	if len(r.cols) != len(rel.Columns) {
		panic(pgerr.New(pgerr.Internal, "function \"%s\" gives %d columns, not %d", rel.Name, len(r.cols), len(rel.Columns)))
	}
	for i, c := range rel.Columns {
		inner.coerceColumn(&r, i, c.Type)
	}
	node, values := s.flatten(r, src.alias)
	if once != nil {
		node = &Join{Kind: CrossJoin, Left: once, Right: node, Lateral: true}
	}
	for i, v := range values {
		src.cols = append(src.cols, sourceCol{name: rel.Columns[i].Name, value: v})
		id := v.(*expr.Col).ID
		col := b.cols[id]
		col.Relation, col.Attr, col.Table = 0, 0, src.alias
		b.cols[id] = col
	}
	return node
}

// evaluatedOnce gives the arguments with columns in the place of those that must
// not stand in the query as often as it names them, volatile ones, and of
// sub-queries, whose values the query can then prune by; and the row of those
// columns, nil where there is none.
func (b *binder) evaluatedOnce(f *catalog.SQLFunction, args []expr.Expr) ([]expr.Expr, Node) {
	var items []Item
	args = slices.Clone(args)
	for i, a := range args {
		if isVolatile(a) || hasSubquery(a) {
			col := b.newCol(f.Parameters[i].Name, a.Type(), "")
			items = append(items, Item{Expr: a, Col: col})
			args[i] = ref(col)
		}
	}
	if items == nil {
		return args, nil
	}
	return args, &Project{Input: &Values{Rows: [][]expr.Expr{{}}}, Items: items}
}
