package bind

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A NewTable is what CREATE TABLE asks for.
type NewTable struct {
	Columns []catalog.Column
	Key     []int // places of the primary key's columns
	Serial  []int // places of columns that number the rows
	Unique  []catalog.Unique
}

// parseVersion is that of the grammar, which a tree has to name to become text again.
const parseVersion = 170007

var serialTypes = map[string]pgtypes.OID{
	"smallserial": pgtypes.Int2, "serial2": pgtypes.Int2, "serial": pgtypes.Int4, "serial4": pgtypes.Int4,
	"bigserial": pgtypes.Int8, "serial8": pgtypes.Int8,
}

// BindCreate reads the columns and constraints of a CREATE TABLE.
func BindCreate(stmt *syntax.Statement, n *pg.CreateStmt, env Environment) (t *NewTable, err error) {
	defer func() {
		if err = caught(recover()); err != nil {
			t = nil
		}
	}()
	b := newBinder(stmt, env)
	t = &NewTable{}
	if len(n.InhRelations) > 0 || n.Partspec != nil || n.OfTypename != nil {
		b.fail(-1, pgerr.FeatureNotSupported, "inheritance, partitions and typed tables are not supported")
	}
	for _, el := range n.TableElts {
		switch el := el.Node.(type) {
		case *pg.Node_ColumnDef:
			b.newColumn(t, n.Relation.Relname, el.ColumnDef)
		case *pg.Node_TableLikeClause:
			b.likeTable(t, el.TableLikeClause)
		}
	}
	for _, el := range n.TableElts {
		if c := el.GetConstraint(); c != nil {
			b.newConstraint(t, n.Relation.Relname, -1, c)
		}
	}
	for i := range t.Unique {
		if u := &t.Unique[i]; u.Name == "" {
			u.Name = n.Relation.Relname
			for _, at := range u.Columns {
				u.Name += "_" + t.Columns[at].Name
			}
			u.Name += "_key"
		}
	}
	return t, nil
}

func (b *binder) newColumn(t *NewTable, table string, d *pg.ColumnDef) {
	if slices.ContainsFunc(t.Columns, func(c catalog.Column) bool { return c.Name == d.Colname }) {
		b.fail(-1, pgerr.DuplicateColumn, "column \"%s\" specified more than once", d.Colname)
	}
	at := len(t.Columns)
	col := catalog.Column{Name: d.Colname}
	if _, name := splitName(d.TypeName.Names); serialTypes[name] != 0 && len(d.TypeName.ArrayBounds) == 0 {
		col.Type, col.NotNull = pgtypes.Of(serialTypes[name]), true
		t.Serial = append(t.Serial, at)
	} else {
		col.Type = b.typeOfName(d.TypeName)
	}
	if typeCategory(col.Type.OID) == 'P' {
		b.fail(d.TypeName.Location, pgerr.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", d.Colname, typeName(col.Type))
	}
	t.Columns = append(t.Columns, col)
	for _, c := range d.Constraints {
		b.newConstraint(t, table, at, c.GetConstraint())
	}
}

// newConstraint applies a constraint of a column, or with at -1 of the table.
func (b *binder) newConstraint(t *NewTable, table string, at int, c *pg.Constraint) {
	switch c.Contype {
	case pg.ConstrType_CONSTR_NULL:
	case pg.ConstrType_CONSTR_NOTNULL:
		t.Columns[at].NotNull = true
	case pg.ConstrType_CONSTR_IDENTITY:
		t.Columns[at].NotNull = true
		t.Serial = append(t.Serial, at)
	case pg.ConstrType_CONSTR_DEFAULT:
		text, err := pg.Deparse(&pg.ParseResult{Version: parseVersion, Stmts: []*pg.RawStmt{{Stmt: &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
			TargetList: []*pg.Node{pg.MakeResTargetNodeWithVal(c.RawExpr, -1)},
			Op:         pg.SetOperation_SETOP_NONE, LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
		}}}}}})
		if err != nil {
			b.fail(c.Location, pgerr.FeatureNotSupported, "this default is not supported")
		}
		t.Columns[at].Default = strings.TrimPrefix(text, "SELECT ")
		b.defaultOf(&t.Columns[at]) // for its errors
	case pg.ConstrType_CONSTR_PRIMARY:
		if len(t.Key) > 0 {
			b.fail(c.Location, pgerr.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", table)
		}
		if c.Initdeferred {
			b.fail(c.Location, pgerr.FeatureNotSupported, "a deferred PRIMARY KEY is not supported")
		}
		t.Key = b.keyPlaces(t, at, c)
		for _, i := range t.Key {
			t.Columns[i].NotNull = true
		}
	case pg.ConstrType_CONSTR_UNIQUE:
		t.Unique = append(t.Unique, catalog.Unique{Name: c.Conname, Columns: b.keyPlaces(t, at, c), Deferred: c.Initdeferred})
	case pg.ConstrType_CONSTR_ATTR_DEFERRABLE, pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE, pg.ConstrType_CONSTR_ATTR_IMMEDIATE:
	case pg.ConstrType_CONSTR_ATTR_DEFERRED:
		if n := len(t.Unique); n > 0 {
			t.Unique[n-1].Deferred = true
		}
	default:
		b.fail(c.Location, pgerr.FeatureNotSupported, "temporary tables have no other constraints than PRIMARY KEY, UNIQUE and NOT NULL")
	}
}

// keyPlaces gives the places of a constraint's columns.
func (b *binder) keyPlaces(t *NewTable, at int, c *pg.Constraint) (places []int) {
	if at >= 0 {
		return []int{at}
	}
	for _, k := range c.Keys {
		name := k.GetString_().GetSval()
		i := slices.IndexFunc(t.Columns, func(c catalog.Column) bool { return c.Name == name })
		if i < 0 {
			b.fail(c.Location, pgerr.UndefinedColumn, "column \"%s\" named in key does not exist", name)
		}
		places = append(places, i)
	}
	return places
}

// likeTable adds the columns of another relation.
func (b *binder) likeTable(t *NewTable, n *pg.TableLikeClause) {
	_, rel := b.env.Catalog.Relation(n.Relation.Schemaname, n.Relation.Relname, b.path)
	if rel == nil {
		b.fail(n.Relation.Location, pgerr.UndefinedTable, "relation \"%s\" does not exist", n.Relation.Relname)
	}
	const defaults = 1 << 3 // CREATE_TABLE_LIKE_DEFAULTS
	for _, c := range rel.Columns {
		if n.Options&defaults == 0 {
			c.Default = ""
		}
		c.Comment = ""
		t.Columns = append(t.Columns, c)
	}
}
