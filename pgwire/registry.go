package pgwire

import (
	"maps"
	"slices"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// maxNamed bounds the prepared statements, and the portals, of a connection.
const maxNamed = 10_000

// A Registry holds the prepared statements and the portals of one connection
// by name. The protocol's Parse and SQL's PREPARE share the statements, Bind
// and DECLARE share the portals; "" is the unnamed one. It belongs to the
// goroutine that calls the Session.
type Registry struct {
	statements map[string]Statement
	portals    map[string]*portal
}

// portal is a bound statement with what the protocol remembers of it.
type portal struct {
	Portal
	formats []int16 // by column: 0 text, 1 binary
	hold    bool    // outlives its transaction
	running bool    // runs now, and so is not to be closed
	ended   bool    // has given its last row
	tag     string  // once ended
}

func newRegistry() *Registry {
	return &Registry{statements: make(map[string]Statement), portals: make(map[string]*portal)}
}

// Statement finds a prepared statement, or fails with 26000.
func (r *Registry) Statement(name string) (Statement, error) {
	if st, ok := r.statements[name]; ok {
		return st, nil
	}
	if name == "" {
		return nil, pgerr.New(pgerr.InvalidStatementName, "unnamed prepared statement does not exist")
	}
	return nil, pgerr.New(pgerr.InvalidStatementName, "prepared statement \"%s\" does not exist", name)
}

// PutStatement enters a prepared statement. The unnamed one is replaced; a
// name that is taken is 42P05.
func (r *Registry) PutStatement(name string, st Statement) error {
	if _, dup := r.statements[name]; dup && name != "" {
		return pgerr.New(pgerr.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", name)
	}
	if len(r.statements) >= maxNamed {
		return pgerr.New(pgerr.ProgramLimitExceeded, "too many prepared statements").
			WithDetail("A connection can have %d.", maxNamed)
	}
	r.statements[name] = st
	return nil
}

// DropStatement removes a prepared statement and reports whether there was one.
func (r *Registry) DropStatement(name string) bool {
	_, ok := r.statements[name]
	delete(r.statements, name)
	return ok
}

// DropStatements removes all prepared statements, as DEALLOCATE ALL does.
func (r *Registry) DropStatements() { clear(r.statements) }

// StatementNames lists the prepared statements but the unnamed one, in order.
func (r *Registry) StatementNames() []string { return names(r.statements) }

// Portal finds a portal, or fails with 34000.
func (r *Registry) Portal(name string) (Portal, error) {
	p, err := r.portal(name)
	if err != nil {
		return nil, err
	}
	return p.Portal, nil
}

func (r *Registry) portal(name string) (*portal, error) {
	p, ok := r.portals[name]
	if !ok {
		return nil, pgerr.New(pgerr.InvalidCursorName, "portal \"%s\" does not exist", name)
	}
	return p, nil
}

// PutPortal enters a portal whose rows go out as text, and owns it from then
// on. One that is held outlives its transaction. A name that is taken is 42P03.
func (r *Registry) PutPortal(name string, p Portal, hold bool) error {
	return r.putPortal(name, &portal{Portal: p, formats: make([]int16, len(p.Columns())), hold: hold})
}

func (r *Registry) putPortal(name string, p *portal) error {
	if name == "" {
		r.DropPortal("")
	}
	if err := r.freePortal(name); err != nil {
		return err
	}
	r.portals[name] = p
	return nil
}

// freePortal says whether a portal of that name may be made.
func (r *Registry) freePortal(name string) error {
	if _, dup := r.portals[name]; dup && name != "" {
		return pgerr.New(pgerr.DuplicateCursor, "cursor \"%s\" already exists", name)
	}
	if len(r.portals) >= maxNamed {
		return pgerr.New(pgerr.ProgramLimitExceeded, "too many portals").
			WithDetail("A connection can have %d.", maxNamed)
	}
	return nil
}

// DropPortal closes a portal and reports whether there was one. The one that
// runs now, with a COMMIT or CLOSE ALL in it, stays until it has ended.
func (r *Registry) DropPortal(name string) bool {
	p, ok := r.portals[name]
	if ok && !p.running {
		delete(r.portals, name)
		p.Close()
	}
	return ok
}

// DropPortals closes all portals, as CLOSE ALL does.
func (r *Registry) DropPortals() {
	for name := range r.portals {
		r.DropPortal(name)
	}
}

// EndTransaction closes the portals that do not outlive a transaction. The
// protocol does so before it reports that a connection is idle; a session does
// where a transaction ends before that.
func (r *Registry) EndTransaction() {
	for name, p := range r.portals {
		if !p.hold {
			r.DropPortal(name)
		}
	}
}

// PortalNames lists the portals but the unnamed one, in order.
func (r *Registry) PortalNames() []string { return names(r.portals) }

func names[V any](m map[string]V) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(name string) bool { return name == "" })
}
