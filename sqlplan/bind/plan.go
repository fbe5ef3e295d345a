package bind

import (
	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A Node is a step of a bound plan: relational algebra over typed expressions
// in which every column has its own id. Bound plans never change, hold no
// execution state, and may be run many times and by several goroutines.
type Node interface {
	// Columns gives the output, in order.
	Columns() []Column
}

// A Column is one output column of a Node.
type Column struct {
	ID    expr.ColID
	Name  string
	Type  pgtypes.Type
	Table string // alias it came from, "" if computed

	// Relation and Attr name the table column that it is unchanged, for
	// RowDescription; 0 when computed.
	Relation pgtypes.OID
	Attr     int16
}

// An Item computes a column.
type Item struct {
	Expr expr.Expr
	Col  Column
}

type (
	// A Scan reads a table. Cols are the columns that the statement uses, Refs
	// their places in the relation, in the same order.
	Scan struct {
		Table  catalog.Table
		Alias  string
		Refs   []catalog.ColumnRef
		Cols   []Column
		Sample *Sample // nil: all rows
	}

	// Values gives literal rows; with one row of no columns it is SELECT without FROM.
	Values struct {
		Rows [][]expr.Expr
		Cols []Column
	}

	// A FuncScan gives the rows of a set-returning function or a table function.
	// Args may refer to columns of the left side of the Join (Lateral) it stands in.
	FuncScan struct {
		Func       *expr.Call          // or
		Table      catalog.RowFunction // with Args, every default filled in
		Args       []expr.Expr
		Ordinality bool // the last of Cols counts the rows
		Alias      string
		Cols       []Column
	}

	// A Filter keeps rows for which Cond is true.
	Filter struct {
		Input Node
		Cond  expr.Expr
	}

	// A Project computes columns. Items that are Calls of set-returning functions
	// (only at the top of an item) expand as PostgreSQL's ProjectSet.
	Project struct {
		Input Node
		Items []Item
	}

	// A Join of any kind. Lateral: Right refers to columns of Left.
	Join struct {
		Kind        JoinKind
		Left, Right Node
		On          expr.Expr // nil for a cross join
		Lateral     bool
	}

	// An Aggregate groups its input. Sets lists grouping sets as places in Keys;
	// nil means one set of all keys. Output: Keys, then Aggs, then (with Sets)
	// one int8 column for GROUPING(), in which bit i is set where the row was not
	// grouped by Keys[i].
	Aggregate struct {
		Input    Node
		Keys     []Item
		Aggs     []AggItem
		Sets     [][]int
		Grouping *Column
	}

	// A Window computes window functions over its input, whose columns it keeps.
	Window struct {
		Input Node
		Calls []WindowItem
	}

	// A Distinct keeps one row of each group of equal rows; with On, the first of
	// each group of equal On values in the order of its input.
	Distinct struct {
		Input Node
		On    []expr.Expr
	}

	// A Sort orders rows.
	Sort struct {
		Input Node
		Keys  []expr.SortKey
	}

	// A Limit skips Offset rows and gives up to Count. Both are nil or
	// expressions without columns. With Ties, the keys of the Sort below, it
	// also gives the rows that are equal to the last one.
	Limit struct {
		Input         Node
		Count, Offset expr.Expr
		Ties          []expr.SortKey
	}

	// A SetOp combines two inputs with the same column types.
	SetOp struct {
		Kind        SetOpKind
		All         bool
		Left, Right Node
		Cols        []Column
	}

	// A CTE is a WITH query used more than once, or recursive: its rows are
	// computed once a statement. Recursive is nil for a plain one; it refers to
	// the working table by a CTERef of the same CTE.
	CTE struct {
		Name      string
		Query     Node
		Recursive Node
		UnionAll  bool
		Cols      []Column
	}

	// A CTERef reads a CTE under new column ids.
	CTERef struct {
		CTE  *CTE
		Cols []Column
	}
)

// A JoinKind is the kind of a Join.
type JoinKind uint8

// The kinds of join.
const (
	InnerJoin JoinKind = iota + 1
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

// A SetOpKind is UNION, INTERSECT or EXCEPT.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota + 1
	Intersect
	Except
)

// An AggItem computes an aggregate.
type AggItem struct {
	Call *expr.AggCall
	Col  Column
}

// A WindowItem computes a window function: an aggregate or a ranking function
// named by Func over a window.
type WindowItem struct {
	Func      string // row_number, rank, lag, …; "" when Agg is set
	Agg       *expr.AggCall
	Args      []expr.Expr
	Partition []expr.Expr
	Order     []expr.SortKey
	Frame     Frame
	Col       Column
}

// A Frame bounds a window as PostgreSQL's frame clause does.
type Frame struct {
	Mode       byte // 'r' RANGE, 'w' ROWS, 'g' GROUPS
	Start, End FrameBound
	Exclude    byte // 0, 'c' current row, 'g' group, 't' ties
}

// A FrameBound is one end of a Frame.
type FrameBound struct {
	Kind   byte // 'U' unbounded preceding, 'p' offset preceding, 'c' current row, 'f' offset following, 'u' unbounded following
	Offset expr.Expr
}

// A Subquery is a query inside an expression. It implements expr.Expr; only
// the executor can evaluate it. Outer lists the columns of enclosing queries
// that Plan refers to: empty means that it is evaluated once a statement.
type Subquery struct {
	N     int // tells the sub-queries of a statement apart
	Kind  SubqueryKind
	Plan  Node
	Outer []Column
	Typ   pgtypes.Type

	// For Any, All and Row: Test Op row, for each row of Plan. Tests has several
	// for (a, b) IN (SELECT …), which compare as rows do; Equals is their
	// equality, where < and the like need it.
	Tests  []expr.Expr
	Ops    []*expr.Func
	Equals []*expr.Func
}

// A SubqueryKind is what a Subquery gives.
type SubqueryKind uint8

// The kinds: one value, whether a row exists, Test op ANY/ALL, ARRAY(SELECT …),
// Tests op the one row.
const (
	Scalar SubqueryKind = iota + 1
	Exists
	Any
	All
	Array
	Row
)
