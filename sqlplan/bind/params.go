package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// params holds the types of $1, $2, …: declared, or decided by the first
// context that they stand in.
type params struct {
	types []oid
}

func newParams(declared []oid) *params {
	p := &params{types: make([]oid, len(declared))}
	for i, t := range declared {
		if t != pgtypes.Unknown {
			p.types[i] = t
		}
	}
	return p
}

const maxParams = 65535

// ref binds $n; its type is unknown until a context decides it.
func (p *params) ref(b *binder, n *pg.ParamRef) expr.Expr {
	i := int(n.Number)
	if i < 1 || i > maxParams {
		b.fail(n.Location, pgerr.UndefinedParameter, "there is no parameter $%d", i)
	}
	for len(p.types) < i {
		p.types = append(p.types, 0)
	}
	typ := p.types[i-1]
	if typ == 0 {
		typ = pgtypes.Unknown
	}
	return &expr.Param{N: i, Typ: typeOf(typ)}
}

// decide gives an untyped parameter a type, and a reference of that type.
func (p *params) decide(b *binder, ref *expr.Param, typ pgtypes.Type) expr.Expr {
	have := p.types[ref.N-1]
	if have != 0 && have != typ.OID {
		panic(pgerr.New(pgerr.AmbiguousParameter, "inconsistent types deduced for parameter $%d", ref.N).
			WithDetail("%s versus %s", typeName(typeOf(have)), typeName(typ)).At(b.locs[ref]))
	}
	p.types[ref.N-1] = typ.OID
	out := &expr.Param{N: ref.N, Typ: typeOf(typ.OID)}
	if at := b.locs[ref]; at > 0 {
		b.locs[out] = at
	}
	return out
}

// resolved gives every type, or 42P18 for one that nothing decided.
func (p *params) resolved() []oid {
	for i, t := range p.types {
		if t == 0 {
			panic(pgerr.New(pgerr.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1))
		}
	}
	return p.types
}
