package catalog

import (
	"strconv"
	"strings"

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

func roleRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{
		"oid": oid(ownerOID), "rolname": c.owner, "rolsuper": true, "rolinherit": true,
		"rolcreaterole": true, "rolcreatedb": true, "rolcanlogin": true, "rolreplication": true,
		"rolbypassrls": true, "rolconnlimit": int64(-1),
	})
}

func userRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{
		"usename": c.owner, "usesysid": oid(ownerOID), "usecreatedb": true, "usesuper": true,
		"userepl": true, "usebypassrls": true, "passwd": "********",
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

// A SettingLister is a session that can tell its settings, each with its value
// and that of RESET, in the units that they are kept in.
type SettingLister interface {
	Settings(add func(name, value, reset string, fixed bool))
}

func settingRows(_ *Catalog, env *expr.Env, add func(map[string]any)) {
	lister, ok := env.Session.(SettingLister)
	if !ok {
		return
	}
	lister.Settings(func(name, value, reset string, fixed bool) {
		row := map[string]any{
			"name": name, "setting": value, "reset_val": reset, "boot_val": reset, "category": "Client Connection Defaults",
			"context": "user", "vartype": "string", "source": "default", "pending_restart": false,
		}
		if fixed {
			row["context"] = "internal"
		}
		if value != reset {
			row["source"] = "session"
		}
		if _, err := strconv.Atoi(value); err == nil {
			row["vartype"] = "integer"
		}
		if value == "on" || value == "off" {
			row["vartype"] = "bool"
		}
		if strings.HasSuffix(name, "_timeout") {
			row["unit"] = "ms"
		}
		add(row)
	})
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
			"table_type": kind, "is_insertable_into": "NO", "is_typed": "NO",
		})
	}
}

func infoViewsRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if rel.Kind == 'v' {
			add(map[string]any{
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"view_definition": rel.Definition, "check_option": "NONE", "is_updatable": "NO",
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
		for i, col := range rel.Columns {
			row := map[string]any{
				"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"column_name": col.Name, "ordinal_position": int64(i + 1), "is_nullable": yesNo(!col.NotNull),
				"udt_catalog": c.database, "udt_schema": SystemSchema, "dtd_identifier": itoa(i + 1),
				"is_self_referencing": "NO", "is_identity": "NO", "identity_cycle": "NO",
				"is_generated": "NEVER", "is_updatable": "NO",
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
