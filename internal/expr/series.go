package expr

import (
	"cmp"
	"math"
	"slices"
)

// seriesImpls makes the states of the aggregates over the points of a series.
func seriesImpls() map[string]func(*AggCall) AggState {
	m := make(map[string]func(*AggCall) AggState)
	for name, of := range map[string]func(points []point) any{"increase": increase, "rate": rate, "delta": difference} {
		state := func(*AggCall) AggState { return &seriesState{of: of} }
		m[name+"(float8,timestamptz)"] = state
		m[name+"(float8,timestamptz,timestamptz)"] = state
	}
	return m
}

// A point of a series: its value, its time and, for a sum, since when it counts.
type point struct {
	value       float64
	time, start int64 // timestamptz; start is the least int64 where unknown
}

// seriesState gathers the points of a series, which come in any order.
type seriesState struct {
	of     func(points []point) any
	points []point
}

func (s *seriesState) Add(_ *Env, args []any) error {
	value, ok := args[0].(float64)
	time, ok2 := args[1].(int64)
	if !ok || !ok2 {
		return nil
	}
	p := point{value: value, time: time, start: math.MinInt64}
	if len(args) > 2 {
		if start, ok := args[2].(int64); ok {
			p.start = start
		}
	}
	s.points = append(s.points, p)
	return nil
}

func (s *seriesState) Merge(_ *Env, other AggState) error {
	s.points = append(s.points, other.(*seriesState).points...)
	return nil
}

// Result orders the points by time. Of several with the same time and start one
// counts, the largest: a counter that was read twice has only grown.
func (s *seriesState) Result(*Env) (any, error) {
	slices.SortFunc(s.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.start, b.start), cmp.Compare(b.value, a.value))
	})
	points := slices.CompactFunc(slices.Clone(s.points), func(a, b point) bool { return a.time == b.time && a.start == b.start })
	if len(points) < 2 {
		return nil, nil
	}
	return s.of(points), nil
}

// increase is by how much a counter grew. Where it is less than before, or
// counts since after the point before, it began anew at 0.
func increase(points []point) any {
	sum := 0.0
	for i, p := range points[1:] {
		last := points[i]
		if p.value < last.value || p.start > last.start && p.start >= last.time {
			sum += p.value
		} else {
			sum += p.value - last.value
		}
	}
	return sum
}

// rate is the increase a second, between the first point and the last.
func rate(points []point) any {
	seconds := float64(points[len(points)-1].time-points[0].time) / 1e6
	if seconds <= 0 {
		return nil
	}
	return increase(points).(float64) / seconds
}

// difference is the last value less the first: how a gauge moved.
func difference(points []point) any { return points[len(points)-1].value - points[0].value }
