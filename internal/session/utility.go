package session

import (
	"context"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// utility runs a statement that is no query and gives its tag.
func (s *Session) utility(ctx context.Context, st *syntax.Statement, w *pgwire.RowWriter) (string, error) {
	switch st.Kind {
	case syntax.Begin:
		return st.Tag, s.begin(st.Node.GetTransactionStmt())
	case syntax.Commit, syntax.Rollback:
		return s.finish(ctx, st)
	case syntax.Savepoint, syntax.Release, syntax.RollbackTo:
		return st.Tag, s.savepoint(st)
	case syntax.Set:
		return "SET", s.set(st)
	case syntax.Show:
		return "SHOW", s.show(st, w)
	case syntax.Reset:
		return "RESET", s.reset(st.Node.GetVariableSetStmt())
	case syntax.Prepare:
		return "PREPARE", s.prepare(st)
	case syntax.Deallocate:
		return st.Tag, s.deallocate(st.Node.GetDeallocateStmt())
	case syntax.Fetch, syntax.Move:
		return s.fetch(ctx, st.Node.GetFetchStmt(), w)
	case syntax.Close:
		return st.Tag, s.closeCursor(st.Node.GetClosePortalStmt())
	case syntax.Checkpoint:
		if !s.isAdmin() {
			return "", pgerr.New(pgerr.InsufficientPrivilege, "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT")
		}
		return "CHECKPOINT", s.handler.opts.Checkpoint(ctx)
	case syntax.CreateRole, syntax.AlterRole, syntax.DropRole, syntax.Grant:
		return s.roleStatement(ctx, st)
	case syntax.Reindex:
		if !s.isAdmin() {
			return "", pgerr.New(pgerr.InsufficientPrivilege, "must be superuser to do REINDEX")
		}
		return "REINDEX", s.reindex(ctx, st.Node.GetReindexStmt())
	case syntax.Unlisten:
		if channel := st.Node.GetUnlistenStmt().Conditionname; channel != "" {
			return st.Tag, s.notices.add(notice{kind: unlisten, channel: channel})
		}
		return st.Tag, s.notices.add(notice{kind: unlistenAll})
	case syntax.Listen:
		return st.Tag, s.notices.add(notice{kind: listen, channel: st.Node.GetListenStmt().Conditionname})
	case syntax.Notify:
		n := st.Node.GetNotifyStmt()
		return st.Tag, s.Notify(n.Conditionname, n.Payload)
	}
	return "", st.Unsupported()
}

// warn tells the client, unless it wants to hear of errors alone.
func (s *Session) warn(code pgerr.Code, text string) {
	if level := s.settings.get("client_min_messages"); level == "error" || level == "fatal" || level == "panic" {
		return
	}
	s.startup.Conn.Notice("WARNING", pgerr.New(code, "%s", text))
}

// constText gives the text of a constant in a SET or an option.
func constText(n *pg.Node) string {
	if n == nil {
		return ""
	}
	if str := n.GetString_(); str != nil {
		return str.Sval
	}
	if b := n.GetBoolean(); b != nil {
		return strconv.FormatBool(b.Boolval)
	}
	if i := n.GetInteger(); i != nil {
		return strconv.Itoa(int(i.Ival))
	}
	if t := n.GetTypeCast(); t != nil { // SET TIME ZONE INTERVAL '…'
		return constText(t.Arg)
	}
	c := n.GetAConst()
	if c == nil {
		return ""
	}
	switch v := c.Val.(type) {
	case *pg.A_Const_Sval:
		return v.Sval.Sval
	case *pg.A_Const_Ival:
		return strconv.Itoa(int(v.Ival.Ival))
	case *pg.A_Const_Fval:
		return v.Fval.Fval
	case *pg.A_Const_Boolval:
		return strconv.FormatBool(v.Boolval.Boolval)
	}
	return ""
}

func (s *Session) set(st *syntax.Statement) error {
	n := st.Node.GetVariableSetStmt()
	if n == nil {
		return st.Unsupported()
	}
	switch n.Kind {
	case pg.VariableSetKind_VAR_SET_VALUE:
		values := make([]string, len(n.Args))
		for i, a := range n.Args {
			values[i] = constText(a)
		}
		if n.IsLocal && s.implicit {
			s.warn(pgerr.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
		}
		if n.Name == "timezone" && len(values) == 1 {
			values[0] = zoneOfOffset(values[0])
		}
		if err := s.settings.set(n.Name, strings.Join(values, ", "), n.IsLocal, false); err != nil {
			return err
		}
		s.report(n.Name)
		return nil
	case pg.VariableSetKind_VAR_SET_DEFAULT:
		return s.reset(n)
	case pg.VariableSetKind_VAR_SET_MULTI: // SET TRANSACTION, SET SESSION CHARACTERISTICS
		return s.setModes(n)
	}
	return st.Unsupported()
}

// setModes is SET TRANSACTION and SET SESSION CHARACTERISTICS.
func (s *Session) setModes(n *pg.VariableSetStmt) error {
	if !strings.Contains(strings.ToUpper(n.Name), "SESSION CHARACTERISTICS") {
		if s.implicit {
			s.warn(pgerr.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
		}
		return s.transactionModes(n.Args)
	}
	for _, a := range n.Args {
		d := a.GetDefElem()
		name, value := "default_"+d.Defname, constText(d.Arg)
		if d.Defname != "transaction_isolation" {
			value = map[bool]string{true: "on", false: "off"}[value != "0" && value != "false"]
		}
		if err := s.settings.set(name, value, false, false); err != nil {
			return err
		}
		s.report(name)
	}
	return nil
}

// zoneOfOffset turns the number of SET TIME ZONE -7 into a zone.
func zoneOfOffset(value string) string {
	n, err := strconv.ParseFloat(value, 64)
	if hours, minutes, ok := strings.Cut(value, ":"); ok && err != nil { // INTERVAL '+02:00' HOUR TO MINUTE
		n, err = strconv.ParseFloat(hours, 64)
		if m, mErr := strconv.ParseUint(minutes, 10, 8); mErr != nil || m != 0 {
			return value
		}
	}
	if err != nil {
		return value
	}
	if n == 0 {
		return "UTC"
	}
	return "Etc/GMT" + strconv.FormatFloat(-n, 'f', -1, 64)
}

func (s *Session) reset(n *pg.VariableSetStmt) error {
	name := n.Name
	if n.Kind == pg.VariableSetKind_VAR_RESET_ALL {
		name = "all"
	}
	if err := s.settings.reset(name); err != nil {
		return err
	}
	s.report(name)
	return nil
}

func (s *Session) show(st *syntax.Statement, w *pgwire.RowWriter) error {
	name := st.Node.GetVariableShowStmt().Name
	if name == "all" {
		for _, d := range Settings() {
			v, _ := s.settings.display(d.Name)
			if err := w.WriteRow([]any{d.Name, v, d.Description}); err != nil {
				return err
			}
		}
		return nil
	}
	v, ok := s.settings.display(name)
	if !ok {
		return pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	return w.WriteRow([]any{v})
}

// prepare keeps a statement under a name.
func (s *Session) prepare(st *syntax.Statement) error {
	n := st.Node.GetPrepareStmt()
	inner := *st
	inner.Node = n.Query
	inner.Kind, inner.Tag = syntax.Classify(n.Query)
	switch inner.Kind {
	case syntax.Select, syntax.Insert, syntax.Update, syntax.Delete:
	default:
		return st.Unsupported()
	}
	oids := make([]pgtypes.OID, len(n.Argtypes))
	for i, t := range n.Argtypes {
		names := t.GetTypeName().Names
		name := names[len(names)-1].GetString_().GetSval()
		oid, ok := pgtypes.ByName(name)
		if !ok {
			return pgerr.New(pgerr.UndefinedObject, "type \"%s\" does not exist", name)
		}
		oids[i] = oid
	}
	prepared := &statement{session: s, node: &inner, oids: oids}
	if err := prepared.describe(); err != nil {
		return err
	}
	return s.startup.Registry.PutStatement(n.Name, prepared)
}

func (s *Session) preparedStatement(name string) (*statement, error) {
	found, err := s.startup.Registry.Statement(name)
	if err != nil {
		return nil, err
	}
	st, ok := found.(*statement)
	if !ok { // an empty one of the protocol
		return nil, pgerr.New(pgerr.FeatureNotSupported, "EXECUTE of an empty statement is not supported")
	}
	return st, st.describe()
}

func (s *Session) deallocate(n *pg.DeallocateStmt) error {
	registry := s.startup.Registry
	if n.Name == "" {
		registry.DropStatements()
		return nil
	}
	if _, err := registry.Statement(n.Name); err != nil {
		return err
	}
	registry.DropStatement(n.Name)
	return nil
}

// discard is DISCARD; there are no plans and no sequences.
func (s *Session) discard(st *statement) error {
	switch st.node.Node.GetDiscardStmt().Target {
	case pg.DiscardMode_DISCARD_TEMP:
		s.discardTemporaries()
		return nil
	case pg.DiscardMode_DISCARD_ALL:
	default:
		return nil
	}
	if !s.implicit || st.among {
		return pgerr.New(pgerr.ActiveSQLTransaction, "DISCARD ALL cannot run inside a transaction block")
	}
	s.discardTemporaries()
	s.startup.Registry.DropPortals()
	s.startup.Registry.DropStatements()
	if err := s.notices.add(notice{kind: unlistenAll}); err != nil {
		return err
	}
	return s.settings.reset("all")
}
