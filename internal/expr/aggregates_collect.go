package expr

import (
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

// numericRoot is the square root with at least 16 significant digits.
func numericRoot(v *apd.Decimal) (*apd.Decimal, error) {
	c := apd.BaseContext.WithPrecision(uint32(v.NumDigits()) + 40)
	d := new(apd.Decimal)
	if _, err := c.Sqrt(d, v); err != nil {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "value out of range")
	}
	whole := int(d.NumDigits()) + int(d.Exponent)
	return pgtypes.NumericRound(d, max(16-whole, pgtypes.Scale(v), 0)), nil
}

// stringState is string_agg.
type stringState struct {
	parts []string
	seps  []string
}

func (s *stringState) Add(_ *Env, args []any) error {
	v, ok := args[0].(string)
	if !ok {
		return nil
	}
	sep, _ := args[1].(string)
	s.parts, s.seps = append(s.parts, v), append(s.seps, sep)
	return nil
}

func (s *stringState) Merge(_ *Env, other AggState) error {
	o := other.(*stringState)
	s.parts, s.seps = append(s.parts, o.parts...), append(s.seps, o.seps...)
	return nil
}

func (s *stringState) Result(*Env) (any, error) {
	if len(s.parts) == 0 {
		return nil, nil
	}
	var b strings.Builder
	for i, p := range s.parts {
		if i > 0 {
			b.WriteString(s.seps[i])
		}
		b.WriteString(p)
	}
	return b.String(), nil
}

// arrayState is array_agg over what is no array.
type arrayState struct {
	elem  pgtypes.OID
	elems []any
}

func (s *arrayState) Add(_ *Env, args []any) error {
	s.elems = append(s.elems, args[0])
	return nil
}

func (s *arrayState) Merge(_ *Env, other AggState) error {
	s.elems = append(s.elems, other.(*arrayState).elems...)
	return nil
}

func (s *arrayState) Result(*Env) (any, error) {
	if len(s.elems) == 0 {
		return nil, nil
	}
	return pgtypes.NewArray(s.elem, s.elems), nil
}

// nestedState is array_agg over arrays, which must be of one shape.
type nestedState struct {
	elem  pgtypes.OID
	dims  []pgtypes.Dim // of each input
	elems []any
	n     int32
}

func (s *nestedState) Add(_ *Env, args []any) error {
	a, ok := args[0].(*pgtypes.Array)
	switch {
	case !ok:
		return pgerr.New(pgerr.FeatureNotSupported, "cannot accumulate null arrays")
	case len(a.Dims) == 0:
		return pgerr.New(pgerr.ArraySubscriptError, "cannot accumulate empty arrays")
	case s.n > 0 && !slices.Equal(a.Dims, s.dims):
		return pgerr.New(pgerr.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
	}
	s.dims = a.Dims
	s.elems = append(s.elems, a.Elems...)
	s.n++
	return nil
}

func (s *nestedState) Merge(_ *Env, other AggState) error {
	o := other.(*nestedState)
	if o.n == 0 {
		return nil
	}
	if s.n > 0 && !slices.Equal(o.dims, s.dims) {
		return pgerr.New(pgerr.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
	}
	s.dims, s.n = o.dims, s.n+o.n
	s.elems = append(s.elems, o.elems...)
	return nil
}

func (s *nestedState) Result(*Env) (any, error) {
	if s.n == 0 {
		return nil, nil
	}
	return &pgtypes.Array{Elem: s.elem, Dims: append([]pgtypes.Dim{{Len: s.n, Lower: 1}}, s.dims...), Elems: s.elems}, nil
}

// jsonArrayState is jsonb_agg.
type jsonArrayState struct {
	call *AggCall
	raws []string
}

func (s *jsonArrayState) Add(env *Env, args []any) error {
	raw, err := toJSON(env, s.call.Args[0].Type(), args[0])
	s.raws = append(s.raws, raw)
	return err
}

func (s *jsonArrayState) Merge(_ *Env, other AggState) error {
	s.raws = append(s.raws, other.(*jsonArrayState).raws...)
	return nil
}

func (s *jsonArrayState) Result(*Env) (any, error) {
	if len(s.raws) == 0 {
		return nil, nil
	}
	return pgtypes.JSONArrayOf(s.raws), nil
}

// jsonObjectState is jsonb_object_agg.
type jsonObjectState struct {
	call       *AggCall
	keys, raws []string
}

func (s *jsonObjectState) Add(env *Env, args []any) error {
	if args[0] == nil {
		return pgerr.New(pgerr.InvalidParameterValue, "field name must not be null")
	}
	key, err := pgtypes.AppendText(nil, s.call.Args[0].Type(), args[0], env.Style)
	if err != nil {
		return err
	}
	raw, err := toJSON(env, s.call.Args[1].Type(), args[1])
	s.keys, s.raws = append(s.keys, string(key)), append(s.raws, raw)
	return err
}

func (s *jsonObjectState) Merge(_ *Env, other AggState) error {
	o := other.(*jsonObjectState)
	s.keys, s.raws = append(s.keys, o.keys...), append(s.raws, o.raws...)
	return nil
}

func (s *jsonObjectState) Result(*Env) (any, error) {
	if len(s.keys) == 0 {
		return nil, nil
	}
	return pgtypes.JSONObjectOf(s.keys, s.raws), nil
}

// percentileState is percentile_cont and percentile_disc, of one fraction or
// of an array of them.
type percentileState struct {
	call      *AggCall
	cont      bool
	desc      bool
	typ       pgtypes.Type // of the sorted value
	fractions any
	seen      bool
	floats    []float64 // the values, where they are float8
	values    []any     // otherwise
}

func newPercentile(c *AggCall, cont bool) AggState {
	s := &percentileState{call: c, cont: cont, desc: len(c.OrderBy) > 0 && c.OrderBy[0].Desc}
	switch {
	case len(c.OrderBy) > 0:
		s.typ = c.OrderBy[0].Expr.Type()
	case len(c.Args) > 1:
		s.typ = c.Args[1].Type()
	}
	return s
}

func (s *percentileState) Add(_ *Env, args []any) error {
	if !s.seen {
		s.seen, s.fractions = true, args[0]
	}
	switch v := args[1].(type) {
	case nil:
	case float64:
		s.floats = append(s.floats, v)
	default:
		s.values = append(s.values, v)
	}
	return nil
}

// AddFloat adds a value without boxing it; false: this is the first row of the
// group, which Add must take.
func (s *percentileState) AddFloat(v float64) bool {
	if s.seen {
		s.floats = append(s.floats, v)
	}
	return s.seen
}

func (s *percentileState) Merge(_ *Env, other AggState) error {
	o := other.(*percentileState)
	if o.seen {
		s.seen, s.fractions = true, o.fractions
	}
	s.floats, s.values = append(s.floats, o.floats...), append(s.values, o.values...)
	return nil
}

func (s *percentileState) Result(*Env) (any, error) {
	n := len(s.floats) + len(s.values)
	if !s.seen || s.fractions == nil || n == 0 {
		return nil, nil
	}
	list, ok := s.fractions.(*pgtypes.Array)
	if fraction, one := s.fractions.(float64); one && len(s.floats) == n && !s.desc && fraction >= 0 && fraction <= 1 {
		if v, ok := s.pick(fraction); ok {
			return v, nil
		}
	}
	slices.SortFunc(s.floats, func(a, b float64) int { return pgtypes.Compare(pgtypes.Of(pgtypes.Float8), a, b) })
	slices.SortFunc(s.values, func(a, b any) int { return pgtypes.Compare(s.typ, a, b) })
	if s.desc {
		slices.Reverse(s.floats)
		slices.Reverse(s.values)
	}
	if !ok {
		return s.at(s.fractions.(float64), n)
	}
	out := &pgtypes.Array{Elem: pgtypes.ElemOf(s.call.Typ.OID), Dims: list.Dims, Elems: make([]any, len(list.Elems))}
	for i, f := range list.Elems {
		if f == nil {
			continue
		}
		v, err := s.at(f.(float64), n)
		if err != nil {
			return nil, err
		}
		out.Elems[i] = v
	}
	return out, nil
}

// pick gives the value at one fraction of floats without sorting them all;
// false if there is a NaN, which has a place of its own in the order.
func (s *percentileState) pick(fraction float64) (v any, ok bool) {
	if slices.ContainsFunc(s.floats, math.IsNaN) {
		return nil, false
	}
	n := len(s.floats)
	if !s.cont {
		low := max(int(math.Ceil(fraction*float64(n)))-1, 0)
		settle(s.floats, low)
		return s.floats[low], true
	}
	pos := fraction * float64(n-1)
	low, part := int(math.Floor(pos)), pos-math.Floor(pos)
	settle(s.floats, low)
	a := s.floats[low]
	if part == 0 {
		return a, true
	}
	return a + part*(slices.Min(s.floats[low+1:])-a), true
}

// settle moves the value that sorting would put at place k there, nothing
// greater in front of it and nothing less behind it.
func settle(v []float64, k int) {
	for len(v) > 32 {
		// The pivot is near the wanted place: a sample's value at that share.
		var sample [32]float64
		for i := range sample {
			sample[i] = v[i*(len(v)/32)]
		}
		slices.Sort(sample[:])
		pivot := sample[k*32/len(v)]
		less, more := 0, len(v) // v[:less] < pivot, v[more:] > pivot
		for i := 0; i < more; {
			switch x := v[i]; {
			case x < pivot:
				v[i], v[less] = v[less], x
				less, i = less+1, i+1
			case x > pivot:
				more--
				v[i], v[more] = v[more], x
			default:
				i++
			}
		}
		switch {
		case k < less:
			v = v[:less]
		case k >= more:
			v, k = v[more:], k-more
		default:
			return
		}
	}
	slices.Sort(v)
}

// at gives the value at a fraction of n sorted ones.
func (s *percentileState) at(fraction float64, n int) (any, error) {
	if fraction < 0 || fraction > 1 || math.IsNaN(fraction) {
		return nil, pgerr.New(pgerr.NumericValueOutOfRange, "percentile value %g is not between 0 and 1", fraction)
	}
	if !s.cont {
		i := max(int(math.Ceil(fraction*float64(n)))-1, 0)
		if s.floats != nil {
			return s.floats[i], nil
		}
		return s.values[i], nil
	}
	pos := fraction * float64(n-1)
	low, high := int(math.Floor(pos)), int(math.Ceil(pos))
	part := pos - float64(low)
	if s.floats != nil {
		a, b := s.floats[low], s.floats[high]
		if low == high {
			return a, nil
		}
		return a + part*(b-a), nil
	}
	a, b := s.values[low], s.values[high]
	x, ok := a.(pgtypes.Interval)
	if !ok || low == high {
		return a, nil
	}
	less, err := negateInterval(x)
	if err != nil {
		return nil, err
	}
	span, err := addIntervals(b.(pgtypes.Interval), less)
	if err != nil {
		return nil, err
	}
	scaled, err := scaleInterval(span, part)
	if err != nil {
		return nil, err
	}
	return boxed(addIntervals(scaled.(pgtypes.Interval), x))
}

// modeState is mode(): the most frequent value, the first of equals in order.
type modeState struct {
	call   *AggCall
	values []any
}

func (s *modeState) Add(_ *Env, args []any) error {
	if args[0] != nil {
		s.values = append(s.values, args[0])
	}
	return nil
}

func (s *modeState) Merge(_ *Env, other AggState) error {
	s.values = append(s.values, other.(*modeState).values...)
	return nil
}

func (s *modeState) Result(*Env) (any, error) {
	slices.SortStableFunc(s.values, func(a, b any) int {
		c := pgtypes.Compare(s.call.Typ, a, b)
		if len(s.call.OrderBy) > 0 && s.call.OrderBy[0].Desc {
			return -c
		}
		return c
	})
	var best any
	most, run := 0, 0
	for i, v := range s.values {
		if i > 0 && pgtypes.Compare(s.call.Typ, v, s.values[i-1]) == 0 {
			run++
		} else {
			run = 1
		}
		if run > most {
			most, best = run, v
		}
	}
	return best, nil
}
