// Package bind turns a parsed statement into a bound plan: relational algebra
// over typed expressions, in which every name, overload, cast and parameter
// type has been resolved as PostgreSQL resolves it.
//
// Inside the package an error travels as a panic of *pgerr.Error, as in the
// parsers of the standard library; Bind recovers it. A bound plan holds no
// state and refers to nothing of the binder.
package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A Catalog answers what names mean. With an empty schema it searches path.
type Catalog interface {
	// Relation finds a table or a view. The Table of a view is nil; its
	// Relation has a Definition. Both are nil where there is none.
	Relation(schema, name string, path []string) (catalog.Table, *catalog.Relation)
	// Internal finds a table that only the system's own queries may read, or nil.
	Internal(name string) catalog.Table
	// TableFunction finds a function in FROM whose rows come from below, or nil.
	TableFunction(schema, name string, path []string) catalog.TableFunction
	// Type finds a type that package pgtypes does not know, such as a row type.
	Type(schema, name string, path []string) (pgtypes.OID, bool)
	// HasSchema reports whether there is a schema of that name.
	HasSchema(name string) bool
}

// An Environment is what binding depends on beside the statement.
type Environment struct {
	Catalog  Catalog
	Database string   // the name that may stand before a schema's; "" takes any
	Path     []string // the schemas that unqualified names are looked up in
	System   bool     // the statement is the system's own
	// ParamTypes are the declared types of $1, $2, …; 0 or Unknown ones, and
	// missing ones, are inferred.
	ParamTypes []pgtypes.OID
	// Style reads literals of dates and intervals; nil is the default style.
	Style *pgtypes.TextStyle
}

// A Query is a bound statement.
type Query struct {
	Root    Node
	Columns []Column      // the result, without working columns
	Params  []pgtypes.OID // of $1, $2, …
	// Modifies: it changes rows. With no Columns it has no RETURNING.
	Modifies bool
}

// Bind binds a SELECT, VALUES or TABLE statement.
func Bind(stmt *syntax.Statement, env Environment) (q *Query, err error) {
	node, ok := stmt.Node.Node.(*pg.Node_SelectStmt)
	if !ok {
		return nil, stmt.Unsupported()
	}
	return BindSelect(stmt, node.SelectStmt, env)
}

// BindSelect binds a query that stands inside stmt, such as that of DECLARE,
// EXPLAIN or COPY.
func BindSelect(stmt *syntax.Statement, sel *pg.SelectStmt, env Environment) (q *Query, err error) {
	defer func() {
		if err = caught(recover()); err != nil {
			q = nil
		}
	}()
	b := newBinder(stmt, env)
	if sel.IntoClause != nil {
		panic(pgerr.New(pgerr.FeatureNotSupported, "SELECT INTO is not supported"))
	}
	rel := b.selectStmt(sel, nil, nil)
	b.finishTypes(&rel)
	root := optimise(b, b.withModifying(rel.node))
	return &Query{Root: root, Columns: root.Columns(), Params: b.params.resolved(), Modifies: len(b.modifying) > 0}, nil
}

// Arguments binds the arguments of an EXECUTE: expressions without columns,
// coerced to the types of the parameters of the prepared statement name.
func Arguments(stmt *syntax.Statement, name string, nodes []*pg.Node, types []pgtypes.OID, env Environment) (args []expr.Expr, err error) {
	defer func() {
		if err = caught(recover()); err != nil {
			args = nil
		}
	}()
	if len(nodes) != len(types) {
		panic(pgerr.New(pgerr.SyntaxError, "wrong number of parameters for prepared statement \"%s\"", name).
			WithDetail("Expected %d parameters but got %d.", len(types), len(nodes)))
	}
	b := newBinder(stmt, env)
	s := b.newScope(nil, nil)
	s.clause = inExecute
	for i, n := range nodes {
		e := s.expr(n)
		out := b.coerce(e, typeOf(types[i]), assignment, exprLocation(n))
		if out == nil {
			panic(pgerr.New(pgerr.DatatypeMismatch, "parameter $%d of type %s cannot be coerced to the expected type %s",
				i+1, typeName(e.Type()), typeName(typeOf(types[i]))).
				WithHint("You will need to rewrite or cast the expression.").At(b.at(exprLocation(n))))
		}
		if hasSubquery(out) {
			b.fail(exprLocation(n), pgerr.FeatureNotSupported, "cannot use subquery in EXECUTE parameter")
		}
		args = append(args, out)
	}
	return args, nil
}

// caught turns what recover gave into the error that it carries; a panic that
// carries none goes on.
func caught(r any) error {
	switch r := r.(type) {
	case nil:
		return nil
	case *pgerr.Error:
		return r
	}
	panic(r)
}

// A binder holds the state of one statement's binding, shared by the views in it.
type binder struct {
	*shared
	stmt   *syntax.Statement
	path   []string
	view   int   // how deep in views: their text gives no positions
	system bool  // the text is the system's own, which may read internal tables
	within *call // the SQL function whose query this is, nil elsewhere
}

type shared struct {
	env        Environment
	nextID     expr.ColID
	subqueries int
	cols       map[expr.ColID]colOrigin
	locs       map[expr.Expr]int // positions, for errors found later
	params     *params
	modifying  []*CTE // WITH queries that change rows, in order
}

// A colOrigin is what is known of a column id.
type colOrigin struct {
	Column
	scope  *scope     // the query level whose FROM it belongs to, nil if computed
	fields []rowField // of a composite value whose columns are known
	keyOf  expr.ColID // of a grouping key: the column that it is
}

func newBinder(stmt *syntax.Statement, env Environment) *binder {
	return &binder{
		shared: &shared{
			env:    env,
			cols:   make(map[expr.ColID]colOrigin),
			locs:   make(map[expr.Expr]int),
			params: newParams(env.ParamTypes),
		},
		stmt:   stmt,
		path:   env.Path,
		system: env.System,
	}
}

// at gives the client's position for a location in the text.
func (b *binder) at(location int32) int {
	if b.view > 0 {
		return 0
	}
	return b.stmt.Position(location)
}

// fail ends the binding with an error at a location.
func (b *binder) fail(location int32, code pgerr.Code, format string, args ...any) {
	panic(pgerr.New(code, format, args...).At(b.at(location)))
}

// mark remembers where an expression stands in the text.
func (b *binder) mark(e expr.Expr, location int32) expr.Expr {
	if p := b.at(location); p > 0 {
		if _, ok := b.locs[e]; !ok {
			b.locs[e] = p
		}
	}
	return e
}

// newCol makes a column id.
func (b *binder) newCol(name string, typ pgtypes.Type, table string) Column {
	b.nextID++
	c := Column{ID: b.nextID, Name: name, Type: typ, Table: table}
	b.cols[c.ID] = colOrigin{Column: c}
	return c
}

// ref makes a reference to a column.
func ref(c Column) *expr.Col {
	name := c.Name
	if c.Table != "" {
		name = c.Table + "." + c.Name
	}
	return &expr.Col{ID: c.ID, Slot: -1, Typ: c.Type, Name: name}
}
