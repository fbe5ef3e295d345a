package session

import (
	"slices"

	"github.com/tael-sql/tael-sql/catalog"
)

// telemetryTables are what ingesters write, and readers read.
var telemetryTables = []string{"spans", "logs", "metrics"}

// secretRelations are those of the system that only admins read.
var secretRelations = []string{"pg_authid", "pg_shadow"}

// may says what a role may do: what the fixed roles may that it is a member of.
// Everybody reads the system's catalogs, and calls its functions.
func (h *Handler) may(role, privilege, schema, object string) bool {
	is := func(of string) bool { return h.opts.Catalog.Member(role, of) }
	switch {
	case is(catalog.Admin):
		return true
	case privilege == "MEMBER":
		return is(object)
	}
	if schema == catalog.TemporarySchema {
		return true // the session's own
	}
	if schema != catalog.PublicSchema {
		return privilege == "SELECT" && !slices.Contains(secretRelations, object) || privilege == "EXECUTE"
	}
	switch privilege {
	case "SELECT", "EXECUTE":
		return is(catalog.Reader)
	case "INSERT":
		return is(catalog.Commenter) && object == "comments" || is(catalog.Ingester) && slices.Contains(telemetryTables, object)
	case "UPDATE", "DELETE":
		return is(catalog.Commenter) && object == "comments"
	}
	return false
}

// isAdmin reports whether the session's user may do everything.
func (s *Session) isAdmin() bool { return s.handler.opts.Catalog.Member(s.startup.User, catalog.Admin) }
