package catalog

import (
	"maps"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// TemporarySchema is where a session has its own tables; pg_temp names it, too.
const (
	TemporarySchema = "pg_temp_1"
	temporaryAlias  = "pg_temp"

	temporaryOID pgtypes.OID = 16400
	// Temporary tables have OIDs from here on, each session its own.
	temporaryFirst, temporaryLast pgtypes.OID = 30_000, 99_999
)

// Own makes the catalog of one session: what c has, and temporary tables to
// come, which pg_catalog shows to this session alone. Only the session's
// goroutines use it.
func (c *Catalog) Own() *Catalog {
	c.mu.RLock()
	own := &Catalog{
		shared: c, changes: c.changes,
		database: c.database, owner: c.owner, users: c.users, temporary: temporaryFirst,
		relations: maps.Clone(c.relations), byOID: maps.Clone(c.byOID), functions: maps.Clone(c.functions), internal: c.internal,
	}
	c.mu.RUnlock()
	for _, t := range systemTables(own) {
		own.AddTable(t)
	}
	return own
}

// TemporaryOID gives the OID of the next temporary table.
func (c *Catalog) TemporaryOID() pgtypes.OID {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.byOID[c.temporary].rel != nil {
		if c.temporary++; c.temporary > temporaryLast {
			c.temporary = temporaryFirst
		}
	}
	c.temporary++
	return c.temporary - 1
}

// Remove takes a relation out.
func (c *Catalog) Remove(rel *Relation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.relations, rel.Schema+"."+rel.Name)
	delete(c.byOID, rel.OID)
}

// allSchemas lists the schemas that this catalog shows.
func (c *Catalog) allSchemas() []schema {
	if c.temporary == 0 {
		return schemas
	}
	return append(schemas[:len(schemas):len(schemas)], schema{oid: temporaryOID, name: TemporarySchema})
}

// A Unique is a constraint of a temporary table beside its primary key.
type Unique struct {
	Name     string
	Columns  []int
	Deferred bool // until the transaction ends
}
