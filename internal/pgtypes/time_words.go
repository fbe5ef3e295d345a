package pgtypes

import "strings"

// A wordKind says what a word of an interval looks like.
type wordKind byte

const (
	wordNumber wordKind = iota // 12, 12.5
	wordDate                   // 1-2, p1d
	wordTime                   // 12:34:56.7
	wordSigned                 // +12, -12:34
	wordText                   // day, or a signed word
)

// A timeWord is a word of an interval in lower case.
type timeWord struct {
	text string
	kind wordKind
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// runsOn are units that a number may follow without a blank: 1d2h.
var runsOn = map[string]bool{"d": true, "h": true, "m": true, "s": true, "y": true, "mon": true, "dec": true, "sec": true}

// timeWords splits a literal as ParseDateTime of PostgreSQL's datetime.c does.
func timeWords(s string) ([]timeWord, error) {
	var words []timeWord
	s = strings.ToLower(s)
	at := func(i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	for i := 0; i < len(s); {
		c, start := s[i], i
		run := func(ok func(byte) bool) {
			for i < len(s) && ok(s[i]) {
				i++
			}
		}
		kind := wordNumber
		switch {
		case strings.IndexByte(spaces, c) >= 0:
			i++
			continue
		case isDigit(c):
			run(isDigit)
			delim := at(i)
			switch {
			case delim == ':':
				kind = wordTime
				run(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' })
			case (delim == '-' || delim == '/' || delim == '.') && isDigit(at(i+1)):
				if delim != '.' {
					kind = wordDate
				}
				i++
				run(isDigit)
				if at(i) == delim {
					kind = wordDate
					run(func(c byte) bool { return isDigit(c) || c == delim })
				}
			case delim == '-' || delim == '/' || delim == '.':
				kind = wordDate
				i++
				run(func(c byte) bool { return isDigit(c) || isLetter(c) || c == delim })
			}
		case c == '.':
			i++
			run(isDigit)
		case isLetter(c):
			kind = wordText
			run(isLetter)
			if d := at(i); d == '-' || d == '/' || d == '.' || (d == '+' || isDigit(d)) && !runsOn[s[start:i]] {
				kind = wordDate
				run(func(c byte) bool {
					return isDigit(c) || isLetter(c) || strings.IndexByte("+-/_.:", c) >= 0
				})
			}
		case c == '+' || c == '-':
			i++
			run(func(c byte) bool { return strings.IndexByte(spaces, c) >= 0 })
			body := i
			switch {
			case isDigit(at(i)):
				kind = wordSigned
				run(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' || c == '-' })
			case isLetter(at(i)):
				kind = wordText
				run(isLetter)
			default:
				return nil, errIntervalSyntax
			}
			words = append(words, timeWord{s[start:start+1] + s[body:i], kind})
			continue
		case c > 0x20 && c < 0x7f:
			i++ // punctuation only separates
			continue
		default:
			return nil, errIntervalSyntax
		}
		words = append(words, timeWord{s[start:i], kind})
	}
	if len(words) > 25 {
		return nil, errIntervalSyntax
	}
	return words, nil
}
