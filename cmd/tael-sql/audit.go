package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/session"
)

// The levels of audit.level; each has what those before it have.
const (
	auditOff     = "off"
	auditLogins  = "logins"  // who connects, who fails to, who is denied what
	auditChanges = "changes" // statements that may change something
	auditAll     = "all"
)

var auditLevels = []string{auditOff, auditLogins, auditChanges, auditAll}

// An auditor writes who did what, a line of JSON each, and no data.
type auditor struct {
	level string
	file  *auditFile // nil: the gateway's log
	log   *slog.Logger
}

// An auditFile can be moved away and opened anew.
type auditFile struct {
	mu sync.Mutex
	f  *os.File
}

// Write implements io.Writer.
func (a *auditFile) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.f.Write(p)
}

func openAudit(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit.file: %w", err)
	}
	return f, nil
}

// newAuditor gives nil where nothing is audited.
func newAuditor(level, file string, log *slog.Logger) (*auditor, error) {
	if level == auditOff {
		return nil, nil
	}
	a := &auditor{level: level, log: log.With("audit", true)}
	if file == "" {
		return a, nil
	}
	f, err := openAudit(file)
	if err != nil {
		return nil, err
	}
	a.file = &auditFile{f: f}
	a.log = slog.New(slog.NewJSONHandler(a.file, nil))
	return a, nil
}

// login is pgwire.Options.Login.
func (a *auditor) login(user string, from net.Addr, err error) {
	if err == nil {
		a.log.Info("login", "user", user, "address", from.String())
		return
	}
	code := pgerr.Internal
	if e, ok := errors.AsType[*pgerr.Error](err); ok {
		code = e.Code
	}
	a.log.Warn("login failed", "user", user, "address", from.String(), "sqlstate", code)
}

// statement is session.Options.Audit.
func (a *auditor) statement(s session.Audited) {
	if !s.Denied() && (a.level == auditLogins || a.level == auditChanges && !s.Changes) {
		return
	}
	event, write := "statement", a.log.Info
	if s.Denied() {
		event, write = "denied", a.log.Warn
	}
	write(event, "user", s.User, "address", s.Addr, "pid", s.PID, "tag", s.Tag, "sqlstate", cmp.Or(s.SQLSTATE, "00000"),
		"ms", float64(s.Duration.Microseconds())/1000, "sql", s.SQL)
}

func (a *auditor) close() error {
	if a == nil || a.file == nil {
		return nil
	}
	return a.file.f.Close()
}

// reopen goes on in the file that has the name now.
func (a *auditor) reopen(name string) error {
	if a == nil || a.file == nil || name == "" {
		return nil
	}
	f, err := openAudit(name)
	if err != nil {
		return err
	}
	a.file.mu.Lock()
	defer a.file.mu.Unlock()
	old := a.file.f
	a.file.f = f
	return old.Close()
}
