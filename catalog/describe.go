package catalog

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// Describe answers a function that asks about objects: what is its name, args
// are its arguments, the object's OID first. The answer is nil (NULL) for an
// object that does not exist.
func (c *Catalog) Describe(env *expr.Env, what string, args []any) (any, error) {
	path := env.SearchPath
	var object pgtypes.OID
	if len(args) > 0 {
		n, _ := args[0].(int64)
		object = pgtypes.OID(n)
	}
	second := int64(0)
	if len(args) > 1 {
		second, _ = args[1].(int64)
	}
	switch what {
	case "obj_description":
		return text(c.comment(pgtypes.OID(second), object)), nil
	case "shobj_description":
		return nil, nil // databases, roles and tablespaces have no comments
	case "pg_get_userbyid":
		if name, ok := c.OIDToName(pgtypes.Regrole, object, nil); ok {
			return name, nil
		}
		return "unknown (OID=" + itoa(int(object)) + ")", nil
	case "pg_database_size", "pg_tablespace_size":
		total := int64(0)
		for _, rel := range c.Relations() {
			_, bytes, err := c.stored(env, rel)
			if err != nil {
				return nil, err
			}
			total += bytes
		}
		return total, nil
	case "pg_describe_object":
		number, _ := args[2].(int64)
		return text(c.describeObject(object, pgtypes.OID(second), number, path)), nil
	case "pg_get_constraintdef":
		if rel, _ := c.relationByOID(object - constraintOffset); rel != nil && len(rel.PrimaryKey) > 0 {
			return "PRIMARY KEY (" + keyColumns(rel) + ")", nil
		}
		return nil, nil
	case "pg_get_function_arguments", "pg_get_function_identity_arguments", "pg_get_function_result",
		"pg_get_functiondef", "pg_get_function_arg_default":
		return c.describeFunction(what, object, second)
	case "pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "pg_collation_is_visible":
		return c.visible(what, object, path), nil
	}
	return c.describeRelation(env, what, object, args)
}

// describeRelation answers what is asked of relations, columns and indexes.
func (c *Catalog) describeRelation(env *expr.Env, what string, object pgtypes.OID, args []any) (any, error) {
	rel, suffix := c.relationByOID(object)
	if rel == nil {
		switch what {
		case "pg_relation_is_updatable":
			return int64(0), nil
		case "pg_column_is_updatable":
			return false, nil
		}
		return nil, nil
	}
	isTable := suffix == ""
	number := int64(0)
	if len(args) > 1 {
		number, _ = args[1].(int64)
	}
	switch what {
	case "col_description":
		if isTable && number >= 1 && int(number) <= len(rel.Columns) {
			return text(rel.Columns[number-1].Comment), nil
		}
	case "has_column_privilege":
		if name, ok := args[1].(string); ok {
			if rel.Index(name) < 0 {
				return nil, pgerr.New(pgerr.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, rel.Name)
			}
			return true, nil
		}
		if number >= 1 && int(number) <= len(rel.Columns) {
			return true, nil
		}
	case "pg_get_viewdef":
		if isTable {
			return text(viewDefinition(rel)), nil
		}
	case "pg_get_indexdef":
		switch {
		case isTable || number > int64(len(rel.PrimaryKey)):
			return nil, nil
		case number >= 1:
			return quoteIdent(rel.Columns[rel.PrimaryKey[number-1]].Name), nil
		}
		return indexDefinition(rel), nil
	case "pg_get_replica_identity_index":
		if isTable && len(rel.PrimaryKey) > 0 {
			return int64(rel.OID + indexOffset), nil
		}
	case "pg_table_is_visible":
		_, found := c.Relation("", rel.Name, env.SearchPath)
		return found == rel, nil
	case "pg_relation_is_updatable":
		if !isTable {
			return int64(0), nil
		}
		return c.writes(rel), nil
	case "pg_column_is_updatable":
		return isTable && c.writes(rel)&canUpdate != 0, nil
	case "pg_relation_size", "pg_table_size", "pg_total_relation_size", "pg_indexes_size":
		if !isTable || what == "pg_indexes_size" {
			return int64(0), nil
		}
		_, bytes, err := c.stored(env, rel)
		return bytes, err
	}
	return nil, nil
}

// viewDefinition gives a view's query. One whose rows the gateway makes without a
// query is shown with its columns alone, so that a dump can be loaded.
func viewDefinition(rel *Relation) string {
	if rel.Definition != "" || rel.Kind != 'v' || rel.Schema != PublicSchema {
		return rel.Definition
	}
	columns := make([]string, len(rel.Columns))
	for i, c := range rel.Columns {
		columns[i] = "NULL::" + pgtypes.FormatType(c.Type) + " AS " + quoteIdent(c.Name)
	}
	return " SELECT " + strings.Join(columns, ",\n    ") + "\n  WHERE false;"
}

// text makes NULL of what there is nothing to say about.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stored gives the rows and the bytes on disk of a table, nothing for what is
// not stored.
func (c *Catalog) stored(env *expr.Env, rel *Relation) (rows, bytes int64, err error) {
	c.mu.RLock()
	t, ok := c.relations[rel.Schema+"."+rel.Name].table.(StoredTable)
	c.mu.RUnlock()
	if !ok || env.Snapshot == nil {
		return 0, 0, nil
	}
	return t.Stored(env)
}

// The bits of pg_relation_is_updatable: PostgreSQL's command numbers.
const (
	canUpdate = 1 << 2
	canInsert = 1 << 3
	canDelete = 1 << 4
)

// writes says which statements may change a relation.
func (c *Catalog) writes(rel *Relation) int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if _, ok := c.relations[rel.Schema+"."+rel.Name].table.(WritableTable); !ok {
		return 0
	}
	if rel.AppendOnly {
		return canInsert | canDelete
	}
	return canInsert | canUpdate | canDelete
}

// indexDefinition prints the primary key's index as pg_get_indexdef does.
func indexDefinition(rel *Relation) string {
	return "CREATE UNIQUE INDEX " + quoteIdent(rel.Name+"_pkey") + " ON " +
		quoteIdent(rel.Schema) + "." + quoteIdent(rel.Name) + " USING btree (" + keyColumns(rel) + ")"
}

func keyColumns(rel *Relation) string {
	names := make([]string, len(rel.PrimaryKey))
	for i, at := range rel.PrimaryKey {
		names[i] = quoteIdent(rel.Columns[at].Name)
	}
	return strings.Join(names, ", ")
}

// The catalogs that hold objects with comments, by their own OIDs.
const (
	procClass      pgtypes.OID = 1255
	typeClass      pgtypes.OID = 1247
	relationClass  pgtypes.OID = 1259
	amClass        pgtypes.OID = 2601
	castClass      pgtypes.OID = 2605
	languageClass  pgtypes.OID = 2612
	namespaceClass pgtypes.OID = 2615
	operatorClass  pgtypes.OID = 2617
	collationClass pgtypes.OID = 3456
)

// comment gives an object's comment; class 0 asks for an object of whatever class.
func (c *Catalog) comment(class, object pgtypes.OID) string {
	is := func(one pgtypes.OID) bool { return class == 0 || class == one }
	if is(relationClass) {
		if rel, suffix := c.relationByOID(object); rel != nil && suffix == "" {
			return rel.Comment
		}
	}
	if is(procClass) {
		for _, f := range c.TableFunctions() {
			if f.Relation().OID == object {
				return f.Relation().Comment
			}
		}
		if b := builtins().byOID[object]; b != nil {
			return b.Comment
		}
	}
	if is(namespaceClass) {
		for _, s := range schemas {
			if s.oid == object {
				return s.comment
			}
		}
	}
	if is(operatorClass) {
		if o := operatorByOID()[object]; o != nil {
			return o.Comment
		}
	}
	if is(typeClass) && pgtypes.Lookup(object) != nil {
		return typeDetails()[object].comment
	}
	if is(languageClass) {
		for _, l := range languages {
			if l.oid == object {
				return l.comment
			}
		}
	}
	if is(collationClass) {
		for _, coll := range collations {
			if coll.oid == object {
				return coll.comment
			}
		}
	}
	if is(amClass) {
		return accessMethods[object]
	}
	return ""
}

// visible answers pg_type_is_visible and its like, NULL where there is no such object.
func (c *Catalog) visible(what string, object pgtypes.OID, path []string) any {
	switch what {
	case "pg_type_is_visible":
		if pgtypes.Lookup(object) != nil {
			return true
		}
		if rel, suffix := c.relationByOID(object - rowTypeOffset); rel != nil && suffix == "" {
			_, found := c.Relation("", rel.Name, path)
			return found == rel
		}
	case "pg_function_is_visible":
		for _, f := range c.TableFunctions() {
			if f.Relation().OID == object {
				return c.TableFunction("", f.Relation().Name, path) != nil
			}
		}
		if b := builtins().byOID[object]; b != nil {
			return b.schema() == SystemSchema
		}
	case "pg_operator_is_visible":
		if operatorByOID()[object] != nil {
			return true
		}
	case "pg_collation_is_visible":
		if _, ok := c.OIDToName(pgtypes.Regcollation, object, path); ok {
			return true
		}
	}
	return nil
}

// describeObject prints an object as PostgreSQL's messages do.
func (c *Catalog) describeObject(class, object pgtypes.OID, number int64, path []string) string {
	named := func(word string, kind pgtypes.OID) string {
		if name, ok := c.OIDToName(kind, object, path); ok {
			return word + " " + name
		}
		return ""
	}
	switch class {
	case relationClass:
		rel, suffix := c.relationByOID(object)
		if rel == nil {
			return ""
		}
		word := map[byte]string{'r': "table", 'v': "view"}[rel.Kind]
		if suffix != "" {
			word = "index"
		}
		whole := named(word, pgtypes.Regclass)
		if number >= 1 && int(number) <= len(rel.Columns) && suffix == "" {
			return "column " + quoteIdent(rel.Columns[number-1].Name) + " of " + whole
		}
		return whole
	case procClass:
		return named("function", pgtypes.Regprocedure)
	case typeClass:
		return named("type", pgtypes.Regtype)
	case namespaceClass:
		return named("schema", pgtypes.Regnamespace)
	case operatorClass:
		return named("operator", pgtypes.Regoperator)
	case languageClass:
		return named("language", expr.KindLanguage)
	case collationClass:
		return named("collation", pgtypes.Regcollation)
	case expr.KindDatabase:
		return named("database", expr.KindDatabase)
	case expr.KindTablespace:
		return named("tablespace", expr.KindTablespace)
	case 1260: // pg_authid
		return named("role", pgtypes.Regrole)
	}
	return ""
}

func (c *Catalog) describeFunction(what string, object pgtypes.OID, number int64) (any, error) {
	for _, f := range c.TableFunctions() {
		if f.Relation().OID != object {
			continue
		}
		switch what {
		case "pg_get_function_arguments":
			return functionArguments(f, true), nil
		case "pg_get_function_identity_arguments":
			return functionArguments(f, false), nil
		case "pg_get_function_result":
			return functionResult(f), nil
		case "pg_get_function_arg_default":
			if args := f.Args(); number >= 1 && int(number) <= len(args) {
				return text(args[number-1].Default), nil
			}
			return nil, nil
		}
		language, source := functionSource(f)
		return "CREATE OR REPLACE FUNCTION public." + quoteIdent(f.Relation().Name) + "(" + functionArguments(f, true) +
			")\n RETURNS " + functionResult(f) + "\n LANGUAGE " + language + "\n STABLE\nAS $function$" + source + "$function$\n", nil
	}
	b := builtins().byOID[object]
	if b == nil {
		return nil, nil
	}
	switch what {
	case "pg_get_function_arguments", "pg_get_function_identity_arguments":
		return b.arguments(), nil
	case "pg_get_function_result":
		return b.result(), nil
	case "pg_get_function_arg_default":
		return nil, nil
	}
	if b.kind == 'a' {
		return nil, pgerr.New(pgerr.WrongObjectType, "\"%s\" is an aggregate function", b.Name)
	}
	var words []string
	if b.kind == 'w' {
		words = append(words, "WINDOW")
	}
	switch b.Volatile {
	case expr.Immutable:
		words = append(words, "IMMUTABLE")
	case expr.Stable:
		words = append(words, "STABLE")
	}
	words = append(words, "PARALLEL SAFE")
	if b.Strict {
		words = append(words, "STRICT")
	}
	return "CREATE OR REPLACE FUNCTION " + b.schema() + "." + quoteIdent(b.Name) + "(" + b.arguments() + ")\n RETURNS " + b.result() +
		"\n LANGUAGE internal\n " + strings.Join(words, " ") + "\nAS $function$" + b.Name + "$function$\n", nil
}
