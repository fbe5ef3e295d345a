package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A Sample is the TABLESAMPLE of a scan.
type Sample struct {
	Method  string    // bernoulli: row by row; system: by runs of rows that are stored together
	Percent expr.Expr // float4
	Seed    expr.Expr // float8; nil: another sample each time
}

// tableSample binds a table of which a part is read.
func (s *scope) tableSample(n *pg.RangeTableSample) (Node, *source) {
	b := s.b
	rv := n.Relation.GetRangeVar()
	notTable := func() {
		b.fail(rv.GetLocation(), pgerr.FeatureNotSupported, "TABLESAMPLE clause can only be applied to tables and materialized views")
	}
	if rv == nil {
		notTable()
	}
	node, src := s.rangeVar(rv)
	scan, ok := node.(*Scan)
	if !ok || scan.Table.Relation().Kind != 'r' {
		notTable()
	}
	_, method := splitName(n.Method)
	if method != "bernoulli" && method != "system" {
		b.fail(n.Location, pgerr.UndefinedObject, "tablesample method %s does not exist", method)
	}
	if len(n.Args) != 1 {
		b.fail(n.Location, pgerr.InvalidTablesampleArgument, "tablesample method %s requires 1 argument, not %d", method, len(n.Args))
	}
	constant := func(n *pg.Node, typ pgtypes.OID) expr.Expr {
		inner := b.newScope(nil, nil)
		inner.clause = inFunctionFrom
		return b.mustCoerce(inner.expr(n), typeOf(typ), assignment, exprLocation(n))
	}
	sample := &Sample{Method: method, Percent: constant(n.Args[0], pgtypes.Float4)}
	if n.Repeatable != nil {
		sample.Seed = constant(n.Repeatable, pgtypes.Float8)
	}
	scan.Sample = sample
	return scan, src
}

// String prints the clause, for EXPLAIN.
func (t *Sample) String() string {
	text := t.Method + " (" + t.Percent.String() + ")"
	if t.Seed != nil {
		text += " REPEATABLE (" + t.Seed.String() + ")"
	}
	return text
}
