package bind

import (
	"slices"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A candidate is one overload laid out for a number of arguments.
type candidate struct {
	fn       *expr.Func
	agg      *expr.Aggregate
	args     []pgtypes.OID // one for each actual argument, in their order
	order    []int         // for named arguments: the parameter of each actual argument
	variadic int           // actual arguments that a variadic parameter took
	defaults int           // parameters left to their defaults
}

// chooseCandidate is PostgreSQL's func_select_candidate after
// func_match_argtypes: the best candidate for the argument types, or nil with
// the number that were left.
func chooseCandidate(cands []candidate, input []pgtypes.OID) (*candidate, int) {
	for i := range cands {
		if slices.Equal(cands[i].args, input) {
			return &cands[i], 1
		}
	}
	var fit []*candidate
	for i := range cands {
		if canCoerceAll(input, cands[i].args) {
			fit = append(fit, &cands[i])
		}
	}
	if len(fit) == 0 {
		return nil, 0
	}
	if len(fit) == 1 {
		return fit[0], 1
	}
	best := selectCandidate(fit, input)
	return best, len(fit)
}

// selectCandidate ranks candidates that all fit.
func selectCandidate(fit []*candidate, input []pgtypes.OID) *candidate {
	// Keep those with the most exact matches.
	fit = keepMost(fit, func(c *candidate) int {
		n := 0
		for i, t := range input {
			if t != pgtypes.Unknown && c.args[i] == t {
				n++
			}
		}
		return n
	})
	if len(fit) == 1 {
		return fit[0]
	}
	// Then those with the most exact or preferred types.
	fit = keepMost(fit, func(c *candidate) int {
		n := 0
		for i, t := range input {
			if t != pgtypes.Unknown && (c.args[i] == t || isPreferred(typeCategory(t), c.args[i])) {
				n++
			}
		}
		return n
	})
	if len(fit) == 1 {
		return fit[0]
	}
	if !slices.Contains(input, pgtypes.Unknown) {
		return onlyFixed(fit)
	}
	if kept := matchUnknowns(fit, input); len(kept) > 0 {
		fit = kept
	}
	if len(fit) == 1 {
		return fit[0]
	}
	// Last: suppose that the unknowns are of the type of the known arguments.
	known := pgtypes.Unknown
	for _, t := range input {
		switch {
		case t == pgtypes.Unknown:
		case known == pgtypes.Unknown:
			known = t
		case known != t:
			return onlyFixed(fit)
		}
	}
	if known == pgtypes.Unknown {
		return onlyFixed(fit)
	}
	same := make([]pgtypes.OID, len(input))
	for i := range same {
		same[i] = known
	}
	var best *candidate
	for _, c := range fit {
		if canCoerceAll(same, c.args) {
			if best != nil {
				return onlyFixed(fit)
			}
			best = c
		}
	}
	return best
}

// onlyFixed prefers, among candidates with the same argument types, the one
// without variadic or defaulted parameters; nil when the types differ.
func onlyFixed(fit []*candidate) *candidate {
	best := fit[0]
	for _, c := range fit[1:] {
		if !slices.Equal(c.args, best.args) {
			return nil
		}
		if c.variadic+c.defaults < best.variadic+best.defaults {
			best = c
		}
	}
	return best
}

func keepMost(fit []*candidate, score func(*candidate) int) []*candidate {
	best := -1
	var kept []*candidate
	for _, c := range fit {
		switch n := score(c); {
		case n > best:
			best, kept = n, []*candidate{c}
		case n == best:
			kept = append(kept, c)
		}
	}
	return kept
}

// matchUnknowns keeps the candidates that suit arguments of unknown type best:
// those of the string category if any has it, else of the one category that
// all share, and of its preferred type if any has it.
func matchUnknowns(fit []*candidate, input []pgtypes.OID) []*candidate {
	categories := make([]byte, len(input))
	preferred := make([]bool, len(input))
	for i, t := range input {
		if t != pgtypes.Unknown {
			continue
		}
		conflict := false
		for _, c := range fit {
			cat := typeCategory(c.args[i])
			pref := isPreferred(cat, c.args[i])
			switch {
			case categories[i] == 0:
				categories[i], preferred[i] = cat, pref
			case categories[i] == cat:
				preferred[i] = preferred[i] || pref
			case cat == 'S':
				categories[i], preferred[i] = cat, pref
			default:
				conflict = true
			}
		}
		if conflict && categories[i] != 'S' {
			return nil
		}
	}
	var kept []*candidate
	for _, c := range fit {
		ok := true
		for i, t := range input {
			if t != pgtypes.Unknown {
				continue
			}
			cat := typeCategory(c.args[i])
			if cat != categories[i] || preferred[i] && !isPreferred(cat, c.args[i]) {
				ok = false
			}
		}
		if ok {
			kept = append(kept, c)
		}
	}
	return kept
}

// canCoerceAll reports whether arguments of the input types may be passed to
// parameters of the target types.
func canCoerceAll(input, target []pgtypes.OID) bool {
	if len(input) != len(target) {
		return false
	}
	poly := false
	for i, t := range target {
		if isPolymorphic(t) {
			poly = true
			continue
		}
		if !canCoerce(input[i], t, implicit) {
			return false
		}
	}
	if !poly {
		return true
	}
	_, ok := solvePolymorphic(input, target)
	return ok
}

// Pseudo-types of parameters that package pgtypes does not name.
const (
	anyEnum               pgtypes.OID = 3500
	anyRange              pgtypes.OID = 3831
	anyCompatible         pgtypes.OID = 5077
	anyCompatibleArray    pgtypes.OID = 5078
	anyCompatibleNonarray pgtypes.OID = 5079
)

func isPolymorphic(t pgtypes.OID) bool {
	switch t {
	case pgtypes.Anyelement, pgtypes.Anyarray, pgtypes.Anynonarray, anyEnum, anyRange,
		anyCompatible, anyCompatibleArray, anyCompatibleNonarray:
		return true
	}
	return false
}

// A polymorphic solution: the element types that anyelement and anycompatible
// stand for; 0 when no argument says.
type polySolution struct {
	elem   pgtypes.OID
	array  pgtypes.OID // given for anyarray: int2vector is not int2[]
	compat pgtypes.OID
}

// solvePolymorphic finds what the polymorphic parameters stand for.
func solvePolymorphic(input, target []pgtypes.OID) (polySolution, bool) {
	var s polySolution
	var elem, array pgtypes.OID
	var compat []pgtypes.OID
	sawElem, sawCompat, nonArray := false, false, false
	for i, t := range target {
		in := input[i]
		switch t {
		case pgtypes.Anyelement, pgtypes.Anynonarray, anyEnum:
			sawElem = true
			nonArray = nonArray || t == pgtypes.Anynonarray
			if in == pgtypes.Unknown {
				continue
			}
			if t == anyEnum || elem != 0 && elem != in {
				return s, false
			}
			elem = in
		case pgtypes.Anyarray:
			sawElem = true
			if in == pgtypes.Unknown {
				continue
			}
			if array != 0 && array != in {
				return s, false
			}
			if in != pgtypes.Anyarray && elementType(in) == 0 {
				return s, false
			}
			array = in
		case anyRange:
			return s, false
		case anyCompatible, anyCompatibleNonarray:
			sawCompat = true
			compat = append(compat, in)
		case anyCompatibleArray:
			sawCompat = true
			if in == pgtypes.Unknown {
				compat = append(compat, in)
				continue
			}
			e := elementType(in)
			if e == 0 {
				return s, false
			}
			compat = append(compat, e)
		}
	}
	if array == pgtypes.Anyarray { // a column of pg_catalog such as pg_stats.histogram_bounds
		s.elem, s.array = pgtypes.Text, pgtypes.TextArray
		return s, true
	}
	if array != 0 {
		if e := elementType(array); elem == 0 {
			elem = e
		} else if elem != e {
			return s, false
		}
	}
	if sawElem && nonArray && elem != 0 && elementType(elem) != 0 {
		return s, false
	}
	if sawCompat {
		common, ok := commonType(compat)
		if !ok {
			return s, false
		}
		s.compat = common
	}
	s.elem, s.array = elem, array
	return s, true
}

// resolve replaces a polymorphic type by what it stands for.
func (s polySolution) resolve(t pgtypes.OID) pgtypes.OID {
	elem := s.elem
	if elem == 0 {
		elem = pgtypes.Text
	}
	switch t {
	case pgtypes.Anyelement, pgtypes.Anynonarray, anyEnum:
		return elem
	case pgtypes.Anyarray:
		if s.array != 0 {
			return s.array
		}
		return arrayType(elem)
	case anyCompatible, anyCompatibleNonarray:
		return s.compat
	case anyCompatibleArray:
		return arrayType(s.compat)
	}
	return t
}

// commonType is PostgreSQL's select_common_type: the type to which the inputs
// of a CASE, UNION or IN are coerced.
func commonType(types []pgtypes.OID) (pgtypes.OID, bool) {
	best := types[0]
	same := true
	for _, t := range types[1:] {
		same = same && t == best
	}
	if same && best != pgtypes.Unknown {
		return best, true
	}
	for _, t := range types[1:] {
		switch {
		case t == pgtypes.Unknown || t == best:
		case best == pgtypes.Unknown:
			best = t
		case typeCategory(t) != typeCategory(best):
			return 0, false
		case !isPreferred(typeCategory(best), best) && canCoerce(best, t, implicit) && !canCoerce(t, best, implicit):
			best = t
		}
	}
	if best == pgtypes.Unknown {
		return pgtypes.Text, true
	}
	return best, true
}
