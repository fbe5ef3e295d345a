package expr

import (
	"context"
	"errors"
	"math"
	"regexp"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// pathRun evaluates a jsonpath over a document, as PostgreSQL 15's
// jsonpath_exec.c does. Values are raw JSON texts.
type pathRun struct {
	ctx    context.Context
	root   string
	vars   string
	strict bool
	lax    bool // structural errors are ignored; not below ** and at its first level

	exist   bool   // only whether there is a result is asked for
	current string // what @ is
	size    int    // of the innermost array; -1: none
	steps   int
	regexes map[*pgtypes.PathItem]*regexp.Regexp
}

// A pathError is one that silent evaluation, predicates and exists suppress.
type pathError struct{ cause *pgerr.Error }

func (e pathError) Error() string { return e.cause.Error() }
func (e pathError) Unwrap() error { return e.cause }

func pathFail(code pgerr.Code, format string, args ...any) error {
	return pathError{pgerr.New(code, format, args...)}
}

func suppressible(err error) bool {
	_, ok := errors.AsType[pathError](err)
	return ok
}

// emit takes a value; false ends the evaluation.
type pathEmit func(raw string) (more bool, err error)

// query gives every result of a path.
func (r *pathRun) query(path *pgtypes.JSONPath) (found []string, err error) {
	_, err = r.item(path.Root, r.root, true, func(raw string) (bool, error) {
		found = append(found, raw)
		return true, nil
	})
	return found, err
}

// next goes on with what follows an item.
func (r *pathRun) next(item *pgtypes.PathItem, raw string, emit pathEmit) (bool, error) {
	if item.Next == nil {
		return emit(raw)
	}
	return r.item(item.Next, raw, !r.strict, emit)
}

// item applies an item to a value; unwrap says that an array stands for its
// elements where the item needs no array.
func (r *pathRun) item(item *pgtypes.PathItem, raw string, unwrap bool, emit pathEmit) (more bool, err error) {
	if r.steps++; r.steps%1024 == 0 && r.ctx != nil && r.ctx.Err() != nil {
		return false, r.ctx.Err()
	}
	if item.Predicate() {
		value, err := r.predicate(item, raw)
		if err != nil {
			return false, err
		}
		return r.next(item, map[truth]string{unknown: "null", yes: "true", no: "false"}[value], emit)
	}
	kind := pgtypes.JSONTypeOf(raw)
	switch item.Kind {
	case pgtypes.PathNull, pgtypes.PathTrue, pgtypes.PathFalse:
		return r.next(item, string(item.Kind), emit)
	case pgtypes.PathNumber:
		return r.next(item, item.Text, emit)
	case pgtypes.PathString:
		return r.next(item, string(pgtypes.JSONQuote(nil, item.Text)), emit)
	case pgtypes.PathVariable:
		value, ok := pgtypes.JSONGet(r.vars, item.Text)
		if !ok {
			return false, pgerr.New(pgerr.UndefinedObject, "could not find jsonpath variable \"%s\"", item.Text)
		}
		return r.next(item, value, emit)
	case pgtypes.PathRoot:
		return r.next(item, r.root, emit)
	case pgtypes.PathCurrent:
		return r.next(item, r.current, emit)
	case pgtypes.PathLastIndex:
		if r.size < 0 {
			return false, pgerr.New(pgerr.Internal, "evaluating jsonpath LAST outside of array subscript")
		}
		return r.next(item, strconv.Itoa(r.size-1), emit)
	case pgtypes.PathKey:
		if kind == "object" {
			value, ok := pgtypes.JSONGet(raw, item.Text)
			switch {
			case ok:
				return r.next(item, value, emit)
			case r.lax:
				return true, nil
			}
			return false, pathFail(pgerr.SQLJSONMemberNotFound, "JSON object does not contain key \"%s\"", item.Text)
		}
		if unwrap && kind == "array" {
			return r.elements(item, raw, emit)
		}
		return r.structural(pgerr.SQLJSONMemberNotFound, "jsonpath member accessor can only be applied to an object")
	case pgtypes.PathAnyKey:
		switch {
		case kind == "object":
			return r.children(item.Next, raw, 1, 1, 1, false, !r.strict, emit)
		case unwrap && kind == "array":
			return r.elements(item, raw, emit)
		}
		return r.structural(pgerr.SQLJSONObjectNotFound, "jsonpath wildcard member accessor can only be applied to an object")
	case pgtypes.PathAnyArray:
		switch {
		case kind == "array":
			return r.children(item.Next, raw, 1, 1, 1, false, !r.strict, emit)
		case !r.strict:
			return r.next(item, raw, emit)
		}
		return r.structural(pgerr.SQLJSONArrayNotFound, "jsonpath wildcard array accessor can only be applied to an array")
	case pgtypes.PathIndex:
		return r.subscripts(item, raw, kind, emit)
	case pgtypes.PathAny:
		return r.anyLevel(item, raw, kind, emit)
	case pgtypes.PathFilter:
		if unwrap && kind == "array" {
			return r.elements(item, raw, emit)
		}
		saved := r.current
		r.current = raw
		value, err := r.predicate(item.Left, raw)
		r.current = saved
		if err != nil || value != yes {
			return true, err
		}
		return r.next(item, raw, emit)
	case pgtypes.PathMethod:
		return r.method(item, raw, kind, unwrap, emit)
	case pgtypes.PathPlus, pgtypes.PathMinus:
		return r.unary(item, raw, emit)
	}
	return r.binary(item, raw, emit)
}

// structural is an error where lax mode finds nothing.
func (r *pathRun) structural(code pgerr.Code, message string) (bool, error) {
	if r.lax {
		return true, nil
	}
	return false, pathFail(code, "%s", message)
}

// elements applies an item to each element of an array.
func (r *pathRun) elements(item *pgtypes.PathItem, raw string, emit pathEmit) (bool, error) {
	return r.children(item, raw, 1, 1, 1, false, false, emit)
}

// children applies an item, or nothing, to what is below a value from level
// first to last.
func (r *pathRun) children(item *pgtypes.PathItem, raw string, level, first, last uint32, ignore, unwrap bool, emit pathEmit) (bool, error) {
	visit := func(child string) (bool, error) {
		kind := pgtypes.JSONTypeOf(child)
		container := kind == "object" || kind == "array"
		if level >= first || first == pgtypes.PathLast && last == pgtypes.PathLast && !container {
			more, err := true, error(nil)
			if item == nil {
				more, err = emit(child)
			} else {
				saved := r.lax
				r.lax = r.lax || ignore
				more, err = r.item(item, child, unwrap, emit)
				r.lax = saved
			}
			if err != nil || !more {
				return false, err
			}
		}
		if level < last && container {
			return r.children(item, child, level+1, first, last, ignore, unwrap, emit)
		}
		return true, nil
	}
	if pgtypes.JSONTypeOf(raw) == "object" {
		for _, child := range pgtypes.JSONEach(raw) {
			if more, err := visit(child); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	}
	for _, child := range pgtypes.JSONElements(raw) {
		if more, err := visit(child); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

func (r *pathRun) anyLevel(item *pgtypes.PathItem, raw, kind string, emit pathEmit) (bool, error) {
	if item.First == 0 {
		saved := r.lax
		r.lax = true
		more, err := r.next(item, raw, emit)
		r.lax = saved
		if err != nil || !more {
			return false, err
		}
	}
	if kind != "object" && kind != "array" {
		return true, nil
	}
	return r.children(item.Next, raw, 1, item.First, item.Last, true, !r.strict, emit)
}

func (r *pathRun) subscripts(item *pgtypes.PathItem, raw, kind string, emit pathEmit) (bool, error) {
	if kind != "array" && r.strict {
		return r.structural(pgerr.SQLJSONArrayNotFound, "jsonpath array accessor can only be applied to an array")
	}
	list := []string{raw}
	if kind == "array" {
		list = list[:0]
		for _, e := range pgtypes.JSONElements(raw) {
			list = append(list, e)
		}
	}
	saved := r.size
	defer func() { r.size = saved }()
	r.size = len(list)
	for _, s := range item.Subscripts {
		from, err := r.subscript(s.From, raw)
		to := from
		if err == nil && s.To != nil {
			to, err = r.subscript(s.To, raw)
		}
		if err != nil {
			return false, err
		}
		if !r.lax && (from < 0 || from > to || to >= len(list)) {
			return false, pathFail(pgerr.InvalidSQLJSONSubscript, "jsonpath array subscript is out of bounds")
		}
		for i := max(from, 0); i <= min(to, len(list)-1); i++ {
			if more, err := r.next(item, list[i], emit); err != nil || !more {
				return false, err
			}
		}
	}
	return true, nil
}

func (r *pathRun) subscript(item *pgtypes.PathItem, raw string) (int, error) {
	list, err := r.values(item, raw, false)
	if err != nil {
		return 0, err
	}
	if len(list) != 1 || pgtypes.JSONTypeOf(list[0]) != "number" {
		return 0, pathFail(pgerr.InvalidSQLJSONSubscript, "jsonpath array subscript is not a single numeric value")
	}
	n, ok := pgtypes.NumericToInt(pgtypes.NumericTrunc(pathNumber(list[0]), 0))
	if !ok || n != int64(int32(n)) {
		return 0, pathFail(pgerr.InvalidSQLJSONSubscript, "jsonpath array subscript is out of integer range")
	}
	return int(n), nil
}

// values gives all that an expression gives; with unwrap, arrays as their
// elements in lax mode.
func (r *pathRun) values(item *pgtypes.PathItem, raw string, unwrap bool) (list []string, err error) {
	saved := r.exist
	defer func() { r.exist = saved }()
	r.exist = false
	_, err = r.item(item, raw, !r.strict, func(v string) (bool, error) {
		if unwrap && !r.strict && pgtypes.JSONTypeOf(v) == "array" {
			for _, e := range pgtypes.JSONElements(v) {
				list = append(list, e)
			}
			return true, nil
		}
		list = append(list, v)
		return true, nil
	})
	return list, err
}

func pathNumber(raw string) *apd.Decimal {
	d, err := pgtypes.ParseNumeric(raw)
	if err != nil {
		panic("BUG: a JSON number that is no number: " + raw)
	}
	return d
}

func numberText(d *apd.Decimal) string { return string(pgtypes.AppendNumeric(nil, d)) }

func (r *pathRun) unary(item *pgtypes.PathItem, raw string, emit pathEmit) (bool, error) {
	list, err := r.values(item.Left, raw, true)
	if err != nil {
		return false, err
	}
	for _, v := range list {
		if pgtypes.JSONTypeOf(v) != "number" {
			if r.exist && item.Next == nil {
				continue
			}
			return false, pathFail(pgerr.SQLJSONNumberNotFound, "operand of unary jsonpath operator %s is not a numeric value", item.Kind[len(item.Kind)-1:])
		}
		if item.Kind == pgtypes.PathMinus {
			v = numberText(pgtypes.NumericNeg(pathNumber(v)))
		}
		if more, err := r.next(item, v, emit); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

var pathArithmetic = map[pgtypes.PathKind]func(a, b *apd.Decimal) (*apd.Decimal, error){
	"+": pgtypes.NumericAdd, "-": pgtypes.NumericSub, "*": pgtypes.NumericMul, "/": pgtypes.NumericDiv, "%": pgtypes.NumericMod,
}

func (r *pathRun) binary(item *pgtypes.PathItem, raw string, emit pathEmit) (bool, error) {
	var operands [2]*apd.Decimal
	for i, side := range []*pgtypes.PathItem{item.Left, item.Right} {
		list, err := r.values(side, raw, true)
		if err != nil {
			return false, err
		}
		if len(list) != 1 || pgtypes.JSONTypeOf(list[0]) != "number" {
			return false, pathFail(pgerr.SingletonSQLJSONItemRequired, "%s operand of jsonpath operator %s is not a single numeric value",
				[]string{"left", "right"}[i], item.Kind)
		}
		operands[i] = pathNumber(list[0])
	}
	d, err := pathArithmetic[item.Kind](operands[0], operands[1])
	if err != nil {
		return false, pathError{pgerr.From(err)}
	}
	return r.next(item, numberText(d), emit)
}

func (r *pathRun) method(item *pgtypes.PathItem, raw, kind string, unwrap bool, emit pathEmit) (bool, error) {
	name := item.Text
	switch name {
	case "type":
		return r.next(item, `"`+kind+`"`, emit)
	case "size":
		n := 1
		if kind == "array" {
			n = 0
			for range pgtypes.JSONElements(raw) {
				n++
			}
		} else if r.strict {
			return r.structural(pgerr.SQLJSONArrayNotFound, "jsonpath item method .size() can only be applied to an array")
		}
		return r.next(item, strconv.Itoa(n), emit)
	}
	if unwrap && kind == "array" {
		return r.elements(item, raw, emit)
	}
	switch name {
	case "keyvalue":
		return r.keyValue(item, raw, kind, emit)
	case "double":
		return r.double(item, raw, kind, emit)
	}
	if kind != "number" {
		return false, pathFail(pgerr.NonNumericSQLJSONItem, "jsonpath item method .%s() can only be applied to a numeric value", name)
	}
	d := pathNumber(raw)
	switch name {
	case "abs":
		d = absNumeric(d)
	case "floor", "ceiling":
		whole := pgtypes.NumericTrunc(d, 0)
		step := int64(0)
		switch c := whole.Cmp(d); {
		case name == "floor" && c > 0:
			step = -1
		case name == "ceiling" && c < 0:
			step = 1
		}
		sum, err := pgtypes.NumericAdd(whole, apd.New(step, 0))
		if err != nil {
			return false, err
		}
		d = sum
	}
	return r.next(item, numberText(d), emit)
}

func (r *pathRun) double(item *pgtypes.PathItem, raw, kind string, emit pathEmit) (bool, error) {
	switch kind {
	case "number":
		if f := pgtypes.NumericToFloat(pathNumber(raw)); math.IsInf(f, 0) {
			return false, pathFail(pgerr.NonNumericSQLJSONItem, "numeric argument of jsonpath item method .double() is out of range for type double precision")
		}
		return r.next(item, raw, emit)
	case "string":
		text, _ := pgtypes.JSONText(raw)
		v, err := pgtypes.DecodeText(pgtypes.Of(pgtypes.Float8), text, &pgtypes.TextStyle{})
		f, _ := v.(float64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return false, pathFail(pgerr.NonNumericSQLJSONItem, "string argument of jsonpath item method .double() is not a valid representation of a double precision number")
		}
		d, err := pgtypes.NumericFromFloat(f, false)
		if err != nil {
			return false, err
		}
		return r.next(item, numberText(d), emit)
	}
	return false, pathFail(pgerr.NonNumericSQLJSONItem, "jsonpath item method .double() can only be applied to a string or numeric value")
}

// keyValue gives the members of an object. Their id, which PostgreSQL makes of
// the object's place, is 0.
func (r *pathRun) keyValue(item *pgtypes.PathItem, raw, kind string, emit pathEmit) (bool, error) {
	if kind != "object" {
		return false, pathFail(pgerr.SQLJSONObjectNotFound, "jsonpath item method .keyvalue() can only be applied to an object")
	}
	for key, value := range pgtypes.JSONEach(raw) {
		member := pgtypes.JSONObjectOf([]string{"id", "key", "value"}, []string{"0", string(pgtypes.JSONQuote(nil, key)), value})
		if more, err := r.next(item, member, emit); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// first gives the first result, in strict mode after all of them.
func (r *pathRun) first(path *pgtypes.JSONPath) (raw string, ok bool, err error) {
	r.exist = !r.strict
	_, err = r.item(path.Root, r.root, true, func(v string) (bool, error) {
		if !ok {
			raw, ok = v, true
		}
		return r.strict, nil
	})
	return raw, ok, err
}
