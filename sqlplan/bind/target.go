package bind

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// targetList binds the SELECT list with its stars expanded.
func (s *scope) targetList(list []*pg.Node) []target {
	targets := []target{}
	for _, n := range list {
		rt := n.GetResTarget()
		if c := rt.Val.GetColumnRef(); c != nil {
			if _, star := c.Fields[len(c.Fields)-1].Node.(*pg.Node_AStar); star {
				for _, col := range s.star(c) {
					targets = append(targets, target{expr: s.b.copyRef(col.value, c.Location), name: col.name, location: c.Location})
				}
				continue
			}
		}
		if in := rt.Val.GetAIndirection(); in != nil && rt.Name == "" {
			if _, star := in.Indirection[len(in.Indirection)-1].Node.(*pg.Node_AStar); star {
				targets = append(targets, s.expandRow(in)...)
				continue
			}
		}
		t := target{expr: s.expr(rt.Val), name: rt.Name, location: exprLocation(rt.Val)}
		if t.name == "" {
			t.name = figureName(rt.Val)
		}
		targets = append(targets, t)
	}
	return targets
}

// expandRow binds (expression).* .
func (s *scope) expandRow(in *pg.A_Indirection) []target {
	row := s.expr(in.Arg)
	location := exprLocation(in.Arg)
	fields := s.b.rowFields(row)
	if fields == nil {
		s.b.fail(location, "42809", "column notation .* applied to type %s, which is not a composite type", typeName(row.Type()))
	}
	var targets []target
	for i, f := range fields {
		targets = append(targets, target{expr: newField(row, i, f), name: f.name, location: location})
	}
	return targets
}

// figureName is PostgreSQL's name for a column that has none.
func figureName(n *pg.Node) string {
	name, _ := nameOf(n)
	if name == "" {
		return "?column?"
	}
	return name
}

// nameOf gives a name and how good it is: 2 from a column or function, 1 from
// a type cast, 0 none.
func nameOf(n *pg.Node) (string, int) {
	if n == nil {
		return "", 0
	}
	switch v := n.Node.(type) {
	case *pg.Node_ColumnRef:
		if names := stringsOf(v.ColumnRef.Fields); len(names) > 0 {
			return names[len(names)-1], 2
		}
	case *pg.Node_AIndirection:
		names := stringsOf(v.AIndirection.Indirection)
		if len(names) > 0 {
			return names[len(names)-1], 2
		}
		return nameOf(v.AIndirection.Arg)
	case *pg.Node_FuncCall:
		_, name := splitName(v.FuncCall.Funcname)
		return name, 2
	case *pg.Node_AExpr:
		if v.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg.Node_TypeCast:
		if name, strength := nameOf(v.TypeCast.Arg); strength > 1 {
			return name, strength
		}
		_, name := splitName(v.TypeCast.TypeName.Names)
		return name, 1
	case *pg.Node_CollateClause:
		return nameOf(v.CollateClause.Arg)
	case *pg.Node_GroupingFunc:
		return "grouping", 2
	case *pg.Node_SubLink:
		switch v.SubLink.SubLinkType {
		case pg.SubLinkType_EXISTS_SUBLINK:
			return "exists", 2
		case pg.SubLinkType_ARRAY_SUBLINK:
			return "array", 2
		case pg.SubLinkType_EXPR_SUBLINK:
			sel := v.SubLink.Subselect.GetSelectStmt()
			for sel.Op != pg.SetOperation_SETOP_NONE && sel.Larg != nil {
				sel = sel.Larg
			}
			if len(sel.TargetList) > 0 {
				rt := sel.TargetList[0].GetResTarget()
				if rt.Name != "" {
					return rt.Name, 2
				}
				if name, strength := nameOf(rt.Val); strength > 0 {
					return name, 2
				}
				return "?column?", 2
			}
			if len(sel.ValuesLists) > 0 {
				return "column1", 2
			}
		}
	case *pg.Node_CaseExpr:
		if name, strength := nameOf(v.CaseExpr.Defresult); strength > 1 {
			return name, strength
		}
		return "case", 1
	case *pg.Node_AArrayExpr:
		return "array", 2
	case *pg.Node_RowExpr:
		return "row", 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg.Node_MinMaxExpr:
		if v.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg.Node_SqlvalueFunction:
		name := strings.ToLower(strings.TrimPrefix(v.SqlvalueFunction.Op.String(), "SVFOP_"))
		return strings.TrimSuffix(name, "_n"), 2
	case *pg.Node_XmlExpr:
		return "xml", 2
	}
	return "", 0
}

// A rowField is a column of a composite value.
type rowField struct {
	name string
	typ  pgtypes.Type
}

// rowFields gives the columns of a composite value, nil when e is none.
func (b *binder) rowFields(e expr.Expr) []rowField {
	if call, ok := e.(*expr.Call); ok && len(call.Fn.Columns) > 1 {
		fields := make([]rowField, len(call.Fn.Columns))
		for i, c := range call.Fn.Columns {
			fields[i] = rowField{name: c.Name, typ: pgtypes.Of(callColumnType(call, c.Type))}
		}
		return fields
	}
	if c, ok := e.(*expr.Col); ok {
		return b.cols[c.ID].fields
	}
	return rowExprFields(e)
}

// exprLocation is PostgreSQL's exprLocation: the leftmost place of an
// expression in the text, -1 when unknown.
func exprLocation(n *pg.Node) int32 {
	if n == nil {
		return -1
	}
	switch v := n.Node.(type) {
	case *pg.Node_ColumnRef:
		return v.ColumnRef.Location
	case *pg.Node_ParamRef:
		return v.ParamRef.Location
	case *pg.Node_AConst:
		return v.AConst.Location
	case *pg.Node_AExpr:
		return leftmost(v.AExpr.Location, exprLocation(v.AExpr.Lexpr))
	case *pg.Node_BoolExpr:
		if len(v.BoolExpr.Args) > 0 {
			return leftmost(v.BoolExpr.Location, exprLocation(v.BoolExpr.Args[0]))
		}
		return v.BoolExpr.Location
	case *pg.Node_FuncCall:
		location := v.FuncCall.Location
		for _, a := range v.FuncCall.Args {
			location = leftmost(location, exprLocation(a))
		}
		return location
	case *pg.Node_NamedArgExpr:
		return leftmost(v.NamedArgExpr.Location, exprLocation(v.NamedArgExpr.Arg))
	case *pg.Node_AIndirection:
		return exprLocation(v.AIndirection.Arg)
	case *pg.Node_TypeCast:
		if k := v.TypeCast.Arg.GetAConst(); k != nil {
			return k.Location // a typed literal stands where its text does
		}
		return leftmost(v.TypeCast.Location, leftmost(v.TypeCast.TypeName.Location, exprLocation(v.TypeCast.Arg)))
	case *pg.Node_CollateClause:
		return exprLocation(v.CollateClause.Arg)
	case *pg.Node_CaseExpr:
		return v.CaseExpr.Location
	case *pg.Node_CoalesceExpr:
		return v.CoalesceExpr.Location
	case *pg.Node_MinMaxExpr:
		return v.MinMaxExpr.Location
	case *pg.Node_NullTest:
		return leftmost(v.NullTest.Location, exprLocation(v.NullTest.Arg))
	case *pg.Node_BooleanTest:
		return leftmost(v.BooleanTest.Location, exprLocation(v.BooleanTest.Arg))
	case *pg.Node_SubLink:
		return leftmost(exprLocation(v.SubLink.Testexpr), v.SubLink.Location)
	case *pg.Node_RowExpr:
		return v.RowExpr.Location
	case *pg.Node_AArrayExpr:
		return v.AArrayExpr.Location
	case *pg.Node_SqlvalueFunction:
		return v.SqlvalueFunction.Location
	case *pg.Node_GroupingFunc:
		return v.GroupingFunc.Location
	case *pg.Node_JsonIsPredicate:
		return v.JsonIsPredicate.Location
	case *pg.Node_ResTarget:
		return v.ResTarget.Location
	case *pg.Node_SortBy:
		return exprLocation(v.SortBy.Node)
	case *pg.Node_List:
		if len(v.List.Items) > 0 {
			return exprLocation(v.List.Items[0])
		}
	}
	return -1
}

func leftmost(a, b int32) int32 {
	switch {
	case a < 0:
		return b
	case b < 0 || a < b:
		return a
	}
	return b
}
