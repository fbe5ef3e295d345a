package expr

import (
	_ "embed"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// An impl is the code of a function. Implementations are found by signature:
// "lower(text)" for a function, "int4 + int4" or "- int4" for an operator.
type impl struct {
	row  func(env *Env, call *Call, args []any) (any, error)
	vec  vecFunc
	rows func(env *Env, call *Call, args []any, emit func(row []any) error) error
}

// builtinsText is what PostgreSQL 15's pg_proc, pg_operator and pg_aggregate
// say of the functions that are implemented here, by lines of tab-separated
// fields; TestBuiltins rewrites it from a server.
//
//	f oid name args result flags variadic defaults argnames columns comment
//	o oid symbol left right result function comment
//	w as f, of the functions that need OVER; operators run them
//	a oid name args result kind direct variadic comment
//
//go:embed builtins.txt
var builtinsText string

// ownText is the functions that PostgreSQL does not have, in the same form.
//
//go:embed own.txt
var ownText string

type registryTables struct {
	functions  map[string][]*Func
	operators  map[string][]*Func
	windows    map[string][]*Func
	aggregates map[string][]*Aggregate

	allFunctions  []*Func
	allOperators  []*Func
	allWindows    []*Func
	allAggregates []*Aggregate
}

var registry = sync.OnceValue(func() *registryTables {
	r := &registryTables{
		functions:  make(map[string][]*Func),
		operators:  make(map[string][]*Func),
		windows:    make(map[string][]*Func),
		aggregates: make(map[string][]*Aggregate),
	}
	impls := implementations()
	operatorImpls := make(map[pgtypes.OID]impl) // by function OID
	var procs [][]string
	for line := range strings.Lines(builtinsText + ownText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch f[0] {
		case "o":
			r.addOperator(f, impls, operatorImpls)
		case "f":
			procs = append(procs, f)
		case "w":
			fn := function(f, impl{})
			r.windows[fn.Name] = append(r.windows[fn.Name], fn)
			r.allWindows = append(r.allWindows, fn)
		case "a":
			r.addAggregate(f)
		}
	}
	for _, f := range procs {
		r.addFunction(f, impls, operatorImpls)
	}
	return r
})

// implementations gathers the functions of every file.
func implementations() map[string]impl {
	all := make(map[string]impl)
	for _, part := range []func() map[string]impl{
		arithmeticFunctions, mathFunctions, stringFunctions, unicodeFunctions, patternFunctions, datetimeFunctions,
		formattingFunctions, jsonFunctions, arrayFunctions, setFunctions, systemFunctions, catalogFunctions, privilegeFunctions, listFunctions, byteFunctions, telemetryFunctions, histogramFunctions,
		jsonChangeFunctions, jsonTextFunctions, overlapsFunctions, arrayChangeFunctions, backupFunctions, adminFunctions, notifyFunctions, recordFunctions, jsonPathFunctions, networkFunctions,
	} {
		maps.Copy(all, part())
	}
	return all
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("BUG: builtins.txt: " + err.Error())
	}
	return n
}

// typeNamed finds the OID of a type by its internal name.
func typeNamed(name string) pgtypes.OID {
	if name == "" {
		return 0
	}
	if oid, ok := typeNames()[name]; ok {
		return oid
	}
	panic("BUG: builtins.txt: no type " + name)
}

var typeNames = sync.OnceValue(func() map[string]pgtypes.OID {
	m := make(map[string]pgtypes.OID)
	for _, t := range pgtypes.All() {
		m[t.Name] = t.OID
	}
	return m
})

func typesNamed(list string) []pgtypes.OID {
	var oids []pgtypes.OID
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			oids = append(oids, typeNamed(name))
		}
	}
	return oids
}

func (r *registryTables) addOperator(f []string, impls map[string]impl, byFunction map[pgtypes.OID]impl) {
	symbol, left, right := f[2], f[3], f[4]
	signature := symbol + " " + right
	if left != "" {
		signature = left + " " + signature
	}
	code, ok := impls[signature]
	if !ok {
		if code, ok = comparison(symbol, left, right); !ok {
			panic("BUG: no implementation of operator " + signature)
		}
	}
	fn := &Func{
		Name: f[2], OperOID: pgtypes.OID(number(f[1])), Operator: symbol, OID: pgtypes.OID(number(f[6])),
		Args: typesNamed(left + "," + right), Result: typeNamed(f[5]), Strict: strictOperator(symbol, left),
		Volatile: Immutable, Row: code.row, Vec: code.vec, Comment: f[7],
	}
	r.operators[symbol] = append(r.operators[symbol], fn)
	r.allOperators = append(r.allOperators, fn)
	byFunction[fn.OID] = code
}

// strictOperator: every operator is strict but the concatenations of arrays.
func strictOperator(symbol, left string) bool {
	return symbol != "||" || !strings.HasPrefix(left, "anycompatible")
}

func (r *registryTables) addFunction(f []string, impls map[string]impl, operators map[pgtypes.OID]impl) {
	signature := f[2] + "(" + f[3] + ")"
	oid := pgtypes.OID(number(f[1]))
	code, ok := impls[signature]
	if !ok {
		if code, ok = operators[oid]; !ok {
			panic("BUG: no implementation of function " + signature)
		}
		if f[6] != "" {
			code = gathering(code, strings.Count(f[3], ","))
		}
	}
	fn := function(f, code)
	r.functions[fn.Name] = append(r.functions[fn.Name], fn)
	r.allFunctions = append(r.allFunctions, fn)
}

// function makes a function of its line.
func function(f []string, code impl) *Func {
	fn := &Func{
		Name: f[2], OID: pgtypes.OID(number(f[1])), Args: typesNamed(f[3]), Result: typeNamed(f[4]),
		Strict: strings.Contains(f[5], "S"), Set: strings.Contains(f[5], "R"), Variadic: f[6] != "",
		Defaults: number(f[7]), Row: code.row, Vec: code.vec, Rows: code.rows, Comment: f[10],
	}
	fn.Volatile = Volatility(f[5][0])
	if f[6] != "" { // the last argument is an array of the repeated type
		fn.Args[len(fn.Args)-1] = typeNamed(f[6])
	}
	if f[8] != "" {
		fn.ArgNames = strings.Split(f[8], ",")
	}
	for column := range strings.SplitSeq(f[9], ",") {
		if name, typ, ok := strings.Cut(column, ":"); ok {
			fn.Columns = append(fn.Columns, SetColumn{Name: name, Type: typeNamed(typ)})
		}
	}
	if fn.Set && fn.Columns == nil {
		fn.Columns = []SetColumn{{Name: fn.Name, Type: fn.Result}}
	}
	return fn
}

// gathering makes an operator's code, which takes an array, that of a variadic
// function, whose last arguments are the array's elements.
func gathering(code impl, fixed int) impl {
	return impl{row: func(env *Env, call *Call, args []any) (any, error) {
		if !call.Spread {
			args = append(slices.Clone(args[:fixed]), pgtypes.NewArray(pgtypes.Text, args[fixed:]))
		}
		return code.row(env, call, args)
	}}
}

func (r *registryTables) addAggregate(f []string) {
	signature := f[2] + "(" + f[3] + ")"
	build, ok := aggregateImpls()[signature]
	if !ok {
		panic("BUG: no implementation of aggregate " + signature)
	}
	a := &Aggregate{
		Name: f[2], OID: pgtypes.OID(number(f[1])), Args: typesNamed(f[3]), Result: typeNamed(f[4]),
		OrderedSet: f[5] != "n", Hypothetical: f[5] == "h", Direct: number(f[6]), Variadic: f[7] != "", New: build, Comment: f[8],
	}
	if f[7] != "" {
		a.Args[len(a.Args)-1] = typeNamed(f[7])
	}
	r.aggregates[a.Name] = append(r.aggregates[a.Name], a)
	r.allAggregates = append(r.allAggregates, a)
}

// Functions gives the overloads of a function, nil if there is none.
func Functions(name string) []*Func { return registry().functions[name] }

// Operators gives the overloads of an operator; a prefix operator has one argument.
func Operators(symbol string) []*Func { return registry().operators[symbol] }

// Windows gives the overloads of a function that needs OVER.
func Windows(name string) []*Func { return registry().windows[name] }

// Aggregates gives the overloads of an aggregate.
func Aggregates(name string) []*Aggregate { return registry().aggregates[name] }

// AllFunctions lists the functions, for pg_proc.
func AllFunctions() []*Func { return registry().allFunctions }

// AllWindows lists the functions that need OVER, for pg_proc.
func AllWindows() []*Func { return registry().allWindows }

// AllOperators lists the operators, for pg_operator.
func AllOperators() []*Func { return registry().allOperators }

// AllAggregates lists the aggregates, for pg_proc and pg_aggregate.
func AllAggregates() []*Aggregate { return registry().allAggregates }
