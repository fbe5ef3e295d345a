package bind

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// groupingMark stands for GROUPING(…) until the keys are known.
type groupingMark struct {
	args     []expr.Expr
	location int32
}

func (g *groupingMark) Type() pgtypes.Type         { return typeOf(pgtypes.Int4) }
func (g *groupingMark) Children() []expr.Expr      { return nil }
func (g *groupingMark) With([]expr.Expr) expr.Expr { return g }
func (g *groupingMark) Eval(*expr.Env, []any) (any, error) {
	panic("BUG: GROUPING outlives the binder")
}

func (g *groupingMark) Vec(*expr.Env, *vector.Batch) (*vector.Column, error) {
	panic("BUG: GROUPING outlives the binder")
}

func (g *groupingMark) String() string {
	parts := make([]string, len(g.args))
	for i, a := range g.args {
		parts[i] = key(a)
	}
	return "grouping(" + strings.Join(parts, ", ") + ")"
}

// groupingBits computes GROUPING(…) from the bits of the Aggregate: its last
// argument is the lowest bit.
func (s *scope) groupingBits(m *groupingMark) expr.Expr {
	b, g := s.b, &s.grouped
	number := func(t oid, v int) expr.Expr { return &expr.Const{Typ: typeOf(t), Val: int64(v)} }
	var sum expr.Expr = number(pgtypes.Int8, 0)
	for i, a := range m.args {
		place := -1
		for k := range g.keys {
			if same(g.keys[k].expr, a) {
				place = k
			}
		}
		if place < 0 {
			panic(pgerr.New(pgerr.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level").At(b.locs[a]))
		}
		if g.sets == nil {
			continue
		}
		bit := b.operator("", "&", b.operator("", ">>", ref(*g.bits), number(pgtypes.Int4, place), m.location), number(pgtypes.Int8, 1), m.location)
		bit = b.operator("", "<<", bit, number(pgtypes.Int4, len(m.args)-1-i), m.location)
		sum = b.operator("", "+", sum, bit, m.location)
	}
	if g.sets == nil {
		return number(pgtypes.Int4, 0)
	}
	return b.mustCoerce(sum, typeOf(pgtypes.Int4), explicit, m.location)
}
