package bind

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// rangeFunction binds a function in FROM, or the several of ROWS FROM. Their
// arguments may use what stands to their left, with LATERAL written or not.
func (s *scope) rangeFunction(n *pg.RangeFunction, left []*source) (Node, []*source, bool) {
	items := functionItems(n)
	if len(n.Coldeflist) > 0 {
		if n.Ordinality {
			s.b.fail(n.Coldeflist[0].GetColumnDef().Location, pgerr.SyntaxError, "WITH ORDINALITY cannot be used with a column definition list")
		}
		items[0].defs = n.Coldeflist
	}
	around := s.around(left, true)
	src := &source{alias: figureName(items[0].call), byName: true, plain: true}
	if n.Alias != nil {
		src.alias = n.Alias.Aliasname
	}
	var node Node
	if len(items) == 1 {
		node = s.functionSource(items[0], around, src, n.Ordinality)
	} else {
		node = s.rowsFrom(items, around, src, n.Ordinality)
	}
	s.b.renameColumns(src, n.Alias, -1)
	return node, []*source{src}, refersTo(node, left)
}

// A functionItem is a call in FROM with its column definition list.
type functionItem struct {
	call *pg.Node
	defs []*pg.Node // nil: none
}

// functionItems gives the calls of ROWS FROM: unnest of several arrays is
// several calls.
func functionItems(n *pg.RangeFunction) []functionItem {
	var items []functionItem
	for _, f := range n.Functions {
		list := f.GetList().Items
		item := functionItem{call: list[0]}
		if len(list) > 1 {
			item.defs = list[1].GetList().GetItems()
		}
		fc := list[0].GetFuncCall()
		if fc == nil || len(fc.Args) < 2 {
			items = append(items, item)
			continue
		}
		if schema, name := splitName(fc.Funcname); name != "unnest" || schema != "" && schema != "pg_catalog" {
			items = append(items, item)
			continue
		}
		for _, arg := range fc.Args {
			one := &pg.FuncCall{Funcname: []*pg.Node{pg.MakeStrNode("pg_catalog"), pg.MakeStrNode("unnest")}, Args: []*pg.Node{arg}, Funcformat: fc.Funcformat, Location: fc.Location}
			items = append(items, functionItem{call: &pg.Node{Node: &pg.Node_FuncCall{FuncCall: one}}})
		}
	}
	return items
}

// rowsFrom puts the rows of functions side by side, by their numbers; a
// function with fewer gives NULL.
func (s *scope) rowsFrom(items []functionItem, around *scope, src *source, ordinality bool) Node {
	b := s.b
	var node Node
	var number expr.Expr
	var list []Item
	for i, item := range items {
		part := &source{alias: figureName(item.call)}
		rows := s.functionSource(item, around, part, true)
		last := len(part.cols) - 1
		for _, c := range part.cols[:last] {
			col := b.newCol(c.name, c.value.Type(), src.alias)
			b.cols[col.ID] = colOrigin{Column: col, scope: s.level(), fields: b.rowFields(c.value)}
			list = append(list, Item{Expr: c.value, Col: col})
			src.cols = append(src.cols, sourceCol{name: c.name, value: ref(col)})
		}
		n := part.cols[last].value
		if i == 0 {
			node, number = rows, n
			continue
		}
		on := b.operator("", "=", number, n, -1)
		node = &Join{Kind: FullJoin, Left: node, Right: rows, On: on}
		number = &expr.Coalesce{Args: []expr.Expr{number, n}, Typ: n.Type()}
	}
	col := b.newCol("ordinality", number.Type(), src.alias)
	b.cols[col.ID] = colOrigin{Column: col, scope: s.level()}
	list = append(list, Item{Expr: number, Col: col})
	if ordinality {
		src.cols = append(src.cols, sourceCol{name: col.Name, value: ref(col)})
	}
	return &Sort{Input: &Project{Input: node, Items: list}, Keys: []expr.SortKey{{Expr: ref(col)}}}
}

// functionSource binds one call, whose columns it gives to src; with
// ordinality, a last one counts the rows.
func (s *scope) functionSource(item functionItem, around *scope, src *source, ordinality bool) Node {
	b := s.b
	scan := &FuncScan{Alias: src.alias, Ordinality: ordinality}
	if fc := item.call.GetFuncCall(); fc != nil {
		schema, name := splitName(fc.Funcname)
		if tf := b.env.Catalog.TableFunction(schema, name, b.path); tf != nil {
			if item.defs != nil {
				b.redundantList(item)
			}
			args := around.tableArgs(tf, fc, name)
			switch tf := tf.(type) {
			case *catalog.SQLFunction:
				node := around.callQuery(tf, args, src)
				if ordinality {
					node = s.numbered(node, src)
				}
				return node
			case catalog.ChosenTable:
				node := s.chosen(tf, args, src, item.call)
				if ordinality {
					node = s.numbered(node, src)
				}
				return node
			case catalog.RowFunction:
				scan.Table, scan.Args = tf, args
				for _, c := range tf.Relation().Columns {
					s.functionColumn(scan, src, c.Name, c.Type)
				}
			}
		}
	}
	if scan.Table == nil {
		e := b.withColumns(around.expr(item.call), item)
		if call, ok := e.(*expr.Call); ok && call.Fn.Set {
			scan.Func = call
			s.callColumns(scan, src, call, item.defs != nil)
		} else {
			src.scalar = b.rowFields(e) == nil
			s.functionColumn(scan, src, src.alias, e.Type())
			one := &Project{Input: &Values{Rows: [][]expr.Expr{{}}}, Items: []Item{{Expr: b.known(e), Col: scan.Cols[0]}}}
			if ordinality {
				s.functionColumn(scan, src, "ordinality", typeOf(pgtypes.Int8))
				one.Items = append(one.Items, Item{Expr: &expr.Const{Typ: typeOf(pgtypes.Int8), Val: int64(1)}, Col: scan.Cols[1]})
				src.scalar = false
			}
			return one
		}
	}
	if ordinality {
		s.functionColumn(scan, src, "ordinality", typeOf(pgtypes.Int8))
		src.scalar = false
	}
	return scan
}

// redundantList refuses a column definition list for a function that has
// columns.
func (b *binder) redundantList(item functionItem) {
	b.fail(item.defs[0].GetColumnDef().Location, pgerr.SyntaxError, "a column definition list is redundant for a function with OUT parameters")
}

// withColumns gives a function that returns records of any kind the columns of
// its column definition list.
func (b *binder) withColumns(e expr.Expr, item functionItem) expr.Expr {
	call, ok := e.(*expr.Call)
	if !ok || call.Fn.Result != pgtypes.RecordOID || call.Fn.Rows == nil {
		if item.defs != nil {
			b.fail(item.defs[0].GetColumnDef().Location, pgerr.SyntaxError, "a column definition list is only allowed for functions returning \"record\"")
		}
		return e
	}
	own := call.Fn.Columns
	switch {
	case len(own) > 1 || len(own) == 1 && own[0].Type != pgtypes.RecordOID:
		if item.defs != nil {
			b.redundantList(item)
		}
		return e
	case item.defs == nil:
		b.fail(exprLocation(item.call), pgerr.SyntaxError, "a column definition list is required for functions returning \"record\"")
	}
	fn := *call.Fn
	fn.Strict = fn.Strict && fn.Set // a NULL record is a row of NULLs
	fn.Set, fn.Columns = true, nil
	seen := make(map[string]bool)
	for _, n := range item.defs {
		def := n.GetColumnDef()
		if seen[def.Colname] {
			panic(pgerr.New(pgerr.DuplicateColumn, "column name \"%s\" specified more than once", def.Colname))
		}
		seen[def.Colname] = true
		typ := b.typeOfName(def.TypeName)
		fn.Columns = append(fn.Columns, expr.SetColumn{Name: def.Colname, Type: typ.OID, Mod: max(typ.Mod, 0)})
	}
	out := *call
	out.Fn = &fn
	return b.mark(&out, exprLocation(item.call))
}

// numbered adds WITH ORDINALITY to the query of a SQL function.
func (s *scope) numbered(n Node, src *source) Node {
	col := s.b.newCol("ordinality", typeOf(pgtypes.Int8), src.alias)
	s.b.cols[col.ID] = colOrigin{Column: col, scope: s.level()}
	src.cols = append(src.cols, sourceCol{name: col.Name, value: ref(col)})
	return &Window{Input: n, Calls: []WindowItem{{Func: "row_number", Col: col}}}
}

func (s *scope) functionColumn(scan *FuncScan, src *source, name string, typ pgtypes.Type) {
	col := s.b.newCol(name, typ, src.alias)
	s.b.cols[col.ID] = colOrigin{Column: col, scope: s.level()}
	scan.Cols = append(scan.Cols, col)
	src.cols = append(src.cols, sourceCol{name: name, value: ref(col)})
}

// callColumns names the columns of a set-returning function: its own, or for
// one without a name that of the alias.
func (s *scope) callColumns(scan *FuncScan, src *source, call *expr.Call, listed bool) {
	if len(call.Fn.Columns) > 1 || listed {
		for _, c := range call.Fn.Columns {
			typ := typeOf(callColumnType(call, c.Type))
			if c.Mod > 0 {
				typ.Mod = c.Mod
			}
			s.functionColumn(scan, src, c.Name, typ)
		}
		return
	}
	name := src.alias
	if len(call.Fn.Columns) == 1 && call.Fn.Columns[0].Name != "" && call.Fn.Columns[0].Name != call.Fn.Name {
		name = call.Fn.Columns[0].Name
	}
	src.scalar = true
	s.functionColumn(scan, src, name, call.Typ)
}

// tableArgs binds the arguments of a table function, positional then named,
// and fills in the defaults.
func (s *scope) tableArgs(tf catalog.TableFunction, n *pg.FuncCall, name string) []expr.Expr {
	b := s.b
	a := s.arguments(n.Args)
	params := tf.Args()
	fail := func() {
		panic(pgerr.New(pgerr.UndefinedFunction, "function %s does not exist", a.signature(name)).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts.").
			At(b.at(n.Location)))
	}
	if len(a.list) > len(params) {
		fail()
	}
	out := make([]expr.Expr, len(params))
	first := len(a.list) - len(a.names)
	for i, e := range a.list {
		place := i
		if i >= first {
			place = slices.IndexFunc(params, func(p catalog.Arg) bool { return p.Name == a.names[i-first] })
		}
		if place < 0 || out[place] != nil || !canCoerce(e.Type().OID, params[place].Type.OID, implicit) {
			fail()
		}
		out[place] = b.mustCoerce(e, typeOf(params[place].Type.OID), implicit, exprLocation(n.Args[i]))
	}
	for i, p := range params {
		if out[i] != nil {
			continue
		}
		if p.Default == "" {
			fail()
		}
		out[i] = b.defaultValue(p)
	}
	return out
}

// defaultValue binds the default of an argument, which is SQL text.
func (b *binder) defaultValue(p catalog.Arg) expr.Expr {
	stmt, err := syntax.ParseOne("SELECT " + p.Default)
	if err != nil {
		panic(pgerr.New(pgerr.Internal, "argument \"%s\" has a bad default", p.Name).Wrap(err))
	}
	inner := &binder{shared: b.shared, stmt: stmt, path: []string{"pg_catalog"}, view: b.view + 1}
	target := stmt.Node.GetSelectStmt().TargetList[0].GetResTarget()
	e := inner.newScope(nil, nil).expr(target.Val)
	return inner.mustCoerce(e, p.Type, assignment, -1)
}
