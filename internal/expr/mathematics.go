package expr

import (
	"math"
	"math/big"
	"math/rand/v2"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

func powerError(message string) error {
	return pgerr.New(pgerr.InvalidArgumentForPower, "%s", message)
}

func powerFloat(x, y float64) (any, error) {
	if math.IsNaN(x) {
		if y == 0 {
			return 1.0, nil
		}
		return x, nil
	}
	if math.IsNaN(y) {
		if x == 1 {
			return 1.0, nil
		}
		return y, nil
	}
	if x == 0 && y < 0 {
		return nil, powerError("zero raised to a negative power is undefined")
	}
	if x < 0 && math.Floor(y) != y {
		return nil, powerError("a negative number raised to a non-integer power yields a complex result")
	}
	f := math.Pow(x, y)
	if math.IsInf(f, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, errOverflow
	}
	if f == 0 && x != 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, errUnderflow
	}
	return f, nil
}

func sqrtFloat(x float64) (any, error) {
	if x < 0 {
		return nil, powerError("cannot take square root of a negative number")
	}
	return math.Sqrt(x), nil
}

func logError(x float64) error {
	switch {
	case x == 0:
		return pgerr.New(pgerr.InvalidArgumentForLog, "cannot take logarithm of zero")
	case x < 0:
		return pgerr.New(pgerr.InvalidArgumentForLog, "cannot take logarithm of a negative number")
	}
	return nil
}

// decimals computes with a precision in digits.
func decimals(digits int64) *apd.Context {
	c := apd.BaseContext.WithPrecision(uint32(max(digits, 20)))
	c.MaxExponent, c.MinExponent = apd.MaxExponent, apd.MinExponent
	c.Traps = 0
	c.Rounding = apd.RoundHalfUp
	return c
}

// leadingPower gives the power of ten of the first digit.
func leadingPower(d *apd.Decimal) int {
	if d.IsZero() {
		return 0
	}
	return int(d.NumDigits()) + int(d.Exponent) - 1
}

// clampScale bounds a result scale as numeric.c does.
func clampScale(scale int, args ...*apd.Decimal) int {
	for _, a := range args {
		scale = max(scale, pgtypes.Scale(a))
	}
	return min(max(scale, 0), 1000)
}

func isSpecial(d *apd.Decimal) bool { return d.Form != apd.Finite }

func numericNaN() *apd.Decimal { return &apd.Decimal{Form: apd.NaN} }

// floorDiv4 is division by the digits of a base-10000 digit, towards minus infinity.
func floorDiv4(n int) int { return int(math.Floor(float64(n) / 4)) }

func sqrtNumeric(x *apd.Decimal) (any, error) {
	if isSpecial(x) {
		if x.Form == apd.Infinite && x.Negative {
			return nil, powerError("cannot take square root of a negative number")
		}
		return x, nil
	}
	if x.Negative && !x.IsZero() {
		return nil, powerError("cannot take square root of a negative number")
	}
	// Source: numeric_sqrt, the weight of the root in decimal digits.
	weight := floorDiv4(leadingPower(x))
	sweight := 0
	if weight >= 0 {
		sweight = weight*4/2 + 1
	} else {
		sweight = 1 - (1-weight*4)/2
	}
	scale := clampScale(16-sweight, x)
	d := new(apd.Decimal)
	if _, err := decimals(int64(scale+max(sweight, 0)+10)).Sqrt(d, x); err != nil {
		return nil, err
	}
	return pgtypes.NumericRound(d, scale), nil
}

// approx gives x as a float for scale estimates; it does not overflow for the
// sizes that results may have.
func approx(x *apd.Decimal) float64 { return pgtypes.NumericToFloat(x) }

func expNumeric(x *apd.Decimal) (any, error) {
	if isSpecial(x) {
		if x.Form == apd.Infinite && x.Negative {
			return apd.New(0, 0), nil
		}
		return x, nil
	}
	val := approx(x) * 0.434294481903252
	if val > 131072 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	val = max(val, -2000)
	scale := clampScale(16-int(val), x)
	d := new(apd.Decimal)
	if _, err := decimals(int64(scale)+int64(max(val, 0))+10).Exp(d, x); err != nil {
		return nil, err
	}
	return pgtypes.NumericRound(d, scale), nil
}

// logDigits estimates the decimal digits before the point of ln(x), as
// estimate_ln_dweight does.
func logDigits(x *apd.Decimal) int {
	f := approx(x)
	if f >= 0.9 && f <= 1.1 {
		diff := new(apd.Decimal)
		if _, err := decimals(50).Sub(diff, x, apd.New(1, 0)); err != nil || diff.IsZero() {
			return 0
		}
		return leadingPower(diff)
	}
	ln := math.Abs(float64(leadingPower(x))*math.Ln10 + math.Log(leadingDigits(x)))
	return int(math.Log10(ln))
}

// leadingDigits gives x scaled to be in [1, 10).
func leadingDigits(x *apd.Decimal) float64 {
	d := new(apd.Decimal).Set(x)
	d.Exponent = int32(-(d.NumDigits() - 1))
	f, err := d.Float64()
	if err != nil || f == 0 {
		return 1
	}
	return f
}

func numericLogError(x *apd.Decimal) error {
	if x.Form == apd.NaN {
		return nil
	}
	switch x.Sign() {
	case 0:
		return logError(0)
	case -1:
		return logError(-1)
	}
	return nil
}

func lnNumeric(x *apd.Decimal) (any, error) {
	if err := numericLogError(x); err != nil {
		return nil, err
	}
	if isSpecial(x) {
		return x, nil
	}
	digits := logDigits(x)
	scale := clampScale(16-digits, x)
	d, err := ln(x, scale+max(digits, 0)+10)
	if err != nil {
		return nil, err
	}
	return pgtypes.NumericRound(d, scale), nil
}

func ln(x *apd.Decimal, digits int) (*apd.Decimal, error) {
	d := new(apd.Decimal)
	_, err := decimals(int64(digits)).Ln(d, x)
	return d, err
}

// logNumeric is the logarithm of x to a base.
func logNumeric(base, x *apd.Decimal) (any, error) {
	for _, v := range []*apd.Decimal{base, x} {
		if err := numericLogError(v); err != nil {
			return nil, err
		}
	}
	if base.Form == apd.NaN || x.Form == apd.NaN {
		return numericNaN(), nil
	}
	if isSpecial(base) || isSpecial(x) {
		switch {
		case isSpecial(base) && isSpecial(x):
			return numericNaN(), nil
		case isSpecial(base):
			return apd.New(0, 0), nil
		}
		return x, nil
	}
	lnBase, lnX := logDigits(base), logDigits(x)
	result := lnX - lnBase
	scale := clampScale(16-result, base, x)
	digits := scale + max(result, 0) + 20 + max(-lnBase, 0) + max(-lnX, 0)
	b, err := ln(base, digits)
	if err != nil {
		return nil, err
	}
	if b.IsZero() {
		return nil, errDivision
	}
	n, err := ln(x, digits)
	if err != nil {
		return nil, err
	}
	d := new(apd.Decimal)
	if _, err := decimals(int64(digits)).Quo(d, n, b); err != nil {
		return nil, err
	}
	return pgtypes.NumericRound(d, scale), nil
}

func powerNumeric(x, y *apd.Decimal) (any, error) {
	if isSpecial(x) || isSpecial(y) {
		return powerSpecial(x, y)
	}
	integral := pgtypes.NumericTrunc(y, 0).Cmp(y) == 0
	switch {
	case x.IsZero() && y.Sign() < 0:
		return nil, powerError("zero raised to a negative power is undefined")
	case x.Sign() < 0 && !integral:
		return nil, powerError("a negative number raised to a non-integer power yields a complex result")
	case y.IsZero():
		return pgtypes.NumericRound(apd.New(1, 0), clampScale(16, x, y)), nil
	case x.IsZero():
		return pgtypes.NumericRound(apd.New(0, 0), clampScale(16, x, y)), nil
	}
	abs := absNumeric(x)
	// The power of ten of the result, as power_var and power_var_int estimate it.
	estimate := (float64(leadingPower(abs)) + math.Log10(leadingDigits(abs))) * approx(y)
	if estimate > 131072 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	scale := clampScale(16-int(max(estimate, -2000)), x)
	if !integral {
		scale = clampScale(scale, y)
	} else if pgtypes.Scale(y) > 0 {
		scale = clampScale(scale, y)
	}
	if n, err := y.Int64(); err == nil && integral {
		if n == int64(int32(n)) {
			scale = clampScale(16, x)
		}
		if n == 1 {
			return pgtypes.NumericRound(x, scale), nil
		}
		if estimate < -float64(scale)-1 {
			return pgtypes.NumericRound(apd.New(0, 0), scale), nil
		}
	}
	d := new(apd.Decimal)
	if _, err := decimals(int64(scale)+int64(max(estimate, 0))+30).Pow(d, abs, y); err != nil {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	if x.Sign() < 0 {
		if n := scaled(pgtypes.NumericTrunc(y, 0), 0); n.Bit(0) == 1 {
			d.Negative = true
		}
	}
	return pgtypes.NumericRound(d, scale), nil
}

func powerSpecial(x, y *apd.Decimal) (any, error) {
	f, err := powerFloat(approx(x), approx(y))
	if err != nil {
		return nil, err
	}
	return pgtypes.NumericFromFloat(f.(float64), false)
}

func roundTo(cut bool) impl {
	return pure2(func(d *apd.Decimal, n int64) *apd.Decimal {
		scale := int(min(max(n, -2000), 2000))
		if cut {
			return pgtypes.NumericTrunc(d, scale)
		}
		return pgtypes.NumericRound(d, scale)
	})
}

func ceilNumeric(d *apd.Decimal) *apd.Decimal {
	t := pgtypes.NumericTrunc(d, 0)
	if isSpecial(d) || t.Cmp(d) >= 0 {
		return t
	}
	up := new(apd.Decimal)
	if _, err := decimals(d.NumDigits()+2).Add(up, t, apd.New(1, 0)); err != nil {
		return t
	}
	return up
}

func floorNumeric(d *apd.Decimal) *apd.Decimal {
	t := pgtypes.NumericTrunc(d, 0)
	if isSpecial(d) || t.Cmp(d) <= 0 {
		return t
	}
	down := new(apd.Decimal)
	if _, err := decimals(d.NumDigits()+2).Sub(down, t, apd.New(1, 0)); err != nil {
		return t
	}
	return down
}

func gcdInt(width int) impl {
	return fn2(func(a, b int64) (any, error) {
		n := greatestDivisor(a, b)
		if n < 0 || !fits(n, width) {
			return nil, intError(width)
		}
		return n, nil
	})
}

// greatestDivisor gives a negative number where the result does not fit.
func greatestDivisor(a, b int64) int64 {
	for b != 0 {
		if b == -1 {
			return 1
		}
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	return a
}

func lcmInt(width int) impl {
	return fn2(func(a, b int64) (any, error) {
		if a == 0 || b == 0 {
			return int64(0), nil
		}
		d := greatestDivisor(a, b)
		if d <= 0 {
			return nil, intError(width)
		}
		n, ok := mulInt(a/d, b)
		if !ok || n == math.MinInt64 {
			return nil, intError(width)
		}
		if n < 0 {
			n = -n
		}
		if !fits(n, width) {
			return nil, intError(width)
		}
		return n, nil
	})
}

// numericIntegers applies an operation to numerics scaled to integers.
func numericIntegers(f func(a, b *big.Int) *big.Int) impl {
	return pure2(func(a, b *apd.Decimal) *apd.Decimal {
		if isSpecial(a) || isSpecial(b) {
			return numericNaN()
		}
		scale := max(-a.Exponent, -b.Exponent, 0)
		n := f(scaled(a, scale), scaled(b, scale))
		d := new(apd.Decimal)
		d.Coeff.SetMathBigInt(n)
		d.Exponent = -scale
		return d
	})
}

func bigGCD(a, b *big.Int) *big.Int {
	return new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b))
}

func bigLCM(a, b *big.Int) *big.Int {
	if a.Sign() == 0 || b.Sign() == 0 {
		return new(big.Int)
	}
	n := new(big.Int).Mul(a, b)
	return n.Abs(n.Quo(n, bigGCD(a, b)))
}

// degreesOf gives a trigonometric function over degrees, exact at the multiples
// where PostgreSQL's are.
func degreesOf(f func(float64) float64) func(float64) (any, error) {
	return func(x float64) (any, error) {
		if math.IsInf(x, 0) {
			return nil, errInput
		}
		return f(math.Mod(x, 360) * math.Pi / 180), nil
	}
}

var errInput = pgerr.New(pgerr.NumericValueOutOfRange, "input is out of range")

func inputRange(f func(float64) float64, lo, hi float64) impl {
	return fn1(func(x float64) (any, error) {
		if x < lo || x > hi {
			return nil, errInput
		}
		return f(x), nil
	})
}

func finiteInput(f func(float64) float64) impl {
	return fn1(func(x float64) (any, error) {
		if math.IsInf(x, 0) {
			return nil, errInput
		}
		return f(x), nil
	})
}

// widthBucket is the bucket of x among count equal ones between lo and hi.
func widthBucket(x, lo, hi float64, count int64) (any, error) {
	bad := func(message string) (any, error) {
		return nil, pgerr.New(pgerr.InvalidArgumentForWidth, "%s", message)
	}
	switch {
	case count <= 0:
		return bad("count must be greater than zero")
	case math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi):
		return bad("operand, lower bound, and upper bound cannot be NaN")
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		return bad("lower and upper bounds must be finite")
	case lo == hi:
		return bad("lower bound cannot equal upper bound")
	}
	n := count
	if lo > hi {
		x, lo, hi = -x, -lo, -hi
	}
	switch {
	case x < lo:
		return int64(0), nil
	case x >= hi:
		return n + 1, nil
	}
	bucket := int64(float64(n)*((x-lo)/(hi-lo))) + 1
	return min(bucket, n), nil
}

// mathFunctions is the functions on numbers.
func mathFunctions() map[string]impl {
	m := map[string]impl{
		"ceil(float8)":    pure1(math.Ceil),
		"ceil(numeric)":   pure1(ceilNumeric),
		"floor(float8)":   pure1(math.Floor),
		"floor(numeric)":  pure1(floorNumeric),
		"round(float8)":   pure1(math.RoundToEven),
		"round(numeric)":  pure1(func(d *apd.Decimal) *apd.Decimal { return pgtypes.NumericRound(d, 0) }),
		"trunc(float8)":   pure1(math.Trunc),
		"trunc(numeric)":  pure1(func(d *apd.Decimal) *apd.Decimal { return pgtypes.NumericTrunc(d, 0) }),
		"sign(float8)":    pure1(signFloat),
		"sign(numeric)":   pure1(signNumeric),
		"sqrt(float8)":    fn1(sqrtFloat),
		"sqrt(numeric)":   fn1(sqrtNumeric),
		"cbrt(float8)":    pure1(math.Cbrt),
		"exp(float8)":     fn1(expFloat),
		"exp(numeric)":    fn1(expNumeric),
		"ln(numeric)":     fn1(lnNumeric),
		"degrees(float8)": pure1(func(x float64) float64 { return x / (math.Pi / 180) }),
		"radians(float8)": pure1(func(x float64) float64 { return x * (math.Pi / 180) }),
		"pi()":            withEnv(func(*Env) (any, error) { return math.Pi, nil }),
		"random()":        withEnv(func(*Env) (any, error) { return rand.Float64(), nil }),
		"scale(numeric)": raw(func(_ *Env, _ *Call, args []any) (any, error) {
			d := args[0].(*apd.Decimal)
			if isSpecial(d) {
				return nil, nil
			}
			return int64(pgtypes.Scale(d)), nil
		}),
		"trim_scale(numeric)": pure1(trimScale),
		"min_scale(numeric)": raw(func(_ *Env, _ *Call, args []any) (any, error) {
			d := args[0].(*apd.Decimal)
			if isSpecial(d) {
				return nil, nil
			}
			return int64(pgtypes.Scale(trimScale(d))), nil
		}),
		"round(numeric,int4)":    roundTo(false),
		"trunc(numeric,int4)":    roundTo(true),
		"gcd(int4,int4)":         gcdInt(32),
		"gcd(int8,int8)":         gcdInt(64),
		"lcm(int4,int4)":         lcmInt(32),
		"lcm(int8,int8)":         lcmInt(64),
		"gcd(numeric,numeric)":   numericIntegers(bigGCD),
		"lcm(numeric,numeric)":   numericIntegers(bigLCM),
		"power(float8,float8)":   fn2(powerFloat),
		"power(numeric,numeric)": fn2(powerNumeric),
		"log(numeric,numeric)":   fn2(logNumeric),
		"sin(float8)":            finiteInput(math.Sin), "cos(float8)": finiteInput(math.Cos),
		"tan(float8)": finiteInput(math.Tan), "cot(float8)": finiteInput(func(x float64) float64 { return 1 / math.Tan(x) }),
		"asin(float8)": inputRange(math.Asin, -1, 1), "acos(float8)": inputRange(math.Acos, -1, 1),
		"atan(float8)": pure1(math.Atan), "atan2(float8,float8)": pure2(math.Atan2),
		"sinh(float8)": pure1(math.Sinh), "cosh(float8)": pure1(math.Cosh), "tanh(float8)": pure1(math.Tanh),
		"asinh(float8)": pure1(math.Asinh), "acosh(float8)": inputRange(math.Acosh, 1, math.Inf(1)),
		"atanh(float8)": inputRange(math.Atanh, -1, 1),
		"sind(float8)":  fn1(degreesOf(math.Sin)), "cosd(float8)": fn1(degreesOf(math.Cos)),
		"tand(float8)": fn1(degreesOf(math.Tan)),
		"width_bucket(float8,float8,float8,int4)": raw(func(_ *Env, _ *Call, args []any) (any, error) {
			return widthBucket(args[0].(float64), args[1].(float64), args[2].(float64), args[3].(int64))
		}),
		"width_bucket(numeric,numeric,numeric,int4)": raw(func(_ *Env, _ *Call, args []any) (any, error) {
			return widthBucketNumeric(args[0].(*apd.Decimal), args[1].(*apd.Decimal), args[2].(*apd.Decimal), args[3].(int64))
		}),
		"width_bucket(anycompatible,anycompatiblearray)": raw(widthBucketArray),
		"factorial(int8)": fn1(factorial),
	}
	for alias, name := range map[string]string{"ceiling": "ceil", "pow": "power"} {
		for _, typ := range []string{"(float8)", "(numeric)", "(float8,float8)", "(numeric,numeric)"} {
			if i, ok := m[name+typ]; ok {
				m[alias+typ] = i
			}
		}
	}
	m["ln(float8)"] = fn1(func(x float64) (any, error) { return math.Log(x), logError(x) })
	for _, name := range []string{"log", "log10"} {
		m[name+"(float8)"] = fn1(func(x float64) (any, error) { return math.Log10(x), logError(x) })
		m[name+"(numeric)"] = fn1(func(x *apd.Decimal) (any, error) { return logNumeric(apd.New(10, 0), x) })
	}
	return m
}

func signFloat(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0 // also of NaN
}

func signNumeric(d *apd.Decimal) *apd.Decimal {
	if d.Form == apd.NaN {
		return d
	}
	return apd.New(int64(d.Sign()), 0)
}

func expFloat(x float64) (any, error) {
	f := math.Exp(x)
	if math.IsInf(f, 0) && !math.IsInf(x, 0) {
		return nil, errOverflow
	}
	if f == 0 && !math.IsInf(x, 0) {
		return nil, errUnderflow
	}
	return f, nil
}

func trimScale(d *apd.Decimal) *apd.Decimal {
	if isSpecial(d) {
		return d
	}
	for scale := pgtypes.Scale(d); scale > 0; scale-- {
		cut := pgtypes.NumericTrunc(d, scale-1)
		if cut.Cmp(d) != 0 {
			return d
		}
		d = cut
	}
	return d
}

func factorial(n int64) (any, error) {
	if n < 0 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "factorial of a negative number is undefined")
	}
	if n > 32177 {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value overflows numeric format")
	}
	d := new(apd.Decimal)
	d.Coeff.SetMathBigInt(new(big.Int).MulRange(1, n))
	return d, nil
}

func widthBucketNumeric(x, lo, hi *apd.Decimal, count int64) (any, error) {
	if _, err := widthBucket(0, approx(lo), approx(hi), count); err != nil || isSpecial(x) {
		if err != nil {
			return nil, err
		}
		return widthBucket(approx(x), approx(lo), approx(hi), count)
	}
	if lo.Cmp(hi) > 0 {
		x, lo, hi = pgtypes.NumericNeg(x), pgtypes.NumericNeg(lo), pgtypes.NumericNeg(hi)
	}
	switch {
	case x.Cmp(lo) < 0:
		return int64(0), nil
	case x.Cmp(hi) >= 0:
		return count + 1, nil
	}
	from, span, c := new(apd.Decimal), new(apd.Decimal), decimals(100)
	for _, step := range []error{
		condition(c.Sub(from, x, lo)), condition(c.Sub(span, hi, lo)), condition(c.Mul(from, from, apd.New(count, 0))),
	} {
		if step != nil {
			return nil, step
		}
	}
	q, err := divTrunc(from, span)
	if err != nil {
		return nil, err
	}
	n, err := q.Int64()
	return n + 1, err
}

func condition(_ apd.Condition, err error) error { return err }

// widthBucketArray is the number of thresholds that are not above x.
func widthBucketArray(_ *Env, call *Call, args []any) (any, error) {
	arr := args[1].(*pgtypes.Array)
	if len(arr.Dims) > 1 {
		return nil, pgerr.New(pgerr.ArraySubscriptError, "thresholds must be one-dimensional array")
	}
	lo, hi := 0, len(arr.Elems)
	for lo < hi {
		mid := (lo + hi) / 2
		if arr.Elems[mid] == nil {
			return nil, pgerr.New(pgerr.Code("22004"), "thresholds array must not contain NULLs")
		}
		if pgtypes.Compare(pgtypes.Of(arr.Elem), args[0], arr.Elems[mid]) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return int64(lo), nil
}
