package expr

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// versionText is what version() says: PostgreSQL's text first, since clients
// parse it.
const versionText = "PostgreSQL 15.13 on x86_64-pc-linux-gnu, compiled by tael-sql, 64-bit"

// asked is a function that the catalog answers by the OID in its first argument.
func asked(name string) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		object, ok := args[0].(int64)
		if !ok || env.Session == nil {
			return nil, nil
		}
		sub := int64(0)
		if len(args) > 1 {
			sub, _ = args[1].(int64)
		}
		return env.Session.Catalog().Describe(name, pgtypes.OID(object), sub, env.SearchPath)
	})
}

func setting(env *Env, name string, missingOK bool) (any, error) {
	if env.Session != nil {
		if v, ok := env.Session.Setting(name); ok {
			return v, nil
		}
	}
	if missingOK {
		return nil, nil
	}
	return nil, pgerr.New(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

func nameArray(names ...string) *pgtypes.Array {
	elems := make([]any, len(names))
	for i, n := range names {
		elems[i] = n
	}
	return pgtypes.NewArray(pgtypes.Name, elems)
}

// always answers with a constant, whatever the arguments are.
func always(v any) impl {
	return raw(func(*Env, *Call, []any) (any, error) { return v, nil })
}

func formatTypeOf(_ *Env, _ *Call, args []any) (any, error) {
	oid, ok := args[0].(int64)
	if !ok {
		return nil, nil
	}
	mod := int64(-1)
	if m, ok := args[1].(int64); ok {
		mod = m
	}
	if oid == 0 {
		return "-", nil
	}
	return pgtypes.FormatType(pgtypes.Type{OID: pgtypes.OID(oid), Mod: int32(mod)}), nil
}

func sizePretty(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB"}
	size, u := float64(n), 0
	for (size >= 10240 || size <= -10240) && u < len(units)-1 {
		size /= 1024
		u++
	}
	return fmt.Sprintf("%.0f %s", size, units[u])
}

// sleep waits in the statement's context.
func sleep(env *Env, _ *Call, args []any) (any, error) {
	t := time.NewTimer(time.Duration(args[0].(float64) * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return "", nil
	case <-env.Ctx.Done():
		return nil, env.Ctx.Err()
	}
}

// indexColumnProperty tells what a column of an index can do: all are b-trees
// in ascending order.
func indexColumnProperty(_ *Env, _ *Call, args []any) (any, error) {
	switch strings.ToLower(args[2].(string)) {
	case "asc", "nulls_last", "orderable", "returnable", "search_array", "search_nulls":
		return true, nil
	case "desc", "nulls_first", "distance_orderable":
		return false, nil
	}
	return nil, nil
}

func systemFunctions() map[string]impl {
	m := map[string]impl{
		"version()":          always(versionText),
		"current_database()": withEnv(func(env *Env) (any, error) { return env.Database, nil }),
		"current_schema()": withEnv(func(env *Env) (any, error) {
			if len(env.SearchPath) == 0 {
				return nil, nil
			}
			return env.SearchPath[0], nil
		}),
		"current_schemas(bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			path := env.SearchPath
			if args[0].(bool) {
				path = append([]string{"pg_catalog"}, path...)
			}
			return nameArray(path...), nil
		}),
		"current_user()":  withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"session_user()":  withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"getpgusername()": withEnv(func(env *Env) (any, error) { return env.User, nil }),
		"pg_backend_pid()": withEnv(func(env *Env) (any, error) {
			if env.Session == nil {
				return int64(0), nil
			}
			return env.Session.BackendPID(), nil
		}),
		"current_setting(text)": raw(func(env *Env, _ *Call, args []any) (any, error) { return setting(env, args[0].(string), false) }),
		"current_setting(text,bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			return setting(env, args[0].(string), args[1].(bool))
		}),
		"set_config(text,text,bool)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			name, ok := args[0].(string)
			value, _ := args[1].(string)
			local, _ := args[2].(bool)
			if !ok || env.Session == nil {
				return nil, pgerr.New(pgerr.InvalidParameterValue, "SET requires parameter name")
			}
			return value, env.Session.SetSetting(name, value, local)
		}),
		"pg_typeof(any)":        raw(func(_ *Env, call *Call, _ []any) (any, error) { return int64(call.Args[0].Type().OID), nil }),
		"format_type(oid,int4)": raw(formatTypeOf),
		"pg_is_in_recovery()":   always(false),
		"pg_sleep(float8)":      raw(sleep),
		"pg_encoding_to_char(int4)": pure1(func(n int64) string {
			if n == 6 {
				return "UTF8"
			}
			return ""
		}),
		"pg_size_pretty(int8)":                 pure1(sizePretty),
		"gen_random_uuid()":                    withEnv(func(*Env) (any, error) { return pgtypes.UUID(uuid.New()), nil }),
		"txid_current()":                       always(int64(1)),
		"pg_advisory_unlock_all()":             always(""),
		"pg_postmaster_start_time()":           withEnv(func(*Env) (any, error) { return startTime, nil }),
		"pg_relation_is_publishable(regclass)": always(false),
		"pg_tablespace_location(oid)":          always(""),
		"inet_server_port()":                   always(nil),
		"pg_get_expr(pg_node_tree,oid)":        raw(func(_ *Env, _ *Call, args []any) (any, error) { return args[0], nil }),
		"pg_get_expr(pg_node_tree,oid,bool)":   raw(func(_ *Env, _ *Call, args []any) (any, error) { return args[0], nil }),
		"shobj_description(oid,name)":          always(nil),
		"pg_get_partkeydef(oid)":               always(nil),
		"pg_get_triggerdef(oid)":               always(nil),
		"pg_get_triggerdef(oid,bool)":          always(nil),
		"pg_get_ruledef(oid)":                  always(nil),
		"pg_get_ruledef(oid,bool)":             always(nil),
		"pg_get_serial_sequence(text,text)":    always(nil),
		"pg_get_statisticsobjdef_columns(oid)": always(nil),
		"pg_get_function_sqlbody(oid)":         always(nil),
		"pg_describe_object(oid,oid,int4)":     always(nil),
		"acldefault(char,oid)":                 always(nil),
		"pg_tablespace_size(oid)":              always(int64(0)),
		"pg_tablespace_size(name)":             always(int64(0)),
		"pg_database_size(name)": raw(func(env *Env, _ *Call, _ []any) (any, error) {
			if env.Session == nil {
				return nil, nil
			}
			return env.Session.Catalog().Describe("pg_database_size", 0, 0, env.SearchPath)
		}),
		"pg_char_to_encoding(name)": pure1(func(name string) int64 {
			if n := strings.ToLower(strings.ReplaceAll(name, "-", "")); n == "utf8" || n == "unicode" {
				return 6
			}
			return -1
		}),
		"getdatabaseencoding()":                            always("UTF8"),
		"pg_partition_ancestors(regclass)":                 set(func(*Env, *Call, []any, func([]any) error) error { return nil }),
		"pg_index_column_has_property(regclass,int4,text)": raw(indexColumnProperty),
	}
	for _, name := range []string{
		"pg_get_viewdef(oid)", "pg_get_viewdef(oid,bool)", "pg_get_indexdef(oid)", "pg_get_indexdef(oid,int4,bool)",
		"pg_get_constraintdef(oid)", "pg_get_constraintdef(oid,bool)", "pg_get_functiondef(oid)",
		"pg_get_function_arguments(oid)", "pg_get_function_identity_arguments(oid)", "pg_get_function_result(oid)",
		"pg_get_userbyid(oid)", "obj_description(oid)", "obj_description(oid,name)", "col_description(oid,int4)",
		"pg_table_is_visible(oid)", "pg_relation_size(regclass)", "pg_table_size(regclass)",
		"pg_total_relation_size(regclass)", "pg_database_size(oid)",
	} {
		m[name] = asked(name[:strings.IndexByte(name, '(')])
	}
	for _, name := range []string{
		"pg_type_is_visible(oid)", "pg_function_is_visible(oid)", "pg_operator_is_visible(oid)",
		"pg_collation_is_visible(oid)", "pg_opclass_is_visible(oid)", "pg_statistics_obj_is_visible(oid)",
		"pg_opfamily_is_visible(oid)", "pg_conversion_is_visible(oid)", "pg_ts_config_is_visible(oid)",
		"pg_ts_dict_is_visible(oid)", "pg_ts_parser_is_visible(oid)", "pg_ts_template_is_visible(oid)",
		"has_table_privilege(oid,text)", "has_table_privilege(text,text)", "has_schema_privilege(oid,text)",
		"has_schema_privilege(text,text)", "has_database_privilege(text,text)", "has_database_privilege(oid,text)",
		"has_any_column_privilege(oid,text)", "has_column_privilege(oid,int2,text)", "has_function_privilege(oid,text)",
	} {
		m[name] = always(true)
	}
	return m
}

// startTime is when this process began.
var startTime = Micros(time.Now())
