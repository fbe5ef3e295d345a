package catalog

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func procRows(c *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, b := range builtins().list {
		add(builtinRow(b))
	}
	for _, f := range c.TableFunctions() {
		add(tableFunctionRow(f))
	}
}

func procRow(o, schema pgtypes.OID, name string, args []pgtypes.OID, result pgtypes.OID, kind byte) map[string]any {
	types := make([]any, len(args))
	for i, a := range args {
		types[i] = oid(a)
	}
	return map[string]any{
		"oid": oid(o), "proname": name, "pronamespace": oid(schema), "proowner": oid(ownerOID),
		"prolang": oid(langInternalOID), "procost": 1.0, "prokind": string(kind), "proparallel": "s",
		"provolatile": "i", "pronargs": int64(len(args)), "prorettype": oid(result),
		"proargtypes": zeroBased(pgtypes.Oid, types), "prosrc": name,
	}
}

func builtinRow(b *builtin) map[string]any {
	in := make([]pgtypes.OID, len(b.Args))
	var names, modes, all []any
	named := false
	for i := range b.Args {
		in[i] = b.argType(i)
		name := ""
		if i < len(b.ArgNames) {
			name = b.ArgNames[i]
		}
		mode := "i"
		if b.Variadic && i == len(b.Args)-1 {
			mode = "v"
		}
		named = named || name != ""
		names, modes, all = append(names, name), append(modes, mode), append(all, oid(in[i]))
	}
	row := procRow(b.OID, schemaOID(b.schema()), b.Name, in, b.Result, b.kind)
	row["proisstrict"], row["proretset"] = b.Strict, b.Set
	row["provolatile"], row["pronargdefaults"] = string(rune(b.Volatile)), int64(b.Defaults)
	if b.Set {
		row["prorows"] = 1000.0
	}
	if b.Variadic {
		row["provariadic"] = oid(b.Args[len(b.Args)-1])
	}
	if b.hasColumns() {
		named = true
		for _, c := range b.Columns {
			names, modes, all = append(names, c.Name), append(modes, "o"), append(all, oid(c.Type))
		}
	}
	if named {
		row["proargnames"] = pgtypes.NewArray(pgtypes.Text, names)
	}
	if b.Variadic || b.hasColumns() {
		row["proargmodes"] = pgtypes.NewArray(pgtypes.Char, modes)
		row["proallargtypes"] = pgtypes.NewArray(pgtypes.Oid, all)
	}
	return row
}

// aggregateRows says nothing of transition functions: aggregates have none
// that SQL could call.
func aggregateRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	for _, b := range builtins().list {
		if b.kind == 'a' {
			add(map[string]any{
				"aggfnoid": oid(b.OID), "aggkind": string(b.set), "aggnumdirectargs": int64(b.direct),
				"aggfinalmodify": "r", "aggmfinalmodify": "r",
			})
		}
	}
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
	row := procRow(rel.OID, publicOID, rel.Name, in, pgtypes.RecordOID, 'f')
	row["proretset"], row["prorows"], row["provolatile"], row["proparallel"] = true, 100.0, "s", "u"
	row["pronargdefaults"] = int64(defaults)
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
		row := map[string]any{
			"oid": oid(f.OperOID), "oprname": f.Operator, "oprnamespace": oid(systemOID),
			"oprowner": oid(ownerOID), "oprkind": "b", "oprresult": oid(f.Result), "oprcode": oid(f.OID),
		}
		row["oprright"] = oid(f.Args[len(f.Args)-1])
		if len(f.Args) == 2 {
			row["oprleft"] = oid(f.Args[0])
		} else {
			row["oprkind"] = "l"
		}
		add(row)
	}
}

// castRows shows the casts of castsText, in the contexts where they are applied.
func castRows(_ *Catalog, _ *expr.Env, add func(map[string]any)) {
	for line := range strings.Lines(castsText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		source, target := number(f[1]), number(f[2])
		context, ok := pgtypes.CastContext(source, target)
		if !ok {
			panic("BUG: casts.txt: pgtypes does not know " + line)
		}
		add(map[string]any{
			"oid": oid(number(f[0])), "castsource": oid(source), "casttarget": oid(target),
			"castfunc": oid(number(f[3])), "castcontext": string(rune(context)), "castmethod": f[4],
		})
	}
}
