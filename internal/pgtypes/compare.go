package pgtypes

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Compare orders two values that are not NULL as the type's btree operators
// do: text by bytes, NaN above every number, intervals by months of 30 days.
func Compare(t Type, a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case string:
		switch t.OID {
		case Jsonb:
			return CompareJSON(a, b.(string))
		case Inet, Cidr:
			return cmp.Compare(compareInet(a, b.(string)), 0)
		case Tid, PgLsn, Xid8:
			return cmp.Compare(unsigned(t.OID, a), unsigned(t.OID, b.(string)))
		case Bpchar:
			return strings.Compare(strings.TrimRight(a, " "), strings.TrimRight(b.(string), " "))
		}
		return strings.Compare(a, b.(string))
	case float64:
		return compareFloats(a, b.(float64))
	case bool:
		return cmp.Compare(boolInt(a), boolInt(b.(bool)))
	case *apd.Decimal:
		return CompareNumeric(a, b.(*apd.Decimal))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case Interval:
		return compareSpans(a.span(), b.(Interval).span())
	case UUID:
		bu := b.(UUID)
		return bytes.Compare(a[:], bu[:])
	case TimeTZ:
		bt := b.(TimeTZ)
		if c := cmp.Compare(a.Micros+int64(a.WestSeconds)*microsSecond, bt.Micros+int64(bt.WestSeconds)*microsSecond); c != 0 {
			return c
		}
		return cmp.Compare(a.WestSeconds, bt.WestSeconds)
	case *Array:
		return compareArrays(a, b.(*Array))
	case *Record:
		return compareRecords(a, b.(*Record))
	}
	return 0
}

func compareFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CompareNumeric orders numerics, NaN above everything.
func CompareNumeric(a, b *apd.Decimal) int {
	an, bn := a.Form == apd.NaN, b.Form == apd.NaN
	if an || bn {
		return cmp.Compare(boolInt(an), boolInt(bn))
	}
	return a.Cmp(b)
}

// span is the length that intervals are compared by: days and microseconds.
func (v Interval) span() (s [2]int64) {
	days := int64(v.Months)*30 + int64(v.Days) + v.Micros/microsDay
	micros := v.Micros % microsDay
	if micros < 0 {
		micros += microsDay
		days--
	}
	return [2]int64{days, micros}
}

func compareSpans(a, b [2]int64) int {
	if c := cmp.Compare(a[0], b[0]); c != 0 {
		return c
	}
	return cmp.Compare(a[1], b[1])
}

func compareArrays(a, b *Array) int {
	for i := range min(len(a.Elems), len(b.Elems)) {
		if c := compareNullable(Of(a.Elem), a.Elems[i], b.Elems[i]); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(a.Elems), len(b.Elems)); c != 0 {
		return c
	}
	if c := cmp.Compare(len(a.Dims), len(b.Dims)); c != 0 {
		return c
	}
	for i := range a.Dims {
		if c := cmp.Compare(a.Dims[i].Len, b.Dims[i].Len); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Dims[i].Lower, b.Dims[i].Lower); c != 0 {
			return c
		}
	}
	return 0
}

func compareRecords(a, b *Record) int {
	for i := range min(len(a.Vals), len(b.Vals)) {
		if c := compareNullable(a.Types[i], a.Vals[i], b.Vals[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.Vals), len(b.Vals))
}

// compareNullable orders NULL last and equal to itself, as inside arrays and records.
func compareNullable(t Type, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return Compare(t, a, b)
}

// Tags of AppendKey. Every encoding is self-delimiting, so keys of several
// columns may be put one after the other.
const (
	keyNull byte = iota
	keyFalse
	keyTrue
	keyInt
	keyFloat
	keyText
	keyNumeric
	keySpan
	keyArray
	keyRecord
	keyOther
)

// AppendKey appends an encoding of a value that two values of a type share
// exactly when they are equal as GROUP BY means it: NULL equals NULL, 1.0
// equals 1.00, -0 equals 0, NaN equals NaN. Types whose values have the same
// Go form encode alike.
func AppendKey(dst []byte, t Type, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, keyNull)
	case bool:
		return append(dst, keyFalse+byte(boolInt(v)))
	case int64:
		return AppendIntKey(dst, v)
	case string:
		switch t.OID {
		case Jsonb:
			return appendJSONKey(dst, v)
		case Bpchar:
			v = strings.TrimRight(v, " ")
		}
		return AppendTextKey(dst, v)
	case float64:
		if v == 0 {
			v = 0 // -0
		}
		bits := math.Float64bits(v)
		if math.IsNaN(v) {
			bits = math.Float64bits(math.NaN())
		}
		return binary.LittleEndian.AppendUint64(append(dst, keyFloat), bits)
	case *apd.Decimal:
		return appendNumericKey(dst, v)
	case []byte:
		return append(binary.AppendUvarint(append(dst, keyOther), uint64(len(v))), v...)
	case Interval:
		s := v.span()
		dst = binary.LittleEndian.AppendUint64(append(dst, keySpan), uint64(s[0]))
		return binary.LittleEndian.AppendUint64(dst, uint64(s[1]))
	case UUID:
		return append(append(dst, keyOther), v[:]...)
	case TimeTZ:
		dst = binary.LittleEndian.AppendUint64(append(dst, keyOther), uint64(v.Micros))
		return binary.LittleEndian.AppendUint32(dst, uint32(v.WestSeconds))
	case *Array:
		dst = binary.AppendUvarint(append(dst, keyArray), uint64(len(v.Dims)))
		for _, d := range v.Dims {
			dst = binary.AppendVarint(binary.AppendUvarint(dst, uint64(d.Len)), int64(d.Lower))
		}
		for _, e := range v.Elems {
			dst = AppendKey(dst, Of(v.Elem), e)
		}
		return dst
	case *Record:
		dst = binary.AppendUvarint(append(dst, keyRecord), uint64(len(v.Vals)))
		for i, e := range v.Vals {
			dst = AppendKey(dst, v.Types[i], e)
		}
		return dst
	}
	panic("BUG: no key encoding for a value")
}

// AppendIntKey is AppendKey of an integer or a time.
func AppendIntKey(dst []byte, v int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, keyInt), uint64(v))
}

// AppendTextKey is AppendKey of a text.
func AppendTextKey(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(append(dst, keyText), uint64(len(s))), s...)
}

func appendNumericKey(dst []byte, d *apd.Decimal) []byte {
	dst = append(dst, keyNumeric)
	if d.Form != apd.Finite {
		return append(dst, byte(d.Form), byte(boolInt(d.Negative && d.Form == apd.Infinite)))
	}
	if d.IsZero() {
		return AppendTextKey(dst, "0")
	}
	reduced, _ := new(apd.Decimal).Reduce(d)
	return AppendTextKey(dst, reduced.String())
}

// appendJSONKey encodes canonical jsonb text with its numbers reduced.
func appendJSONKey(dst []byte, doc string) []byte {
	switch JSONTypeOf(doc) {
	case "number":
		if d, err := ParseNumeric(doc); err == nil {
			return appendNumericKey(dst, d)
		}
	case "object":
		n := 0
		for range JSONEach(doc) {
			n++
		}
		dst = binary.AppendUvarint(append(dst, keyRecord), uint64(n))
		for k, v := range JSONEach(doc) {
			dst = appendJSONKey(AppendTextKey(dst, k), v)
		}
		return dst
	case "array":
		n := 0
		for range JSONElements(doc) {
			n++
		}
		dst = binary.AppendUvarint(append(dst, keyArray), uint64(n))
		for _, v := range JSONElements(doc) {
			dst = appendJSONKey(dst, v)
		}
		return dst
	}
	return AppendTextKey(dst, doc)
}
