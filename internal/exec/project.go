package exec

import (
	"context"
	"slices"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// project computes columns. Plain column references share the input's column,
// and are decoded only when somebody asks for them.
type project struct {
	env   *expr.Env
	in    vector.Reader
	exprs []expr.Expr
}

// Project computes one column for each expression.
func Project(env *expr.Env, in vector.Reader, exprs []expr.Expr) vector.Reader {
	return &project{env: env, in: in, exprs: exprs}
}

func (p *project) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := p.in.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := vector.NewLazyBatch(b.N, len(p.exprs), func(i int) (*vector.Column, error) {
		if c, ok := p.exprs[i].(*expr.Col); ok {
			return b.Column(c.Slot)
		}
		return p.exprs[i].Vec(p.env, b)
	})
	out.Sel = b.Sel
	// Errors belong to the statement even when nobody reads the column.
	for i, e := range p.exprs {
		if _, ok := e.(*expr.Col); ok {
			continue
		}
		if _, err := out.Column(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *project) Close() { p.in.Close() }

// projectSet is a Project in which some expressions are set-returning calls.
// A row expands to as many rows as its longest set; shorter sets are padded
// with NULL, as PostgreSQL has done since version 10.
type projectSet struct {
	env   *expr.Env
	in    vector.Reader
	exprs []expr.Expr
	kinds []vector.Kind
}

// ProjectSet is Project where at least one expression is a call of a
// set-returning function; one of several columns gives records.
func ProjectSet(env *expr.Env, in vector.Reader, exprs []expr.Expr, kinds []vector.Kind) vector.Reader {
	return &projectSet{env: env, in: in, exprs: exprs, kinds: kinds}
}

func (p *projectSet) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := p.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		cols, err := columns(b)
		if err != nil {
			return nil, err
		}
		builders := make([]*vector.Builder, len(p.exprs))
		for i, k := range p.kinds {
			builders[i] = vector.NewBuilder(k, b.Live())
		}
		n := 0
		row := make([]any, len(cols))
		for k := range b.Live() {
			i := b.Row(k)
			for c, col := range cols {
				row[c] = col.Value(i)
			}
			added, err := p.expand(row, builders)
			if err != nil {
				return nil, err
			}
			n += added
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if n > 0 {
			return finish(builders, n), nil
		}
	}
}

// recordOf makes a row of a set a value.
func recordOf(call *expr.Call, row []any) *pgtypes.Record {
	r := &pgtypes.Record{Names: make([]string, len(row)), Types: make([]pgtypes.Type, len(row)), Vals: slices.Clone(row)}
	for i, c := range call.Fn.Columns {
		typ := c.Type
		if typ == pgtypes.Anyelement {
			typ = pgtypes.Lookup(call.Args[0].Type().OID).Elem
		}
		r.Names[i], r.Types[i] = c.Name, pgtypes.Of(typ)
	}
	return r
}

func (p *projectSet) expand(row []any, builders []*vector.Builder) (int, error) {
	sets := make([][]any, len(p.exprs))
	scalars := make([]any, len(p.exprs))
	longest := 0
	for i, e := range p.exprs {
		call, ok := e.(*expr.Call)
		if !ok || !call.Fn.Set {
			v, err := e.Eval(p.env, row)
			if err != nil {
				return 0, err
			}
			scalars[i] = v
			continue
		}
		values := []any{}
		err := SetRows(p.env, call, row, func(out []any) error {
			v := out[0]
			if len(out) > 1 {
				v = recordOf(call, out)
			}
			values = append(values, v)
			return p.env.Account.Grow(valueBytes(v))
		})
		if err != nil {
			return 0, err
		}
		sets[i] = values
		longest = max(longest, len(values))
	}
	for n := range longest {
		for i, b := range builders {
			switch {
			case sets[i] == nil:
				b.Append(scalars[i])
			case n < len(sets[i]):
				b.Append(sets[i][n])
			default:
				b.AppendNull()
			}
		}
	}
	return longest, nil
}

func (p *projectSet) Close() { p.in.Close() }

// SetRows calls a set-returning function for one input row.
func SetRows(env *expr.Env, call *expr.Call, row []any, emit func([]any) error) error {
	args := make([]any, len(call.Args))
	for i, a := range call.Args {
		v, err := a.Eval(env, row)
		if err != nil {
			return err
		}
		if v == nil && call.Fn.Strict {
			return nil
		}
		args[i] = v
	}
	return call.Fn.Rows(env, call, args, emit)
}
