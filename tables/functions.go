package tables

import (
	_ "embed"
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// functionsText defines the functions that are queries, as PostgreSQL would be
// told of them: comment, CREATE FUNCTION with arguments, result columns with a
// comment behind each, and the query.
//
//go:embed functions.sql
var functionsText string

// firstFunctionOID and functionNames give functions their OIDs, which never
// change: a new function goes to the end.
const firstFunctionOID pgtypes.OID = 20101

var functionNames = []string{
	"summary", "top_services", "error_operations", "trace_summary", "service_graph", "anomalies",
	"correlate", "grafana_trace", "trace_tree", "critical_path", "search",
	"trace_diff", "latency_diff", "tail",
}

func functionOID(name string) pgtypes.OID {
	for i, n := range functionNames {
		if n == name {
			return firstFunctionOID + pgtypes.OID(i)
		}
	}
	panic("BUG: function " + name + " has no OID")
}

func registerFunctions(c *catalog.Catalog) {
	for _, f := range parseFunctions(functionsText) {
		c.AddFunction(f)
	}
}

// parseFunctions reads definitions in the one form that functions.sql is
// written in.
func parseFunctions(text string) []*catalog.SQLFunction {
	var list []*catalog.SQLFunction
	var comment []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if line, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(line, "-- ") {
			comment = append(comment, line[3:])
			text = rest
			continue
		}
		head, rest, ok := strings.Cut(text, "AS $$\n")
		query, rest, ok2 := strings.Cut(rest, "\n$$;")
		head, isCreate := strings.CutPrefix(head, "CREATE FUNCTION ")
		signature, result, ok3 := strings.Cut(head, "\nRETURNS TABLE (")
		name, args, ok4 := strings.Cut(signature, "(")
		if !ok || !ok2 || !isCreate || !ok3 || !ok4 {
			panic("BUG: functions.sql: " + head)
		}
		rel := &catalog.Relation{
			OID: functionOID(name), Schema: catalog.PublicSchema, Name: name, Kind: 'f',
			Comment: strings.Join(comment, " "), Definition: "\n" + query + "\n",
		}
		for line := range strings.Lines(strings.TrimSuffix(strings.TrimSpace(result), ")")) {
			column, note, _ := strings.Cut(line, " -- ")
			for _, p := range parseParameters(strings.TrimSuffix(strings.TrimSpace(column), ",")) {
				rel.Columns = append(rel.Columns, catalog.Column{Name: p.Name, Type: p.Type, Comment: strings.TrimSpace(note)})
			}
		}
		list = append(list, &catalog.SQLFunction{Result: rel, Parameters: parseParameters(args)})
		text, comment = rest, nil
	}
	return list
}

// parseParameters reads "name type DEFAULT value, …" up to its closing
// parenthesis.
func parseParameters(text string) []catalog.Arg {
	text = strings.TrimSuffix(strings.TrimSpace(text), ")")
	if text == "" {
		return nil
	}
	var list []catalog.Arg
	for part := range strings.SplitSeq(text, ",") {
		name, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
		name = strings.Trim(name, `"`)
		typ, value, _ := strings.Cut(rest, " DEFAULT ")
		oid, ok := pgtypes.ByName(typ)
		if !ok {
			panic("BUG: functions.sql: type " + typ)
		}
		list = append(list, catalog.Arg{Name: name, Type: pgtypes.Of(oid), Default: value})
	}
	return list
}
