package catalog

import (
	"cmp"
	_ "embed"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// functionsText lists the functions of PostgreSQL 15 that types, casts and
// access methods name: OID, name, arguments, result, flags, comment, separated
// by tabs. Those that expr does not have exist for clients that join with
// pg_proc; nobody calls them.
//
//go:embed functions.txt
var functionsText string

// typesText is what PostgreSQL 15's pg_type has beyond pgtypes.Info: OID, the
// OIDs of the functions for modifiers (in, out), analysis and subscripts,
// whether it is passed by value, comment.
//
//go:embed types.txt
var typesText string

// castsText is PostgreSQL 15's pg_cast: OID, source, target, function, method.
//
//go:embed casts.txt
var castsText string

// A builtin is a function of pg_catalog, of whatever kind.
type builtin struct {
	*expr.Func
	kind   byte // prokind: f, a, w
	direct int  // of an aggregate: how many arguments stand before WITHIN GROUP
	set    byte // aggkind: n, o, h
}

type builtinTable struct {
	list   []*builtin // by OID
	byOID  map[pgtypes.OID]*builtin
	byName map[string][]*builtin
}

var builtins = sync.OnceValue(func() *builtinTable {
	t := &builtinTable{byOID: make(map[pgtypes.OID]*builtin), byName: make(map[string][]*builtin)}
	add := func(b *builtin) {
		if b.OID != 0 && t.byOID[b.OID] == nil {
			t.byOID[b.OID] = b
		}
	}
	for _, f := range expr.AllFunctions() {
		add(&builtin{Func: f, kind: 'f'})
	}
	for _, f := range expr.AllWindows() {
		add(&builtin{Func: f, kind: 'w'})
	}
	for _, a := range expr.AllAggregates() {
		set := byte('n')
		switch {
		case a.Hypothetical:
			set = 'h'
		case a.OrderedSet:
			set = 'o'
		}
		f := &expr.Func{
			OID: a.OID, Name: a.Name, Args: a.Args, Variadic: a.Variadic, Result: a.Result, Volatile: expr.Immutable, Comment: a.Comment,
		}
		if strings.HasPrefix(a.Name, "json") && a.Name != "jsonb_object_agg" {
			f.Volatile = expr.Stable // DateStyle
		}
		add(&builtin{Func: f, kind: 'a', direct: a.Direct, set: set})
	}
	for line := range strings.Lines(functionsText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		fn := &expr.Func{
			OID: number(f[0]), Name: f[1], Result: namedType(f[3]), Volatile: expr.Volatility(f[4][0]),
			Strict: strings.Contains(f[4], "S"), Set: strings.Contains(f[4], "R"), Comment: f[5],
		}
		for name := range strings.SplitSeq(f[2], ",") {
			if name != "" {
				fn.Args = append(fn.Args, namedType(name))
			}
		}
		add(&builtin{Func: fn, kind: 'f'})
	}
	t.list = slices.SortedFunc(maps.Values(t.byOID), func(a, b *builtin) int { return cmp.Compare(a.OID, b.OID) })
	for _, b := range t.list {
		t.byName[b.Name] = append(t.byName[b.Name], b)
	}
	return t
})

// number reads an OID of an embedded list.
func number(text string) pgtypes.OID {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		panic("BUG: embedded list: " + err.Error())
	}
	return pgtypes.OID(n)
}

func namedType(name string) pgtypes.OID {
	oid, ok := pgtypes.ByInternalName(name)
	if !ok {
		panic("BUG: embedded list: type " + name)
	}
	return oid
}

// schema gives where the function lives: helpers of information_schema are
// named so.
func (b *builtin) schema() string {
	if strings.HasPrefix(b.Name, "_pg_") {
		return InformationSchema
	}
	return SystemSchema
}

// arguments prints the arguments as pg_get_function_arguments does.
func (b *builtin) arguments() string {
	parts := make([]string, 0, len(b.Args)+len(b.Columns))
	for i := range b.Args {
		parts = append(parts, b.argument(i))
	}
	if b.set == 'o' {
		return strings.Join(parts[:b.direct], ", ") + " ORDER BY " + strings.Join(parts[b.direct:], ", ")
	}
	if b.hasColumns() {
		for _, c := range b.Columns {
			parts = append(parts, "OUT "+quoteIdent(c.Name)+" "+pgtypes.FormatType(pgtypes.Of(c.Type)))
		}
	}
	return strings.Join(parts, ", ")
}

func (b *builtin) argument(i int) string {
	text := pgtypes.FormatType(pgtypes.Of(b.Args[i]))
	if i == len(b.Args)-1 && b.Variadic {
		text = "VARIADIC " + pgtypes.FormatType(pgtypes.Of(b.argType(i)))
	}
	if i < len(b.ArgNames) && b.ArgNames[i] != "" {
		text = quoteIdent(b.ArgNames[i]) + " " + text
	}
	return text
}

// argType gives an argument's type as pg_proc has it: a repeated one is an array.
func (b *builtin) argType(i int) pgtypes.OID {
	if i < len(b.Args)-1 || !b.Variadic {
		return b.Args[i]
	}
	switch b.Args[i] {
	case pgtypes.AnyOID:
		return pgtypes.AnyOID
	case pgtypes.Anyelement:
		return pgtypes.Anyarray
	}
	return pgtypes.ArrayOf(b.Args[i])
}

// hasColumns reports whether the result has named columns.
func (b *builtin) hasColumns() bool {
	return b.Set && (len(b.Columns) > 1 || len(b.Columns) == 1 && b.Columns[0].Name != b.Name)
}

// result prints the result type as pg_get_function_result does.
func (b *builtin) result() string {
	s := pgtypes.FormatType(pgtypes.Of(b.Result))
	if b.Set {
		s = "SETOF " + s
	}
	return s
}

// signature is the function's name with its arguments' types.
func (b *builtin) signature() string {
	types := make([]string, len(b.Args))
	for i := range b.Args {
		types[i] = pgtypes.FormatType(pgtypes.Of(b.argType(i)))
	}
	return quoteIdent(b.Name) + "(" + strings.Join(types, ",") + ")"
}

// typeDetail is a line of typesText.
type typeDetail struct {
	modIn, modOut, analyze, subscript pgtypes.OID
	byValue                           bool
	comment                           string
}

var typeDetails = sync.OnceValue(func() map[pgtypes.OID]typeDetail {
	m := make(map[pgtypes.OID]typeDetail)
	for line := range strings.Lines(typesText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		m[number(f[0])] = typeDetail{
			modIn: number(f[1]), modOut: number(f[2]), analyze: number(f[3]), subscript: number(f[4]),
			byValue: f[5] == "true", comment: f[6],
		}
	}
	return m
})
