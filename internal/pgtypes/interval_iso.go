package pgtypes

import (
	"math"
	"strconv"
)

// iso reads P1Y2M3DT4H5M6S and the alternative forms P0001-02-03T04:05:06 and
// P00010203T040506 (DecodeISO8601Interval).
func (v *intervalSum) iso(s string) error {
	if len(s) < 2 || s[0] != 'P' {
		return errIntervalSyntax
	}
	inTime, first := false, true
	for rest := s[1:]; rest != ""; {
		if rest[0] == 'T' {
			inTime, first, rest = true, true, rest[1:]
			continue
		}
		start := rest
		val, frac, rest2, err := isoNumber(rest)
		if err != nil {
			return err
		}
		rest = rest2
		mark := byte(0)
		if rest != "" {
			mark, rest = rest[0], rest[1:]
		}
		unit := map[byte]*intervalUnit{'Y': unitYear, 'M': unitMonth, 'W': unitWeek, 'D': unitDay}[mark]
		if inTime {
			unit = map[byte]*intervalUnit{'H': unitHour, 'M': unitMinute, 'S': unitSecond}[mark]
		}
		switch {
		case unit != nil:
			if err := v.add(val, frac, unit); err != nil {
				return err
			}
			first = false
		case !first:
			return errIntervalSyntax
		case inTime:
			return v.isoClock(start, val, frac, mark, rest)
		default:
			if rest, err = v.isoDate(start, val, frac, mark, rest); err != nil {
				return err
			}
			inTime = true
		}
	}
	return nil
}

// isoNumber reads a number, whole part and fraction.
func isoNumber(s string) (val int64, frac float64, rest string, err error) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && s[end] == '-') {
		end++
	}
	f, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return 0, 0, "", errIntervalSyntax
	}
	if math.Abs(f) > 9e18 {
		return 0, 0, "", errIntervalField
	}
	val = int64(f)
	return val, f - float64(val), s[end:], nil
}

// leadingDigits counts the digits in front, as the basic forms have 8 and 6.
func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// isoDate reads the rest of an alternative date after its first number and the
// character behind that; it gives what follows the T.
func (v *intervalSum) isoDate(start string, val int64, frac float64, mark byte, rest string) (string, error) {
	if mark != 0 && mark != 'T' && mark != '-' {
		return "", errIntervalSyntax
	}
	if mark != '-' && leadingDigits(start) == 8 {
		for _, f := range []struct {
			val  int64
			frac float64
			unit *intervalUnit
		}{{val / 10000, 0, unitYear}, {val / 100 % 100, 0, unitMonth}, {val % 100, frac, unitDay}} {
			if err := v.add(f.val, f.frac, f.unit); err != nil {
				return "", err
			}
		}
		return rest, nil
	}
	if err := v.add(val, frac, unitYear); err != nil {
		return "", err
	}
	if mark != '-' {
		return rest, nil
	}
	for _, unit := range []*intervalUnit{unitMonth, unitDay} {
		val, frac, after, err := isoNumber(rest)
		if err != nil {
			return "", err
		}
		if err := v.add(val, frac, unit); err != nil {
			return "", err
		}
		switch {
		case after == "":
			return "", nil
		case after[0] == 'T':
			return after[1:], nil
		case after[0] != '-' || unit == unitDay:
			return "", errIntervalSyntax
		}
		rest = after[1:]
	}
	return rest, nil
}

// isoClock reads an alternative time after its first number.
func (v *intervalSum) isoClock(start string, val int64, frac float64, mark byte, rest string) error {
	if mark != 0 && mark != ':' {
		return errIntervalSyntax
	}
	if mark == 0 && leadingDigits(start) == 6 {
		if err := v.add(val/10000, 0, unitHour); err != nil {
			return err
		}
		if err := v.add(val/100%100, 0, unitMinute); err != nil {
			return err
		}
		return v.add(val%100, frac, unitSecond)
	}
	if err := v.add(val, frac, unitHour); err != nil || mark == 0 {
		return err
	}
	for _, unit := range []*intervalUnit{unitMinute, unitSecond} {
		val, frac, after, err := isoNumber(rest)
		if err != nil {
			return err
		}
		if err := v.add(val, frac, unit); err != nil {
			return err
		}
		if after == "" {
			return nil
		}
		if after[0] != ':' || unit == unitSecond {
			return errIntervalSyntax
		}
		rest = after[1:]
	}
	return nil
}
