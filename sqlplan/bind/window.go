package bind

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// windowing is what a query level has of window functions.
type windowing struct {
	defs  []*pg.Node // the WINDOW clause
	calls []WindowItem
}

// PostgreSQL's FRAMEOPTION bits (nodes/parsenodes.h).
const (
	frameNonDefault         = 0x00001
	frameRange              = 0x00002
	frameRows               = 0x00004
	frameGroups             = 0x00008
	frameStartUnbounded     = 0x00020
	frameEndUnboundedPrec   = 0x00040
	frameStartUnboundedFoll = 0x00080
	frameEndUnbounded       = 0x00100
	frameStartCurrent       = 0x00200
	frameEndCurrent         = 0x00400
	frameStartPreceding     = 0x00800
	frameEndPreceding       = 0x01000
	frameStartFollowing     = 0x02000
	frameEndFollowing       = 0x04000
	frameExcludeCurrent     = 0x08000
	frameExcludeGroup       = 0x10000
	frameExcludeTies        = 0x20000
)

// mapExprs replaces every expression of the item.
func (w *WindowItem) mapExprs(f func(expr.Expr) expr.Expr) {
	w.Args = mapList(w.Args, f)
	w.Partition = mapList(w.Partition, f)
	w.Order = mapKeys(w.Order, f)
	if w.Agg != nil {
		w.Agg = mapAgg(w.Agg, f)
	}
}

func mapList(list []expr.Expr, f func(expr.Expr) expr.Expr) []expr.Expr {
	if list == nil {
		return nil
	}
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		out[i] = f(e)
	}
	return out
}

func mapKeys(keys []expr.SortKey, f func(expr.Expr) expr.Expr) []expr.SortKey {
	if keys == nil {
		return nil
	}
	out := make([]expr.SortKey, len(keys))
	for i, k := range keys {
		k.Expr = f(k.Expr)
		out[i] = k
	}
	return out
}

func mapAgg(call *expr.AggCall, f func(expr.Expr) expr.Expr) *expr.AggCall {
	cp := *call
	cp.Args = mapList(call.Args, f)
	cp.OrderBy = mapKeys(call.OrderBy, f)
	if call.Filter != nil {
		cp.Filter = f(call.Filter)
	}
	return &cp
}

// window puts the Window node over the input when the level has calls.
func (s *scope) window(input Node) Node {
	if len(s.windows.calls) == 0 {
		return input
	}
	return &Window{Input: input, Calls: s.windows.calls}
}

// addWindow gives the column of a window call.
func (s *scope) addWindow(item WindowItem, name string, typ pgtypes.Type) *expr.Col {
	item.Col = s.b.newCol(name, typ, "")
	s.windows.calls = append(s.windows.calls, item)
	return ref(item.Col)
}

// over binds OVER (…) or OVER name into item.
func (s *scope) over(def *pg.WindowDef, item *WindowItem) {
	s.in(inWindow, func() {
		if def.Name != "" { // OVER name
			s.windowNamed(def.Name, def.Location, item, true)
			return
		}
		s.windowDef(def, item)
	})
}

func (s *scope) windowNamed(name string, location int32, item *WindowItem, withFrame bool) {
	for _, n := range s.windows.defs {
		def := n.GetWindowDef()
		if def.Name != name {
			continue
		}
		if !withFrame && def.FrameOptions&frameNonDefault != 0 {
			s.b.fail(location, pgerr.WindowingError, "cannot copy window \"%s\" because it has a frame clause", name)
		}
		s.windowDef(def, item)
		return
	}
	s.b.fail(location, pgerr.UndefinedObject, "window \"%s\" does not exist", name)
}

func (s *scope) windowDef(def *pg.WindowDef, item *WindowItem) {
	b := s.b
	if def.Refname != "" {
		s.windowNamed(def.Refname, def.Location, item, false)
		if len(def.PartitionClause) > 0 {
			b.fail(def.Location, pgerr.WindowingError, "cannot override PARTITION BY clause of window \"%s\"", def.Refname)
		}
		if len(item.Order) > 0 && len(def.OrderClause) > 0 {
			b.fail(def.Location, pgerr.WindowingError, "cannot override ORDER BY clause of window \"%s\"", def.Refname)
		}
	}
	for _, n := range def.PartitionClause {
		e := s.textIfUnknown(s.expr(n), n)
		b.checkEquality(e.Type(), exprLocation(n))
		item.Partition = append(item.Partition, e)
	}
	for _, n := range def.OrderClause {
		by := n.GetSortBy()
		e := s.textIfUnknown(s.expr(by.Node), by.Node)
		spec := s.sortSpec(by, e.Type())
		item.Order = append(item.Order, expr.SortKey{Expr: e, Desc: spec.desc, NullsFirst: spec.nullsFirst})
	}
	item.Frame = s.frame(def, item)
}

func (s *scope) textIfUnknown(e expr.Expr, n *pg.Node) expr.Expr {
	if e.Type().OID == pgtypes.Unknown {
		return s.b.mustCoerce(e, pgtypes.Of(pgtypes.Text), implicit, exprLocation(n))
	}
	return e
}

func (s *scope) frame(def *pg.WindowDef, item *WindowItem) Frame {
	o := def.FrameOptions
	f := Frame{Mode: 'r', Start: FrameBound{Kind: 'U'}, End: FrameBound{Kind: 'c'}}
	switch {
	case o&frameRows != 0:
		f.Mode = 'w'
	case o&frameGroups != 0:
		f.Mode = 'g'
	}
	if o&frameGroups != 0 && len(item.Order) == 0 {
		s.b.fail(def.Location, pgerr.WindowingError, "GROUPS mode requires an ORDER BY clause")
	}
	switch {
	case o&frameStartUnbounded != 0:
		f.Start.Kind = 'U'
	case o&frameStartCurrent != 0:
		f.Start.Kind = 'c'
	case o&frameStartPreceding != 0:
		f.Start.Kind = 'p'
	case o&frameStartFollowing != 0:
		f.Start.Kind = 'f'
	}
	switch {
	case o&frameEndUnbounded != 0:
		f.End.Kind = 'u'
	case o&frameEndCurrent != 0:
		f.End.Kind = 'c'
	case o&frameEndPreceding != 0:
		f.End.Kind = 'p'
	case o&frameEndFollowing != 0:
		f.End.Kind = 'f'
	}
	f.Start.Offset = s.frameOffset(def, def.StartOffset, f.Mode, item)
	f.End.Offset = s.frameOffset(def, def.EndOffset, f.Mode, item)
	switch {
	case o&frameExcludeCurrent != 0:
		f.Exclude = 'c'
	case o&frameExcludeGroup != 0:
		f.Exclude = 'g'
	case o&frameExcludeTies != 0:
		f.Exclude = 't'
	}
	return f
}

func (s *scope) frameOffset(def *pg.WindowDef, n *pg.Node, mode byte, item *WindowItem) expr.Expr {
	if n == nil {
		return nil
	}
	b := s.b
	location := exprLocation(n)
	e := s.expr(n)
	target := pgtypes.Of(pgtypes.Int8)
	what := map[byte]string{'w': "ROWS", 'g': "GROUPS", 'r': "RANGE"}[mode]
	if mode == 'r' {
		if len(item.Order) != 1 {
			b.fail(def.Location, pgerr.WindowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
		}
		key := item.Order[0].Expr.Type()
		switch key.OID {
		case pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Date, pgtypes.Time, pgtypes.Timetz, pgtypes.IntervalOID:
			target = pgtypes.Of(pgtypes.IntervalOID)
		case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8, pgtypes.Float8, pgtypes.Numeric:
			target = pgtypes.Of(key.OID)
		case pgtypes.Float4:
			target = pgtypes.Of(pgtypes.Float8)
		default:
			b.fail(location, pgerr.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", typeName(key))
		}
	}
	out := b.coerce(e, target, implicit, location)
	if out == nil && mode == 'r' {
		panic(pgerr.New(pgerr.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s",
			typeName(item.Order[0].Expr.Type()), typeName(e.Type())).
			WithHint("Cast the offset value to an appropriate type.").At(b.at(location)))
	}
	if out == nil {
		b.fail(location, pgerr.DatatypeMismatch, "argument of %s must be type %s, not type %s", what, typeName(target), typeName(e.Type()))
	}
	eachCol(out, func(c *expr.Col) {
		if b.cols[c.ID].scope == s.level() {
			panic(pgerr.New(pgerr.InvalidColumnReference, "argument of %s must not contain variables", what).At(b.locs[c]))
		}
	})
	return out
}
