package expr

import (
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Cast converts a value to another type. Explicit casts may cut text to a
// declared length.
type Cast struct {
	Arg      Expr
	Typ      pgtypes.Type
	Explicit bool
}

// Type gives the target type.
func (e *Cast) Type() pgtypes.Type { return e.Typ }

// Children gives the operand.
func (e *Cast) Children() []Expr { return []Expr{e.Arg} }

// With replaces the operand.
func (e *Cast) With(children []Expr) Expr {
	return &Cast{Arg: children[0], Typ: e.Typ, Explicit: e.Explicit}
}

// Eval computes one row.
func (e *Cast) Eval(env *Env, row []any) (any, error) {
	v, err := e.Arg.Eval(env, row)
	if err != nil || v == nil {
		return nil, err
	}
	return convert(env, v, e.Arg.Type(), e.Typ, e.Explicit)
}

// convert is pgtypes.Convert with the catalog's names for the reg* types.
func convert(env *Env, v any, from, to pgtypes.Type, explicit bool) (any, error) {
	if isReg(to.OID) || isReg(from.OID) {
		if out, done, err := convertReg(env, v, from, to); done || err != nil {
			return out, err
		}
	}
	return pgtypes.Convert(v, from, to, env.Style, explicit)
}

func isReg(oid pgtypes.OID) bool {
	switch oid {
	case pgtypes.Regproc, pgtypes.Regprocedure, pgtypes.Regoper, pgtypes.Regoperator,
		pgtypes.Regclass, pgtypes.Regtype, pgtypes.Regnamespace, pgtypes.Regrole, pgtypes.Regcollation:
		return true
	}
	return false
}

// regMissing gives PostgreSQL's error for a name that a reg* type does not know.
func regMissing(kind pgtypes.OID, name string) error {
	switch kind {
	case pgtypes.Regclass:
		return pgerr.New(pgerr.UndefinedTable, "relation \"%s\" does not exist", name)
	case pgtypes.Regtype:
		return pgerr.New(pgerr.UndefinedObject, "type \"%s\" does not exist", name)
	case pgtypes.Regproc, pgtypes.Regprocedure:
		return pgerr.New(pgerr.UndefinedFunction, "function \"%s\" does not exist", name)
	case pgtypes.Regoper, pgtypes.Regoperator:
		return pgerr.New(pgerr.UndefinedFunction, "operator does not exist: %s", name)
	case pgtypes.Regnamespace:
		return pgerr.New(pgerr.InvalidSchemaName, "schema \"%s\" does not exist", name)
	case pgtypes.Regrole:
		return pgerr.New(pgerr.UndefinedObject, "role \"%s\" does not exist", name)
	default:
		return pgerr.New(pgerr.UndefinedObject, "collation \"%s\" for encoding \"UTF8\" does not exist", name)
	}
}

func convertReg(env *Env, v any, from, to pgtypes.Type) (out any, done bool, err error) {
	switch x := v.(type) {
	case string:
		if !isReg(to.OID) {
			return nil, false, nil
		}
		if x == "-" {
			return int64(0), true, nil
		}
		if n, err := strconv.ParseUint(x, 10, 32); err == nil {
			return int64(n), true, nil
		}
		if cat := env.catalog(); cat != nil {
			if oid, ok := cat.NameToOID(to.OID, x, env.SearchPath); ok {
				return int64(oid), true, nil
			}
		}
		if to.OID == pgtypes.Regtype {
			if oid, ok := pgtypes.ByName(strings.TrimPrefix(x, "pg_catalog.")); ok {
				return int64(oid), true, nil
			}
		}
		return nil, true, regMissing(to.OID, x)
	case int64:
		if !isReg(from.OID) || KindOf(to.OID) != vector.String {
			return nil, false, nil
		}
		return RegName(env.catalog(), env.SearchPath, from.OID, pgtypes.OID(x)), true, nil
	}
	return nil, false, nil
}

// RegName gives the text form of a reg* value; cat may be nil.
func RegName(cat Catalog, path []string, kind, object pgtypes.OID) string {
	if object == 0 {
		return "-"
	}
	if cat != nil {
		if name, ok := cat.OIDToName(kind, object, path); ok {
			return name
		}
	}
	if kind == pgtypes.Regtype && pgtypes.Lookup(object) != nil {
		return pgtypes.FormatType(pgtypes.Of(object))
	}
	return strconv.FormatInt(int64(object), 10)
}

// catalog gives the session's catalog, or nil.
func (env *Env) catalog() Catalog {
	if env.Session == nil {
		return nil
	}
	return env.Session.Catalog()
}

// Vec has kernels for the conversions among numbers, times and texts.
func (e *Cast) Vec(env *Env, b *vector.Batch) (*vector.Column, error) {
	if _, ok := e.Arg.(*Const); ok {
		v, err := e.Eval(env, nil)
		if err != nil && b.Live() > 0 {
			return nil, err
		}
		return (&Const{Typ: e.Typ, Val: v}).Vec(env, b)
	}
	col, err := e.Arg.Vec(env, b)
	if err != nil {
		return nil, err
	}
	from, to := e.Arg.Type(), e.Typ
	if sameForm(from.OID, to) {
		return col, nil
	}
	if col.Kind == vector.Int64 && to.OID == pgtypes.Float8 && intWidth(from.OID) > 0 {
		out := &vector.Column{Kind: vector.Float, Len: b.N, Valid: col.Valid, Floats: make([]float64, b.N)}
		for k := range b.Live() {
			i := b.Row(k)
			out.Floats[i] = float64(col.Ints[i])
		}
		return out, nil
	}
	if col.HasDict() && len(col.Dict) <= 2*b.Live() {
		return mapDictionary(col, b, KindOf(to.OID), func(v any) (any, error) {
			if v == nil {
				return nil, nil
			}
			return convert(env, v, from, to, e.Explicit)
		})
	}
	out := newScatter(to.OID, b.N)
	for k := range b.Live() {
		i := b.Row(k)
		v := col.Value(i)
		if v == nil {
			out.setNull(i)
			continue
		}
		if v, err = convert(env, v, from, to, e.Explicit); err != nil {
			return nil, err
		}
		out.set(i, v)
	}
	return out.finish(), nil
}

// intWidth gives the bits of a signed integer type, 0 for other types.
func intWidth(oid pgtypes.OID) int {
	switch oid {
	case pgtypes.Int2:
		return 16
	case pgtypes.Int4:
		return 32
	case pgtypes.Int8:
		return 64
	}
	return 0
}

// sameForm reports whether a value of one type is a value of the other as it
// stands.
func sameForm(from pgtypes.OID, to pgtypes.Type) bool {
	if to.Mod >= 0 {
		return false
	}
	text := func(oid pgtypes.OID) bool { return oid == pgtypes.Text || oid == pgtypes.Varchar }
	switch {
	case from == to.OID:
		return true
	case intWidth(from) > 0 && intWidth(from) <= intWidth(to.OID):
		return true
	case text(to.OID) && (text(from) || from == pgtypes.Name || from == pgtypes.Jsonb || from == pgtypes.JSON):
		return true
	}
	return from == pgtypes.Float4 && to.OID == pgtypes.Float8
}

// String prints (x)::type.
func (e *Cast) String() string {
	return "(" + e.Arg.String() + ")::" + pgtypes.FormatType(e.Typ)
}
