package block

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unsafe"
)

// The forms of a list of texts.
const (
	textPlain    = 0 // lengths (nested integers), then the texts
	textNumbered = 1 // a prefix, a number of digits, then integers (nested): prefix and decimal digits
	textHex      = 2 // bytes a text, then these: lower-case hex
)

// appendTexts appends a list of texts.
func appendTexts(dst []byte, texts []string) []byte {
	if len(texts) >= 16 {
		if prefix, digits, numbers, ok := numbered(texts); ok {
			dst = binary.AppendUvarint(append(dst, textNumbered), uint64(len(prefix)))
			return appendNested(append(append(dst, prefix...), byte(digits)), numbers)
		}
		if isHex(texts) {
			dst = binary.AppendUvarint(append(dst, textHex), uint64(len(texts[0])/2))
			for _, t := range texts {
				for i := 0; i < len(t); i += 2 {
					dst = append(dst, unhex(t[i])<<4|unhex(t[i+1]))
				}
			}
			return dst
		}
	}
	lengths := make([]int64, len(texts))
	for i, t := range texts {
		lengths[i] = int64(len(t))
	}
	dst = appendNested(append(dst, textPlain), lengths)
	for _, t := range texts {
		dst = append(dst, t...)
	}
	return dst
}

// numbered finds texts that are a common prefix and a decimal number: without
// leading zeros (digits is 0), or all of that many digits.
func numbered(texts []string) (prefix string, digits int, numbers []int64, ok bool) {
	prefix = strings.TrimRight(texts[0], "0123456789")
	digits = len(texts[0]) - len(prefix)
	free := true
	for _, t := range texts {
		if !strings.HasPrefix(t, prefix) {
			return "", 0, nil, false
		}
		number := t[len(prefix):]
		if len(number) == 0 || len(number) > 18 {
			return "", 0, nil, false
		}
		for i := range len(number) {
			if number[i]-'0' > 9 {
				return "", 0, nil, false
			}
		}
		free = free && (number[0] != '0' || len(number) == 1)
		if len(number) != digits {
			digits = 0
		}
		if digits == 0 && !free {
			return "", 0, nil, false
		}
	}
	if free {
		digits = 0
	}
	numbers = make([]int64, len(texts))
	for i, t := range texts {
		for _, c := range []byte(t[len(prefix):]) {
			numbers[i] = 10*numbers[i] + int64(c-'0')
		}
	}
	return prefix, digits, numbers, true
}

// isHex reports whether all texts are bytes in lower-case hex, as many in each.
func isHex(texts []string) bool {
	n := len(texts[0])
	if n == 0 || n%2 != 0 {
		return false
	}
	for _, t := range texts {
		if len(t) != n {
			return false
		}
		for i := range n {
			if c := t[i]; c-'0' > 9 && c-'a' > 5 {
				return false
			}
		}
	}
	return true
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

// texts reads n texts, which share memory.
func (r *reader) texts(n int) []string {
	out := make([]string, n)
	switch form := r.byte(); form {
	case textPlain:
		lengths := r.nested(n)
		total := int64(0)
		for _, l := range lengths {
			if l < 0 || l > int64(r.rest()) {
				r.fail()
				return out
			}
			total += l
		}
		if total > int64(r.rest()) {
			r.fail()
			return out
		}
		split(r.string(int(total)), lengths, out)
	case textNumbered:
		prefix, digits := r.text(), int(r.byte())
		numbers := r.nested(n)
		if r.bad || digits > 18 || len(prefix) > maxChunkBytes/(n+1) {
			r.fail()
			return out
		}
		buf := make([]byte, 0, n*(len(prefix)+max(digits, 8)))
		for i, v := range numbers {
			start := len(buf)
			buf = append(buf, prefix...)
			buf = appendDigits(buf, v, digits)
			numbers[i] = int64(len(buf) - start)
		}
		split(asString(buf), numbers, out)
	case textHex:
		size := r.int(r.rest())
		raw := r.bytes(n * size)
		if r.bad {
			return out
		}
		all := asString(hex.AppendEncode(make([]byte, 0, 2*len(raw)), raw))
		for i := range out {
			out[i] = all[2*size*i : 2*size*(i+1)]
		}
	default:
		r.fail()
	}
	return out
}

// appendDigits appends a number: in that many digits, which are enough for it,
// or without leading zeros.
func appendDigits(dst []byte, v int64, digits int) []byte {
	start := len(dst)
	if digits == 0 || v < 0 {
		return strconv.AppendInt(dst, v, 10)
	}
	dst = append(dst, "000000000000000000"[:digits]...)
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = '0' + byte(v%10)
		v /= 10
	}
	return dst
}

func split(all string, lengths []int64, out []string) {
	at := 0
	for i, l := range lengths {
		out[i] = all[at : at+int(l)]
		at += int(l)
	}
}

// asString gives bytes that never change again as a text.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// textColumn is texts without NULLs: codes into a dictionary, or, where most
// differ, one by one.
type textColumn struct {
	dict  []string
	codes []uint32
	strs  []string // set instead of codes
}

// appendTextColumn appends texts. A dictionary of which every text is used
// once, in order, has no codes.
func appendTextColumn(dst []byte, t textColumn) (encoding, []byte) {
	switch {
	case t.codes == nil:
		return encPlain, appendTexts(dst, t.strs)
	case len(t.dict) == 1:
		return encConstant, append(dst, t.dict[0]...)
	case len(t.dict) == len(t.codes):
		return encUnique, appendTexts(dst, t.dict)
	}
	dst = appendTexts(binary.AppendUvarint(dst, uint64(len(t.dict))), t.dict)
	return encDictionary, appendCodes(dst, t.codes, len(t.dict))
}

// textColumn reads n texts that appendTextColumn wrote; without their codes if
// only the distinct ones are wanted.
func (r *reader) textColumn(enc encoding, n int, onlyDict bool) (t textColumn) {
	switch enc {
	case encPlain:
		t.strs = r.texts(n)
		return t
	case encConstant:
		t.dict = []string{r.string(r.rest())}
	case encUnique:
		t.dict = r.texts(n)
	case encDictionary:
		count := r.int(n)
		t.dict = r.texts(count)
		if !onlyDict {
			t.codes = r.codes(n, count)
		}
		return t
	default:
		r.fail()
	}
	if onlyDict {
		return t
	}
	t.codes = make([]uint32, n)
	if enc == encUnique {
		for i := range t.codes {
			t.codes[i] = uint32(i)
		}
	}
	return t
}
