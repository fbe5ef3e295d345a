// Package pgwire speaks PostgreSQL's protocol, version 3. It knows no SQL:
// statements are opaque to it.
package pgwire

import (
	"context"
	"net"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A Handler opens sessions; one serves all connections.
type Handler interface {
	// Open starts the session of a connection. An error ends the connection and
	// is sent as FATAL.
	Open(ctx context.Context, s Startup) (Session, error)
}

// A Startup is what a client said when it connected.
type Startup struct {
	User, Database string
	Parameters     map[string]string // settings by name, those of "options" included
	RemoteAddr     net.Addr
	PID            uint32
	Conn           Notifier
}

// A Notifier reaches the client beside results. It may be called only from
// within calls of the Session.
type Notifier interface {
	Notice(severity string, e *pgerr.Error)
	ParameterStatus(name, value string)
}

// A Session runs statements for one connection; its methods are never called
// at the same time.
type Session interface {
	// Parse takes a text apart into statements, of which there may be none.
	Parse(ctx context.Context, sql string, paramOIDs []pgtypes.OID) ([]Statement, error)
	// Bind makes a portal of a statement and parameter values.
	Bind(ctx context.Context, st Statement, params []Param) (Portal, error)
	// Sync ends a run of messages, failed if one of them did: an implicit
	// transaction ends. It gives the transaction status: I, T or E.
	Sync(ctx context.Context, failed bool) byte
	Close()
}

// A Statement is a parsed statement.
type Statement interface {
	Params() []pgtypes.OID
	Columns() []Column // nil: gives no rows
}

// A Portal is a statement ready to run, or in the midst of it.
type Portal interface {
	Columns() []Column
	// Run writes up to maxRows rows (0: all) and gives the command tag, "" for
	// an empty statement. Suspended: there is more, Run may be called again.
	Run(ctx context.Context, w *RowWriter, maxRows int) (tag string, suspended bool, err error)
	Close()
}

// A Column describes a result column.
type Column struct {
	Name     string
	TableOID pgtypes.OID
	Attr     int16
	Type     pgtypes.Type
}

// A Param is a parameter value as received. Format is 0 for text, 1 for
// binary; a nil Value is NULL.
type Param struct {
	Format int16
	Value  []byte
}
