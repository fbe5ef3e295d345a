package tables

import (
	"sync"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// rolesID is on disk.
const rolesID = 3

// firstRoleOID is where the OIDs of roles that users make begin, as those of
// PostgreSQL's own objects end there.
const firstRoleOID = 16384

// roles is the keyed table of roles: rows like those of comments, which no
// statement sees. The columns' order is on disk.
var roles = &keyed{id: rolesID, rel: &catalog.Relation{
	Name: "roles", Kind: 'r', PrimaryKey: []int{0},
	Columns: []catalog.Column{
		{Name: "name", Type: pgtypes.Of(pgtypes.Text), NotNull: true},
		{Name: "oid", Type: pgtypes.Of(pgtypes.Int8), NotNull: true},
		{Name: "login", Type: pgtypes.Of(pgtypes.Bool), NotNull: true},
		{Name: "verifier", Type: pgtypes.Of(pgtypes.Text)},
		{Name: "member_of", Type: pgtypes.Of(pgtypes.TextArray), NotNull: true},
		{Name: "settings", Type: pgtypes.Of(pgtypes.TextArray), NotNull: true},
		{Name: "valid_until", Type: pgtypes.Of(pgtypes.Timestamptz)},
		{Name: "connection_limit", Type: pgtypes.Of(pgtypes.Int8), NotNull: true},
	},
}}

// A roleCache keeps the roles as they were committed last.
type roleCache struct {
	mu    sync.Mutex // guards what follows
	list  []catalog.Role
	known bool   // list is what is committed
	count uint64 // of changes
}

// forget is called once a change is visible.
func (c *roleCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.known = nil, false
	c.count++
}

func (c *roleCache) get() (list []catalog.Role, known bool, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list, c.known, c.count
}

// put keeps a list that was read when there had been count changes.
func (c *roleCache) put(list []catalog.Role, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == count {
		c.list, c.known = list, true
	}
}

func roleOf(row []any) catalog.Role {
	r := catalog.Role{
		Name: row[0].(string), OID: pgtypes.OID(row[1].(int64)), Login: row[2].(bool),
		MemberOf: textsOf(row[4]), Settings: textsOf(row[5]), ValidUntil: row[6], ConnectionLimit: row[7].(int64),
	}
	r.Verifier, _ = row[3].(string)
	return r
}

func rowOf(r catalog.Role) []any {
	var verifier any
	if r.Verifier != "" {
		verifier = r.Verifier
	}
	return []any{r.Name, int64(r.OID), r.Login, verifier, textArray(r.MemberOf), textArray(r.Settings), r.ValidUntil, r.ConnectionLimit}
}

func textsOf(v any) (list []string) {
	for _, e := range v.(*pgtypes.Array).Elems {
		list = append(list, e.(string))
	}
	return list
}

func textArray(list []string) *pgtypes.Array {
	elems := make([]any, len(list))
	for i, s := range list {
		elems[i] = s
	}
	return pgtypes.NewArray(pgtypes.Text, elems)
}

// Roles gives the roles that users have made, and what they have set of the
// owner, as committed last.
func (s *Store) Roles() ([]catalog.Role, error) {
	list, known, count := s.roles.get()
	if known {
		return list, nil
	}
	v := s.db.View()
	defer v.Release()
	for stored, err := range v.Keyed(rolesID, nil, nil) {
		if err != nil {
			return nil, storageError(err)
		}
		row, err := roles.decode(stored.Value)
		if err != nil {
			return nil, err
		}
		list = append(list, roleOf(row))
	}
	s.roles.put(list, count)
	return list, nil
}

// RolesOf gives the roles as a statement's transaction sees them.
func RolesOf(env *expr.Env) (list []catalog.Role, err error) {
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	for row, err := range roles.rows(s, "") {
		if err != nil {
			return nil, err
		}
		list = append(list, roleOf(row))
	}
	return list, nil
}

// role finds the row of a role in a statement's snapshot.
func role(env *expr.Env, name string) ([]any, error) {
	s, err := snapshot(env)
	if err != nil {
		return nil, err
	}
	for row, err := range roles.rows(s, roles.key([]any{name})) {
		return row, err
	}
	return nil, nil
}

// CreateRole adds a role in the statement's transaction, and gives it an OID.
func CreateRole(env *expr.Env, r catalog.Role) error {
	list, err := RolesOf(env)
	if err != nil {
		return err
	}
	r.OID = firstRoleOID
	for _, other := range list {
		r.OID = max(r.OID, other.OID+1)
	}
	existing, err := roles.Insert(env, rowOf(r))
	if err == nil && existing != nil {
		err = pgerr.New(pgerr.DuplicateObject, "role \"%s\" already exists", r.Name)
	}
	return err
}

// AlterRole changes a role; found is false if it has no row.
func AlterRole(env *expr.Env, name string, change func(*catalog.Role)) (found bool, err error) {
	old, err := role(env, name)
	if err != nil || old == nil {
		return false, err
	}
	r := roleOf(old)
	change(&r)
	return true, roles.Update(env, old, rowOf(r))
}

// DropRole removes a role; found is
// false if it has no row.
func DropRole(env *expr.Env, name string) (found bool, err error) {
	old, err := role(env, name)
	if err != nil || old == nil {
		return false, err
	}
	return true, roles.Delete(env, old)
}
