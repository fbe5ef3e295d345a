package session

import (
	"errors"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// An Audited is a statement that has ended, or was not let begin. It has no
// literal, no parameter and no comment.
type Audited struct {
	User, Addr string
	PID        uint32
	Tag        string // command tag, with counts; without where it failed, "" where it was not understood
	SQL        string // literals are $; "" where the text cannot be taken apart
	Changes    bool   // it is more than a query
	SQLSTATE   string // "" for success
	Duration   time.Duration
}

// Denied reports whether the user may not do what the statement says.
func (a Audited) Denied() bool { return a.SQLSTATE == string(pgerr.InsufficientPrivilege) }

// audit tells Options.Audit of a statement; st is nil where sql is not understood.
func (s *Session) audit(st *syntax.Statement, sql, tag string, began time.Time, err error) {
	if s.handler.opts.Audit == nil {
		return
	}
	a := Audited{User: s.startup.User, Addr: s.startup.RemoteAddr.String(), PID: s.startup.PID, Tag: tag, Duration: time.Since(began)}
	if st != nil {
		sql, a.Changes = st.Text, changes(st.Kind)
		if tag == "" {
			a.Tag = st.Tag
		}
	}
	if err != nil {
		a.SQLSTATE = string(pgerr.Internal)
		if e, ok := errors.AsType[*pgerr.Error](err); ok {
			a.SQLSTATE = string(e.Code)
		}
	}
	a.SQL, _ = syntax.Anonymous(sql)
	s.handler.opts.Audit(a)
}

// changes reports whether statements of a kind may change what others see.
func changes(k syntax.Kind) bool {
	switch k {
	case syntax.Select, syntax.Explain, syntax.Set, syntax.Show, syntax.Reset, syntax.Begin, syntax.Commit, syntax.Rollback,
		syntax.Savepoint, syntax.Release, syntax.RollbackTo, syntax.Prepare, syntax.Deallocate, syntax.Declare, syntax.Fetch,
		syntax.Move, syntax.Close, syntax.Listen, syntax.Unlisten, syntax.Discard, syntax.Lock, syntax.SetConstraints:
		return false
	default: // EXECUTE and COPY among them, which may be either
		return true
	}
}
