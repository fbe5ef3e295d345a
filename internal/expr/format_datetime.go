package expr

import (
	"fmt"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A clock is a date and time, or an interval, by its fields.
type clock struct {
	year, month, day       int // year 0 is 1 BC
	hour, min, sec, micros int
	dayOfYear, weekday     int // from 1; 0 is Sunday
	east                   int // seconds
	zone                   string
	interval               bool
}

var errIntervalFormat = pgerr.New(pgerr.InvalidDatetimeFormat, "invalid format specification for an interval value").
	WithHint("Intervals are not tied to specific calendar dates.")

var (
	fullMonths = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	fullDays   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	// romanMonths begins with December, as XII must be tried before X.
	romanMonths = []string{"XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"}
)

func clockOf(local int64) clock {
	days, ofDay := pgtypes.SplitMicros(local)
	var c clock
	c.year, c.month, c.day = pgtypes.Civil(days)
	c.setTime(ofDay)
	c.dayOfYear = int(days-pgtypes.DateOf(c.year, 1, 1)) + 1
	c.weekday = pgtypes.Weekday(days)
	return c
}

func (c *clock) setTime(micros int64) {
	c.hour = int(micros / hour)
	c.min = int(micros / minute % 60)
	c.sec = int(micros / second % 60)
	c.micros = int(micros % second)
}

func timestampToChar(t int64, template string) (any, error) {
	if infinite(t) || template == "" {
		return nil, nil
	}
	c := clockOf(t)
	return boxed(c.format(template))
}

func timestamptzToChar(env *Env, t int64, template string) (any, error) {
	if infinite(t) || template == "" {
		return nil, nil
	}
	loc := env.location()
	c := clockOf(pgtypes.UTCToLocal(t, loc))
	c.zone, c.east = time.UnixMicro(t + pgtypes.EpochUnixMicros).In(loc).Zone()
	return boxed(c.format(template))
}

func intervalToChar(v span, template string) (any, error) {
	if template == "" {
		return nil, nil
	}
	c := clock{year: int(v.Months / 12), month: int(v.Months % 12), day: int(v.Days), interval: true}
	c.setTime(v.Micros)
	c.dayOfYear = (c.year*12+c.month)*30 + c.day
	return boxed(c.format(template))
}

func (c *clock) format(template string) (string, error) {
	var sb strings.Builder
	for _, n := range parseDateTemplate(template) {
		if n.key == "" {
			sb.WriteString(n.char)
			continue
		}
		text, isNumber, err := c.field(n)
		if err != nil {
			return "", err
		}
		sb.WriteString(text)
		if n.ordinal != 0 && isNumber {
			suffix, err := ordinalSuffix(text, n.ordinal)
			if err != nil {
				return "", err
			}
			sb.WriteString(suffix)
		}
	}
	return sb.String(), nil
}

// field prints one keyword; isNumber says whether TH applies to it.
func (c *clock) field(n templateNode) (text string, isNumber bool, err error) {
	padded := func(v, width int) (string, bool, error) {
		switch {
		case n.fill:
			width = 0
		case v < 0:
			width++
		}
		return fmt.Sprintf("%0*d", width, v), true, nil
	}
	key := strings.ToUpper(n.key)
	if c.interval {
		switch key {
		case "A.D.", "AD", "B.C.", "BC", "MONTH", "MON", "DAY", "DY", "D", "ID", "TZ", "TZH", "TZM", "OF":
			return "", false, errIntervalFormat
		}
	}
	switch key {
	case "FX":
		return "", false, nil
	case "A.M.", "AM", "P.M.", "PM":
		half := "A"
		if c.hour%24 >= 12 {
			half = "P"
		}
		return inCaseOf(n.key, half+key[1:]), false, nil
	case "A.D.", "AD", "B.C.", "BC":
		dot := strings.Repeat(".", (len(key)-2)/2)
		if c.year <= 0 {
			return inCaseOf(n.key, "B"+dot+"C"+dot), false, nil
		}
		return inCaseOf(n.key, "A"+dot+"D"+dot), false, nil
	case "HH", "HH12":
		h := c.hour % 12
		if h == 0 {
			h = 12
		}
		width := 2
		if c.hour < 0 && h >= 0 {
			width = 3
		}
		return padded(h, width)
	case "HH24":
		return padded(c.hour, 2)
	case "MI":
		return padded(c.min, 2)
	case "SS":
		return padded(c.sec, 2)
	case "MS":
		return fmt.Sprintf("%03d", c.micros/1000), true, nil
	case "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		digits := 6
		if key != "US" {
			digits = int(key[2] - '0')
		}
		v := c.micros
		for range 6 - digits {
			v /= 10
		}
		return fmt.Sprintf("%0*d", digits, v), true, nil
	case "SSSS", "SSSSS":
		return fmt.Sprint(c.hour*3600 + c.min*60 + c.sec), true, nil
	case "TZ":
		if n.key == "tz" {
			return strings.ToLower(c.zone), false, nil
		}
		return c.zone, false, nil
	case "TZH":
		return c.zoneSign() + fmt.Sprintf("%02d", abs(c.east)/3600), false, nil
	case "TZM":
		return fmt.Sprintf("%02d", abs(c.east)/60%60), false, nil
	case "OF":
		h, _, _ := padded(abs(c.east)/3600, 2)
		if m := abs(c.east) / 60 % 60; abs(c.east)%3600 != 0 {
			h += fmt.Sprintf(":%02d", m)
		}
		return c.zoneSign() + h, false, nil
	case "Q":
		if c.month == 0 {
			return "", false, nil
		}
		return fmt.Sprint((c.month-1)/3 + 1), true, nil
	case "MONTH", "MON", "DAY", "DY", "RM":
		return c.name(n, key), false, nil
	}
	return c.dateNumber(key, padded)
}

func (c *clock) zoneSign() string {
	if c.east < 0 {
		return "-"
	}
	return "+"
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// inCaseOf writes an upper-case text as the keyword is written.
func inCaseOf(key, upper string) string {
	if strings.ToLower(key) == key {
		return strings.ToLower(upper)
	}
	return upper
}

// name prints the name of a month or day, padded unless FM or TM says not to.
func (c *clock) name(n templateNode, key string) string {
	var text string
	width := 0
	switch key {
	case "MONTH", "MON":
		if c.month == 0 {
			return ""
		}
		text, width = fullMonths[c.month-1], 9
	case "DAY", "DY":
		text, width = fullDays[c.weekday], 9
	case "RM":
		if c.month == 0 && c.year == 0 {
			return ""
		}
		at := 12 - c.month
		switch {
		case c.month == 0 && c.year >= 0:
			at = 0
		case c.month == 0:
			at = 11
		case c.month < 0:
			at = -1 - c.month
		}
		text, width = inCaseOf(n.key, romanMonths[at]), 4
	}
	if key == "MON" || key == "DY" {
		text, width = text[:3], 0
	}
	if n.fill || n.char == "TM" && key != "RM" {
		width = 0
	}
	switch {
	case n.key == key:
		text = strings.ToUpper(text)
	case n.key[0] >= 'a':
		text = strings.ToLower(text)
	}
	return fmt.Sprintf("%-*s", width, text)
}

// dateNumber prints the keywords that count years, months, weeks and days.
func (c *clock) dateNumber(key string, padded func(v, width int) (string, bool, error)) (string, bool, error) {
	year := func(y int) int { // as it is written: 1 BC is 1
		if !c.interval && y <= 0 {
			return 1 - y
		}
		return y
	}
	days := pgtypes.DateOf(c.year, c.month, c.day)
	isoYear, week := isoWeek(days)
	y := year(c.year)
	if key[0] == 'I' {
		y = year(isoYear)
	}
	fixed := func(v, width int) (string, bool, error) { // a minus takes one of the places
		if v < 0 {
			width--
		}
		return padded(v, width)
	}
	switch key {
	case "MM":
		return padded(c.month, 2)
	case "DDD":
		return fixed(c.dayOfYear, 3)
	case "IDDD":
		return fixed(int(days-isoYearStart(isoYear))+1, 3)
	case "DD":
		return fixed(c.day, 2)
	case "D":
		return fmt.Sprint(c.weekday + 1), true, nil
	case "ID":
		return fmt.Sprint((c.weekday+6)%7 + 1), true, nil
	case "WW":
		return fixed((c.dayOfYear-1)/7+1, 2)
	case "IW":
		return fixed(week, 2)
	case "W":
		return fmt.Sprint((c.day-1)/7 + 1), true, nil
	case "CC":
		century := c.year / 100
		if !c.interval {
			century = (c.year-1)/100 + 1
			if c.year <= 0 {
				century = c.year/100 - 1
			}
		}
		if abs(century) > 99 {
			return fmt.Sprint(century), true, nil
		}
		return padded(century, 2)
	case "Y,YYY":
		return fmt.Sprintf("%d,%03d", y/1000, y%1000), true, nil
	case "YYYY", "IYYY":
		return padded(y, 4)
	case "YYY", "IYY":
		return paddedLike(y, y%1000, 3, padded)
	case "YY", "IY":
		return paddedLike(y, y%100, 2, padded)
	case "Y", "I":
		return fmt.Sprint(y % 10), true, nil
	case "J":
		return fmt.Sprint(days + julianEpoch), true, nil
	}
	panic("BUG: no field " + key)
}

// paddedLike prints a part of a number, as wide as the number's sign asks.
func paddedLike(whole, part, width int, padded func(v, width int) (string, bool, error)) (string, bool, error) {
	if whole < 0 && part == 0 {
		width++
	}
	return padded(part, width)
}

// julianEpoch is the Julian day of 2000-01-01.
const julianEpoch = 2_451_545

// isoYearStart gives the Monday of an ISO year's first week.
func isoYearStart(year int) int64 {
	fourth := pgtypes.DateOf(year, 1, 4)
	return fourth - int64(pgtypes.Weekday(fourth)+6)%7
}
