package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

type (
	// A Modify changes rows of a table. Source gives one row for each change, in
	// which Old is the row as it stands (UPDATE, DELETE) and New the row to be
	// written (INSERT, UPDATE), every column of the table. A DELETE from an
	// AppendOnly table has the Number of the row, and Old only for RETURNING.
	// Output: one row for each changed row, the Returning items; without
	// RETURNING none of them.
	Modify struct {
		Op        ModifyOp
		Table     catalog.WritableTable
		Source    Node
		Old, New  []Column
		Number    *Column   // nil: the table is not AppendOnly, or nothing is deleted
		Conflict  *Conflict // nil: a key that exists is an error
		Row       []Column  // the changed row, as Returning refers to it
		Returning []Item    // nil: none. Over Row and the columns of Source
	}

	// A Conflict says what an INSERT does about a row of the same key.
	Conflict struct {
		Update   bool        // else nothing
		Existing []Column    // the row that exists, as Set and Where refer to it
		Excluded []Column    // the row that was to be inserted
		Set      []expr.Expr // the row to be written: one for each column of the table
		Where    expr.Expr   // nil: always
	}

	// A With runs the data-modifying CTEs of a statement, each once, before Input.
	With struct {
		Modifying []*CTE
		Input     Node
	}
)

// A ModifyOp is what a Modify does.
type ModifyOp uint8

// The operations.
const (
	Insert ModifyOp = iota + 1
	Update
	Delete
)

// String is the operation's name, which is also its command tag.
func (op ModifyOp) String() string { return [...]string{"", "INSERT", "UPDATE", "DELETE"}[op] }

// Columns gives those of RETURNING.
func (n *Modify) Columns() []Column { return itemColumns(n.Returning) }

// Columns gives those of the query.
func (n *With) Columns() []Column { return n.Input.Columns() }

// BindModify binds INSERT, UPDATE and DELETE.
func BindModify(stmt *syntax.Statement, node *pg.Node, env Environment) (q *Query, err error) {
	defer func() {
		if err = caught(recover()); err != nil {
			q = nil
		}
	}()
	b := newBinder(stmt, env)
	root := optimise(b, b.withModifying(b.change(node, nil, nil)))
	return &Query{Root: root, Columns: root.Columns(), Params: b.params.resolved(), Modifies: true}, nil
}

// withModifying puts the data-modifying CTEs of the statement before it.
func (b *binder) withModifying(n Node) Node {
	if len(b.modifying) == 0 {
		return n
	}
	return &With{Modifying: b.modifying, Input: n}
}

func (b *binder) change(n *pg.Node, outer *scope, ctes *cteScope) *Modify {
	switch v := n.Node.(type) {
	case *pg.Node_InsertStmt:
		return b.insert(v.InsertStmt, outer, ctes)
	case *pg.Node_UpdateStmt:
		return b.update(v.UpdateStmt, outer, ctes)
	case *pg.Node_DeleteStmt:
		return b.deleteFrom(v.DeleteStmt, outer, ctes)
	}
	panic(pgerr.New(pgerr.FeatureNotSupported, "this kind of data-modifying statement is not supported"))
}

// writable finds the table that a statement changes.
func (b *binder) writable(n *pg.RangeVar, op ModifyOp) catalog.WritableTable {
	table, rel := b.env.Catalog.Relation(n.Schemaname, n.Relname, b.path)
	if rel == nil {
		name := n.Relname
		if n.Schemaname != "" {
			name = n.Schemaname + "." + name
		}
		b.fail(n.Location, pgerr.UndefinedTable, "relation \"%s\" does not exist", name)
	}
	if rel.Kind == 'v' {
		verb, hint := "insert into", "To enable inserting into the view, provide an INSTEAD OF INSERT trigger or an unconditional ON INSERT DO INSTEAD rule."
		switch op {
		case Update:
			verb, hint = "update", "To enable updating the view, provide an INSTEAD OF UPDATE trigger or an unconditional ON UPDATE DO INSTEAD rule."
		case Delete:
			verb, hint = "delete from", "To enable deleting from the view, provide an INSTEAD OF DELETE trigger or an unconditional ON DELETE DO INSTEAD rule."
		}
		panic(pgerr.New(pgerr.ObjectNotInPrerequisiteState, "cannot %s view \"%s\"", verb, rel.Name).WithHint("%s", hint))
	}
	w, ok := table.(catalog.WritableTable)
	if !ok {
		panic(pgerr.New(pgerr.InsufficientPrivilege, "permission denied for table %s", rel.Name))
	}
	return w
}

// tableColumns makes the columns of a row of a table.
func (b *binder) tableColumns(rel *catalog.Relation, alias string) []Column {
	cols := make([]Column, len(rel.Columns))
	for i, c := range rel.Columns {
		cols[i] = b.newCol(c.Name, c.Type, alias)
		cols[i].Relation, cols[i].Attr = rel.OID, int16(i+1)
		b.cols[cols[i].ID] = colOrigin{Column: cols[i]}
	}
	return cols
}

// rowSource makes columns visible under a name.
func rowSource(alias string, rel *catalog.Relation, cols []Column, plain bool) *source {
	src := &source{alias: alias, rel: rel, byName: true, plain: plain}
	if plain && alias == rel.Name {
		src.schema = rel.Schema
	}
	for _, c := range cols {
		src.cols = append(src.cols, sourceCol{name: c.Name, value: ref(c)})
	}
	return src
}

// returning binds the RETURNING list over the changed row and further sources.
func (b *binder) returning(list []*pg.Node, m *Modify, alias string, others []*source, outer *scope, ctes *cteScope) {
	rel := m.Table.Relation()
	m.Row = b.tableColumns(rel, alias)
	if list == nil {
		return
	}
	s := b.newScope(outer, ctes)
	s.clause = inReturning
	s.items = append([]*source{rowSource(alias, rel, m.Row, true)}, others...)
	for _, src := range s.items {
		for _, c := range src.cols {
			if col, ok := c.value.(*expr.Col); ok {
				origin := b.cols[col.ID]
				origin.scope = s
				b.cols[col.ID] = origin
			}
		}
	}
	targets := s.targetList(list)
	for i := range targets {
		t := &targets[i]
		if t.expr.Type().OID == pgtypes.Unknown {
			t.expr = b.coerce(t.expr, typeOf(pgtypes.Text), implicit, t.location)
		}
		if containsSet(t.expr) {
			b.fail(t.location, pgerr.FeatureNotSupported, "set-returning functions are not allowed in RETURNING")
		}
		t.col = b.outputColumn(t)
		m.Returning = append(m.Returning, Item{Expr: t.expr, Col: t.col})
	}
}

// assigned coerces a value to the type of the column that it is stored in.
func (b *binder) assigned(e expr.Expr, col *catalog.Column, location int32) expr.Expr {
	out := b.coerce(e, col.Type, assignment, location)
	if out == nil {
		panic(pgerr.New(pgerr.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s",
			col.Name, typeName(col.Type), typeName(e.Type())).
			WithHint("You will need to rewrite or cast the expression.").At(b.positionOf(e, location)))
	}
	return out
}

// defaultOf gives the value of a column that is not given.
func (b *binder) defaultOf(col *catalog.Column) expr.Expr {
	if col.Default == "" {
		return &expr.Const{Typ: col.Type}
	}
	stmt, err := syntax.ParseOne("SELECT " + col.Default)
	if err != nil {
		panic(pgerr.New(pgerr.Internal, "column \"%s\" has a bad default", col.Name).Wrap(err))
	}
	inner := &binder{shared: b.shared, stmt: stmt, path: []string{"pg_catalog", "public"}, view: b.view + 1}
	s := inner.newScope(nil, nil)
	s.clause = inValues
	e := s.expr(stmt.Node.GetSelectStmt().TargetList[0].GetResTarget().Val)
	return inner.assigned(e, col, -1)
}

func isDefault(n *pg.Node) bool { return n.GetSetToDefault() != nil }
