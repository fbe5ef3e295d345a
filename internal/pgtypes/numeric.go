package pgtypes

import (
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Limits of numeric: digits before and after the decimal point.
const (
	maxNumericDigits = 131072
	maxNumericScale  = 16383
)

// exact computes without rounding as far as numeric goes.
var exact = func() *apd.Context {
	c := apd.BaseContext
	c.Precision = maxNumericDigits + maxNumericScale
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	c.Rounding = apd.RoundHalfUp
	c.Traps = 0
	return &c
}()

func precise(digits int64) *apd.Context {
	c := *exact
	c.Precision = uint32(max(digits, 1))
	return &c
}

var errNumericRange = pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")

// ParseNumeric reads the text form of a numeric.
func ParseNumeric(s string) (*apd.Decimal, error) {
	w := strings.Trim(s, spaces)
	bad := syntaxError("numeric", s)
	switch strings.ToLower(w) {
	case "nan":
		return &apd.Decimal{Form: apd.NaN}, nil
	case "infinity", "+infinity", "inf", "+inf":
		return &apd.Decimal{Form: apd.Infinite}, nil
	case "-infinity", "-inf":
		return &apd.Decimal{Form: apd.Infinite, Negative: true}, nil
	}
	if w == "" || strings.ContainsAny(w, "_nNiI") {
		return nil, bad
	}
	d, _, err := apd.BaseContext.SetString(new(apd.Decimal), w)
	if err != nil {
		mantissa, exponent, _ := strings.Cut(strings.ToLower(w), "e")
		_, _, err := apd.BaseContext.SetString(new(apd.Decimal), mantissa)
		if err != nil || !isDigits(strings.TrimLeft(exponent, "+-")) || len(strings.TrimLeft(exponent, "+-")) < len(exponent)-1 {
			return nil, bad
		}
		return nil, errNumericRange
	}
	return normal(d)
}

// normal gives a numeric a scale of at least 0 and checks its range.
func normal(d *apd.Decimal) (*apd.Decimal, error) {
	if d.Form != apd.Finite {
		return d, nil
	}
	if d.Exponent > 0 {
		if int64(d.Exponent)+d.NumDigits() > maxNumericDigits && !d.Coeff.IsInt64() || d.Exponent > maxNumericDigits {
			return nil, errNumericRange
		}
		out := new(apd.Decimal)
		if _, err := exact.Quantize(out, d, 0); err != nil {
			return nil, errNumericRange
		}
		d = out
	}
	if -d.Exponent > maxNumericScale {
		d = NumericRound(d, maxNumericScale)
	}
	if d.NumDigits()+int64(d.Exponent) > maxNumericDigits {
		return nil, errNumericRange
	}
	if d.IsZero() && d.Negative {
		d = new(apd.Decimal).Set(d)
		d.Negative = false
	}
	return d, nil
}

// AppendNumeric prints a numeric with its display scale.
func AppendNumeric(dst []byte, d *apd.Decimal) []byte {
	switch d.Form {
	case apd.NaN, apd.NaNSignaling:
		return append(dst, "NaN"...)
	case apd.Infinite:
		if d.Negative {
			return append(dst, "-Infinity"...)
		}
		return append(dst, "Infinity"...)
	}
	return d.Append(dst, 'f')
}

// Scale gives the number of digits after the decimal point.
func Scale(d *apd.Decimal) int { return int(max(-d.Exponent, 0)) }

// NumericRound rounds half away from zero to a scale, which may be negative.
func NumericRound(d *apd.Decimal, scale int) *apd.Decimal {
	if d.Form != apd.Finite {
		return d
	}
	return quantize(exact, d, scale)
}

// NumericTrunc cuts towards zero to a scale, which may be negative.
func NumericTrunc(d *apd.Decimal, scale int) *apd.Decimal {
	if d.Form != apd.Finite {
		return d
	}
	c := *exact
	c.Rounding = apd.RoundDown
	return quantize(&c, d, scale)
}

func quantize(c *apd.Context, d *apd.Decimal, scale int) *apd.Decimal {
	out := new(apd.Decimal)
	if _, err := c.Quantize(out, d, int32(-scale)); err != nil {
		return d
	}
	if scale < 0 {
		if _, err := exact.Quantize(out, out, 0); err != nil {
			return d
		}
	}
	if out.IsZero() {
		out.Negative = false
	}
	return out
}

// RoundToMod applies numeric(precision, scale).
func RoundToMod(d *apd.Decimal, mod int32) (*apd.Decimal, error) {
	if mod < 4 || d.Form == apd.NaN {
		return d, nil
	}
	precision := int((mod - 4) >> 16)
	scale := int(int16((mod-4)&0x7ff) << 5 >> 5)
	overflow := pgerr.New(pgerr.NumericValueOutOfRange, "numeric field overflow")
	if d.Form == apd.Infinite {
		return nil, overflow.WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r := NumericRound(d, scale)
	if !r.IsZero() && r.NumDigits()+int64(r.Exponent) > int64(precision-scale) {
		limit := "10^" + itoa(precision-scale)
		if precision == scale {
			limit = "1"
		}
		return nil, overflow.WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s.", precision, scale, limit)
	}
	return r, nil
}

type numericOp func(d, x, y *apd.Decimal) (apd.Condition, error)

func numericBinary(op numericOp, x, y *apd.Decimal) (*apd.Decimal, error) {
	d := new(apd.Decimal)
	if _, err := op(d, x, y); err != nil {
		return nil, errNumericRange
	}
	return normal(d)
}

// NumericAdd gives x + y.
func NumericAdd(x, y *apd.Decimal) (*apd.Decimal, error) { return numericBinary(exact.Add, x, y) }

// NumericSub gives x - y.
func NumericSub(x, y *apd.Decimal) (*apd.Decimal, error) { return numericBinary(exact.Sub, x, y) }

// NumericMul gives x * y, its scale the sum of theirs.
func NumericMul(x, y *apd.Decimal) (*apd.Decimal, error) { return numericBinary(exact.Mul, x, y) }

var errDivision = pgerr.New(pgerr.DivisionByZero, "division by zero")

// NumericDiv gives x / y with the scale of PostgreSQL's select_div_scale: at
// least 16 significant digits.
func NumericDiv(x, y *apd.Decimal) (*apd.Decimal, error) {
	if y.Form == apd.Finite && y.IsZero() && x.Form != apd.NaN {
		return nil, errDivision
	}
	if x.Form != apd.Finite || y.Form != apd.Finite {
		if x.Form == apd.Finite && y.Form == apd.Infinite {
			return new(apd.Decimal), nil
		}
		return numericBinary(exact.Quo, x, y)
	}
	scale := divScale(x, y)
	d := new(apd.Decimal)
	digits := max(x.NumDigits()+int64(x.Exponent)-y.NumDigits()-int64(y.Exponent), 0) + int64(scale) + 3
	c := precise(digits)
	c.Rounding = apd.RoundDown // one rounding only, in the quantisation below
	if _, err := c.Quo(d, x, y); err != nil {
		return nil, errNumericRange
	}
	return normal(NumericRound(d, scale))
}

// weight gives the exponent of the first base-10000 digit, and that digit.
func weight(d *apd.Decimal) (w int, first int64) {
	if d.IsZero() {
		return 0, 0
	}
	lead := int(d.NumDigits()) + int(d.Exponent) - 1 // power of ten of the first digit
	w = int(math.Floor(float64(lead) / 4))
	digits := d.Coeff.String()
	n := lead - 4*w + 1 // decimal digits in the first base-10000 digit
	for i := range n {
		first *= 10
		if i < len(digits) && digits[i] >= '0' && digits[i] <= '9' {
			first += int64(digits[i] - '0')
		}
	}
	return w, first
}

// divScale is select_div_scale of PostgreSQL's numeric.c.
func divScale(x, y *apd.Decimal) int {
	wx, fx := weight(x)
	wy, fy := weight(y)
	qw := wx - wy
	if fx <= fy {
		qw--
	}
	scale := 16 - qw*4
	return min(max(scale, Scale(x), Scale(y), 0), 1000)
}

// NumericMod gives x % y with the sign of x.
func NumericMod(x, y *apd.Decimal) (*apd.Decimal, error) {
	if y.Form == apd.Finite && y.IsZero() {
		return nil, errDivision
	}
	if y.Form == apd.Infinite && x.Form == apd.Finite {
		return x, nil
	}
	return numericBinary(exact.Rem, x, y)
}

// NumericNeg gives -x.
func NumericNeg(x *apd.Decimal) *apd.Decimal {
	d := new(apd.Decimal).Set(x)
	if d.Form != apd.NaN && !(d.Form == apd.Finite && d.IsZero()) {
		d.Negative = !d.Negative
	}
	return d
}

// NumericFromFloat converts with 15 significant digits, or 6 for float4.
func NumericFromFloat(f float64, single bool) (*apd.Decimal, error) {
	switch {
	case math.IsNaN(f):
		return &apd.Decimal{Form: apd.NaN}, nil
	case math.IsInf(f, 0):
		return &apd.Decimal{Form: apd.Infinite, Negative: f < 0}, nil
	}
	digits := 15
	if single {
		digits = 6
	}
	return ParseNumeric(string(appendG(nil, f, digits, 64)))
}

// NumericToFloat converts to the nearest double.
func NumericToFloat(d *apd.Decimal) float64 {
	switch d.Form {
	case apd.NaN, apd.NaNSignaling:
		return math.NaN()
	case apd.Infinite:
		if d.Negative {
			return math.Inf(-1)
		}
		return math.Inf(1)
	}
	f, err := d.Float64()
	if err != nil && f == 0 {
		return 0
	}
	return f
}

// NumericToInt rounds half away from zero; ok is false outside int64.
func NumericToInt(d *apd.Decimal) (n int64, ok bool) {
	if d.Form != apd.Finite {
		return 0, false
	}
	n, err := NumericRound(d, 0).Int64()
	return n, err == nil
}
