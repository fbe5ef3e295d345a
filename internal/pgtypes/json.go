package pgtypes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

func itoa(n int) string { return strconv.Itoa(n) }

const hexDigits = "0123456789abcdef"

// JSONQuote appends s quoted as PostgreSQL's escape_json does: only the quote,
// the backslash and control characters are escaped.
func JSONQuote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// CompareJSONKeys orders object keys as jsonb does: by length, then bytes.
func CompareJSONKeys(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// maxJSONDepth bounds nesting, so that no document can exhaust the stack.
const maxJSONDepth = 1000

// CanonicalJSON gives the text that jsonb prints for a JSON document: keys by
// length then bytes, the last of duplicates, `": "` and `", "`, numbers as
// numeric prints them. It fails as jsonb's input function does.
func CanonicalJSON(text string) (string, error) {
	p := &jsonParser{text: text}
	out, err := p.value(make([]byte, 0, len(text)+16), 0)
	if err != nil {
		return "", err
	}
	p.skip()
	if p.at != len(p.text) {
		return "", p.fail()
	}
	return string(out), nil
}

// validJSON checks a document as json's input function does: numbers of any
// size and all escapes that are well formed will do.
func validJSON(text string) error {
	p := &jsonParser{text: text, syntax: true}
	if _, err := p.value(nil, 0); err != nil {
		return err
	}
	p.skip()
	if p.at != len(p.text) {
		return p.fail()
	}
	return nil
}

// A jsonParser checks a document and prints it canonically as it goes.
type jsonParser struct {
	text   string
	at     int
	syntax bool // check only what json checks; what is printed does not matter
}

func (p *jsonParser) fail() error {
	err := pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type json")
	if p.at >= len(p.text) {
		return err.WithDetail("The input string ended unexpectedly.")
	}
	end := p.at + 1
	for end < len(p.text) && isJSONWord(p.text[end]) && isJSONWord(p.text[p.at]) {
		end++
	}
	return err.WithDetail("Token \"%s\" is invalid.", p.text[p.at:end])
}

func isJSONWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func (p *jsonParser) skip() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value(dst []byte, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return nil, pgerr.New(pgerr.StatementTooComplex, "stack depth limit exceeded")
	}
	p.skip()
	if p.at >= len(p.text) {
		return nil, p.fail()
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object(dst, depth)
	case c == '[':
		return p.array(dst, depth)
	case c == '"':
		s, err := p.str()
		return JSONQuote(dst, s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number(dst)
	default:
		for _, word := range []string{"true", "false", "null"} {
			if strings.HasPrefix(p.text[p.at:], word) {
				rest := p.text[p.at+len(word):]
				if rest == "" || !isJSONWord(rest[0]) {
					p.at += len(word)
					return append(dst, word...), nil
				}
			}
		}
		return nil, p.fail()
	}
}

type jsonMember struct {
	key string
	raw []byte
}

func (p *jsonParser) object(dst []byte, depth int) ([]byte, error) {
	p.at++
	var members []jsonMember
	for {
		p.skip()
		if p.at < len(p.text) && p.text[p.at] == '}' && len(members) == 0 {
			p.at++
			return append(dst, "{}"...), nil
		}
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			return nil, p.fail()
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		p.skip()
		if p.at >= len(p.text) || p.text[p.at] != ':' {
			return nil, p.fail()
		}
		p.at++
		raw, err := p.value(nil, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, jsonMember{key, raw})
		p.skip()
		if p.at >= len(p.text) || p.text[p.at] != ',' && p.text[p.at] != '}' {
			return nil, p.fail()
		}
		p.at++
		if p.text[p.at-1] == '}' {
			return appendMembers(dst, members), nil
		}
	}
}

// appendMembers prints an object; of members with one key the last counts.
func appendMembers(dst []byte, members []jsonMember) []byte {
	slices.SortStableFunc(members, func(a, b jsonMember) int { return CompareJSONKeys(a.key, b.key) })
	dst = append(dst, '{')
	first := true
	for i, m := range members {
		if i+1 < len(members) && members[i+1].key == m.key {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(append(JSONQuote(dst, m.key), ": "...), m.raw...)
	}
	return append(dst, '}')
}

func (p *jsonParser) array(dst []byte, depth int) ([]byte, error) {
	p.at++
	dst = append(dst, '[')
	for first := true; ; first = false {
		p.skip()
		if first && p.at < len(p.text) && p.text[p.at] == ']' {
			p.at++
			return append(dst, ']'), nil
		}
		if !first {
			dst = append(dst, ", "...)
		}
		var err error
		if dst, err = p.value(dst, depth+1); err != nil {
			return nil, err
		}
		p.skip()
		if p.at >= len(p.text) || p.text[p.at] != ',' && p.text[p.at] != ']' {
			return nil, p.fail()
		}
		p.at++
		if p.text[p.at-1] == ']' {
			return append(dst, ']'), nil
		}
	}
}

func (p *jsonParser) number(dst []byte) ([]byte, error) {
	start := p.at
	if p.text[p.at] == '-' {
		p.at++
	}
	digits := func() int {
		n := p.at
		for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
			p.at++
		}
		return p.at - n
	}
	lead := p.at
	n := digits()
	if n == 0 || n > 1 && p.text[lead] == '0' {
		p.at = start
		return nil, p.fail()
	}
	plain := true
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if digits() == 0 {
			return nil, p.fail()
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		plain = false
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			return nil, p.fail()
		}
	}
	if p.at < len(p.text) && isJSONWord(p.text[p.at]) {
		p.at = start
		return nil, p.fail()
	}
	text := p.text[start:p.at]
	if p.syntax || plain && text[0] != '-' {
		return append(dst, text...), nil
	}
	d, err := ParseNumeric(text)
	if err != nil {
		return nil, err
	}
	return AppendNumeric(dst, d), nil
}

// str reads a string literal.
func (p *jsonParser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\\' && p.text[p.at] >= 0x20 {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		p.at++
		return p.text[start : p.at-1], nil
	}
	out := []byte(p.text[start:p.at])
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return string(out), nil
		case c < 0x20:
			return "", p.fail()
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		if p.at++; p.at >= len(p.text) {
			break
		}
		esc := p.text[p.at]
		p.at++
		switch esc {
		case '"', '\\', '/':
			out = append(out, esc)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			p.at--
			return "", p.fail()
		}
	}
	return "", p.fail()
}

func (p *jsonParser) hex4() (rune, bool) {
	if p.at+4 > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	p.at += 4
	return rune(n), err == nil
}

func (p *jsonParser) unicode() (rune, error) {
	r, ok := p.hex4()
	if !ok {
		return 0, p.fail()
	}
	if p.syntax {
		return r, nil
	}
	if r == 0 {
		return 0, pgerr.New(pgerr.UntranslatableCharacter, "unsupported Unicode escape sequence").
			WithDetail("\\u0000 cannot be converted to text.")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if strings.HasPrefix(p.text[p.at:], `\u`) {
		p.at += 2
		if low, ok := p.hex4(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	return 0, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type json").
		WithDetail("Unicode low surrogate must follow a high surrogate.")
}
