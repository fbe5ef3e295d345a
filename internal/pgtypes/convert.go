package pgtypes

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Convert casts a value to another type; NULL stays NULL. Casts that pg_cast
// has no function for go through the text form. Explicit casts may cut text to
// a length; others fail.
func Convert(v any, from, to Type, style *TextStyle, explicit bool) (any, error) {
	if v == nil {
		return nil, nil
	}
	if (IsArray(from.OID) || from.OID == Int2Vector || from.OID == OidVector) && IsArray(to.OID) {
		return convertArray(v.(*Array), Type{ElemOf(from.OID), from.Mod}, Type{ElemOf(to.OID), to.Mod}, style, explicit)
	}
	out, done, err := convertDirect(v, from.OID, to, style)
	if err != nil {
		return nil, err
	}
	if out == nil && done {
		return nil, nil
	}
	if !done {
		if out, err = convertText(v, from, to, style); err != nil {
			return nil, err
		}
	}
	return applyMod(out, to, explicit)
}

// applyMod fits a value of the target type to its modifier.
func applyMod(v any, to Type, explicit bool) (any, error) {
	switch to.OID {
	case Varchar, Bpchar:
		return FitText(to, v.(string), explicit)
	case Numeric:
		return RoundToMod(v.(*apd.Decimal), to.Mod)
	case Timestamp, Timestamptz, Time:
		return RoundMicros(v.(int64), to.Mod), nil
	case Timetz:
		x := v.(TimeTZ)
		x.Micros = RoundMicros(x.Micros, to.Mod)
		return x, nil
	case IntervalOID:
		return roundInterval(v.(Interval), to.Mod), nil
	}
	return v, nil
}

func convertArray(a *Array, from, to Type, style *TextStyle, explicit bool) (any, error) {
	out := &Array{Elem: to.OID, Dims: a.Dims, Elems: make([]any, len(a.Elems))}
	for i, e := range a.Elems {
		v, err := Convert(e, from, to, style, explicit)
		if err != nil {
			return nil, err
		}
		out.Elems[i] = v
	}
	return out, nil
}

func convertText(v any, from, to Type, style *TextStyle) (any, error) {
	if from.OID == Bpchar {
		v = strings.TrimRight(v.(string), " ")
	}
	if from.OID == Bool && isStringCategory(to.OID) {
		if v.(bool) {
			return "true", nil
		}
		return "false", nil
	}
	text, err := AppendText(nil, from, v, style)
	if err != nil {
		return nil, err
	}
	return DecodeText(Of(to.OID), string(text), style)
}

// intBits gives the width of an integer type, 0 for others. The reg* types and
// oid count as 32 unsigned bits.
func intBits(oid OID) int {
	switch oid {
	case Int2:
		return 16
	case Int4:
		return 32
	case Int8:
		return 64
	case Oid, Regproc, Regprocedure, Regoper, Regoperator, Regclass, Regtype, Regnamespace, Regrole, Regcollation, Xid, Cid:
		return 33
	}
	return 0
}

func rangeError(to OID) error {
	return pgerr.New(pgerr.NumericValueOutOfRange, "%s out of range", FormatType(Of(to)))
}

// fitInt checks that n fits an integer type.
func fitInt(n int64, to OID) (any, error) {
	switch intBits(to) {
	case 16:
		if n != int64(int16(n)) {
			return nil, rangeError(to)
		}
	case 32:
		if n != int64(int32(n)) {
			return nil, rangeError(to)
		}
	case 33:
		if n == int64(int32(n)) {
			return int64(uint32(n)), nil
		}
		if n != int64(uint32(n)) {
			return nil, pgerr.New(pgerr.NumericValueOutOfRange, "OID out of range")
		}
	}
	return n, nil
}

func convertDirect(v any, from OID, to Type, style *TextStyle) (out any, done bool, err error) {
	if from == to.OID {
		return v, true, nil
	}
	switch x := v.(type) {
	case bool:
		if to.OID == Int4 {
			return int64(boolInt(x)), true, nil
		}
	case int64:
		if bits := intBits(from); bits != 0 {
			return convertInt(x, from, to.OID)
		}
		return convertTime(x, from, to.OID, style)
	case float64:
		return convertFloat(x, from, to.OID)
	case *apd.Decimal:
		return convertNumeric(x, to.OID)
	case Interval:
		if to.OID == Time {
			return ((x.Micros % microsDay) + microsDay) % microsDay, true, nil
		}
	case TimeTZ:
		if to.OID == Time {
			return x.Micros, true, nil
		}
	case string:
		if from == Jsonb {
			return convertJSON(x, to.OID)
		}
		if from == JSON && to.OID == Jsonb {
			out, err = CanonicalJSON(x)
			return out, true, err
		}
		if from == Char && to.OID == Int4 {
			if x == "" {
				return int64(0), true, nil
			}
			return int64(int8(x[0])), true, nil
		}
	}
	return nil, false, nil
}

func convertInt(n int64, from, to OID) (any, bool, error) {
	switch {
	case from == Int8 && intBits(to) == 33 && n < 0:
		return nil, true, pgerr.New(pgerr.NumericValueOutOfRange, "OID out of range")
	case intBits(from) == 33 && to == Int4: // the same bits
		return int64(int32(uint32(n))), true, nil
	case intBits(to) != 0:
		v, err := fitInt(n, to)
		return v, true, err
	case to == Float8:
		return float64(n), true, nil
	case to == Float4:
		return float64(float32(n)), true, nil
	case to == Numeric:
		return apd.New(n, 0), true, nil
	case to == Bool:
		return n != 0, true, nil
	case to == Char:
		if n < -128 || n > 127 {
			return nil, true, rangeError(to)
		}
		return string([]byte{byte(n)}), true, nil
	}
	return nil, false, nil
}

func convertFloat(f float64, from, to OID) (any, bool, error) {
	switch {
	case to == Int2 || to == Int4 || to == Int8:
		r := math.RoundToEven(f)
		if math.IsNaN(f) || r < -9223372036854775808 || r >= 9223372036854775808 {
			return nil, true, rangeError(to)
		}
		v, err := fitInt(int64(r), to)
		return v, true, err
	case to == Float8:
		return f, true, nil
	case to == Float4:
		g := float64(float32(f))
		if math.IsInf(g, 0) && !math.IsInf(f, 0) {
			return nil, true, pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: overflow")
		}
		if g == 0 && f != 0 {
			return nil, true, pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: underflow")
		}
		return g, true, nil
	case to == Numeric:
		d, err := NumericFromFloat(f, from == Float4)
		return d, true, err
	}
	return nil, false, nil
}

func convertNumeric(d *apd.Decimal, to OID) (any, bool, error) {
	switch to {
	case Int2, Int4, Int8:
		if d.Form != apd.Finite {
			name := map[apd.Form]string{apd.NaN: "NaN", apd.Infinite: "infinity"}[d.Form]
			return nil, true, pgerr.New(pgerr.FeatureNotSupported, "cannot convert %s to %s", name, FormatType(Of(to)))
		}
		n, ok := NumericToInt(d)
		if !ok {
			return nil, true, rangeError(to)
		}
		v, err := fitInt(n, to)
		return v, true, err
	case Float8, Float4:
		f := NumericToFloat(d)
		if to == Float4 {
			f = float64(float32(f))
		}
		if d.Form == apd.Finite && (math.IsInf(f, 0) || f == 0 && !d.IsZero()) {
			return nil, true, pgerr.New(pgerr.NumericValueOutOfRange, "\"%s\" is out of range for type %s",
				string(AppendNumeric(nil, d)), FormatType(Of(to)))
		}
		return f, true, nil
	}
	return nil, false, nil
}

// convertTime casts among the types whose values are days or microseconds.
func convertTime(n int64, from, to OID, style *TextStyle) (any, bool, error) {
	infinite := n == NoBegin || n == NoEnd
	switch {
	case from == Date && to != Date && !infinite && n > lastDay:
		return nil, true, pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range for timestamp")
	case from == Date && to == Timestamp:
		return dateMicros(n), true, nil
	case from == Date && to == Timestamptz:
		return LocalToUTC(dateMicros(n), style.location()), true, nil
	case from == Timestamp && to == Timestamptz:
		return LocalToUTC(n, style.location()), true, nil
	case from == Timestamptz && to == Timestamp:
		return UTCToLocal(n, style.location()), true, nil
	case from == Timestamp && to == Date, from == Timestamptz && to == Date:
		if infinite {
			return n, true, nil
		}
		if from == Timestamptz {
			n = UTCToLocal(n, style.location())
		}
		days, _ := SplitMicros(n)
		return days, true, nil
	case from == Timestamp && to == Time, from == Timestamptz && to == Time:
		if infinite {
			return nil, true, nil
		}
		if from == Timestamptz {
			n = UTCToLocal(n, style.location())
		}
		_, ofDay := SplitMicros(n)
		return ofDay, true, nil
	case from == Timestamptz && to == Timetz:
		_, ofDay := SplitMicros(UTCToLocal(n, style.location()))
		return TimeTZ{Micros: ofDay, WestSeconds: int32(-ZoneOffset(n, style.location()))}, true, nil
	case from == Time && to == IntervalOID:
		return Interval{Micros: n}, true, nil
	case from == Time && to == Timetz:
		return TimeTZ{Micros: n, WestSeconds: int32(-ZoneOffset(style.now(), style.location()))}, true, nil
	}
	return nil, false, nil
}

func dateMicros(days int64) int64 {
	if days == NoBegin || days == NoEnd {
		return days
	}
	return days * microsDay
}

// convertJSON casts a jsonb scalar to a number or a boolean.
func convertJSON(doc string, to OID) (any, bool, error) {
	kind := JSONTypeOf(doc)
	switch to {
	case JSON:
		return doc, true, nil
	case Bool:
		if kind == "boolean" {
			return doc == "true", true, nil
		}
	case Int2, Int4, Int8, Float4, Float8, Numeric:
		if kind == "number" {
			d, err := ParseNumeric(doc)
			if err != nil || to == Numeric {
				return d, true, err
			}
			return convertNumeric(d, to)
		}
	default:
		return nil, false, nil
	}
	if kind == "array" || kind == "object" || kind == "string" || kind == "boolean" || kind == "null" || kind == "number" {
		name := map[string]string{
			"boolean": "jsonb boolean", "number": "jsonb numeric", "null": "jsonb null",
			"string": "jsonb string", "array": "jsonb array", "object": "jsonb object",
		}[kind]
		return nil, true, pgerr.New(pgerr.InvalidParameterValue, "cannot cast %s to type %s", name, FormatType(Of(to)))
	}
	return nil, false, nil
}
