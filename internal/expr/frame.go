package expr

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// FrameKey gives a sort key in the form in which a RANGE frame with offsets
// compares it, and the type of that form: a date is its midnight.
func FrameKey(typ pgtypes.Type, v any) (any, pgtypes.Type) {
	if typ.OID != pgtypes.Date {
		return v, typ
	}
	stamp := pgtypes.Of(pgtypes.Timestamp)
	if days, ok := v.(int64); ok && days != pgtypes.NoBegin && days != pgtypes.NoEnd {
		return days * 24 * 3600 * 1e6, stamp
	}
	return v, stamp
}

// FrameBound gives the value at a distance from a key that FrameKey gave, as
// PostgreSQL's in_range functions see it: a bound beyond the type's range is
// its end. A negative distance is 22013.
func FrameBound(env *Env, typ pgtypes.Type, key, offset any, down bool) (any, error) {
	bad := pgerr.New("22013", "invalid preceding or following size in window function")
	switch o := offset.(type) {
	case int64:
		if o < 0 {
			return nil, bad
		}
		k := key.(int64)
		switch {
		case down && k < math.MinInt64+o:
			return int64(math.MinInt64), nil
		case down:
			return k - o, nil
		case k > math.MaxInt64-o:
			return int64(math.MaxInt64), nil
		}
		return k + o, nil
	case float64:
		if math.IsNaN(o) || o < 0 {
			return nil, bad
		}
		if down {
			o = -o
		}
		return key.(float64) + o, nil
	case *apd.Decimal:
		if o.Form == apd.NaN || o.Negative && !o.IsZero() {
			return nil, bad
		}
		k := key.(*apd.Decimal)
		if k.Form != apd.Finite {
			return k, nil
		}
		d := new(apd.Decimal).Set(o)
		if down {
			d.Neg(d)
		}
		sum := new(apd.Decimal)
		_, err := apd.BaseContext.Add(sum, k, d)
		return sum, err
	case pgtypes.Interval:
		if pgtypes.Compare(pgtypes.Of(pgtypes.IntervalOID), o, pgtypes.Interval{}) < 0 {
			return nil, bad
		}
		if down {
			var err error
			if o, err = negateInterval(o); err != nil {
				return nil, err
			}
		}
		return intervalBound(env, typ, key, o)
	}
	return nil, bad
}

func intervalBound(env *Env, typ pgtypes.Type, key any, o pgtypes.Interval) (any, error) {
	switch k := key.(type) {
	case int64:
		switch typ.OID {
		case pgtypes.Timestamptz:
			return addIntervalTZ(k, o, env.Style.Location)
		case pgtypes.Time:
			return k + o.Micros, nil
		}
		return addInterval(k, o)
	case pgtypes.Interval:
		return addIntervals(k, o)
	case pgtypes.TimeTZ:
		k.Micros += o.Micros
		return k, nil
	}
	return nil, pgerr.New(pgerr.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", pgtypes.FormatType(typ))
}
