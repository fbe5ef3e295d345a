package exec

import (
	"context"
	"sort"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A partition is the rows from lo to below hi. groups are the first rows of
// the groups of peers, rows equal in the order keys, and hi.
type partition struct {
	*windows
	lo, hi int
	groups []int
}

// call computes one call for every row of the partition.
func (p *partition) call(ctx context.Context, number int) error {
	c := &p.calls[number]
	args, err := p.arguments(c)
	if err != nil {
		return err
	}
	if c.Agg != nil {
		return p.aggregate(ctx, number, args)
	}
	emit := p.emitter(number)
	n := p.hi - p.lo
	switch c.Func {
	case "row_number":
		for i := range n {
			emit(int64(i + 1))
		}
	case "rank", "dense_rank", "percent_rank", "cume_dist":
		p.ranks(c.Func, emit)
	case "ntile":
		return p.ntile(args, emit)
	case "lag", "lead":
		return p.shifted(c.Func == "lead", args, emit)
	default:
		return p.framed(ctx, c, args, emit)
	}
	return nil
}

// emitter gives a function that takes the results of a call, row after row.
func (p *partition) emitter(number int) func(v any) {
	i, hint := p.lo, 0
	return func(v any) {
		batch, _ := p.rows.at(i, &hint)
		p.results[batch][number].Append(v)
		i++
	}
}

// An argument gives the values of one argument of a call by row.
type argument func(row int) (any, error)

func (p *partition) arguments(c *WindowCall) ([]argument, error) {
	list := c.Args
	if c.Agg != nil {
		list = c.Agg.Args
	}
	out := make([]argument, len(list))
	for i, e := range list {
		out[i] = p.argument(e)
	}
	return out, nil
}

// argument evaluates an expression batch by batch, when it is asked for.
func (p *partition) argument(e expr.Expr) argument {
	hint, have := 0, -1
	var col *vector.Column
	return func(row int) (any, error) {
		batch, at := p.rows.at(row, &hint)
		if batch != have {
			var err error
			if col, err = e.Vec(p.env, p.rows.batches[batch]); err != nil {
				return nil, err
			}
			have = batch
		}
		return col.Value(at), nil
	}
}

func (p *partition) ranks(name string, emit func(any)) {
	n := float64(p.hi - p.lo)
	for g := range len(p.groups) - 1 {
		first, end := p.groups[g], p.groups[g+1]
		var v any
		switch name {
		case "rank":
			v = int64(first - p.lo + 1)
		case "dense_rank":
			v = int64(g + 1)
		case "percent_rank":
			v = 0.0
			if n > 1 {
				v = float64(first-p.lo) / (n - 1)
			}
		default:
			v = float64(end-p.lo) / n
		}
		for range end - first {
			emit(v)
		}
	}
}

func (p *partition) ntile(args []argument, emit func(any)) error {
	v, err := args[0](p.lo)
	if err != nil {
		return err
	}
	buckets, ok := v.(int64)
	if ok && buckets <= 0 {
		return pgerr.New("22014", "argument of ntile must be greater than zero")
	}
	n := int64(p.hi - p.lo)
	for i := range n {
		switch {
		case !ok:
			emit(nil)
		case i < n%buckets*(n/buckets+1):
			emit(i/(n/buckets+1) + 1)
		default:
			emit((i-n%buckets)/(n/buckets) + 1)
		}
	}
	return nil
}

// shifted is lag and lead: the value some rows away, else the default.
func (p *partition) shifted(ahead bool, args []argument, emit func(any)) error {
	for row := p.lo; row < p.hi; row++ {
		distance := int64(1)
		if len(args) > 1 {
			v, err := args[1](row)
			if err != nil {
				return err
			}
			var ok bool
			if distance, ok = v.(int64); !ok {
				emit(nil)
				continue
			}
		}
		if !ahead {
			distance = -distance
		}
		var v any
		var err error
		if from := int64(row) + distance; from >= int64(p.lo) && from < int64(p.hi) {
			v, err = args[0](int(from))
		} else if len(args) > 2 {
			v, err = args[2](row)
		}
		if err != nil {
			return err
		}
		emit(v)
	}
	return nil
}

// framed is first_value, last_value and nth_value.
func (p *partition) framed(ctx context.Context, c *WindowCall, args []argument, emit func(any)) error {
	f, err := p.newFrames(c.Frame)
	if err != nil {
		return err
	}
	for row := p.lo; row < p.hi; row++ {
		if row&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		from, to, err := f.bounds(row)
		if err != nil {
			return err
		}
		at := -1
		switch c.Func {
		case "first_value":
			at = f.nth(row, from, to, 1)
		case "last_value":
			at = f.last(row, from, to)
		default:
			v, err := args[1](row)
			if err != nil {
				return err
			}
			n, ok := v.(int64)
			if ok && n <= 0 {
				return pgerr.New("22016", "argument of nth_value must be greater than zero")
			}
			if ok {
				at = f.nth(row, from, to, n)
			}
		}
		var v any
		if at >= 0 {
			if v, err = args[0](at); err != nil {
				return err
			}
		}
		emit(v)
	}
	return nil
}

// aggregate computes an aggregate over the frame of each row. While the frame
// only grows, one state goes with it; where its start moves or rows are left
// out, it is computed anew for each frame that differs from the one before.
func (p *partition) aggregate(ctx context.Context, number int, args []argument) error {
	c := &p.calls[number]
	f, err := p.newFrames(c.Frame)
	if err != nil {
		return err
	}
	emit := p.emitter(number)
	keep := argument(func(int) (any, error) { return true, nil })
	if c.Agg.Filter != nil {
		keep = p.argument(c.Agg.Filter)
	}
	var state expr.AggState
	add := func(row int) error {
		ok, err := keep(row)
		if err != nil || ok != true {
			return err
		}
		values := make([]any, len(args))
		for i, a := range args {
			if values[i], err = a(row); err != nil {
				return err
			}
		}
		return state.Add(p.env, values)
	}
	var last any
	start, end := -1, -1 // of the rows in state
	for row := p.lo; row < p.hi; row++ {
		if row&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		from, to, err := f.bounds(row)
		if err != nil {
			return err
		}
		if from == start && to == end && c.Frame.Exclude == 0 {
			emit(last)
			continue
		}
		next := end
		if state == nil || from != start || to < end || c.Frame.Exclude != 0 {
			state, next = c.Agg.Agg.New(c.Agg), from
		}
		for ; next < to; next++ {
			if !f.excluded(row, next) {
				if err := add(next); err != nil {
					return err
				}
			}
		}
		start, end = from, max(to, from)
		if last, err = state.Result(p.env); err != nil {
			return err
		}
		emit(last)
	}
	return nil
}

// frames finds the frame of each row.
type frames struct {
	*partition
	frame              Frame
	startRows, endRows int64 // offsets of ROWS and GROUPS
	startOffset        any   // of RANGE
	endOffset          any
	group              int // of the row asked for last
	keys               []any
	keyType            pgtypes.Type
	nullLo, nullHi     int // rows whose key is NULL
}

func (p *partition) newFrames(frame Frame) (*frames, error) {
	f := &frames{partition: p, frame: frame}
	var err error
	if f.startRows, f.startOffset, err = f.offset(frame.Start, "starting"); err != nil {
		return nil, err
	}
	if f.endRows, f.endOffset, err = f.offset(frame.End, "ending"); err != nil {
		return nil, err
	}
	if frame.Mode == 'r' && (f.startOffset != nil || f.endOffset != nil) {
		return f, f.readKeys()
	}
	return f, nil
}

func (f *frames) offset(b FrameBound, which string) (rows int64, distance any, err error) {
	if b.Offset == nil {
		return 0, nil, nil
	}
	v, err := b.Offset.Eval(f.env, nil)
	if err != nil {
		return 0, nil, err
	}
	if v == nil {
		return 0, nil, pgerr.New("22004", "frame %s offset must not be null", which)
	}
	if f.frame.Mode == 'r' {
		return 0, v, nil
	}
	rows = v.(int64)
	if rows < 0 {
		return 0, nil, pgerr.New("22013", "frame %s offset must not be negative", which)
	}
	return min(rows, 1<<40), nil, nil
}

// readKeys reads the one order key that RANGE offsets are measured on.
func (f *frames) readKeys() error {
	typ := f.spec.Order[0].Expr.Type()
	f.keys = make([]any, f.hi-f.lo)
	f.nullLo, f.nullHi = f.hi, f.hi
	hint := 0
	for i := range f.keys {
		batch, at := f.rows.at(f.lo+i, &hint)
		f.keys[i], f.keyType = expr.FrameKey(typ, f.rows.order[batch][0].Value(at))
		if f.keys[i] == nil {
			f.nullLo = min(f.nullLo, f.lo+i)
			f.nullHi = f.lo + i + 1
		}
	}
	return nil
}

// groupOf finds the group of peers of a row.
func (f *frames) groupOf(row int) int {
	for f.group > 0 && row < f.groups[f.group] {
		f.group--
	}
	for row >= f.groups[f.group+1] {
		f.group++
	}
	return f.group
}

// bounds gives the frame of a row, before exclusion: from to below to. It may
// be empty.
func (f *frames) bounds(row int) (from, to int, err error) {
	from, err = f.bound(row, f.frame.Start, f.startRows, f.startOffset, true)
	if err == nil {
		to, err = f.bound(row, f.frame.End, f.endRows, f.endOffset, false)
	}
	return from, to, err
}

// bound gives the first row of the frame, or the first one behind it.
func (f *frames) bound(row int, b FrameBound, rows int64, offset any, start bool) (int, error) {
	switch b.Kind {
	case 'U':
		return f.lo, nil
	case 'u':
		return f.hi, nil
	}
	behind := 1
	if start {
		behind = 0
	}
	if b.Kind == 'p' {
		rows = -rows
	}
	switch f.frame.Mode {
	case 'w':
		return int(min(max(int64(row)+rows+int64(behind), int64(f.lo)), int64(f.hi))), nil
	case 'g':
		g := int64(f.groupOf(row)) + rows + int64(behind)
		return f.groups[min(max(g, 0), int64(len(f.groups)-1))], nil
	}
	if b.Kind == 'c' || f.keys[row-f.lo] == nil {
		return f.groups[f.groupOf(row)+behind], nil
	}
	desc := f.spec.Order[0].Desc
	limit, err := expr.FrameBound(f.env, f.keyType, f.keys[row-f.lo], offset, (b.Kind == 'p') != desc)
	if err != nil {
		return 0, err
	}
	lo, hi := f.lo, f.hi // of the rows whose key is not NULL
	if f.nullLo == f.lo && f.nullHi > f.lo {
		lo = f.nullHi
	} else if f.nullLo < f.hi {
		hi = f.nullLo
	}
	return lo + sort.Search(hi-lo, func(k int) bool {
		c := pgtypes.Compare(f.keyType, f.keys[lo+k-f.lo], limit)
		if desc {
			c = -c
		}
		return c > 0 || c == 0 && start
	}), nil
}

// excluded reports whether EXCLUDE leaves row i out of the frame of a row.
func (f *frames) excluded(row, i int) bool {
	switch f.frame.Exclude {
	case 'c':
		return i == row
	case 'g', 't':
		g := f.groupOf(row)
		return i >= f.groups[g] && i < f.groups[g+1] && (f.frame.Exclude == 'g' || i != row)
	}
	return false
}

// nth gives the nth row of a frame, -1 if it has fewer.
func (f *frames) nth(row, from, to int, n int64) int {
	if f.frame.Exclude == 0 {
		if at := int64(from) + n - 1; at < int64(to) {
			return int(at)
		}
		return -1
	}
	for i := from; i < to; i++ {
		if !f.excluded(row, i) {
			if n--; n == 0 {
				return i
			}
		}
	}
	return -1
}

// last gives the last row of a frame, -1 if it is empty.
func (f *frames) last(row, from, to int) int {
	for i := to - 1; i >= from; i-- {
		if !f.excluded(row, i) {
			return i
		}
	}
	return -1
}
