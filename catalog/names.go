package catalog

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func itoa(n int) string { return strconv.Itoa(n) }

func quoteIdent(name string) string { return expr.QuoteIdent(name) }

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
		r, ok := c.Role(object)
		return r.OID, ok
	case pgtypes.Regproc, pgtypes.Regprocedure:
		return c.functionNamed(name, path)
	case pgtypes.Regoper, pgtypes.Regoperator:
		return operatorNamed(name)
	case pgtypes.Regcollation:
		for _, coll := range collations {
			if coll.name == object && (schema == "" || schema == SystemSchema) {
				return coll.oid, true
			}
		}
	case expr.KindDatabase:
		return databaseOID, object == c.database
	case expr.KindTablespace:
		return tablespaceOID, object == tablespace
	case expr.KindLanguage:
		for _, l := range languages {
			if l.name == object {
				return l.oid, true
			}
		}
	}
	return 0, false
}

// functionNamed finds a function by its name, which must be the only one of
// that name, or by its name and argument types.
func (c *Catalog) functionNamed(name string, path []string) (pgtypes.OID, bool) {
	name, args, typed := strings.Cut(name, "(")
	schema, object := splitName(strings.TrimSpace(name))
	var types []pgtypes.OID
	if args = strings.TrimSuffix(strings.TrimSpace(args), ")"); args != "" {
		for arg := range strings.SplitSeq(args, ",") {
			t, ok := c.NameToOID(pgtypes.Regtype, strings.TrimSpace(arg), path)
			if !ok {
				return 0, false
			}
			types = append(types, t)
		}
	}
	if f := c.TableFunction(schema, object, path); f != nil {
		var own []pgtypes.OID
		for _, a := range f.Args() {
			own = append(own, a.Type.OID)
		}
		if !typed || slices.Equal(own, types) {
			return f.Relation().OID, true
		}
	}
	list := builtins().byName[object]
	if schema != "" && len(list) > 0 && schema != list[0].schema() {
		return 0, false
	}
	if !typed {
		if len(list) != 1 {
			return 0, false
		}
		return list[0].OID, true
	}
	for _, b := range list {
		same := len(b.Args) == len(types)
		for i := 0; same && i < len(types); i++ {
			same = b.argType(i) == types[i]
		}
		if same {
			return b.OID, true
		}
	}
	return 0, false
}

// operatorNamed finds an operator as functionNamed finds a function.
func operatorNamed(name string) (pgtypes.OID, bool) {
	name, args, typed := strings.Cut(strings.TrimPrefix(strings.TrimSpace(name), "pg_catalog."), "(")
	list := expr.Operators(strings.TrimSpace(name))
	if !typed {
		if len(list) != 1 {
			return 0, false
		}
		return list[0].OperOID, true
	}
	left, right, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(args), ")"), ",")
	var types []pgtypes.OID
	for _, arg := range []string{left, right} {
		if arg = strings.TrimSpace(arg); strings.EqualFold(arg, "none") {
			continue
		}
		t, ok := pgtypes.ByName(arg)
		if !ok {
			return 0, false
		}
		types = append(types, t)
	}
	for _, o := range list {
		if slices.Equal(o.Args, types) {
			return o.OperOID, true
		}
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
		for _, s := range c.allSchemas() {
			if s.oid == object {
				return s.name, true
			}
		}
	case pgtypes.Regrole:
		for _, r := range c.Roles() {
			if r.OID == object {
				return r.Name, true
			}
		}
	case pgtypes.Regproc, pgtypes.Regprocedure:
		return c.functionName(kind, object, path)
	case pgtypes.Regoper, pgtypes.Regoperator:
		if o := operatorByOID()[object]; o != nil {
			return operatorName(kind, o), true
		}
	case pgtypes.Regcollation:
		for _, coll := range collations {
			if coll.oid == object {
				return quoteIdent(coll.name), true
			}
		}
	case expr.KindDatabase:
		return c.database, object == databaseOID
	case expr.KindTablespace:
		return tablespace, object == tablespaceOID
	case expr.KindLanguage:
		for _, l := range languages {
			if l.oid == object {
				return l.name, true
			}
		}
	}
	return "", false
}

// functionName prints a function for regproc or, with its arguments, for
// regprocedure. A regproc whose name others have is qualified, as in PostgreSQL.
func (c *Catalog) functionName(kind, object pgtypes.OID, path []string) (string, bool) {
	for _, f := range c.TableFunctions() {
		rel := f.Relation()
		if rel.OID != object {
			continue
		}
		name := quoteIdent(rel.Name)
		if c.TableFunction("", rel.Name, path) == nil {
			name = PublicSchema + "." + name
		}
		if kind == pgtypes.Regprocedure {
			var types []string
			for _, a := range f.Args() {
				types = append(types, pgtypes.FormatType(pgtypes.Of(a.Type.OID)))
			}
			name += "(" + strings.Join(types, ",") + ")"
		}
		return name, true
	}
	b := builtins().byOID[object]
	switch {
	case b == nil:
		return "", false
	case kind == pgtypes.Regprocedure:
		return b.signature(), true
	case len(builtins().byName[b.Name]) > 1:
		return SystemSchema + "." + quoteIdent(b.Name), true
	}
	return quoteIdent(b.Name), true
}

// operatorName prints an operator for regoper or, with its operands, for
// regoperator.
func operatorName(kind pgtypes.OID, o *expr.Func) string {
	if kind == pgtypes.Regoper {
		if len(expr.Operators(o.Operator)) > 1 {
			return SystemSchema + "." + o.Operator
		}
		return o.Operator
	}
	left := "NONE"
	if len(o.Args) == 2 {
		left = pgtypes.FormatType(pgtypes.Of(o.Args[0]))
	}
	return o.Operator + "(" + left + "," + pgtypes.FormatType(pgtypes.Of(o.Args[len(o.Args)-1])) + ")"
}

var operatorByOID = sync.OnceValue(func() map[pgtypes.OID]*expr.Func {
	m := make(map[pgtypes.OID]*expr.Func)
	for _, o := range expr.AllOperators() {
		m[o.OperOID] = o
	}
	return m
})

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
