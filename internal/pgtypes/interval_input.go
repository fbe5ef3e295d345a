package pgtypes

import (
	"math"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// intervalUnits gives each unit's months, days and microseconds.
var intervalUnits = map[string]struct {
	months, days float64
	micros       float64
}{
	"microsecond": {micros: 1}, "us": {micros: 1}, "usec": {micros: 1}, "usecond": {micros: 1},
	"millisecond": {micros: 1e3}, "ms": {micros: 1e3}, "msec": {micros: 1e3}, "msecond": {micros: 1e3},
	"second": {micros: microsSecond}, "s": {micros: microsSecond}, "sec": {micros: microsSecond},
	"minute": {micros: microsMinute}, "m": {micros: microsMinute}, "min": {micros: microsMinute},
	"hour": {micros: microsHour}, "h": {micros: microsHour}, "hr": {micros: microsHour},
	"day": {days: 1}, "d": {days: 1}, "week": {days: 7}, "w": {days: 7},
	"month": {months: 1}, "mon": {months: 1}, "quarter": {months: 3}, "qtr": {months: 3},
	"year": {months: 12}, "y": {months: 12}, "yr": {months: 12},
	"decade": {months: 120}, "dec": {months: 120}, "century": {months: 1200}, "c": {months: 1200}, "cent": {months: 1200},
	"millennium": {months: 12000}, "mil": {months: 12000},
}

// intervalSum adds fields, carrying fractions of months to days (of 30) and of
// days to microseconds.
type intervalSum struct {
	months, days float64
	micros       float64
}

func (v *intervalSum) add(n float64, unit string) bool {
	u, ok := intervalUnits[unit]
	if !ok {
		singular := strings.TrimSuffix(unit, "s")
		if unit == "centuries" {
			singular = "century"
		}
		if unit == "millennia" {
			singular = "millennium"
		}
		if u, ok = intervalUnits[singular]; !ok {
			return false
		}
	}
	months := n * u.months
	whole := math.Trunc(months)
	v.months += whole
	days := n*u.days + (months-whole)*30
	wholeDays := math.Trunc(days)
	if math.Abs(days-math.Round(days)) < 1e-9 {
		wholeDays = math.Round(days)
	}
	v.days += wholeDays
	v.micros += (days-wholeDays)*microsDay + n*u.micros
	return true
}

// interval gives the sum, with ok false where a field overflows.
func (v *intervalSum) interval() (Interval, bool) {
	micros := math.RoundToEven(v.micros)
	if math.Abs(v.months) > math.MaxInt32 || math.Abs(v.days) > math.MaxInt32 || math.Abs(micros) >= math.MaxInt64 {
		return Interval{}, false
	}
	return Interval{Months: int32(v.months), Days: int32(v.days), Micros: int64(micros)}, true
}

// ParseInterval reads an interval in any of PostgreSQL's input styles.
func ParseInterval(s string) (any, error) {
	bad := pgerr.New(pgerr.InvalidDatetimeFormat, "invalid input syntax for type interval: \"%s\"", s)
	text := strings.ToLower(strings.Trim(s, spaces))
	if text == "" {
		return nil, bad
	}
	var sum intervalSum
	var ok bool
	if text[0] == 'p' || strings.HasPrefix(text, "-p") {
		ok = sum.iso(text)
	} else {
		ok = sum.fields(strings.TrimPrefix(text, "@"))
	}
	if !ok {
		return nil, bad
	}
	v, ok := sum.interval()
	if !ok {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "interval field value out of range: \"%s\"", s)
	}
	return v, nil
}

// iso reads P1Y2M3DT4H5M6S and the alternative P0001-02-03T04:05:06.
func (v *intervalSum) iso(text string) bool {
	text, inTime := strings.TrimPrefix(text, "p"), false
	number := ""
	any := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == 't':
			inTime = true
		case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
			number += string(c)
		default:
			n, err := strconv.ParseFloat(number, 64)
			unit := map[byte]string{'y': "year", 'm': "month", 'w': "week", 'd': "day"}[c]
			if inTime {
				unit = map[byte]string{'h': "hour", 'm': "minute", 's': "second"}[c]
			}
			if err != nil || unit == "" || !v.add(n, unit) {
				return false
			}
			number, any = "", true
		}
	}
	return any && number == ""
}

// fields reads "1 day 02:03:04 ago", "1-2", "3 4:05:06" and the like.
func (v *intervalSum) fields(text string) bool {
	words := splitInterval(text)
	if len(words) == 0 {
		return false
	}
	ago := false
	if words[len(words)-1] == "ago" {
		ago = true
		words = words[:len(words)-1]
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		sign := 1.0
		if w[0] == '-' {
			sign = -1
		}
		bare := strings.TrimLeft(w, "+-")
		switch {
		case strings.Contains(bare, ":"):
			micros, ok := intervalClock(bare)
			if !ok {
				return false
			}
			v.micros += sign * micros
		case strings.Contains(bare, "-"): // years-months
			y, m, _ := strings.Cut(bare, "-")
			years, err1 := strconv.Atoi(y)
			months, err2 := strconv.Atoi(m)
			if err1 != nil || err2 != nil || months > 11 {
				return false
			}
			v.months += sign * float64(years*12+months)
		default:
			n, err := strconv.ParseFloat(w, 64)
			if err != nil || strings.ContainsAny(bare, "xpin_") {
				return false
			}
			if i+1 < len(words) && startsWithLetter(words[i+1]) {
				i++
				if !v.add(n, words[i]) {
					return false
				}
			} else if i+1 < len(words) && strings.Contains(words[i+1], ":") {
				v.add(n, "day") // 3 4:05:06
			} else {
				v.add(n, "second")
			}
		}
	}
	if ago {
		v.months, v.days, v.micros = -v.months, -v.days, -v.micros
	}
	return true
}

// splitInterval splits at blanks and between digits and letters.
func splitInterval(text string) []string {
	var words []string
	start := 0
	flush := func(end int) {
		if start < end {
			words = append(words, text[start:end])
		}
		start = end
	}
	for i := range len(text) {
		if strings.IndexByte(spaces, text[i]) >= 0 || text[i] == ',' {
			flush(i)
			start = i + 1
			continue
		}
		if i > start && (startsWithLetter(text[i:]) != startsWithLetter(text[i-1:])) {
			flush(i)
		}
	}
	flush(len(text))
	return words
}

func intervalClock(w string) (float64, bool) {
	parts := strings.Split(w, ":")
	if len(parts) > 3 {
		return 0, false
	}
	h, err := strconv.ParseFloat(parts[0], 64)
	if err != nil {
		return 0, false
	}
	unit := []float64{microsHour, microsMinute, microsSecond}
	if len(parts) == 2 && strings.Contains(parts[1], ".") {
		unit = unit[1:]
	}
	total := h * unit[0]
	for i, p := range parts[1:] {
		n, err := strconv.ParseFloat(p, 64)
		if err != nil || n < 0 || n >= 61 {
			return 0, false
		}
		total += n * unit[i+1]
	}
	return total, true
}
