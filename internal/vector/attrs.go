package vector

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A Tag is the type of one attribute value (the oneof of OTLP's AnyValue).
type Tag uint8

// The tags. JSON holds arrays and maps as canonical jsonb text; Bytes holds
// base64 text.
const (
	TagNull Tag = iota
	TagString
	TagBool
	TagInt
	TagDouble
	TagBytes
	TagJSON
)

// IsText reports whether values with the tag are codes into Attrs.Strs.
func (t Tag) IsText() bool { return t == TagString || t == TagBytes || t == TagJSON }

// Attrs is the attributes of one level (span, log record, point) for a run of
// rows: a list of (key, tag, value) a row, without duplicate keys within a
// row, ordered as PostgreSQL orders the keys of jsonb (by length, then bytes).
//
// Entry e of row i: Off[i] <= e < Off[i+1].
type Attrs struct {
	Off  []uint32 // rows+1
	Keys []uint32 // code into KeyDict
	Tags []Tag
	Vals []uint64 // String, Bytes, JSON: code into Strs; Bool: 0 or 1; Int: the int64's bits; Double: its IEEE bits

	KeyDict []string // shared, immutable
	Strs    []string // shared, immutable
}

// Key finds a key's code; ok is false when no row can have it.
func (a *Attrs) Key(key string) (code uint32, ok bool) {
	for i, k := range a.KeyDict {
		if k == key {
			return uint32(i), true
		}
	}
	return 0, false
}

// Find gives the entry of a key code in row i, or -1.
func (a *Attrs) Find(i int, code uint32) int {
	for e := a.Off[i]; e < a.Off[i+1]; e++ {
		if a.Keys[e] == code {
			return int(e)
		}
	}
	return -1
}

// AppendText appends the text of entry e as ->> gives it (strings unquoted).
func (a *Attrs) AppendText(dst []byte, e int) []byte {
	switch a.Tags[e] {
	case TagString, TagBytes, TagJSON:
		return append(dst, a.Strs[a.Vals[e]]...)
	case TagBool:
		return strconv.AppendBool(dst, a.Vals[e] != 0)
	case TagInt:
		return strconv.AppendInt(dst, int64(a.Vals[e]), 10)
	case TagDouble:
		return AppendJSONDouble(dst, math.Float64frombits(a.Vals[e]))
	default:
		return append(dst, "null"...)
	}
}

// AppendJSON appends entry e as a jsonb value.
func (a *Attrs) AppendJSON(dst []byte, e int) []byte {
	switch a.Tags[e] {
	case TagString, TagBytes:
		return pgtypes.JSONQuote(dst, a.Strs[a.Vals[e]])
	case TagDouble:
		f := math.Float64frombits(a.Vals[e])
		if math.IsNaN(f) || math.IsInf(f, 0) {
			dst = append(dst, '"')
			dst = AppendJSONDouble(dst, f)
			return append(dst, '"')
		}
		return AppendJSONDouble(dst, f)
	default:
		return a.AppendText(dst, e)
	}
}

// AppendRowJSON appends row i as PostgreSQL prints a jsonb object.
func (a *Attrs) AppendRowJSON(dst []byte, i int) []byte {
	dst = append(dst, '{')
	for e := a.Off[i]; e < a.Off[i+1]; e++ {
		if e > a.Off[i] {
			dst = append(dst, ", "...)
		}
		dst = pgtypes.JSONQuote(dst, a.KeyDict[a.Keys[e]])
		dst = append(dst, ": "...)
		dst = a.AppendJSON(dst, int(e))
	}
	return append(dst, '}')
}

// JSON gives row i as PostgreSQL prints a jsonb object.
func (a *Attrs) JSON(i int) string { return string(a.AppendRowJSON(nil, i)) }

// AppendJSONDouble appends a double so that it stays one: always with a
// fraction, and without an exponent as jsonb prints numbers. NaN and the
// infinities are the words that package pgtypes reads.
func AppendJSONDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// Base64 is the text form of a bytes attribute.
func Base64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
