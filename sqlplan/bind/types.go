package bind

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// typeCategory is a type's typcategory.
func typeCategory(t oid) byte {
	switch info := pgtypes.Lookup(t); {
	case t == pgtypes.Unknown:
		return 'X'
	case info != nil:
		return info.Category
	}
	return 'C'
}

// isPreferred reports whether t is the preferred type of its category, and
// that category is cat.
func isPreferred(cat byte, t oid) bool {
	info := pgtypes.Lookup(t)
	return info != nil && info.Preferred && info.Category == cat
}

func elementType(t oid) oid { return pgtypes.ElemOf(t) }
func arrayType(t oid) oid   { return pgtypes.ArrayOf(t) }

// typeName prints a type as PostgreSQL's errors do: without its modifier.
func typeName(t pgtypes.Type) string { return pgtypes.FormatType(pgtypes.Type{OID: t.OID, Mod: -1}) }

// sortable reports whether a type has an ordering.
func sortable(t oid) bool {
	if e := elementType(t); e != 0 && typeCategory(t) == 'A' {
		return sortable(e)
	}
	switch t {
	case pgtypes.JSON, pgtypes.XML, pgtypes.Point, pgtypes.Line, pgtypes.Lseg, pgtypes.Box, pgtypes.Path,
		pgtypes.Polygon, pgtypes.Circle, pgtypes.Xid, pgtypes.Cid, pgtypes.PgNodeTree, pgtypes.Aclitem, pgtypes.Jsonpath:
		return false
	}
	return true
}

// groupable reports whether a type has an equality that can group.
func groupable(t oid) bool {
	switch t {
	case pgtypes.Xid, pgtypes.Cid, pgtypes.Aclitem:
		return true
	}
	return sortable(t)
}

// typeOfName resolves a type name with its modifier and array bounds.
func (b *binder) typeOfName(n *pg.TypeName) pgtypes.Type {
	schema, name := splitName(n.Names)
	shown := name
	if schema != "" {
		shown = schema + "." + name
	}
	if n.Setof || n.PctType {
		b.fail(n.Location, pgerr.SyntaxError, "type \"%s\" cannot be used here", shown)
	}
	t, ok := b.lookupType(schema, name)
	if !ok {
		if schema != "" && !b.env.Catalog.HasSchema(schema) {
			b.fail(n.Location, pgerr.InvalidSchemaName, "schema \"%s\" does not exist", schema)
		}
		b.fail(n.Location, pgerr.UndefinedObject, "type \"%s\" does not exist", shown+strings.Repeat("[]", min(1, len(n.ArrayBounds))))
	}
	out := pgtypes.Type{OID: t, Mod: -1}
	if len(n.Typmods) > 0 {
		out.Mod = b.typmod(t, n)
	}
	if len(n.ArrayBounds) > 0 {
		a := arrayType(t)
		if a == 0 {
			b.fail(n.Location, pgerr.UndefinedObject, "could not find array type for data type %s", typeName(out))
		}
		out.OID = a
	}
	return out
}

// lookupType finds a type by name: a built-in one, else one of the catalog.
func (b *binder) lookupType(schema, name string) (oid, bool) {
	if schema == "" || schema == "pg_catalog" {
		if t, ok := pgtypes.ByInternalName(name); ok {
			return t, true
		}
		if base, ok := strings.CutSuffix(name, "[]"); ok {
			if t, ok := pgtypes.ByInternalName(base); ok {
				return arrayType(t), true
			}
		}
	}
	return b.env.Catalog.Type(schema, name, b.path)
}

// typmod computes the modifier of numeric(10,2), varchar(3), interval second(3).
func (b *binder) typmod(t oid, n *pg.TypeName) int32 {
	mods := make([]int32, len(n.Typmods))
	for i, m := range n.Typmods {
		c := m.GetAConst()
		iv, ok := c.GetVal().(*pg.A_Const_Ival)
		if c == nil || !ok {
			b.fail(n.Location, pgerr.SyntaxError, "type modifiers must be simple constants or identifiers")
		}
		mods[i] = iv.Ival.Ival
	}
	one := func(what string, low, high int32) int32 {
		if len(mods) != 1 {
			b.fail(n.Location, pgerr.InvalidParameterValue, "invalid type modifier")
		}
		if mods[0] < low {
			panic(pgerr.New(pgerr.InvalidParameterValue, "length for type %s must be at least %d", what, low).At(b.at(n.Location)))
		}
		return min(mods[0], high)
	}
	switch t {
	case pgtypes.Varchar:
		return one("varchar", 1, 10485760) + 4
	case pgtypes.Bpchar:
		return one("char", 1, 10485760) + 4
	case pgtypes.Bit:
		return one("bit", 1, 83886080)
	case pgtypes.Varbit:
		return one("varbit", 1, 83886080)
	case pgtypes.Numeric:
		scale := int32(0)
		if len(mods) == 2 {
			scale = mods[1]
		}
		if mods[0] < 1 || mods[0] > 1000 {
			b.fail(n.Location, pgerr.InvalidParameterValue, "NUMERIC precision %d must be between 1 and 1000", mods[0])
		}
		if scale < -1000 || scale > 1000 {
			b.fail(n.Location, pgerr.InvalidParameterValue, "NUMERIC scale %d must be between -1000 and 1000", scale)
		}
		return (mods[0]<<16 | scale&0x7ff) + 4
	case pgtypes.Timestamp, pgtypes.Timestamptz, pgtypes.Time, pgtypes.Timetz:
		return min(mods[0], 6)
	case pgtypes.IntervalOID:
		// The range of fields in the upper half, the precision in the lower one.
		precision := int32(0xffff)
		if len(mods) == 2 {
			precision = min(mods[1], 6)
		}
		return mods[0]<<16 | precision
	}
	_, name := splitName(n.Names)
	b.fail(n.Location, pgerr.SyntaxError, "type modifier is not allowed for type \"%s\"", name)
	return -1
}

// typeCast binds a cast in any of its spellings.
func (s *scope) typeCast(n *pg.TypeCast) expr.Expr {
	b := s.b
	to := b.typeOfName(n.TypeName)
	if arr := n.Arg.GetAArrayExpr(); arr != nil && typeCategory(to.OID) == 'A' && elementType(to.OID) != 0 {
		return s.arrayExpr(arr, &to)
	}
	arg := s.expr(n.Arg)
	location := n.Location
	if location < 0 {
		location = n.TypeName.Location
	}
	if row, ok := arg.(*expr.RowExpr); ok && to.OID == pgtypes.RecordOID {
		return row
	}
	out := b.coerce(arg, to, explicit, exprLocation(n.Arg))
	if out == nil {
		b.fail(location, pgerr.CannotCoerce, "cannot cast type %s to %s", typeName(arg.Type()), typeName(to))
	}
	return b.mark(out, location)
}
