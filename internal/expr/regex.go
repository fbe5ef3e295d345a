package expr

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A patternKind says how a cached pattern was compiled.
type patternKind uint8

const (
	patternLike patternKind = iota
	patternLikeFold
	patternRegex
	patternRegexFold
)

// maxPatterns bounds each cache of compiled patterns; a full one is emptied.
const maxPatterns = 1000

// A patternCache keeps what compiling gave.
type patternCache[K comparable, V any] struct {
	mu    sync.RWMutex // guards byKey
	byKey map[K]V
}

func (c *patternCache[K, V]) get(key K, compile func() (V, error)) (V, error) {
	c.mu.RLock()
	v, ok := c.byKey[key]
	c.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := compile()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil || len(c.byKey) >= maxPatterns {
		c.byKey = make(map[K]V)
	}
	c.byKey[key] = v
	return v, nil
}

type patternKey struct {
	kind    patternKind
	pattern string
}

type regexKey struct{ pattern, flags string }

var (
	matchers patternCache[patternKey, matcher]
	regexes  patternCache[regexKey, *regexp.Regexp]
)

func compilePattern(kind patternKind, pattern string) (matcher, error) {
	return matchers.get(patternKey{kind, pattern}, func() (matcher, error) {
		switch kind {
		case patternLike, patternLikeFold:
			return compileLike(pattern, kind == patternLikeFold)
		}
		flags := ""
		if kind == patternRegexFold {
			flags = "i"
		}
		re, err := compileRegex(pattern, flags)
		if err != nil {
			return nil, err
		}
		if literal, whole := re.LiteralPrefix(); whole {
			return func(s string) bool { return strings.Contains(s, literal) }, nil
		}
		if kind == patternRegexFold && pattern != "" && isASCII(pattern) && !strings.ContainsAny(pattern, `.*+?()[]{}|^$\`) {
			test := containsFoldASCII(lower(pattern))
			return func(s string) bool {
				if isASCII(s) {
					return test(s)
				}
				return re.MatchString(s)
			}, nil
		}
		return re.MatchString, nil
	})
}

func regexError(format string, args ...any) error {
	return pgerr.New(pgerr.InvalidRegularExpression, "invalid regular expression: "+format, args...)
}

// compileRegex compiles an advanced regular expression with the flags of
// regexp_replace and its like, g left out.
func compileRegex(pattern, flags string) (*regexp.Regexp, error) {
	return regexes.get(regexKey{pattern, flags}, func() (*regexp.Regexp, error) {
		t := translator{in: pattern}
		for _, f := range flags {
			if !t.flag(f) {
				return nil, invalidParameter("invalid regular expression option: \"%c\"", f)
			}
		}
		return t.compile()
	})
}

// A translator turns PostgreSQL's advanced regular expressions into RE2. What
// RE2 does not have (back-references, look-around) is an error.
type translator struct {
	in      string
	at      int
	out     strings.Builder
	fold    bool
	newline byte // 'n': newline-sensitive; 'p', 'w': partly; 0: not
	literal bool
	expand  bool
	lazy    bool // a non-greedy quantifier was seen
}

func (t *translator) flag(f rune) bool {
	switch f {
	case 'i':
		t.fold = true
	case 'c':
		t.fold = false
	case 'n', 'm':
		t.newline = 'n'
	case 's':
		t.newline = 0
	case 'p', 'w':
		t.newline = byte(f)
	case 'q':
		t.literal = true
	case 'x':
		t.expand = true
	case 't', 'e', 'b':
	default:
		return false
	}
	return true
}

func (t *translator) compile() (*regexp.Regexp, error) {
	if rest, ok := strings.CutPrefix(t.in, "***="); ok {
		t.in, t.literal = rest, true
	} else if rest, ok := strings.CutPrefix(t.in, "***:"); ok {
		t.in = rest
	}
	if end := strings.IndexByte(t.in, ')'); !t.literal && strings.HasPrefix(t.in, "(?") && end > 2 && isLetters(t.in[2:end]) {
		for _, f := range t.in[2:end] {
			if !t.flag(f) {
				return nil, regexError("invalid embedded option")
			}
		}
		t.in = t.in[end+1:]
	}
	mode := ""
	if t.fold {
		mode += "i"
	}
	if t.newline == 'n' || t.newline == 'w' {
		mode += "m"
	}
	if t.newline == 0 || t.newline == 'w' {
		mode += "s"
	}
	if mode != "" {
		t.out.WriteString("(?" + mode + ")")
	}
	if t.literal {
		t.out.WriteString(regexp.QuoteMeta(t.in))
	} else if err := t.translate(); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(t.out.String())
	if err != nil {
		return nil, translateError(err)
	}
	if !t.lazy {
		re.Longest()
	}
	return re, nil
}

func isLetters(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}

func translateError(err error) error {
	e, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return regexError("%s", err)
	}
	switch e.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return regexError("parentheses () not balanced")
	case syntax.ErrMissingBracket:
		return regexError("brackets [] not balanced")
	case syntax.ErrMissingRepeatArgument, syntax.ErrInvalidRepeatOp:
		return regexError("quantifier operand invalid")
	case syntax.ErrInvalidRepeatSize:
		return regexError("invalid repetition count(s)")
	case syntax.ErrInvalidCharRange:
		return regexError("invalid character range")
	case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash:
		return regexError("invalid escape \\ sequence")
	}
	return regexError("%s", e.Code)
}

func (t *translator) translate() error {
	for t.at < len(t.in) {
		c := t.in[t.at]
		t.at++
		switch c {
		case '\\':
			if err := t.escape(false); err != nil {
				return err
			}
		case '[':
			if err := t.bracket(); err != nil {
				return err
			}
		case '(':
			rest := t.in[t.at:]
			switch {
			case strings.HasPrefix(rest, "?:"):
				t.out.WriteString("(?:")
				t.at += 2
			case strings.HasPrefix(rest, "?#"):
				end := strings.IndexByte(rest, ')')
				if end < 0 {
					return regexError("parentheses () not balanced")
				}
				t.at += end + 1
			case strings.HasPrefix(rest, "?=") || strings.HasPrefix(rest, "?!") || strings.HasPrefix(rest, "?<"):
				return regexError("look-around constraints are not supported")
			default:
				t.out.WriteByte('(')
			}
		case '*', '+', '?', '}':
			t.out.WriteByte(c)
			if t.at < len(t.in) && t.in[t.at] == '?' && (c != '}' || strings.Contains(t.in[:t.at], "{")) {
				t.lazy = true
				t.out.WriteByte('?')
				t.at++
			}
		case ' ', '\t', '\n':
			if !t.expand {
				t.out.WriteByte(c)
			}
		case '#':
			if !t.expand {
				t.out.WriteByte(c)
				continue
			}
			for t.at < len(t.in) && t.in[t.at] != '\n' {
				t.at++
			}
		default:
			t.out.WriteByte(c)
		}
	}
	return nil
}

// Classes are Unicode's, as the C library's in a UTF-8 locale.
const (
	wordClass  = `\p{L}\p{N}_`
	digitClass = `\p{Nd}`
	spaceClass = `\s\v`
)

// escape translates what follows a backslash, inside a bracket or out of it.
func (t *translator) escape(inside bool) error {
	if t.at >= len(t.in) {
		return regexError("invalid escape \\ sequence")
	}
	c := t.in[t.at]
	t.at++
	class := func(body string, negate bool) error {
		switch {
		case inside && negate:
			return regexError("invalid escape \\ sequence")
		case inside:
			t.out.WriteString(body)
		case negate:
			t.out.WriteString("[^" + body + "]")
		default:
			t.out.WriteString("[" + body + "]")
		}
		return nil
	}
	switch c {
	case 'd', 'D':
		return class(digitClass, c == 'D')
	case 'w', 'W':
		return class(wordClass, c == 'W')
	case 's', 'S':
		return class(spaceClass, c == 'S')
	case 'n', 't', 'r', 'f', 'v', 'a':
		t.out.WriteString(`\` + string(c))
	case 'b':
		t.out.WriteString(`\x08`)
	case 'e':
		t.out.WriteString(`\x1b`)
	case 'B':
		t.out.WriteString(`\\`)
	case '0':
		t.out.WriteString(`\x00`)
	case 'u', 'U', 'x':
		return t.hex(c)
	case 'c':
		if t.at >= len(t.in) {
			return regexError("invalid escape \\ sequence")
		}
		t.out.WriteString(`\x{` + strconv.FormatInt(int64(t.in[t.at]&31), 16) + "}")
		t.at++
	case 'y', 'm', 'M':
		t.out.WriteString(`\b`)
	case 'Y':
		t.out.WriteString(`\B`)
	case 'A':
		t.out.WriteString(`\A`)
	case 'Z':
		t.out.WriteString(`\z`)
	default:
		switch {
		case c >= '1' && c <= '9':
			return regexError("back-references are not supported")
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			return regexError("invalid escape \\ sequence")
		case c >= 0x80:
			t.out.WriteByte(c)
		default:
			t.out.WriteString(regexp.QuoteMeta(string(c)))
			if inside && strings.IndexByte(`-&~`, c) >= 0 {
				s := t.out.String()
				t.out.Reset()
				t.out.WriteString(s[:len(s)-1] + `\` + string(c))
			}
		}
	}
	return nil
}

func (t *translator) hex(c byte) error {
	limit := map[byte]int{'u': 4, 'U': 8, 'x': 8}[c]
	start := t.at
	for t.at < len(t.in) && t.at-start < limit && strings.IndexByte("0123456789abcdefABCDEF", t.in[t.at]) >= 0 {
		t.at++
	}
	if n := t.at - start; n == 0 || c != 'x' && n != limit {
		return regexError("invalid escape \\ sequence")
	}
	t.out.WriteString(`\x{` + t.in[start:t.at] + "}")
	return nil
}

// bracket translates a bracket expression behind its opening [.
func (t *translator) bracket() error {
	for _, word := range []string{"[:<:]]", "[:>:]]"} {
		if strings.HasPrefix(t.in[t.at:], word) {
			t.out.WriteString(`\b`)
			t.at += len(word)
			return nil
		}
	}
	t.out.WriteByte('[')
	if t.at < len(t.in) && t.in[t.at] == '^' {
		t.out.WriteByte('^')
		t.at++
		if t.newline == 'n' || t.newline == 'p' {
			t.out.WriteString(`\n`)
		}
	}
	first := true
	for t.at < len(t.in) {
		c := t.in[t.at]
		t.at++
		switch {
		case c == ']' && !first:
			t.out.WriteByte(']')
			return nil
		case c == ']':
			t.out.WriteString(`\]`)
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case c == '[' && t.at < len(t.in) && strings.IndexByte(":.=", t.in[t.at]) >= 0:
			kind := t.in[t.at]
			end := strings.Index(t.in[t.at+1:], string(kind)+"]")
			if end < 0 {
				return regexError("brackets [] not balanced")
			}
			name := t.in[t.at+1 : t.at+1+end]
			t.at += end + 3
			if kind != ':' {
				t.out.WriteString(regexp.QuoteMeta(name))
				break
			}
			class, ok := posixClasses[name]
			if !ok {
				return regexError("invalid character class")
			}
			t.out.WriteString(class)
		case c == '[':
			t.out.WriteString(`\[`)
		default:
			t.out.WriteByte(c)
		}
		first = false
	}
	return regexError("brackets [] not balanced")
}

var posixClasses = map[string]string{
	"alpha": `\p{L}`, "digit": digitClass, "alnum": `\p{L}\p{N}`, "upper": `\p{Lu}`, "lower": `\p{Ll}`,
	"space": spaceClass, "blank": ` \t`, "punct": `\p{P}\p{S}`, "cntrl": `\p{Cc}`, "xdigit": `0-9A-Fa-f`,
	"graph": `\p{L}\p{M}\p{N}\p{P}\p{S}`, "print": `\p{L}\p{M}\p{N}\p{P}\p{S} `, "word": wordClass,
}

// similarToRegex turns a SIMILAR TO pattern into a regular expression, as
// similar_escape_internal does.
func similarToRegex(pattern, escape string) (any, error) {
	if runeCount(escape) > 1 {
		return nil, pgerr.New(pgerr.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	var sb strings.Builder
	sb.WriteString("^(?:")
	after, inClass := false, false
	separators := 0
	for _, r := range pattern {
		c := string(r)
		switch {
		case after:
			if c == `"` && !inClass {
				switch separators {
				case 0:
					sb.WriteString("){1,1}?(")
				case 1:
					sb.WriteString("){1,1}(?:")
				default:
					return nil, pgerr.New(pgerr.Code("2200C"), "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				separators++
			} else {
				sb.WriteString(`\` + c)
			}
			after = false
		case c == escape:
			after = true
		case inClass:
			if c == `\` {
				sb.WriteByte('\\')
			}
			sb.WriteString(c)
			inClass = c != "]"
		case c == "[":
			sb.WriteString(c)
			inClass = true
		case c == "%":
			sb.WriteString(".*")
		case c == "_":
			sb.WriteByte('.')
		case c == "(":
			sb.WriteString("(?:")
		case c == `\` || c == "." || c == "^" || c == "$":
			sb.WriteString(`\` + c)
		default:
			sb.WriteString(c)
		}
	}
	sb.WriteString(")$")
	return sb.String(), nil
}
