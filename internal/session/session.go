// Package session runs the statements of one connection: settings,
// transactions, limits and cancellation around what package sqlplan computes.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
	"github.com/tael-sql/tael-sql/tables"
)

// Options configure a Handler.
type Options struct {
	Catalog  *catalog.Catalog
	Database string
	User     string // the owner of everything
	Store    *tables.Store
	// Checkpoint makes all visible rows durable in blocks.
	Checkpoint func(context.Context) error
	// Backup copies the store into a folder, withCold with the parts that are in
	// an object store, and gives the last LSN that it has.
	Backup func(ctx context.Context, dir string, withCold bool) (lsn uint64, err error)
	// QueryMemory and TotalMemory bound what statements buffer, in bytes.
	// Defaults: 256 MiB, 1 GiB.
	QueryMemory, TotalMemory int64
	// Audit is told of every statement. Default: nobody is.
	Audit func(Audited)
	// Workers is how many goroutines a query may use. Default: GOMAXPROCS.
	Workers int
}

// A Handler opens sessions for package pgwire.
type Handler struct {
	opts     Options
	memory   *vector.Account
	exchange *exchange

	queryMemory atomic.Int64 // bytes that one statement may buffer
	activities  activities
}

// NewHandler makes a handler.
func NewHandler(o Options) *Handler {
	o.QueryMemory = cmp.Or(o.QueryMemory, 256<<20)
	o.TotalMemory = cmp.Or(o.TotalMemory, 1<<30)
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	h := &Handler{opts: o, memory: vector.NewAccount(nil, o.TotalMemory), exchange: newExchange()}
	h.SetQueryMemory(o.QueryMemory)
	return h
}

// SetQueryMemory replaces Options.QueryMemory for statements that begin later.
func (h *Handler) SetQueryMemory(bytes int64) { h.queryMemory.Store(bytes) }

// Open starts a session for a client, who is known to be the user.
func (h *Handler) Open(_ context.Context, s pgwire.Startup) (pgwire.Session, error) {
	role, ok := h.opts.Catalog.Role(s.User)
	switch {
	case !ok:
		return nil, pgerr.New(pgerr.InvalidAuthorization, "role \"%s\" does not exist", s.User)
	case !role.Login:
		return nil, pgerr.New(pgerr.InvalidAuthorization, "role \"%s\" is not permitted to log in", s.User)
	}
	if s.Database != h.opts.Database {
		return nil, pgerr.New(pgerr.InvalidCatalogName, "database \"%s\" does not exist", s.Database)
	}
	se := &Session{handler: h, startup: s, settings: newSettings(h.opts.Catalog), inbox: &inbox{wake: s.Conn.Wake}}
	se.notices.exchange = h.exchange
	se.settings.know("session_authorization", s.User)
	se.settings.know("is_superuser", map[bool]string{true: "on", false: "off"}[se.isAdmin()])
	for _, setting := range role.Settings {
		name, value, _ := strings.Cut(setting, "=")
		if err := se.settings.set(name, value, false, true); err != nil {
			return nil, err
		}
	}
	for name, value := range s.Parameters {
		switch name {
		case "user", "database", "replication":
			continue
		}
		if err := se.settings.set(name, value, false, true); err != nil {
			return nil, err
		}
	}
	for _, name := range reported {
		s.Conn.ParameterStatus(name, se.settings.get(name))
	}
	se.activity = h.activities.enter(s.PID, s.User)
	return se, nil
}

// A Session is one connection's state.
type Session struct {
	handler  *Handler
	startup  pgwire.Startup
	settings *settings
	warnings warnings
	notices  notices // of the transaction
	inbox    *inbox
	activity *activity

	temporaries temporaries
	transaction
}

// Close ends the session.
func (s *Session) Close() {
	if s.tx != nil {
		s.tx.Rollback()
	}
	s.notices.rollbackTo(0)
	s.handler.exchange.leave(s.inbox)
	s.handler.activities.leave(s.startup.PID)
	s.temporaries.account.Close()
}

// Parse takes a text apart. A single query is bound at once, so that the
// client learns its errors, parameters and columns.
func (s *Session) Parse(_ context.Context, sql string, oids []pgtypes.OID) (_ []pgwire.Statement, err error) {
	began := time.Now()
	var first *syntax.Statement
	defer func() {
		if err != nil {
			s.audit(first, sql, "", began, err)
		}
	}()
	list, err := syntax.Parse(sql)
	if err != nil {
		return nil, err
	}
	out := make([]pgwire.Statement, len(list))
	for i, st := range list {
		out[i] = &statement{session: s, node: st, oids: oids, among: len(list) > 1}
	}
	if len(list) == 1 {
		first = list[0]
		if err := s.allowed(list[0]); err != nil {
			return nil, err
		}
		if err := out[0].(*statement).describe(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Bind makes a portal.
func (s *Session) Bind(_ context.Context, st pgwire.Statement, params []pgwire.Param) (pgwire.Portal, error) {
	stmt, ok := st.(*statement)
	if !ok {
		return nil, fmt.Errorf("BUG: a statement of another session: %T", st)
	}
	if err := s.allowed(stmt.node); err != nil {
		return nil, err
	}
	if err := stmt.describe(); err != nil {
		return nil, err
	}
	values, err := s.decode(stmt.Params(), params)
	if err != nil {
		return nil, err
	}
	return &portal{session: s, stmt: stmt, params: values}, nil
}

// decode reads parameter values by the types of the statement.
func (s *Session) decode(types []pgtypes.OID, params []pgwire.Param) ([]any, error) {
	values := make([]any, len(params))
	for i, p := range params {
		if p.Value == nil {
			continue
		}
		var err error
		t := pgtypes.Of(types[i])
		if p.Format == 1 {
			values[i], err = pgtypes.DecodeBinary(t, p.Value)
			if e, ok := errors.AsType[*pgerr.Error](err); ok && e.Message == "incorrect binary data format" {
				err = pgerr.New(e.Code, "%s in bind parameter %d", e.Message, i+1)
			}
		} else {
			values[i], err = pgtypes.DecodeText(t, string(p.Value), s.settings.style())
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// environment is what binding depends on.
func (s *Session) environment(oids []pgtypes.OID) bind.Environment {
	return bind.Environment{
		Catalog: s.names(), Database: s.handler.opts.Database, Path: s.settings.path(),
		ParamTypes: oids, Style: s.settings.style(),
	}
}

// env is what one run of a statement depends on; release gives it back.
func (s *Session) env(ctx context.Context) *expr.Env {
	now := expr.Micros(time.Now())
	if s.began == 0 {
		s.began = now
	}
	style := *s.settings.style()
	style.Now = s.began
	lockTimeout, _ := strconv.ParseInt(s.settings.get("lock_timeout"), 10, 64)
	return &expr.Env{
		LockTimeout: time.Duration(lockTimeout) * time.Millisecond,
		Ctx:         ctx, Now: s.began, Statement: now, Style: &style, User: s.startup.User, May: s.handler.may,
		Database: s.handler.opts.Database, SearchPath: s.settings.path(),
		Account:  vector.NewAccount(s.handler.memory, s.handler.queryMemory.Load()),
		Snapshot: s.current().Snapshot(), Session: s, Memo: &expr.Memo{}, Warn: s.warnings.add,
	}
}

func release(env *expr.Env) {
	env.Account.Close()
	env.Snapshot.(*tables.Snapshot).Release()
}

// Setting gives a setting for current_setting.
func (s *Session) Setting(name string) (string, bool) { return s.settings.display(name) }

// SetSetting is set_config.
func (s *Session) SetSetting(name, value string, local bool) error {
	if err := s.settings.set(name, value, local, false); err != nil {
		return err
	}
	s.report(name)
	return nil
}

// report tells the client of a setting that it follows.
func (s *Session) report(name string) {
	for _, r := range reported {
		if strings.EqualFold(r, name) {
			s.startup.Conn.ParameterStatus(r, s.settings.get(r))
		}
	}
}

// BackendPID is the number that the client knows the session by.
func (s *Session) BackendPID() int64 { return int64(s.startup.PID) }

// Signal cancels what a session runs, or ends it.
func (s *Session) Signal(pid int64, terminate bool) (bool, error) {
	switch {
	case pid != s.BackendPID() && !s.isAdmin():
		return false, pgerr.New(pgerr.InsufficientPrivilege, "must be a superuser to terminate superuser process")
	case pid < 0 || pid > math.MaxInt32:
		return false, nil
	}
	return s.startup.Signal(uint32(pid), terminate), nil
}

// Catalog answers look-ups of objects.
func (s *Session) Catalog() expr.Catalog { return s.names() }
