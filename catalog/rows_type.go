package catalog

import (
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func typeRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, t := range pgtypes.All() {
		if t.Elem != 0 && pgtypes.Lookup(t.Elem) == nil {
			continue // an array of a system relation's rows
		}
		detail := typeDetails()[t.OID]
		add(map[string]any{
			"oid": oid(t.OID), "typname": t.Name, "typnamespace": oid(systemOID), "typowner": oid(ownerOID),
			"typlen": int64(t.Len), "typbyval": detail.byValue, "typtype": string(t.Kind),
			"typcategory": string(t.Category), "typispreferred": t.Preferred, "typisdefined": true,
			"typdelim": string(t.Delim), "typelem": oid(t.Elem), "typarray": oid(t.Array),
			"typinput": procOID(t.Input), "typoutput": procOID(t.Output),
			"typreceive": procOID(t.Receive), "typsend": procOID(t.Send),
			"typalign": string(t.Align), "typstorage": string(t.Storage), "typtypmod": int64(-1),
			"typcollation": oid(t.Collation), "typmodin": oid(detail.modIn), "typmodout": oid(detail.modOut),
			"typanalyze": oid(detail.analyze), "typsubscript": oid(detail.subscript),
		})
	}
	for _, rel := range c.Relations() {
		add(map[string]any{
			"oid": oid(rel.OID + rowTypeOffset), "typname": rel.Name,
			"typnamespace": oid(schemaOID(rel.Schema)), "typowner": oid(ownerOID),
			"typlen": int64(-1), "typtype": "c", "typcategory": "C", "typisdefined": true, "typdelim": ",",
			"typrelid": oid(rel.OID), "typalign": "d", "typstorage": "x", "typtypmod": int64(-1),
			"typinput": procOID("record_in"), "typoutput": procOID("record_out"),
			"typreceive": procOID("record_recv"), "typsend": procOID("record_send"),
		})
	}
}

// procOID gives the OID of the function of a name that a type has for its
// input or output, 0 for none. Of functions of one name it is the first.
func procOID(name string) int64 {
	if list := builtins().byName[name]; len(list) > 0 {
		return oid(list[0].OID)
	}
	return 0
}
