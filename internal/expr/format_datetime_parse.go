package expr

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// A dateReader takes fields from a text as a template says. Fields are by
// name; 0 is not given, as in PostgreSQL.
type dateReader struct {
	text, rest string
	fixed      bool // FX was seen
	skipped    int  // characters skipped beyond those of the template
	fields     map[string]int
	iso, civil bool // conventions of the keywords seen
	twelve     bool // the hour is of a 12-hour clock
	yearDigits int
	zoneSign   int
}

func dateSyntax(format string, args ...any) *pgerr.Error {
	return pgerr.New(pgerr.InvalidDatetimeFormat, format, args...)
}

func (r *dateReader) read(template string) error {
	nodes := parseDateTemplate(template)
	for i, n := range nodes {
		if r.rest == "" {
			return nil
		}
		if !r.fixed && n.key != "FX" && n.key != "fx" && (n.key != "" || i == 0) {
			r.skipSpaces()
		}
		if r.rest == "" && n.key == "" { // a field asked of nothing fails below
			return nil
		}
		if n.key == "" {
			r.character(n)
			continue
		}
		if err := r.keyword(n, strings.ToUpper(n.key), digitFollows(nodes[i:])); err != nil {
			return err
		}
		if !r.fixed {
			r.skipped = 0
			r.skipSpaces()
		}
	}
	return nil
}

func (r *dateReader) skipSpaces() {
	for r.rest != "" && asciiSpace(r.rest[0]) {
		r.rest = r.rest[1:]
		r.skipped++
	}
}

// character matches one that is no keyword: anything will do.
func (r *dateReader) character(n templateNode) {
	switch {
	case r.fixed:
	case n.separator:
		r.skipped--
		if c := r.rest[:1]; !separatorChar(c) && !asciiSpace(c[0]) {
			return
		}
		r.skipped++
	case r.skipped > 0:
		r.skipped--
		return
	}
	_, r.rest = cutRune(r.rest)
}

// digitFollows: the next item of the template may begin with a digit, so that
// a number ends at its width.
func digitFollows(nodes []templateNode) bool {
	if nodes[0].ordinal != 0 || len(nodes) == 1 {
		return false
	}
	next := nodes[1]
	if next.key == "" {
		return len(next.char) == 1 && next.char[0] >= '0' && next.char[0] <= '9'
	}
	switch strings.ToUpper(next.key) {
	case "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "DAY", "DY", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6",
		"FX", "MONTH", "MON", "OF", "P.M.", "PM", "RM", "TZH", "TZ":
		return false
	}
	return true
}

func (r *dateReader) set(field string, v int, n templateNode) error {
	if old := r.fields[field]; old != 0 && old != v {
		return dateSyntax(`conflicting values for "%s" field in formatting string`, n.key).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	r.fields[field] = v
	return nil
}

// number reads an integer of a width and gives how many bytes it took.
func (r *dateReader) number(field string, width int, n templateNode, digitNext bool) (int, error) {
	init := r.rest
	s := strings.TrimLeft(init, " \t\n\v\f\r")
	shown := s[:min(width, len(s))]
	const hint = `If your source string is not fixed-width, try using the "FM" modifier.`
	var digits string
	if n.fill || !digitNext {
		digits = s[:integerLength(s)]
	} else {
		if len(s) < width {
			return 0, dateSyntax(`source string too short for "%s" formatting field`, n.key).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(s)).WithHint(hint)
		}
		digits = shown[:integerLength(shown)]
		if used := len(shown) - len(strings.TrimLeft(shown, " \t\n\v\f\r")) + len(digits); digits != "" && used < width {
			return 0, dateSyntax(`invalid value "%s" for "%s"`, shown, n.key).
				WithDetail("Field requires %d characters, but only %d could be parsed.", width, used).WithHint(hint)
		}
	}
	if digits == "" {
		return 0, dateSyntax(`invalid value "%s" for "%s"`, shown, n.key).WithDetail("Value must be an integer.")
	}
	r.rest = s[len(digits):]
	v, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, `value for "%s" in source string is out of range`, n.key).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	if field == "" {
		return len(init) - len(r.rest), nil
	}
	return len(init) - len(r.rest), r.set(field, int(v), n)
}

func integerLength(s string) int {
	i := 0
	if s != "" && (s[0] == '+' || s[0] == '-') {
		i = 1
	}
	start := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == start {
		return 0
	}
	return i
}

// word reads one of some words in any case and gives its place.
func (r *dateReader) word(words []string, n templateNode) (int, error) {
	for i, w := range words {
		if len(r.rest) >= len(w) && strings.EqualFold(r.rest[:len(w)], w) {
			r.rest = r.rest[len(w):]
			return i, nil
		}
	}
	shown := r.rest
	if i := strings.IndexAny(shown, " \t\n\r\f\v"); i >= 0 {
		shown = shown[:i]
	}
	return 0, dateSyntax(`invalid value "%s" for "%s"`, shown, n.key).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func abbreviated(names []string) []string {
	short := slices.Clone(names)
	for i := range short {
		short[i] = short[i][:3]
	}
	return short
}

// numberFields are the keywords that are a number and nothing more.
var numberFields = map[string]struct {
	field string
	width int
}{
	"HH24": {"hour", 2}, "MI": {"min", 2}, "SS": {"sec", 2}, "SSSS": {"ssss", 5}, "SSSSS": {"ssss", 5},
	"MM": {"month", 2}, "DDD": {"yday", 3}, "IDDD": {"yday", 3}, "DD": {"day", 2}, "D": {"wday", 1},
	"WW": {"week", 2}, "IW": {"week", 2}, "Q": {"", 1}, "CC": {"century", 2}, "W": {"monthweek", 1}, "J": {"julian", 1},
}

func (r *dateReader) keyword(n templateNode, key string, digitNext bool) error {
	switch key {
	case "D", "DD", "DDD", "MM", "MON", "MONTH", "RM", "WW", "W", "Y", "YY", "YYY", "YYYY", "Y,YYY":
		r.civil = true
	case "ID", "IDDD", "IW", "I", "IY", "IYY", "IYYY":
		r.iso = true
	}
	if r.civil && r.iso {
		return dateSyntax("invalid combination of date conventions").
			WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
	}
	var err error
	var at int
	if f, ok := numberFields[key]; ok {
		_, err = r.number(f.field, f.width, n, digitNext)
		return r.skipOrdinal(n, err)
	}
	switch key {
	case "FX":
		r.fixed = true
	case "A.M.", "P.M.", "AM", "PM":
		words := []string{"am", "pm"}
		if len(key) == 4 {
			words = []string{"a.m.", "p.m."}
		}
		r.twelve = true
		if at, err = r.word(words, n); err == nil {
			err = r.set("pm", at, n)
		}
		return err
	case "A.D.", "B.C.", "AD", "BC":
		words := []string{"ad", "bc"}
		if len(key) == 4 {
			words = []string{"a.d.", "b.c."}
		}
		if at, err = r.word(words, n); err == nil {
			err = r.set("bc", at, n)
		}
		return err
	case "HH", "HH12":
		r.twelve = true
		_, err = r.number("hour", 2, n, digitNext)
		return r.skipOrdinal(n, err)
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return r.skipOrdinal(n, r.fraction(n, key, digitNext))
	case "TZ", "OF":
		return pgerr.New(pgerr.FeatureNotSupported, `formatting field "%s" is only supported in to_char`, n.key)
	case "TZH":
		r.zoneSign = 1
		switch {
		case r.rest != "" && strings.IndexByte("+- ", r.rest[0]) >= 0:
			if r.rest[0] == '-' {
				r.zoneSign = -1
			}
			r.rest = r.rest[1:]
		case r.skipped > 0 && r.text[len(r.text)-len(r.rest)-1] == '-':
			r.zoneSign = -1
		}
		_, err = r.number("zonehour", 2, n, digitNext)
	case "TZM":
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
		_, err = r.number("zoneminute", 2, n, digitNext)
	case "MONTH", "MON":
		names := fullMonths
		if key == "MON" {
			names = abbreviated(names)
		}
		if at, err = r.word(names, n); err == nil {
			err = r.set("month", at+1, n)
		}
	case "DAY", "DY":
		names := fullDays
		if key == "DY" {
			names = abbreviated(names)
		}
		if at, err = r.word(names, n); err == nil {
			err = r.set("wday", at+1, n)
		}
	case "RM":
		if at, err = r.word(romanMonths, n); err == nil {
			err = r.set("month", 12-at, n)
		}
	case "ID":
		if _, err = r.number("wday", 1, n, digitNext); err == nil {
			r.fields["wday"] = r.fields["wday"]%7 + 1 // Sunday is 1
		}
		return r.skipOrdinal(n, err)
	default:
		return r.skipOrdinal(n, r.year(n, key, digitNext))
	}
	return err
}

// skipOrdinal passes over the two letters of TH.
func (r *dateReader) skipOrdinal(n templateNode, err error) error {
	if n.ordinal == 0 || err != nil {
		return err
	}
	for range 2 {
		if r.rest != "" {
			_, r.rest = cutRune(r.rest)
		}
	}
	return nil
}

// fraction reads milliseconds or microseconds as digits after the point.
func (r *dateReader) fraction(n templateNode, key string, digitNext bool) error {
	field, width, full := "us", 6, 6
	switch {
	case key == "MS":
		field, width, full = "ms", 3, 3
	case key != "US":
		width = int(key[2] - '0')
	}
	used, err := r.number(field, width, n, digitNext)
	for ; err == nil && used < full; used++ {
		r.fields[field] *= 10
	}
	return err
}

func (r *dateReader) year(n templateNode, key string, digitNext bool) error {
	if key == "Y,YYY" {
		before, after, ok := strings.Cut(strings.TrimLeft(r.rest, " "), ",")
		length := min(integerLength(after), 3)
		thousands, err := strconv.Atoi(before)
		if !ok || length == 0 || err != nil {
			return dateSyntax(`invalid input string for "Y,YYY"`)
		}
		years, err := strconv.Atoi(after[:length])
		if err != nil {
			return dateSyntax(`invalid input string for "Y,YYY"`)
		}
		r.rest, r.yearDigits = after[length:], 4
		return r.set("year", thousands*1000+years, n)
	}
	r.yearDigits = len(strings.TrimPrefix(key, "I"))
	if key[0] == 'I' {
		r.yearDigits = len(key)
	}
	used, err := r.number("year", r.yearDigits, n, digitNext)
	if err == nil && r.yearDigits < 4 && used < 4 {
		y := r.fields["year"]
		switch {
		case y < 70:
			y += 2000
		case y < 100:
			y += 1900
		case y < 520:
			y += 2000
		case y < 1000:
			y += 1000
		}
		r.fields["year"] = y
	}
	return err
}

func readDate(text, template string) (*dateReader, error) {
	r := &dateReader{text: text, rest: text, fields: make(map[string]int)}
	return r, r.read(template)
}

func (r *dateReader) outOfRange() error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, `date/time field value out of range: "%s"`, r.text)
}

// ofDay gives the time in microseconds.
func (r *dateReader) ofDay() (int64, error) {
	f := r.fields
	h, m, s := f["ssss"]/3600, f["ssss"]/60%60, f["ssss"]%60
	for _, part := range []struct {
		to   *int
		from string
	}{{&h, "hour"}, {&m, "min"}, {&s, "sec"}} {
		if f[part.from] != 0 {
			*part.to = f[part.from]
		}
	}
	if r.twelve {
		if h < 1 || h > 12 {
			return 0, dateSyntax(`hour "%d" is invalid for the 12-hour clock`, h).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		h = h%12 + 12*f["pm"]
	}
	micros := int64(f["ms"])*1000 + int64(f["us"])
	if h < 0 || h >= 24 || m < 0 || m >= 60 || s < 0 || s >= 60 || micros < 0 || micros >= second {
		return 0, r.outOfRange()
	}
	return int64(h)*hour + int64(m)*minute + int64(s)*second + micros, nil
}

// date gives the days since 2000-01-01.
func (r *dateReader) date() (int64, error) {
	f := r.fields
	year, month, dayOfMonth := 0, 1, 1
	hasYear, hasMonth, hasDay := true, false, false
	century := f["century"]
	if f["bc"] != 0 {
		century = -century
	}
	switch {
	case f["year"] != 0 && century != 0 && r.yearDigits <= 2:
		switch year = f["year"] % 100; {
		case year == 0 && century >= 0:
			year = century * 100
		case year == 0:
			year = century*100 + 1
		case century >= 0:
			year += (century - 1) * 100
		default:
			year = (century+1)*100 - year + 1
		}
	case f["year"] != 0:
		if year = f["year"]; f["bc"] != 0 {
			year = -year
		}
		if year < 0 {
			year++
		}
	case century > 0:
		year = (century-1)*100 + 1
	case century < 0:
		year = century*100 + 1
	default:
		hasYear = false
	}
	civil := func(days int64) {
		year, month, dayOfMonth = pgtypes.Civil(days)
		hasYear, hasMonth, hasDay = true, true, true
	}
	if f["julian"] != 0 {
		civil(int64(f["julian"]) - julianEpoch)
	}
	yearDay := f["yday"]
	if week := int64(f["week"]); week != 0 {
		if r.iso {
			days := isoYearStart(year) + (week-1)*7
			if d := int64(f["wday"]); d > 1 {
				days += d - 2
			} else if d == 1 {
				days += 6
			}
			civil(days)
		} else {
			yearDay = int(week-1)*7 + 1
		}
	}
	d := f["day"]
	if f["monthweek"] != 0 {
		d = (f["monthweek"]-1)*7 + 1
	}
	if d != 0 {
		dayOfMonth, hasDay = d, true
	}
	if f["month"] != 0 {
		month, hasMonth = f["month"], true
	}
	if yearDay != 0 && (month <= 1 || dayOfMonth <= 1) {
		if year == 0 && f["bc"] == 0 {
			return 0, dateSyntax("cannot calculate day of year without year information")
		}
		if r.iso {
			civil(isoYearStart(year) + int64(yearDay) - 1)
		} else {
			m := 1
			start := func(m int) int { return int(pgtypes.DateOf(year, m, 1) - pgtypes.DateOf(year, 1, 1)) }
			for m < 13 && yearDay > start(m+1) {
				m++
			}
			if month <= 1 {
				month = m
			}
			if dayOfMonth <= 1 {
				dayOfMonth = yearDay - start(m)
			}
			hasMonth, hasDay = true, true
		}
	}
	if hasMonth && (month < 1 || month > 12) || hasDay && (dayOfMonth < 1 || dayOfMonth > 31) {
		return 0, r.outOfRange()
	}
	if hasYear && hasMonth && hasDay {
		if _, m, _ := pgtypes.Civil(pgtypes.DateOf(year, month, dayOfMonth)); m != month {
			return 0, r.outOfRange()
		}
	}
	return pgtypes.DateOf(year, month, dayOfMonth), nil
}

func toDate(text, template string) (any, error) {
	r, err := readDate(text, template)
	if err != nil {
		return nil, err
	}
	days, err := r.date()
	if err != nil {
		return nil, err
	}
	if _, err := r.ofDay(); err != nil {
		return nil, err
	}
	if _, err := r.zone(); err != nil {
		return nil, err
	}
	if days < minTimestamp/day || days > 2145031948 {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, `date out of range: "%s"`, text)
	}
	return days, nil
}

func textToTimestamp(env *Env, text, template string) (any, error) {
	r, err := readDate(text, template)
	if err != nil {
		return nil, err
	}
	ofDay, err := r.ofDay()
	if err != nil {
		return nil, err
	}
	days, err := r.date()
	if err != nil {
		return nil, err
	}
	local, ok := mulInt(days, day)
	if ok {
		local, ok = addInt(local, ofDay)
	}
	if !ok {
		return nil, errTimestampRange
	}
	if r.zoneSign == 0 {
		return boxed(checkTimestamp(pgtypes.LocalToUTC(local, env.location()), true))
	}
	east, err := r.zone()
	if err != nil {
		return nil, err
	}
	return boxed(checkTimestamp(local-east, true))
}

// zone gives the microseconds east of UTC.
func (r *dateReader) zone() (int64, error) {
	h, m := int64(r.fields["zonehour"]), int64(r.fields["zoneminute"])
	if h < 0 || h > 15 || m < 0 || m >= 60 {
		return 0, pgerr.New(pgerr.TimeZoneDisplacement, `time zone displacement out of range: "%s"`, r.text)
	}
	return int64(r.zoneSign) * (h*hour + m*minute), nil
}
