package bind

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A scope is what the expressions of one query level can see.
type scope struct {
	b     *binder
	outer *scope // of the enclosing query
	depth int    // how many levels enclose it
	ctes  *cteScope
	items []*source
	// hidden are sources of the same FROM that cannot be referred to from here:
	// they only make the error more exact.
	hidden []*source

	clause  clause // which clause is being bound: says what it may hold
	owner   *scope // of a LATERAL item: the level whose FROM it stands in
	named   map[string]expr.Expr
	grouped grouping
	windows windowing
}

// A source is one entry of FROM with its columns.
type source struct {
	alias  string // "" for a join or sub-query without one
	schema string // of a table without an alias of its own
	rel    *catalog.Relation
	cols   []sourceCol
	// byName: alias.column works. plain: its columns can be used unqualified
	// and are part of *.
	byName, plain bool
	scalar        bool // a function that gives one column of a plain type
}

// A sourceCol is a column of a source. Value is a *expr.Col, or the COALESCE of
// a column merged by FULL JOIN USING.
type sourceCol struct {
	name   string
	value  expr.Expr
	hidden bool // not of *
}

func (b *binder) newScope(outer *scope, ctes *cteScope) *scope {
	s := &scope{b: b, outer: outer, ctes: ctes}
	if outer != nil {
		s.depth = outer.depth + 1
	}
	return s
}

// level is the query level that owns what is found through s.
func (s *scope) level() *scope {
	if s.owner != nil {
		return s.owner
	}
	return s
}

// lookup finds an unqualified column, from the inside out.
func (s *scope) lookup(name string, location int32) expr.Expr {
	for at := s; at != nil; at = at.outer {
		var found expr.Expr
		for _, src := range at.items {
			if !src.plain {
				continue
			}
			for _, c := range src.cols {
				if c.name != name {
					continue
				}
				if found != nil {
					s.b.fail(location, pgerr.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
				}
				found = c.value
			}
		}
		if found != nil {
			return s.b.copyRef(found, location)
		}
	}
	return nil
}

// copyRef makes a reference of its own, so that its place can be remembered.
func (b *binder) copyRef(e expr.Expr, location int32) expr.Expr {
	if c, ok := e.(*expr.Col); ok {
		cp := *c
		return b.mark(&cp, location)
	}
	return e
}

// sourceNamed finds the FROM entry of a name, from the inside out.
func (s *scope) sourceNamed(schema, name string, location int32) (*source, *scope) {
	for at := s; at != nil; at = at.outer {
		var found *source
		for _, src := range at.items {
			if !src.byName || src.alias != name {
				continue
			}
			if schema != "" && (src.rel == nil || src.schema != schema) {
				continue
			}
			if found != nil {
				s.b.fail(location, "42P09", "table reference \"%s\" is ambiguous", name)
			}
			found = src
		}
		if found != nil {
			return found, at
		}
	}
	return nil, nil
}

// columnRef binds a ColumnRef: a, t.a, s.t.a, t.*, or a whole row t.
func (s *scope) columnRef(n *pg.ColumnRef) expr.Expr {
	b := s.b
	if _, star := n.Fields[len(n.Fields)-1].Node.(*pg.Node_AStar); star {
		names := append([]string{""}, stringsOf(n.Fields)...)
		if len(names) == 1 {
			b.fail(n.Location, pgerr.FeatureNotSupported, "row expansion via \"*\" is not supported here")
		}
		schema, table := names[len(names)-2], names[len(names)-1]
		src, _ := s.sourceNamed(schema, table, n.Location)
		if src == nil {
			s.missingSource(schema, table, n.Location)
		}
		return s.wholeRow(src, n.Location)
	}
	names := stringsOf(n.Fields)
	switch len(names) {
	case 1:
		if e := s.lookup(names[0], n.Location); e != nil {
			return e
		}
		if e, ok := s.named[names[0]]; ok {
			return e
		}
		if src, _ := s.sourceNamed("", names[0], n.Location); src != nil {
			return s.wholeRow(src, n.Location)
		}
		if len(s.items) == 1 {
			if e := b.systemColumn(s.items[0], names[0], n.Location); e != nil {
				return e
			}
		}
		if e := b.within.argument(names[0]); e != nil {
			return e
		}
		if hint := s.hiddenHint(names[0]); hint != "" {
			panic(pgerr.New(pgerr.UndefinedColumn, "%s", noColumn("", names[0])).WithDetail("%s", hint).At(b.at(n.Location)))
		}
		s.missingColumn("", names[0], n.Location)
	case 2:
		return s.qualified("", names[0], names[1], n.Location)
	case 3:
		return s.qualified(names[0], names[1], names[2], n.Location)
	case 4:
		if b.env.Database != "" && names[0] != b.env.Database {
			b.fail(n.Location, pgerr.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(names, "."))
		}
		return s.qualified(names[1], names[2], names[3], n.Location)
	}
	b.fail(n.Location, pgerr.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(names, "."))
	return nil
}

func (s *scope) qualified(schema, table, column string, location int32) expr.Expr {
	src, _ := s.sourceNamed(schema, table, location)
	if src == nil {
		if schema == "" && s.b.within != nil && s.b.within.function == table {
			if e := s.b.within.argument(column); e != nil {
				return e
			}
		}
		s.missingSource(schema, table, location)
	}
	var found expr.Expr
	for _, c := range src.cols {
		if c.name == column {
			if found != nil {
				s.b.fail(location, pgerr.AmbiguousColumn, "column reference \"%s\" is ambiguous", column)
			}
			found = c.value
		}
	}
	if found == nil {
		if e := s.b.systemColumn(src, column, location); e != nil {
			return e
		}
		if src.scalar && len(src.cols) > 0 {
			if e := s.fieldOf(s.b.copyRef(src.cols[0].value, location), column); e != nil {
				return e
			}
		}
		s.missingColumn(table, column, location)
	}
	return s.b.copyRef(found, location)
}

// systemColumn gives the system columns that clients ask for. A row is visible
// to everybody, as one that PostgreSQL has frozen: its xmin is 2.
func (b *binder) systemColumn(src *source, name string, location int32) expr.Expr {
	if src.rel == nil {
		return nil
	}
	switch name {
	case "tableoid":
		return b.mark(&expr.Const{Typ: typeOf(pgtypes.Oid), Val: int64(src.rel.OID)}, location)
	case "xmin":
		frozen := &expr.Const{Typ: typeOf(pgtypes.Unknown), Val: "2"}
		return b.mark(b.literal(frozen, typeOf(pgtypes.Xid), location), location)
	}
	return nil
}

// missingSource reports a qualifier that names nothing that can be used here.
func (s *scope) missingSource(schema, table string, location int32) {
	for at := s; at != nil; at = at.outer {
		covered := slices.ContainsFunc(at.items, func(src *source) bool { return !src.byName && src.alias == table })
		if covered || slices.ContainsFunc(at.hidden, func(src *source) bool { return src.alias == table }) {
			panic(pgerr.New(pgerr.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", table).
				WithDetail("There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", table).
				At(s.b.at(location)))
		}
		for _, src := range at.items {
			if src.rel != nil && src.rel.Name == table && src.alias != table {
				panic(pgerr.New(pgerr.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", table).
					WithHint("Perhaps you meant to reference the table alias \"%s\".", src.alias).
					At(s.b.at(location)))
			}
		}
	}
	if schema != "" {
		table = schema + "." + table
	}
	s.b.fail(location, pgerr.UndefinedTable, "missing FROM-clause entry for table \"%s\"", table)
}

func (s *scope) hiddenHint(column string) string {
	for at := s; at != nil; at = at.outer {
		for _, src := range at.hidden {
			for _, c := range src.cols {
				if c.name == column && src.alias != "" {
					return "There is a column named \"" + column + "\" in table \"" + src.alias +
						"\", but it cannot be referenced from this part of the query."
				}
			}
		}
	}
	return ""
}

// wholeRow is a table's name used as a value: its row, or the one column of a
// function.
func (s *scope) wholeRow(src *source, location int32) expr.Expr {
	if src.scalar {
		return s.b.copyRef(src.cols[0].value, location)
	}
	cols := seen(src.cols)
	fields := make([]expr.Expr, len(cols))
	names := make([]string, len(cols))
	for i, c := range cols {
		fields[i], names[i] = s.b.copyRef(c.value, location), c.name
	}
	return s.b.mark(newRow(fields, names), location)
}

// star gives the columns of * or t.*.
func (s *scope) star(n *pg.ColumnRef) []sourceCol {
	if len(n.Fields) == 1 {
		var cols []sourceCol
		any := false
		for _, src := range s.items {
			if src.plain {
				any = true
				cols = append(cols, seen(src.cols)...)
			}
		}
		if !any {
			s.b.fail(n.Location, pgerr.SyntaxError, "SELECT * with no tables specified is not valid")
		}
		return cols
	}
	names := stringsOf(n.Fields[:len(n.Fields)-1])
	schema, table := "", names[len(names)-1]
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	src, _ := s.sourceNamed(schema, table, n.Location)
	if src == nil {
		s.missingSource(schema, table, n.Location)
	}
	return seen(src.cols)
}

// stringsOf gives the names of a list of String nodes.
func stringsOf(nodes []*pg.Node) []string {
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		if v, ok := n.Node.(*pg.Node_String_); ok {
			names = append(names, v.String_.Sval)
		}
	}
	return names
}

// splitName splits a qualified name; a catalog name before the schema is dropped.
func splitName(nodes []*pg.Node) (schema, name string) {
	names := stringsOf(nodes)
	if len(names) > 1 {
		schema = names[len(names)-2]
	}
	return schema, names[len(names)-1]
}
