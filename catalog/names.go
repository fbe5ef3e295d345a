package catalog

import (
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func itoa(n int) string { return strconv.Itoa(n) }

// quoteIdent quotes a name where PostgreSQL would.
func quoteIdent(name string) string {
	plain := name != ""
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			plain = false
		}
	}
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// splitName takes a possibly qualified and quoted name apart.
func splitName(name string) (schema, object string) {
	var parts []string
	var part strings.Builder
	quoted := false
	for i := 0; i < len(name); i++ {
		switch ch := name[i]; {
		case ch == '"' && quoted && i+1 < len(name) && name[i+1] == '"':
			part.WriteByte('"')
			i++
		case ch == '"':
			quoted = !quoted
		case ch == '.' && !quoted:
			parts = append(parts, part.String())
			part.Reset()
		case quoted:
			part.WriteByte(ch)
		default:
			part.WriteString(strings.ToLower(string(ch)))
		}
	}
	parts = append(parts, part.String())
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	return schema, parts[len(parts)-1]
}

// NameToOID resolves a possibly qualified name for a reg* type.
func (c *Catalog) NameToOID(kind pgtypes.OID, name string, path []string) (pgtypes.OID, bool) {
	schema, object := splitName(strings.TrimSpace(name))
	switch kind {
	case pgtypes.Regclass:
		if _, rel := c.Relation(schema, object, path); rel != nil {
			return rel.OID, true
		}
		if base, ok := strings.CutSuffix(object, "_pkey"); ok {
			if _, rel := c.Relation(schema, base, path); rel != nil && len(rel.PrimaryKey) > 0 {
				return rel.OID + indexOffset, true
			}
		}
	case pgtypes.Regtype:
		if o, ok := pgtypes.ByName(strings.TrimPrefix(strings.TrimSpace(name), "pg_catalog.")); ok {
			return o, true
		}
		if schema == "" || schema == "pg_catalog" {
			if o, ok := pgtypes.ByName(object); ok {
				return o, true
			}
		}
		return c.Type(schema, object, path)
	case pgtypes.Regnamespace:
		o := schemaOID(object)
		return o, o != 0
	case pgtypes.Regrole:
		return ownerOID, object == c.owner
	case pgtypes.Regproc, pgtypes.Regprocedure:
		object, _, _ = strings.Cut(object, "(")
		if f := c.TableFunction(schema, object, path); f != nil {
			return f.Relation().OID, true
		}
		o := procOID(object)
		return pgtypes.OID(o), o != 0
	}
	return 0, false
}

// OIDToName is the inverse of NameToOID.
func (c *Catalog) OIDToName(kind, object pgtypes.OID, path []string) (string, bool) {
	switch kind {
	case pgtypes.Regclass:
		if rel, suffix := c.relationByOID(object); rel != nil {
			return c.visibleName(rel, rel.Name+suffix, path), true
		}
	case pgtypes.Regtype:
		if pgtypes.Lookup(object) != nil {
			return pgtypes.FormatType(pgtypes.Of(object)), true
		}
		if rel, _ := c.relationByOID(object - rowTypeOffset); rel != nil {
			return c.visibleName(rel, rel.Name, path), true
		}
	case pgtypes.Regnamespace:
		for _, s := range schemas {
			if s.oid == object {
				return s.name, true
			}
		}
	case pgtypes.Regrole:
		return c.owner, object == ownerOID
	case pgtypes.Regproc, pgtypes.Regprocedure:
		return c.functionName(object)
	}
	return "", false
}

func (c *Catalog) functionName(object pgtypes.OID) (string, bool) {
	for _, f := range c.TableFunctions() {
		if f.Relation().OID == object {
			return f.Relation().Name, true
		}
	}
	for name, o := range inputFunctions() {
		if o == object {
			return name, true
		}
	}
	for _, f := range expr.AllFunctions() {
		if f.OID == object {
			return f.Name, true
		}
	}
	for _, a := range expr.AllAggregates() {
		if a.OID == object {
			return a.Name, true
		}
	}
	return "", false
}

// relationByOID finds a relation or, with the suffix of its name, the index of
// its primary key.
func (c *Catalog) relationByOID(object pgtypes.OID) (rel *Relation, suffix string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e, ok := c.byOID[object]; ok {
		return e.rel, ""
	}
	if e, ok := c.byOID[object-indexOffset]; ok && len(e.rel.PrimaryKey) > 0 {
		return e.rel, "_pkey"
	}
	return nil, ""
}

// visibleName qualifies a name unless the path finds it.
func (c *Catalog) visibleName(rel *Relation, name string, path []string) string {
	if _, found := c.Relation("", rel.Name, path); found == rel {
		return quoteIdent(name)
	}
	return quoteIdent(rel.Schema) + "." + quoteIdent(name)
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

// Describe answers the functions that print an object: what is the function's
// name, sub a column number where it takes one. The answer is nil (NULL) for an
// object that does not exist.
func (c *Catalog) Describe(what string, object pgtypes.OID, sub int64, path []string) (any, error) {
	rel, suffix := c.relationByOID(object)
	isTable := rel != nil && suffix == ""
	switch what {
	case "obj_description":
		return c.objectComment(object), nil
	case "col_description":
		if isTable && sub >= 1 && int(sub) <= len(rel.Columns) {
			return text(rel.Columns[sub-1].Comment), nil
		}
	case "pg_get_viewdef":
		if isTable {
			return text(rel.Definition), nil
		}
	case "pg_get_indexdef":
		if rel == nil || suffix == "" {
			return nil, nil
		}
		if sub >= 1 && int(sub) <= len(rel.PrimaryKey) {
			return quoteIdent(rel.Columns[rel.PrimaryKey[sub-1]].Name), nil
		}
		return indexDefinition(rel), nil
	case "pg_get_constraintdef":
		if rel, _ := c.relationByOID(object - constraintOffset); rel != nil && len(rel.PrimaryKey) > 0 {
			return "PRIMARY KEY (" + keyColumns(rel) + ")", nil
		}
	case "pg_table_is_visible":
		if isTable {
			_, found := c.Relation("", rel.Name, path)
			return found == rel, nil
		}
		return rel != nil, nil
	case "pg_relation_size", "pg_table_size", "pg_total_relation_size":
		if rel != nil {
			return max(c.rows(rel), 0) * 50, nil
		}
	case "pg_database_size":
		total := int64(0)
		for _, rel := range c.Relations() {
			if rel.Schema == PublicSchema {
				total += max(c.rows(rel), 0) * 50
			}
		}
		return total, nil
	case "pg_get_userbyid":
		if object == ownerOID {
			return c.owner, nil
		}
		return "unknown (OID=" + itoa(int(object)) + ")", nil
	case "pg_get_function_arguments", "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_functiondef":
		return c.describeFunction(what, object)
	}
	return nil, nil
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (c *Catalog) objectComment(object pgtypes.OID) any {
	if rel, suffix := c.relationByOID(object); rel != nil && suffix == "" {
		return text(rel.Comment)
	}
	for _, f := range c.TableFunctions() {
		if f.Relation().OID == object {
			return text(f.Relation().Comment)
		}
	}
	for _, s := range schemas {
		if s.oid == object {
			return text(s.comment)
		}
	}
	return nil
}

func (c *Catalog) describeFunction(what string, object pgtypes.OID) (any, error) {
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
		}
		language, source := functionSource(f)
		return "CREATE OR REPLACE FUNCTION public." + quoteIdent(f.Relation().Name) + "(" + functionArguments(f, true) +
			")\n RETURNS " + functionResult(f) + "\n LANGUAGE " + language + "\n STABLE\nAS $function$" + source + "$function$\n", nil
	}
	for _, f := range expr.AllFunctions() {
		if f.OID != object {
			continue
		}
		switch what {
		case "pg_get_function_result":
			s := pgtypes.FormatType(pgtypes.Of(f.Result))
			if f.Set {
				s = "SETOF " + s
			}
			return s, nil
		case "pg_get_functiondef":
			return nil, pgerr.New(pgerr.WrongObjectType, "\"%s\" is a built-in function", f.Name)
		}
		parts := make([]string, len(f.Args))
		for i, a := range f.Args {
			parts[i] = pgtypes.FormatType(pgtypes.Of(a))
		}
		return strings.Join(parts, ", "), nil
	}
	return nil, nil
}
