package session

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// A statement is parsed, and bound once it is asked what it gives.
type statement struct {
	session *Session
	node    *syntax.Statement
	oids    []pgtypes.OID
	among   bool // others of the same Query, which are one transaction

	described bool
	target    *bind.CopyTarget // of COPY FROM
	query     *bind.Query      // of a query, or of the one that EXPLAIN explains, DECLARE opens or COPY sends
	columns   []pgwire.Column
	params    []pgtypes.OID
}

// Params gives the types of the parameters.
func (st *statement) Params() []pgtypes.OID { return st.params }

// Columns gives the result columns, nil if there is no result.
func (st *statement) Columns() []pgwire.Column { return st.columns }

// describe binds the statement.
func (st *statement) describe() error {
	if st.described {
		return nil
	}
	s := st.session
	switch st.node.Kind {
	case syntax.Select:
		q, err := bind.Bind(st.node, s.environment(st.oids))
		if err != nil {
			return err
		}
		st.setQuery(q)
		st.columns = wireColumns(q.Columns)
	case syntax.Insert, syntax.Update, syntax.Delete:
		q, err := bind.BindModify(st.node, st.node.Node, s.environment(st.oids))
		if err != nil {
			return err
		}
		st.setQuery(q)
		if len(q.Columns) > 0 {
			st.columns = wireColumns(q.Columns)
		}
	case syntax.Explain:
		if err := st.describeExplained(st.node.Node.GetExplainStmt().Query); err != nil {
			return err
		}
		o, err := newExplainOptions(st.node)
		if err != nil {
			return err
		}
		st.columns = explainColumns(o)
	case syntax.Declare:
		if err := st.describeExplained(st.node.Node.GetDeclareCursorStmt().Query); err != nil {
			return err
		}
	case syntax.CreateTableAs:
		n := st.node.Node.GetCreateTableAsStmt()
		if n == nil {
			return st.node.Unsupported()
		}
		if err := temporaryOnly(st, n.Into.Rel); err != nil {
			return err
		}
		if err := st.describeExplained(n.Query); err != nil {
			return err
		}
	case syntax.Copy:
		if err := st.describeCopy(); err != nil {
			return err
		}
	case syntax.Fetch, syntax.Move:
		st.describeCursor(st.node.Node.GetFetchStmt().Portalname)
		return nil // and again, when it is bound
	case syntax.Show:
		st.columns = showColumns(st.node.Node.GetVariableShowStmt().Name)
	case syntax.Execute:
		prepared, err := s.preparedStatement(st.node.Node.GetExecuteStmt().Name)
		if err != nil {
			return err
		}
		st.columns = prepared.columns
	}
	st.described = true
	return nil
}

// describeExplained binds the statement that an EXPLAIN or a DECLARE is about.
func (st *statement) describeExplained(n *pg.Node) (err error) {
	var q *bind.Query
	switch kind, _ := syntax.Classify(n); kind {
	case syntax.Select:
		q, err = bind.BindSelect(st.node, n.GetSelectStmt(), st.session.environment(st.oids))
	case syntax.Insert, syntax.Update, syntax.Delete:
		q, err = bind.BindModify(st.node, n, st.session.environment(st.oids))
	default:
		return st.node.Unsupported()
	}
	if err == nil {
		st.setQuery(q)
	}
	return err
}

func (st *statement) setQuery(q *bind.Query) { st.query, st.params = q, q.Params }

func wireColumns(cols []bind.Column) []pgwire.Column {
	out := make([]pgwire.Column, len(cols))
	for i, c := range cols {
		out[i] = pgwire.Column{Name: c.Name, TableOID: c.Relation, Attr: c.Attr, Type: c.Type}
	}
	return out
}

func showColumns(name string) []pgwire.Column {
	text := pgtypes.Of(pgtypes.Text)
	if name == "all" {
		return []pgwire.Column{{Name: "name", Type: text}, {Name: "setting", Type: text}, {Name: "description", Type: text}}
	}
	return []pgwire.Column{{Name: settingName(name), Type: text}}
}

// settingName is how PostgreSQL spells a setting.
func settingName(name string) string {
	if d, ok := details()[strings.ToLower(name)]; ok {
		return d.Name
	}
	return name
}
