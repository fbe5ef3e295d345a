package pgtypes

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// AppendText appends the text form of a value that is not NULL, as the type's
// output function gives it.
func AppendText(dst []byte, t Type, v any, s *TextStyle) ([]byte, error) {
	switch v := v.(type) {
	case string:
		if t.OID == Char && v != "" && v[0] >= 0x80 {
			return append(dst, '\\', '0'+v[0]>>6, '0'+v[0]>>3&7, '0'+v[0]&7), nil
		}
		return append(dst, v...), nil
	case int64:
		return appendIntText(dst, t, v, s), nil
	case bool:
		if v {
			return append(dst, 't'), nil
		}
		return append(dst, 'f'), nil
	case float64:
		return appendFloat(dst, v, t.OID == Float4, s), nil
	case *apd.Decimal:
		return AppendNumeric(dst, v), nil
	case []byte:
		return appendBytea(dst, v, s), nil
	case Interval:
		return appendInterval(dst, v, s), nil
	case TimeTZ:
		dst = appendTime(dst, v.Micros)
		return appendZone(dst, -int(v.WestSeconds)), nil
	case UUID:
		return appendUUID(dst, v), nil
	case *JSONPath:
		return append(dst, v.String()...), nil
	case *Array:
		return appendArray(dst, t.OID, v, s)
	case *Record:
		return appendRecord(dst, v, s)
	}
	return dst, pgerr.New(pgerr.Internal, "a value of %s has an unknown form %T", FormatType(t), v)
}

func appendIntText(dst []byte, t Type, v int64, s *TextStyle) []byte {
	switch t.OID {
	case Timestamptz:
		return appendTimestamp(dst, v, s, true)
	case Timestamp:
		return appendTimestamp(dst, v, s, false)
	case Date:
		return appendDate(dst, v, s)
	case Time:
		return appendTime(dst, v)
	case Regproc, Regprocedure, Regoper, Regoperator, Regclass, Regtype, Regnamespace, Regrole, Regcollation:
		if s != nil && s.RegName != nil {
			return append(dst, s.RegName(t.OID, OID(v))...)
		}
	}
	return strconv.AppendInt(dst, v, 10)
}

// appendFloat prints the shortest digits that read back exactly, in the layout
// of PostgreSQL's float8out: exponents have at least two digits.
func appendFloat(dst []byte, v float64, single bool, s *TextStyle) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	bits, digits := 64, 15
	if single {
		bits, digits = 32, 6
	}
	if s != nil && s.Digits != nil && *s.Digits <= 0 {
		return appendG(dst, v, max(digits+*s.Digits, 1), bits)
	}
	return appendG(dst, v, -1, bits)
}

// appendG is C's %g with a precision, or with -1 the shortest exact digits, for
// which PostgreSQL switches to an exponent below 1e-4 and from 1e15 (1e6 for float4).
func appendG(dst []byte, v float64, precision, bits int) []byte {
	limit := precision
	if precision < 0 {
		limit = 15
		if bits == 32 {
			limit = 6
		}
	}
	prec := precision
	if prec > 0 {
		prec--
	}
	e := strconv.FormatFloat(v, 'e', prec, bits)
	if precision < 0 {
		e = strictlyShortest(e, v, bits)
	}
	mantissa, exponent, _ := strings.Cut(e, "e")
	x, err := strconv.Atoi(exponent)
	if err != nil { // FormatFloat always gives an exponent
		return append(dst, e...)
	}
	if x < -4 || x >= limit {
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return append(append(append(dst, mantissa...), 'e'), exponent...)
	}
	if precision < 0 {
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	f := strconv.FormatFloat(v, 'f', max(limit-1-x, 0), bits)
	if strings.Contains(f, ".") {
		f = strings.TrimRight(strings.TrimRight(f, "0"), ".")
	}
	return append(dst, f...)
}

// strictlyShortest lengthens digits that lie in the middle between v and a
// neighbour, which PostgreSQL does not print though they read back as v. Only
// numbers beyond the mantissa's whole numbers have such digits.
func strictlyShortest(e string, v float64, bits int) string {
	limit := float64(1 << 53)
	if bits == 32 {
		limit = 1 << 24
	}
	if math.Abs(v) < limit {
		return e
	}
	digits := strings.IndexByte(e, 'e') - 1
	if v < 0 {
		digits--
	}
	for digits = max(digits, 1); ; digits++ {
		text, _, err := big.ParseFloat(e, 10, 300, big.ToNearestEven)
		if err != nil {
			return e
		}
		middle := false
		for _, towards := range []float64{math.Inf(1), math.Inf(-1)} {
			next := math.Nextafter(v, towards)
			if bits == 32 {
				next = float64(math.Nextafter32(float32(v), float32(towards)))
			}
			if math.IsInf(next, 0) {
				continue
			}
			mid := new(big.Float).SetPrec(300).Add(big.NewFloat(v), big.NewFloat(next))
			middle = middle || mid.Quo(mid, big.NewFloat(2)).Cmp(text) == 0
		}
		if !middle {
			return e
		}
		e = strconv.FormatFloat(v, 'e', digits, bits)
	}
}

func appendBytea(dst, v []byte, s *TextStyle) []byte {
	if s == nil || !s.ByteaEscape {
		return hex.AppendEncode(append(dst, '\\', 'x'), v)
	}
	for _, b := range v {
		switch {
		case b == '\\':
			dst = append(dst, '\\', '\\')
		case b < 0x20 || b > 0x7e:
			dst = append(dst, '\\', '0'+b>>6, '0'+b>>3&7, '0'+b&7)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

func appendUUID(dst []byte, v UUID) []byte {
	for i, part := range [][]byte{v[:4], v[4:6], v[6:8], v[8:10], v[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

func appendArray(dst []byte, typ OID, a *Array, s *TextStyle) ([]byte, error) {
	if typ == Int2Vector || typ == OidVector {
		for i, v := range a.Elems {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = strconv.AppendInt(dst, v.(int64), 10)
		}
		return dst, nil
	}
	if len(a.Dims) == 0 {
		return append(dst, "{}"...), nil
	}
	explicit := false
	for _, d := range a.Dims {
		explicit = explicit || d.Lower != 1
	}
	if explicit {
		for _, d := range a.Dims {
			dst = append(dst, '[')
			dst = strconv.AppendInt(dst, int64(d.Lower), 10)
			dst = append(dst, ':')
			dst = strconv.AppendInt(dst, int64(d.Lower+d.Len-1), 10)
			dst = append(dst, ']')
		}
		dst = append(dst, '=')
	}
	dst, _, err := appendArrayLevel(dst, a, 0, 0, s)
	return dst, err
}

func appendArrayLevel(dst []byte, a *Array, dim, at int, s *TextStyle) ([]byte, int, error) {
	dst = append(dst, '{')
	for i := range int(a.Dims[dim].Len) {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dim+1 < len(a.Dims) {
			if dst, at, err = appendArrayLevel(dst, a, dim+1, at, s); err != nil {
				return dst, at, err
			}
			continue
		}
		if dst, err = appendElement(dst, a.Elem, a.Elems[at], s); err != nil {
			return dst, at, err
		}
		at++
	}
	return append(dst, '}'), at, nil
}

func appendElement(dst []byte, elem OID, v any, s *TextStyle) ([]byte, error) {
	if v == nil {
		return append(dst, "NULL"...), nil
	}
	text, err := AppendText(nil, Of(elem), v, s)
	if err != nil {
		return dst, err
	}
	str := string(text)
	quote := str == "" || strings.EqualFold(str, "null") || strings.ContainsAny(str, "{}\",\\ \t\n\r\v\f")
	if !quote {
		return append(dst, str...), nil
	}
	dst = append(dst, '"')
	for i := range len(str) {
		if str[i] == '"' || str[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, str[i])
	}
	return append(dst, '"'), nil
}

func appendRecord(dst []byte, r *Record, s *TextStyle) ([]byte, error) {
	dst = append(dst, '(')
	for i, v := range r.Vals {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v == nil {
			continue
		}
		text, err := AppendText(nil, r.Types[i], v, s)
		if err != nil {
			return dst, err
		}
		str := string(text)
		if str != "" && !strings.ContainsAny(str, "(),\"\\ \t\n\r\v\f") {
			dst = append(dst, str...)
			continue
		}
		dst = append(dst, '"')
		for k := range len(str) {
			if str[k] == '"' || str[k] == '\\' {
				dst = append(dst, str[k])
			}
			dst = append(dst, str[k])
		}
		dst = append(dst, '"')
	}
	return append(dst, ')'), nil
}
