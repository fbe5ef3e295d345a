package catalog

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func typeRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, t := range pgtypes.All() {
		add(map[string]any{
			"oid": oid(t.OID), "typname": t.Name, "typnamespace": oid(systemOID), "typowner": oid(ownerOID),
			"typlen": int64(t.Len), "typbyval": t.ByVal, "typtype": string(t.Kind),
			"typcategory": string(t.Category), "typispreferred": t.Preferred, "typisdefined": true,
			"typdelim": string(t.Delim), "typelem": oid(t.Elem), "typarray": oid(t.Array),
			"typinput": procOID(t.Input), "typoutput": procOID(t.Output),
			"typreceive": procOID(t.Receive), "typsend": procOID(t.Send),
			"typalign": string(t.Align), "typstorage": string(t.Storage), "typtypmod": int64(-1),
			"typcollation": oid(t.Collation),
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

// procOID gives the OID of a built-in function by its name, 0 if it has none
// in pg_proc. Where a name is overloaded it is the first.
func procOID(name string) int64 {
	if o, ok := inputFunctions()[name]; ok {
		return oid(o)
	}
	if list := expr.Functions(name); len(list) > 0 {
		return oid(list[0].OID)
	}
	return 0
}

func procRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for name, o := range inputFunctions() {
		add(procRow(o, systemOID, name, nil, nil, pgtypes.AnyOID, 'f'))
	}
	seen := make(map[pgtypes.OID]bool)
	for _, f := range expr.AllFunctions() {
		if f.OID == 0 || seen[f.OID] || f.Operator != "" && f.Name == "" {
			continue
		}
		seen[f.OID] = true
		row := procRow(f.OID, systemOID, f.Name, f.Args, f.ArgNames, f.Result, 'f')
		row["proisstrict"], row["proretset"] = f.Strict, f.Set
		row["provolatile"], row["pronargdefaults"] = string(rune(f.Volatile)), int64(f.Defaults)
		if f.Variadic && len(f.Args) > 0 {
			row["provariadic"] = oid(f.Args[len(f.Args)-1])
		}
		add(row)
	}
	for _, a := range expr.AllAggregates() {
		if a.OID == 0 || seen[a.OID] {
			continue
		}
		seen[a.OID] = true
		add(procRow(a.OID, systemOID, a.Name, a.Args, nil, a.Result, 'a'))
	}
	for _, f := range c.TableFunctions() {
		add(tableFunctionRow(f))
	}
}

func procRow(o, schema pgtypes.OID, name string, args []pgtypes.OID, names []string, result pgtypes.OID, kind byte) map[string]any {
	types := make([]any, len(args))
	for i, a := range args {
		types[i] = oid(a)
	}
	row := map[string]any{
		"oid": oid(o), "proname": name, "pronamespace": oid(schema), "proowner": oid(ownerOID),
		"prolang": int64(12), "procost": 1.0, "prokind": string(kind), "proparallel": "s",
		"provolatile": "i", "pronargs": int64(len(args)), "prorettype": oid(result),
		"proargtypes": zeroBased(pgtypes.Oid, types), "prosrc": name,
	}
	if len(names) > 0 {
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = n
		}
		row["proargnames"] = pgtypes.NewArray(pgtypes.Text, list)
	}
	return row
}

// tableFunctionRow shows a table function with its arguments and result columns.
func tableFunctionRow(f TableFunction) map[string]any {
	rel := f.Relation()
	var in []pgtypes.OID
	var names, modes, all []any
	defaults := 0
	for _, a := range f.Args() {
		in = append(in, a.Type.OID)
		names, modes, all = append(names, a.Name), append(modes, "i"), append(all, oid(a.Type.OID))
		if a.Default != "" {
			defaults++
		}
	}
	for _, col := range rel.Columns {
		names, modes, all = append(names, col.Name), append(modes, "t"), append(all, oid(col.Type.OID))
	}
	row := procRow(rel.OID, publicOID, rel.Name, in, nil, pgtypes.RecordOID, 'f')
	row["proretset"], row["prorows"], row["provolatile"] = true, 100.0, "s"
	row["prolang"], row["pronargdefaults"] = oid(langInternalOID), int64(defaults)
	language, source := functionSource(f)
	if language == "sql" {
		row["prolang"] = oid(langSQLOID)
	}
	row["prosrc"] = source
	row["proargnames"] = pgtypes.NewArray(pgtypes.Text, names)
	row["proargmodes"] = pgtypes.NewArray(pgtypes.Char, modes)
	row["proallargtypes"] = pgtypes.NewArray(pgtypes.Oid, all)
	return row
}

// functionSource gives the language of a table function and its text in it:
// that of one in Go is its name.
func functionSource(f TableFunction) (language, source string) {
	if f, ok := f.(*SQLFunction); ok {
		return "sql", f.Result.Definition
	}
	return "internal", f.Relation().Name
}

// functionArguments prints a table function's arguments as
// pg_get_function_arguments does, with defaults if asked for.
func functionArguments(f TableFunction, defaults bool) string {
	var parts []string
	for _, a := range f.Args() {
		s := quoteIdent(a.Name) + " " + pgtypes.FormatType(a.Type)
		if defaults && a.Default != "" {
			s += " DEFAULT " + a.Default
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

// functionResult prints a table function's result columns.
func functionResult(f TableFunction) string {
	var parts []string
	for _, col := range f.Relation().Columns {
		parts = append(parts, quoteIdent(col.Name)+" "+pgtypes.FormatType(col.Type))
	}
	return "TABLE(" + strings.Join(parts, ", ") + ")"
}

func operatorRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, f := range expr.AllOperators() {
		if f.OperOID == 0 {
			continue
		}
		row := map[string]any{
			"oid": oid(f.OperOID), "oprname": f.Operator, "oprnamespace": oid(systemOID),
			"oprowner": oid(ownerOID), "oprkind": "b", "oprresult": oid(f.Result), "oprcode": oid(f.OID),
		}
		right := f.Args[len(f.Args)-1]
		row["oprright"] = oid(right)
		if len(f.Args) == 2 {
			row["oprleft"] = oid(f.Args[0])
		} else {
			row["oprkind"] = "l"
		}
		add(row)
	}
}
