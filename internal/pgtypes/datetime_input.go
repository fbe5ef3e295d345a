package pgtypes

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A dateTime is what a date or time literal said.
type dateTime struct {
	days    int64
	hasDate bool
	ofDay   int64 // microseconds; 24:00:00 is allowed
	hasTime bool
	zone    *time.Location // nil: none given
	special string         // infinity, -infinity, or a word for a day
	bc      bool
}

func invalidDate(typ, s string) *pgerr.Error {
	return pgerr.New(pgerr.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typ, s)
}

func outOfRange(s string) *pgerr.Error {
	return pgerr.New(pgerr.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", s)
}

var monthWords = map[string]int{
	"jan": 1, "january": 1, "feb": 2, "february": 2, "mar": 3, "march": 3, "apr": 4, "april": 4, "may": 5,
	"jun": 6, "june": 6, "jul": 7, "july": 7, "aug": 8, "august": 8, "sep": 9, "sept": 9, "september": 9,
	"oct": 10, "october": 10, "nov": 11, "november": 11, "dec": 12, "december": 12,
}

var dayWords = map[string]bool{
	"sun": true, "sunday": true, "mon": true, "monday": true, "tue": true, "tues": true, "tuesday": true,
	"wed": true, "weds": true, "wednesday": true, "thu": true, "thur": true, "thurs": true, "thursday": true,
	"fri": true, "friday": true, "sat": true, "saturday": true,
}

// parseDateTime reads dates and times in any of the accepted layouts.
func parseDateTime(typ, s string, style *TextStyle) (dateTime, error) {
	var d dateTime
	text := strings.Trim(s, spaces)
	lower := strings.ToLower(text)
	switch lower {
	case "infinity", "+infinity":
		d.special = "infinity"
		return d, nil
	case "-infinity":
		d.special = lower
		return d, nil
	case "epoch", "now":
		d.special = lower
		return d, nil
	}
	if text == "" {
		return d, invalidDate(typ, s)
	}
	var nums []string // numbers of a date given by words
	month, pm := 0, ""
	for _, w := range dateFields(text) {
		lw := strings.ToLower(w)
		switch {
		case lw == "bc":
			d.bc = true
		case lw == "ad":
		case lw == "am" || lw == "pm":
			pm = lw
		case lw == "t" && d.hasDate:
		case lw == "today" || lw == "tomorrow" || lw == "yesterday":
			today, _ := SplitMicros(UTCToLocal(style.now(), style.location()))
			d.days, d.hasDate = today+map[string]int64{"today": 0, "tomorrow": 1, "yesterday": -1}[lw], true
		case lw == "allballs":
			d.hasTime, d.zone = true, time.UTC
		case monthWords[lw] != 0:
			month = monthWords[lw]
		case dayWords[lw]:
		case strings.Contains(w, ":") && w[0] >= '0' && w[0] <= '9':
			micros, ok := parseClock(w)
			if !ok || d.hasTime {
				return d, invalidDate(typ, s)
			}
			if micros < 0 {
				return d, outOfRange(s)
			}
			d.ofDay, d.hasTime = micros, true
		case (w[0] == '+' || w[0] == '-') && (d.hasTime || d.hasDate):
			zone, ok := parseOffset(w)
			if !ok {
				return d, invalidDate(typ, s)
			}
			d.zone = zone
		case w[0] >= '0' && w[0] <= '9' && strings.ContainsAny(w, "-/."):
			if d.hasDate {
				return d, invalidDate(typ, s)
			}
			if err := d.numericDate(w, s, typ, style); err != nil {
				return d, err
			}
		case w[0] >= '0' && w[0] <= '9':
			if len(w) == 8 && month == 0 && !d.hasDate && isDigits(w) { // 20240131
				if err := d.setDate(w[:4], w[4:6], w[6:], s); err != nil {
					return d, err
				}
				continue
			}
			if (len(w) == 6 || len(w) == 4) && d.hasDate && !d.hasTime && isDigits(w) { // 040506
				clock := w[:2] + ":" + w[2:4]
				if len(w) == 6 {
					clock += ":" + w[4:]
				}
				micros, ok := parseClock(clock)
				if !ok || micros < 0 {
					return d, outOfRange(s)
				}
				d.ofDay, d.hasTime = micros, true
				continue
			}
			nums = append(nums, strings.TrimRight(w, ","))
		default:
			zone, ok := zoneByName(w)
			if !ok {
				if strings.Contains(w, "/") {
					return d, pgerr.New(pgerr.InvalidParameterValue, "time zone \"%s\" not recognized", strings.ToLower(w))
				}
				return d, invalidDate(typ, s)
			}
			d.zone = zone
		}
	}
	if month != 0 {
		if err := d.wordDate(month, nums, s, typ); err != nil {
			return d, err
		}
	} else if len(nums) > 0 {
		return d, invalidDate(typ, s)
	}
	if pm != "" {
		hour := d.ofDay / microsHour
		if !d.hasTime || hour > 12 || hour == 0 {
			return d, outOfRange(s)
		}
		if pm == "pm" && hour != 12 {
			d.ofDay += 12 * microsHour
		} else if pm == "am" && hour == 12 {
			d.ofDay -= 12 * microsHour
		}
	}
	return d, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// dateFields splits a literal: at blanks, at the T between date and time, and
// before a zone that follows the time without a blank.
func dateFields(s string) []string {
	var fields []string
	start := 0
	flush := func(end int) {
		if w := strings.Trim(s[start:end], ", "); w != "" {
			fields = append(fields, w)
		}
		start = end
	}
	class := func(c byte) byte {
		switch {
		case c >= '0' && c <= '9', c == '.', c == ':':
			return '0'
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '/':
			return 'a'
		default:
			return c
		}
	}
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(spaces, s[i]) >= 0 || s[i] == ',' {
			flush(i)
			start = i + 1
			continue
		}
		if i == start {
			continue
		}
		word := s[start:i]
		prev, cur := class(s[i-1]), class(s[i])
		clock := strings.Contains(word, ":")
		switch {
		case (s[i] == '+' || s[i] == '-') && clock: // 12:00-05
			flush(i)
		case s[i] == '+' && prev == '0':
			flush(i)
		case prev == '0' && cur == 'a' && s[i] != '/' && !startsWithLetter(word): // 2024-01-01T…, 12:00Z, 12pm
			flush(i)
		case prev == 'a' && cur == '0' && (word == "T" || word == "t"): // T12:00
			flush(i)
		case s[i] == '-' && startsWithLetter(word) && prev == 'a' && i+1 < len(s) && monthWords[strings.ToLower(word)] != 0:
			flush(i) // Jan-08
			start = i + 1
		case s[i] == '-' && prev == '0' && i+1 < len(s) && class(s[i+1]) == 'a': // 08-Jan
			flush(i)
			start = i + 1
		}
	}
	flush(len(s))
	return fields
}

func startsWithLetter(s string) bool {
	return s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z')
}

// numericDate reads 2024-01-31, 1/31/2024, 31.1.2024.
func (d *dateTime) numericDate(w, s, typ string, style *TextStyle) error {
	parts := strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	if len(parts) == 2 && strings.Contains(w, ".") && len(parts[0]) == 4 { // 2024.031: day of year
		year, _ := strconv.Atoi(parts[0])
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < 1 || n > 366 {
			return outOfRange(s)
		}
		d.days, d.hasDate = DateOf(year, 1, 1)+int64(n-1), true
		return nil
	}
	if len(parts) != 3 {
		return invalidDate(typ, s)
	}
	switch {
	case len(parts[0]) > 2 || style.order() == "YMD":
		return d.setDate(parts[0], parts[1], parts[2], s)
	case style.order() == "DMY":
		return d.setDate(parts[2], parts[1], parts[0], s)
	default:
		return d.setDate(parts[2], parts[0], parts[1], s)
	}
}

// wordDate reads the numbers of January 8, 1999 and of 8 Jan 1999.
func (d *dateTime) wordDate(month int, nums []string, s, typ string) error {
	if len(nums) != 2 {
		return invalidDate(typ, s)
	}
	day, year := nums[0], nums[1]
	if len(day) > 2 {
		day, year = year, day
	}
	return d.setDate(year, strconv.Itoa(month), day, s)
}

func (d *dateTime) setDate(year, month, day, s string) error {
	y, err1 := strconv.Atoi(year)
	m, err2 := strconv.Atoi(month)
	dd, err3 := strconv.Atoi(day)
	if err1 != nil || err2 != nil || err3 != nil {
		return invalidDate("date", s)
	}
	if len(year) <= 2 {
		if y < 70 {
			y += 2000
		} else {
			y += 1900
		}
	}
	if d.bc || strings.HasSuffix(strings.ToLower(strings.TrimSpace(s)), " bc") {
		y = 1 - y
	} else if y == 0 {
		return outOfRange(s)
	}
	if m < 1 || m > 12 || dd < 1 || dd > DaysInMonth(y, m) {
		return outOfRange(s)
	}
	if y < -4712 || y > 294276 && y > 5874897 {
		return outOfRange(s)
	}
	d.days, d.hasDate = DateOf(y, m, dd), true
	return nil
}

// DaysInMonth gives the number of days of a month.
func DaysInMonth(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// parseClock reads hh:mm[:ss[.fraction]]; -1 stands for a field out of range.
func parseClock(w string) (micros int64, ok bool) {
	parts := strings.Split(w, ":")
	if len(parts) < 2 || len(parts) > 3 || !isDigits(parts[0]) {
		return 0, false
	}
	h, err := strconv.ParseInt(parts[0], 10, 32)
	if err != nil {
		return 0, false
	}
	mm, frac, _ := strings.Cut(parts[1], ".")
	if len(parts) == 2 && frac != "" { // mm:ss.fraction
		return clockFields(0, parts[0], mm+"."+frac)
	}
	if len(parts) == 2 {
		return clockFields(h, parts[1], "0")
	}
	return clockFields(h, parts[1], parts[2])
}

func clockFields(h int64, minutes, seconds string) (int64, bool) {
	m, err := strconv.ParseInt(minutes, 10, 32)
	if err != nil {
		return 0, false
	}
	whole, frac, _ := strings.Cut(seconds, ".")
	sec, err := strconv.ParseInt(whole, 10, 32)
	if err != nil || frac != "" && !isDigits(frac) {
		return 0, false
	}
	micros := int64(0)
	if frac != "" {
		f, err := strconv.ParseFloat("0."+frac, 64)
		if err != nil {
			return 0, false
		}
		micros = int64(math.RoundToEven(f * 1e6))
	}
	total := h*microsHour + m*microsMinute + sec*microsSecond + micros
	if m > 59 || sec > 60 || total > microsDay || h < 0 || m < 0 || sec < 0 {
		return -1, true
	}
	return total, true
}

// parseOffset reads +hh, +hhmm, +hh:mm, +hh:mm:ss.
func parseOffset(w string) (*time.Location, bool) {
	sign := 1
	if w[0] == '-' {
		sign = -1
	}
	digits := w[1:]
	parts := strings.Split(digits, ":")
	if len(parts) == 1 && isDigits(digits) && len(digits) > 2 {
		parts = []string{digits[:len(digits)-2], digits[len(digits)-2:]}
	}
	seconds := 0
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || i > 2 || n > 59 && i > 0 {
			return nil, false
		}
		seconds += n * []int{3600, 60, 1}[i]
	}
	if seconds > 15*3600+59*60+59 {
		return nil, false
	}
	return time.FixedZone("", sign*seconds), true
}

// zoneAbbreviations are those that PostgreSQL knows by default and that people use.
var zoneAbbreviations = map[string]int{
	"z": 0, "utc": 0, "gmt": 0, "zulu": 0, "ut": 0, "wet": 0,
	"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
	"cet": 1, "cest": 2, "eet": 2, "eest": 3, "bst": 1, "msk": 3, "jst": 9, "akst": -9, "akdt": -8, "hst": -10,
}

// zoneByName finds a zone by abbreviation or full name, in any case.
func zoneByName(name string) (*time.Location, bool) {
	lower := strings.ToLower(name)
	if hours, ok := zoneAbbreviations[lower]; ok {
		if hours == 0 {
			return time.UTC, true
		}
		return time.FixedZone(strings.ToUpper(name), hours*3600), true
	}
	return LoadZone(name)
}

// LoadZone finds a zone of the tz database by its name in any case, or an
// offset as SET TIME ZONE takes it.
func LoadZone(name string) (*time.Location, bool) {
	if name == "" {
		return nil, false
	}
	switch strings.ToLower(name) {
	case "utc", "gmt", "zulu", "etc/utc", "universal", "greenwich":
		return time.UTC, true
	case "local":
		return nil, false
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc, true
	}
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '/' })
	for i, p := range parts {
		words := strings.Split(p, "_")
		for k, w := range words {
			if w != "" && w != "of" && w != "es" {
				words[k] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
		parts[i] = strings.Join(words, "_")
	}
	if loc, err := time.LoadLocation(strings.Join(parts, "/")); err == nil {
		return loc, true
	}
	if loc, err := time.LoadLocation(strings.ToUpper(name)); err == nil {
		return loc, true
	}
	return offsetZone(name)
}

// offsetZone reads +02 or -03:30, hours west of Greenwich as POSIX has it.
func offsetZone(name string) (*time.Location, bool) {
	if name[0] != '+' && name[0] != '-' {
		return nil, false
	}
	hours, minutes, _ := strings.Cut(name[1:], ":")
	h, err := strconv.ParseUint(hours, 10, 8)
	m := uint64(0)
	if err == nil && minutes != "" {
		m, err = strconv.ParseUint(minutes, 10, 8)
	}
	if err != nil || h > 15 || m > 59 {
		return nil, false
	}
	east := -int(h*3600 + m*60)
	if name[0] == '-' {
		east = -east
	}
	return time.FixedZone(name, east), true
}

func parseTimestamp(s string, style *TextStyle, t Type) (any, error) {
	typ := "timestamp"
	if t.OID == Timestamptz {
		typ = "timestamp with time zone"
	}
	d, err := parseDateTime(typ, s, style)
	if err != nil {
		return nil, err
	}
	switch d.special {
	case "infinity":
		return NoEnd, nil
	case "-infinity":
		return NoBegin, nil
	case "epoch":
		return -EpochUnixMicros, nil
	case "now":
		if t.OID == Timestamp {
			return UTCToLocal(style.now(), style.location()), nil
		}
		return style.now(), nil
	}
	if !d.hasDate {
		return nil, invalidDate(typ, s)
	}
	if d.days > lastDay || d.days < -lastDay {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", s)
	}
	micros := RoundMicros(d.days*microsDay+d.ofDay, t.Mod)
	if t.OID == Timestamptz {
		zone := d.zone
		if zone == nil {
			zone = style.location()
		}
		return LocalToUTC(micros, zone), nil
	}
	return micros, nil
}

// RoundMicros rounds to the precision of timestamp(p); -1 keeps all six digits.
func RoundMicros(micros int64, mod int32) int64 {
	if mod < 0 || mod >= 6 || micros == NoBegin || micros == NoEnd {
		return micros
	}
	return roundTo(micros, mod)
}

// roundTo rounds half away from zero to a number of digits of a second.
func roundTo(micros int64, digits int32) int64 {
	scale := int64(1)
	for range 6 - digits {
		scale *= 10
	}
	if micros >= 0 {
		return (micros + scale/2) / scale * scale
	}
	return -((-micros + scale/2) / scale * scale)
}

func parseDate(s string, style *TextStyle) (any, error) {
	d, err := parseDateTime("date", s, style)
	if err != nil {
		return nil, err
	}
	switch d.special {
	case "infinity":
		return NoEnd, nil
	case "-infinity":
		return NoBegin, nil
	case "epoch":
		return -EpochUnixMicros / microsDay, nil
	case "now":
		days, _ := SplitMicros(UTCToLocal(style.now(), style.location()))
		return days, nil
	}
	if !d.hasDate {
		return nil, invalidDate("date", s)
	}
	return d.days, nil
}

func parseTime(s string, style *TextStyle) (any, error) {
	d, err := parseDateTime("time", s, style)
	if err != nil {
		return nil, err
	}
	if d.special == "now" {
		_, ofDay := SplitMicros(UTCToLocal(style.now(), style.location()))
		return ofDay, nil
	}
	if !d.hasTime {
		return nil, invalidDate("time", s)
	}
	return d.ofDay, nil
}

func parseTimeTZ(s string, style *TextStyle) (any, error) {
	d, err := parseDateTime("time with time zone", s, style)
	if err != nil {
		return nil, err
	}
	if !d.hasTime {
		return nil, invalidDate("time with time zone", s)
	}
	zone := d.zone
	if zone == nil {
		zone = style.location()
	}
	return TimeTZ{Micros: d.ofDay, WestSeconds: int32(-ZoneOffset(style.now(), zone))}, nil
}
