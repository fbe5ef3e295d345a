package catalog

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// utf8Encoding is PostgreSQL's number for UTF8.
const utf8Encoding = 6

// locale is what the database reports: text is compared by bytes.
const locale = "C.UTF-8"

func databaseRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{
		"oid": oid(databaseOID), "datname": c.database, "datdba": oid(ownerOID),
		"encoding": int64(utf8Encoding), "datlocprovider": "c", "datallowconn": true,
		"datconnlimit": int64(-1), "dattablespace": oid(tablespaceOID),
		"datcollate": locale, "datctype": locale,
	})
}

// accessMethods is the comments of the access methods.
var accessMethods = map[pgtypes.OID]string{
	heapOID: "heap table access method", btreeOID: "b-tree index access method",
}

func amRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{"oid": oid(heapOID), "amname": "heap", "amtype": "t", "amhandler": int64(3)})
	add(map[string]any{"oid": oid(btreeOID), "amname": "btree", "amtype": "i", "amhandler": int64(330)})
}

// tablespace is the only one.
const tablespace = "pg_default"

func tablespaceRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{"oid": oid(tablespaceOID), "spcname": tablespace, "spcowner": oid(ownerOID)})
}

// collations all compare by bytes.
var collations = []struct {
	oid      pgtypes.OID
	name     string
	provider string
	locale   any
	comment  string
}{
	{collationOID, "default", "d", nil, "database's default collation"},
	{950, "C", "c", "C", "standard C collation"},
	{951, "POSIX", "c", "POSIX", "standard POSIX collation"},
}

// A Setting is a run-time parameter as pg_settings shows it. Values are in
// their unit.
type Setting struct {
	Name, Unit, Category, Description string
	Context                           string // who may set it: user, internal, …
	Type                              string // bool, enum, integer, real, string
	Least, Greatest                   string
	Values                            []string // of an enum
	Boot                              string   // the default
	Value, Reset                      string   // in a session, and after RESET
	Inert                             bool     // accepted for clients that set it, and without effect
}

// A settingLister is a session that can tell its settings.
type settingLister interface {
	Settings() []Setting
}

func settingRows(_ *Catalog, env *expr.Env, add func(map[string]any)) {
	lister, ok := env.Session.(settingLister)
	if !ok {
		return
	}
	for _, s := range lister.Settings() {
		row := map[string]any{
			"name": s.Name, "setting": s.Value, "reset_val": s.Reset, "boot_val": s.Boot, "category": s.Category,
			"short_desc": s.Description, "context": s.Context, "vartype": s.Type, "unit": text(s.Unit), "min_val": text(s.Least),
			"max_val": text(s.Greatest), "source": "default", "pending_restart": false,
		}
		switch {
		case s.Value != s.Reset:
			row["source"] = "session"
		case s.Reset != s.Boot:
			row["source"] = "client"
		}
		if len(s.Values) > 0 {
			values := make([]any, len(s.Values))
			for i, v := range s.Values {
				values[i] = v
			}
			row["enumvals"] = typeArray(pgtypes.Text, values...)
		}
		add(row)
	}
}

func collationRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, coll := range collations {
		add(map[string]any{
			"oid": oid(coll.oid), "collname": coll.name, "collnamespace": oid(systemOID),
			"collowner": oid(ownerOID), "collprovider": coll.provider, "collisdeterministic": true,
			"collencoding": int64(-1), "collcollate": coll.locale, "collctype": coll.locale,
		})
	}
}

// languages are those that functions are shown in.
var languages = []struct {
	oid           pgtypes.OID
	name, comment string
}{{langInternalOID, "internal", "built-in functions"}, {langSQLOID, "sql", "SQL-language functions"}}

func languageRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, l := range languages {
		add(map[string]any{"oid": oid(l.oid), "lanname": l.name, "lanowner": oid(ownerOID), "lanpltrusted": l.oid == langSQLOID})
	}
}

func catalogNameRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{"catalog_name": c.database})
}

func schemataRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, s := range schemas {
		add(map[string]any{"catalog_name": c.database, "schema_name": s.name, "schema_owner": c.owner})
	}
}

func infoTablesRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		kind := "BASE TABLE"
		if rel.Kind == 'v' {
			kind = "VIEW"
		}
		add(map[string]any{
			"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
			"table_type": kind, "is_insertable_into": yesNo(c.writes(rel)&canInsert != 0), "is_typed": "NO",
		})
	}
}

func infoViewsRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if rel.Kind == 'v' {
			add(map[string]any{
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"view_definition": viewDefinition(rel), "check_option": "NONE", "is_updatable": "NO",
				"is_insertable_into": "NO", "is_trigger_updatable": "NO", "is_trigger_deletable": "NO",
				"is_trigger_insertable_into": "NO",
			})
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func infoColumnsRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		updatable := yesNo(c.writes(rel)&canUpdate != 0)
		for i, col := range rel.Columns {
			row := map[string]any{
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"column_name": col.Name, "ordinal_position": int64(i + 1), "is_nullable": yesNo(!col.NotNull),
				"udt_catalog": c.database, "udt_schema": SystemSchema, "dtd_identifier": itoa(i + 1),
				"is_self_referencing": "NO", "is_identity": "NO", "identity_cycle": "NO",
				"is_generated": "NEVER", "is_updatable": updatable,
			}
			if col.Default != "" {
				row["column_default"] = col.Default
			}
			describeType(row, col.Type)
			add(row)
		}
	}
}

// describeType fills the columns of information_schema.columns about a type.
func describeType(row map[string]any, t pgtypes.Type) {
	row["data_type"] = pgtypes.FormatType(pgtypes.Of(t.OID))
	if pgtypes.IsArray(t.OID) {
		row["data_type"] = "ARRAY"
	}
	if info := pgtypes.Lookup(t.OID); info != nil {
		row["udt_name"] = info.Name
	}
	numeric := func(precision, radix int64) {
		row["numeric_precision"], row["numeric_precision_radix"], row["numeric_scale"] = precision, radix, int64(0)
	}
	switch t.OID {
	case pgtypes.Int2:
		numeric(16, 2)
	case pgtypes.Int4:
		numeric(32, 2)
	case pgtypes.Int8:
		numeric(64, 2)
	case pgtypes.Float4:
		row["numeric_precision"], row["numeric_precision_radix"] = int64(24), int64(2)
	case pgtypes.Float8:
		row["numeric_precision"], row["numeric_precision_radix"] = int64(53), int64(2)
	case pgtypes.Numeric:
		row["numeric_precision_radix"] = int64(10)
	case pgtypes.Text, pgtypes.Varchar:
		row["character_octet_length"] = int64(1 << 30)
	case pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Time, pgtypes.Timetz, pgtypes.IntervalOID:
		row["datetime_precision"] = int64(6)
	case pgtypes.Date:
		row["datetime_precision"] = int64(0)
	}
}

func tableConstraintsRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if len(rel.PrimaryKey) > 0 {
			add(map[string]any{
				"constraint_catalog": c.database, "constraint_schema": rel.Schema, "constraint_name": rel.Name + "_pkey",
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"constraint_type": "PRIMARY KEY", "is_deferrable": "NO", "initially_deferred": "NO", "enforced": "YES",
			})
		}
	}
}

func keyColumnRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for i, at := range rel.PrimaryKey {
			add(map[string]any{
				"constraint_catalog": c.database, "constraint_schema": rel.Schema, "constraint_name": rel.Name + "_pkey",
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"column_name": rel.Columns[at].Name, "ordinal_position": int64(i + 1),
			})
		}
	}
}
