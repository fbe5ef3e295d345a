package bind

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Type implements expr.Expr.
func (q *Subquery) Type() pgtypes.Type { return q.Typ }

// Children implements expr.Expr: the tested values. The plan is not a child.
func (q *Subquery) Children() []expr.Expr { return q.Tests }

// With implements expr.Expr.
func (q *Subquery) With(children []expr.Expr) expr.Expr {
	cp := *q
	cp.Tests = children
	return &cp
}

// Eval implements expr.Expr: only the executor can run a plan.
func (q *Subquery) Eval(*expr.Env, []any) (any, error) {
	return nil, pgerr.New(pgerr.FeatureNotSupported, "a sub-query cannot be evaluated here")
}

// Vec implements expr.Expr: only the executor can run a plan.
func (q *Subquery) Vec(*expr.Env, *vector.Batch) (*vector.Column, error) {
	return nil, pgerr.New(pgerr.FeatureNotSupported, "a sub-query cannot be evaluated here")
}

// String implements expr.Expr.
func (q *Subquery) String() string {
	kind := [...]string{Scalar: "", Exists: "EXISTS ", Any: "ANY ", All: "ALL ", Array: "ARRAY ", Row: ""}[q.Kind]
	var tests strings.Builder
	for i, t := range q.Tests {
		tests.WriteString(t.String() + " " + q.Ops[i].Operator + " ")
	}
	return tests.String() + kind + "(sub-query " + strconv.Itoa(q.N) + ")"
}

// subLink binds a query inside an expression.
func (s *scope) subLink(n *pg.SubLink) expr.Expr {
	b := s.b
	r := b.selectStmt(n.Subselect.GetSelectStmt(), s, s.ctes)
	q := b.newSubquery()
	q.Plan = r.node
	switch n.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		q.Kind = Exists
	case pg.SubLinkType_EXPR_SUBLINK, pg.SubLinkType_ARRAY_SUBLINK:
		if len(r.cols) != 1 {
			b.fail(n.Location, pgerr.SyntaxError, "subquery must return only one column")
		}
		q.Kind, q.Typ = Scalar, r.cols[0].Type
		if n.SubLinkType == pg.SubLinkType_ARRAY_SUBLINK {
			q.Kind = Array
			elem := q.Typ.OID
			if typeCategory(elem) == 'A' && elementType(elem) != 0 {
				q.Typ = typeOf(elem)
			} else if q.Typ = typeOf(arrayType(elem)); q.Typ.OID == 0 {
				b.fail(n.Location, pgerr.UndefinedObject, "could not find array type for data type %s", typeName(typeOf(elem)))
			}
		}
	case pg.SubLinkType_ANY_SUBLINK, pg.SubLinkType_ALL_SUBLINK:
		return s.quantified(n, q, r)
	default:
		b.fail(n.Location, pgerr.FeatureNotSupported, "this kind of sub-query is not supported")
	}
	q.Outer = b.outerColumns(q.Plan)
	return b.mark(q, n.Location)
}

func (b *binder) newSubquery() *Subquery {
	b.subqueries++
	return &Subquery{N: b.subqueries, Typ: typeOf(pgtypes.Bool)}
}

// quantified binds x IN (SELECT …), x op ANY (SELECT …) and ALL, and the
// comparison with one row.
func (s *scope) quantified(n *pg.SubLink, q *Subquery, r relation) expr.Expr {
	b := s.b
	op := "="
	if len(n.OperName) > 0 {
		_, op = splitName(n.OperName)
	}
	q.Kind = Any
	switch n.SubLinkType {
	case pg.SubLinkType_ALL_SUBLINK:
		q.Kind = All
	case pg.SubLinkType_ROWCOMPARE_SUBLINK:
		q.Kind = Row
	}
	var tests []expr.Expr
	if row := n.Testexpr.GetRowExpr(); row != nil {
		tests = rowArgs(s.rowExpr(row))
	} else {
		tests = []expr.Expr{s.expr(n.Testexpr)}
	}
	if len(tests) < len(r.cols) {
		b.fail(n.Location, pgerr.SyntaxError, "subquery has too many columns")
	}
	if len(tests) > len(r.cols) {
		b.fail(n.Location, pgerr.SyntaxError, "subquery has too few columns")
	}
	switch op {
	case "=", "<>", "<", "<=", ">", ">=":
	default:
		if len(tests) > 1 {
			panic(pgerr.New(pgerr.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).
				WithHint("Row comparison operators must be associated with btree operator families.").At(b.at(n.Location)))
		}
	}
	for i, t := range tests {
		call, ok := b.operator("", op, t, ref(r.cols[i]), n.Location).(*expr.Call)
		if !ok || call.Typ.OID != pgtypes.Bool {
			b.fail(n.Location, pgerr.DatatypeMismatch, "row comparison operator must yield type boolean, not type %s", typeName(call.Typ))
		}
		if op != "=" && op != "<>" && i < len(tests)-1 {
			eq, _ := b.operator("", "=", t, ref(r.cols[i]), n.Location).(*expr.Call)
			q.Equals = append(q.Equals, eq.Fn)
		}
		q.Tests = append(q.Tests, call.Args[0])
		q.Ops = append(q.Ops, call.Fn)
		if _, plain := call.Args[1].(*expr.Col); !plain {
			b.coerceColumn(&r, i, call.Args[1].Type())
		}
	}
	q.Plan = r.node
	q.Outer = b.outerColumns(q.Plan)
	return b.mark(q, n.Location)
}

// rowCompareSubquery binds (a, b) op (SELECT …): the query gives one row, or
// none, which is NULL.
func (s *scope) rowCompareSubquery(n *pg.A_Expr, row *pg.RowExpr, sub *pg.SubLink) expr.Expr {
	r := s.b.selectStmt(sub.Subselect.GetSelectStmt(), s, s.ctes)
	link := &pg.SubLink{
		SubLinkType: pg.SubLinkType_ROWCOMPARE_SUBLINK, Location: sub.Location, OperName: n.Name,
		Testexpr: &pg.Node{Node: &pg.Node_RowExpr{RowExpr: row}},
	}
	return s.quantified(link, s.b.newSubquery(), r)
}

// outerColumns gives the columns that a plan needs from enclosing queries.
func (b *binder) outerColumns(n Node) []Column {
	var cols []Column
	for _, id := range freeColumns(n) {
		cols = append(cols, b.cols[id].Column)
	}
	return cols
}
