package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A NewView is what CREATE VIEW defines.
type NewView struct {
	Columns    []catalog.Column
	Definition string // the query, printed anew
}

// viewPath is where the names of a view's query are looked up, whoever reads it.
var viewPath = []string{catalog.SystemSchema, catalog.PublicSchema}

// BindView binds the query of a CREATE VIEW.
func BindView(stmt *syntax.Statement, n *pg.ViewStmt, env Environment) (*NewView, error) {
	uses := &recorder{Catalog: env.Catalog}
	env.Catalog, env.Path = uses, viewPath
	sel := n.Query.GetSelectStmt()
	if sel.IntoClause != nil {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "views must not contain SELECT INTO")
	}
	q, err := BindSelect(stmt, sel, env)
	switch {
	case err != nil:
		return nil, err
	case q.Modifies:
		return nil, pgerr.New(pgerr.FeatureNotSupported, "views must not contain data-modifying statements in WITH")
	case len(q.Params) > 0:
		return nil, pgerr.New("42P02", "there is no parameter $1")
	case len(n.Aliases) > len(q.Columns):
		return nil, pgerr.New(pgerr.SyntaxError, "CREATE VIEW specifies more column names than columns")
	}
	for rel := range uses.relations {
		if rel.Schema == catalog.TemporarySchema {
			return nil, pgerr.New(pgerr.FeatureNotSupported, "a view over a temporary table is not supported")
		}
	}
	v, names := &NewView{}, map[string]bool{}
	for i, c := range q.Columns {
		col := catalog.Column{Name: c.Name, Type: c.Type}
		if i < len(n.Aliases) {
			col.Name = n.Aliases[i].GetString_().GetSval()
		}
		if names[col.Name] {
			return nil, pgerr.New(pgerr.DuplicateColumn, "column \"%s\" specified more than once", col.Name)
		}
		names[col.Name] = true
		v.Columns = append(v.Columns, col)
	}
	text, err := pg.Deparse(&pg.ParseResult{Version: parseVersion, Stmts: []*pg.RawStmt{{Stmt: n.Query}}})
	if err != nil {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "a view of this query is not supported").Wrap(err)
	}
	v.Definition = " " + text + ";"
	return v, nil
}

// Reads reports whether the query of a view reads a relation: itself, or with
// deep also by way of other views.
func Reads(view, rel *catalog.Relation, env Environment, deep bool) (bool, error) {
	stmt, err := syntax.ParseOne(view.Definition)
	if err != nil {
		return false, err
	}
	uses := &recorder{Catalog: env.Catalog, shallow: !deep}
	env.Catalog, env.Path = uses, viewPath
	if _, err := Bind(stmt, env); err != nil {
		return false, err
	}
	return uses.relations[rel], nil
}

// A recorder keeps which relations have been looked up.
type recorder struct {
	Catalog
	relations map[*catalog.Relation]bool
	shallow   bool // views are not looked into
}

// An opaque view is bound as a table, and never read.
type opaque struct {
	catalog.Table
	rel *catalog.Relation
}

func (o opaque) Relation() *catalog.Relation { return o.rel }

func (r *recorder) Relation(schema, name string, path []string) (catalog.Table, *catalog.Relation) {
	t, rel := r.Catalog.Relation(schema, name, path)
	if rel != nil {
		if r.relations == nil {
			r.relations = make(map[*catalog.Relation]bool)
		}
		r.relations[rel] = true
		if r.shallow && rel.Stored {
			t = opaque{rel: rel}
		}
	}
	return t, rel
}
