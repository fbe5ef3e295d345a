package bind

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// maxArgs is PostgreSQL's FUNC_MAX_ARGS.
const maxArgs = 100

// arguments are the bound arguments of a call.
type arguments struct {
	list  []expr.Expr
	names []string // of the trailing named ones
}

func (a arguments) types() []oid { return argTypes(a.list) }

// signature prints f(integer, b => text).
func (a arguments) signature(name string) string {
	parts := make([]string, len(a.list))
	first := len(a.list) - len(a.names)
	for i, e := range a.list {
		if i >= first {
			parts[i] = a.names[i-first] + " => "
		}
		parts[i] += typeName(e.Type())
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}

func (s *scope) arguments(nodes []*pg.Node) arguments {
	var a arguments
	if len(nodes) > maxArgs {
		panic(pgerr.New(pgerr.TooManyArguments, "cannot pass more than %d arguments to a function", maxArgs))
	}
	for _, n := range nodes {
		if named := n.GetNamedArgExpr(); named != nil {
			if slices.Contains(a.names, named.Name) {
				s.b.fail(named.Location, pgerr.SyntaxError, "argument name \"%s\" used more than once", named.Name)
			}
			a.list, a.names = append(a.list, s.expr(named.Arg)), append(a.names, named.Name)
			continue
		}
		if len(a.names) > 0 {
			s.b.fail(exprLocation(n), pgerr.SyntaxError, "positional argument cannot follow named argument")
		}
		if c := n.GetColumnRef(); c != nil && len(c.Fields) == 2 && c.Fields[1].GetAStar() != nil { // f(t.*) is f(t)
			if src, _ := s.sourceNamed("", stringsOf(c.Fields)[0], c.Location); src != nil {
				a.list = append(a.list, s.wholeRow(src, c.Location))
				continue
			}
		}
		a.list = append(a.list, s.expr(n))
	}
	return a
}

// funcCall binds a function, an aggregate or a window function.
func (s *scope) funcCall(n *pg.FuncCall) expr.Expr {
	b := s.b
	schema, name := splitName(n.Funcname)
	shown := name
	if schema != "" {
		shown = schema + "." + name
		if !b.env.Catalog.HasSchema(schema) {
			b.fail(n.Location, pgerr.InvalidSchemaName, "schema \"%s\" does not exist", schema)
		}
	}
	builtin := schema == "" || schema == "pg_catalog" || schema == "information_schema"
	var aggs []*expr.Aggregate
	var ranks []*expr.Func
	if builtin {
		aggs = expr.Aggregates(name)
		ranks = expr.Windows(name)
	}
	switch {
	case len(ranks) > 0 && !n.AggWithinGroup && (n.Over != nil || len(n.Args) == 0 || len(aggs) == 0):
		return s.rankCall(n, shown, ranks)
	case len(aggs) > 0:
		return s.aggregateCall(n, shown, aggs)
	}
	a := s.arguments(n.Args)
	var fns []*expr.Func
	if builtin {
		fns = expr.Functions(name)
	}
	fn, order := b.chooseFunction(fns, a, n.FuncVariadic)
	if fn == nil {
		if e := b.castCall(schema, name, a, n); e != nil {
			return e
		}
		if len(a.list) == 1 && len(a.names) == 0 && schema == "" {
			if f := s.fieldOf(a.list[0], name); f != nil { // f(row) is row.f
				return f
			}
		}
		b.noFunction(fns, a, shown, n)
	}
	notAggregate := func(bad bool, what string) {
		if bad {
			b.fail(n.Location, pgerr.WrongObjectType, "%s specified, but %s is not an aggregate function", what, shown)
		}
	}
	notAggregate(n.AggStar, "(*)")
	notAggregate(n.AggDistinct, "DISTINCT")
	notAggregate(n.AggWithinGroup, "WITHIN GROUP")
	notAggregate(len(n.AggOrder) > 0, "ORDER BY")
	notAggregate(n.AggFilter != nil, "FILTER")
	if n.Over != nil {
		b.fail(n.Location, pgerr.WrongObjectType, "OVER specified, but %s is not a window function nor an aggregate function", shown)
	}
	if fn.Set {
		s.checkSet(n.Location)
	}
	return b.finishCall(fn, order, a, n.FuncVariadic, n.Location)
}

// chooseFunction picks an overload; nil when none or several fit. The second
// result lays the arguments out: the parameter of each.
func (b *binder) chooseFunction(fns []*expr.Func, a arguments, spread bool) (*expr.Func, []int) {
	cands := functionCandidates(fns, a, spread)
	best, _ := chooseCandidate(cands, a.types())
	if best == nil {
		return nil, nil
	}
	return best.fn, best.order
}

// functionCandidates lays out the overloads that can take that many arguments.
func functionCandidates(fns []*expr.Func, a arguments, spread bool) []candidate {
	var cands []candidate
	for _, f := range fns {
		c := candidate{fn: f}
		n, params := len(a.list), f.Args
		if f.Variadic {
			fixed := len(params) - 1
			switch {
			case spread:
				if n != len(params) {
					continue
				}
				c.args = slices.Clone(params)
				if last := params[fixed]; last != pgtypes.AnyOID {
					c.args[fixed] = variadicArray(last)
				}
				cands = append(cands, c)
				continue
			case len(a.names) > 0:
				continue
			case n >= len(params):
				c.args = append(slices.Clone(params[:fixed]), slices.Repeat([]oid{params[fixed]}, n-fixed)...)
				c.variadic = n - fixed
				cands = append(cands, c)
				continue
			}
			continue
		}
		if spread || n > len(params) || n < len(params)-f.Defaults {
			continue
		}
		c.defaults = len(params) - n
		if len(a.names) == 0 {
			c.args = params[:n]
			cands = append(cands, c)
			continue
		}
		if order, ok := nameOrder(f, a); ok {
			c.order = order
			for _, place := range order {
				c.args = append(c.args, params[place])
			}
			cands = append(cands, c)
		}
	}
	return cands
}

// nameOrder maps named arguments to parameters; every parameter left out must
// have a default.
func nameOrder(f *expr.Func, a arguments) ([]int, bool) {
	first := len(a.list) - len(a.names)
	order := make([]int, 0, len(a.list))
	for i := range first {
		order = append(order, i)
	}
	for _, name := range a.names {
		place := slices.Index(f.ArgNames, name)
		if place < 0 || slices.Contains(order, place) {
			return nil, false
		}
		order = append(order, place)
	}
	for place := range len(f.Args) - f.Defaults {
		if !slices.Contains(order, place) {
			return nil, false
		}
	}
	return order, true
}

func variadicArray(elem oid) oid {
	switch elem {
	case pgtypes.Anyelement:
		return pgtypes.Anyarray
	case anyCompatible:
		return anyCompatibleArray
	}
	return arrayType(elem)
}

// finishCall coerces the arguments and makes the call.
func (b *binder) finishCall(fn *expr.Func, order []int, a arguments, spread bool, location int32) expr.Expr {
	args := a.list
	params := fn.Args
	if order != nil {
		last := slices.Max(order)
		args = make([]expr.Expr, last+1)
		for i, place := range order {
			args[place] = a.list[i]
		}
		for place := range args {
			if args[place] == nil {
				args[place] = zeroOf(params[place])
			}
		}
	}
	c := functionCandidates([]*expr.Func{fn}, arguments{list: args}, spread)
	out, result := b.fitArgs(c[0].args, fn.Result, args, location)
	call := &expr.Call{Fn: fn, Args: out, Typ: typeOf(result), Spread: spread}
	if fn.Set {
		switch len(fn.Columns) {
		case 0:
		case 1:
			call.Typ = typeOf(callColumnType(call, fn.Columns[0].Type))
		default:
			call.Typ = typeOf(pgtypes.RecordOID)
		}
	}
	return b.mark(call, location)
}

// zeroOf stands for a parameter with a default that named arguments left out:
// the defaults of PostgreSQL's functions are zero values.
func zeroOf(t oid) expr.Expr {
	c := &expr.Const{Typ: typeOf(t)}
	switch t {
	case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8:
		c.Val = int64(0)
	case pgtypes.Float8, pgtypes.Float4:
		c.Val = float64(0)
	case pgtypes.Bool:
		c.Val = false
	case pgtypes.Text:
		c.Val = ""
	case pgtypes.Jsonb:
		c.Val = "{}"
	}
	return c
}

// callColumnType resolves the polymorphic type of a result column.
func callColumnType(call *expr.Call, t oid) oid {
	if !isPolymorphic(t) {
		return t
	}
	types := argTypes(call.Args)
	params := call.Fn.Args
	n := min(len(types), len(params))
	solution, _ := solvePolymorphic(types[:n], params[:n])
	return solution.resolve(t)
}

// call binds a call of a built-in function by name.
func (b *binder) call(name string, args []expr.Expr, location int32) expr.Expr {
	a := arguments{list: args}
	fn, order := b.chooseFunction(expr.Functions(name), a, false)
	if fn == nil {
		b.fail(location, pgerr.UndefinedFunction, "function %s does not exist", a.signature(name))
	}
	return b.finishCall(fn, order, a, false, location)
}

// castCall reads type(x) as a cast, where no function of that name fits.
func (b *binder) castCall(schema, name string, a arguments, n *pg.FuncCall) expr.Expr {
	if len(a.list) != 1 || len(a.names) > 0 || n.AggStar || n.AggDistinct || n.Over != nil {
		return nil
	}
	typ, ok := b.lookupType(schema, name)
	if !ok {
		return nil
	}
	from := a.list[0].Type().OID
	if from == pgtypes.RecordOID || typeCategory(typ) == 'P' {
		return nil
	}
	e := b.coerce(a.list[0], typeOf(typ), explicit, exprLocation(n.Args[0]))
	if e == nil {
		return nil
	}
	return b.mark(e, n.Location)
}

// noFunction reports that no overload fits.
func (b *binder) noFunction(fns []*expr.Func, a arguments, shown string, n *pg.FuncCall) {
	_, fit := chooseCandidate(functionCandidates(fns, a, n.FuncVariadic), a.types())
	b.noMatch(fit, a, shown, n)
}

func (b *binder) noMatch(fit int, a arguments, shown string, n *pg.FuncCall) {
	sig := a.signature(shown)
	if fit > 1 {
		panic(pgerr.New(pgerr.AmbiguousFunction, "function %s is not unique", sig).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.").At(b.at(n.Location)))
	}
	hint := "No function matches the given name and argument types. You might need to add explicit type casts."
	if len(n.AggOrder) > 0 && !n.AggWithinGroup {
		hint = "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate."
	}
	panic(pgerr.New(pgerr.UndefinedFunction, "function %s does not exist", sig).WithHint("%s", hint).At(b.at(n.Location)))
}
