package pgtypes

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// DecodeText reads the text form of a value, as the type's input function
// does. Errors are *pgerr.Error with PostgreSQL's SQLSTATE and message.
func DecodeText(t Type, s string, style *TextStyle) (any, error) {
	switch t.OID {
	case Bool:
		return parseBool(s)
	case Int2:
		return parseInt(s, 16, "smallint")
	case Int4:
		return parseInt(s, 32, "integer")
	case Int8:
		return parseInt(s, 64, "bigint")
	case Oid, Regproc, Regprocedure, Regoper, Regoperator, Regclass, Regtype, Regnamespace, Regrole, Regcollation:
		return parseOID(s)
	case Xid, Cid:
		return parseXID(s), nil
	case Float4:
		return parseFloat(s, 32, "real")
	case Float8:
		return parseFloat(s, 64, "double precision")
	case Numeric:
		d, err := ParseNumeric(s)
		if err != nil {
			return nil, err
		}
		return RoundToMod(d, t.Mod)
	case Text, Unknown, Cstring, XML, PgNodeTree, Refcursor:
		return s, nil
	case Jsonpath:
		return ParseJSONPath(s)
	case Varchar, Bpchar:
		return FitText(t, s, false)
	case Name:
		return truncateName(s), nil
	case Char:
		return parseChar(s), nil
	case Bytea:
		return parseBytea(s)
	case UUIDOID:
		return parseUUID(s)
	case JSON:
		return s, validJSON(s)
	case Jsonb:
		return CanonicalJSON(s)
	case Date:
		return parseDate(s, style)
	case Timestamp, Timestamptz:
		return parseTimestamp(s, style, t)
	case Time:
		v, err := parseTime(s, style)
		if n, ok := v.(int64); ok && t.Mod >= 0 && t.Mod <= 6 {
			return roundTo(n, t.Mod), nil
		}
		return v, err
	case Timetz:
		return parseTimeTZ(s, style)
	case IntervalOID:
		return parseInterval(s, style, t.Mod)
	case Int2Vector, OidVector:
		return parseVector(t.OID, s)
	case VoidOID:
		return "", nil
	}
	if IsArray(t.OID) {
		return parseArray(Type{OID: ElemOf(t.OID), Mod: t.Mod}, s, style)
	}
	if t.OID == RecordOID || t.OID == AnyOID {
		return nil, pgerr.New(pgerr.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	if v, ok, err := parseCarried(t, s); ok {
		return v, err
	}
	if _, ok := geometries[t.OID]; ok {
		return parseGeometry(t.OID, s)
	}
	if _, ok := rangeElements[t.OID]; ok {
		return parseRange(t, s)
	}
	return s, nil // types that are only carried
}

// syntaxError is the message of every input function.
func syntaxError(typ, s string) *pgerr.Error {
	return pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typ, s)
}

const spaces = " \t\n\r\v\f"

func parseBool(s string) (any, error) {
	w := strings.ToLower(strings.Trim(s, spaces))
	if w != "" {
		for _, word := range []string{"true", "yes", "1"} {
			if strings.HasPrefix(word, w) {
				return true, nil
			}
		}
		for _, word := range []string{"false", "no", "0"} {
			if strings.HasPrefix(word, w) {
				return false, nil
			}
		}
		switch w {
		case "on":
			return true, nil
		case "of", "off":
			return false, nil
		}
	}
	return nil, syntaxError("boolean", s)
}

func parseInt(s string, bits int, typ string) (any, error) {
	n, err := strconv.ParseInt(strings.Trim(s, spaces), 10, bits)
	if err == nil && !strings.Contains(s, "_") {
		return n, nil
	}
	if numErr, ok := err.(*strconv.NumError); ok && numErr.Err == strconv.ErrRange {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", s, typ)
	}
	return nil, syntaxError(typ, s)
}

func parseOID(s string) (any, error) {
	n, err := strconv.ParseInt(strings.Trim(s, spaces), 10, 64)
	if err != nil {
		return nil, syntaxError("oid", s)
	}
	if n < math.MinInt32 || n > math.MaxUint32 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value \"%s\" is out of range for type oid", s)
	}
	return int64(uint32(n)), nil
}

// parseXID reads as strtoul does: what is no number is 0.
func parseXID(s string) any {
	s = strings.TrimLeft(s, spaces)
	n, err := strconv.ParseUint(s[:leadingDigits(s)], 10, 64)
	if err != nil {
		return int64(0)
	}
	return int64(uint32(n))
}

func parseFloat(s string, bits int, typ string) (any, error) {
	w := strings.Trim(s, spaces)
	if strings.Contains(w, "_") || w == "" {
		return nil, syntaxError(typ, s)
	}
	number := w
	if strings.ContainsAny(w, "xX") && !strings.ContainsAny(w, "pP") {
		number += "p0" // C's strtod takes hexadecimal digits without an exponent
	}
	f, err := strconv.ParseFloat(number, bits)
	if err != nil {
		if numErr, ok := err.(*strconv.NumError); ok && numErr.Err == strconv.ErrRange {
			return nil, pgerr.New(pgerr.NumericValueOutOfRange, "\"%s\" is out of range for type %s", w, typ)
		}
		return nil, syntaxError(typ, s)
	}
	if math.IsNaN(f) {
		return quietNaN, nil
	}
	if f == 0 && strings.ContainsAny(strings.FieldsFunc(strings.ToLower(w), func(r rune) bool { return r == 'e' })[0], "123456789") {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "\"%s\" is out of range for type %s", w, typ)
	}
	return f, nil
}

// quietNaN has the bits that PostgreSQL gives NaN.
var quietNaN = math.Float64frombits(0x7ff8000000000000)

// FitText applies the length of varchar(n) and char(n). Characters over it are
// an error unless they are blanks, or cut off by an explicit cast.
func FitText(t Type, s string, explicit bool) (any, error) {
	if t.OID == Bpchar && t.Mod < 0 {
		return s, nil
	}
	if t.Mod < 0 || (t.OID != Varchar && t.OID != Bpchar) {
		return s, nil
	}
	limit := int(t.Mod - 4)
	n := utf8.RuneCountInString(s)
	if n > limit {
		cut := 0
		for range limit {
			_, size := utf8.DecodeRuneInString(s[cut:])
			cut += size
		}
		if !explicit && strings.Trim(s[cut:], " ") != "" {
			name := "character varying"
			if t.OID == Bpchar {
				name = "character"
			}
			return nil, pgerr.New(pgerr.StringDataRightTruncation, "value too long for type %s(%d)", name, limit)
		}
		return s[:cut], nil
	}
	if t.OID == Bpchar {
		return s + strings.Repeat(" ", limit-n), nil
	}
	return s, nil
}

// truncateName cuts at 63 bytes, between characters.
func truncateName(s string) string {
	if len(s) <= 63 {
		return s
	}
	cut := 63
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

func parseChar(s string) string {
	if len(s) == 4 && s[0] == '\\' {
		if n, err := strconv.ParseUint(s[1:], 8, 16); err == nil {
			return charOf(byte(n))
		}
	}
	if s == "" {
		return ""
	}
	return s[:1]
}

// charOf is the "char" of a byte; that of 0 is the empty string.
func charOf(b byte) string {
	if b == 0 {
		return ""
	}
	return string([]byte{b})
}

func parseBytea(s string) (any, error) {
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		digits = strings.Map(func(r rune) rune {
			if strings.ContainsRune(spaces, r) {
				return -1
			}
			return r
		}, digits)
		b, err := hex.DecodeString(digits)
		if err == nil {
			return b, nil
		}
		if len(digits)%2 != 0 {
			return nil, pgerr.New(pgerr.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		for _, r := range digits {
			if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
				return nil, pgerr.New(pgerr.InvalidParameterValue, "invalid hexadecimal digit: \"%c\"", r)
			}
		}
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\\' {
			out = append(out, '\\')
			i++
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		return nil, pgerr.New(pgerr.InvalidTextRepresentation, "invalid input syntax for type bytea")
	}
	return out, nil
}

func parseUUID(s string) (any, error) {
	w := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	var u UUID
	n := 0
	for i := 0; i < len(w); {
		if w[i] == '-' && n > 0 && n%2 == 0 && n < 16 {
			i++
			continue
		}
		if n == 16 || i+2 > len(w) {
			return nil, syntaxError("uuid", s)
		}
		if _, err := hex.Decode(u[n:n+1], []byte(w[i:i+2])); err != nil {
			return nil, syntaxError("uuid", s)
		}
		n++
		i += 2
	}
	if n != 16 || (strings.HasPrefix(s, "{") != strings.HasSuffix(s, "}")) {
		return nil, syntaxError("uuid", s)
	}
	return u, nil
}

func parseVector(typ OID, s string) (any, error) {
	elem := ElemOf(typ)
	var elems []any
	for _, w := range strings.Fields(s) {
		v, err := DecodeText(Of(elem), w, nil)
		if err != nil {
			return nil, err
		}
		elems = append(elems, v)
	}
	a := NewArray(elem, elems)
	a.Dims = []Dim{{Len: int32(len(elems)), Lower: 0}}
	return a, nil
}
