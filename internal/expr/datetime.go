package expr

import (
	"math"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Microseconds in the units of time.
const (
	second int64 = 1_000_000
	minute       = 60 * second
	hour         = 60 * minute
	day          = 24 * hour
)

// The range of timestamps: 4714-11-24 BC to 294276 AD.
const (
	minTimestamp int64 = -211_813_488_000_000_000
	endTimestamp int64 = 9_223_371_331_200_000_000
)

var (
	errTimestampRange = pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
	errIntervalRange  = pgerr.New(pgerr.DatetimeFieldOverflow, "interval out of range")
	errDateRange      = pgerr.New(pgerr.DatetimeFieldOverflow, "date out of range")
)

func infinite(t int64) bool { return t == pgtypes.NoBegin || t == pgtypes.NoEnd }

// location is the session's time zone.
func (env *Env) location() *time.Location {
	if env.Style == nil || env.Style.Location == nil {
		return time.UTC
	}
	return env.Style.Location
}

func checkTimestamp(t int64, ok bool) (int64, error) {
	if !ok || t < minTimestamp || t >= endTimestamp {
		return 0, errTimestampRange
	}
	return t, nil
}

// addInterval adds to a local timestamp: months, then days, then time.
func addInterval(t int64, v pgtypes.Interval) (int64, error) {
	if infinite(t) {
		return t, nil
	}
	t, err := addDays(t, v)
	if err != nil {
		return 0, err
	}
	n, ok := addInt(t, v.Micros)
	return checkTimestamp(n, ok || v.Micros == 0)
}

// addDays adds the months and days of an interval, keeping the time of day.
func addDays(t int64, v pgtypes.Interval) (int64, error) {
	if v.Months == 0 && v.Days == 0 {
		return t, nil
	}
	days, ofDay := pgtypes.SplitMicros(t)
	if v.Months != 0 {
		y, m, d := pgtypes.Civil(days)
		total := int64(y)*12 + int64(m) - 1 + int64(v.Months)
		y, m = int(floorDiv(total, 12)), int(total-floorDiv(total, 12)*12)+1
		days = pgtypes.DateOf(y, m, min(d, pgtypes.DaysInMonth(y, m)))
	}
	days += int64(v.Days)
	if days < minTimestamp/day || days > endTimestamp/day {
		return 0, errTimestampRange
	}
	return days*day + ofDay, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// addIntervalTZ adds to an instant; days and months are the time zone's.
func addIntervalTZ(t int64, v pgtypes.Interval, loc *time.Location) (int64, error) {
	if infinite(t) {
		return t, nil
	}
	if v.Months != 0 || v.Days != 0 {
		local, err := addDays(pgtypes.UTCToLocal(t, loc), v)
		if err != nil {
			return 0, err
		}
		t = pgtypes.LocalToUTC(local, loc)
	}
	n, ok := addInt(t, v.Micros)
	return checkTimestamp(n, ok || v.Micros == 0)
}

func negateInterval(v pgtypes.Interval) (pgtypes.Interval, error) {
	if v.Months == math.MinInt32 || v.Days == math.MinInt32 || v.Micros == math.MinInt64 {
		return v, errIntervalRange
	}
	return pgtypes.Interval{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}, nil
}

func addIntervals(a, b pgtypes.Interval) (pgtypes.Interval, error) {
	months, days := int64(a.Months)+int64(b.Months), int64(a.Days)+int64(b.Days)
	micros, ok := addInt(a.Micros, b.Micros)
	if !fits(months, 32) || !fits(days, 32) || !ok && b.Micros != 0 {
		return a, errIntervalRange
	}
	return pgtypes.Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}

// subTimestamps gives days and time between two timestamps.
func subTimestamps(a, b int64) (any, error) {
	if infinite(a) || infinite(b) {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	n, ok := subInt(a, b)
	if !ok && b != 0 {
		return nil, errIntervalRange
	}
	return justifyHours(pgtypes.Interval{Micros: n})
}

// roundMicro rounds seconds to microseconds.
func roundMicro(seconds float64) float64 { return math.RoundToEven(seconds*1e6) / 1e6 }

// scaleInterval multiplies; fractions of months and days go down to days and time.
// Source: interval_mul.
func scaleInterval(v pgtypes.Interval, factor float64) (any, error) {
	months, days := float64(v.Months)*factor, float64(v.Days)*factor
	if math.IsNaN(months) || math.IsNaN(days) || math.Abs(months) > math.MaxInt32 || math.Abs(days) > math.MaxInt32 {
		return nil, errIntervalRange
	}
	out := pgtypes.Interval{Months: int32(months), Days: int32(days)}
	monthDays := roundMicro((months - float64(out.Months)) * 30)
	rest := roundMicro((days - float64(out.Days) + monthDays - float64(int64(monthDays))) * 86400)
	if math.Abs(rest) >= 86400 {
		whole := int64(rest / 86400)
		out.Days += int32(whole)
		rest -= float64(whole * 86400)
	}
	out.Days += int32(monthDays)
	micros := math.RoundToEven(float64(v.Micros)*factor + rest*1e6)
	if math.IsNaN(micros) || micros < -9.2233720368547758e18 || micros >= 9.2233720368547758e18 {
		return nil, errIntervalRange
	}
	out.Micros = int64(micros)
	return out, nil
}

// divideInterval divides. Source: interval_div.
func divideInterval(v pgtypes.Interval, factor float64) (any, error) {
	if factor == 0 {
		return nil, errDivision
	}
	months, days := float64(v.Months)/factor, float64(v.Days)/factor
	out := pgtypes.Interval{Months: int32(months), Days: int32(days)}
	monthDays := roundMicro((months - float64(out.Months)) * 30)
	rest := roundMicro((days - float64(out.Days) + monthDays - float64(int64(monthDays))) * 86400)
	if math.Abs(rest) >= 86400 {
		whole := int64(rest / 86400)
		out.Days += int32(whole)
		rest -= float64(whole * 86400)
	}
	out.Days += int32(monthDays)
	out.Micros = int64(math.RoundToEven(float64(v.Micros)/factor + rest*1e6))
	return out, nil
}

func justifyHours(v pgtypes.Interval) (any, error) {
	whole := v.Micros / day
	v.Micros -= whole * day
	v.Days += int32(whole)
	switch {
	case v.Days > 0 && v.Micros < 0:
		v.Micros += day
		v.Days--
	case v.Days < 0 && v.Micros > 0:
		v.Micros -= day
		v.Days++
	}
	return v, nil
}

func justifyDays(v pgtypes.Interval) (any, error) {
	whole := v.Days / 30
	v.Days -= whole * 30
	v.Months += whole
	switch {
	case v.Months > 0 && v.Days < 0:
		v.Days += 30
		v.Months--
	case v.Months < 0 && v.Days > 0:
		v.Days -= 30
		v.Months++
	}
	return v, nil
}

func justifyInterval(v pgtypes.Interval) (any, error) {
	whole := v.Micros / day
	v.Micros -= whole * day
	v.Days += int32(whole)
	months := v.Days / 30
	v.Days -= months * 30
	v.Months += months
	switch {
	case v.Months > 0 && (v.Days < 0 || v.Days == 0 && v.Micros < 0):
		v.Days += 30
		v.Months--
	case v.Months < 0 && (v.Days > 0 || v.Days == 0 && v.Micros > 0):
		v.Days -= 30
		v.Months++
	}
	switch {
	case v.Days > 0 && v.Micros < 0:
		v.Micros += day
		v.Days--
	case v.Days < 0 && v.Micros > 0:
		v.Micros -= day
		v.Days++
	}
	return v, nil
}

// age gives years, months, days and time between two local timestamps.
func age(a, b int64) (any, error) {
	if infinite(a) || infinite(b) {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range")
	}
	negative := a < b
	if negative {
		a, b = b, a
	}
	da, ta := pgtypes.SplitMicros(a)
	db, tb := pgtypes.SplitMicros(b)
	y1, m1, d1 := pgtypes.Civil(da)
	y2, m2, d2 := pgtypes.Civil(db)
	micros, days, months := ta-tb, d1-d2, (y1-y2)*12+m1-m2
	if micros < 0 {
		micros += day
		days--
	}
	for days < 0 {
		days += pgtypes.DaysInMonth(y2, m2)
		months--
	}
	out := pgtypes.Interval{Months: int32(months), Days: int32(days), Micros: micros}
	if negative {
		return pgtypes.Interval{Months: -out.Months, Days: -out.Days, Micros: -out.Micros}, nil
	}
	return out, nil
}

// bin puts a timestamp into the bucket of a stride that begins at origin.
func bin(stride pgtypes.Interval, t, origin int64) (int64, error) {
	if stride.Months != 0 {
		return 0, pgerr.New(pgerr.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	width := int64(stride.Days)*day + stride.Micros
	if width <= 0 {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	if infinite(t) {
		return t, nil
	}
	if infinite(origin) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "origin out of range")
	}
	offset, ok := subInt(t, origin)
	if !ok && origin != 0 {
		return 0, errIntervalRange
	}
	rest := offset % width
	if rest < 0 {
		rest += width
	}
	return t - rest, nil
}

func dateBin(_ *Env, _ *Call, args []any) (any, error) {
	t, err := bin(args[0].(pgtypes.Interval), args[1].(int64), args[2].(int64))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// dateBinVec bins a column by a constant stride and origin.
func dateBinVec(_ *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
	stride, ok := call.Args[0].(*Const)
	if !ok || args[1] == nil {
		return nil, nil
	}
	origin := timeBucketOrigin
	if len(call.Args) > 2 {
		c, ok := call.Args[2].(*Const)
		if !ok {
			return nil, nil
		}
		origin = c.Val.(int64)
	}
	v := stride.Val.(pgtypes.Interval)
	if v.Months != 0 {
		return nil, nil
	}
	return mapInts(args[1], b, func(t int64) (int64, error) { return bin(v, t, origin) })
}

// mapInts applies a function to the live values of an integer column.
func mapInts(col *vector.Column, b *vector.Batch, f func(int64) (int64, error)) (*vector.Column, error) {
	out := &vector.Column{Kind: vector.Int64, Len: b.N, Ints: make([]int64, b.N), Valid: col.Valid}
	for k := range b.Live() {
		i := b.Row(k)
		if col.IsNull(i) {
			continue
		}
		n, err := f(col.Ints[i])
		if err != nil {
			return nil, err
		}
		out.Ints[i] = n
	}
	return out, nil
}

// timeBucketOrigin is Monday, 2000-01-03.
const timeBucketOrigin = 2 * day

// timeBucket is date_bin with an origin of its own; months are counted from
// 2000-01.
func timeBucket(_ *Env, _ *Call, args []any) (any, error) {
	width, t := args[0].(pgtypes.Interval), args[1].(int64)
	if width.Months == 0 || infinite(t) {
		origin := timeBucketOrigin
		if len(args) > 2 {
			origin = args[2].(int64)
		}
		n, err := bin(width, t, origin)
		if err != nil {
			return nil, err
		}
		return n, nil
	}
	if width.Months < 0 || width.Days != 0 || width.Micros != 0 {
		return nil, invalidParameter("month intervals cannot have day or time component")
	}
	days, _ := pgtypes.SplitMicros(t)
	y, m, _ := pgtypes.Civil(days)
	total := int64(y)*12 + int64(m) - 1
	total = 2000*12 + floorDiv(total-2000*12, int64(width.Months))*int64(width.Months)
	return pgtypes.DateOf(int(floorDiv(total, 12)), int(total-floorDiv(total, 12)*12)+1, 1) * day, nil
}

// addTime adds to a time of day, round the clock.
func addTime(t int64, v pgtypes.Interval) int64 {
	t = (t + v.Micros) % day
	if t < 0 {
		t += day
	}
	return t
}

func makeDate(y, m, d int64) (int64, error) {
	bad := pgerr.New(pgerr.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	year := y
	if y < 0 {
		year = y + 1 // BC
	}
	if y == 0 || m < 1 || m > 12 || d < 1 || year < -4713 || year > 5874897 || d > int64(pgtypes.DaysInMonth(int(year), int(m))) {
		return 0, bad
	}
	return pgtypes.DateOf(int(year), int(m), int(d)), nil
}

func makeTime(h, m int64, s float64) (int64, error) {
	micros := int64(math.RoundToEven(s * 1e6))
	t := h*hour + m*minute + micros
	if h < 0 || m < 0 || m > 59 || s < 0 || micros > minute || h > 24 || t > day || math.IsNaN(s) {
		return 0, pgerr.New(pgerr.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%02g", h, m, s)
	}
	return t, nil
}

func makeTimestamp(args []any) (int64, error) {
	d, err := makeDate(args[0].(int64), args[1].(int64), args[2].(int64))
	if err != nil {
		return 0, err
	}
	t, err := makeTime(args[3].(int64), args[4].(int64), args[5].(float64))
	if err != nil {
		return 0, err
	}
	return checkTimestamp(d*day+t, d < endTimestamp/day)
}

func makeInterval(_ *Env, _ *Call, args []any) (any, error) {
	n := func(i int) int64 { // what is left out is 0
		if i >= len(args) {
			return 0
		}
		return args[i].(int64)
	}
	months, days, secs := n(0)*12+n(1), n(2)*7+n(3), 0.0
	if len(args) > 6 {
		secs = math.RoundToEven(args[6].(float64) * 1e6)
	}
	if !fits(months, 32) || !fits(days, 32) || math.IsNaN(secs) || math.Abs(secs) > 9e18 {
		return nil, errIntervalRange
	}
	return pgtypes.Interval{Months: int32(months), Days: int32(days), Micros: n(4)*hour + n(5)*minute + int64(secs)}, nil
}

// zoneOf finds a time zone by name, abbreviation or offset.
func zoneOf(name string) (*time.Location, error) {
	loc, ok := pgtypes.LoadZone(name)
	if !ok {
		return nil, invalidParameter("time zone \"%s\" not recognized", name)
	}
	return loc, nil
}

// zoneInterval makes a zone of an interval east of UTC.
func zoneInterval(v pgtypes.Interval) (*time.Location, error) {
	if v.Months != 0 || v.Days != 0 {
		text, err := pgtypes.AppendText(nil, pgtypes.Of(pgtypes.IntervalOID), v, printing)
		if err != nil {
			return nil, err
		}
		return nil, invalidParameter("interval time zone \"%s\" must not include months or days", text)
	}
	return time.FixedZone("", int(v.Micros/second)), nil
}

// toTimestamp converts seconds since 1970.
func toTimestamp(s float64) (any, error) {
	switch {
	case math.IsInf(s, 1):
		return pgtypes.NoEnd, nil
	case math.IsInf(s, -1):
		return pgtypes.NoBegin, nil
	case math.IsNaN(s):
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp cannot be NaN")
	}
	micros := math.RoundToEven((s - float64(pgtypes.EpochUnixMicros/second)) * 1e6)
	if micros < float64(minTimestamp) || micros >= float64(endTimestamp) {
		return nil, pgerr.New(pgerr.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", s)
	}
	return int64(micros), nil
}

// microsDecimal is a number of microseconds as a numeric of seconds.
func microsDecimal(micros int64, scale int32) *apd.Decimal { return apd.New(micros, -scale) }
