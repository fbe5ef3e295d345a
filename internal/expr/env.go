package expr

import (
	"context"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An Env is the environment of one statement's evaluation.
type Env struct {
	Ctx       context.Context // cancelled at the deadline or by the client
	Now       int64           // transaction start, timestamptz; now() for the whole transaction
	Statement int64           // statement start, timestamptz
	Style     *pgtypes.TextStyle
	User      string
	// May reports whether a role may do something, as SELECT or EXECUTE, with an
	// object of a schema. Nil: everything.
	May      func(role, privilege, schema, object string) bool
	Database string
	// SearchPath is the schemas that unqualified names are looked up in.
	SearchPath []string
	Account    *vector.Account // memory budget; nil: none
	// LockTimeout is how long the statement waits for a row that another
	// transaction writes; 0 is for ever.
	LockTimeout time.Duration
	// Snapshot is the view that every scan of the statement reads; package
	// tables knows its type.
	Snapshot any
	// Session answers what depends on the session: current_setting, set_config,
	// pg_backend_pid, catalog look-ups by reg* casts. Nil in constant tests.
	Session Session
	Memo    *Memo // of this statement; may be nil
	// Warn tells the client something beside the rows, once for each text. It may
	// be called by several goroutines. Nil in constant tests.
	Warn func(code pgerr.Code, text string)
}

// A Session is what functions ask of the session that runs them.
type Session interface {
	Setting(name string) (value string, ok bool)
	SetSetting(name, value string, local bool) error
	BackendPID() int64
	// Signal cancels what a session runs, or ends it; false if there is none.
	Signal(pid int64, terminate bool) (bool, error)
	// Resolve turns a name into an OID and back for the reg* types and the
	// catalog functions (format_type of user types, pg_get_viewdef, …).
	Catalog() Catalog
}

// A Catalog is what functions ask of the catalog.
type Catalog interface {
	// NameToOID resolves a possibly qualified name for a reg* type, or of one of
	// the Kinds; ok is false if there is none.
	NameToOID(kind pgtypes.OID, name string, path []string) (pgtypes.OID, bool)
	// OIDToName is the inverse, qualified only if not visible in the path.
	OIDToName(kind pgtypes.OID, oid pgtypes.OID, path []string) (string, bool)
	// Describe answers a function that asks about objects, by its name and arguments.
	Describe(env *Env, what string, args []any) (any, error)
}

// Micros converts a time to timestamptz.
func Micros(t time.Time) int64 { return t.UnixMicro() - pgtypes.EpochUnixMicros }

// Denied gives the error of a statement that its user may not run; nil if they
// may.
func (e *Env) Denied(privilege, kind, schema, object string) error {
	if e.May == nil || e.May(e.User, privilege, schema, object) {
		return nil
	}
	return pgerr.New(pgerr.InsufficientPrivilege, "permission denied for %s %s", kind, object)
}
