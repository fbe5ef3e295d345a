// Package expr evaluates expressions with PostgreSQL's semantics: functions,
// operators, casts and aggregates, each once, by rows and where it pays by
// columns.
package expr

import (
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// An Expr is a bound, typed expression. It never changes once built and may be
// evaluated by several goroutines at once.
type Expr interface {
	Type() pgtypes.Type
	// Children gives the operands; With makes a copy with others in their place.
	Children() []Expr
	With(children []Expr) Expr
	// Eval computes the value for one row, in the form of package pgtypes; nil is NULL.
	Eval(env *Env, row []any) (any, error)
	// Vec computes the values for the live rows of a batch. The column has b.N
	// rows; those outside b.Sel are unspecified. Errors (a division by zero) come
	// from live rows only.
	Vec(env *Env, b *vector.Batch) (*vector.Column, error)
	// String is a canonical, fully parenthesised form, for EXPLAIN and for equality.
	String() string
}

// A ColID names a column within one statement. Ids start at 1.
type ColID int32

// A Col refers to a column by its id. Slot is its place in the row or batch,
// set when the plan is made physical; -1 before.
type Col struct {
	ID   ColID
	Slot int
	Typ  pgtypes.Type
	Name string // for String: table.column
}

// A Const is a literal or a value known when the statement is bound.
type Const struct {
	Typ pgtypes.Type
	Val any
}

// A Param is $n; it is replaced by a Const before a plan is run.
type Param struct {
	N   int // 1-based
	Typ pgtypes.Type
}

// A Call applies a function or operator to its arguments. A strict function is
// not called when an argument is NULL: the result is NULL.
type Call struct {
	Fn   *Func
	Args []Expr
	Typ  pgtypes.Type // the result type, polymorphism resolved
	// Spread is a call with VARIADIC: the last argument is an array whose
	// elements stand for the repeated ones.
	Spread bool
}

// A Func is one overload of a function or operator, as pg_proc and pg_operator
// show it.
type Func struct {
	Name     string
	OID      pgtypes.OID // PostgreSQL's own for its built-in functions
	Operator string      // the operator's symbol, "" for a function
	OperOID  pgtypes.OID
	Args     []pgtypes.OID // may hold polymorphic pseudo-types
	Variadic bool          // the last argument repeats (its OID is the element's; AnyOID for "any")
	Defaults int           // how many trailing arguments may be left out
	ArgNames []string
	Result   pgtypes.OID
	Strict   bool
	Volatile Volatility
	Set      bool // returns a set of rows; Rows is set instead of Row
	Columns  []SetColumn

	// Row computes the value; args are non-nil where Strict.
	Row func(env *Env, call *Call, args []any) (any, error)
	// Vec, where set, computes a column from columns; NULLs of strict functions
	// are handled by it. A column is nil where call.Args has a *Const. It may
	// return nil, nil to decline; rows are used then.
	Vec func(env *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error)
	// Rows computes a set: each row has one value per column.
	Rows func(env *Env, call *Call, args []any, emit func(row []any) error) error

	Comment string
}

// A SetColumn is a result column of a set-returning function.
type SetColumn struct {
	Name string
	Type pgtypes.OID
	Mod  int32 // of a column definition list; 0: none
}

// A Volatility says how freely calls may be folded.
type Volatility byte

// PostgreSQL's classes.
const (
	Immutable Volatility = 'i'
	Stable    Volatility = 's' // the same within a statement: folded with the statement's Env
	Volatile  Volatility = 'v'
)

// An Aggregate is one overload of an aggregate function.
type Aggregate struct {
	Name       string
	OID        pgtypes.OID
	Args       []pgtypes.OID
	Variadic   bool
	OrderedSet bool // WITHIN GROUP: Args are the direct ones, then the sorted one
	Direct     int  // how many of Args are direct
	// Hypothetical: OrderedSet, and there are as many direct arguments as sorted
	// ones, of the same types.
	Hypothetical bool
	Result       pgtypes.OID
	// New makes the state of one group. typ is the resolved result type.
	New     func(call *AggCall) AggState
	Comment string
}

// An AggState is the state of one group. Add is given the arguments of one row
// (NULLs included: the state skips them as its function asks). States of the
// same call merge; other must not be used afterwards. More rows may be added
// after Result, which does not change what it gave before.
type AggState interface {
	Add(env *Env, args []any) error
	Merge(env *Env, other AggState) error
	Result(env *Env) (any, error)
}

// An AggCall is an aggregate with its arguments, as the plan holds it.
type AggCall struct {
	Agg      *Aggregate
	Args     []Expr // Star: none
	Typ      pgtypes.Type
	Star     bool
	Distinct bool
	Filter   Expr      // nil: every row
	OrderBy  []SortKey // inside the call, or WITHIN GROUP
}

// A SortKey orders rows.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool
}
