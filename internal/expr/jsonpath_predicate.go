package expr

import (
	"regexp"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// truth is that of a predicate.
type truth int8

const (
	no truth = iota
	yes
	unknown
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (r *pathRun) predicate(item *pgtypes.PathItem, raw string) (truth, error) {
	switch item.Kind {
	case pgtypes.PathAnd, pgtypes.PathOr:
		decides := truthOf(item.Kind == pgtypes.PathOr)
		left, err := r.predicate(item.Left, raw)
		if err != nil || left == decides {
			return left, err
		}
		right, err := r.predicate(item.Right, raw)
		if right == 1-decides {
			return left, err
		}
		return right, err
	case pgtypes.PathNot:
		value, err := r.predicate(item.Left, raw)
		if value == unknown {
			return unknown, err
		}
		return 1 - value, err
	case pgtypes.PathIsUnknown:
		value, err := r.predicate(item.Left, raw)
		return truthOf(value == unknown), err
	case pgtypes.PathExists:
		return r.exists(item, raw)
	case pgtypes.PathLikeRegex:
		re, err := r.regex(item)
		if err != nil {
			return unknown, err
		}
		return r.compare(item.Left, nil, raw, func(a, _ string) truth {
			if pgtypes.JSONTypeOf(a) != "string" {
				return unknown
			}
			text, _ := pgtypes.JSONText(a)
			return truthOf(re.MatchString(text))
		})
	case pgtypes.PathStartsWith:
		return r.compare(item.Left, item.Right, raw, func(a, b string) truth {
			if pgtypes.JSONTypeOf(a) != "string" || pgtypes.JSONTypeOf(b) != "string" {
				return unknown
			}
			whole, _ := pgtypes.JSONText(a)
			initial, _ := pgtypes.JSONText(b)
			return truthOf(strings.HasPrefix(whole, initial))
		})
	}
	return r.compare(item.Left, item.Right, raw, func(a, b string) truth { return comparePathItems(item.Kind, a, b) })
}

func (r *pathRun) exists(item *pgtypes.PathItem, raw string) (truth, error) {
	found, saved := no, r.exist
	defer func() { r.exist = saved }()
	r.exist = !r.strict
	_, err := r.item(item.Left, raw, !r.strict, func(string) (bool, error) {
		found = yes
		return r.strict, nil // in strict mode a later error counts
	})
	if suppressible(err) {
		return unknown, nil
	}
	return found, err
}

// compare tests the values of both sides with each other; without a right side
// those of the left. What cannot be compared makes the whole unknown: in strict
// mode always, else where nothing else is true.
func (r *pathRun) compare(left, right *pgtypes.PathItem, raw string, test func(a, b string) truth) (truth, error) {
	as, err := r.values(left, raw, true)
	bs := []string{""}
	if err == nil && right != nil {
		bs, err = r.values(right, raw, true)
	}
	if err != nil {
		if suppressible(err) {
			return unknown, nil
		}
		return unknown, err
	}
	found, bad := false, false
	for _, a := range as {
		for _, b := range bs {
			switch test(a, b) {
			case unknown:
				if r.strict {
					return unknown, nil
				}
				bad = true
			case yes:
				if !r.strict {
					return yes, nil
				}
				found = true
			}
		}
	}
	switch {
	case found:
		return yes, nil
	case bad:
		return unknown, nil
	}
	return no, nil
}

func comparePathItems(op pgtypes.PathKind, a, b string) truth {
	ka, kb := pgtypes.JSONTypeOf(a), pgtypes.JSONTypeOf(b)
	switch {
	case ka != kb && (ka == "null" || kb == "null"):
		return truthOf(op == "!=")
	case ka != kb, ka == "object", ka == "array":
		return unknown
	}
	var c int
	switch ka {
	case "string":
		ta, _ := pgtypes.JSONText(a)
		tb, _ := pgtypes.JSONText(b)
		c = strings.Compare(ta, tb)
	case "number":
		c = pathNumber(a).Cmp(pathNumber(b))
	case "boolean":
		c = strings.Compare(a, b) // false before true
	}
	switch op {
	case "==":
		return truthOf(c == 0)
	case "!=":
		return truthOf(c != 0)
	case "<":
		return truthOf(c < 0)
	case "<=":
		return truthOf(c <= 0)
	case ">":
		return truthOf(c > 0)
	}
	return truthOf(c >= 0)
}

// regex compiles the pattern of a like_regex by the flags of XQuery.
func (r *pathRun) regex(item *pgtypes.PathItem) (*regexp.Regexp, error) {
	if re := r.regexes[item]; re != nil {
		return re, nil
	}
	flags := ""
	has := func(c string) bool { return strings.Contains(item.Flags, c) }
	if has("i") {
		flags = "i"
	}
	switch {
	case has("q"):
		flags += "q"
	case has("s") && has("m"):
		flags += "w"
	case has("m"):
		flags += "n"
	case !has("s"):
		flags += "p"
	}
	re, err := compileRegex(item.Text, flags)
	if err != nil {
		return nil, err
	}
	if r.regexes == nil {
		r.regexes = make(map[*pgtypes.PathItem]*regexp.Regexp)
	}
	r.regexes[item] = re
	return re, nil
}
