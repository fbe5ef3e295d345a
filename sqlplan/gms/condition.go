//go:build gms_pure_go

package gms

import (
	"fmt"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/tael-sql/tael-sql/internal/expr"
)

// numbered is a condition of the region by its place.
type numbered interface {
	sql.Expression
	condition() int
}

// opaque is an expression of which the analyser sees only the columns.
type opaque struct {
	number int
	name   string
	fields []sql.Expression
}

var _ sql.CollationCoercible = (*opaque)(nil)

func (o *opaque) condition() int               { return o.number }
func (o *opaque) Resolved() bool               { return true }
func (o *opaque) String() string               { return fmt.Sprintf("%s%d%v", o.name, o.number, o.fields) }
func (o *opaque) Type(*sql.Context) sql.Type   { return types.Boolean }
func (o *opaque) IsNullable(*sql.Context) bool { return true }
func (o *opaque) Children() []sql.Expression   { return o.fields }

// Eval is never called: the plan is read, not run.
func (o *opaque) Eval(*sql.Context, sql.Row) (any, error) {
	return nil, fmt.Errorf("gms: condition %d cannot be run", o.number)
}

func (o *opaque) WithChildren(_ *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	c := *o
	c.fields = children
	return &c, nil
}

// CollationCoercibility says that no collation is asked for.
func (o *opaque) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 7
}

// equality is a condition that a hash join can use: its sides are opaque.
type equality struct {
	number      int
	left, right sql.Expression
}

var _ expression.Equality = (*equality)(nil)

func (e *equality) condition() int               { return e.number }
func (e *equality) Resolved() bool               { return true }
func (e *equality) String() string               { return fmt.Sprintf("(%s = %s)", e.left, e.right) }
func (e *equality) Type(*sql.Context) sql.Type   { return types.Boolean }
func (e *equality) IsNullable(*sql.Context) bool { return true }
func (e *equality) Children() []sql.Expression   { return []sql.Expression{e.left, e.right} }
func (e *equality) Left() sql.Expression         { return e.left }
func (e *equality) Right() sql.Expression        { return e.right }
func (e *equality) RepresentsEquality() bool     { return true }

// Eval is never called: the plan is read, not run.
func (e *equality) Eval(*sql.Context, sql.Row) (any, error) {
	return nil, fmt.Errorf("gms: condition %d cannot be run", e.number)
}

func (e *equality) WithChildren(_ *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	c := *e
	c.left, c.right = children[0], children[1]
	return &c, nil
}

func (e *equality) SwapParameters(*sql.Context) (expression.Equality, error) {
	c := *e
	c.left, c.right = e.right, e.left
	return &c, nil
}

func (e *equality) ToComparer(*sql.Context) (expression.Comparer, error) {
	return expression.NewEquals(e.left, e.right), nil
}

// CollationCoercibility says that no collation is asked for.
func (e *equality) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 7
}

// expression makes condition c for the analyser.
func (r *region) expression(c int) sql.Expression {
	cond := r.conditions[c]
	if cond.Left == nil {
		return &opaque{number: c, name: "condition", fields: r.fields(cond.Columns)}
	}
	return &equality{number: c, left: r.side(c, "left", cond.Left), right: r.side(c, "right", cond.Right)}
}

// side is one side of an equality: a column as it is, anything else opaque.
func (r *region) side(c int, name string, columns []expr.ColID) sql.Expression {
	fields := r.fields(columns)
	if len(fields) == 1 {
		return fields[0]
	}
	return &opaque{number: c, name: name, fields: fields}
}

func (r *region) fields(columns []expr.ColID) []sql.Expression {
	fields := make([]sql.Expression, len(columns))
	for i, id := range columns {
		owner := r.owner[id]
		fields[i] = expression.NewGetFieldWithTable(int(r.ids[id]), owner+1, types.Int64, "region",
			fmt.Sprintf("t%d", owner), columnName(r.ids[id]), true)
	}
	return fields
}
