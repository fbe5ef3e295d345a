package pgtypes

import (
	"strconv"
	"time"
)

// Microseconds in the units of time.
const (
	microsSecond = 1_000_000
	microsMinute = 60 * microsSecond
	microsHour   = 60 * microsMinute
	microsDay    = 24 * microsHour
)

// epochJulian is the Julian day of 2000-01-01.
const epochJulian = 2_451_545

// DateOf gives the days since 2000-01-01 of a date of the proleptic Gregorian
// calendar; year 0 is 1 BC. (Algorithm: date2j of PostgreSQL's datetime.c.)
// lastDay is the last day of 294276, where timestamps end (DatumGetTimestamp's
// END_TIMESTAMP), counted from 2000-01-01.
const lastDay = 106_751_982

func DateOf(year, month, day int) int64 {
	if month > 2 {
		month++
		year += 4800
	} else {
		month += 13
		year += 4799
	}
	century := year / 100
	julian := year*365 - 32167 + year/4 - century + century/4 + 7834*month/256 + day
	return int64(julian - epochJulian)
}

// Civil gives year, month and day of days since 2000-01-01 (j2date).
func Civil(days int64) (year, month, day int) {
	julian := uint64(days + epochJulian + 32044)
	quad := julian / 146097
	extra := (julian-quad*146097)*4 + 3
	julian += 60 + quad*3 + extra/146097
	quad = julian / 1461
	julian -= quad * 1461
	y := julian * 4 / 1461
	if y != 0 {
		julian = (julian+305)%365 + 123
	} else {
		julian = (julian+306)%366 + 123
	}
	y += quad * 4
	year = int(y) - 4800
	quad = julian * 2141 / 65536
	day = int(julian - 7834*quad/256)
	month = int((quad+10)%12 + 1)
	return year, month, day
}

// SplitMicros gives the date and the time of day of a timestamp.
func SplitMicros(micros int64) (days, ofDay int64) {
	days = micros / microsDay
	ofDay = micros % microsDay
	if ofDay < 0 {
		ofDay += microsDay
		days--
	}
	return days, ofDay
}

// ZoneOffset gives how many seconds loc is east of UTC at an instant.
func ZoneOffset(micros int64, loc *time.Location) int {
	if loc == time.UTC {
		return 0
	}
	_, offset := time.UnixMicro(micros + EpochUnixMicros).In(loc).Zone()
	return offset
}

// LocalToUTC gives the instant at which clocks in loc show a local timestamp.
// Where they show it twice it is the later (standard) one, and in a gap the
// offset before the gap counts, as in PostgreSQL.
func LocalToUTC(local int64, loc *time.Location) int64 {
	if loc == time.UTC || local == NoBegin || local == NoEnd {
		return local
	}
	before := ZoneOffset(local-microsDay, loc)
	after := ZoneOffset(local+microsDay, loc)
	if before == after {
		if o := ZoneOffset(local-int64(before)*microsSecond, loc); o == before {
			return local - int64(before)*microsSecond
		}
	}
	withBefore := local - int64(before)*microsSecond
	withAfter := local - int64(after)*microsSecond
	okBefore := ZoneOffset(withBefore, loc) == before
	okAfter := ZoneOffset(withAfter, loc) == after
	switch {
	case okAfter:
		return withAfter
	case okBefore:
		return withBefore
	default:
		return withBefore
	}
}

// UTCToLocal gives what clocks in loc show at an instant.
func UTCToLocal(micros int64, loc *time.Location) int64 {
	if micros == NoBegin || micros == NoEnd {
		return micros
	}
	return micros + int64(ZoneOffset(micros, loc))*microsSecond
}

func appendPadded(dst []byte, n, width int) []byte {
	s := strconv.Itoa(n)
	for range width - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

func appendTime(dst []byte, micros int64) []byte {
	dst = appendPadded(dst, int(micros/microsHour), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, int(micros/microsMinute%60), 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, int(micros/microsSecond%60), 2)
	return appendFraction(dst, int(micros%microsSecond))
}

// appendFraction prints microseconds without trailing zeros.
func appendFraction(dst []byte, micros int) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, micros, 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendZone prints an offset of seconds east of UTC: +00, +05:30, -04:56:02.
func appendZone(dst []byte, east int) []byte {
	sign := byte('+')
	if east < 0 {
		sign, east = '-', -east
	}
	dst = appendPadded(append(dst, sign), east/3600, 2)
	if east%3600 != 0 {
		dst = appendPadded(append(dst, ':'), east/60%60, 2)
	}
	if east%60 != 0 {
		dst = appendPadded(append(dst, ':'), east%60, 2)
	}
	return dst
}

var weekdays = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

var monthNames = [...]string{"", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// Weekday gives 0 for Sunday to 6 for Saturday.
func Weekday(days int64) int { return int(((days+6)%7 + 7) % 7) }

func appendDate(dst []byte, days int64, s *TextStyle) []byte {
	switch days {
	case NoBegin:
		return append(dst, "-infinity"...)
	case NoEnd:
		return append(dst, "infinity"...)
	}
	year, month, day := Civil(days)
	return appendEra(appendYMD(dst, year, month, day, s), year)
}

// appendEra adds BC for years before 1.
func appendEra(dst []byte, year int) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

func appendYMD(dst []byte, year, month, day int, s *TextStyle) []byte {
	if year <= 0 {
		year = 1 - year
	}
	first, second := month, day
	if s.order() == "DMY" {
		first, second = day, month
	}
	sep := byte('/')
	switch s.dateStyle() {
	case "German":
		first, second, sep = day, month, '.'
	case "SQL":
	case "Postgres":
		sep = '-'
	default:
		dst = appendPadded(dst, year, 4)
		dst = appendPadded(append(dst, '-'), month, 2)
		return appendPadded(append(dst, '-'), day, 2)
	}
	dst = appendPadded(dst, first, 2)
	dst = appendPadded(append(dst, sep), second, 2)
	return appendPadded(append(dst, sep), year, 4)
}

func appendTimestamp(dst []byte, micros int64, s *TextStyle, zoned bool) []byte {
	switch micros {
	case NoBegin:
		return append(dst, "-infinity"...)
	case NoEnd:
		return append(dst, "infinity"...)
	}
	offset := 0
	if zoned {
		offset = ZoneOffset(micros, s.location())
		micros += int64(offset) * microsSecond
	}
	days, ofDay := SplitMicros(micros)
	year, month, day := Civil(days)
	style := s.dateStyle()
	if style == "Postgres" {
		dst = append(append(dst, weekdays[Weekday(days)]...), ' ')
		if s.order() == "DMY" {
			dst = append(append(appendPadded(dst, day, 2), ' '), monthNames[month]...)
		} else {
			dst = appendPadded(append(append(dst, monthNames[month]...), ' '), day, 2)
		}
		dst = appendTime(append(dst, ' '), ofDay)
		shown := year
		if year <= 0 {
			shown = 1 - year
		}
		dst = appendPadded(append(dst, ' '), shown, 4)
	} else {
		dst = appendYMD(dst, year, month, day, s)
		dst = appendTime(append(dst, ' '), ofDay)
	}
	if zoned {
		if style == "ISO" {
			dst = appendZone(dst, offset)
		} else {
			name, _ := time.UnixMicro(micros - int64(offset)*microsSecond + EpochUnixMicros).In(s.location()).Zone()
			dst = append(append(dst, ' '), name...)
		}
	}
	return appendEra(dst, year)
}
