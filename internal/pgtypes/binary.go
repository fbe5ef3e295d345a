package pgtypes

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// AppendBinary appends the binary form of a value that is not NULL, as the
// type's send function gives it: big-endian, without a length.
func AppendBinary(dst []byte, t Type, v any) ([]byte, error) {
	be := binary.BigEndian
	switch v := v.(type) {
	case bool:
		return append(dst, byte(boolInt(v))), nil
	case int64:
		switch t.OID {
		case Int2:
			return be.AppendUint16(dst, uint16(v)), nil
		case Int8, Timestamp, Timestamptz, Time:
			return be.AppendUint64(dst, uint64(v)), nil
		case Date:
			switch v {
			case NoBegin:
				v = math.MinInt32
			case NoEnd:
				v = math.MaxInt32
			}
		}
		return be.AppendUint32(dst, uint32(v)), nil
	case float64:
		if t.OID == Float4 {
			return be.AppendUint32(dst, math.Float32bits(float32(v))), nil
		}
		return be.AppendUint64(dst, math.Float64bits(v)), nil
	case string:
		if t.OID == Char && v == "" {
			return append(dst, 0), nil
		}
		if t.OID == Jsonb {
			dst = append(dst, 1)
		}
		if _, ok := rangeElements[t.OID]; ok {
			return appendRange(dst, t, v)
		}
		if out, ok := appendCarried(dst, t, v); ok {
			return out, nil
		}
		return append(dst, v...), nil
	case *JSONPath:
		return append(append(dst, 1), v.String()...), nil
	case []byte:
		return append(dst, v...), nil
	case *apd.Decimal:
		return appendNumericBinary(dst, v), nil
	case Interval:
		dst = be.AppendUint64(dst, uint64(v.Micros))
		dst = be.AppendUint32(dst, uint32(v.Days))
		return be.AppendUint32(dst, uint32(v.Months)), nil
	case TimeTZ:
		return be.AppendUint32(be.AppendUint64(dst, uint64(v.Micros)), uint32(v.WestSeconds)), nil
	case UUID:
		return append(dst, v[:]...), nil
	case *Array:
		return appendArrayBinary(dst, v)
	case *Record:
		dst = be.AppendUint32(dst, uint32(len(v.Vals)))
		for i, f := range v.Vals {
			dst = be.AppendUint32(dst, uint32(v.Types[i].OID))
			var err error
			if dst, err = appendSized(dst, v.Types[i], f); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	return dst, pgerr.New(pgerr.FeatureNotSupported, "no binary output function available for type %s", FormatType(t))
}

// appendSized appends a value with its length in front; NULL has length -1.
func appendSized(dst []byte, t Type, v any) ([]byte, error) {
	if v == nil {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32), nil
	}
	at := len(dst)
	dst, err := AppendBinary(append(dst, 0, 0, 0, 0), t, v)
	if err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

// appendArrayBinary: dimensions, has-null flag, element type, then length and
// lower bound of each dimension, then the elements (array_send).
func appendArrayBinary(dst []byte, a *Array) ([]byte, error) {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(len(a.Dims)))
	null := uint32(0)
	for _, e := range a.Elems {
		if e == nil {
			null = 1
		}
	}
	dst = be.AppendUint32(dst, null)
	dst = be.AppendUint32(dst, uint32(a.Elem))
	for _, d := range a.Dims {
		dst = be.AppendUint32(be.AppendUint32(dst, uint32(d.Len)), uint32(d.Lower))
	}
	for _, e := range a.Elems {
		var err error
		if dst, err = appendSized(dst, Of(a.Elem), e); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// Signs of a numeric in binary form (numeric_send).
const (
	numericNegative = 0x4000
	numericNaN      = 0xC000
	numericInf      = 0xD000
	numericNegInf   = 0xF000
)

// appendNumericBinary: number of base-10000 digits, weight of the first, sign,
// display scale, digits; each 16 bits.
func appendNumericBinary(dst []byte, d *apd.Decimal) []byte {
	be := binary.BigEndian
	sign := uint16(0)
	switch {
	case d.Form == apd.NaN:
		sign = numericNaN
	case d.Form == apd.Infinite && d.Negative:
		sign = numericNegInf
	case d.Form == apd.Infinite:
		sign = numericInf
	}
	if sign != 0 {
		scale := uint64(0)
		if sign != numericNaN {
			scale = 0x20 // what numeric_send gives an infinity
		}
		return be.AppendUint64(dst, uint64(sign)<<16|scale)
	}
	if d.Negative {
		sign = numericNegative
	}
	scale := Scale(d)
	text := d.Coeff.String()
	for range max(d.Exponent, 0) {
		text += "0"
	}
	for len(text) <= scale {
		text = "0" + text
	}
	whole, frac := text[:len(text)-scale], text[len(text)-scale:]
	for len(whole)%4 != 0 {
		whole = "0" + whole
	}
	for len(frac)%4 != 0 {
		frac += "0"
	}
	weight := len(whole)/4 - 1
	var digits []uint16
	for all := whole + frac; all != ""; all = all[4:] {
		n := uint16(0)
		for i := range 4 {
			n = n*10 + uint16(all[i]-'0')
		}
		digits = append(digits, n)
	}
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
		weight--
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		weight, sign = 0, 0
	}
	dst = be.AppendUint16(dst, uint16(len(digits)))
	dst = be.AppendUint16(dst, uint16(int16(weight)))
	dst = be.AppendUint16(dst, sign)
	dst = be.AppendUint16(dst, uint16(scale))
	for _, n := range digits {
		dst = be.AppendUint16(dst, n)
	}
	return dst
}

// shortBinary says that a value's binary form ends too early.
func shortBinary() *pgerr.Error {
	return pgerr.New(pgerr.ProtocolViolation, "insufficient data left in message")
}

func badBinary() *pgerr.Error {
	return pgerr.New(pgerr.InvalidBinaryRepresentation, "incorrect binary data format")
}

// DecodeBinary reads the binary form of a value, as the type's receive
// function does.
func DecodeBinary(t Type, b []byte) (any, error) {
	be := binary.BigEndian
	fixed := map[OID]int{
		Bool: 1, Int2: 2, Int4: 4, Int8: 8, Float4: 4, Float8: 8, Date: 4, Timestamp: 8, Timestamptz: 8,
		Time: 8, Timetz: 12, IntervalOID: 16, UUIDOID: 16,
	}
	size, ok := fixed[t.OID]
	if intBits(t.OID) == 33 {
		size, ok = 4, true
	}
	switch {
	case ok && len(b) < size:
		return nil, shortBinary()
	case ok && len(b) > size:
		return nil, badBinary()
	}
	if intBits(t.OID) == 33 {
		return int64(be.Uint32(b)), nil
	}
	switch t.OID {
	case Bool:
		return b[0] != 0, nil
	case Int2:
		return int64(int16(be.Uint16(b))), nil
	case Int4:
		return int64(int32(be.Uint32(b))), nil
	case Int8, Timestamp, Timestamptz:
		return int64(be.Uint64(b)), nil
	case Time:
		n := int64(be.Uint64(b))
		if n < 0 || n > microsDay {
			return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "time out of range")
		}
		return n, nil
	case Float4:
		return float64(math.Float32frombits(be.Uint32(b))), nil
	case Float8:
		return math.Float64frombits(be.Uint64(b)), nil
	case Date:
		switch n := int32(be.Uint32(b)); n {
		case math.MinInt32:
			return NoBegin, nil
		case math.MaxInt32:
			return NoEnd, nil
		default:
			return int64(n), nil
		}
	case Timetz:
		return TimeTZ{Micros: int64(be.Uint64(b)), WestSeconds: int32(be.Uint32(b[8:]))}, nil
	case IntervalOID:
		return Interval{Micros: int64(be.Uint64(b)), Days: int32(be.Uint32(b[8:])), Months: int32(be.Uint32(b[12:]))}, nil
	case UUIDOID:
		return UUID(b), nil
	case Bytea:
		return append([]byte{}, b...), nil
	case Numeric:
		return decodeNumeric(t, b)
	case Jsonb:
		if len(b) == 0 || b[0] != 1 {
			return nil, pgerr.New(pgerr.Internal, "unsupported jsonb version number %d", append(b, 0)[0])
		}
		return CanonicalJSON(string(b[1:]))
	}
	if IsArray(t.OID) || t.OID == Int2Vector || t.OID == OidVector {
		return decodeArray(ElemOf(t.OID), b)
	}
	if t.OID == Char {
		if len(b) != 1 {
			return nil, badBinary()
		}
		return charOf(b[0]), nil
	}
	if v, ok, err := decodeCarried(t, b); ok {
		return v, err
	}
	if !utf8.Valid(b) {
		at := strings.IndexRune(strings.ToValidUTF8(string(b), "\x00"), 0)
		return nil, pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", b[at])
	}
	return DecodeText(t, string(b), nil)
}

func decodeNumeric(t Type, b []byte) (any, error) {
	be := binary.BigEndian
	if len(b) < 8 {
		return nil, shortBinary()
	}
	n, w := int(be.Uint16(b)), int(int16(be.Uint16(b[2:])))
	sign, scale := be.Uint16(b[4:]), int(be.Uint16(b[6:]))
	switch sign {
	case numericNaN:
		return &apd.Decimal{Form: apd.NaN}, nil
	case numericInf, numericNegInf:
		return &apd.Decimal{Form: apd.Infinite, Negative: sign == numericNegInf}, nil
	case 0, numericNegative:
	default:
		return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid sign in external \"numeric\" value")
	}
	if len(b) != 8+2*n || scale > maxNumericScale {
		return nil, badBinary()
	}
	text := make([]byte, 0, 4*n+1)
	for i := range n {
		digit := be.Uint16(b[8+2*i:])
		if digit >= 10000 {
			return nil, pgerr.New(pgerr.InvalidBinaryRepresentation, "invalid digit in external \"numeric\" value")
		}
		text = appendPadded(text, int(digit), 4)
	}
	if n == 0 {
		text = append(text, '0')
	}
	d := new(apd.Decimal)
	if _, ok := d.Coeff.SetString(string(text), 10); !ok {
		return nil, badBinary()
	}
	d.Exponent = int32(4 * (w - n + 1))
	d.Negative = sign == numericNegative
	return RoundToMod(NumericRound(d, scale), t.Mod)
}

func decodeArray(elem OID, b []byte) (any, error) {
	be := binary.BigEndian
	if len(b) < 12 {
		return nil, shortBinary()
	}
	dims := int(be.Uint32(b))
	if got := OID(be.Uint32(b[8:])); got != elem {
		return nil, pgerr.New(pgerr.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			got, FormatType(Of(got)), elem, FormatType(Of(elem)))
	}
	b = b[12:]
	if dims < 0 || dims > 6 || len(b) < 8*dims {
		return nil, badBinary()
	}
	a := &Array{Elem: elem}
	count := int64(1)
	for i := range dims {
		d := Dim{Len: int32(be.Uint32(b[8*i:])), Lower: int32(be.Uint32(b[8*i+4:]))}
		if d.Len < 0 {
			return nil, badBinary()
		}
		count *= int64(d.Len)
		a.Dims = append(a.Dims, d)
	}
	b = b[8*dims:]
	if dims == 0 || count == 0 {
		if len(a.Dims) == 1 && a.Dims[0].Lower == 0 {
			return a, nil // an empty vector
		}
		return &Array{Elem: elem}, nil
	}
	if count > int64(len(b)/4) {
		return nil, shortBinary()
	}
	for range count {
		if len(b) < 4 {
			return nil, badBinary()
		}
		n := int32(be.Uint32(b))
		b = b[4:]
		if n < 0 {
			a.Elems = append(a.Elems, nil)
			continue
		}
		if int(n) > len(b) {
			return nil, badBinary()
		}
		v, err := DecodeBinary(Of(elem), b[:n])
		if err != nil {
			return nil, err
		}
		a.Elems = append(a.Elems, v)
		b = b[n:]
	}
	if len(b) != 0 {
		return nil, badBinary()
	}
	return a, nil
}
