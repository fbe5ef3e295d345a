package cold

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// The texts of attributes in a MAP column are JSON from which the value and its
// type come back:
//
//	null, true, false   as they are
//	integers            digits
//	doubles             with a fraction or an exponent
//	strings             quoted
//	arrays, objects     as they are
//	anything else       an object with one key: {"$bytes": base64},
//	                    {"$double": "NaN", "Infinity", "-Infinity" or the 16 hex digits of another NaN},
//	                    {"$json": text} of an object that begins like one of these, or of what is
//	                    neither array nor object, {"$string": base64} of what is not UTF-8
//
// Those that are stored outside the rows are, in the MAP column beside it, the
// hash in hex, a colon and the bytes of the text, then for another type than a
// string a colon and bytes or json.

const objectMark = `{"$`

// appendAttribute appends entry e of a.
func appendAttribute(dst []byte, a *vector.Attrs, e int) []byte {
	switch tag := a.Tags[e]; tag {
	case vector.TagNull:
		return append(dst, "null"...)
	case vector.TagBool:
		return strconv.AppendBool(dst, a.Vals[e] != 0)
	case vector.TagInt:
		return strconv.AppendInt(dst, int64(a.Vals[e]), 10)
	case vector.TagDouble:
		return appendDouble(dst, a.Vals[e])
	default:
		return appendText(dst, tag, a.Strs[a.Vals[e]])
	}
}

func appendDouble(dst []byte, bits uint64) []byte {
	f := math.Float64frombits(bits)
	switch {
	case math.IsNaN(f) && bits != math.Float64bits(math.NaN()):
		return append(strconv.AppendUint(append(dst, objectMark+`double": "`...), bits, 16), `"}`...)
	case math.IsNaN(f), math.IsInf(f, 0):
		return append(vector.AppendJSONDouble(append(dst, objectMark+`double": "`...), f), `"}`...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !strings.ContainsAny(string(dst[start:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func appendText(dst []byte, tag vector.Tag, s string) []byte {
	switch {
	case tag == vector.TagBytes:
		return append(pgtypes.JSONQuote(append(dst, objectMark+`bytes": `...), asUTF8(s)), '}')
	case tag == vector.TagString && utf8.ValidString(s):
		return pgtypes.JSONQuote(dst, s)
	case tag == vector.TagString:
		dst = append(dst, objectMark+`string": "`...)
		return append(base64.StdEncoding.AppendEncode(dst, []byte(s)), `"}`...)
	case s != "" && (s[0] == '[' || s[0] == '{') && !strings.HasPrefix(s, objectMark) && utf8.ValidString(s):
		return append(dst, s...)
	}
	return append(pgtypes.JSONQuote(append(dst, objectMark+`json": `...), asUTF8(s)), '}')
}

// asUTF8 changes only what could not be valid: base64 and JSON always are.
func asUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// parseAttribute takes such a text apart: its bits, or of a text that.
func parseAttribute(s string) (tag vector.Tag, bits uint64, text string, err error) {
	switch {
	case s == "null":
		return vector.TagNull, 0, "", nil
	case s == "true":
		return vector.TagBool, 1, "", nil
	case s == "false":
		return vector.TagBool, 0, "", nil
	case strings.HasPrefix(s, `"`):
		text, err = unquote(s)
		return vector.TagString, 0, text, err
	case strings.HasPrefix(s, objectMark):
		return parseObject(s)
	case strings.HasPrefix(s, "["), strings.HasPrefix(s, "{"):
		return vector.TagJSON, 0, s, nil
	case strings.ContainsAny(s, ".e"):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, 0, "", corrupt("attribute %q", s)
		}
		return vector.TagDouble, math.Float64bits(f), "", nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, 0, "", corrupt("attribute %q", s)
	}
	return vector.TagInt, uint64(n), "", nil
}

func unquote(s string) (string, error) {
	if len(s) >= 2 && s[len(s)-1] == '"' && strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], nil
	}
	var text string
	if err := json.Unmarshal([]byte(s), &text); err != nil {
		return "", corrupt("attribute %q", s)
	}
	return text, nil
}

func parseObject(s string) (tag vector.Tag, bits uint64, text string, err error) {
	name, rest, ok := strings.Cut(s[len(objectMark):], `": `)
	if !ok || !strings.HasSuffix(rest, "}") {
		return 0, 0, "", corrupt("attribute %q", s)
	}
	if text, err = unquote(rest[:len(rest)-1]); err != nil {
		return 0, 0, "", err
	}
	switch name {
	case "bytes":
		return vector.TagBytes, 0, text, nil
	case "json":
		return vector.TagJSON, 0, text, nil
	case "string":
		raw, err := base64.StdEncoding.DecodeString(text)
		if err == nil {
			return vector.TagString, 0, string(raw), nil
		}
	case "double":
		switch text {
		case "NaN":
			return vector.TagDouble, math.Float64bits(math.NaN()), "", nil
		case "Infinity":
			return vector.TagDouble, math.Float64bits(math.Inf(1)), "", nil
		case "-Infinity":
			return vector.TagDouble, math.Float64bits(math.Inf(-1)), "", nil
		}
		if bits, err := strconv.ParseUint(text, 16, 64); err == nil {
			return vector.TagDouble, bits, "", nil
		}
	}
	return 0, 0, "", corrupt("attribute %q", s)
}

// outsideTags are the types of values that may be stored outside the rows.
var outsideTags = map[string]vector.Tag{"": vector.TagString, ":bytes": vector.TagBytes, ":json": vector.TagJSON}

// appendOutside appends a value that is a reference; ok is false if it is none.
func appendOutside(dst []byte, tag vector.Tag, stored string) (out []byte, ok bool) {
	_, ref, outside, err := layout.ParseStored(stored)
	if !outside || err != nil {
		return dst, false
	}
	dst = append(hex.AppendEncode(dst, ref.Hash[:]), ':')
	dst = strconv.AppendInt(dst, int64(ref.Len), 10)
	for suffix, t := range outsideTags {
		if t == tag {
			return append(dst, suffix...), true
		}
	}
	return dst, false
}

// parseOutside gives a reference as it was stored.
func parseOutside(s string) (tag vector.Tag, stored string, err error) {
	digest, rest, _ := strings.Cut(s, ":")
	var ref layout.Reference
	if n, err := hex.Decode(ref.Hash[:], []byte(digest[:min(len(digest), 64)])); err != nil || n != 32 {
		return 0, "", corrupt("reference %q", s)
	}
	size, suffix := rest, ""
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		size, suffix = rest[:i], rest[i:]
	}
	tag, ok := outsideTags[suffix]
	if ref.Len, err = strconv.Atoi(size); err != nil || !ok {
		return 0, "", corrupt("reference %q", s)
	}
	return tag, string(ref.Append(nil)), nil
}
