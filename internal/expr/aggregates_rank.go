package expr

import "github.com/tael-sql/tael-sql/internal/pgtypes"

// rankState is the hypothetical-set aggregates: where a row of the direct
// arguments would stand among the sorted rows. It compares rows as they come,
// and keeps only the different ones before it that dense_rank counts.
type rankState struct {
	call   *AggCall
	rows   int64
	before int64
	equal  int64
	seen   map[string]struct{} // of dense_rank
}

func newRank(c *AggCall) AggState {
	s := &rankState{call: c}
	if c.Agg.Name == "dense_rank" {
		s.seen = make(map[string]struct{})
	}
	return s
}

// Add compares a row, whose values stand behind the direct arguments.
func (s *rankState) Add(_ *Env, args []any) error {
	n := len(s.call.OrderBy)
	row := args[n:]
	s.rows++
	for i, k := range s.call.OrderBy {
		switch c := compareSorted(k, row[i], args[i]); {
		case c > 0:
			return nil
		case c < 0:
			s.countBefore(row)
			return nil
		}
	}
	s.equal++
	return nil
}

func (s *rankState) countBefore(row []any) {
	if s.seen == nil {
		s.before++
		return
	}
	var key []byte
	for i, k := range s.call.OrderBy {
		key = pgtypes.AppendKey(key, k.Expr.Type(), row[i])
	}
	s.seen[string(key)] = struct{}{}
}

// compareSorted orders two values, NULLs included, by a sort key.
func compareSorted(k SortKey, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil || b == nil:
		if (a == nil) != k.NullsFirst {
			return 1
		}
		return -1
	}
	c := pgtypes.Compare(k.Expr.Type(), a, b)
	if k.Desc {
		return -c
	}
	return c
}

// Merge adds the rows of another state.
func (s *rankState) Merge(_ *Env, other AggState) error {
	o := other.(*rankState)
	s.rows, s.before, s.equal = s.rows+o.rows, s.before+o.before, s.equal+o.equal
	for key := range o.seen {
		s.seen[key] = struct{}{}
	}
	return nil
}

// Result gives the rank.
func (s *rankState) Result(*Env) (any, error) {
	switch s.call.Agg.Name {
	case "rank":
		return s.before + 1, nil
	case "dense_rank":
		return int64(len(s.seen)) + 1, nil
	case "percent_rank":
		if s.rows == 0 {
			return 0.0, nil
		}
		return float64(s.before) / float64(s.rows), nil
	}
	return float64(s.before+s.equal+1) / float64(s.rows+1), nil // cume_dist
}
