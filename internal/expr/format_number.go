package expr

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A numberTemplate is a template for numbers with what its keywords add up to.
type numberTemplate struct {
	nodes []templateNode

	pre, post, multi   int // digits before and after the point, and after V
	zeroStart, zeroEnd int // places of the first and last 0
	preSign            int // pre where S stood
	sign               signPlace

	zero, blank, fill, decimal, bracket, minus, plus, roman, shift, scientific bool
}

// A signPlace says on which side of the number S stands.
type signPlace int

const (
	noSign signPlace = iota
	signBefore
	signAfter
)

func invalidNumber(text string) error {
	return pgerr.New(pgerr.InvalidTextRepresentation, `"%s" is not a number`, text)
}

func templateError(format string, args ...any) error {
	return pgerr.New(pgerr.SyntaxError, format, args...)
}

func parseNumberTemplate(s string) (*numberTemplate, error) {
	t := &numberTemplate{nodes: parseTemplate(s, numberKeywords, false)}
	for _, n := range t.nodes {
		if n.key != "" {
			if err := t.add(strings.ToUpper(n.key)); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// add accounts for one keyword.
func (t *numberTemplate) add(key string) error {
	if t.scientific && key != "EEEE" {
		return templateError(`"EEEE" must be the last pattern used`)
	}
	switch key {
	case "9", "0":
		return t.addDigit(key)
	case "B":
		t.blank = t.blank || t.pre == 0 && t.post == 0 && !t.zero
	case "D", ".":
		if t.decimal {
			return templateError("multiple decimal points")
		}
		if t.shift {
			return templateError(`cannot use "V" and decimal point together`)
		}
		t.decimal = true
	case "FM":
		t.fill = true
	case "S":
		if t.sign != noSign {
			return templateError(`cannot use "S" twice`)
		}
		if t.plus || t.minus || t.bracket {
			return templateError(`cannot use "S" and "PL"/"MI"/"SG"/"PR" together`)
		}
		t.sign = signAfter
		if !t.decimal {
			t.sign, t.preSign = signBefore, t.pre
		}
	case "MI", "PL", "SG":
		if t.sign != noSign {
			return templateError(`cannot use "S" and "%s" together`, key)
		}
		t.minus = t.minus || key != "PL"
		t.plus = t.plus || key != "MI"
	case "PR":
		if t.sign != noSign || t.plus || t.minus {
			return templateError(`cannot use "PR" and "S"/"PL"/"MI"/"SG" together`)
		}
		t.bracket = true
	case "RN":
		t.roman = true
	case "V":
		if t.decimal {
			return templateError(`cannot use "V" and decimal point together`)
		}
		t.shift = true
	case "EEEE":
		if t.scientific {
			return templateError(`cannot use "EEEE" twice`)
		}
		if t.blank || t.fill || t.sign != noSign || t.bracket || t.minus || t.plus || t.roman || t.shift {
			return pgerr.New(pgerr.SyntaxError, `"EEEE" is incompatible with other formats`).
				WithDetail(`"EEEE" may only be used together with digit and decimal point patterns.`)
		}
		t.scientific = true
	}
	return nil
}

func (t *numberTemplate) addDigit(key string) error {
	if t.bracket {
		return templateError(`"%s" must be ahead of "PR"`, key)
	}
	if key == "9" && t.shift {
		t.multi++
		return nil
	}
	if key == "0" && !t.zero && !t.decimal {
		t.zero, t.zeroStart = true, t.pre+1
	}
	if t.decimal {
		t.post++
	} else {
		t.pre++
	}
	if key == "0" {
		t.zeroEnd = t.pre + t.post
	}
	return nil
}

// numberToChar makes to_char of a function that prints a number for a template
// and may change the template's counts on the way.
func numberToChar[T any](digits func(t *numberTemplate, v T) (string, error)) impl {
	return fn2(func(v T, template string) (any, error) {
		if template == "" {
			return "", nil
		}
		t, err := parseNumberTemplate(template)
		if err != nil {
			return nil, err
		}
		text, err := digits(t, v)
		if err != nil {
			return nil, err
		}
		if t.scientific {
			return text, nil
		}
		return boxed(t.print(text))
	})
}

var errInt4Range = pgerr.New(pgerr.NumericValueOutOfRange, "integer out of range")

func romanOf(n int64, ok bool) (string, error) {
	if !ok || n != int64(int32(n)) {
		return "", errInt4Range
	}
	if n < 1 || n > 3999 {
		return strings.Repeat("#", 15), nil
	}
	var sb strings.Builder
	for i, v := range []int64{1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1} {
		for ; n >= v; n -= v {
			sb.WriteString([]string{"M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"}[i])
		}
	}
	return sb.String(), nil
}

// hashes stand for a number that has no scientific form.
func (t *numberTemplate) hashes() string {
	b := bytes.Repeat([]byte{'#'}, t.pre+t.post+6)
	b[0] = ' '
	b[t.pre+1] = '.'
	return string(b)
}

func intDigits(short bool) func(t *numberTemplate, v int64) (string, error) {
	return func(t *numberTemplate, v int64) (string, error) {
		switch {
		case t.roman:
			return romanOf(v, true)
		case t.scientific && short:
			return signed(fmt.Sprintf("%.*e", t.post, float64(v))), nil
		case t.scientific:
			return signed(scientific(apd.New(v, 0), t.post)), nil
		}
		for range t.multi {
			n, ok := mulInt(v, 10)
			if !ok {
				return "", pgerr.New(pgerr.NumericValueOutOfRange, "bigint out of range")
			}
			if v = n; short { // PostgreSQL lets this one wrap
				v = int64(int32(n))
			}
		}
		t.pre += t.multi
		text := fmt.Sprint(v)
		if t.post > 0 {
			text += "." + strings.Repeat("0", t.post)
		}
		return text, nil
	}
}

// signed puts a blank where a minus would be.
func signed(text string) string {
	if text[0] == '-' {
		return text
	}
	return " " + text
}

func numericDigits(t *numberTemplate, d *apd.Decimal) (string, error) {
	switch {
	case t.roman:
		if d.Form != apd.Finite {
			name := "NaN"
			if d.Form == apd.Infinite {
				name = "infinity"
			}
			return "", pgerr.New(pgerr.FeatureNotSupported, "cannot convert %s to integer", name)
		}
		return romanOf(pgtypes.NumericToInt(d))
	case t.scientific && d.Form != apd.Finite:
		return t.hashes(), nil
	case t.scientific:
		return signed(scientific(d, t.post)), nil
	}
	if t.shift {
		var err error
		if d, err = pgtypes.NumericMul(d, powerOfTen(t.multi)); err != nil {
			return "", err
		}
		t.pre += t.multi
	}
	return string(pgtypes.AppendNumeric(nil, pgtypes.NumericRound(d, t.post))), nil
}

func powerOfTen(n int) *apd.Decimal {
	return pgtypes.NumericRound(apd.New(1, int32(n)), 0)
}

// scientific prints a numeric with one digit before the point, or two where
// rounding made another one: PostgreSQL prints 9.99 as 10.0e+00.
func scientific(d *apd.Decimal, scale int) string {
	exponent := 0
	if !d.IsZero() {
		exponent = int(d.NumDigits()) + int(d.Exponent) - 1
	}
	significand := new(apd.Decimal).Set(d)
	significand.Exponent -= int32(exponent)
	return fmt.Sprintf("%se%+03d", pgtypes.AppendNumeric(nil, pgtypes.NumericRound(significand, scale)), exponent)
}

// floatDigits prints no more digits than the type holds.
func floatDigits(precision int) func(t *numberTemplate, f float64) (string, error) {
	return func(t *numberTemplate, f float64) (string, error) {
		finite := !math.IsNaN(f) && !math.IsInf(f, 0)
		switch {
		case t.roman:
			if !finite || math.Abs(f) > math.MaxInt32 {
				f = 0
			}
			return romanOf(int64(math.RoundToEven(f)), true)
		case t.scientific && !finite:
			return t.hashes(), nil
		case t.scientific:
			return signed(fmt.Sprintf("%.*e", t.post, f)), nil
		}
		if t.shift {
			f *= math.Pow(10, float64(t.multi))
			t.pre += t.multi
		}
		whole := len(floatText(math.Abs(f), 0))
		if whole >= precision {
			t.post = 0
		} else {
			t.post = min(t.post, precision-whole)
		}
		return floatText(f, t.post), nil
	}
}

func floatText(f float64, digits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return fmt.Sprintf("%.*f", digits, f)
}
