package expr

import (
	"maps"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// aggregateImpls makes the states of aggregates, by signature.
func aggregateImpls() map[string]func(*AggCall) AggState {
	m := map[string]func(*AggCall) AggState{
		"count(any)":            func(*AggCall) AggState { return &countState{any: true} },
		"count()":               func(*AggCall) AggState { return &countState{} },
		"string_agg(text,text)": func(*AggCall) AggState { return &stringState{} },
		"array_agg(anynonarray)": func(c *AggCall) AggState {
			return &arrayState{elem: pgtypes.ElemOf(c.Typ.OID)}
		},
		"array_agg(anyarray)": func(c *AggCall) AggState {
			return &nestedState{elem: pgtypes.ElemOf(c.Typ.OID)}
		},
		"bool_and(bool)":                      func(*AggCall) AggState { return &boolState{and: true} },
		"every(bool)":                         func(*AggCall) AggState { return &boolState{and: true} },
		"bool_or(bool)":                       func(*AggCall) AggState { return &boolState{} },
		"jsonb_agg(anyelement)":               func(c *AggCall) AggState { return &jsonArrayState{call: c} },
		"json_agg(anyelement)":                func(c *AggCall) AggState { return &jsonTextArrayState{call: c} },
		"jsonb_object_agg(any,any)":           func(c *AggCall) AggState { return &jsonObjectState{call: c} },
		"json_object_agg(any,any)":            func(c *AggCall) AggState { return &jsonTextObjectState{call: c} },
		"percentile_cont(float8,float8)":      func(c *AggCall) AggState { return newPercentile(c, true) },
		"percentile_cont(float8,interval)":    func(c *AggCall) AggState { return newPercentile(c, true) },
		"percentile_cont(_float8,interval)":   func(c *AggCall) AggState { return newPercentile(c, true) },
		"percentile_cont(_float8,float8)":     func(c *AggCall) AggState { return newPercentile(c, true) },
		"percentile_disc(float8,anyelement)":  func(c *AggCall) AggState { return newPercentile(c, false) },
		"percentile_disc(_float8,anyelement)": func(c *AggCall) AggState { return newPercentile(c, false) },
		"mode(anyelement)":                    func(c *AggCall) AggState { return &modeState{call: c} },
		"rank(any)":                           newRank,
		"dense_rank(any)":                     newRank,
		"percent_rank(any)":                   newRank,
		"cume_dist(any)":                      newRank,
	}
	for _, t := range []string{"int2", "int4", "int8", "numeric", "float4", "float8", "interval"} {
		m["sum("+t+")"] = func(c *AggCall) AggState { return &sumState{call: c} }
		m["avg("+t+")"] = func(c *AggCall) AggState { return &sumState{call: c, avg: true} }
	}
	for _, t := range []string{
		"int2", "int4", "int8", "numeric", "float4", "float8", "text", "bpchar", "date", "time", "timetz",
		"timestamp", "timestamptz", "interval", "oid", "anyarray",
	} {
		m["min("+t+")"] = func(c *AggCall) AggState { return &extremeState{typ: c.Typ, sign: -1} }
		m["max("+t+")"] = func(c *AggCall) AggState { return &extremeState{typ: c.Typ, sign: 1} }
	}
	for _, t := range []string{"int2", "int4", "int8", "numeric", "float4", "float8"} {
		for _, name := range []string{"variance", "var_samp", "var_pop", "stddev", "stddev_samp", "stddev_pop"} {
			m[name+"("+t+")"] = func(c *AggCall) AggState { return &varianceState{call: c} }
		}
	}
	maps.Copy(m, seriesImpls())
	maps.Copy(m, pairImpls())
	return m
}

// countState is count(*) and, with any, count(x).
type countState struct {
	any bool
	n   int64
}

func (s *countState) Add(_ *Env, args []any) error {
	if !s.any || args[0] != nil {
		s.n++
	}
	return nil
}

func (s *countState) Merge(_ *Env, other AggState) error {
	s.n += other.(*countState).n
	return nil
}

func (s *countState) Result(*Env) (any, error) { return s.n, nil }

// sumState is sum and avg. Integers and numerics add up exactly.
type sumState struct {
	call     *AggCall
	avg      bool
	n        int64
	float    float64
	exact    *apd.Decimal
	interval pgtypes.Interval
}

func (s *sumState) Add(_ *Env, args []any) (err error) {
	switch v := args[0].(type) {
	case nil:
		return nil
	case float64:
		s.float += v
	case int64:
		err = s.addExact(apd.New(v, 0))
	case *apd.Decimal:
		err = s.addExact(v)
	case pgtypes.Interval:
		s.interval, err = addIntervals(s.interval, v)
	}
	s.n++
	return err
}

func (s *sumState) addExact(v *apd.Decimal) (err error) {
	if s.exact == nil {
		s.exact = v
		return nil
	}
	s.exact, err = pgtypes.NumericAdd(s.exact, v)
	return err
}

func (s *sumState) Merge(_ *Env, other AggState) error {
	o := other.(*sumState)
	s.n += o.n
	s.float += o.float
	if o.exact != nil {
		return s.addExact(o.exact)
	}
	var err error
	s.interval, err = addIntervals(s.interval, o.interval)
	return err
}

func (s *sumState) Result(*Env) (any, error) {
	if s.n == 0 {
		return nil, nil
	}
	switch s.call.Typ.OID {
	case pgtypes.Float8, pgtypes.Float4:
		if s.avg {
			return s.float / float64(s.n), nil
		}
		if s.call.Typ.OID == pgtypes.Float4 {
			return float64(float32(s.float)), nil
		}
		return s.float, nil
	case pgtypes.IntervalOID:
		if !s.avg {
			return s.interval, nil
		}
		return divideInterval(s.interval, float64(s.n))
	case pgtypes.Int8:
		return pgtypes.Convert(s.exact, pgtypes.Of(pgtypes.Numeric), pgtypes.Of(pgtypes.Int8), nil, false)
	}
	if s.avg {
		return pgtypes.NumericDiv(s.exact, apd.New(s.n, 0))
	}
	return new(apd.Decimal).Set(s.exact), nil
}

// extremeState is min and max.
type extremeState struct {
	typ  pgtypes.Type
	sign int
	best any
}

func (s *extremeState) Add(_ *Env, args []any) error {
	if v := args[0]; v != nil && (s.best == nil || s.sign*pgtypes.Compare(s.typ, v, s.best) > 0) {
		s.best = v
	}
	return nil
}

func (s *extremeState) Merge(env *Env, other AggState) error {
	return s.Add(env, []any{other.(*extremeState).best})
}

func (s *extremeState) Result(*Env) (any, error) { return s.best, nil }

// boolState is bool_and and bool_or.
type boolState struct{ and, seen, value bool }

func (s *boolState) Add(_ *Env, args []any) error {
	v, ok := args[0].(bool)
	switch {
	case !ok:
	case !s.seen:
		s.seen, s.value = true, v
	case s.and:
		s.value = s.value && v
	default:
		s.value = s.value || v
	}
	return nil
}

func (s *boolState) Merge(env *Env, other AggState) error {
	if o := other.(*boolState); o.seen {
		return s.Add(env, []any{o.value})
	}
	return nil
}

func (s *boolState) Result(*Env) (any, error) {
	if !s.seen {
		return nil, nil
	}
	return s.value, nil
}

// varianceState is the variance family: exact for integers and numerics, by
// Youngs and Cramer's update for floats, as PostgreSQL does.
type varianceState struct {
	call       *AggCall
	n          int64
	sum, sq    float64 // sq: sum of squared deviations
	exact      bool
	dsum, dsqs *apd.Decimal
}

func (s *varianceState) Add(_ *Env, args []any) error {
	switch v := args[0].(type) {
	case nil:
		return nil
	case float64:
		s.n++
		s.sum += v
		if s.n > 1 {
			d := v*float64(s.n) - s.sum
			s.sq += d * d / (float64(s.n) * float64(s.n-1))
		}
		return nil
	case int64:
		return s.addExact(apd.New(v, 0))
	case *apd.Decimal:
		return s.addExact(v)
	}
	return nil
}

func (s *varianceState) addExact(v *apd.Decimal) error {
	square, err := pgtypes.NumericMul(v, v)
	if err != nil {
		return err
	}
	if !s.exact {
		s.exact, s.dsum, s.dsqs = true, new(apd.Decimal), new(apd.Decimal)
	}
	s.n++
	if s.dsum, err = pgtypes.NumericAdd(s.dsum, v); err != nil {
		return err
	}
	s.dsqs, err = pgtypes.NumericAdd(s.dsqs, square)
	return err
}

func (s *varianceState) Merge(_ *Env, other AggState) (err error) {
	o := other.(*varianceState)
	if o.n == 0 {
		return nil
	}
	if s.n == 0 {
		*s = *o
		return nil
	}
	if s.exact {
		if s.dsum, err = pgtypes.NumericAdd(s.dsum, o.dsum); err != nil {
			return err
		}
		s.n += o.n
		s.dsqs, err = pgtypes.NumericAdd(s.dsqs, o.dsqs)
		return err
	}
	n1, n2 := float64(s.n), float64(o.n)
	d := s.sum/n1 - o.sum/n2
	s.sq += o.sq + n1*n2*d*d/(n1+n2)
	s.sum += o.sum
	s.n += o.n
	return nil
}

func (s *varianceState) Result(*Env) (any, error) {
	name := s.call.Agg.Name
	pop := name == "var_pop" || name == "stddev_pop"
	root := name[0] == 's'
	n := s.n
	if !pop {
		n--
	}
	if s.n == 0 || n == 0 {
		return nil, nil
	}
	if !s.exact {
		v := s.sq / float64(n)
		if root {
			v = math.Sqrt(v)
		}
		return v, nil
	}
	// (N sum(x²) - sum(x)²) / (N n)
	count := apd.New(s.n, 0)
	a, err := pgtypes.NumericMul(count, s.dsqs)
	if err != nil {
		return nil, err
	}
	b, err := pgtypes.NumericMul(s.dsum, s.dsum)
	if err != nil {
		return nil, err
	}
	top, err := pgtypes.NumericSub(a, b)
	if err != nil {
		return nil, err
	}
	if top.Negative || top.IsZero() {
		return new(apd.Decimal), nil
	}
	v, err := pgtypes.NumericDiv(top, apd.New(s.n*n, 0))
	if err != nil || !root {
		return v, err
	}
	return numericRoot(v)
}
