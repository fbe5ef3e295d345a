package catalog

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func oid(o pgtypes.OID) int64 { return int64(o) }

// typeArray makes a text[] or the like of the values.
func typeArray(elem pgtypes.OID, values ...any) *pgtypes.Array { return pgtypes.NewArray(elem, values) }

func namespaceRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, s := range c.allSchemas() {
		add(map[string]any{"oid": oid(s.oid), "nspname": s.name, "nspowner": oid(ownerOID)})
	}
}

// pageBytes is the size of PostgreSQL's pages, which relpages counts.
const pageBytes = 8192

func classRows(c *Catalog, env *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		row := map[string]any{
			"oid": oid(rel.OID), "relname": rel.Name, "relnamespace": oid(schemaOID(rel.Schema)),
			"reltype": oid(rel.OID + rowTypeOffset), "relowner": oid(ownerOID),
			"relkind": string(rel.Kind), "relnatts": int64(len(rel.Columns)),
			"relpersistence": "p", "relispopulated": true, "relreplident": "n",
			"reltuples": -1.0, "relhasrules": rel.Kind == 'v',
			"relhasindex": len(rel.PrimaryKey) > 0,
		}
		if rel.Schema == TemporarySchema {
			row["relpersistence"] = "t"
		}
		if rel.Kind == 'r' {
			row["relam"] = oid(heapOID)
			if rel.Schema == PublicSchema || rel.Schema == TemporarySchema {
				row["relreplident"] = "d"
				if rows, bytes, err := c.stored(env, rel); err == nil {
					row["reltuples"], row["relpages"] = float64(rows), (bytes+pageBytes-1)/pageBytes
				}
			}
		}
		add(row)
		if len(rel.PrimaryKey) > 0 {
			add(map[string]any{
				"oid": oid(rel.OID + indexOffset), "relname": rel.Name + "_pkey",
				"relnamespace": oid(schemaOID(rel.Schema)), "relowner": oid(ownerOID),
				"relam": oid(btreeOID), "relkind": "i", "relnatts": int64(len(rel.PrimaryKey)),
				"relpersistence": "p", "relispopulated": true, "relreplident": "n",
			})
		}
	}
}

func attributeRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for i, col := range rel.Columns {
			add(attributeRow(rel.OID, i, col))
		}
		for i, at := range rel.PrimaryKey {
			col := rel.Columns[at]
			col.NotNull, col.Default = false, ""
			add(attributeRow(rel.OID+indexOffset, i, col))
		}
	}
}

func attributeRow(relation pgtypes.OID, i int, col Column) map[string]any {
	row := map[string]any{
		"attrelid": oid(relation), "attname": col.Name, "atttypid": oid(col.Type.OID),
		"attstattarget": int64(-1), "attnum": int64(i + 1), "attcacheoff": int64(-1),
		"atttypmod": int64(col.Type.Mod), "attnotnull": col.NotNull, "atthasdef": col.Default != "",
		"attislocal": true, "attidentity": "", "attgenerated": "",
	}
	if info := pgtypes.Lookup(col.Type.OID); info != nil {
		row["attlen"] = int64(info.Len)
		row["attbyval"] = info.ByVal
		row["attalign"] = string(info.Align)
		row["attstorage"] = string(info.Storage)
		row["attcollation"] = oid(info.Collation)
		if pgtypes.IsArray(col.Type.OID) {
			row["attndims"] = int64(1)
		}
	}
	return row
}

func indexRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if len(rel.PrimaryKey) == 0 {
			continue
		}
		keys := make([]any, len(rel.PrimaryKey))
		zeros := make([]any, len(keys))
		for i, at := range rel.PrimaryKey {
			keys[i], zeros[i] = int64(at+1), int64(0)
		}
		add(map[string]any{
			"indexrelid": oid(rel.OID + indexOffset), "indrelid": oid(rel.OID),
			"indnatts": int64(len(keys)), "indnkeyatts": int64(len(keys)),
			"indisunique": true, "indisprimary": true, "indimmediate": true, "indisvalid": true,
			"indisready": true, "indislive": true,
			"indkey": zeroBased(pgtypes.Int2, keys), "indoption": zeroBased(pgtypes.Int2, zeros),
			"indcollation": zeroBased(pgtypes.Oid, zeros), "indclass": zeroBased(pgtypes.Oid, zeros),
		})
	}
}

// zeroBased makes an int2vector or oidvector, which count from 0.
func zeroBased(elem pgtypes.OID, values []any) *pgtypes.Array {
	a := pgtypes.NewArray(elem, values)
	for i := range a.Dims {
		a.Dims[i].Lower = 0
	}
	return a
}

func constraintRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if len(rel.PrimaryKey) == 0 {
			continue
		}
		keys := make([]any, len(rel.PrimaryKey))
		for i, at := range rel.PrimaryKey {
			keys[i] = int64(at + 1)
		}
		add(map[string]any{
			"oid": oid(rel.OID + constraintOffset), "conname": rel.Name + "_pkey",
			"connamespace": oid(schemaOID(rel.Schema)), "contype": "p", "convalidated": true,
			"conrelid": oid(rel.OID), "conindid": oid(rel.OID + indexOffset),
			"confupdtype": " ", "confdeltype": " ", "confmatchtype": " ",
			"conislocal": true, "connoinherit": true, "conkey": typeArray(pgtypes.Int2, keys...),
		})
	}
}

func attrdefRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		for i, col := range rel.Columns {
			if col.Default != "" {
				add(map[string]any{
					"oid": oid(defaultsOffset + rel.OID%1000*1000 + pgtypes.OID(i)), "adrelid": oid(rel.OID),
					"adnum": int64(i + 1), "adbin": col.Default,
				})
			}
		}
	}
}

func descriptionRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	comment := func(class, object pgtypes.OID, sub int, text string) {
		if text != "" {
			add(map[string]any{
				"objoid": oid(object), "classoid": oid(class), "objsubid": int64(sub), "description": text,
			})
		}
	}
	for _, rel := range c.Relations() {
		comment(relationClass, rel.OID, 0, rel.Comment)
		for i, col := range rel.Columns {
			comment(relationClass, rel.OID, i+1, col.Comment)
		}
	}
	for _, f := range c.TableFunctions() {
		comment(procClass, f.Relation().OID, 0, f.Relation().Comment)
	}
	for _, b := range builtins().list {
		comment(procClass, b.OID, 0, b.Comment)
	}
	for _, o := range expr.AllOperators() {
		comment(operatorClass, o.OperOID, 0, o.Comment)
	}
	for _, t := range pgtypes.All() {
		comment(typeClass, t.OID, 0, typeDetails()[t.OID].comment)
	}
	for _, s := range schemas {
		comment(namespaceClass, s.oid, 0, s.comment)
	}
	for _, l := range languages {
		comment(languageClass, l.oid, 0, l.comment)
	}
	for _, coll := range collations {
		comment(collationClass, coll.oid, 0, coll.comment)
	}
	for am, text := range accessMethods {
		comment(amClass, am, 0, text)
	}
}

func tablesRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if rel.Kind == 'r' {
			add(map[string]any{
				"schemaname": rel.Schema, "tablename": rel.Name, "tableowner": c.owner,
				"hasindexes": len(rel.PrimaryKey) > 0, "hasrules": false, "hastriggers": false, "rowsecurity": false,
			})
		}
	}
}

func viewsRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if rel.Kind == 'v' {
			add(map[string]any{
				"schemaname": rel.Schema, "viewname": rel.Name, "viewowner": c.owner, "definition": viewDefinition(rel),
			})
		}
	}
}

func indexesRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, rel := range c.Relations() {
		if len(rel.PrimaryKey) > 0 {
			add(map[string]any{
				"schemaname": rel.Schema, "tablename": rel.Name, "indexname": rel.Name + "_pkey",
				"indexdef": indexDefinition(rel),
			})
		}
	}
}
