package pgtypes

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

type pathTokenKind uint8

const (
	endToken pathTokenKind = iota
	wordToken
	stringToken
	numberToken
	variableToken
	signToken
)

type pathToken struct {
	kind pathTokenKind
	text string // of a string what it means
	raw  string
}

const pathSpecial = "?%$.[]{}()|&!=<>@#,*:-+/"

// advance reads the next token.
func (p *pathParser) advance() {
	for p.at < len(p.text) {
		if strings.IndexByte(" \t\n\r\f", p.text[p.at]) >= 0 {
			p.at++
			continue
		}
		if !strings.HasPrefix(p.text[p.at:], "/*") {
			break
		}
		end := strings.Index(p.text[p.at+2:], "*/")
		if end < 0 {
			panic(pgerr.New(pgerr.SyntaxError, "unexpected end of comment at end of jsonpath input"))
		}
		p.at += end + 4
	}
	start := p.at
	take := func(kind pathTokenKind, text string) {
		p.token = pathToken{kind: kind, text: text, raw: p.text[start:p.at]}
	}
	if start == len(p.text) {
		take(endToken, "")
		return
	}
	c := p.text[start]
	digit := func(i int) bool { return i < len(p.text) && p.text[i] >= '0' && p.text[i] <= '9' }
	switch {
	case c == '"':
		take(stringToken, p.quoted())
	case c == '$' && start+1 < len(p.text) && p.text[start+1] == '"':
		p.at++
		take(variableToken, p.quoted())
	case c == '$' && start+1 < len(p.text) && isPathWord(p.text[start+1]):
		p.at++
		take(variableToken, p.name())
	case digit(start) || c == '.' && digit(start+1):
		p.number()
		take(numberToken, p.text[start:p.at])
	case strings.IndexByte(pathSpecial, c) >= 0:
		p.at++
		for _, long := range []string{"**", "&&", "||", "==", "!=", "<>", "<=", ">="} {
			if strings.HasPrefix(p.text[start:], long) {
				p.at++
			}
		}
		take(signToken, p.text[start:p.at])
	default:
		take(wordToken, p.name())
	}
}

func isPathWord(c byte) bool {
	return strings.IndexByte(pathSpecial, c) < 0 && strings.IndexByte(" \t\n\r\f\"", c) < 0
}

// name reads a word, in which characters can be escaped.
func (p *pathParser) name() string {
	var b []byte
	for p.at < len(p.text) && isPathWord(p.text[p.at]) {
		if p.text[p.at] == '\\' {
			b = p.escape(b)
			continue
		}
		b = append(b, p.text[p.at])
		p.at++
	}
	return string(b)
}

func (p *pathParser) number() {
	digits := func() (n int) {
		for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
			p.at++
			n++
		}
		return n
	}
	start := p.at
	whole := digits()
	if whole > 1 && p.text[start] == '0' {
		p.junk(start)
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if digits() == 0 && whole == 0 {
			p.junk(start)
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			p.junk(start)
		}
	}
	if p.at < len(p.text) && isPathWord(p.text[p.at]) {
		_, n := utf8.DecodeRuneInString(p.text[p.at:])
		p.at += n
		p.junk(start)
	}
}

func (p *pathParser) junk(start int) {
	panic(pgerr.New(pgerr.SyntaxError, "trailing junk after numeric literal at or near \"%s\" of jsonpath input", p.text[start:p.at]))
}

// quoted reads a string from its quote on.
func (p *pathParser) quoted() string {
	var b []byte
	for p.at++; p.at < len(p.text); {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return string(b)
		case '\\':
			b = p.escape(b)
		default:
			b = append(b, c)
			p.at++
		}
	}
	panic(pgerr.New(pgerr.SyntaxError, "unexpected end of quoted string at end of jsonpath input"))
}

var pathEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// escape reads a backslash and what follows.
func (p *pathParser) escape(b []byte) []byte {
	if p.at++; p.at == len(p.text) {
		panic(pgerr.New(pgerr.SyntaxError, "unexpected end after backslash at end of jsonpath input"))
	}
	c := p.text[p.at]
	hex := func(from, n int) (rune, bool) {
		if from+n > len(p.text) {
			return 0, false
		}
		v, err := strconv.ParseUint(p.text[from:from+n], 16, 32)
		return rune(v), err == nil
	}
	switch c {
	case 'x':
		if r, ok := hex(p.at+1, 2); ok {
			p.at += 3
			return utf8.AppendRune(b, r)
		}
		panic(pgerr.New(pgerr.SyntaxError, "invalid hexadecimal character sequence at or near \"%s\" of jsonpath input", p.text[p.at-1:p.at+1]))
	case 'u':
		if p.at+1 < len(p.text) && p.text[p.at+1] == '{' {
			if end := strings.IndexByte(p.text[p.at:], '}'); end > 2 && end <= 8 {
				if r, ok := hex(p.at+2, end-2); ok {
					p.at += end + 1
					return utf8.AppendRune(b, r)
				}
			}
		} else if r, ok := hex(p.at+1, 4); ok {
			p.at += 5
			if low, ok := hex(p.at+2, 4); ok && r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(p.text[p.at:], `\u`) && low >= 0xdc00 && low < 0xe000 {
				p.at += 6
				r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
			}
			return utf8.AppendRune(b, r)
		}
		panic(pgerr.New(pgerr.SyntaxError, "invalid Unicode escape sequence at or near \"%s\" of jsonpath input", p.text[p.at-1:p.at+1]))
	}
	if e, ok := pathEscapes[c]; ok {
		p.at++
		return append(b, e)
	}
	_, n := utf8.DecodeRuneInString(p.text[p.at:])
	b = append(b, p.text[p.at:p.at+n]...)
	p.at += n
	return b
}
