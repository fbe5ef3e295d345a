package pgtypes

import "strconv"

// appendInterval prints an interval in the session's style.
func appendInterval(dst []byte, v Interval, s *TextStyle) []byte {
	switch s.intervalStyle() {
	case "iso_8601":
		return appendISOInterval(dst, v)
	case "sql_standard":
		return appendSQLInterval(dst, v)
	case "postgres_verbose":
		return appendVerboseInterval(dst, v)
	}
	start := len(dst)
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		negativeBefore := false
		if len(dst) > start {
			negativeBefore = lastNegative(dst[start:])
			dst = append(dst, ' ')
		}
		if negativeBefore && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(v.Months/12), "year")
	part(int64(v.Months%12), "mon")
	part(int64(v.Days), "day")
	if v.Micros != 0 || len(dst) == start {
		negativeBefore := len(dst) > start && lastNegative(dst[start:])
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		micros := v.Micros
		switch {
		case micros < 0:
			dst = append(dst, '-')
			dst = appendClock(dst, uint64(-micros))
			return dst
		case negativeBefore:
			dst = append(dst, '+')
		}
		dst = appendClock(dst, uint64(micros))
	}
	return dst
}

// lastNegative reports whether the last field printed had a minus sign:
// PostgreSQL then writes a plus before a following positive one.
func lastNegative(text []byte) bool {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '-' {
			return true
		}
		if text[i] >= '0' && text[i] <= '9' {
			for i > 0 && text[i-1] >= '0' && text[i-1] <= '9' {
				i--
			}
			return i > 0 && text[i-1] == '-'
		}
	}
	return false
}

func appendClock(dst []byte, micros uint64) []byte {
	dst = appendPadded(dst, int(micros/microsHour), 2)
	dst = appendPadded(append(dst, ':'), int(micros/microsMinute%60), 2)
	dst = appendPadded(append(dst, ':'), int(micros/microsSecond%60), 2)
	return appendFraction(dst, int(micros%microsSecond))
}

// appendSeconds prints a signed number of seconds with its fraction.
func appendSeconds(dst []byte, micros int64) []byte {
	if micros < 0 {
		dst = append(dst, '-')
		micros = -micros
	}
	dst = strconv.AppendInt(dst, micros/microsSecond, 10)
	return appendFraction(dst, int(micros%microsSecond))
}

func appendISOInterval(dst []byte, v Interval) []byte {
	if v == (Interval{}) {
		return append(dst, "PT0S"...)
	}
	dst = append(dst, 'P')
	unit := func(n int64, c byte) {
		if n != 0 {
			dst = append(strconv.AppendInt(dst, n, 10), c)
		}
	}
	unit(int64(v.Months/12), 'Y')
	unit(int64(v.Months%12), 'M')
	unit(int64(v.Days), 'D')
	if v.Micros != 0 {
		dst = append(dst, 'T')
		unit(v.Micros/microsHour, 'H')
		unit(v.Micros/microsMinute%60, 'M')
		if rest := v.Micros % microsMinute; rest != 0 {
			dst = append(appendSeconds(dst, rest), 'S')
		}
	}
	return dst
}

func appendSQLInterval(dst []byte, v Interval) []byte {
	if v == (Interval{}) {
		return append(dst, '0')
	}
	months, days, micros := v.Months, v.Days, v.Micros
	negative := months < 0 || days < 0 || micros < 0
	positive := months > 0 || days > 0 || micros > 0
	if negative && positive || (months != 0 && (days != 0 || micros != 0)) { // mixed: every field signed
		sign := func(neg bool) {
			if neg {
				dst = append(dst, '-')
			} else {
				dst = append(dst, '+')
			}
		}
		sign(months < 0)
		m := max(months, -months)
		dst = append(strconv.AppendInt(dst, int64(m/12), 10), '-')
		dst = append(strconv.AppendInt(dst, int64(m%12), 10), ' ')
		sign(days < 0)
		dst = append(strconv.AppendInt(dst, int64(max(days, -days)), 10), ' ')
		sign(micros < 0)
		return appendShortClock(dst, max(micros, -micros))
	}
	if negative {
		dst = append(dst, '-')
		months, days, micros = -months, -days, -micros
	}
	if months != 0 {
		dst = append(strconv.AppendInt(dst, int64(months/12), 10), '-')
		return strconv.AppendInt(dst, int64(months%12), 10)
	}
	if days != 0 {
		dst = append(strconv.AppendInt(dst, int64(days), 10), ' ')
	}
	return appendShortClock(dst, micros)
}

// appendShortClock prints hours without padding.
func appendShortClock(dst []byte, micros int64) []byte {
	dst = strconv.AppendInt(dst, micros/microsHour, 10)
	dst = appendPadded(append(dst, ':'), int(micros/microsMinute%60), 2)
	dst = appendPadded(append(dst, ':'), int(micros/microsSecond%60), 2)
	return appendFraction(dst, int(micros%microsSecond))
}

func appendVerboseInterval(dst []byte, v Interval) []byte {
	dst = append(dst, '@')
	ago, first, fields := false, true, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if first {
			ago, first = n < 0, false
		}
		if ago {
			n = -n
		}
		fields = true
		dst = strconv.AppendInt(append(dst, ' '), n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(v.Months/12), "year")
	part(int64(v.Months%12), "mon")
	part(int64(v.Days), "day")
	part(v.Micros/microsHour, "hour")
	part(v.Micros/microsMinute%60, "min")
	if rest := v.Micros % microsMinute; rest != 0 {
		if first {
			ago = rest < 0
		}
		if ago {
			rest = -rest
		}
		fields = true
		dst = appendSeconds(append(dst, ' '), rest)
		dst = append(dst, " sec"...)
		if rest != microsSecond {
			dst = append(dst, 's')
		}
	}
	if !fields {
		return append(dst, " 0"...)
	}
	if ago {
		dst = append(dst, " ago"...)
	}
	return dst
}
