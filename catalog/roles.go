package catalog

import (
	"slices"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A Role is a user, or a group that users are members of.
type Role struct {
	OID             pgtypes.OID
	Name            string
	Login           bool
	Verifier        string   // of its password; "": it has none
	MemberOf        []string // names of roles
	Settings        []string // name=value, of its sessions
	ValidUntil      any      // timestamptz of its password; nil: for ever
	ConnectionLimit int64    // -1: none
}

// The roles that there always are. The owner may do everything; the others are
// what users are made members of.
const (
	Reader    = "reader"    // reads everything
	Commenter = "commenter" // and writes comments
	Ingester  = "ingester"  // writes telemetry
	Admin     = "admin"     // may do everything
)

// fixedRoles have OIDs that clients may keep.
var fixedRoles = []Role{
	{OID: 11001, Name: Reader, ConnectionLimit: -1},
	{OID: 11002, Name: Commenter, MemberOf: []string{Reader}, ConnectionLimit: -1},
	{OID: 11003, Name: Ingester, ConnectionLimit: -1},
	{OID: 11004, Name: Admin, ConnectionLimit: -1},
}

// SetRoles says where the roles are that users have made.
func (c *Catalog) SetRoles(list func() []Role) { c.users = list }

// Roles gives the owner, the fixed roles, and those that users have made.
func (c *Catalog) Roles() []Role {
	if c.users == nil {
		return c.WithFixed(nil)
	}
	return c.WithFixed(c.users())
}

// WithFixed completes a list of roles as they are stored: of the owner there may
// be its password and settings.
func (c *Catalog) WithFixed(stored []Role) []Role {
	owner := Role{OID: ownerOID, Name: c.owner, Login: true, MemberOf: []string{Admin}, ConnectionLimit: -1}
	list := append([]Role{owner}, fixedRoles...)
	for _, r := range stored {
		if r.Name == c.owner {
			r.OID, r.MemberOf, r.Login = ownerOID, owner.MemberOf, true
			list[0] = r
			continue
		}
		list = append(list, r)
	}
	return list
}

// Role finds a role by its name.
func (c *Catalog) Role(name string) (Role, bool) {
	list := c.Roles()
	if at := slices.IndexFunc(list, func(r Role) bool { return r.Name == name }); at >= 0 {
		return list[at], true
	}
	return Role{}, false
}

// Fixed reports whether a role can be neither made nor dropped.
func (c *Catalog) Fixed(name string) bool {
	return name == c.owner || slices.ContainsFunc(fixedRoles, func(r Role) bool { return r.Name == name })
}

// Member reports whether a role is another one, or a member of it by any number of steps.
func (c *Catalog) Member(role, of string) bool { return Member(c.Roles(), role, of) }

// Member is Catalog.Member over a list of roles.
func Member(list []Role, role, of string) bool {
	seen := make(map[string]bool)
	var is func(name string) bool
	is = func(name string) bool {
		if name == of {
			return true
		}
		if seen[name] {
			return false
		}
		seen[name] = true
		at := slices.IndexFunc(list, func(r Role) bool { return r.Name == name })
		return at >= 0 && slices.ContainsFunc(list[at].MemberOf, is)
	}
	return is(role)
}

func roleRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, r := range c.Roles() {
		super := c.Member(r.Name, Admin)
		row := map[string]any{
			"oid": oid(r.OID), "rolname": r.Name, "rolsuper": super, "rolinherit": true,
			"rolcreaterole": super, "rolcreatedb": super, "rolcanlogin": r.Login, "rolreplication": r.OID == ownerOID,
			"rolbypassrls": super, "rolconnlimit": r.ConnectionLimit, "rolvaliduntil": r.ValidUntil, "rolpassword": hiddenPassword,
		}
		if len(r.Settings) > 0 {
			row["rolconfig"] = textArray(r.Settings)
		}
		add(row)
	}
}

// hiddenPassword is what PostgreSQL shows in place of a password.
const hiddenPassword = "********"

func userRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, r := range c.Roles() {
		if !r.Login {
			continue
		}
		super := c.Member(r.Name, Admin)
		row := map[string]any{
			"usename": r.Name, "usesysid": oid(r.OID), "usecreatedb": super, "usesuper": super,
			"userepl": r.OID == ownerOID, "usebypassrls": super, "passwd": hiddenPassword, "valuntil": r.ValidUntil,
		}
		if len(r.Settings) > 0 {
			row["useconfig"] = textArray(r.Settings)
		}
		add(row)
	}
}

func groupRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	list := c.Roles()
	for _, g := range list {
		if g.Login {
			continue
		}
		var members []any
		for _, r := range list {
			if slices.Contains(r.MemberOf, g.Name) {
				members = append(members, oid(r.OID))
			}
		}
		add(map[string]any{"groname": g.Name, "grosysid": oid(g.OID), "grolist": pgtypes.NewArray(pgtypes.Oid, members)})
	}
}

func memberRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, r := range c.Roles() {
		for _, name := range r.MemberOf {
			if g, ok := c.Role(name); ok {
				add(map[string]any{
					"roleid": oid(g.OID), "member": oid(r.OID), "grantor": oid(ownerOID), "admin_option": false,
				})
			}
		}
	}
}

func textArray(list []string) *pgtypes.Array {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return pgtypes.NewArray(pgtypes.Text, values)
}
