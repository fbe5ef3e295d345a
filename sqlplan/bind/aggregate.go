package bind

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// rankCall binds a function that only works OVER a window.
func (s *scope) rankCall(n *pg.FuncCall, shown string, fns []*expr.Func) expr.Expr {
	b := s.b
	if n.Over == nil {
		a := s.arguments(n.Args)
		if fn, _ := b.chooseFunction(fns, a, false); fn == nil {
			b.noFunction(fns, a, shown, n)
		}
		b.fail(n.Location, pgerr.WrongObjectType, "window function %s requires an OVER clause", shown)
	}
	s.checkWindow(n.Location)
	if n.AggFilter != nil {
		b.fail(n.Location, pgerr.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions")
	}
	if n.AggDistinct {
		b.fail(n.Location, pgerr.FeatureNotSupported, "DISTINCT is not implemented for window functions")
	}
	a := s.arguments(n.Args)
	fn, _ := b.chooseFunction(fns, a, false)
	if fn == nil {
		b.noFunction(fns, a, shown, n)
	}
	s.checkNestedWindow(a.list, n.Location)
	args, result := b.fitArgs(fn.Args, fn.Result, a.list, n.Location)
	item := WindowItem{Func: fn.Name, Args: args}
	s.over(n.Over, &item)
	return b.mark(s.addWindow(item, shown, typeOf(result)), n.Location)
}

func (s *scope) checkNestedWindow(args []expr.Expr, location int32) {
	for _, a := range args {
		eachCol(a, func(c *expr.Col) {
			if slices.ContainsFunc(s.windows.calls, func(w WindowItem) bool { return w.Col.ID == c.ID }) {
				panic(pgerr.New(pgerr.WindowingError, "window function calls cannot be nested").At(s.b.locs[c]))
			}
		})
	}
}

// aggregateCall binds an aggregate, of this query level or of the enclosing one
// whose columns its arguments are, or OVER a window.
func (s *scope) aggregateCall(n *pg.FuncCall, shown string, overloads []*expr.Aggregate) expr.Expr {
	b := s.b
	if n.FuncVariadic {
		b.fail(n.Location, pgerr.FeatureNotSupported, "VARIADIC is not supported for aggregate functions")
	}
	call := &expr.AggCall{Star: n.AggStar, Distinct: n.AggDistinct}
	var a arguments
	argClause := inAggregate
	if n.Over != nil {
		s.checkWindow(n.Location)
		argClause = s.clause
	}
	owner := s.level()
	s.in(argClause, func() {
		a = s.arguments(n.Args)
		if n.AggWithinGroup {
			for _, o := range n.AggOrder {
				a.list = append(a.list, s.expr(o.GetSortBy().Node))
			}
		}
	})
	if len(a.names) > 0 {
		b.fail(n.Location, pgerr.FeatureNotSupported, "aggregates cannot use named arguments")
	}
	if n.AggWithinGroup && overloads[0].Hypothetical {
		s.hypothetical(n, &a, shown)
	}
	agg := b.chooseAggregate(overloads, a, n, shown)
	if n.AggWithinGroup && !agg.OrderedSet {
		b.fail(n.Location, pgerr.WrongObjectType, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", shown)
	}
	if !n.AggWithinGroup && agg.OrderedSet {
		b.fail(n.Location, pgerr.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", shown)
	}
	if len(a.list) == 0 && !n.AggStar && !agg.OrderedSet {
		b.fail(n.Location, pgerr.WrongObjectType, "%s(*) must be used to call a parameterless aggregate function", shown)
	}
	call.Agg = agg
	params := agg.Args
	if agg.Variadic && len(a.list) > 0 {
		fixed := len(params) - 1
		params = append(slices.Clone(params[:fixed]), slices.Repeat([]oid{params[fixed]}, len(a.list)-fixed)...)
	}
	args, result := b.fitArgs(params, agg.Result, a.list, n.Location)
	call.Args, call.Typ = args, typeOf(result)
	s.in(argClause, func() { s.aggregateOrder(n, call, &a, args) })
	if n.AggFilter != nil {
		s.in(inFilter, func() { call.Filter = s.condition(n.AggFilter, "FILTER") })
	}
	if call.Distinct {
		for i, e := range call.Args {
			location := n.Location
			if i < len(n.Args) {
				location = exprLocation(n.Args[i])
			}
			if !sortable(e.Type().OID) {
				panic(pgerr.New(pgerr.UndefinedFunction, "could not identify an equality operator for type %s", typeName(e.Type())).At(b.at(location)))
			}
		}
		for _, k := range call.OrderBy {
			if !slices.ContainsFunc(call.Args, func(e expr.Expr) bool { return same(e, k.Expr) }) {
				panic(pgerr.New(pgerr.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list").At(b.locs[k.Expr]))
			}
		}
	}
	if n.Over != nil {
		if call.Agg.OrderedSet {
			b.fail(n.Location, pgerr.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", shown)
		}
		if call.Distinct {
			b.fail(n.Location, pgerr.FeatureNotSupported, "DISTINCT is not implemented for window functions")
		}
		if len(call.OrderBy) > 0 {
			b.fail(n.Location, pgerr.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions")
		}
		s.checkNestedWindow(call.Args, n.Location)
		item := WindowItem{Agg: call}
		s.over(n.Over, &item)
		return b.mark(s.addWindow(item, shown, call.Typ), n.Location)
	}
	owner = s.aggregateOwner(call, owner)
	place := owner
	if owner == s.level() {
		place = s
	}
	place.checkAggregate(b, place == s, n.Location)
	return b.mark(owner.addAggregate(call, shown), n.Location)
}

// hypothetical gives the direct arguments of a hypothetical-set aggregate the
// types of the sorted ones.
func (s *scope) hypothetical(n *pg.FuncCall, a *arguments, shown string) {
	b := s.b
	direct := len(n.Args)
	if direct != len(n.AggOrder) {
		panic(pgerr.New(pgerr.UndefinedFunction, "function %s does not exist", a.signature(shown)).
			WithHint("To use the hypothetical-set aggregate %s, the number of hypothetical direct arguments (here %d) must match the number of ordering columns (here %d).",
				shown, direct, len(n.AggOrder)).At(b.at(n.Location)))
	}
	for i := range direct {
		pair := []expr.Expr{a.list[direct+i], a.list[i]}
		b.unify(pair, []int32{exprLocation(n.AggOrder[i].GetSortBy().Node), exprLocation(n.Args[i])}, "WITHIN GROUP")
		a.list[direct+i], a.list[i] = pair[0], pair[1]
	}
}

// aggregateOrder binds ORDER BY inside the call, or takes that of WITHIN GROUP
// from the bound arguments.
func (s *scope) aggregateOrder(n *pg.FuncCall, call *expr.AggCall, a *arguments, args []expr.Expr) {
	for i, o := range n.AggOrder {
		by := o.GetSortBy()
		var e expr.Expr
		if n.AggWithinGroup {
			e = args[len(args)-len(n.AggOrder)+i]
		} else {
			e = s.textIfUnknown(s.expr(by.Node), by.Node)
		}
		spec := s.sortSpec(by, e.Type())
		call.OrderBy = append(call.OrderBy, expr.SortKey{Expr: e, Desc: spec.desc, NullsFirst: spec.nullsFirst})
	}
}

func (b *binder) chooseAggregate(overloads []*expr.Aggregate, a arguments, n *pg.FuncCall, shown string) *expr.Aggregate {
	var cands []candidate
	for _, o := range overloads {
		c := candidate{agg: o, args: o.Args}
		switch {
		case o.Variadic && len(a.list) >= len(o.Args):
			fixed := len(o.Args) - 1
			c.args = append(slices.Clone(o.Args[:fixed]), slices.Repeat([]oid{o.Args[fixed]}, len(a.list)-fixed)...)
			c.variadic = 1
		case len(o.Args) != len(a.list):
			continue
		}
		cands = append(cands, c)
	}
	best, fit := chooseCandidate(cands, a.types())
	if best == nil {
		b.noMatch(fit, a, shown, n)
	}
	return best.agg
}

// aggregateOwner finds the level an aggregate belongs to: the innermost one
// whose columns stand in it.
func (s *scope) aggregateOwner(call *expr.AggCall, own *scope) *scope {
	var owner *scope
	note := func(c *expr.Col) {
		if at := s.b.cols[c.ID].scope; at != nil && (owner == nil || at.depth > owner.depth) {
			owner = at
		}
	}
	for _, e := range call.Args {
		eachCol(e, note)
	}
	for _, k := range call.OrderBy {
		eachCol(k.Expr, note)
	}
	if call.Filter != nil {
		eachCol(call.Filter, note)
	}
	if owner == nil {
		return own
	}
	return owner
}

// aggKey is the canonical text of an aggregate call.
func aggKey(call *expr.AggCall) string {
	var k strings.Builder
	k.WriteString(strconv.Itoa(int(call.Agg.OID)) + call.Agg.Name)
	if call.Distinct {
		k.WriteString(" distinct")
	}
	for _, a := range call.Args {
		k.WriteString(" " + key(a))
	}
	if call.Filter != nil {
		k.WriteString(" filter " + key(call.Filter))
	}
	for _, o := range call.OrderBy {
		k.WriteString(" order " + key(o.Expr) + strconv.FormatBool(o.Desc) + strconv.FormatBool(o.NullsFirst))
	}
	return k.String()
}
