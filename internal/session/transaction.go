package session

import (
	"context"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
	"github.com/tael-sql/tael-sql/tables"
)

// transaction is the state of a session's transaction. Between a Sync and the
// next statement there is none; a statement outside of BEGIN opens an implicit
// one, which ends at the next Sync.
type transaction struct {
	status     byte  // T in a transaction, E in a failed one; 0 is none
	implicit   bool  // begun by no BEGIN
	began      int64 // its start, timestamptz; 0 before its first statement
	tx         *tables.Tx
	savepoints []savepoint
	start      settingsMark
}

// A savepoint is a position among the transaction's writes, settings and cursors.
type savepoint struct {
	name     string
	mark     int
	notices  int
	settings settingsMark
	cursors  []string
}

// current gives the transaction's writes, which begin with the first statement
// that reads or writes.
func (s *Session) current() *tables.Tx {
	if s.tx == nil {
		level := s.settings.get("transaction_isolation")
		s.tx = s.handler.opts.Store.Begin(level == "repeatable read" || level == "serializable")
	}
	return s.tx
}

// Sync ends an implicit transaction.
func (s *Session) Sync(ctx context.Context, failed bool) (status byte, err error) {
	switch {
	case s.status == 0:
		return 'I', nil
	case s.implicit && failed:
		s.rollback()
		return 'I', nil
	case s.implicit:
		return 'I', s.commit(ctx)
	case failed && s.status == 'T':
		s.status = 'E'
		if len(s.savepoints) == 0 && s.tx != nil { // nothing to go back to
			s.tx.Rollback()
			s.tx = nil
		}
	}
	return s.status, nil
}

// commit ends the transaction with its writes durable.
func (s *Session) commit(ctx context.Context) error {
	if err := s.keepCursors(ctx); err != nil {
		s.rollback()
		return ended(ctx, err)
	}
	if err := s.beforeCommit(); err != nil {
		s.rollback()
		return err
	}
	room, err := s.handler.exchange.admit(s.notices.list)
	if err != nil {
		s.rollback()
		return err
	}
	tx := s.tx
	s.settings.endTransaction()
	s.transaction = transaction{}
	if tx != nil {
		err = tx.Commit(ctx)
		s.temporaries.settle()
	}
	if err != nil {
		s.handler.exchange.free(room)
		s.notices.rollbackTo(0)
		return ended(ctx, err)
	}
	s.handler.exchange.publish(s.inbox, s.startup.PID, s.notices.take(), room)
	return nil
}

// rollback ends the transaction without a trace.
func (s *Session) rollback() {
	s.dropCursors()
	if s.tx != nil {
		s.tx.Rollback()
	}
	s.notices.rollbackTo(0)
	if s.status != 0 {
		s.settings.rollbackTo(s.start)
	}
	s.settings.endTransaction()
	s.transaction = transaction{}
	for _, name := range reported {
		s.report(name)
	}
}

// enter opens an implicit transaction where there is none.
func (s *Session) enter() {
	if s.status == 0 {
		s.status, s.implicit, s.start = 'T', true, s.settings.mark()
	}
}

// allowed refuses statements in a failed transaction but those that end it.
func (s *Session) allowed(st *syntax.Statement) error {
	if s.status != 'E' {
		return nil
	}
	switch st.Kind {
	case syntax.Commit, syntax.Rollback, syntax.RollbackTo:
		return nil
	}
	return pgerr.New(pgerr.InFailedSQLTransaction,
		"current transaction is aborted, commands ignored until end of transaction block")
}

// begin makes the transaction one that COMMIT ends.
func (s *Session) begin(n *pg.TransactionStmt) error {
	if !s.implicit {
		s.warn(pgerr.ActiveSQLTransaction, "there is already a transaction in progress")
		return nil
	}
	s.implicit = false
	return s.transactionModes(n.Options)
}

// transactionModes applies ISOLATION LEVEL, READ ONLY and DEFERRABLE.
func (s *Session) transactionModes(options []*pg.Node) error {
	for _, o := range options {
		d := o.GetDefElem()
		value := constText(d.Arg)
		switch d.Defname {
		case "transaction_isolation":
			if s.tx != nil {
				return pgerr.New(pgerr.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
			}
		default:
			value = map[bool]string{true: "on", false: "off"}[value != "0" && value != "false"]
		}
		if d.Defname == "transaction_read_only" && value == "off" && s.tx != nil && s.settings.get(d.Defname) == "on" {
			return pgerr.New(pgerr.ActiveSQLTransaction, "transaction read-write mode must be set before any query")
		}
		if err := s.settings.set(d.Defname, value, true, false); err != nil {
			return err
		}
	}
	return nil
}

// finish is COMMIT and ROLLBACK; it gives the tag.
func (s *Session) finish(ctx context.Context, st *syntax.Statement) (tag string, err error) {
	n := st.Node.GetTransactionStmt()
	if s.implicit {
		if n.Chain {
			return "", pgerr.New(pgerr.NoActiveSQLTransaction, "%s AND CHAIN can only be used in transaction blocks", st.Tag)
		}
		s.warn(pgerr.NoActiveSQLTransaction, "there is no transaction in progress")
	}
	modes := map[string]string{}
	for _, name := range []string{"transaction_isolation", "transaction_read_only", "transaction_deferrable"} {
		modes[name] = s.settings.get(name)
	}
	tag = "ROLLBACK"
	if st.Kind == syntax.Commit && s.status != 'E' {
		tag, err = "COMMIT", s.commit(ctx)
	} else {
		s.rollback()
	}
	if n.Chain && err == nil {
		s.enter()
		s.implicit = false
		for name, value := range modes {
			if err := s.settings.set(name, value, true, false); err != nil {
				return "", err
			}
		}
	}
	return tag, err
}

// savepoint is SAVEPOINT, RELEASE and ROLLBACK TO.
func (s *Session) savepoint(st *syntax.Statement) error {
	if s.implicit {
		return pgerr.New(pgerr.NoActiveSQLTransaction, "%s can only be used in transaction blocks", savepointTags[st.Kind])
	}
	name := st.Node.GetTransactionStmt().SavepointName
	if st.Kind == syntax.Savepoint {
		s.savepoints = append(s.savepoints, savepoint{
			name: name, mark: s.current().Mark(), notices: s.notices.mark(), settings: s.settings.mark(), cursors: s.startup.Registry.PortalNames(),
		})
		return nil
	}
	at := len(s.savepoints) - 1
	for at >= 0 && s.savepoints[at].name != name {
		at--
	}
	if at < 0 {
		return pgerr.New(pgerr.InvalidSavepoint, "savepoint \"%s\" does not exist", name)
	}
	if st.Kind == syntax.Release {
		s.savepoints = s.savepoints[:at]
		return nil
	}
	s.current().RollbackTo(s.savepoints[at].mark)
	s.notices.rollbackTo(s.savepoints[at].notices)
	s.settings.rollbackTo(s.savepoints[at].settings)
	s.dropCursorsBut(s.savepoints[at].cursors)
	s.savepoints = slices.Clip(s.savepoints[:at+1])
	s.status = 'T'
	return nil
}

var savepointTags = map[syntax.Kind]string{
	syntax.Savepoint: "SAVEPOINT", syntax.Release: "RELEASE SAVEPOINT", syntax.RollbackTo: "ROLLBACK TO SAVEPOINT",
}
