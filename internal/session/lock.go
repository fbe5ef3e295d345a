package session

import (
	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// rowExclusiveLock is the number of the strongest mode that readers and writers
// of rows take themselves.
const rowExclusiveLock = 3

// lock is LOCK TABLE, as pg_dump sends it: relations are neither changed nor
// dropped, so that the modes that do not keep writers off lock nothing.
func (s *Session) lock(st *statement) error {
	n := st.node.Node.GetLockStmt()
	if s.implicit && !st.among {
		return pgerr.New(pgerr.NoActiveSQLTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	for _, r := range n.Relations {
		name := r.GetRangeVar()
		if _, rel := s.names().Relation(name.Schemaname, name.Relname, s.settings.path()); rel == nil {
			return pgerr.New(pgerr.UndefinedTable, "relation \"%s\" does not exist", name.Relname)
		}
	}
	if n.Mode > rowExclusiveLock {
		return pgerr.New(pgerr.FeatureNotSupported, "LOCK TABLE in a mode that keeps writers off is not supported")
	}
	return nil
}
