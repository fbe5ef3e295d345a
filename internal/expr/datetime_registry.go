package expr

import (
	"time"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

type span = pgtypes.Interval

// boxed turns a typed result into the any of a row function.
func boxed[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func dateMicros(d int64) int64 {
	if infinite(d) {
		return d
	}
	return d * day
}

func addDate(d, n int64) (any, error) {
	if infinite(d) {
		return d, nil
	}
	out := d + n
	if out < minTimestamp/day-1 || out > 2145031948 {
		return nil, errDateRange
	}
	return out, nil
}

// shiftVec adds a constant interval without months and days to a column.
func shiftVec(sign int64) vecFunc {
	return func(env *Env, call *Call, args []*vector.Column, b *vector.Batch) (*vector.Column, error) {
		c, ok := call.Args[1].(*Const)
		if !ok || args[0] == nil {
			return nil, nil
		}
		v := c.Val.(span)
		if v.Months != 0 || v.Days != 0 && env.location() != time.UTC {
			return nil, nil
		}
		by := sign * (v.Micros + int64(v.Days)*day)
		return mapInts(args[0], b, func(t int64) (int64, error) {
			if infinite(t) {
				return t, nil
			}
			n, ok := addInt(t, by)
			return checkTimestamp(n, ok || by == 0)
		})
	}
}

// datetimeFunctions is arithmetic on dates and times, and what makes, cuts and
// takes them apart.
func datetimeFunctions() map[string]impl {
	plus := func(env *Env, t int64, v span) (any, error) { return boxed(addIntervalTZ(t, v, env.location())) }
	minus := func(v span, f func(span) (any, error)) (any, error) {
		n, err := negateInterval(v)
		if err != nil {
			return nil, err
		}
		return f(n)
	}
	local := func(t int64, v span) (any, error) { return boxed(addInterval(t, v)) }
	m := map[string]impl{
		"timestamptz + interval": vecOf(raw(func(env *Env, _ *Call, a []any) (any, error) { return plus(env, a[0].(int64), a[1].(span)) }), shiftVec(1)),
		"interval + timestamptz": raw(func(env *Env, _ *Call, a []any) (any, error) { return plus(env, a[1].(int64), a[0].(span)) }),
		"timestamptz - interval": vecOf(raw(func(env *Env, _ *Call, a []any) (any, error) {
			return minus(a[1].(span), func(v span) (any, error) { return plus(env, a[0].(int64), v) })
		}), shiftVec(-1)),
		"timestamp + interval": fn2(local),
		"interval + timestamp": fn2(func(v span, t int64) (any, error) { return local(t, v) }),
		"timestamp - interval": fn2(func(t int64, v span) (any, error) {
			return minus(v, func(v span) (any, error) { return local(t, v) })
		}),
		"date + interval": fn2(func(d int64, v span) (any, error) { return local(dateMicros(d), v) }),
		"interval + date": fn2(func(v span, d int64) (any, error) { return local(dateMicros(d), v) }),
		"date - interval": fn2(func(d int64, v span) (any, error) {
			return minus(v, func(v span) (any, error) { return local(dateMicros(d), v) })
		}),
		"timestamptz - timestamptz": fn2(subTimestamps),
		"timestamp - timestamp":     fn2(subTimestamps),
		"date + int4":               fn2(addDate),
		"int4 + date":               fn2(func(n, d int64) (any, error) { return addDate(d, n) }),
		"date - int4":               fn2(func(d, n int64) (any, error) { return addDate(d, -n) }),
		"date - date": fn2(func(a, b int64) (any, error) {
			if infinite(a) || infinite(b) {
				return nil, errInfiniteDates
			}
			return a - b, nil
		}),
		"date + time":         fn2(func(d, t int64) (any, error) { return local(dateMicros(d), span{Micros: t}) }),
		"time + date":         fn2(func(t, d int64) (any, error) { return local(dateMicros(d), span{Micros: t}) }),
		"time + interval":     pure2(addTime),
		"interval + time":     pure2(func(v span, t int64) int64 { return addTime(t, v) }),
		"time - interval":     pure2(func(t int64, v span) int64 { return addTime(t, span{Micros: -(v.Micros % day)}) }),
		"time - time":         pure2(func(a, b int64) span { return span{Micros: a - b} }),
		"interval + interval": fn2(func(a, b span) (any, error) { return boxed(addIntervals(a, b)) }),
		"interval - interval": fn2(func(a, b span) (any, error) {
			return minus(b, func(b span) (any, error) { return boxed(addIntervals(a, b)) })
		}),
		"- interval":        fn1(func(v span) (any, error) { return boxed(negateInterval(v)) }),
		"interval * float8": fn2(scaleInterval),
		"float8 * interval": fn2(func(f float64, v span) (any, error) { return scaleInterval(v, f) }),
		"interval / float8": fn2(divideInterval),

		"justify_hours(interval)": fn1(justifyHours), "justify_days(interval)": fn1(justifyDays),
		"justify_interval(interval)":   fn1(justifyInterval),
		"isfinite(timestamptz)":        pure1(func(t int64) bool { return !infinite(t) }),
		"isfinite(timestamp)":          pure1(func(t int64) bool { return !infinite(t) }),
		"isfinite(date)":               pure1(func(t int64) bool { return !infinite(t) }),
		"isfinite(interval)":           pure1(func(span) bool { return true }),
		"age(timestamp,timestamp)":     fn2(age),
		"age(timestamptz,timestamptz)": raw(func(env *Env, _ *Call, a []any) (any, error) { return ageTZ(env, a[0].(int64), a[1].(int64)) }),
		"age(timestamp)":               raw(func(env *Env, _ *Call, a []any) (any, error) { return age(today(env), a[0].(int64)) }),
		"age(timestamptz)": raw(func(env *Env, _ *Call, a []any) (any, error) {
			return age(today(env), pgtypes.UTCToLocal(a[0].(int64), env.location()))
		}),
		"make_date(int4,int4,int4)":                              fn3(func(y, m, d int64) (any, error) { return boxed(makeDate(y, m, d)) }),
		"make_time(int4,int4,float8)":                            fn3(func(h, m int64, s float64) (any, error) { return boxed(makeTime(h, m, s)) }),
		"to_timestamp(float8)":                                   fn1(toTimestamp),
		"make_timestamp(int4,int4,int4,int4,int4,float8)":        raw(func(_ *Env, _ *Call, a []any) (any, error) { return boxed(makeTimestamp(a)) }),
		"make_timestamptz(int4,int4,int4,int4,int4,float8)":      raw(makeTimestampTZ),
		"make_timestamptz(int4,int4,int4,int4,int4,float8,text)": raw(makeTimestampTZ),
		"make_interval(int4,int4,int4,int4,int4,int4,float8)":    raw(makeInterval),
		"date_bin(interval,timestamptz,timestamptz)":             vecOf(raw(dateBin), dateBinVec),
		"date_bin(interval,timestamp,timestamp)":                 vecOf(raw(dateBin), dateBinVec),
		"time_bucket(interval,timestamptz)":                      vecOf(raw(timeBucket), dateBinVec),
		"time_bucket(interval,timestamp)":                        vecOf(raw(timeBucket), dateBinVec),
		"time_bucket(interval,timestamptz,timestamptz)":          vecOf(raw(timeBucket), dateBinVec),
		"time_bucket(interval,timestamp,timestamp)":              vecOf(raw(timeBucket), dateBinVec),
		"clock_timestamp()":                                      withEnv(func(*Env) (any, error) { return Micros(time.Now()), nil }),
		"timeofday()": withEnv(func(env *Env) (any, error) {
			return time.Now().In(env.location()).Format("Mon Jan 02 15:04:05.000000 2006 MST"), nil
		}),
		"statement_timestamp()": withEnv(func(env *Env) (any, error) { return env.Statement, nil }),
	}
	for _, name := range []string{"now()", "transaction_timestamp()"} {
		m[name] = withEnv(func(env *Env) (any, error) { return env.Now, nil })
	}
	addZoneFunctions(m)
	addFieldFunctions(m)
	return m
}

func ageTZ(env *Env, a, b int64) (any, error) {
	loc := env.location()
	return age(pgtypes.UTCToLocal(a, loc), pgtypes.UTCToLocal(b, loc))
}

// today is the local midnight at which the transaction's day began.
func today(env *Env) int64 {
	days, _ := pgtypes.SplitMicros(pgtypes.UTCToLocal(env.Now, env.location()))
	return days * day
}

func makeTimestampTZ(env *Env, _ *Call, args []any) (any, error) {
	t, err := makeTimestamp(args)
	if err != nil {
		return nil, err
	}
	loc := env.location()
	if len(args) > 6 {
		if loc, err = zoneOf(args[6].(string)); err != nil {
			return nil, err
		}
	}
	return pgtypes.LocalToUTC(t, loc), nil
}

// addZoneFunctions adds timezone(), which AT TIME ZONE stands for.
func addZoneFunctions(m map[string]impl) {
	byName := func(f func(loc *time.Location, v any) any) impl {
		return raw(func(_ *Env, _ *Call, args []any) (any, error) {
			loc, err := zoneOf(args[0].(string))
			if err != nil {
				return nil, err
			}
			return f(loc, args[1]), nil
		})
	}
	byInterval := func(f func(loc *time.Location, v any) any) impl {
		return raw(func(_ *Env, _ *Call, args []any) (any, error) {
			loc, err := zoneInterval(args[0].(span))
			if err != nil {
				return nil, err
			}
			return f(loc, args[1]), nil
		})
	}
	toLocal := func(loc *time.Location, v any) any { return pgtypes.UTCToLocal(v.(int64), loc) }
	toUTC := func(loc *time.Location, v any) any { return pgtypes.LocalToUTC(v.(int64), loc) }
	m["timezone(text,timestamptz)"], m["timezone(interval,timestamptz)"] = byName(toLocal), byInterval(toLocal)
	m["timezone(text,timestamp)"], m["timezone(interval,timestamp)"] = byName(toUTC), byInterval(toUTC)
	timetz := func(loc *time.Location, v any) any {
		t := v.(pgtypes.TimeTZ)
		east := pgtypes.ZoneOffset(Micros(time.Now()), loc)
		micros := (t.Micros + int64(t.WestSeconds)*second + int64(east)*second) % day
		if micros < 0 {
			micros += day
		}
		return pgtypes.TimeTZ{Micros: micros, WestSeconds: int32(-east)}
	}
	m["timezone(text,timetz)"], m["timezone(interval,timetz)"] = byName(timetz), byInterval(timetz)
}
