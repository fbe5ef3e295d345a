package bind

import (
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// setOperation binds UNION, INTERSECT and EXCEPT, whose columns take the
// common type of both sides and the names of the left one.
func (b *binder) setOperation(n *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	left := b.selectRaw(n.Larg, outer, ctes)
	right := b.selectRaw(n.Rarg, outer, ctes)
	return b.combine(n, left, right)
}

func (b *binder) combine(n *pg.SelectStmt, left, right relation) relation {
	op := &SetOp{Left: left.node, Right: right.node, All: n.All}
	name := ""
	switch n.Op {
	case pg.SetOperation_SETOP_UNION:
		op.Kind, name = Union, "UNION"
	case pg.SetOperation_SETOP_INTERSECT:
		op.Kind, name = Intersect, "INTERSECT"
	case pg.SetOperation_SETOP_EXCEPT:
		op.Kind, name = Except, "EXCEPT"
	}
	location := firstTarget(n.Rarg)
	if len(left.cols) != len(right.cols) {
		b.fail(location, pgerr.SyntaxError, "each %s query must have the same number of columns", name)
	}
	for i := range left.cols {
		lt, rt := left.cols[i].Type, right.cols[i].Type
		location := nthTarget(n.Rarg, i)
		common, ok := commonType([]pgtypes.OID{lt.OID, rt.OID})
		if !ok {
			b.fail(location, pgerr.DatatypeMismatch, "%s types %s and %s cannot be matched", name, typeName(lt), typeName(rt))
		}
		typ := pgtypes.Of(common)
		if lt == rt {
			typ = lt
		}
		if lt.OID == pgtypes.Unknown && rt.OID == pgtypes.Unknown {
			typ = pgtypes.Of(pgtypes.Text)
		}
		b.coerceColumn(&left, i, typ)
		b.coerceColumn(&right, i, typ)
		if !n.All {
			if common == lt.OID {
				location = nthTarget(n.Larg, i)
			}
			b.checkEquality(typ, location)
		}
		op.Cols = append(op.Cols, b.newCol(left.cols[i].Name, typ, ""))
	}
	op.Left, op.Right = left.node, right.node
	return relation{node: op, cols: op.Cols}
}

// coerceColumn makes column i of r the type: in place for what was unknown,
// else by a Project over it.
func (b *binder) coerceColumn(r *relation, i int, typ pgtypes.Type) {
	from := r.cols[i].Type
	if from == typ {
		return
	}
	if from.OID == pgtypes.Unknown {
		b.retype(r, i, typ)
		return
	}
	if p, ok := r.node.(*Project); ok && from.OID != typ.OID && !containsSet(p.Items[i].Expr) {
		p.Items[i].Expr = b.mustCoerce(p.Items[i].Expr, typ, implicit, -1)
		p.Items[i].Col.Type, r.cols[i].Type = typ, typ
		origin := b.cols[r.cols[i].ID]
		origin.Type = typ
		b.cols[r.cols[i].ID] = origin
		return
	}
	items := make([]Item, len(r.cols))
	cols := make([]Column, len(r.cols))
	for k, c := range r.cols {
		cols[k] = c
		items[k] = Item{Expr: ref(c), Col: c}
	}
	if from.OID != typ.OID {
		items[i].Expr = b.mustCoerce(ref(r.cols[i]), typ, implicit, -1)
		cols[i] = b.newCol(r.cols[i].Name, typ, "")
	} else {
		cols[i].Type = typ // only the modifier differs, and is dropped
	}
	items[i].Col = cols[i]
	*r = relation{node: &Project{Input: r.node, Items: items}, cols: cols}
}

func firstTarget(n *pg.SelectStmt) int32 { return nthTarget(n, 0) }

// nthTarget is where column i of a query stands in the text.
func nthTarget(n *pg.SelectStmt, i int) int32 {
	for n.Larg != nil {
		n = n.Larg
	}
	if len(n.TargetList) > 0 {
		return exprLocation(n.TargetList[min(i, len(n.TargetList)-1)].GetResTarget().Val)
	}
	if len(n.ValuesLists) > 0 {
		if items := n.ValuesLists[0].GetList().Items; i < len(items) {
			return exprLocation(items[i])
		}
	}
	return -1
}

// values binds VALUES.
func (b *binder) values(n *pg.SelectStmt, outer *scope, ctes *cteScope) relation {
	s := b.newScope(outer, ctes)
	s.clause = inValues
	v := &Values{}
	var locations [][]int32
	for _, list := range n.ValuesLists {
		items := list.GetList().Items
		if len(v.Rows) > 0 && len(items) != len(v.Rows[0]) {
			b.fail(exprLocation(list), pgerr.SyntaxError, "VALUES lists must all be the same length")
		}
		row := make([]expr.Expr, len(items))
		places := make([]int32, len(items))
		for i, item := range items {
			row[i], places[i] = s.expr(item), exprLocation(item)
		}
		v.Rows, locations = append(v.Rows, row), append(locations, places)
	}
	for i := range v.Rows[0] {
		column := make([]expr.Expr, len(v.Rows))
		places := make([]int32, len(v.Rows))
		for r := range v.Rows {
			column[r], places[r] = v.Rows[r][i], locations[r][i]
		}
		typ := pgtypes.Of(pgtypes.Unknown)
		if !allUnknown(column) {
			typ = b.unify(column, places, "VALUES")
		}
		for r := range v.Rows {
			v.Rows[r][i] = column[r]
		}
		v.Cols = append(v.Cols, b.newCol(fmt.Sprintf("column%d", i+1), typ, ""))
	}
	return relation{node: v, cols: v.Cols}
}

func allUnknown(list []expr.Expr) bool {
	for _, e := range list {
		if e.Type().OID != pgtypes.Unknown {
			return false
		}
	}
	return true
}
