package expr

import (
	"math"
)

// pairImpls are the aggregates over pairs of numbers (Y, X), and those over bits.
func pairImpls() map[string]func(*AggCall) AggState {
	m := make(map[string]func(*AggCall) AggState)
	for _, name := range []string{
		"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept",
		"regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy",
	} {
		m[name+"(float8,float8)"] = func(*AggCall) AggState { return &pairState{name: name} }
	}
	for _, t := range []string{"int2", "int4", "int8"} {
		m["bit_and("+t+")"] = func(*AggCall) AggState { return &bitState{join: func(a, b int64) int64 { return a & b }} }
		m["bit_or("+t+")"] = func(*AggCall) AggState { return &bitState{join: func(a, b int64) int64 { return a | b }} }
		m["bit_xor("+t+")"] = func(*AggCall) AggState { return &bitState{join: func(a, b int64) int64 { return a ^ b }} }
	}
	return m
}

// pairState sums by the method of Youngs and Cramer, as PostgreSQL does: sxx,
// syy and sxy are sums of products of the distances from the mean.
type pairState struct {
	name          string
	n             int64
	sx, sy        float64
	sxx, syy, sxy float64
}

func (s *pairState) Add(_ *Env, args []any) error {
	y, okY := args[0].(float64)
	x, okX := args[1].(float64)
	if !okY || !okX {
		return nil
	}
	s.n++
	s.sx += x
	s.sy += y
	if s.n > 1 {
		n := float64(s.n)
		dx, dy, scale := x*n-s.sx, y*n-s.sy, 1/(n*(n-1))
		s.sxx += dx * dx * scale
		s.syy += dy * dy * scale
		s.sxy += dx * dy * scale
	}
	return nil
}

func (s *pairState) Merge(_ *Env, other AggState) error {
	o := other.(*pairState)
	switch {
	case o.n == 0:
		return nil
	case s.n == 0:
		*s = *o
		return nil
	}
	n1, n2 := float64(s.n), float64(o.n)
	dx, dy, scale := s.sx/n1-o.sx/n2, s.sy/n1-o.sy/n2, n1*n2/(n1+n2)
	s.sxx += o.sxx + dx*dx*scale
	s.syy += o.syy + dy*dy*scale
	s.sxy += o.sxy + dx*dy*scale
	s.n, s.sx, s.sy = s.n+o.n, s.sx+o.sx, s.sy+o.sy
	return nil
}

func (s *pairState) Result(*Env) (any, error) {
	n := float64(s.n)
	if s.name == "regr_count" {
		return s.n, nil
	}
	if s.n == 0 {
		return nil, nil
	}
	switch s.name {
	case "regr_sxx":
		return s.sxx, nil
	case "regr_syy":
		return s.syy, nil
	case "regr_sxy":
		return s.sxy, nil
	case "regr_avgx":
		return s.sx / n, nil
	case "regr_avgy":
		return s.sy / n, nil
	case "covar_pop":
		return s.sxy / n, nil
	case "covar_samp":
		if s.n == 1 {
			return nil, nil
		}
		return s.sxy / (n - 1), nil
	}
	if s.sxx == 0 {
		return nil, nil
	}
	switch s.name {
	case "regr_slope":
		return s.sxy / s.sxx, nil
	case "regr_intercept":
		return (s.sy - s.sx*s.sxy/s.sxx) / n, nil
	case "regr_r2":
		if s.syy == 0 {
			return 1.0, nil
		}
		return s.sxy * s.sxy / (s.sxx * s.syy), nil
	}
	if s.syy == 0 {
		return nil, nil
	}
	return s.sxy / math.Sqrt(s.sxx*s.syy), nil
}

// bitState is bit_and, bit_or and bit_xor.
type bitState struct {
	join  func(a, b int64) int64
	value int64
	any   bool
}

func (s *bitState) Add(_ *Env, args []any) error {
	if v, ok := args[0].(int64); ok {
		s.add(v)
	}
	return nil
}

func (s *bitState) add(v int64) {
	if s.any {
		v = s.join(s.value, v)
	}
	s.value, s.any = v, true
}

func (s *bitState) Merge(_ *Env, other AggState) error {
	if o := other.(*bitState); o.any {
		s.add(o.value)
	}
	return nil
}

func (s *bitState) Result(*Env) (any, error) {
	if !s.any {
		return nil, nil
	}
	return s.value, nil
}
