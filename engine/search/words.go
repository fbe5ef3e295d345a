package search

import (
	"unicode"
	"unicode/utf8"
)

// maxWordRunes is where a word ends that is longer: what follows of it is not
// searched. Encoded bytes in a prompt would otherwise fill the dictionary.
const maxWordRunes = 64

// A word of a text, in lower case, and where it stands.
type word struct {
	text       []byte // valid for the call
	start, end int    // bytes of the text
}

// words calls each with the words of a text. A word is a run of letters, marks
// and digits; of scripts that are written without spaces each letter is one.
func words(text string, each func(w word)) {
	buf := make([]byte, 0, 4*maxWordRunes)
	start, runes := -1, 0
	end := func(at int) {
		if start >= 0 {
			each(word{buf, start, at})
			buf, start, runes = buf[:0], -1, 0
		}
	}
	for i, r := range text {
		if r < utf8.RuneSelf {
			c := wordBytes[byte(r)]
			if c == 0 {
				end(i)
				continue
			}
			if start < 0 {
				start = i
			}
			if runes++; runes <= maxWordRunes {
				buf = append(buf, c)
			}
			continue
		}
		switch {
		case r == utf8.RuneError || !unicode.In(r, unicode.L, unicode.M, unicode.Nd):
			end(i)
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end(i)
			buf = utf8.AppendRune(buf[:0], r)
			each(word{buf, i, i + utf8.RuneLen(r)})
			buf = buf[:0]
		default:
			if start < 0 {
				start = i
			}
			if runes++; runes <= maxWordRunes {
				buf = utf8.AppendRune(buf, unicode.ToLower(r))
			}
		}
	}
	end(len(text))
}

// wordBytes maps an ASCII character to what it is in a word, 0 if it separates.
var wordBytes = func() (m [utf8.RuneSelf]byte) {
	for c := range m {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z':
			m[c] = byte(c)
		case c >= 'A' && c <= 'Z':
			m[c] = byte(c) + 'a' - 'A'
		}
	}
	return m
}()
