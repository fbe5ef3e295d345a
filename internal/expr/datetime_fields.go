package expr

import (
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

var errInfiniteDates = pgerr.New(pgerr.DatetimeFieldOverflow, "cannot subtract infinite dates")

// unitNames maps the words for a unit to its name.
var unitNames = func() map[string]string {
	m := make(map[string]string)
	for _, line := range []string{
		"microsecond us usec usecs useconds usecond microseconds microsecon microsecs",
		"millisecond ms msec msecs mseconds millisecon milliseconds millisecs",
		"second s sec secs seconds", "minute m min mins minutes", "hour h hr hrs hours",
		"day d days", "week w weeks", "month mon mons months", "quarter qtr", "year y yr yrs years",
		"decade dec decs decades", "century c cent centuries", "millennium mil mils millennia",
		"dow", "isodow", "doy", "isoyear", "epoch", "julian j jd",
		"timezone", "timezone_hour timezone_h", "timezone_minute timezone_m",
	} {
		words := strings.Fields(line)
		for _, w := range words {
			m[w] = words[0]
		}
	}
	return m
}()

func unitOf(name string) string { return unitNames[strings.ToLower(strings.TrimSpace(name))] }

func unitError(name string, typ pgtypes.OID, known bool) error {
	if known {
		return pgerr.New(pgerr.FeatureNotSupported, "unit \"%s\" not supported for type %s", strings.ToLower(name), pgtypes.FormatType(pgtypes.Of(typ)))
	}
	return invalidParameter("unit \"%s\" not recognized for type %s", strings.ToLower(name), pgtypes.FormatType(pgtypes.Of(typ)))
}

// isoWeek gives the ISO year and week of a date.
func isoWeek(days int64) (year, week int) {
	return time.Unix((days+10957)*86400, 0).UTC().ISOWeek()
}

func dayOfYear(days int64) int64 {
	y, _, _ := pgtypes.Civil(days)
	return days - pgtypes.DateOf(y, 1, 1) + 1
}

// epochSeconds: 10957 days from 1970 to 2000.
const epochShift = 10957 * day

// A moment is what fields are taken from: a local date and time of day, with
// the instant and offset where there is a zone.
type moment struct {
	typ    pgtypes.OID
	days   int64
	ofDay  int64
	micros int64 // since 2000: the instant, or the local time where there is no zone
	east   int   // seconds
}

func momentOf(env *Env, typ pgtypes.OID, v int64) moment {
	switch typ {
	case pgtypes.Date:
		return moment{typ: typ, days: v, micros: v * day}
	case pgtypes.Time:
		return moment{typ: typ, ofDay: v, micros: v}
	case pgtypes.Timestamptz:
		east := pgtypes.ZoneOffset(v, env.location())
		days, ofDay := pgtypes.SplitMicros(v + int64(east)*second)
		return moment{typ: typ, days: days, ofDay: ofDay, micros: v, east: east}
	}
	days, ofDay := pgtypes.SplitMicros(v)
	return moment{typ: typ, days: days, ofDay: ofDay, micros: v}
}

// field gives a field's value; it is scaled down by 10^scale.
func (t moment) field(name string) (n int64, scale int32, err error) {
	unit := unitOf(name)
	if unit == "" {
		return 0, 0, unitError(name, t.typ, false)
	}
	switch unit {
	case "microsecond", "millisecond", "second", "minute", "hour":
		if t.typ == pgtypes.Date {
			return 0, 0, unitError(name, t.typ, true)
		}
		return clockField(unit, t.ofDay)
	case "timezone", "timezone_hour", "timezone_minute":
		if t.typ != pgtypes.Timestamptz {
			return 0, 0, unitError(name, t.typ, true)
		}
		switch unit {
		case "timezone":
			return int64(t.east), 0, nil
		case "timezone_hour":
			return int64(t.east / 3600), 0, nil
		}
		return int64(t.east / 60 % 60), 0, nil
	case "epoch":
		switch t.typ {
		case pgtypes.Date:
			return (t.days + 10957) * 86400, 0, nil
		case pgtypes.Time:
			return t.ofDay, 6, nil
		}
		return t.micros + epochShift, 6, nil
	}
	if t.typ == pgtypes.Time {
		return 0, 0, unitError(name, t.typ, true)
	}
	year, month, dayOfMonth := pgtypes.Civil(t.days)
	y := int64(year)
	if y <= 0 {
		y-- // 1 BC is -1
	}
	switch unit {
	case "day":
		return int64(dayOfMonth), 0, nil
	case "month":
		return int64(month), 0, nil
	case "quarter":
		return int64(month-1)/3 + 1, 0, nil
	case "year":
		return y, 0, nil
	case "decade":
		return floorDiv(int64(year), 10), 0, nil
	case "century":
		return era(int64(year), 100), 0, nil
	case "millennium":
		return era(int64(year), 1000), 0, nil
	case "week":
		_, w := isoWeek(t.days)
		return int64(w), 0, nil
	case "isoyear":
		iso, _ := isoWeek(t.days)
		if iso <= 0 {
			iso--
		}
		return int64(iso), 0, nil
	case "dow":
		return int64(pgtypes.Weekday(t.days)), 0, nil
	case "isodow":
		if d := pgtypes.Weekday(t.days); d != 0 {
			return int64(d), 0, nil
		}
		return 7, 0, nil
	case "doy":
		return dayOfYear(t.days), 0, nil
	}
	return 0, 0, unitError(name, t.typ, true)
}

// era numbers centuries and millennia: there is none numbered 0.
func era(year, length int64) int64 {
	if year > 0 {
		return (year + length - 1) / length
	}
	return -((length - 1 - (year - 1)) / length)
}

func clockField(unit string, ofDay int64) (n int64, scale int32, err error) {
	switch unit {
	case "microsecond":
		return ofDay % minute, 0, nil
	case "millisecond":
		return ofDay % minute, 3, nil
	case "second":
		return ofDay % minute, 6, nil
	case "minute":
		return ofDay / minute % 60, 0, nil
	default:
		return ofDay / hour, 0, nil
	}
}

func intervalField(name string, v span) (n int64, scale int32, err error) {
	unit := unitOf(name)
	years := int64(v.Months / 12)
	switch unit {
	case "":
		return 0, 0, unitError(name, pgtypes.IntervalOID, false)
	case "microsecond", "millisecond", "second", "minute", "hour":
		return clockField(unit, v.Micros)
	case "day":
		return int64(v.Days), 0, nil
	case "month":
		return int64(v.Months % 12), 0, nil
	case "quarter":
		return int64(v.Months%12)/3 + 1, 0, nil
	case "year":
		return years, 0, nil
	case "decade":
		return years / 10, 0, nil
	case "century":
		return years / 100, 0, nil
	case "millennium":
		return years / 1000, 0, nil
	case "epoch": // a year is 365.25 days
		days := years*36525/100*1 + int64(v.Months%12)*30 + int64(v.Days)
		quarter := years * 36525 % 100 * day / 100
		return days*day + quarter + v.Micros, 6, nil
	}
	return 0, 0, unitError(name, pgtypes.IntervalOID, true)
}

// infiniteField gives the fields that grow without end for an infinite time, and
// NULL for the others.
func infiniteField(name string, typ pgtypes.OID, v int64) (sign int, err error) {
	unit := unitOf(name)
	switch unit {
	case "":
		return 0, unitError(name, typ, false)
	case "year", "decade", "century", "millennium", "epoch", "isoyear", "julian":
		if v == pgtypes.NoBegin {
			return -1, nil
		}
		return 1, nil
	}
	return 0, nil
}

// extract is EXTRACT (numeric) or date_part (float8).
func extract(typ pgtypes.OID, numeric bool) rowFunc {
	return func(env *Env, _ *Call, args []any) (any, error) {
		name := args[0].(string)
		var d *apd.Decimal
		switch v := args[1].(type) {
		case span:
			n, scale, err := intervalField(name, v)
			if err != nil {
				return nil, err
			}
			d = microsDecimal(n, scale)
		case pgtypes.TimeTZ:
			n, scale, err := timetzField(name, v)
			if err != nil {
				return nil, err
			}
			d = microsDecimal(n, scale)
		case int64:
			if infinite(v) && typ != pgtypes.Time {
				sign, err := infiniteField(name, typ, v)
				if err != nil || sign == 0 {
					return nil, err
				}
				d = &apd.Decimal{Form: apd.Infinite, Negative: sign < 0}
				break
			}
			t := momentOf(env, typ, v)
			if unitOf(name) == "julian" && typ != pgtypes.Time {
				var err error
				if d, err = julian(t); err != nil {
					return nil, err
				}
				break
			}
			n, scale, err := t.field(name)
			if err != nil {
				return nil, err
			}
			d = microsDecimal(n, scale)
		}
		if numeric {
			return d, nil
		}
		return pgtypes.NumericToFloat(d), nil
	}
}

func timetzField(name string, v pgtypes.TimeTZ) (int64, int32, error) {
	switch unitOf(name) {
	case "timezone":
		return -int64(v.WestSeconds), 0, nil
	case "timezone_hour":
		return -int64(v.WestSeconds) / 3600, 0, nil
	case "timezone_minute":
		return -int64(v.WestSeconds) / 60 % 60, 0, nil
	case "epoch":
		return v.Micros + int64(v.WestSeconds)*second, 6, nil
	}
	n, scale, err := moment{typ: pgtypes.Time, ofDay: v.Micros}.field(name)
	if err != nil {
		return 0, 0, unitError(name, pgtypes.Timetz, unitOf(name) != "")
	}
	return n, scale, nil
}

// julian is the Julian day with the fraction of the day.
func julian(t moment) (*apd.Decimal, error) {
	whole := apd.New(t.days+2451545, 0)
	if t.typ == pgtypes.Date {
		return whole, nil
	}
	part, err := pgtypes.NumericDiv(apd.New(t.ofDay, 0), apd.New(day, 0))
	if err != nil {
		return nil, err
	}
	return pgtypes.NumericAdd(whole, part)
}

// truncate cuts a local timestamp to a unit.
func truncate(name string, typ pgtypes.OID, t int64) (int64, error) {
	days, ofDay := pgtypes.SplitMicros(t)
	unit := unitOf(name)
	width := map[string]int64{"microsecond": 1, "millisecond": 1000, "second": second, "minute": minute, "hour": hour}[unit]
	if width != 0 {
		return days*day + ofDay - ofDay%width, nil
	}
	y, m, _ := pgtypes.Civil(days)
	switch unit {
	case "":
		return 0, unitError(name, typ, false)
	case "day":
	case "week":
		days -= int64(pgtypes.Weekday(days)+6) % 7
	case "month":
		days = pgtypes.DateOf(y, m, 1)
	case "quarter":
		days = pgtypes.DateOf(y, (m-1)/3*3+1, 1)
	case "year":
		days = pgtypes.DateOf(y, 1, 1)
	case "decade":
		days = pgtypes.DateOf(int(floorDiv(int64(y), 10))*10, 1, 1)
	case "century":
		days = pgtypes.DateOf(int(floorDiv(int64(y)-1, 100))*100+1, 1, 1)
	case "millennium":
		days = pgtypes.DateOf(int(floorDiv(int64(y)-1, 1000))*1000+1, 1, 1)
	default:
		return 0, unitError(name, typ, true)
	}
	return days * day, nil
}

// truncateTZ cuts an instant to a unit of a time zone.
func truncateTZ(name string, t int64, loc *time.Location) (int64, error) {
	if infinite(t) {
		if unitOf(name) == "" {
			return 0, unitError(name, pgtypes.Timestamptz, false)
		}
		return t, nil
	}
	if loc == time.UTC {
		return truncate(name, pgtypes.Timestamptz, t)
	}
	local := pgtypes.UTCToLocal(t, loc)
	cut, err := truncate(name, pgtypes.Timestamptz, local)
	if err != nil {
		return 0, err
	}
	switch unitOf(name) {
	case "microsecond", "millisecond", "second", "minute", "hour":
		return t - (local - cut), nil // the offset stays
	}
	return pgtypes.LocalToUTC(cut, loc), nil
}

func truncateInterval(name string, v span) (any, error) {
	unit := unitOf(name)
	switch unit {
	case "":
		return nil, unitError(name, pgtypes.IntervalOID, false)
	case "microsecond":
	case "millisecond":
		v.Micros -= v.Micros % 1000
	case "second":
		v.Micros -= v.Micros % second
	case "minute":
		v.Micros -= v.Micros % minute
	case "hour":
		v.Micros -= v.Micros % hour
	case "day":
		v.Micros = 0
	case "month":
		v.Days, v.Micros = 0, 0
	case "quarter":
		v.Months -= v.Months % 12 % 3
		v.Days, v.Micros = 0, 0
	case "year", "decade", "century", "millennium":
		unitMonths := map[string]int32{"year": 12, "decade": 120, "century": 1200, "millennium": 12000}[unit]
		v.Months -= v.Months % unitMonths
		v.Days, v.Micros = 0, 0
	case "week":
		return nil, unitError(name, pgtypes.IntervalOID, true).(*pgerr.Error).
			WithDetail("Months usually have fractional weeks.")
	default:
		return nil, unitError(name, pgtypes.IntervalOID, true)
	}
	return v, nil
}

// fixedUnits is the units that are the same length everywhere, in a zone whose
// offset is whole hours for hour.
var fixedUnits = map[string]int64{"second": second, "minute": minute, "hour": hour, "day": day}

// truncVec cuts a timestamptz column to a constant unit.
func truncVec(env *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
	c, ok := call.Args[0].(*Const)
	if !ok || args[1] == nil || b.Live() == 0 {
		return nil, nil
	}
	loc := env.location()
	if len(call.Args) > 2 {
		zone, ok := call.Args[2].(*Const)
		if !ok {
			return nil, nil
		}
		var err error
		if loc, err = zoneOf(zone.Val.(string)); err != nil {
			return nil, err
		}
	}
	name := c.Val.(string)
	if width := fixedUnits[unitOf(name)]; width != 0 && loc == time.UTC {
		return mapInts(args[1], b, func(t int64) (int64, error) {
			if infinite(t) {
				return t, nil
			}
			rest := t % width
			if rest < 0 {
				rest += width
			}
			return t - rest, nil
		})
	}
	return mapInts(args[1], b, func(t int64) (int64, error) { return truncateTZ(name, t, loc) })
}

// addFieldFunctions adds extract, date_part and date_trunc.
func addFieldFunctions(m map[string]impl) {
	for name, typ := range map[string]pgtypes.OID{
		"timestamptz": pgtypes.Timestamptz, "timestamp": pgtypes.Timestamp, "date": pgtypes.Date,
		"time": pgtypes.Time, "timetz": pgtypes.Timetz, "interval": pgtypes.IntervalOID,
	} {
		m["extract(text,"+name+")"] = raw(extract(typ, true))
		if name == "date" { // date_part sees a date as a timestamp
			m["date_part(text,date)"] = raw(func(env *Env, call *Call, args []any) (any, error) {
				return extract(pgtypes.Timestamp, false)(env, call, []any{args[0], dateMicros(args[1].(int64))})
			})
			continue
		}
		m["date_part(text,"+name+")"] = raw(extract(typ, false))
	}
	m["date_trunc(text,timestamptz)"] = vecOf(raw(func(env *Env, _ *Call, a []any) (any, error) {
		return boxed(truncateTZ(a[0].(string), a[1].(int64), env.location()))
	}), truncVec)
	m["date_trunc(text,timestamptz,text)"] = vecOf(raw(func(_ *Env, _ *Call, a []any) (any, error) {
		loc, err := zoneOf(a[2].(string))
		if err != nil {
			return nil, err
		}
		return boxed(truncateTZ(a[0].(string), a[1].(int64), loc))
	}), truncVec)
	m["date_trunc(text,timestamp)"] = fn2(func(name string, t int64) (any, error) {
		if infinite(t) && unitOf(name) != "" {
			return t, nil
		}
		return boxed(truncate(name, pgtypes.Timestamp, t))
	})
	m["date_trunc(text,interval)"] = fn2(truncateInterval)
}
