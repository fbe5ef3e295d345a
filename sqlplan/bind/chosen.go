package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// chosen binds a call that stands for a table, whose columns it gives to src.
func (s *scope) chosen(f catalog.ChosenTable, args []expr.Expr, src *source, call *pg.Node) Node {
	b := s.b
	values := make([]any, len(args))
	for i, e := range args {
		k, ok := e.(*expr.Const)
		if !ok {
			b.fail(exprLocation(call), pgerr.FeatureNotSupported, "argument \"%s\" of function %s must be a literal", f.Args()[i].Name, f.Relation().Name)
		}
		values[i] = k.Val
	}
	table, filterText, err := f.Choose(values)
	if err != nil {
		panic(err)
	}
	scan := &Scan{Table: table, Alias: src.alias}
	for i, c := range table.Relation().Columns {
		col := b.newCol(c.Name, c.Type, src.alias)
		b.cols[col.ID] = colOrigin{Column: col, scope: s.level()}
		scan.Refs, scan.Cols = append(scan.Refs, catalog.ColumnRef{Index: i}), append(scan.Cols, col)
		src.cols = append(src.cols, sourceCol{name: c.Name, value: ref(col)})
	}
	if filterText == "" {
		return scan
	}
	// The condition sees the table and nothing of the statement around it.
	stmt, where := parseCondition(filterText)
	inner := &binder{shared: b.shared, stmt: stmt, path: b.path, view: b.view + 1}
	own := &scope{b: inner, depth: s.depth, owner: s.level()}
	own.items = []*source{{alias: table.Relation().Name, rel: table.Relation(), cols: src.cols, byName: true, plain: true}}
	var cond expr.Expr
	own.in(inWhere, func() { cond = own.condition(where, "filter") })
	return filter(scan, cond)
}

// parseCondition reads one condition: text that can stand behind WHERE, and
// nothing after it.
func parseCondition(text string) (*syntax.Statement, *pg.Node) {
	stmt, err := syntax.ParseOne("SELECT WHERE " + text)
	if err != nil {
		panic(err)
	}
	sel := stmt.Node.GetSelectStmt()
	if sel == nil || sel.WhereClause == nil || sel.Op != pg.SetOperation_SETOP_NONE || sel.GroupClause != nil || sel.HavingClause != nil ||
		sel.WindowClause != nil || sel.SortClause != nil || sel.LimitCount != nil || sel.LimitOffset != nil || sel.LockingClause != nil {
		panic(pgerr.New(pgerr.SyntaxError, "filter is not a condition: %s", text))
	}
	return stmt, sel.WhereClause
}
