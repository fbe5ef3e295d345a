// Package pgwire speaks PostgreSQL's frontend/backend protocol, version 3.
//
// A message is a type byte, a big-endian length that counts itself, and a
// body; the first packet of a connection has no type byte:
//
//	startup   length int32, version int32 (3<<16|minor), (name 0 value 0)* 0
//	message   type byte, length int32, body
//
// Protocols 3.0 and 3.2 are spoken (PostgreSQL 18's documentation, chapters 54
// and 55). A bad message costs its client an ERROR and everything up to the
// next Sync; a message whose frame cannot be trusted costs the connection. A
// panic costs its own connection only.
//
// The package knows no SQL: statements and portals are the Handler's, and
// nothing here reads a statement's text.
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
	// is sent as FATAL. Settings that clients follow are reported from here.
	Open(ctx context.Context, s Startup) (Session, error)
}

// A Startup is what a client said when it connected, and what its session may
// use of the connection.
type Startup struct {
	User, Database string
	Parameters     map[string]string // settings by name, those of "options" included
	RemoteAddr     net.Addr
	TLS            bool
	PID            uint32
	Conn           Notifier
	Registry       *Registry
	// Signal cancels the statement of a connection, or ends the connection; false
	// if there is none of that number.
	Signal func(pid uint32, terminate bool) bool
}

// A Notifier reaches the client beside results. It may be called only from
// within calls of the Session, and of Open; but for Wake.
type Notifier interface {
	// Notice sends a NoticeResponse: severity is NOTICE, WARNING, INFO, LOG or DEBUG.
	Notice(severity string, e *pgerr.Error)
	// ParameterStatus tells the value of a setting that the client follows. It
	// is sent before the next ReadyForQuery if it differs from the last one sent.
	ParameterStatus(name, value string)
	// Wake says that a Listener has notifications. Anyone may call it.
	Wake()
}

// A Session runs statements for one connection; its methods are never called
// at the same time. An error is sent as ERROR; the SQLSTATEs 57P01 and 57P05
// end the connection.
type Session interface {
	// Parse takes a text apart into statements, of which there may be none.
	Parse(ctx context.Context, sql string, paramOIDs []pgtypes.OID) ([]Statement, error)
	// Bind makes a portal of a statement and parameter values, which are valid
	// only until it returns.
	Bind(ctx context.Context, st Statement, params []Param) (Portal, error)
	// Sync ends a run of messages, failed if one of them did: an implicit
	// transaction ends. It gives the transaction status: I, T or E. An error
	// says that the implicit transaction could not be committed.
	Sync(ctx context.Context, failed bool) (byte, error)
	Close()
}

// A Statement is a parsed statement. It holds nothing that must be given back.
type Statement interface {
	Params() []pgtypes.OID
	Columns() []Column // nil: gives no rows
}

// A Portal is a statement ready to run, or in the midst of it.
type Portal interface {
	Columns() []Column
	// Run writes up to maxRows rows (0: all) and gives the command tag, "" for
	// an empty statement; a tag that counts rows counts those of this call.
	// Suspended: there is more, Run may be called again.
	Run(ctx context.Context, w *RowWriter, maxRows int) (tag string, suspended bool, err error)
	Close()
}

// A BinaryPortal is a Portal that in the simple protocol, where the client
// cannot choose, may give binary values: FETCH from a cursor that is declared so.
type BinaryPortal interface {
	Portal
	Binary() bool
}

// A Column describes a result column.
type Column struct {
	Name     string
	TableOID pgtypes.OID // 0: no column of a table
	Attr     int16
	Type     pgtypes.Type
}

// A Param is a parameter value as received. Format is 0 for text, 1 for
// binary; a nil Value is NULL. Text is valid UTF-8.
type Param struct {
	Format int16
	Value  []byte
}

// empty is the statement, and the portal, of a text without a statement.
type empty struct{}

func (empty) Params() []pgtypes.OID { return nil }
func (empty) Columns() []Column     { return nil }
func (empty) Close()                {}

func (empty) Run(context.Context, *RowWriter, int) (tag string, suspended bool, err error) {
	return "", false, nil
}
