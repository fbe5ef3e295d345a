package pgtypes

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A unit of an interval: how much it adds to which field. Its bit tells whether
// a literal named it before.
type intervalUnit struct {
	micros int64
	days   int32
	months int32
	years  int32
	bit    int
}

const (
	bitMicrosecond = 1 << iota
	bitMillisecond
	bitSecond
	bitMinute
	bitHour
	bitDay
	bitWeek
	bitMonth
	bitYear
	bitDecade
	bitCentury
	bitMillennium

	bitsSeconds = bitSecond | bitMillisecond | bitMicrosecond
	bitsClock   = bitHour | bitMinute | bitsSeconds
)

var (
	unitMicrosecond = &intervalUnit{micros: 1, bit: bitMicrosecond}
	unitMillisecond = &intervalUnit{micros: 1000, bit: bitMillisecond}
	unitSecond      = &intervalUnit{micros: microsSecond, bit: bitSecond}
	unitMinute      = &intervalUnit{micros: microsMinute, bit: bitMinute}
	unitHour        = &intervalUnit{micros: microsHour, bit: bitHour}
	unitDay         = &intervalUnit{days: 1, bit: bitDay}
	unitWeek        = &intervalUnit{days: 7, bit: bitWeek}
	unitMonth       = &intervalUnit{months: 1, bit: bitMonth}
	unitYear        = &intervalUnit{years: 1, bit: bitYear}
	unitDecade      = &intervalUnit{years: 10, bit: bitDecade}
	unitCentury     = &intervalUnit{years: 100, bit: bitCentury}
	unitMillennium  = &intervalUnit{years: 1000, bit: bitMillennium}
)

// intervalUnits is deltatktbl of PostgreSQL's datetime.c, whose words are cut
// to ten characters.
var intervalUnits = map[string]*intervalUnit{
	"microsecon": unitMicrosecond, "us": unitMicrosecond, "usec": unitMicrosecond, "usecs": unitMicrosecond,
	"usecond": unitMicrosecond, "useconds": unitMicrosecond,
	"millisecon": unitMillisecond, "ms": unitMillisecond, "msec": unitMillisecond, "msecs": unitMillisecond,
	"msecond": unitMillisecond, "mseconds": unitMillisecond,
	"s": unitSecond, "sec": unitSecond, "secs": unitSecond, "second": unitSecond, "seconds": unitSecond,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"h": unitHour, "hr": unitHour, "hrs": unitHour, "hour": unitHour, "hours": unitHour,
	"d": unitDay, "day": unitDay, "days": unitDay, "w": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"mon": unitMonth, "mons": unitMonth, "month": unitMonth, "months": unitMonth,
	"y": unitYear, "yr": unitYear, "yrs": unitYear, "year": unitYear, "years": unitYear,
	"dec": unitDecade, "decs": unitDecade, "decade": unitDecade, "decades": unitDecade,
	"c": unitCentury, "cent": unitCentury, "century": unitCentury, "centuries": unitCentury,
	"mil": unitMillennium, "mils": unitMillennium, "millennium": unitMillennium, "millennia": unitMillennium,
}

// Why an interval was refused; parseInterval turns them into SQLSTATEs.
var (
	errIntervalSyntax = errors.New("syntax")
	errIntervalField  = errors.New("field out of range")
)

// parseInterval reads an interval in any of PostgreSQL's input styles.
func parseInterval(s string, style *TextStyle, mod int32) (any, error) {
	var sum intervalSum
	if field := lowestField(mod); field != nil {
		if _, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			s += " " + field.unit
		}
	}
	words, err := timeWords(s)
	if err == nil {
		err = sum.words(words, style.intervalStyle() == "sql_standard")
	}
	if errors.Is(err, errIntervalSyntax) {
		sum = intervalSum{}
		err = sum.iso(s)
	}
	switch {
	case errors.Is(err, errIntervalField):
		return nil, pgerr.New(pgerr.IntervalFieldOverflow, "interval field value out of range: \"%s\"", s)
	case err != nil:
		return nil, pgerr.New(pgerr.InvalidDatetimeFormat, "invalid input syntax for type interval: \"%s\"", s)
	}
	months := sum.years*12 + sum.months
	if months != int64(int32(months)) {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	}
	return roundInterval(Interval{Months: int32(months), Days: int32(sum.days), Micros: sum.micros}, mod), nil
}

// An intervalField is the finest field of INTERVAL … TO …, by its bit in the
// type modifier, as PostgreSQL numbers them.
type intervalField struct {
	bit   int32
	unit  string
	round func(v Interval) Interval
}

var intervalFields = []intervalField{
	{1 << 12, "seconds", func(v Interval) Interval { return v }},
	{1 << 11, "minutes", func(v Interval) Interval { v.Micros -= v.Micros % 60_000_000; return v }},
	{1 << 10, "hours", func(v Interval) Interval { v.Micros -= v.Micros % 3_600_000_000; return v }},
	{1 << 3, "days", func(v Interval) Interval { v.Micros = 0; return v }},
	{1 << 1, "months", func(v Interval) Interval { v.Micros, v.Days = 0, 0; return v }},
	{1 << 2, "years", func(v Interval) Interval { return Interval{Months: v.Months - v.Months%12} }},
}

// lowestField finds the finest field that a type modifier keeps, nil if it names none.
func lowestField(mod int32) *intervalField {
	fields := mod >> 16 & 0x7fff
	if mod < 0 || fields == 0x7fff {
		return nil
	}
	for i := range intervalFields {
		if fields&intervalFields[i].bit != 0 {
			return &intervalFields[i]
		}
	}
	return nil
}

// roundInterval applies interval(p) and the fields of INTERVAL … TO ….
func roundInterval(v Interval, mod int32) Interval {
	if field := lowestField(mod); field != nil {
		v = field.round(v)
	}
	if p := mod & 0xffff; mod >= 0 && p <= 6 {
		v.Micros = roundTo(v.Micros, p)
	}
	return v
}

// An intervalSum collects the fields of a literal (pg_itm_in).
type intervalSum struct {
	years, months, days int64 // each within int32
	micros              int64
	seen                int
}

func add64(a *int64, b int64) bool {
	c := *a + b
	if (c > *a) != (b > 0) && b != 0 {
		return false
	}
	*a = c
	return true
}

func mul64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

// add32 adds n times scale to a field of 32 bits.
func add32(field *int64, n int64, scale int32) bool {
	if n != int64(int32(n)) {
		return false
	}
	n *= int64(scale)
	sum := *field + n
	if n != int64(int32(n)) || sum != int64(int32(sum)) {
		return false
	}
	*field = sum
	return true
}

func (v *intervalSum) addFractMicros(frac float64, scale int64) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	n := int64(frac)
	if !add64(&v.micros, n) {
		return false
	}
	switch frac -= float64(n); {
	case frac > 0.5:
		return add64(&v.micros, 1)
	case frac < -0.5:
		return add64(&v.micros, -1)
	}
	return true
}

func (v *intervalSum) addFractDays(frac float64, scale int32) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	n := int64(frac)
	return add32(&v.days, n, 1) && v.addFractMicros(frac-float64(n), microsDay)
}

// add adds val + frac of a unit: fractions of years become months, those of
// months days of which a month has 30, those of days microseconds.
func (v *intervalSum) add(val int64, frac float64, u *intervalUnit) error {
	ok := true
	switch {
	case u.micros != 0:
		n, fits := mul64(val, u.micros)
		ok = fits && add64(&v.micros, n) && v.addFractMicros(frac, u.micros)
	case u == unitDay:
		ok = add32(&v.days, val, 1) && v.addFractMicros(frac, microsDay)
	case u.days != 0:
		ok = add32(&v.days, val, u.days) && v.addFractDays(frac, u.days)
	case u.months != 0:
		ok = add32(&v.months, val, 1) && v.addFractDays(frac, 30)
	default:
		ok = add32(&v.years, val, u.years) &&
			add32(&v.months, int64(math.RoundToEven(frac*float64(u.years)*12)), 1)
	}
	if !ok {
		return errIntervalField
	}
	return nil
}

// words is DecodeInterval: the words from the last to the first, so that a
// unit stands before its number.
func (v *intervalSum) words(words []timeWord, sqlStandard bool) error {
	negative := sqlStandard && len(words) > 0 && words[0].text[0] == '-'
	for i := 1; i < len(words) && negative; i++ {
		negative = words[i].text[0] != '-' && words[i].text[0] != '+'
	}
	ago := false
	unit, bare := (*intervalUnit)(nil), true // bare: no unit was named yet
	for i := len(words) - 1; i >= 0; i-- {
		w := words[i]
		bits := 0
		switch w.kind {
		case wordTime:
			if err := v.clock(w.text); err != nil {
				return err
			}
			if negative && v.micros > 0 {
				v.micros = -v.micros
			}
			unit, bare, bits = unitDay, false, bitsClock
		case wordSigned, wordDate, wordNumber:
			if w.kind == wordSigned && strings.Contains(w.text, ":") {
				saved := v.micros
				if err := v.clock(w.text[1:]); err == nil {
					if w.text[0] == '-' || negative {
						v.micros = -v.micros
					}
					unit, bare, bits = unitDay, false, bitsClock
					break
				}
				v.micros = saved
			}
			if bare {
				unit, bare = unitSecond, false
			}
			val, frac, yearMonth, err := intervalNumber(w.text)
			if err != nil {
				return err
			}
			if yearMonth {
				unit = unitMonth
			}
			if unit == nil {
				return errIntervalSyntax
			}
			if negative {
				val, frac = min(val, -val), min(frac, -frac)
			}
			if err := v.add(val, frac, unit); err != nil {
				return err
			}
			bits = unit.bit
			if unit == unitSecond && frac != 0 {
				bits = bitsSeconds
			}
			if unit == unitHour {
				unit = unitDay // for the next word
			}
		default:
			if w.text == "ago" {
				ago, unit, bare = true, nil, false
				break
			}
			u, ok := intervalUnits[w.text[:min(len(w.text), 10)]]
			if !ok {
				return errIntervalSyntax
			}
			unit, bare = u, false
		}
		if bits&v.seen != 0 {
			return errIntervalSyntax
		}
		v.seen |= bits
	}
	if v.seen == 0 {
		return errIntervalSyntax
	}
	if ago {
		if v.micros == math.MinInt64 || v.days == math.MinInt32 || v.months == math.MinInt32 || v.years == math.MinInt32 {
			return errIntervalField
		}
		v.micros, v.days, v.months, v.years = -v.micros, -v.days, -v.months, -v.years
	}
	return nil
}

// leadingInt reads the sign and digits that text starts with.
func leadingInt(text string) (n int64, rest string, err error) {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
		end++
	}
	if end == 0 || end == 1 && (text[0] == '-' || text[0] == '+') {
		return 0, text, nil // as strtol: nothing read
	}
	n, err = strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		return 0, "", errIntervalField
	}
	return n, text[end:], nil
}

// intervalNumber reads 5, 5.25 or the years-months 1-2.
func intervalNumber(text string) (val int64, frac float64, yearMonth bool, err error) {
	val, rest, err := leadingInt(text)
	switch {
	case err != nil:
		return 0, 0, false, err
	case rest == "":
		return val, 0, false, nil
	case rest[0] == '-':
		months, end, err := leadingInt(rest[1:])
		if err != nil || months < 0 || months > 11 {
			return 0, 0, false, errIntervalField
		}
		if end != "" {
			return 0, 0, false, errIntervalSyntax
		}
		if text[0] == '-' {
			months = -months
		}
		val, ok := mul64(val, 12)
		if !ok || !add64(&val, months) {
			return 0, 0, false, errIntervalField
		}
		return val, 0, true, nil
	case rest[0] == '.':
		if frac, err = fraction(rest); err != nil {
			return 0, 0, false, err
		}
		if text[0] == '-' {
			frac = -frac
		}
		return val, frac, false, nil
	}
	return 0, 0, false, errIntervalSyntax
}

// fraction reads a point and the digits behind it, if any.
func fraction(text string) (float64, error) {
	if text == "." {
		return 0, nil
	}
	if !isDigits(text[1:]) {
		return 0, errIntervalSyntax
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errIntervalSyntax
	}
	return f, nil
}

// clock reads hh:mm, hh:mm:ss[.fraction] and mm:ss.fraction.
func (v *intervalSum) clock(text string) error {
	hour, rest, err := leadingInt(text)
	if err != nil {
		return err
	}
	if rest == "" || rest[0] != ':' {
		return errIntervalSyntax
	}
	minute, rest, err := leadingInt(rest[1:])
	if err != nil {
		return err
	}
	second, frac := int64(0), 0.0
	switch {
	case rest == "":
	case rest[0] == '.':
		if frac, err = fraction(rest); err != nil {
			return err
		}
		hour, minute, second = 0, hour, minute
	case rest[0] == ':':
		if second, rest, err = leadingInt(rest[1:]); err != nil {
			return err
		}
		if rest != "" {
			if rest[0] != '.' {
				return errIntervalSyntax
			}
			if frac, err = fraction(rest); err != nil {
				return err
			}
		}
	default:
		return errIntervalSyntax
	}
	if hour < 0 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return errIntervalField
	}
	micros, ok := mul64(hour, microsHour)
	if !ok || !add64(&micros, minute*microsMinute+second*microsSecond+int64(math.RoundToEven(frac*1e6))) {
		return errIntervalField
	}
	v.micros = micros
	return nil
}
