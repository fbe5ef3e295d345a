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

// rangeFunction binds a function in FROM. Its arguments may use what stands to
// its left, with LATERAL written or not.
func (s *scope) rangeFunction(n *pg.RangeFunction, left []*source) (Node, []*source, bool) {
	b := s.b
	if len(n.Functions) != 1 {
		panic(pgerr.New(pgerr.FeatureNotSupported, "ROWS FROM with several functions is not supported"))
	}
	if len(n.Coldeflist) > 0 {
		panic(pgerr.New(pgerr.FeatureNotSupported, "a column definition list is not supported for functions in FROM"))
	}
	item := n.Functions[0].GetList().Items[0]
	around := s.around(left, true)
	fc := item.GetFuncCall()
	name := figureName(item)
	src := &source{alias: name, byName: true, plain: true}
	if n.Alias != nil {
		src.alias = n.Alias.Aliasname
	}
	scan := &FuncScan{Alias: src.alias, Ordinality: n.Ordinality}
	var node Node = scan
	if fc != nil {
		schema, fname := splitName(fc.Funcname)
		if tf := b.env.Catalog.TableFunction(schema, fname, b.path); tf != nil {
			args := around.tableArgs(tf, fc, fname)
			switch tf := tf.(type) {
			case *catalog.SQLFunction:
				node = around.callQuery(tf, args, src)
				if n.Ordinality {
					node = s.numbered(node, src)
				}
				b.renameColumns(src, n.Alias, -1)
				return node, []*source{src}, refersTo(node, left)
			case catalog.RowFunction:
				scan.Table, scan.Args = tf, args
				for _, c := range tf.Relation().Columns {
					s.functionColumn(scan, src, c.Name, c.Type)
				}
			}
		}
	}
	if scan.Table == nil {
		e := around.expr(item)
		call, ok := e.(*expr.Call)
		switch {
		case ok && call.Fn.Set:
			scan.Func = call
			s.callColumns(scan, src, call, n.Alias)
		default:
			src.scalar = b.rowFields(e) == nil
			col := b.newCol(src.alias, e.Type(), src.alias)
			b.cols[col.ID] = colOrigin{Column: col, scope: s.level()}
			scan.Cols = []Column{col}
			src.cols = []sourceCol{{name: col.Name, value: ref(col)}}
			node = &Project{Input: &Values{Rows: [][]expr.Expr{{}}}, Items: []Item{{Expr: b.known(e), Col: col}}}
			if n.Ordinality {
				panic(pgerr.New(pgerr.FeatureNotSupported, "WITH ORDINALITY of a function that gives one value is not supported"))
			}
		}
	}
	if n.Ordinality {
		s.functionColumn(scan, src, "ordinality", typeOf(pgtypes.Int8))
		src.scalar = false
	}
	b.renameColumns(src, n.Alias, -1)
	return node, []*source{src}, refersTo(node, left)
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
func (s *scope) callColumns(scan *FuncScan, src *source, call *expr.Call, alias *pg.Alias) {
	if len(call.Fn.Columns) > 1 {
		for _, c := range call.Fn.Columns {
			s.functionColumn(scan, src, c.Name, typeOf(callColumnType(call, c.Type)))
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
