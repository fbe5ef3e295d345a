package expr

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// asked is a function that the catalog answers from its arguments.
func asked(name string) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		if _, ok := args[0].(int64); !ok || env.Session == nil {
			return nil, nil
		}
		return env.Session.Catalog().Describe(env, name, args)
	})
}

// named is a function of a relation's name.
func named(name string) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		relation := args[0].(string)
		oid, ok := env.catalog().NameToOID(pgtypes.Regclass, relation, env.SearchPath)
		if !ok {
			return nil, regMissing(pgtypes.Regclass, relation)
		}
		return env.catalog().Describe(env, name, []any{int64(oid)})
	})
}

// toReg is to_regclass and its like: NULL where the cast would fail.
func toReg(kind pgtypes.OID) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		name := args[0].(string)
		if name == "" || name[0] >= '0' && name[0] <= '9' {
			return nil, nil
		}
		if oid, ok := env.catalog().NameToOID(kind, name, env.SearchPath); ok {
			return int64(oid), nil
		}
		return nil, nil
	})
}

// comment is obj_description with the name of a system catalog.
func comment(name string) impl {
	return raw(func(env *Env, _ *Call, args []any) (any, error) {
		class, ok := env.catalog().NameToOID(pgtypes.Regclass, "pg_catalog."+quoteIdent(args[1].(string)), nil)
		if !ok {
			return nil, nil
		}
		return env.catalog().Describe(env, name, []any{args[0], int64(class)})
	})
}

// grants is what the owner of an object has by default, and with = before it
// everybody, by the letter of acldefault.
var grants = map[string]string{
	"c": "", "r": "arwdDxt", "s": "rwU", "d": "=Tc CTc", "f": "=X X", "l": "=U U", "L": "rw", "n": "UC", "t": "C",
	"F": "U", "S": "U", "T": "=U U", "p": "sA",
}

func defaultGrants(env *Env, _ *Call, args []any) (any, error) {
	list, ok := grants[args[0].(string)]
	if !ok {
		return nil, pgerr.New(pgerr.InvalidParameterValue, "unrecognized object type abbreviation: %s", args[0])
	}
	owner := RegName(env.catalog(), env.SearchPath, pgtypes.Regrole, pgtypes.OID(args[1].(int64)))
	var items []any
	for rights := range strings.FieldsSeq(list) {
		if !strings.HasPrefix(rights, "=") {
			rights = owner + "=" + rights
		}
		items = append(items, rights+"/"+owner)
	}
	return pgtypes.NewArray(pgtypes.Aclitem, items), nil
}

// vectorTypes prints the types of a function's arguments.
func vectorTypes(a *pgtypes.Array) string {
	names := make([]string, len(a.Elems))
	for i, oid := range a.Elems {
		names[i] = pgtypes.FormatType(pgtypes.Of(pgtypes.OID(oid.(int64))))
	}
	return strings.Join(names, ", ")
}

// indexProperties is what pg_index_column_has_property says of a key's column.
var indexProperties = map[string]bool{
	"asc": true, "desc": false, "nulls_first": false, "nulls_last": true, "orderable": true,
	"distance_orderable": false, "returnable": true, "search_array": true, "search_nulls": true,
}

func indexColumnProperty(env *Env, _ *Call, args []any) (any, error) {
	column, err := env.catalog().Describe(env, "pg_get_indexdef", []any{args[0], args[1], false})
	value, known := indexProperties[strings.ToLower(args[2].(string))]
	if err != nil || column == nil || !known {
		return nil, err
	}
	return value, nil
}

// catalogFunctions asks the catalog about objects. Of kinds of objects that
// there are none of, every answer is NULL.
func catalogFunctions() map[string]impl {
	expression := raw(func(_ *Env, _ *Call, args []any) (any, error) { return args[0], nil })
	m := map[string]impl{
		"pg_get_expr(pg_node_tree,oid)":        expression,
		"pg_get_expr(pg_node_tree,oid,bool)":   expression,
		"obj_description(oid,name)":            comment("obj_description"),
		"shobj_description(oid,name)":          comment("shobj_description"),
		"pg_get_viewdef(text)":                 named("pg_get_viewdef"),
		"pg_get_viewdef(text,bool)":            named("pg_get_viewdef"),
		"acldefault(char,oid)":                 raw(defaultGrants),
		"oidvectortypes(oidvector)":            pure1(vectorTypes),
		"pg_relation_is_publishable(regclass)": always(false),
		"pg_tablespace_location(oid)":          always(""),
		"pg_is_other_temp_schema(oid)":         always(false),
		"pg_database_size(name)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			if args[0].(string) != env.Database {
				return nil, pgerr.New(pgerr.InvalidCatalogName, "database \"%s\" does not exist", args[0])
			}
			return env.catalog().Describe(env, "pg_database_size", nil)
		}),
		"pg_tablespace_size(name)": raw(func(env *Env, _ *Call, args []any) (any, error) {
			if _, ok := env.catalog().NameToOID(KindTablespace, quoteIdent(args[0].(string)), nil); !ok {
				return nil, pgerr.New(pgerr.UndefinedObject, "tablespace \"%s\" does not exist", args[0])
			}
			return env.catalog().Describe(env, "pg_database_size", nil)
		}),
		"pg_index_column_has_property(regclass,int4,text)": raw(indexColumnProperty),
	}
	for _, signature := range []string{
		"pg_get_viewdef(oid)", "pg_get_viewdef(oid,bool)", "pg_get_viewdef(oid,int4)", "pg_get_indexdef(oid)",
		"pg_get_indexdef(oid,int4,bool)", "pg_get_constraintdef(oid)", "pg_get_constraintdef(oid,bool)",
		"pg_get_functiondef(oid)", "pg_get_function_arguments(oid)", "pg_get_function_identity_arguments(oid)",
		"pg_get_function_result(oid)", "pg_get_function_arg_default(oid,int4)", "pg_get_userbyid(oid)",
		"obj_description(oid)", "col_description(oid,int4)", "pg_describe_object(oid,oid,int4)",
		"pg_relation_size(regclass)", "pg_relation_size(regclass,text)", "pg_table_size(regclass)",
		"pg_total_relation_size(regclass)", "pg_indexes_size(regclass)", "pg_database_size(oid)", "pg_tablespace_size(oid)",
		"pg_table_is_visible(oid)", "pg_type_is_visible(oid)", "pg_function_is_visible(oid)", "pg_operator_is_visible(oid)",
		"pg_collation_is_visible(oid)", "pg_get_replica_identity_index(regclass)",
		"pg_relation_is_updatable(regclass,bool)", "pg_column_is_updatable(regclass,int2,bool)",
	} {
		m[signature] = asked(signature[:strings.IndexByte(signature, '(')])
	}
	for _, signature := range []string{
		"pg_get_partkeydef(oid)", "pg_get_triggerdef(oid)", "pg_get_triggerdef(oid,bool)", "pg_get_ruledef(oid)",
		"pg_get_ruledef(oid,bool)", "pg_get_serial_sequence(text,text)", "pg_get_statisticsobjdef(oid)",
		"pg_get_statisticsobjdef_columns(oid)", "pg_get_partition_constraintdef(oid)", "pg_get_function_sqlbody(oid)",
		"pg_partition_root(regclass)", "pg_relation_filenode(regclass)", "pg_relation_filepath(regclass)",
		"pg_opclass_is_visible(oid)", "pg_opfamily_is_visible(oid)", "pg_statistics_obj_is_visible(oid)",
		"pg_conversion_is_visible(oid)", "pg_ts_config_is_visible(oid)", "pg_ts_dict_is_visible(oid)",
		"pg_ts_parser_is_visible(oid)", "pg_ts_template_is_visible(oid)",
	} {
		m[signature] = always(nil)
	}
	for name, kind := range map[string]pgtypes.OID{
		"class": pgtypes.Regclass, "type": pgtypes.Regtype, "proc": pgtypes.Regproc, "procedure": pgtypes.Regprocedure,
		"namespace": pgtypes.Regnamespace, "role": pgtypes.Regrole, "oper": pgtypes.Regoper,
		"operator": pgtypes.Regoperator, "collation": pgtypes.Regcollation,
	} {
		m["to_reg"+name+"(text)"] = toReg(kind)
	}
	return m
}
