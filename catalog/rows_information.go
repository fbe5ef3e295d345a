package catalog

import (
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func characterSetRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	add(map[string]any{
		"character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8", "default_collate_catalog": c.database,
	})
}

func infoCollationRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, coll := range collations {
		add(map[string]any{
			"collation_catalog": c.database, "collation_schema": SystemSchema, "collation_name": coll.name, "pad_attribute": "NO PAD",
		})
	}
}

func enabledRoleRows(c *Catalog, env *expr.Env, add func(map[string]any)) {
	for _, r := range c.Roles() {
		if c.Member(env.User, r.Name) {
			add(map[string]any{"role_name": r.Name})
		}
	}
}

// tablePrivilegeRows gives what the owner may do. PostgreSQL grants the owner
// everything, whether the relation can do it or not.
func tablePrivilegeRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for _, privilege := range []string{"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"} {
			add(map[string]any{
				"grantor": c.owner, "grantee": c.owner, "table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
				"privilege_type": privilege, "is_grantable": "YES", "with_hierarchy": yesNo(privilege == "SELECT"),
			})
		}
	}
}

func constraintColumnRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for _, at := range rel.PrimaryKey {
			row := constraintTable(c, rel)
			row["column_name"] = rel.Columns[at].Name
			add(row)
		}
	}
}

func constraintTableRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if len(rel.PrimaryKey) > 0 {
			add(constraintTable(c, rel))
		}
	}
}

func constraintTable(c *Catalog, rel *Relation) map[string]any {
	return map[string]any{
		"table_catalog": c.database, "table_schema": rel.Schema, "table_name": rel.Name,
		"constraint_catalog": c.database, "constraint_schema": rel.Schema, "constraint_name": rel.Name + "_pkey",
	}
}

// elementTypeRows tells the element types of columns that are arrays.
func elementTypeRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for i, col := range rel.Columns {
			elem := pgtypes.Lookup(pgtypes.ElemOf(col.Type.OID))
			if elem == nil || !pgtypes.IsArray(col.Type.OID) {
				continue
			}
			add(map[string]any{
				"object_catalog": c.database, "object_schema": rel.Schema, "object_name": rel.Name, "object_type": "TABLE",
				"collection_type_identifier": itoa(i + 1), "data_type": pgtypes.FormatType(pgtypes.Of(elem.OID)),
				"udt_catalog": c.database, "udt_schema": SystemSchema, "udt_name": elem.Name, "dtd_identifier": "a" + itoa(i+1),
			})
		}
	}
}

func zoneRows(_ *Catalog, env *expr.Env, add func(map[string]any)) {
	_ = expr.ListZones(time.UnixMicro(env.Statement+pgtypes.EpochUnixMicros), func(row []any) error {
		add(map[string]any{"name": row[0], "abbrev": row[1], "utc_offset": row[2], "is_dst": row[3]})
		return nil
	})
}
