package bind

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// aExpr binds what the grammar calls A_Expr: operators and their relatives.
func (s *scope) aExpr(n *pg.A_Expr) expr.Expr {
	b := s.b
	schema, op := splitName(n.Name)
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		if n.Lexpr != nil {
			if l, r := n.Lexpr.GetRowExpr(), n.Rexpr; l != nil {
				if sub := r.GetSubLink(); sub != nil && sub.SubLinkType == pg.SubLinkType_EXPR_SUBLINK {
					return s.rowCompareSubquery(n, l, sub)
				}
				if rr := r.GetRowExpr(); rr != nil {
					return s.rowCompare(n, l, rr)
				}
			}
			l, r := s.expr(n.Lexpr), s.expr(n.Rexpr)
			return b.operator(schema, op, l, r, n.Location)
		}
		return b.operator(schema, op, nil, s.expr(n.Rexpr), n.Location)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return s.arrayOperator(n, schema, op)
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return s.distinctFrom(n)
	case pg.A_Expr_Kind_AEXPR_NULLIF:
		l, r := s.expr(n.Lexpr), s.expr(n.Rexpr)
		eq, ok := b.operator("", "=", l, r, n.Location).(*expr.Call)
		if !ok {
			b.fail(n.Location, pgerr.FeatureNotSupported, "NULLIF of these types is not supported")
		}
		return b.mark(&expr.NullIf{Eq: eq.Fn, Left: eq.Args[0], Right: eq.Args[1]}, n.Location)
	case pg.A_Expr_Kind_AEXPR_IN:
		return s.inList(n, op)
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
		return b.operator("", op, s.expr(n.Lexpr), s.expr(n.Rexpr), n.Location)
	}
	return s.between(n)
}

func (s *scope) between(n *pg.A_Expr) expr.Expr {
	b := s.b
	bounds := n.Rexpr.GetList().Items
	x := func() expr.Expr { return s.expr(n.Lexpr) }
	low, high := func() expr.Expr { return s.expr(bounds[0]) }, func() expr.Expr { return s.expr(bounds[1]) }
	cmp := func(op string, l, r expr.Expr) expr.Expr { return b.operator("", op, l, r, n.Location) }
	inside := func(lo, hi func() expr.Expr) expr.Expr {
		return newAnd([]expr.Expr{cmp(">=", x(), lo()), cmp("<=", x(), hi())})
	}
	outside := func(lo, hi func() expr.Expr) expr.Expr {
		return newOr([]expr.Expr{cmp("<", x(), lo()), cmp(">", x(), hi())})
	}
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN:
		return inside(low, high)
	case pg.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		return outside(low, high)
	case pg.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		return newOr([]expr.Expr{inside(low, high), inside(high, low)})
	}
	return newAnd([]expr.Expr{outside(low, high), outside(high, low)})
}

// operator binds an operator; left is nil for a prefix one.
func (b *binder) operator(schema, op string, left, right expr.Expr, location int32) expr.Expr {
	if op == "!=" {
		op = "<>"
	}
	if l, r := rowExprFields(left), rowExprFields(right); l != nil && r != nil && isRowExpr(left) && isRowExpr(right) {
		return b.rowOperator(op, rowArgs(left), rowArgs(right), location)
	}
	args := []expr.Expr{left, right}
	if left == nil {
		args = args[1:]
	}
	fn := b.findOperator(schema, op, args, location)
	return b.makeCall(fn, args, location)
}

// findOperator is PostgreSQL's oper().
func (b *binder) findOperator(schema, op string, args []expr.Expr, location int32) *expr.Func {
	input := argTypes(args)
	var cands []candidate
	if schema != "" && !b.env.Catalog.HasSchema(schema) {
		b.fail(location, pgerr.InvalidSchemaName, "schema \"%s\" does not exist", schema)
	}
	for _, f := range expr.Operators(op) {
		if (schema == "" || schema == "pg_catalog") && len(f.Args) == len(args) {
			cands = append(cands, candidate{fn: f, args: f.Args})
		}
	}
	exact := append([]oid{}, input...)
	if len(exact) == 2 {
		switch {
		case exact[0] == pgtypes.Unknown && exact[1] != pgtypes.Unknown:
			exact[0] = exact[1]
		case exact[1] == pgtypes.Unknown && exact[0] != pgtypes.Unknown:
			exact[1] = exact[0]
		}
	}
	for _, c := range cands {
		match := true
		for i := range exact {
			match = match && c.args[i] == exact[i]
		}
		if match {
			return c.fn
		}
	}
	best, n := chooseCandidate(cands, input)
	if best != nil {
		return best.fn
	}
	if schema != "" {
		op = schema + "." + op
	}
	var sig string
	if len(args) == 1 {
		sig = op + " " + typeName(args[0].Type())
	} else {
		sig = typeName(typeOf(input[0])) + " " + op + " " + typeName(typeOf(input[1]))
	}
	if n > 1 {
		panic(pgerr.New(pgerr.AmbiguousFunction, "operator is not unique: %s", sig).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.").At(b.at(location)))
	}
	hint := "No operator matches the given name and argument types. You might need to add explicit type casts."
	if len(args) == 1 {
		hint = "No operator matches the given name and argument type. You might need to add an explicit type cast."
	}
	panic(pgerr.New(pgerr.UndefinedFunction, "operator does not exist: %s", sig).WithHint("%s", hint).At(b.at(location)))
}

func argTypes(args []expr.Expr) []oid {
	types := make([]oid, len(args))
	for i, a := range args {
		types[i] = a.Type().OID
	}
	return types
}

// makeCall coerces the arguments of a chosen overload and makes its call.
func (b *binder) makeCall(fn *expr.Func, args []expr.Expr, location int32) expr.Expr {
	out, result := b.fitArgs(fn.Args, fn.Result, args, location)
	return b.mark(&expr.Call{Fn: fn, Args: out, Typ: typeOf(result)}, location)
}

// fitArgs coerces arguments to parameters and resolves what is polymorphic.
func (b *binder) fitArgs(params []oid, result oid, args []expr.Expr, location int32) ([]expr.Expr, oid) {
	solution, _ := solvePolymorphic(argTypes(args), params)
	undetermined := isPolymorphic(result) && solution.compat == 0 || slices.ContainsFunc(params, func(p oid) bool {
		return p == pgtypes.Anyelement || p == pgtypes.Anyarray || p == pgtypes.Anynonarray
	})
	if undetermined && solution.elem == 0 {
		panic(pgerr.New(pgerr.DatatypeMismatch, "could not determine polymorphic type because input has type unknown"))
	}
	out := make([]expr.Expr, len(args))
	for i, a := range args {
		want := solution.resolve(params[i])
		if want == pgtypes.AnyOID {
			out[i] = b.known(a)
			continue
		}
		if isPolymorphic(params[i]) && params[i] == pgtypes.Anyarray && solution.array == pgtypes.Anyarray {
			want = a.Type().OID
		}
		out[i] = b.mustCoerce(a, typeOf(want), implicit, -1)
	}
	return out, solution.resolve(result)
}

// arrayOperator binds x op ANY (array) and ALL.
func (s *scope) arrayOperator(n *pg.A_Expr, schema, op string) expr.Expr {
	b := s.b
	left := s.expr(n.Lexpr)
	var right expr.Expr
	if arr := n.Rexpr.GetAArrayExpr(); arr != nil && len(arr.Elements) == 0 {
		right = s.arrayExpr(arr, nil)
	} else {
		right = s.expr(n.Rexpr)
	}
	return b.scalarArray(schema, op, left, right, n.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL, n.Location)
}

func (b *binder) scalarArray(schema, op string, left, right expr.Expr, all bool, location int32) expr.Expr {
	if op == "!=" {
		op = "<>"
	}
	elem := pgtypes.Unknown
	if right.Type().OID != pgtypes.Unknown {
		if elem = elementType(right.Type().OID); elem == 0 {
			b.fail(location, pgerr.WrongObjectType, "op ANY/ALL (array) requires array on right side")
		}
	}
	probe := []expr.Expr{left, &expr.Const{Typ: typeOf(elem)}}
	fn := b.findOperator(schema, op, probe, location)
	if fn.Result != pgtypes.Bool {
		b.fail(location, pgerr.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	solution, _ := solvePolymorphic(argTypes(probe), fn.Args)
	l := b.mustCoerce(left, typeOf(solution.resolve(fn.Args[0])), implicit, -1)
	want := solution.resolve(fn.Args[1])
	wantArray := arrayType(want)
	if wantArray == 0 || elem == want {
		wantArray = right.Type().OID
	}
	r := b.mustCoerce(right, typeOf(wantArray), implicit, -1)
	return b.mark(expr.NewArrayOp(fn, l, r, all), location)
}

// distinctFrom binds IS [NOT] DISTINCT FROM by equality.
func (s *scope) distinctFrom(n *pg.A_Expr) expr.Expr {
	l, r := s.expr(n.Lexpr), s.expr(n.Rexpr)
	return s.b.isDistinct(l, r, n.Kind == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT, n.Location)
}

// isDistinct compares rows field by field.
func (b *binder) isDistinct(l, r expr.Expr, not bool, location int32) expr.Expr {
	if isRowExpr(l) && isRowExpr(r) {
		left, right := rowArgs(l), rowArgs(r)
		if len(left) != len(right) {
			b.fail(location, pgerr.SyntaxError, "unequal number of entries in row expressions")
		}
		fields := make([]expr.Expr, len(left))
		for i := range left {
			fields[i] = b.isDistinct(left[i], right[i], not, location)
		}
		if len(fields) == 0 {
			return b.mark(&expr.Const{Typ: typeOf(pgtypes.Bool), Val: not}, location)
		}
		if not {
			return b.mark(newAnd(fields), location)
		}
		return b.mark(newOr(fields), location)
	}
	isNull := func(e expr.Expr) bool {
		c, ok := e.(*expr.Const)
		return ok && c.Val == nil
	}
	switch {
	case isNull(r):
		return b.mark(&expr.IsNull{Arg: b.known(l), Negate: !not}, location)
	case isNull(l):
		return b.mark(&expr.IsNull{Arg: b.known(r), Negate: !not}, location)
	}
	eq, ok := b.operator("", "=", l, r, location).(*expr.Call)
	if !ok {
		b.fail(location, pgerr.FeatureNotSupported, "IS DISTINCT FROM of rows is not supported")
	}
	return b.mark(&expr.IsDistinct{Eq: eq.Fn, Left: eq.Args[0], Right: eq.Args[1], Negate: not}, location)
}

// inList binds x IN (…): constants by one list of their common type, the rest
// by OR, as PostgreSQL does.
func (s *scope) inList(n *pg.A_Expr, op string) expr.Expr {
	b := s.b
	not := op == "<>"
	items := n.Rexpr.GetList().Items
	if row := n.Lexpr.GetRowExpr(); row != nil {
		var alternatives []expr.Expr
		for _, it := range items {
			r := it.GetRowExpr()
			if r == nil {
				b.fail(exprLocation(it), pgerr.DatatypeMismatch, "unequal number of entries in row expressions")
			}
			alternatives = append(alternatives, s.rowCompare(&pg.A_Expr{Name: equalsName, Location: n.Location}, row, r))
		}
		e := newOr(alternatives)
		if not {
			e = &expr.Not{Arg: e}
		}
		return b.mark(e, n.Location)
	}
	left := s.expr(n.Lexpr)
	list := make([]expr.Expr, len(items))
	types := []oid{left.Type().OID}
	plain := true
	for i, it := range items {
		list[i] = s.expr(it)
		types = append(types, list[i].Type().OID)
		hasCols := false
		eachCol(list[i], func(*expr.Col) { hasCols = true })
		plain = plain && !hasCols
	}
	common, ok := commonType(types)
	if ok && plain && common != pgtypes.RecordOID && elementType(common) == 0 && len(list) > 1 {
		fits := true
		for _, e := range append([]expr.Expr{left}, list...) {
			fits = fits && canCoerce(e.Type().OID, common, implicit)
		}
		if fits {
			probe := &expr.Const{Typ: typeOf(common)}
			fn := b.findOperator("", "=", []expr.Expr{left, probe}, n.Location)
			solution, _ := solvePolymorphic([]oid{left.Type().OID, common}, fn.Args)
			l := b.mustCoerce(left, typeOf(solution.resolve(fn.Args[0])), implicit, -1)
			for i := range list {
				list[i] = b.mustCoerce(list[i], typeOf(solution.resolve(fn.Args[1])), implicit, -1)
			}
			return b.mark(expr.NewInList(fn, l, list, not), n.Location)
		}
	}
	alternatives := make([]expr.Expr, len(list))
	for i := range list {
		alternatives[i] = b.operator("", op, b.copyRef(left, n.Lexpr.GetColumnRef().GetLocation()), list[i], n.Location)
	}
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	if not {
		return b.mark(newAnd(alternatives), n.Location)
	}
	return b.mark(newOr(alternatives), n.Location)
}

var equalsName = []*pg.Node{pg.MakeStrNode("=")}

// rowCompare binds ROW(a, b) op ROW(c, d).
func (s *scope) rowCompare(n *pg.A_Expr, left, right *pg.RowExpr) expr.Expr {
	_, op := splitName(n.Name)
	l, r := s.rowExpr(left), s.rowExpr(right)
	return s.b.rowOperator(op, rowArgs(l), rowArgs(r), n.Location)
}

func (b *binder) rowOperator(op string, left, right []expr.Expr, location int32) expr.Expr {
	if len(left) != len(right) {
		b.fail(location, pgerr.SyntaxError, "unequal number of entries in row expressions")
	}
	if len(left) == 0 {
		b.fail(location, pgerr.FeatureNotSupported, "cannot compare rows of zero length")
	}
	each := func(op string, n int) []expr.Expr {
		out := make([]expr.Expr, n)
		for i := range out {
			out[i] = b.operator("", op, left[i], right[i], location)
		}
		return out
	}
	b.operator("", op, left[0], right[0], location)
	switch op {
	case "=":
		return b.mark(newAnd(each("=", len(left))), location)
	case "<>":
		return b.mark(newOr(each("<>", len(left))), location)
	case "<", "<=", ">", ">=":
		// (a, b) < (c, d) is a < c OR a = c AND b < d.
		strict := strings.TrimSuffix(op, "=")
		var alternatives []expr.Expr
		for i := range left {
			last := strict
			if i == len(left)-1 {
				last = op
			}
			terms := append(each("=", i), b.operator("", last, left[i], right[i], location))
			alternatives = append(alternatives, newAnd(terms))
		}
		return b.mark(newOr(alternatives), location)
	}
	panic(pgerr.New(pgerr.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", op).
		WithHint("Row comparison operators must be associated with btree operator families.").At(b.at(location)))
}
