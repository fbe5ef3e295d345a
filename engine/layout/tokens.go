package layout

import "slices"

// A token is a run of ASCII letters, digits and bytes above 0x7f, its ASCII
// letters in lower case. Everything else separates.
//
// The rule that lets a token filter prune `LIKE '%literal%'`: a text that
// contains the literal has every token that stands in the literal with a
// separator on both sides. A token at either end of the literal may be a piece
// of a longer one in the text, so it says nothing. Since tokens are in lower
// case on both sides, the rule holds for any case; a comparison that folds
// other letters than ASCII's must not use it.

// wordByte maps a byte to what it is in a token, 0 if it separates.
var wordByte = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			t[c] = byte(c)
		}
	}
	return t
}()

// Words calls each with the tokens of a text; a token is valid for the call.
func Words(text string, each func(token []byte)) {
	var buf [128]byte
	for i := 0; i < len(text); {
		if wordByte[text[i]] == 0 {
			i++
			continue
		}
		token := buf[:0]
		for ; i < len(text); i++ {
			c := wordByte[text[i]]
			if c == 0 {
				break
			}
			token = append(token, c)
		}
		each(token)
	}
}

// InnerWords calls each with the tokens of a literal that every text
// containing it has: those that neither begin nor end it.
func InnerWords(literal string, each func(token []byte)) {
	start, end := 0, len(literal)
	for start < end && wordByte[literal[start]] != 0 {
		start++
	}
	for end > start && wordByte[literal[end-1]] != 0 {
		end--
	}
	Words(literal[start:end], each)
}

// TokenHashes gives the hashes of a text's distinct tokens.
func TokenHashes(body string) []uint64 {
	var s hashSet
	Words(body, func(token []byte) { s.add(Hash(token)) })
	return s.list
}

// InnerTokenHashes gives the hashes of the tokens that every text containing
// the literal has.
func InnerTokenHashes(literal string) []uint64 {
	var s hashSet
	InnerWords(literal, func(token []byte) { s.add(Hash(token)) })
	return s.list
}

// InnerFoldedHashes is InnerTokenHashes for a comparison that folds all letters:
// without the tokens that a text may have with letters beyond ASCII instead. The
// Kelvin sign is a k in lower case, the dotted capital I an i, and to a regular
// expression the long s is an s.
func InnerFoldedHashes(literal string) []uint64 {
	var s hashSet
	InnerWords(literal, func(token []byte) {
		if !slices.ContainsFunc(token, func(c byte) bool { return c >= 0x80 || c == 'i' || c == 'k' || c == 's' }) {
			s.add(Hash(token))
		}
	})
	return s.list
}
