package bind

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

type oid = pgtypes.OID

func typeOf(o oid) pgtypes.Type { return pgtypes.Of(o) }

// condition binds an expression that must be boolean.
func (s *scope) condition(n *pg.Node, what string) expr.Expr {
	return s.b.boolean(s.expr(n), what, exprLocation(n))
}

func (b *binder) boolean(e expr.Expr, what string, location int32) expr.Expr {
	out := b.coerce(e, typeOf(pgtypes.Bool), assignment, location)
	if out == nil {
		b.fail(location, pgerr.DatatypeMismatch, "argument of %s must be type boolean, not type %s", what, typeName(e.Type()))
	}
	return out
}

// expr binds an expression. A literal that nothing typed yet is of type unknown.
func (s *scope) expr(n *pg.Node) expr.Expr {
	b := s.b
	switch v := n.Node.(type) {
	case *pg.Node_ColumnRef:
		return s.columnRef(v.ColumnRef)
	case *pg.Node_ParamRef:
		if b.within != nil {
			return b.within.numbered(b, v.ParamRef)
		}
		return b.mark(b.params.ref(b, v.ParamRef), v.ParamRef.Location)
	case *pg.Node_AConst:
		return s.constant(v.AConst)
	case *pg.Node_AExpr:
		return s.aExpr(v.AExpr)
	case *pg.Node_BoolExpr:
		return s.boolExpr(v.BoolExpr)
	case *pg.Node_FuncCall:
		return s.funcCall(v.FuncCall)
	case *pg.Node_TypeCast:
		return s.typeCast(v.TypeCast)
	case *pg.Node_CollateClause:
		return s.collate(v.CollateClause)
	case *pg.Node_CaseExpr:
		return s.caseExpr(v.CaseExpr)
	case *pg.Node_CoalesceExpr:
		args, typ := s.unifyNodes(v.CoalesceExpr.Args, "COALESCE")
		return b.mark(&expr.Coalesce{Args: args, Typ: typ}, v.CoalesceExpr.Location)
	case *pg.Node_MinMaxExpr:
		what := "GREATEST"
		if v.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			what = "LEAST"
		}
		args, typ := s.unifyNodes(v.MinMaxExpr.Args, what)
		if !sortable(typ.OID) {
			b.fail(v.MinMaxExpr.Location, pgerr.UndefinedFunction, "could not identify a comparison function for type %s", typeName(typ))
		}
		return b.mark(&expr.MinMax{Args: args, Typ: typ, Least: what == "LEAST"}, v.MinMaxExpr.Location)
	case *pg.Node_NullTest:
		arg := s.expr(v.NullTest.Arg)
		return b.mark(&expr.IsNull{Arg: b.knownLiteral(arg), Negate: v.NullTest.Nulltesttype == pg.NullTestType_IS_NOT_NULL}, v.NullTest.Location)
	case *pg.Node_BooleanTest:
		return s.booleanTest(v.BooleanTest)
	case *pg.Node_SubLink:
		return s.subLink(v.SubLink)
	case *pg.Node_RowExpr:
		return s.rowExpr(v.RowExpr)
	case *pg.Node_AArrayExpr:
		return s.arrayExpr(v.AArrayExpr, nil)
	case *pg.Node_AIndirection:
		return s.indirection(v.AIndirection)
	case *pg.Node_SqlvalueFunction:
		return s.sqlValueFunction(v.SqlvalueFunction)
	case *pg.Node_GroupingFunc:
		return s.groupingFunc(v.GroupingFunc)
	case *pg.Node_NamedArgExpr:
		b.fail(v.NamedArgExpr.Location, pgerr.SyntaxError, "named arguments are only allowed in function calls")
	case *pg.Node_SetToDefault:
		b.fail(v.SetToDefault.Location, pgerr.SyntaxError, "DEFAULT is not allowed in this context")
	case *pg.Node_JsonIsPredicate:
		return s.isJSON(v.JsonIsPredicate)
	case *pg.Node_CurrentOfExpr:
		panic(pgerr.New(pgerr.FeatureNotSupported, "WHERE CURRENT OF is not supported"))
	case *pg.Node_XmlExpr, *pg.Node_XmlSerialize:
		panic(pgerr.New(pgerr.FeatureNotSupported, "XML expressions are not supported"))
	}
	panic(pgerr.New(pgerr.FeatureNotSupported, "this kind of expression is not supported").At(b.at(exprLocation(n))))
}

// known gives an expression of unknown type the type text.
func (b *binder) known(e expr.Expr) expr.Expr {
	if e.Type().OID == pgtypes.Unknown {
		return b.mustCoerce(e, typeOf(pgtypes.Text), implicit, -1)
	}
	return e
}

// knownLiteral is known that leaves parameters alone: IS NULL does not decide
// their type.
func (b *binder) knownLiteral(e expr.Expr) expr.Expr {
	if _, ok := e.(*expr.Param); ok {
		return e
	}
	return b.known(e)
}

func (s *scope) constant(n *pg.A_Const) expr.Expr {
	c := &expr.Const{}
	switch v := n.Val.(type) {
	case *pg.A_Const_Ival:
		c.Typ, c.Val = typeOf(pgtypes.Int4), int64(v.Ival.Ival)
	case *pg.A_Const_Fval:
		c = s.numeric(v.Fval.Fval, n.Location)
	case *pg.A_Const_Boolval:
		c.Typ, c.Val = typeOf(pgtypes.Bool), v.Boolval.Boolval
	case *pg.A_Const_Sval:
		c.Typ, c.Val = typeOf(pgtypes.Unknown), v.Sval.Sval
	case *pg.A_Const_Bsval:
		panic(pgerr.New(pgerr.FeatureNotSupported, "bit string literals are not supported").At(s.b.at(n.Location)))
	default:
		c.Typ = typeOf(pgtypes.Unknown)
	}
	return s.b.mark(c, n.Location)
}

// numeric is a number that is no int4: an int8 if it fits, else a numeric.
func (s *scope) numeric(text string, location int32) *expr.Const {
	clean := strings.ReplaceAll(text, "_", "")
	base := 10
	if digits := strings.TrimPrefix(clean, "-"); len(digits) > 1 && digits[0] == '0' && strings.ContainsRune("xXoObB", rune(digits[1])) {
		base = 0
	}
	if i, err := strconv.ParseInt(clean, base, 64); err == nil {
		return &expr.Const{Typ: typeOf(pgtypes.Int8), Val: i}
	}
	v, err := decodeLiteral(clean, typeOf(pgtypes.Numeric), s.b.env.Style)
	if err != nil {
		panic(pgerr.From(err).At(s.b.at(location)))
	}
	return &expr.Const{Typ: typeOf(pgtypes.Numeric), Val: v}
}

func (s *scope) boolExpr(n *pg.BoolExpr) expr.Expr {
	names := map[pg.BoolExprType]string{pg.BoolExprType_AND_EXPR: "AND", pg.BoolExprType_OR_EXPR: "OR", pg.BoolExprType_NOT_EXPR: "NOT"}
	args := make([]expr.Expr, len(n.Args))
	for i, a := range n.Args {
		args[i] = s.condition(a, names[n.Boolop])
	}
	switch n.Boolop {
	case pg.BoolExprType_AND_EXPR:
		return s.b.mark(newAnd(args), n.Location)
	case pg.BoolExprType_OR_EXPR:
		return s.b.mark(newOr(args), n.Location)
	}
	return s.b.mark(&expr.Not{Arg: args[0]}, n.Location)
}

func (s *scope) booleanTest(n *pg.BooleanTest) expr.Expr {
	what := map[pg.BoolTestType]string{
		pg.BoolTestType_IS_TRUE: "IS TRUE", pg.BoolTestType_IS_NOT_TRUE: "IS NOT TRUE",
		pg.BoolTestType_IS_FALSE: "IS FALSE", pg.BoolTestType_IS_NOT_FALSE: "IS NOT FALSE",
		pg.BoolTestType_IS_UNKNOWN: "IS UNKNOWN", pg.BoolTestType_IS_NOT_UNKNOWN: "IS NOT UNKNOWN",
	}[n.Booltesttype]
	arg := s.condition(n.Arg, what)
	not := strings.HasPrefix(what, "IS NOT")
	test := &expr.BoolTest{Arg: arg, Negate: not}
	if !strings.HasSuffix(what, "UNKNOWN") {
		test.Want = strings.HasSuffix(what, "TRUE")
	}
	return s.b.mark(test, n.Location)
}

func (s *scope) caseExpr(n *pg.CaseExpr) expr.Expr {
	b := s.b
	var subject expr.Expr
	if n.Arg != nil {
		subject = b.known(s.expr(n.Arg))
	}
	var whens, results []expr.Expr
	var places []int32
	for _, w := range n.Args {
		when := w.GetCaseWhen()
		var cond expr.Expr
		if subject != nil {
			value := s.expr(when.Expr)
			cond = b.operator("", "=", subject, value, when.Location)
			cond = b.boolean(cond, "CASE/WHEN", when.Location)
		} else {
			cond = s.condition(when.Expr, "CASE/WHEN")
		}
		whens = append(whens, cond)
	}
	// PostgreSQL lets ELSE decide the common type first.
	if n.Defresult != nil {
		results, places = append(results, s.expr(n.Defresult)), append(places, exprLocation(n.Defresult))
	} else {
		results, places = append(results, &expr.Const{Typ: typeOf(pgtypes.Unknown)}), append(places, -1)
	}
	for _, w := range n.Args {
		when := w.GetCaseWhen()
		results, places = append(results, s.expr(when.Result)), append(places, exprLocation(when.Result))
	}
	typ := b.unify(results, places, "CASE")
	for i := range results {
		if containsSet(results[i]) {
			b.fail(places[i], pgerr.FeatureNotSupported, "set-returning functions are not allowed in CASE")
		}
	}
	otherwise := results[0]
	if n.Defresult == nil {
		otherwise = nil
	}
	return b.mark(newCase(whens, results[1:], otherwise, typ), n.Location)
}

// unifyNodes binds a list to its common type.
func (s *scope) unifyNodes(nodes []*pg.Node, what string) ([]expr.Expr, pgtypes.Type) {
	args := make([]expr.Expr, len(nodes))
	places := make([]int32, len(nodes))
	for i, n := range nodes {
		args[i], places[i] = s.expr(n), exprLocation(n)
		if containsSet(args[i]) {
			s.b.fail(places[i], pgerr.FeatureNotSupported, "set-returning functions are not allowed in %s", what)
		}
	}
	return args, s.b.unify(args, places, what)
}

// unify coerces a list, in place, to its common type.
func (b *binder) unify(list []expr.Expr, places []int32, what string) pgtypes.Type {
	common := list[0].Type().OID
	mod := list[0].Type().Mod
	for i, e := range list {
		types := []oid{common, e.Type().OID}
		if i == 0 {
			continue
		}
		next, ok := commonType(types)
		if !ok {
			b.fail(places[i], pgerr.DatatypeMismatch, "%s types %s and %s cannot be matched", what, typeName(typeOf(common)), typeName(e.Type()))
		}
		if types[0] == pgtypes.Unknown && types[1] == pgtypes.Unknown {
			next = pgtypes.Unknown
		}
		if e.Type().Mod != mod || types[0] != types[1] {
			mod = -1
		}
		common = next
	}
	if common == pgtypes.Unknown {
		common = pgtypes.Text
	}
	typ := pgtypes.Type{OID: common, Mod: mod}
	for i, e := range list {
		if e.Type().OID == common {
			continue
		}
		out := b.coerce(e, typ, implicit, places[i])
		if out == nil {
			b.fail(places[i], pgerr.CannotCoerce, "%s could not convert type %s to %s", what, typeName(e.Type()), typeName(typ))
		}
		list[i] = out
	}
	return typ
}

func (s *scope) rowExpr(n *pg.RowExpr) expr.Expr {
	var args []expr.Expr
	for _, a := range n.Args {
		if c := a.GetColumnRef(); c != nil {
			if _, star := c.Fields[len(c.Fields)-1].Node.(*pg.Node_AStar); star {
				for _, col := range s.star(c) {
					args = append(args, s.b.copyRef(col.value, c.Location))
				}
				continue
			}
		}
		args = append(args, s.expr(a))
	}
	names := make([]string, len(args))
	for i := range names {
		names[i] = "f" + strconv.Itoa(i+1)
	}
	return s.b.mark(newRow(args, names), n.Location)
}

func (s *scope) collate(n *pg.CollateClause) expr.Expr {
	arg := s.expr(n.Arg)
	schema, name := splitName(n.Collname)
	switch {
	case schema != "" && schema != "pg_catalog",
		name != "default" && name != "C" && name != "POSIX" && name != "ucs_basic" && name != "C.UTF-8" && name != "C.utf8":
		if schema != "" {
			name = schema + "." + name
		}
		s.b.fail(n.Location, pgerr.UndefinedObject, "collation \"%s\" for encoding \"UTF8\" does not exist", name)
	}
	switch arg.Type().OID {
	case pgtypes.Unknown:
		return s.b.known(arg)
	case pgtypes.Text, pgtypes.Varchar, pgtypes.Bpchar, pgtypes.Name, pgtypes.TextArray, pgtypes.VarcharArray, pgtypes.NameArray, pgtypes.BpcharArray:
		return arg
	}
	s.b.fail(n.Location, pgerr.DatatypeMismatch, "collations are not supported by type %s", typeName(arg.Type()))
	return nil
}

// sqlValueFunction binds CURRENT_DATE and its like as the functions they are.
func (s *scope) sqlValueFunction(n *pg.SQLValueFunction) expr.Expr {
	b := s.b
	call := func(name string) expr.Expr { return b.call(name, nil, n.Location) }
	cast := func(e expr.Expr, t oid) expr.Expr {
		return b.mustCoerce(e, pgtypes.Type{OID: t, Mod: -1}, explicit, n.Location)
	}
	precise := func(e expr.Expr) expr.Expr {
		if n.Typmod < 0 {
			return e
		}
		return b.mustCoerce(e, pgtypes.Type{OID: e.Type().OID, Mod: n.Typmod}, explicit, n.Location)
	}
	var e expr.Expr
	switch n.Op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		e = cast(call("now"), pgtypes.Date)
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		e = precise(cast(call("now"), pgtypes.Timetz))
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		e = precise(call("now"))
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIME, pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		e = precise(cast(cast(call("now"), pgtypes.Timestamp), pgtypes.Time))
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		e = precise(cast(call("now"), pgtypes.Timestamp))
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE, pg.SQLValueFunctionOp_SVFOP_CURRENT_USER, pg.SQLValueFunctionOp_SVFOP_USER:
		e = call("current_user")
	case pg.SQLValueFunctionOp_SVFOP_SESSION_USER:
		e = call("session_user")
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
		e = call("current_database")
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
		e = call("current_schema")
	}
	return b.mark(e, n.Location)
}

// isJSON binds x IS JSON as a call of the gateway's own function.
func (s *scope) isJSON(n *pg.JsonIsPredicate) expr.Expr {
	kind := strings.ToLower(strings.TrimPrefix(n.ItemType.String(), "JS_TYPE_"))
	arg := s.b.known(s.expr(n.Expr))
	return s.b.call("is_json", []expr.Expr{arg, &expr.Const{Typ: typeOf(pgtypes.Text), Val: kind}}, n.Location)
}
