package catalog

import (
	"cmp"
	"slices"
	"sync"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// Names and OIDs of what every database has.
const (
	PublicSchema      = "public"
	SystemSchema      = "pg_catalog"
	InformationSchema = "information_schema"

	publicOID      pgtypes.OID = 2200
	systemOID      pgtypes.OID = 11
	informationOID pgtypes.OID = 13300

	ownerOID      pgtypes.OID = 10
	databaseOID   pgtypes.OID = 16384
	tablespaceOID pgtypes.OID = 1663
	heapOID       pgtypes.OID = 2
	btreeOID      pgtypes.OID = 403
	collationOID  pgtypes.OID = 100
	langSQLOID    pgtypes.OID = 14

	langInternalOID pgtypes.OID = 12

	// indexOffset is added to a relation's OID to make that of its primary key's
	// index, constraintOffset for the constraint.
	indexOffset      pgtypes.OID = 100_000
	constraintOffset pgtypes.OID = 200_000
	rowTypeOffset    pgtypes.OID = 300_000
	// defaultsOffset is where the OIDs of the columns' defaults begin.
	defaultsOffset pgtypes.OID = 1_000_000
)

// A Catalog holds the objects of the database. Objects are added when the
// gateway starts; look-ups may run at the same time as additions.
type Catalog struct {
	database string
	owner    string
	users    func() []Role // nil: none

	mu        sync.RWMutex
	relations map[string]entry // by "schema.name"
	byOID     map[pgtypes.OID]entry
	functions map[string]TableFunction
	internal  map[string]Table
	temporary pgtypes.OID // of the next temporary table; 0: not a session's own catalog
	view      pgtypes.OID // the highest that NewViewOID has given
	changes   uint64      // of stored views, or in a session's own catalog those of shared that it has
	shared    *Catalog    // of a session's own catalog
}

// An entry is a relation; table is nil for a view.
type entry struct {
	rel   *Relation
	table Table
}

// New makes a catalog with the system relations and nothing else.
func New(database, owner string) *Catalog {
	c := &Catalog{
		database: database, owner: owner,
		relations: make(map[string]entry), byOID: make(map[pgtypes.OID]entry),
		functions: make(map[string]TableFunction), internal: make(map[string]Table),
	}
	for _, t := range systemTables(c) {
		c.AddTable(t)
	}
	return c
}

// AddTable adds a relation that can be scanned; one of the same name is replaced.
func (c *Catalog) AddTable(t Table) { c.add(entry{t.Relation(), t}) }

// AddView adds a view: a relation with a Definition.
func (c *Catalog) AddView(rel *Relation) { c.add(entry{rel: rel}) }

func (c *Catalog) add(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := e.rel.Schema + "." + e.rel.Name
	if old, ok := c.relations[name]; ok {
		delete(c.byOID, old.rel.OID)
	}
	c.relations[name] = e
	c.byOID[e.rel.OID] = e
}

// AddInternal adds a table that only the system's own queries may read, before
// the catalog is used. No list shows it.
func (c *Catalog) AddInternal(t Table) { c.internal[t.Relation().Name] = t }

// Internal finds such a table, or nil.
func (c *Catalog) Internal(name string) Table { return c.internal[name] }

// AddFunction adds a table function, which lives in schema public.
func (c *Catalog) AddFunction(f TableFunction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.functions[f.Relation().Name] = f
}

// Relation finds a table or a view. With an empty schema it searches path, the
// system schema first, as PostgreSQL does. Both results are nil where there is
// none; a view has no Table.
func (c *Catalog) Relation(schema, name string, path []string) (Table, *Relation) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if schema == "" && c.temporary != 0 {
		if e, ok := c.relations[TemporarySchema+"."+name]; ok {
			return e.table, e.rel
		}
	}
	if schema == temporaryAlias {
		schema = TemporarySchema
	}
	for _, s := range searched(schema, path) {
		if e, ok := c.relations[s+"."+name]; ok {
			return e.table, e.rel
		}
	}
	return nil, nil
}

// searched lists the schemas to look a name up in.
func searched(schema string, path []string) []string {
	switch {
	case schema != "":
		return []string{schema}
	case slices.Contains(path, SystemSchema):
		return path
	default:
		return append([]string{SystemSchema}, path...)
	}
}

// TableFunction finds a function in FROM whose rows come from below, or nil.
func (c *Catalog) TableFunction(schema, name string, path []string) TableFunction {
	if !slices.Contains(searched(schema, path), PublicSchema) {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.functions[name]
}

// Type finds a type that package pgtypes does not know: the row type of a relation.
func (c *Catalog) Type(schema, name string, path []string) (pgtypes.OID, bool) {
	_, rel := c.Relation(schema, name, path)
	if rel == nil {
		return 0, false
	}
	return rel.OID + rowTypeOffset, true
}

// HasSchema reports whether there is a schema of that name.
func (c *Catalog) HasSchema(name string) bool {
	return schemaOID(name) != 0
}

// A schema that every database has.
type schema struct {
	oid           pgtypes.OID
	name, comment string
}

// schemas lists the schemas with their OIDs and comments.
var schemas = []schema{
	{systemOID, SystemSchema, "system catalog schema"},
	{99, "pg_toast", "reserved schema for TOAST tables"},
	{publicOID, PublicSchema, "standard public schema"},
	{informationOID, InformationSchema, ""},
}

func schemaOID(name string) pgtypes.OID {
	if name == TemporarySchema || name == temporaryAlias {
		return temporaryOID
	}
	for _, s := range schemas {
		if s.name == name {
			return s.oid
		}
	}
	return 0
}

// Relations lists all relations by OID.
func (c *Catalog) Relations() []*Relation {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]*Relation, 0, len(c.relations))
	for _, e := range c.relations {
		list = append(list, e.rel)
	}
	slices.SortFunc(list, func(a, b *Relation) int { return cmp.Compare(a.OID, b.OID) })
	return list
}

// TableFunctions lists the table functions by OID.
func (c *Catalog) TableFunctions() []TableFunction {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]TableFunction, 0, len(c.functions))
	for _, f := range c.functions {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b TableFunction) int { return cmp.Compare(a.Relation().OID, b.Relation().OID) })
	return list
}

var _ expr.Catalog = (*Catalog)(nil)
