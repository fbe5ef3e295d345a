package expr

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func invalidParameter(format string, args ...any) *pgerr.Error {
	return pgerr.New(pgerr.InvalidParameterValue, format, args...)
}

// runeCount is the number of characters.
func runeCount(s string) int64 { return int64(utf8.RuneCountInString(s)) }

// runeOffset gives the byte at which character n (0-based) starts, or the
// string's length.
func runeOffset(s string, n int64) int {
	if n <= 0 {
		return 0
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// substring gives length characters from the 1-based place start; places
// before the first count but hold nothing.
func substring(s string, start, length int64) (any, error) {
	if length < 0 {
		return nil, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
	}
	end := start + length
	if end < start { // overflow: to the end
		end = 1<<62 - 1
	}
	start = max(start, 1)
	if end <= start {
		return "", nil
	}
	rest := s[runeOffset(s, start-1):]
	return rest[:runeOffset(rest, end-start)], nil
}

func substringFrom(s string, start int64) string { return s[runeOffset(s, start-1):] }

// position gives the 1-based character at which sub starts, 0 if it is absent.
func position(s, sub string) int64 {
	i := strings.Index(s, sub)
	if i < 0 {
		return 0
	}
	return runeCount(s[:i]) + 1
}

func leftOf(s string, n int64) string {
	if n < 0 {
		n = max(runeCount(s)+n, 0)
	}
	return s[:runeOffset(s, n)]
}

func rightOf(s string, n int64) string {
	if n < 0 {
		return s[runeOffset(s, -n):]
	}
	return s[runeOffset(s, max(runeCount(s)-n, 0)):]
}

// maxText bounds what functions that multiply text may make.
const maxText = 1<<30 - 1

var errTooLong = pgerr.New(pgerr.ProgramLimitExceeded, "requested length too large")

func pad(s string, n int64, fill string, left bool) (any, error) {
	if n <= 0 {
		return "", nil
	}
	if n > maxText/4 {
		return nil, errTooLong
	}
	have := runeCount(s)
	if have >= n || fill == "" {
		return s[:runeOffset(s, n)], nil
	}
	missing := n - have
	width := runeCount(fill)
	padding := strings.Repeat(fill, int(missing/width)) + fill[:runeOffset(fill, missing%width)]
	if left {
		return padding + s, nil
	}
	return s + padding, nil
}

func repeat(s string, n int64) (any, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if n > maxText/int64(len(s)) {
		return nil, errTooLong
	}
	return strings.Repeat(s, int(n)), nil
}

func replaceAll(s, from, to string) string {
	if from == "" {
		return s
	}
	return strings.ReplaceAll(s, from, to)
}

func reverse(s string) string {
	out := make([]byte, len(s))
	at := len(s)
	for _, r := range s {
		n := utf8.RuneLen(r)
		if n < 0 {
			n = 1
		}
		at -= n
		utf8.EncodeRune(out[at:], r)
	}
	return string(out)
}

func translate(s, from, to string) string {
	target := []rune(to)
	table := make(map[rune]rune)
	for i, r := range []rune(from) {
		if _, seen := table[r]; seen {
			continue
		}
		table[r] = -1
		if i < len(target) {
			table[r] = target[i]
		}
	}
	return strings.Map(func(r rune) rune {
		if t, ok := table[r]; ok {
			return t
		}
		return r
	}, s)
}

func splitPart(s, sep string, n int64) (any, error) {
	if n == 0 {
		return nil, invalidParameter("field position must not be zero")
	}
	if s == "" {
		return "", nil
	}
	parts := []string{s}
	if sep != "" {
		parts = strings.Split(s, sep)
	}
	if n < 0 {
		n += int64(len(parts)) + 1
	}
	if n < 1 || n > int64(len(parts)) {
		return "", nil
	}
	return parts[n-1], nil
}

func initcap(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		alnum := unicode.IsLetter(r) || unicode.IsDigit(r)
		defer func() { inWord = alnum }()
		switch {
		case !alnum:
			return r
		case inWord:
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// Case mapping is by character, as the C library's: no special casing.
func lower(s string) string { return strings.Map(unicode.ToLower, s) }
func upper(s string) string { return strings.Map(unicode.ToUpper, s) }

func overlay(s, with string, start, length int64) (any, error) {
	if start <= 0 {
		return nil, pgerr.New(pgerr.SubstringError, "negative substring length not allowed")
	}
	return s[:runeOffset(s, start-1)] + with + s[runeOffset(s, max(start-1+length, 0)):], nil
}

func chr(n int64) (any, error) {
	switch {
	case n == 0:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "null character not permitted")
	case n < 0:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "character number must be positive")
	case n > 0x10ffff:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "requested character too large for encoding: %d", n)
	case n >= 0xd800 && n < 0xe000:
		return nil, pgerr.New(pgerr.ProgramLimitExceeded, "requested character not valid for encoding: %d", n)
	}
	return string(rune(n)), nil
}

func ascii(s string) int64 {
	if s == "" {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s)
	return int64(r)
}

// outputText is the text of a value as its output function gives it in the
// session's style.
func outputText(env *Env, typ pgtypes.Type, v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	if n, ok := v.(int64); ok && isReg(typ.OID) {
		return RegName(env.catalog(), env.SearchPath, typ.OID, pgtypes.OID(n)), nil
	}
	text, err := pgtypes.AppendText(nil, typ, v, env.Style)
	return string(text), err
}

func concat(env *Env, call *Call, args []any) (any, error) {
	return concatFrom(env, call, args, 0, "")
}

func concatSeparated(env *Env, call *Call, args []any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	return concatFrom(env, call, args, 1, args[0].(string))
}

func concatFrom(env *Env, call *Call, args []any, first int, sep string) (any, error) {
	vals, typeAt, ok := spread(call, args, first)
	if !ok {
		return nil, nil
	}
	var sb strings.Builder
	some := false
	for i, v := range vals {
		if v == nil {
			continue
		}
		text, err := outputText(env, pgtypes.Of(typeAt(i)), v)
		if err != nil {
			return nil, err
		}
		if some {
			sb.WriteString(sep)
		}
		some = true
		sb.WriteString(text)
	}
	return sb.String(), nil
}

// joinAny is the || of text with a value of any type that is no array.
// joinAny is || of a text and another value, which is cast to text.
func joinAny(env *Env, call *Call, args []any) (any, error) {
	var out string
	for i, v := range args {
		text, err := outputText(env, call.Args[i].Type(), v)
		if err != nil {
			return nil, err
		}
		if b, ok := v.(bool); ok {
			text = strconv.FormatBool(b)
		}
		out += text
	}
	return out, nil
}

// stringFunctions is the functions on text.
func stringFunctions() map[string]impl {
	const blank = " "
	m := map[string]impl{
		"length(text)":               pure1(runeCount),
		"char_length(text)":          pure1(runeCount),
		"character_length(text)":     pure1(runeCount),
		"length(bpchar)":             pure1(func(s string) int64 { return runeCount(strings.TrimRight(s, blank)) }),
		"octet_length(text)":         pure1(func(s string) int64 { return int64(len(s)) }),
		"bit_length(text)":           pure1(func(s string) int64 { return int64(len(s)) * 8 }),
		"lower(text)":                pure1(lower),
		"upper(text)":                pure1(upper),
		"initcap(text)":              pure1(initcap),
		"position(text,text)":        pure2(position),
		"strpos(text,text)":          pure2(position),
		"left(text,int4)":            pure2(leftOf),
		"right(text,int4)":           pure2(rightOf),
		"lpad(text,int4)":            within(padded, fn2(func(s string, n int64) (any, error) { return pad(s, n, blank, true) })),
		"rpad(text,int4)":            within(padded, fn2(func(s string, n int64) (any, error) { return pad(s, n, blank, false) })),
		"lpad(text,int4,text)":       within(padded, fn3(func(s string, n int64, f string) (any, error) { return pad(s, n, f, true) })),
		"rpad(text,int4,text)":       within(padded, fn3(func(s string, n int64, f string) (any, error) { return pad(s, n, f, false) })),
		"repeat(text,int4)":          within(repeated, fn2(repeat)),
		"replace(text,text,text)":    within(replaced, pure3(replaceAll)),
		"reverse(text)":              pure1(reverse),
		"translate(text,text,text)":  pure3(translate),
		"split_part(text,text,int4)": fn3(splitPart),
		"concat(any)":                raw(concat),
		"concat_ws(text,any)":        raw(concatSeparated),
		"text || text":               pure2(func(a, b string) string { return a + b }),
		"anynonarray || text":        raw(joinAny),
		"text || anynonarray":        raw(joinAny),
		"text ^@ text":               pure2(strings.HasPrefix),
		"starts_with(text,text)":     pure2(strings.HasPrefix),
		"ascii(text)":                pure1(ascii),
		"chr(int4)":                  fn1(chr),
		"overlay(text,text,int4,int4)": raw(func(_ *Env, _ *Call, a []any) (any, error) {
			return overlay(a[0].(string), a[1].(string), a[2].(int64), a[3].(int64))
		}),
		"overlay(text,text,int4)":    fn3(func(s, w string, n int64) (any, error) { return overlay(s, w, n, runeCount(w)) }),
		"quote_ident(text)":          pure1(quoteIdent),
		"quote_literal(text)":        pure1(quoteLiteral),
		"quote_literal(anyelement)":  raw(quoteAny),
		"quote_nullable(text)":       raw(quoteNullable),
		"quote_nullable(anyelement)": raw(quoteNullable),
		"format(text,any)":           raw(format),
		"format(text)":               raw(format),
		"string_to_array(text,text)": raw(stringToArray),
		"parse_ident(text,bool)": raw(func(_ *Env, _ *Call, args []any) (any, error) {
			return parseIdent(args[0].(string), len(args) < 2 || args[1].(bool))
		}),
		"string_to_array(text,text,text)": raw(stringToArray),
		"btrim(text)":                     pure1(func(s string) string { return strings.Trim(s, blank) }),
		"ltrim(text)":                     pure1(func(s string) string { return strings.TrimLeft(s, blank) }),
		"rtrim(text)":                     pure1(func(s string) string { return strings.TrimRight(s, blank) }),
		"btrim(text,text)":                pure2(strings.Trim),
		"ltrim(text,text)":                pure2(strings.TrimLeft),
		"rtrim(text,text)":                pure2(strings.TrimRight),
		"text(name)":                      pure1(func(s string) string { return s }),
		"text(bool)":                      pure1(func(b bool) string { return map[bool]string{true: "true", false: "false"}[b] }),
	}
	for _, name := range []string{"substring", "substr"} {
		m[name+"(text,int4,int4)"] = fn3(substring)
		m[name+"(text,int4)"] = pure2(substringFrom)
	}
	return m
}

// stringToArray splits text; a NULL separator splits into characters.
func stringToArray(_ *Env, _ *Call, args []any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	var null any
	if len(args) > 2 {
		null = args[2]
	}
	parts := splitText(args[0].(string), args[1])
	vals := make([]any, len(parts))
	for i, p := range parts {
		if null != p {
			vals[i] = p
		}
	}
	return pgtypes.NewArray(pgtypes.Text, vals), nil
}

func splitText(s string, sep any) []any {
	var parts []string
	switch {
	case s == "":
	case sep == nil:
		parts = strings.Split(s, "")
	case sep == "":
		parts = []string{s}
	default:
		parts = strings.Split(s, sep.(string))
	}
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}
