package main

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
)

// canonical prints a value: numbers to nine digits, so that sums in another
// order are equal, and integers like the floats that they equal.
func canonical(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case int64:
		return number(float64(v))
	case int32:
		return number(float64(v))
	case float64:
		return number(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return number(f)
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e9 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'e', 8, 64)
}

// equal compares two results; numbers may differ in the ninth digit.
func equal(a, b [][]string) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d rows against %d", len(a), len(b))
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return fmt.Errorf("row %d has %d columns against %d", i, len(a[i]), len(b[i]))
		}
		for k := range a[i] {
			if a[i][k] == b[i][k] {
				continue
			}
			x, errX := strconv.ParseFloat(a[i][k], 64)
			y, errY := strconv.ParseFloat(b[i][k], 64)
			if errX != nil || errY != nil || math.Abs(x-y) > 1e-8*math.Max(math.Abs(x), math.Abs(y)) {
				return fmt.Errorf("row %d, column %d: %q against %q", i, k, a[i][k], b[i][k])
			}
		}
	}
	return nil
}
