package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// normalForms are the forms of normalize() and IS NORMALIZED.
var normalForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

func normalForm(name string) (norm.Form, error) {
	form, ok := normalForms[strings.ToUpper(name)]
	if !ok {
		return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid normalization form: %s", name)
	}
	return form, nil
}

// inForm is a function of a text and of a form, NFC if it is not given.
func inForm(f func(form norm.Form, s string) any) impl {
	return raw(func(_ *Env, _ *Call, args []any) (any, error) {
		form := norm.NFC
		if len(args) > 1 {
			var err error
			if form, err = normalForm(args[1].(string)); err != nil {
				return nil, err
			}
		}
		return f(form, args[0].(string)), nil
	})
}

// unistr replaces the escapes of Unicode characters: \XXXX, \+XXXXXX, \uXXXX,
// \UXXXXXXXX and \\.
func unistr(s string) (any, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if strings.HasPrefix(rest, `\`) {
			b.WriteByte('\\')
			s = rest[1:]
			continue
		}
		r, rest, err := escapedUnit(rest)
		if err != nil {
			return nil, err
		}
		if r >= 0xd800 && r < 0xdc00 {
			low := rune(-1)
			if after, ok := strings.CutPrefix(rest, `\`); ok {
				if low, rest, err = escapedUnit(after); err != nil {
					return nil, err
				}
			}
			if low < 0xdc00 || low > 0xdfff {
				return nil, pgerr.New(pgerr.SyntaxError, "invalid Unicode surrogate pair")
			}
			r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
		} else if r >= 0xdc00 && r <= 0xdfff {
			return nil, pgerr.New(pgerr.SyntaxError, "invalid Unicode surrogate pair")
		}
		if r == 0 || !utf8.ValidRune(r) {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "invalid Unicode code point: %04X", r)
		}
		b.WriteRune(r)
		s = rest
	}
}

// escapedUnit reads what stands behind a backslash.
func escapedUnit(s string) (r rune, rest string, err error) {
	skip, digits := 0, 4
	switch {
	case strings.HasPrefix(s, "+"):
		skip, digits = 1, 6
	case strings.HasPrefix(s, "u"):
		skip = 1
	case strings.HasPrefix(s, "U"):
		skip, digits = 1, 8
	}
	if len(s) >= skip+digits {
		n, err := strconv.ParseUint(s[skip:skip+digits], 16, 32)
		if err == nil {
			return rune(n), s[skip+digits:], nil
		}
	}
	return 0, s, pgerr.New(pgerr.SyntaxError, "invalid Unicode escape").
		WithHint(`Unicode escapes must be \XXXX, \+XXXXXX, \uXXXX, or \UXXXXXXXX.`)
}

// countNulls counts the arguments, or elements of the VARIADIC array, that are NULL or are not.
func countNulls(call *Call, args []any, null bool) (any, error) {
	vals, _, ok := spread(call, args, 0)
	if !ok {
		return nil, nil
	}
	n := int64(0)
	for _, v := range vals {
		if (v == nil) == null {
			n++
		}
	}
	return n, nil
}

// unicodeFunctions is the functions on Unicode texts, and num_nulls.
func unicodeFunctions() map[string]impl {
	return map[string]impl{
		"unistr(text)":             fn1(unistr),
		"normalize(text,text)":     inForm(func(f norm.Form, s string) any { return f.String(s) }),
		"is_normalized(text,text)": inForm(func(f norm.Form, s string) any { return f.IsNormalString(s) }),
		"num_nulls(any)":           raw(func(_ *Env, call *Call, args []any) (any, error) { return countNulls(call, args, true) }),
		"num_nonnulls(any)":        raw(func(_ *Env, call *Call, args []any) (any, error) { return countNulls(call, args, false) }),
	}
}
