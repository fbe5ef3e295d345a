package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// Kinds of objects that no reg* type names, for Catalog.NameToOID and
// OIDToName: the OIDs of the system catalogs that hold them.
const (
	KindDatabase   pgtypes.OID = 1262 // pg_database
	KindTablespace pgtypes.OID = 1213 // pg_tablespace
	KindLanguage   pgtypes.OID = 2612 // pg_language
	KindServer     pgtypes.OID = 1417 // pg_foreign_server
	KindWrapper    pgtypes.OID = 2328 // pg_foreign_data_wrapper
)

// A securable is a kind of object that privileges are granted on.
type securable struct {
	word    string // in has_word_privilege
	kind    pgtypes.OID
	rights  string
	code    pgerr.Code // of the error for a name that does not exist
	missing string     // its text
}

var securables = []securable{
	{"table", pgtypes.Regclass, "SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER RULE", pgerr.UndefinedTable, "relation \"%s\" does not exist"},
	{"any_column", pgtypes.Regclass, "SELECT INSERT UPDATE REFERENCES", pgerr.UndefinedTable, "relation \"%s\" does not exist"},
	{"sequence", pgtypes.Regclass, "USAGE SELECT UPDATE", pgerr.UndefinedTable, "relation \"%s\" does not exist"},
	{"schema", pgtypes.Regnamespace, "CREATE USAGE", pgerr.InvalidSchemaName, "schema \"%s\" does not exist"},
	{"database", KindDatabase, "CREATE CONNECT TEMPORARY TEMP", pgerr.InvalidCatalogName, "database \"%s\" does not exist"},
	{"function", pgtypes.Regprocedure, "EXECUTE", pgerr.UndefinedFunction, "function \"%s\" does not exist"},
	{"language", KindLanguage, "USAGE", pgerr.UndefinedObject, "language \"%s\" does not exist"},
	{"tablespace", KindTablespace, "CREATE", pgerr.UndefinedObject, "tablespace \"%s\" does not exist"},
	{"type", pgtypes.Regtype, "USAGE", pgerr.UndefinedObject, "type \"%s\" does not exist"},
	{"server", KindServer, "USAGE", pgerr.UndefinedObject, "server \"%s\" does not exist"},
	{"foreign_data_wrapper", KindWrapper, "USAGE", pgerr.UndefinedObject, "foreign-data wrapper \"%s\" does not exist"},
}

// privilegeFunctions makes has_*_privilege and pg_has_role in all their forms:
// with and without a user, objects by name and by OID. Of an object that does
// not exist the answer is an error by its name and NULL by its OID.
func privilegeFunctions() map[string]impl {
	m := make(map[string]impl)
	for _, s := range securables {
		for _, object := range []string{"text", "oid"} {
			for _, user := range []string{"", "name,", "oid,"} {
				m["has_"+s.word+"_privilege("+user+object+",text)"] = s.check(user != "")
			}
		}
	}
	columns := securables[1]
	for _, object := range []string{"text", "oid"} {
		for _, user := range []string{"", "name,", "oid,"} {
			for _, column := range []string{"text", "int2"} {
				m["has_column_privilege("+user+object+","+column+",text)"] = columns.checkColumn(user != "")
			}
		}
	}
	for _, user := range []string{"", "name,", "oid,"} {
		m["has_parameter_privilege("+user+"text,text)"] = raw(func(env *Env, _ *Call, args []any) (any, error) {
			args, role, err := asUser(env, args, user != "")
			if err == nil {
				err = knownRights(args[1], "SET ALTER SYSTEM")
			}
			return role != "", err
		})
		for _, role := range []string{"name", "oid"} {
			m["pg_has_role("+user+role+",text)"] = raw(func(env *Env, _ *Call, args []any) (any, error) {
				args, role, err := asUser(env, args, user != "")
				if err != nil {
					return nil, err
				}
				if err := knownRights(args[1], "USAGE MEMBER"); err != nil {
					return nil, err
				}
				_, of, err := asUser(env, args, true)
				return role != "" && of != "" && (env.May == nil || env.May(role, "MEMBER", "", of)), err
			})
		}
	}
	return m
}

// asUser takes the role off the arguments; "" is one that may nothing.
func asUser(env *Env, args []any, named bool) (rest []any, role string, err error) {
	if !named {
		return args, env.User, nil
	}
	cat := env.catalog()
	switch user := args[0].(type) {
	case string:
		if _, ok := cat.NameToOID(pgtypes.Regrole, quoteIdent(user), nil); !ok && user != "public" {
			return nil, "", regMissing(pgtypes.Regrole, user)
		}
		return args[1:], strings.TrimSuffix(user, "public"), nil
	case int64:
		role, _ := cat.OIDToName(pgtypes.Regrole, pgtypes.OID(user), nil)
		return args[1:], role, nil
	}
	return args[1:], "", nil
}

// allowed reports whether a role has one of a list of rights on an object. What
// PostgreSQL gives everybody (USAGE, CONNECT, EXECUTE, TEMPORARY), everybody has.
func (s securable) allowed(env *Env, role string, list any, object pgtypes.OID) bool {
	if role == "" || env.May == nil {
		return role != ""
	}
	schema, name := "", ""
	if s.kind == pgtypes.Regclass {
		qualified, _ := env.catalog().OIDToName(s.kind, object, nil)
		var ok bool
		if schema, name, ok = strings.Cut(qualified, "."); !ok {
			schema, name = "pg_catalog", qualified
		}
	}
	for right := range strings.SplitSeq(list.(string), ",") {
		right = strings.ToUpper(strings.TrimSpace(right))
		switch right {
		case "USAGE", "CONNECT", "TEMP", "TEMPORARY":
			return true
		case "EXECUTE":
			schema, name = "pg_catalog", ""
		}
		if env.May(role, right, schema, name) {
			return true
		}
	}
	return false
}

// knownRights checks a list such as "SELECT, INSERT WITH GRANT OPTION".
func knownRights(list any, known string) error {
	for right := range strings.SplitSeq(list.(string), ",") {
		right = strings.TrimSpace(right)
		name := strings.ToUpper(right)
		for _, option := range []string{" WITH GRANT OPTION", " WITH ADMIN OPTION"} {
			name = strings.TrimSuffix(name, option)
		}
		if name == "" || !strings.Contains(" "+known+" ", " "+name+" ") {
			return pgerr.New(pgerr.InvalidParameterValue, "unrecognized privilege type: \"%s\"", right)
		}
	}
	return nil
}

// find gives the object of an argument, 0 if an OID names none.
func (s securable) find(env *Env, arg any) (pgtypes.OID, error) {
	cat := env.catalog()
	switch object := arg.(type) {
	case string:
		if oid, ok := cat.NameToOID(s.kind, object, env.SearchPath); ok {
			return oid, nil
		}
		return 0, pgerr.New(s.code, s.missing, object)
	case int64:
		if _, ok := cat.OIDToName(s.kind, pgtypes.OID(object), env.SearchPath); ok {
			return pgtypes.OID(object), nil
		}
	}
	return 0, nil
}

func (s securable) check(named bool) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		args, role, err := asUser(env, args, named)
		if err != nil {
			return nil, err
		}
		object, err := s.find(env, args[0])
		if err != nil {
			return nil, err
		}
		if err := knownRights(args[1], s.rights); err != nil {
			return nil, err
		}
		if object == 0 {
			return nil, nil
		}
		return s.allowed(env, role, args[1], object), nil
	})
}

func (s securable) checkColumn(named bool) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		args, role, err := asUser(env, args, named)
		if err != nil {
			return nil, err
		}
		object, err := s.find(env, args[0])
		if err != nil {
			return nil, err
		}
		if err := knownRights(args[2], s.rights); err != nil || object == 0 {
			return nil, err
		}
		found, err := env.catalog().Describe(env, "has_column_privilege", []any{int64(object), args[1]})
		if err != nil || found == nil {
			return nil, err
		}
		return s.allowed(env, role, args[2], object), nil
	})
}
