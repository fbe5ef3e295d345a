package sqlplan

import (
	"strings"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// conjuncts splits a condition at its ANDs.
func conjuncts(cond expr.Expr) []expr.Expr {
	if cond == nil {
		return nil
	}
	and, ok := cond.(*expr.And)
	if !ok {
		return []expr.Expr{cond}
	}
	var list []expr.Expr
	for _, arg := range and.Children() {
		list = append(list, conjuncts(arg)...)
	}
	return list
}

// conjunction is the inverse of conjuncts; nil for an empty list.
func conjunction(conds []expr.Expr) expr.Expr {
	switch len(conds) {
	case 0:
		return nil
	case 1:
		return conds[0]
	}
	return &expr.And{Args: conds}
}

// scanFilters gives the conjuncts that compare a column of the scan with
// constants in a form that tables can prune by.
func scanFilters(n *bind.Scan, conds []expr.Expr) []catalog.Filter {
	refs := make(map[expr.ColID]catalog.ColumnRef, len(n.Cols))
	for i, col := range n.Cols {
		refs[col.ID] = n.Refs[i]
	}
	var filters []catalog.Filter
	for _, cond := range conds {
		if f, ok := scanFilter(refs, cond); ok {
			filters = append(filters, f)
		}
	}
	return filters
}

// comparisons maps operators to what a scan can do with column op constant.
var comparisons = map[string]catalog.FilterOp{
	"=": catalog.Equal, "<": catalog.Less, "<=": catalog.LessEqual,
	">": catalog.Greater, ">=": catalog.GreaterEqual,
}

// mirrored gives the operator with its sides swapped.
var mirrored = map[catalog.FilterOp]catalog.FilterOp{
	catalog.Equal: catalog.Equal, catalog.Less: catalog.Greater, catalog.LessEqual: catalog.GreaterEqual,
	catalog.Greater: catalog.Less, catalog.GreaterEqual: catalog.LessEqual,
}

func scanFilter(refs map[expr.ColID]catalog.ColumnRef, cond expr.Expr) (catalog.Filter, bool) {
	switch e := cond.(type) {
	case *expr.Call:
		if len(e.Args) != 2 || e.Fn.Operator == "" {
			return catalog.Filter{}, false
		}
		if ref, v, ok := columnAndConstant(refs, e.Args[0], e.Args[1]); ok {
			if op, ok := comparisons[e.Fn.Operator]; ok {
				return catalog.Filter{Column: ref, Op: op, Values: []any{v}}, true
			}
			if s, ok := v.(string); ok {
				return patternFilter(ref, e.Fn.Operator, s)
			}
			return catalog.Filter{}, false
		}
		if ref, v, ok := columnAndConstant(refs, e.Args[1], e.Args[0]); ok {
			if op, ok := comparisons[e.Fn.Operator]; ok {
				return catalog.Filter{Column: ref, Op: mirrored[op], Values: []any{v}}, true
			}
		}
	case *expr.InList:
		return inFilter(refs, e)
	case *expr.ArrayOp:
		return anyFilter(refs, e)
	}
	return catalog.Filter{}, false
}

// columnAndConstant recognises a column of the scan beside a constant of the
// same form. A cast that keeps the form of the value (varchar to text) is
// looked through.
func columnAndConstant(refs map[expr.ColID]catalog.ColumnRef, a, b expr.Expr) (catalog.ColumnRef, any, bool) {
	col, ok := a.(*expr.Col)
	if !ok {
		return catalog.ColumnRef{}, nil, false
	}
	ref, ok := refs[col.ID]
	if !ok {
		return catalog.ColumnRef{}, nil, false
	}
	k, ok := b.(*expr.Const)
	if !ok || k.Val == nil || !sameForm(col.Typ.OID, k.Typ.OID) {
		return catalog.ColumnRef{}, nil, false
	}
	return ref, k.Val, true
}

// sameForm reports whether values of two types that an operator compares have
// the same Go form and order.
func sameForm(a, b pgtypes.OID) bool {
	if a == b {
		return true
	}
	form := func(oid pgtypes.OID) int {
		switch oid {
		case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8:
			return 1
		case pgtypes.Text, pgtypes.Varchar, pgtypes.Name, pgtypes.Unknown:
			return 2
		}
		return 0
	}
	return form(a) != 0 && form(a) == form(b)
}

// patternFilter turns LIKE '%literal%', a regular expression without other signs
// than .* between literals, and those in any letter case into a search for a
// literal: the longest run of the pattern that every match has.
func patternFilter(ref catalog.ColumnRef, operator, pattern string) (catalog.Filter, bool) {
	f := catalog.Filter{Column: ref, Op: catalog.Contains}
	if strings.HasSuffix(operator, "*") {
		f.Op = catalog.ContainsFold
	}
	var runs []string
	switch operator {
	case "~~", "~~*":
		if strings.ContainsRune(pattern, '\\') {
			return catalog.Filter{}, false
		}
		runs = strings.FieldsFunc(pattern, func(r rune) bool { return r == '%' || r == '_' })
	case "~", "~*":
		for run := range strings.SplitSeq(pattern, ".*") {
			if strings.ContainsAny(run, `.*+?()[]{}|^$\`) {
				return catalog.Filter{}, false
			}
			runs = append(runs, run)
		}
	default:
		return catalog.Filter{}, false
	}
	longest := ""
	for _, run := range runs {
		if len(run) > len(longest) {
			longest = run
		}
	}
	if len(longest) < 3 {
		return catalog.Filter{}, false
	}
	f.Values = []any{longest}
	return f, true
}

// inFilter recognises column IN (constants).
func inFilter(refs map[expr.ColID]catalog.ColumnRef, e *expr.InList) (catalog.Filter, bool) {
	if e.Negate {
		return catalog.Filter{}, false
	}
	f := catalog.Filter{Op: catalog.In}
	for _, item := range e.List {
		ref, v, ok := columnAndConstant(refs, e.Arg, item)
		if !ok {
			return catalog.Filter{}, false
		}
		f.Column = ref
		f.Values = append(f.Values, v)
	}
	return f, len(f.Values) > 0
}

// anyFilter recognises column = ANY (constant array).
func anyFilter(refs map[expr.ColID]catalog.ColumnRef, e *expr.ArrayOp) (catalog.Filter, bool) {
	k, ok := e.Array.(*expr.Const)
	if !ok || e.All || e.Op.Operator != "=" {
		return catalog.Filter{}, false
	}
	a, ok := k.Val.(*pgtypes.Array)
	if !ok {
		return catalog.Filter{}, false
	}
	f := catalog.Filter{Op: catalog.In}
	for _, item := range a.Elems {
		if item == nil {
			continue
		}
		ref, v, ok := columnAndConstant(refs, e.Left, &expr.Const{Typ: pgtypes.Of(a.Elem), Val: item})
		if !ok {
			return catalog.Filter{}, false
		}
		f.Column = ref
		f.Values = append(f.Values, v)
	}
	return f, len(f.Values) > 0
}
