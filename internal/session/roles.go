package session

import (
	"context"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/scram"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
	"github.com/tael-sql/tael-sql/tables"
)

// roleStatement is CREATE, ALTER and DROP ROLE, GRANT and REVOKE of roles.
func (s *Session) roleStatement(ctx context.Context, st *syntax.Statement) (string, error) {
	if s.settings.get("transaction_read_only") == "on" {
		return "", pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", st.Tag)
	}
	env := s.env(ctx)
	defer release(env)
	switch n := st.Node.Node.(type) {
	case *pg.Node_CreateRoleStmt:
		return st.Tag, s.createRole(env, n.CreateRoleStmt)
	case *pg.Node_AlterRoleStmt:
		return st.Tag, s.alterRole(env, n.AlterRoleStmt)
	case *pg.Node_AlterRoleSetStmt:
		return st.Tag, s.alterRoleSettings(env, n.AlterRoleSetStmt)
	case *pg.Node_DropRoleStmt:
		return st.Tag, s.dropRoles(env, n.DropRoleStmt)
	case *pg.Node_GrantRoleStmt:
		return st.Tag, s.grantRoles(env, n.GrantRoleStmt)
	}
	return "", pgerr.New(pgerr.FeatureNotSupported, "%s of privileges on objects is not supported", st.Tag).
		WithHint("Grant one of the roles reader, commenter, ingester and admin.")
}

var errDenied = pgerr.New(pgerr.InsufficientPrivilege, "permission denied")

func denied(what string) error {
	return pgerr.New(pgerr.InsufficientPrivilege, "permission denied to %s", what)
}

func (s *Session) createRole(env *expr.Env, n *pg.CreateRoleStmt) error {
	if !s.isAdmin() {
		return denied("create role")
	}
	if err := roleName(n.Role); err != nil {
		return err
	}
	if s.handler.opts.Catalog.Fixed(n.Role) {
		return pgerr.New(pgerr.DuplicateObject, "role \"%s\" already exists", n.Role)
	}
	r := catalog.Role{Name: n.Role, Login: n.StmtType == pg.RoleStmtType_ROLESTMT_USER, ConnectionLimit: -1}
	members, err := s.roleOptions(env, &r, n.Options)
	if err != nil {
		return err
	}
	if err := tables.CreateRole(env, r); err != nil {
		return err
	}
	for _, m := range members {
		if err := s.change(env, m, func(of *catalog.Role) { of.MemberOf = with(of.MemberOf, r.Name) }); err != nil {
			return err
		}
	}
	return nil
}

// roleName refuses the names that mean something else in a statement.
func roleName(name string) error {
	switch {
	case name == "public" || name == "none":
		return pgerr.New("42939", "role name \"%s\" is reserved", name)
	case strings.HasPrefix(name, "pg_"):
		return pgerr.New("42939", "role name \"%s\" is reserved", name).
			WithDetail("Role names starting with \"pg_\" are reserved.")
	}
	return nil
}

// roleOptions applies the options of CREATE and ALTER ROLE, and gives the roles
// that are to become members.
func (s *Session) roleOptions(env *expr.Env, r *catalog.Role, options []*pg.Node) (members []string, err error) {
	for _, o := range options {
		d := o.GetDefElem()
		on := constText(d.Arg) == "true"
		switch d.Defname {
		case "password":
			r.Verifier = ""
			if text := constText(d.Arg); text != "" {
				if r.Verifier, err = verifier(text); err != nil {
					return nil, err
				}
			}
		case "canlogin":
			r.Login = on
		case "superuser":
			r.MemberOf = slices.DeleteFunc(r.MemberOf, func(m string) bool { return m == catalog.Admin })
			if on {
				r.MemberOf = append(r.MemberOf, catalog.Admin)
			}
		case "inherit": // memberships always count
		case "createrole", "createdb", "isreplication", "bypassrls":
			if on {
				return nil, pgerr.New(pgerr.FeatureNotSupported, "role attribute %s is not supported", strings.ToUpper(d.Defname)).
					WithHint("Members of the role admin may do everything.")
			}
		case "connectionlimit":
			if r.ConnectionLimit = int64(d.Arg.GetInteger().GetIval()); r.ConnectionLimit != -1 {
				return nil, pgerr.New(pgerr.FeatureNotSupported, "connection limits of roles are not supported")
			}
		case "validUntil":
			if r.ValidUntil, err = pgtypes.DecodeText(pgtypes.Of(pgtypes.Timestamptz), constText(d.Arg), s.settings.style()); err != nil {
				return nil, err
			}
		case "addroleto":
			for _, name := range roleNames(d.Arg.GetList().GetItems(), s) {
				if _, err := s.findRole(env, name); err != nil {
					return nil, err
				}
				r.MemberOf = with(r.MemberOf, name)
			}
		case "rolemembers", "adminmembers":
			members = append(members, roleNames(d.Arg.GetList().GetItems(), s)...)
		default:
			return nil, pgerr.New(pgerr.FeatureNotSupported, "role option \"%s\" is not supported", d.Defname)
		}
	}
	return members, nil
}

// verifier makes what is kept of a password; one that a client has made is taken
// as it is.
func verifier(password string) (string, error) {
	if v, ok := scram.Parse(password); ok {
		return v.String(), nil
	}
	if len(password) == 35 && strings.HasPrefix(password, "md5") {
		return "", pgerr.New(pgerr.FeatureNotSupported, "MD5-encrypted passwords are not supported")
	}
	return scram.NewVerifier(password).String(), nil
}

func missingRole(name string) error {
	return pgerr.New(pgerr.UndefinedObject, "role \"%s\" does not exist", name)
}

// with adds a name to a list that may have it.
func with(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(slices.Clone(list), name)
}

// roleNames gives the names of a list, CURRENT_USER and its like resolved.
func roleNames(list []*pg.Node, s *Session) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = s.roleSpec(n.GetRoleSpec())
	}
	return names
}

func (s *Session) roleSpec(r *pg.RoleSpec) string {
	switch r.GetRoletype() {
	case pg.RoleSpecType_ROLESPEC_CURRENT_USER, pg.RoleSpecType_ROLESPEC_CURRENT_ROLE, pg.RoleSpecType_ROLESPEC_SESSION_USER:
		return s.startup.User
	case pg.RoleSpecType_ROLESPEC_PUBLIC:
		return "public"
	}
	return r.GetRolename()
}

// findRole finds a role as the transaction sees it, or fails with 42704.
func (s *Session) findRole(env *expr.Env, name string) (catalog.Role, error) {
	stored, err := tables.RolesOf(env)
	if err != nil {
		return catalog.Role{}, err
	}
	list := s.handler.opts.Catalog.WithFixed(stored)
	if at := slices.IndexFunc(list, func(r catalog.Role) bool { return r.Name == name }); at >= 0 {
		return list[at], nil
	}
	return catalog.Role{}, missingRole(name)
}

// change changes a role that there is. Of the fixed roles, only what belongs to
// the owner's sessions can be changed.
func (s *Session) change(env *expr.Env, name string, change func(*catalog.Role)) error {
	found, err := tables.AlterRole(env, name, change)
	if found || err != nil {
		return err
	}
	r, err := s.findRole(env, name)
	switch {
	case err != nil:
		return err
	case name != s.handler.opts.User:
		return errDenied
	}
	change(&r)
	return tables.CreateRole(env, r)
}

func (s *Session) alterRole(env *expr.Env, n *pg.AlterRoleStmt) error {
	name := s.roleSpec(n.Role)
	onlyPassword := len(n.Options) == 1 && n.Options[0].GetDefElem().GetDefname() == "password"
	if !s.isAdmin() && (name != s.startup.User || !onlyPassword) {
		return errDenied
	}
	var members []string
	var optionsErr error
	err := s.change(env, name, func(r *catalog.Role) { members, optionsErr = s.roleOptions(env, r, n.Options) })
	if optionsErr != nil {
		return optionsErr
	}
	for _, m := range members {
		if err == nil {
			err = s.change(env, m, func(r *catalog.Role) { r.MemberOf = with(r.MemberOf, name) })
		}
	}
	return err
}

// alterRoleSettings is ALTER ROLE … SET and RESET, which the role's next
// sessions begin with.
func (s *Session) alterRoleSettings(env *expr.Env, n *pg.AlterRoleSetStmt) error {
	if n.Role == nil || n.Database != "" {
		return pgerr.New(pgerr.FeatureNotSupported, "settings of all roles, or of a role in a database, are not supported")
	}
	name := s.roleSpec(n.Role)
	if !s.isAdmin() && name != s.startup.User {
		return errDenied
	}
	set := n.Setstmt
	value, clear := "", set.Kind != pg.VariableSetKind_VAR_SET_VALUE
	if !clear {
		values := make([]string, len(set.Args))
		for i, a := range set.Args {
			values[i] = constText(a)
		}
		value = strings.Join(values, ", ")
		mark := s.settings.mark() // whether it is valid shows here
		err := s.settings.set(set.Name, value, false, false)
		s.settings.rollbackTo(mark)
		if err != nil {
			return err
		}
	}
	return s.change(env, name, func(r *catalog.Role) {
		r.Settings = slices.DeleteFunc(slices.Clone(r.Settings), func(kv string) bool {
			return set.Kind == pg.VariableSetKind_VAR_RESET_ALL || strings.HasPrefix(kv, set.Name+"=")
		})
		if !clear {
			r.Settings = append(r.Settings, set.Name+"="+value)
		}
	})
}

func (s *Session) dropRoles(env *expr.Env, n *pg.DropRoleStmt) error {
	if !s.isAdmin() {
		return denied("drop role")
	}
	for _, name := range roleNames(n.Roles, s) {
		switch {
		case name == s.startup.User:
			return pgerr.New(pgerr.ObjectInUse, "current user cannot be dropped")
		case s.handler.opts.Catalog.Fixed(name):
			return pgerr.New("2BP01", "cannot drop role %s because it is required by the database system", name)
		}
		found, err := tables.DropRole(env, name)
		switch {
		case err != nil:
			return err
		case !found && n.MissingOk:
			s.notice("role \"" + name + "\" does not exist, skipping")
			continue
		case !found:
			return missingRole(name)
		}
		list, err := tables.RolesOf(env)
		if err != nil {
			return err
		}
		for _, r := range list { // its members
			if slices.Contains(r.MemberOf, name) && r.Name != name {
				if _, err := tables.AlterRole(env, r.Name, func(m *catalog.Role) { m.MemberOf = without(m.MemberOf, name) }); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// notice tells the client, unless it wants to hear of worse alone.
func (s *Session) notice(text string) { s.noticeOf(pgerr.New(pgerr.SuccessfulCompletion, "%s", text)) }

func (s *Session) noticeOf(e *pgerr.Error) {
	switch s.settings.get("client_min_messages") {
	case "warning", "error", "fatal", "panic":
		return
	}
	s.startup.Conn.Notice("NOTICE", e)
}

// grantRoles makes roles members of others, or no longer.
func (s *Session) grantRoles(env *expr.Env, n *pg.GrantRoleStmt) error {
	for _, g := range n.GrantedRoles {
		group := g.GetAccessPriv().GetPrivName()
		if _, err := s.findRole(env, group); err != nil {
			return err
		}
		if !s.isAdmin() {
			return pgerr.New(pgerr.InsufficientPrivilege, "must have admin option on role \"%s\"", group)
		}
		for _, name := range roleNames(n.GranteeRoles, s) {
			role, err := s.findRole(env, name)
			if err != nil {
				return err
			}
			list, err := tables.RolesOf(env)
			if err != nil {
				return err
			}
			direct := slices.Contains(role.MemberOf, group)
			switch {
			case n.IsGrant && catalog.Member(s.handler.opts.Catalog.WithFixed(list), group, name):
				return pgerr.New("0LP01", "role \"%s\" is a member of role \"%s\"", group, name)
			case n.IsGrant && direct:
				s.notice("role \"" + name + "\" is already a member of role \"" + group + "\"")
				continue
			case !n.IsGrant && !direct:
				s.warn(pgerr.Code("01000"), "role \""+name+"\" is not a member of role \""+group+"\"")
				continue
			}
			err = s.change(env, name, func(r *catalog.Role) {
				if n.IsGrant {
					r.MemberOf = with(r.MemberOf, group)
				} else {
					r.MemberOf = without(r.MemberOf, group)
				}
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
