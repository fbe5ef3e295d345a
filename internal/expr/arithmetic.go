package expr

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

var (
	errDivision  = pgerr.New(pgerr.DivisionByZero, "division by zero")
	errInt2      = pgerr.New(pgerr.NumericValueOutOfRange, "smallint out of range")
	errInt4      = pgerr.New(pgerr.NumericValueOutOfRange, "integer out of range")
	errInt8      = pgerr.New(pgerr.NumericValueOutOfRange, "bigint out of range")
	errOverflow  = pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: overflow")
	errUnderflow = pgerr.New(pgerr.NumericValueOutOfRange, "value out of range: underflow")
)

// intError gives the range error of an integer type by its width.
func intError(width int) error {
	switch width {
	case 16:
		return errInt2
	case 32:
		return errInt4
	}
	return errInt8
}

// fits reports whether n fits a signed integer of some bits.
func fits(n int64, width int) bool {
	return width == 64 || n == n<<(64-width)>>(64-width)
}

// An intOp computes in 64 bits; ok is false on overflow of these.
type intOp func(a, b int64) (n int64, ok bool)

func addInt(a, b int64) (int64, bool) {
	n := a + b
	return n, (n > a) == (b > 0)
}

func subInt(a, b int64) (int64, bool) {
	n := a - b
	return n, (n < a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	signed := int64(hi) - a>>63&b - b>>63&a
	return int64(lo), signed == int64(lo)>>63
}

// checkedInt is + - * of integers, whose result must fit width bits.
func checkedInt(op intOp, width int) impl {
	compute := func(a, b int64) (int64, error) {
		n, ok := op(a, b)
		if !ok || !fits(n, width) {
			return 0, intError(width)
		}
		return n, nil
	}
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
		n, err := compute(args[0].(int64), args[1].(int64))
		if err != nil {
			return nil, err
		}
		return n, nil
	}, vec: intVec(compute)}
}

// intVec applies a function to two integer columns, or one and a constant.
func intVec(f func(a, b int64) (int64, error)) vecFunc {
	return func(_ *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
		l, r := args[0], args[1]
		if l == nil && r == nil || l != nil && l.Kind != vector.Int64 || r != nil && r.Kind != vector.Int64 {
			return nil, nil
		}
		out := &vector.Column{Kind: vector.Int64, Len: b.N, Ints: make([]int64, b.N), Valid: bothValid(l, r)}
		var x, y int64
		if l == nil {
			x = call.Args[0].(*Const).Val.(int64)
		}
		if r == nil {
			y = call.Args[1].(*Const).Val.(int64)
		}
		for k := range b.Live() {
			i := b.Row(k)
			if out.Valid != nil && !out.Valid.Get(i) {
				continue
			}
			if l != nil {
				x = l.Ints[i]
			}
			if r != nil {
				y = r.Ints[i]
			}
			n, err := f(x, y)
			if err != nil {
				return nil, err
			}
			out.Ints[i] = n
		}
		return out, nil
	}
}

func divideInt(width int) impl {
	compute := func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, errDivision
		}
		if b == -1 {
			if a == math.MinInt64 || !fits(-a, width) {
				return 0, intError(width)
			}
			return -a, nil
		}
		return a / b, nil
	}
	i := fn2(func(a, b int64) (any, error) {
		n, err := compute(a, b)
		if err != nil {
			return nil, err
		}
		return n, nil
	})
	i.vec = intVec(compute)
	return i
}

func moduloInt() impl {
	compute := func(a, b int64) (int64, error) {
		switch b {
		case 0:
			return 0, errDivision
		case -1:
			return 0, nil
		}
		return a % b, nil
	}
	i := fn2(func(a, b int64) (any, error) {
		n, err := compute(a, b)
		if err != nil {
			return nil, err
		}
		return n, nil
	})
	i.vec = intVec(compute)
	return i
}

// floatOp is an operation on floats, checked as PostgreSQL does: an infinite
// result of finite operands, and a zero of operands that are not, are errors.
func floatOp(op byte, single bool) impl {
	compute := func(a, b float64) (float64, error) {
		var f float64
		switch op {
		case '+':
			f = a + b
		case '-':
			f = a - b
		case '*':
			f = a * b
		default:
			if b == 0 && !math.IsNaN(a) {
				return 0, errDivision
			}
			f = a / b
		}
		if single {
			f = float64(float32(f))
		}
		if math.IsInf(f, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
			return 0, errOverflow
		}
		if f == 0 && a != 0 && (op == '*' && b != 0 || op == '/' && !math.IsInf(b, 0)) {
			return 0, errUnderflow
		}
		return f, nil
	}
	return impl{row: func(_ *Env, _ *Call, args []any) (any, error) {
		f, err := compute(args[0].(float64), args[1].(float64))
		if err != nil {
			return nil, err
		}
		return f, nil
	}, vec: floatVec(compute)}
}

func floatVec(f func(a, b float64) (float64, error)) vecFunc {
	return func(_ *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
		l, r := args[0], args[1]
		if l == nil && r == nil || l != nil && l.Kind != vector.Float || r != nil && r.Kind != vector.Float {
			return nil, nil
		}
		out := &vector.Column{Kind: vector.Float, Len: b.N, Floats: make([]float64, b.N), Valid: bothValid(l, r)}
		var x, y float64
		if l == nil {
			x = call.Args[0].(*Const).Val.(float64)
		}
		if r == nil {
			y = call.Args[1].(*Const).Val.(float64)
		}
		for k := range b.Live() {
			i := b.Row(k)
			if out.Valid != nil && !out.Valid.Get(i) {
				continue
			}
			if l != nil {
				x = l.Floats[i]
			}
			if r != nil {
				y = r.Floats[i]
			}
			v, err := f(x, y)
			if err != nil {
				return nil, err
			}
			out.Floats[i] = v
		}
		return out, nil
	}
}

// numericOp is an operation of package pgtypes.
func numericOp(f func(a, b *apd.Decimal) (*apd.Decimal, error)) impl {
	return fn2(func(a, b *apd.Decimal) (any, error) {
		d, err := f(a, b)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
}

func negateInt(width int) impl {
	return fn1(func(n int64) (any, error) {
		if n == math.MinInt64 || !fits(-n, width) {
			return nil, intError(width)
		}
		return -n, nil
	})
}

func absInt(width int) impl {
	return fn1(func(n int64) (any, error) {
		if n >= 0 {
			return n, nil
		}
		if n == math.MinInt64 || !fits(-n, width) {
			return nil, intError(width)
		}
		return -n, nil
	})
}

func absNumeric(d *apd.Decimal) *apd.Decimal { return new(apd.Decimal).Abs(d) }

// shift moves bits within a width, the count modulo the width as on x86.
func shift(width int, left bool) impl {
	return pure2(func(a, n int64) int64 {
		count := uint(n) & 31
		if width == 64 {
			count = uint(n) & 63
		}
		if !left {
			return a >> count
		}
		switch width {
		case 16:
			return int64(int16(int32(a) << count))
		case 32:
			return int64(int32(a) << count)
		}
		return a << count
	})
}

// arithmeticFunctions is the operators on numbers.
func arithmeticFunctions() map[string]impl {
	m := make(map[string]impl)
	names := map[int]string{16: "int2", 32: "int4", 64: "int8"}
	for lw, l := range names {
		for rw, r := range names {
			width := max(lw, rw)
			m[l+" + "+r] = checkedInt(addInt, width)
			m[l+" - "+r] = checkedInt(subInt, width)
			m[l+" * "+r] = checkedInt(mulInt, width)
			m[l+" / "+r] = divideInt(width)
		}
		m[l+" % "+l] = moduloInt()
		m["- "+l] = negateInt(lw)
		m["+ "+l] = pure1(func(n int64) int64 { return n })
		m["@ "+l] = absInt(lw)
		m["abs("+l+")"] = absInt(lw)
		m[l+" & "+l] = pure2(func(a, b int64) int64 { return a & b })
		m[l+" | "+l] = pure2(func(a, b int64) int64 { return a | b })
		m[l+" # "+l] = pure2(func(a, b int64) int64 { return a ^ b })
		m["~ "+l] = pure1(func(a int64) int64 { return ^a })
		m[l+" << int4"] = shift(lw, true)
		m[l+" >> int4"] = shift(lw, false)
		m["mod("+l+","+l+")"] = moduloInt()
	}
	for _, l := range []string{"float4", "float8"} {
		for _, r := range []string{"float4", "float8"} {
			for _, op := range "+-*/" {
				m[l+" "+string(op)+" "+r] = floatOp(byte(op), l == "float4" && r == "float4")
			}
		}
		m["- "+l] = pure1(func(f float64) float64 { return -f })
		m["+ "+l] = pure1(func(f float64) float64 { return f })
		m["@ "+l] = pure1(math.Abs)
		m["abs("+l+")"] = pure1(math.Abs)
	}
	m["numeric + numeric"] = numericOp(pgtypes.NumericAdd)
	m["numeric - numeric"] = numericOp(pgtypes.NumericSub)
	m["numeric * numeric"] = numericOp(pgtypes.NumericMul)
	m["numeric / numeric"] = numericOp(pgtypes.NumericDiv)
	m["numeric % numeric"] = numericOp(pgtypes.NumericMod)
	m["mod(numeric,numeric)"] = numericOp(pgtypes.NumericMod)
	m["- numeric"] = pure1(pgtypes.NumericNeg)
	m["+ numeric"] = pure1(func(d *apd.Decimal) *apd.Decimal { return d })
	m["@ numeric"] = pure1(absNumeric)
	m["abs(numeric)"] = pure1(absNumeric)
	m["float8 ^ float8"] = fn2(powerFloat)
	m["numeric ^ numeric"] = fn2(powerNumeric)
	m["|/ float8"] = fn1(sqrtFloat)
	m["||/ float8"] = pure1(math.Cbrt)
	m["div(numeric,numeric)"] = numericOp(divTrunc)
	return m
}

// divTrunc is the integer quotient, cut towards zero.
func divTrunc(a, b *apd.Decimal) (*apd.Decimal, error) {
	if a.Form != apd.Finite || b.Form != apd.Finite || b.IsZero() {
		return pgtypes.NumericDiv(a, b)
	}
	scale := max(-a.Exponent, -b.Exponent, 0)
	x, y := scaled(a, scale), scaled(b, scale)
	var q apd.BigInt
	q.SetMathBigInt(new(big.Int).Quo(x, y))
	d := new(apd.Decimal)
	d.Coeff.Abs(&q)
	d.Negative = q.Sign() < 0
	return d, nil
}

// scaled gives d × 10^scale, which must be an integer.
func scaled(d *apd.Decimal, scale int32) *big.Int {
	n := new(big.Int).Set(d.Coeff.MathBigInt())
	if e := d.Exponent + scale; e > 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e)), nil))
	}
	if d.Negative {
		n.Neg(n)
	}
	return n
}
