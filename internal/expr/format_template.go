package expr

import (
	"strings"
	"unicode/utf8"
)

// A templateNode is one item of a formatting template: a keyword with its
// modifiers, or a character that stands for itself.
type templateNode struct {
	key  string // the keyword as written; "" for a character
	char string

	separator bool // char is punctuation; only of dates
	fill      bool // FM
	ordinal   byte // 'T' for TH, 't' for th, 0 for neither
}

func (n templateNode) isSpace() bool { return len(n.char) == 1 && asciiSpace(n.char[0]) }

func asciiSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// Keywords are tried in this order, so that a longer one comes before its
// beginning. Their case is part of them.
var (
	dateKeywords   = keywordIndex(dateKeywordList + " " + strings.ToLower(dateKeywordList) + " Day Dy Month Mon")
	numberKeywords = keywordIndex(numberKeywordList + " " + strings.ToLower(numberKeywordList))
)

const (
	dateKeywordList = "A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY D FF1 FF2 FF3 FF4 FF5 FF6 FX HH24 HH12 HH " +
		"IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS OF P.M. PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y"
	numberKeywordList = ", . 0 9 B C D EEEE FM G L MI PL PR RN SG SP S TH V"
)

func keywordIndex(list string) map[byte][]string {
	m := make(map[byte][]string)
	for _, w := range strings.Fields(list) {
		at := len(m[w[0]])
		if w == "Day" || w == "Dy" { // before D
			at--
		}
		m[w[0]] = append(m[w[0]][:at], append([]string{w}, m[w[0]][at:]...)...)
	}
	return m
}

func cutKeyword(s string, keywords map[byte][]string) (key, rest string) {
	for _, w := range keywords[s[0]] {
		if strings.HasPrefix(s, w) {
			return w, s[len(w):]
		}
	}
	return "", s
}

// parseDateTemplate takes a template for dates apart. A TM prefix is read and
// has the effect of FM on names: the locale is C.
func parseDateTemplate(s string) []templateNode {
	return parseTemplate(s, dateKeywords, true)
}

func parseTemplate(s string, keywords map[byte][]string, dates bool) []templateNode {
	var nodes []templateNode
	for s != "" {
		var n templateNode
		if dates && len(s) > 1 {
			switch s[:2] {
			case "FM", "fm":
				n.fill, s = true, s[2:]
			case "TM", "tm":
				n.char, s = "TM", s[2:]
			}
			if s == "" {
				break
			}
		}
		if n.key, s = cutKeyword(s, keywords); n.key != "" {
			if dates && len(s) > 1 {
				switch s[:2] {
				case "TH", "th":
					n.ordinal, s = s[0], s[2:]
				case "SP":
					s = s[2:]
				}
			}
			nodes = append(nodes, n)
			continue
		}
		if s[0] == '"' {
			s = s[1:]
			for s != "" && s[0] != '"' {
				if s[0] == '\\' && len(s) > 1 {
					s = s[1:]
				}
				var c string
				c, s = cutRune(s)
				nodes = append(nodes, templateNode{char: c})
			}
			s = strings.TrimPrefix(s, `"`)
			continue
		}
		if s[0] == '\\' && len(s) > 1 && s[1] == '"' {
			s = s[1:]
		}
		var c string
		c, s = cutRune(s)
		n = templateNode{char: c}
		n.separator = dates && (separatorChar(c) || n.isSpace())
		nodes = append(nodes, n)
	}
	return nodes
}

func cutRune(s string) (c, rest string) {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n], s[n:]
}

// separatorChar: printable ASCII that is neither letter nor digit.
func separatorChar(c string) bool {
	b := c[0]
	return b > ' ' && b < 0x7f && !(b >= 'A' && b <= 'Z') && !(b >= 'a' && b <= 'z') && !(b >= '0' && b <= '9')
}

// ordinalSuffix gives th, st, nd or rd for a number's digits.
func ordinalSuffix(digits string, form byte) (string, error) {
	last := digits[len(digits)-1]
	if last < '0' || last > '9' {
		return "", invalidNumber(digits)
	}
	if len(digits) > 1 && digits[len(digits)-2] == '1' {
		last = '0'
	}
	suffix := "th"
	switch last {
	case '1':
		suffix = "st"
	case '2':
		suffix = "nd"
	case '3':
		suffix = "rd"
	}
	if form == 'T' {
		suffix = strings.ToUpper(suffix)
	}
	return suffix, nil
}
