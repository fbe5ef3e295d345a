package expr

import "github.com/tael-sql/tael-sql/internal/pgtypes"

// overlaps is (s1, e1) OVERLAPS (s2, e2) over starts and ends of one type: an
// end that is not known makes the answer unknown only where it matters.
func overlaps(s1, e1, s2, e2 any) any {
	s1, e1, ok1 := inOrder(s1, e1)
	s2, e2, ok2 := inOrder(s2, e2)
	if !ok1 || !ok2 {
		return nil
	}
	if s1.(int64) > s2.(int64) {
		s1, e1, s2, e2 = s2, e2, s1, e1
	}
	switch {
	case s1 == s2 && (e1 == nil || e2 == nil), e1 == nil:
		return nil
	case s1 == s2 || s2.(int64) < e1.(int64):
		return true
	case e2 == nil:
		return nil
	}
	return false
}

// inOrder puts the start of a period first; false when neither is known.
func inOrder(start, end any) (any, any, bool) {
	switch {
	case start == nil:
		return end, nil, end != nil
	case end != nil && start.(int64) > end.(int64):
		return end, start, true
	}
	return start, end, true
}

func overlapsFunctions() map[string]impl {
	m := make(map[string]impl)
	for _, t := range []string{"time", "timestamp", "timestamptz"} {
		m["overlaps("+t+","+t+","+t+","+t+")"] = raw(func(_ *Env, _ *Call, args []any) (any, error) {
			return overlaps(args[0], args[1], args[2], args[3]), nil
		})
		if t == "time" {
			continue
		}
		// An end may be a length of time.
		length := raw(func(env *Env, _ *Call, args []any) (any, error) {
			ends := [2]any{args[1], args[3]}
			for i, e := range ends {
				d, ok := e.(pgtypes.Interval)
				if !ok {
					continue
				}
				ends[i] = nil
				start, ok := args[2*i].(int64)
				if !ok {
					continue
				}
				end, err := addInterval(start, d)
				if t == "timestamptz" {
					end, err = addIntervalTZ(start, d, env.location())
				}
				if err != nil {
					return nil, err
				}
				ends[i] = end
			}
			return overlaps(args[0], ends[0], args[2], ends[1]), nil
		})
		m["overlaps("+t+",interval,"+t+",interval)"] = length
		m["overlaps("+t+",interval,"+t+","+t+")"] = length
		m["overlaps("+t+","+t+","+t+",interval)"] = length
	}
	return m
}
