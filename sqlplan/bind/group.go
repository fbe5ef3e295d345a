package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// grouping is what a query level has of GROUP BY and aggregates.
type grouping struct {
	aggs  []AggItem
	byKey map[string]int // aggs by their canonical text

	direct bool // the expression in hand is a direct argument of an ordered-set aggregate
	keys   []groupKey
	sets   [][]int // places in keys; nil: one set of all keys
	any    bool    // GROUP BY stands there, even an empty one
	bits   *Column // which keys a row was not grouped by
}

type groupKey struct {
	expr   expr.Expr
	target int
	col    Column
}

// maxGroupingSets is PostgreSQL's limit.
const maxGroupingSets = 4096

// groupBy binds GROUP BY with its grouping sets.
func (s *scope) groupBy(n *pg.SelectStmt, targets *[]target) {
	g, list := &s.grouped, n.GroupClause
	if len(list) == 0 {
		return
	}
	g.any = true
	sets := [][]int{{}}
	plain := true
	for _, n := range list {
		part := s.groupingSets(n, targets)
		if gs := n.GetGroupingSet(); gs != nil {
			plain = false
		}
		var product [][]int
		for _, a := range sets {
			for _, b := range part {
				if len(product) > maxGroupingSets {
					panic(pgerr.New(pgerr.StatementTooComplex, "too many grouping sets present (maximum %d)", maxGroupingSets))
				}
				product = append(product, union(a, b))
			}
		}
		sets = product
	}
	if plain {
		return
	}
	if n.GroupDistinct {
		var kept [][]int
		for _, set := range sets {
			if !slices.ContainsFunc(kept, func(k []int) bool { return slices.Equal(k, set) }) {
				kept = append(kept, set)
			}
		}
		sets = kept
	}
	g.sets = sets
}

func union(a, b []int) []int {
	out := slices.Clone(a)
	for _, k := range b {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// groupingSets gives the sets of one entry of GROUP BY.
func (s *scope) groupingSets(n *pg.Node, targets *[]target) [][]int {
	gs := n.GetGroupingSet()
	if gs == nil {
		return [][]int{s.groupKeys(n, targets)}
	}
	switch gs.Kind {
	case pg.GroupingSetKind_GROUPING_SET_EMPTY:
		return [][]int{{}}
	case pg.GroupingSetKind_GROUPING_SET_SETS:
		var sets [][]int
		for _, c := range gs.Content {
			sets = append(sets, s.groupingSets(c, targets)...)
		}
		return sets
	case pg.GroupingSetKind_GROUPING_SET_ROLLUP:
		parts := s.setParts(gs.Content, targets)
		var sets [][]int
		for i := len(parts); i >= 0; i-- {
			set := []int{}
			for _, p := range parts[:i] {
				set = union(set, p)
			}
			sets = append(sets, set)
		}
		return sets
	case pg.GroupingSetKind_GROUPING_SET_CUBE:
		if len(gs.Content) > 12 {
			s.b.fail(gs.Location, pgerr.TooManyColumns, "CUBE is limited to 12 elements")
		}
		parts := s.setParts(gs.Content, targets)
		var sets [][]int
		for mask := 1<<len(parts) - 1; mask >= 0; mask-- {
			set := []int{}
			for i, p := range parts {
				if mask&(1<<(len(parts)-1-i)) != 0 {
					set = union(set, p)
				}
			}
			sets = append(sets, set)
		}
		return sets
	}
	s.b.fail(gs.Location, pgerr.FeatureNotSupported, "this grouping set is not supported")
	return nil
}

func (s *scope) setParts(content []*pg.Node, targets *[]target) [][]int {
	parts := make([][]int, len(content))
	for i, c := range content {
		parts[i] = s.groupKeys(c, targets)
	}
	return parts
}

// groupKeys binds one key, or the several of (a, b).
func (s *scope) groupKeys(n *pg.Node, targets *[]target) []int {
	if row := n.GetRowExpr(); row != nil && row.RowFormat == pg.CoercionForm_COERCE_IMPLICIT_CAST {
		keys := []int{}
		for _, a := range row.Args {
			keys = union(keys, s.groupKeys(a, targets))
		}
		return keys
	}
	g := &s.grouped
	t := s.findTarget(n, targets, "GROUP BY", true)
	tgt := &(*targets)[t]
	if containsSet(tgt.expr) && !tgt.hidden {
		s.b.fail(exprLocation(n), pgerr.FeatureNotSupported, "set-returning functions are not allowed in GROUP BY")
	}
	if s.holdsOwn(tgt.expr) != "" {
		what := s.holdsOwn(tgt.expr)
		code := pgerr.GroupingError
		if what == "window" {
			code = pgerr.WindowingError
		}
		s.b.fail(tgt.location, code, "%s functions are not allowed in GROUP BY", what)
	}
	if tgt.expr.Type().OID == pgtypes.Unknown {
		tgt.expr = s.b.mustCoerce(tgt.expr, pgtypes.Of(pgtypes.Text), implicit, tgt.location)
	}
	s.b.checkEquality(tgt.expr.Type(), exprLocation(n))
	for i, k := range g.keys {
		if same(k.expr, tgt.expr) {
			return []int{i}
		}
	}
	g.keys = append(g.keys, groupKey{expr: tgt.expr, target: t})
	return []int{len(g.keys) - 1}
}

// holdsOwn says whether e holds an aggregate or window function of this level.
func (s *scope) holdsOwn(e expr.Expr) string {
	what := ""
	eachCol(e, func(c *expr.Col) {
		for _, a := range s.grouped.aggs {
			if a.Col.ID == c.ID {
				what = "aggregate"
			}
		}
		for _, w := range s.windows.calls {
			if w.Col.ID == c.ID && what == "" {
				what = "window"
			}
		}
	})
	return what
}

// addAggregate gives the column of an aggregate of this level.
func (s *scope) addAggregate(call *expr.AggCall, name string) *expr.Col {
	g := &s.grouped
	key := aggKey(call)
	if i, ok := g.byKey[key]; ok {
		return ref(g.aggs[i].Col)
	}
	if g.byKey == nil {
		g.byKey = make(map[string]int)
	}
	col := s.b.newCol(name, call.Typ, "")
	g.byKey[key] = len(g.aggs)
	g.aggs = append(g.aggs, AggItem{Call: call, Col: col})
	return ref(col)
}

// aggregate puts the Aggregate over the input, when the level groups, and
// rewrites what stands above it in terms of its output.
func (s *scope) aggregate(input Node, targets []target, having *expr.Expr) Node {
	g := &s.grouped
	if !g.any && len(g.aggs) == 0 && *having == nil {
		return input
	}
	b := s.b
	s.addDependent(targets, *having)
	agg := &Aggregate{Input: input, Aggs: g.aggs, Sets: g.sets}
	for i := range g.keys {
		k := &g.keys[i]
		name, table := "key", ""
		if c, ok := k.expr.(*expr.Col); ok {
			origin := b.cols[c.ID]
			name, table = origin.Name, origin.Table
			k.col = b.newCol(name, k.expr.Type(), table)
			k.col.Relation, k.col.Attr = origin.Relation, origin.Attr
			b.cols[k.col.ID] = colOrigin{Column: k.col, fields: origin.fields, keyOf: c.ID}
		} else {
			if t := k.target; t >= 0 && !targets[t].hidden {
				name = targets[t].name
			}
			k.col = b.newCol(name, k.expr.Type(), "")
		}
		agg.Keys = append(agg.Keys, Item{Expr: k.expr, Col: k.col})
	}
	if g.sets != nil {
		if g.bits == nil {
			c := b.newCol("grouping", pgtypes.Of(pgtypes.Int8), "")
			g.bits = &c
		}
		agg.Grouping = g.bits
	}
	for _, a := range g.aggs {
		if a.Call.Agg.OrderedSet {
			g.direct = true
			for _, e := range a.Call.Args[:len(a.Call.Args)-len(a.Call.OrderBy)] {
				s.overGroups(e)
			}
			g.direct = false
		}
	}
	for i := range targets {
		targets[i].expr = s.overGroups(targets[i].expr)
	}
	for _, k := range g.keys { // a constant is NULL in the sets without it, where it is itself a key
		if _, ok := k.expr.(*expr.Const); ok && g.sets != nil && k.target >= 0 {
			targets[k.target].expr = ref(k.col)
		}
	}
	if *having != nil {
		*having = s.overGroups(*having)
	}
	for i := range s.windows.calls {
		s.windows.calls[i].mapExprs(s.overGroups)
	}
	return agg
}

// addDependent adds as keys the columns of a table whose whole primary key is
// among the keys: they are the same in each group.
func (s *scope) addDependent(targets []target, having expr.Expr) {
	g := &s.grouped
	if g.sets != nil {
		return
	}
	for _, src := range s.items {
		if src.rel == nil || len(src.rel.PrimaryKey) == 0 || len(src.cols) < len(src.rel.Columns) {
			continue
		}
		covered := true
		for _, place := range src.rel.PrimaryKey {
			if !slices.ContainsFunc(g.keys, func(k groupKey) bool { return same(k.expr, src.cols[place].value) }) {
				covered = false
			}
		}
		if !covered {
			continue
		}
		used := map[expr.ColID]bool{}
		note := func(c *expr.Col) { used[c.ID] = true }
		for _, t := range targets {
			eachCol(t.expr, note)
		}
		if having != nil {
			eachCol(having, note)
		}
		for i := range s.windows.calls {
			s.windows.calls[i].mapExprs(func(e expr.Expr) expr.Expr { eachCol(e, note); return e })
		}
		for _, c := range src.cols {
			col, ok := c.value.(*expr.Col)
			if ok && used[col.ID] && !slices.ContainsFunc(g.keys, func(k groupKey) bool { return same(k.expr, col) }) {
				g.keys = append(g.keys, groupKey{expr: col, target: -1})
			}
		}
	}
}

// overGroups rewrites an expression over the FROM clause into one over the
// groups. A column that is neither a key nor inside an aggregate is an error.
func (s *scope) overGroups(e expr.Expr) expr.Expr { return s.overGroupsIn(e, false) }

func (s *scope) overGroupsIn(e expr.Expr, inSubquery bool) expr.Expr {
	g := &s.grouped
	walk := func(e expr.Expr, sub bool) expr.Expr {
		return rewriteIn(e, sub, func(e expr.Expr, sub bool) expr.Expr {
			if _, isConst := e.(*expr.Const); isConst {
				return nil
			}
			for _, k := range g.keys {
				if same(k.expr, e) {
					return ref(k.col)
				}
			}
			if m, ok := e.(*groupingMark); ok {
				return s.groupingBits(m)
			}
			c, ok := e.(*expr.Col)
			if !ok || s.b.cols[c.ID].scope != s {
				return nil
			}
			message := "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function"
			if sub {
				message = "subquery uses ungrouped column \"%s\" from outer query"
			}
			problem := pgerr.New(pgerr.GroupingError, message, s.shownName(c))
			if g.direct {
				problem = problem.WithDetail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
			}
			panic(problem.At(s.b.locs[c]))
		})
	}
	return walk(e, inSubquery)
}

// shownName is how the FROM clause calls a column: its alias may rename it.
func (s *scope) shownName(c *expr.Col) string {
	for _, src := range s.items {
		for _, col := range src.cols {
			if v, ok := col.value.(*expr.Col); ok && v.ID == c.ID && src.alias != "" {
				return src.alias + "." + col.name
			}
		}
	}
	return c.Name
}

// groupingFunc binds GROUPING(a, b): one bit for each argument, 1 where the row
// was not grouped by it.
func (s *scope) groupingFunc(n *pg.GroupingFunc) expr.Expr {
	switch s.clause {
	case inTarget, inOrderBy, inHaving, inDistinctOn, inWindow:
	default:
		s.b.fail(n.Location, pgerr.GroupingError, "grouping operations are not allowed in %s", clauseNames[s.clause])
	}
	if len(n.Args) > 31 {
		s.b.fail(n.Location, pgerr.TooManyArguments, "GROUPING must have fewer than 32 arguments")
	}
	args := make([]expr.Expr, len(n.Args))
	for i, a := range n.Args {
		args[i] = s.b.mark(s.expr(a), exprLocation(a))
	}
	s.grouped.any = true
	return s.b.mark(&groupingMark{args: args, location: n.Location}, n.Location)
}
