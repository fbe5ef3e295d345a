package session

import (
	"context"
	"fmt"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/tables"
)

// temporaries are a session's temporary tables.
type temporaries struct {
	own     *catalog.Catalog // nil: the session has had none
	account *vector.Account
	tables  []*temporary
}

type temporary struct {
	*tables.Temporary
	onCommit pg.OnCommitAction
}

// names is the catalog that the session's statements look names up in.
func (s *Session) names() *catalog.Catalog {
	if own := s.temporaries.own; own != nil {
		own.Refresh()
		return own
	}
	return s.handler.opts.Catalog
}

// addTemporary makes a table, until the transaction is taken back.
func (s *Session) addTemporary(n *pg.RangeVar, onCommit pg.OnCommitAction, t *bind.NewTable) *temporary {
	ts := &s.temporaries
	if ts.own == nil {
		ts.own = s.handler.opts.Catalog.Own()
		ts.account = vector.NewAccount(s.handler.memory, s.handler.queryMemory.Load())
		s.settings.catalog = ts.own
	}
	rel := &catalog.Relation{
		OID: ts.own.TemporaryOID(), Schema: catalog.TemporarySchema, Name: n.Relname, Kind: 'r', Columns: t.Columns, PrimaryKey: t.Key,
	}
	added := &temporary{tables.NewTemporary(rel, t.Serial, t.Unique, ts.account), onCommit}
	ts.add(added)
	s.current().OnRollback(func() {
		ts.take(added)
		added.Free()
	})
	return added
}

func (ts *temporaries) add(t *temporary) {
	ts.own.AddTable(t)
	ts.tables = append(ts.tables, t)
}

// take takes a table out, with its rows for the case that it comes back.
func (ts *temporaries) take(t *temporary) {
	ts.own.Remove(t.Relation())
	kept := make([]*temporary, 0, len(ts.tables))
	for _, other := range ts.tables {
		if other != t {
			kept = append(kept, other)
		}
	}
	ts.tables = kept
}

func (ts *temporaries) find(n *pg.RangeVar) *temporary {
	if ts.own == nil {
		return nil
	}
	_, rel := ts.own.Relation(n.Schemaname, n.Relname, nil)
	for _, t := range ts.tables {
		if t.Relation() == rel {
			return t
		}
	}
	return nil
}

// exists refuses a name that a temporary table has, or says that it is skipped.
func (s *Session) exists(n *pg.RangeVar, skip bool) (skipped bool, err error) {
	if s.temporaries.find(&pg.RangeVar{Schemaname: catalog.TemporarySchema, Relname: n.Relname}) == nil {
		return false, nil
	}
	e := pgerr.New(pgerr.DuplicateTable, "relation \"%s\" already exists", n.Relname)
	if !skip {
		return false, e
	}
	s.noticeOf(pgerr.New(pgerr.DuplicateTable, "%s, skipping", e.Message))
	return true, nil
}

// temporaryOnly refuses tables that are to stay.
func temporaryOnly(st *statement, n *pg.RangeVar) error {
	if n.Relpersistence != "t" && n.Schemaname != "pg_temp" {
		return st.node.Unsupported()
	}
	return nil
}

// createTable is CREATE TEMPORARY TABLE.
func (s *Session) createTable(st *statement) error {
	n := st.node.Node.GetCreateStmt()
	if err := temporaryOnly(st, n.Relation); err != nil {
		return err
	}
	if skipped, err := s.exists(n.Relation, n.IfNotExists); skipped || err != nil {
		return err
	}
	t, err := bind.BindCreate(st.node, n, s.environment(nil))
	if err != nil {
		return err
	}
	s.addTemporary(n.Relation, n.Oncommit, t)
	return nil
}

// createTableAs is CREATE TEMPORARY TABLE … AS; it gives the number of rows.
func (p *portal) createTableAs(ctx context.Context) (rows int, err error) {
	s, n := p.session, p.stmt.node.Node.GetCreateTableAsStmt()
	if skipped, err := s.exists(n.Into.Rel, n.IfNotExists); skipped || err != nil {
		return 0, err
	}
	q := p.stmt.query.With(p.params)
	t := &bind.NewTable{}
	for i, c := range q.Columns {
		col := catalog.Column{Name: c.Name, Type: c.Type}
		if i < len(n.Into.ColNames) {
			col.Name = n.Into.ColNames[i].GetString_().GetSval()
		}
		t.Columns = append(t.Columns, col)
	}
	p.env = s.env(ctx)
	var batches []*vector.Batch
	if !n.Into.SkipData {
		if batches, err = p.runToEnd(ctx, q.Root, sqlplan.Options{Workers: s.handler.opts.Workers}); err != nil {
			return 0, err
		}
	}
	added := s.addTemporary(n.Into.Rel, n.Into.OnCommit, t)
	for _, b := range batches {
		for k := range b.Live() {
			row := make([]any, len(t.Columns))
			for i := range row {
				col, err := b.Column(i)
				if err != nil {
					return 0, err
				}
				if !col.IsNull(b.Row(k)) {
					row[i] = col.Value(b.Row(k))
				}
			}
			if _, err := added.Insert(p.env, row); err != nil {
				return 0, err
			}
			rows++
		}
	}
	return rows, nil
}

// drop is DROP VIEW, and DROP TABLE of temporary tables.
func (s *Session) drop(ctx context.Context, st *statement) error {
	n := st.node.Node.GetDropStmt()
	if n.RemoveType == pg.ObjectType_OBJECT_VIEW {
		return s.dropViews(ctx, st)
	}
	if n.RemoveType != pg.ObjectType_OBJECT_TABLE {
		return st.node.Unsupported()
	}
	for _, o := range n.Objects {
		name := rangeOf(o.GetList().GetItems())
		t := s.temporaries.find(name)
		if t == nil {
			if _, rel := s.names().Relation(name.Schemaname, name.Relname, s.settings.path()); rel != nil {
				return st.node.Unsupported()
			}
			if !n.MissingOk {
				return pgerr.New(pgerr.UndefinedTable, "table \"%s\" does not exist", name.Relname)
			}
			s.notice(fmt.Sprintf("table \"%s\" does not exist, skipping", name.Relname))
			continue
		}
		s.dropTemporary(t)
	}
	return nil
}

func (s *Session) dropTemporary(t *temporary) {
	t.Truncate(s.current())
	s.temporaries.take(t)
	s.current().OnRollback(func() { s.temporaries.add(t) })
}

// rangeOf makes a relation's name of its parts.
func rangeOf(parts []*pg.Node) *pg.RangeVar {
	out := &pg.RangeVar{}
	for _, p := range parts {
		out.Schemaname, out.Relname = out.Relname, p.GetString_().GetSval()
	}
	return out
}

// truncate is TRUNCATE of temporary tables.
func (s *Session) truncate(st *statement) error {
	for _, r := range st.node.Node.GetTruncateStmt().Relations {
		name := r.GetRangeVar()
		t := s.temporaries.find(name)
		if t == nil {
			if _, rel := s.names().Relation(name.Schemaname, name.Relname, s.settings.path()); rel == nil {
				return pgerr.New(pgerr.UndefinedTable, "relation \"%s\" does not exist", name.Relname)
			}
			return st.node.Unsupported()
		}
		t.Truncate(s.current())
	}
	return nil
}

// discardTemporaries is DISCARD TEMP.
func (s *Session) discardTemporaries() {
	for _, t := range s.temporaries.tables {
		s.dropTemporary(t)
	}
}

// beforeCommit checks what was deferred, and does what ON COMMIT says.
func (s *Session) beforeCommit() error {
	for _, t := range s.temporaries.tables {
		if err := t.Check(s.settings.style()); err != nil {
			return err
		}
		switch t.onCommit {
		case pg.OnCommitAction_ONCOMMIT_DROP:
			s.dropTemporary(t)
		case pg.OnCommitAction_ONCOMMIT_DELETE_ROWS:
			if t.Rows() > 0 {
				t.Truncate(s.current())
			}
		}
	}
	return nil
}

// settle forgets what no transaction can bring back any more.
func (ts *temporaries) settle() {
	for _, t := range ts.tables {
		t.Settle()
	}
}
