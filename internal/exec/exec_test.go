package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// testTypes are those of the test rows: an integer key, a text, a float.
var testTypes = []pgtypes.Type{pgtypes.Of(pgtypes.Int8), pgtypes.Of(pgtypes.Text), pgtypes.Of(pgtypes.Float8)}

func testEnv(limit int64) *expr.Env {
	return &expr.Env{Ctx: context.Background(), Account: vector.NewAccount(nil, limit), Style: &pgtypes.TextStyle{}}
}

func column(slot int, typ pgtypes.Type) expr.Expr {
	return &expr.Col{Slot: slot, Typ: typ, Name: fmt.Sprintf("c%d", slot)}
}

// randomRows makes rows with few keys, NULLs and repeats.
func randomRows(rng *rand.Rand, n int) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		row := []any{int64(rng.IntN(8)), fmt.Sprintf("t%d", rng.IntN(5)), float64(rng.IntN(100))}
		if rng.IntN(3) == 0 {
			row[1] = fmt.Sprintf("%016x", rng.IntN(5)) // keys of ids are shorter
		}
		for c := range row {
			if rng.IntN(7) == 0 {
				row[c] = nil
			}
		}
		rows[i] = row
	}
	return rows
}

// batches gives rows in small batches, some with a selection and some with a
// dictionary, as scans do.
func batches(rng *rand.Rand, rows [][]any) vector.Reader {
	var list []*vector.Batch
	for len(rows) > 0 {
		n := min(1+rng.IntN(20), len(rows))
		part := rows[:n]
		rows = rows[n:]
		cols := make([]*vector.Column, len(testTypes))
		for c, kind := range Kinds(testTypes) {
			b := vector.NewBuilder(kind, n)
			for _, row := range part {
				b.Append(row[c])
				b.Append(row[c]) // every row twice; the selection takes one
			}
			cols[c] = b.Finish()
		}
		if rng.IntN(2) == 0 {
			cols[1] = withDictionary(cols[1])
		}
		b := vector.NewBatch(2*n, cols)
		for i := range n {
			b.Sel = append(b.Sel, int32(2*i+rng.IntN(2)))
		}
		list = append(list, b)
	}
	return &listReader{list}
}

func withDictionary(c *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Codes: make([]uint32, c.Len), Dict: []string{""}}
	for i, s := range c.Strs {
		at := slices.Index(out.Dict, s)
		if at < 0 {
			at = len(out.Dict)
			out.Dict = append(out.Dict, s)
		}
		out.Codes[i] = uint32(at)
	}
	return out
}

type listReader struct{ list []*vector.Batch }

func (l *listReader) Next(context.Context) (*vector.Batch, error) {
	if len(l.list) == 0 {
		return nil, nil
	}
	b := l.list[0]
	l.list = l.list[1:]
	return b, nil
}

func (l *listReader) Close() {}

// drain reads an operator and gives its rows as text, sorted unless ordered.
func drain(t *testing.T, env *expr.Env, r vector.Reader, ordered bool) []string {
	t.Helper()
	var rows [][]any
	err := eachRow(env.Ctx, r, func(row []any) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	out := texts(rows)
	if !ordered {
		slices.Sort(out)
	}
	return out
}

func texts(rows [][]any) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = fmt.Sprint(row...)
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// shared gives rows through one to three readers.
func shared(rng *rand.Rand, rows [][]any) []vector.Reader {
	out := make([]vector.Reader, 1+rng.IntN(3))
	for i := range out {
		n := len(rows)
		if i < len(out)-1 {
			n = rng.IntN(n + 1)
		}
		out[i], rows = batches(rng, rows[:n]), rows[n:]
	}
	return out
}

// Every kind of join agrees with two nested loops, with and without keys and
// with a further condition on the pairs.
func TestJoinKinds(t *testing.T) {
	rng := seeded(t)
	env := testEnv(0)
	kinds := map[string]JoinKind{"inner": Inner, "left": Left, "right": Right, "full": Full, "semi": Semi, "anti": Anti}
	less := &expr.Call{Fn: operator(t, "<", pgtypes.Float8), Typ: pgtypes.Of(pgtypes.Bool), Args: []expr.Expr{
		column(2, testTypes[2]), column(5, testTypes[2]),
	}}
	for range 40 {
		left, right := randomRows(rng, rng.IntN(60)), randomRows(rng, rng.IntN(60))
		for name, kind := range kinds {
			for _, keys := range []bool{true, false} {
				for _, residual := range []bool{true, false} {
					spec := JoinSpec{
						Kind: kind, Left: shared(rng, left), Right: shared(rng, right),
						LeftKinds: Kinds(testTypes), RightKinds: Kinds(testTypes),
					}
					if keys {
						spec.LeftKeys = []expr.Expr{column(0, testTypes[0]), column(1, testTypes[1])}
						spec.RightKeys = spec.LeftKeys
					}
					if residual {
						spec.Residual = less
					}
					got := drain(t, env, Concat(Join(env, spec)...), false)
					same(t, fmt.Sprintf("%s join, keys %t, residual %t", name, keys, residual), got,
						naiveJoin(kind, left, right, keys, residual))
				}
			}
		}
	}
	if used := env.Account.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

func naiveJoin(kind JoinKind, left, right [][]any, keys, residual bool) []string {
	nulls := make([]any, len(testTypes))
	matched := make([]bool, len(right))
	var out [][]any
	for _, l := range left {
		found := false
		for i, r := range right {
			if keys && (l[0] == nil || l[1] == nil || l[0] != r[0] || l[1] != r[1]) {
				continue
			}
			if residual && (l[2] == nil || r[2] == nil || l[2].(float64) >= r[2].(float64)) {
				continue
			}
			found, matched[i] = true, true
			if kind != Semi && kind != Anti {
				out = append(out, slices.Concat(l, r))
			}
		}
		switch {
		case found && kind == Semi, !found && kind == Anti:
			out = append(out, l)
		case !found && (kind == Left || kind == Full):
			out = append(out, slices.Concat(l, nulls))
		}
	}
	for i, r := range right {
		if !matched[i] && (kind == Right || kind == Full) {
			out = append(out, slices.Concat(nulls, r))
		}
	}
	list := texts(out)
	slices.Sort(list)
	return list
}

func operator(t *testing.T, symbol string, typ pgtypes.OID) *expr.Func {
	t.Helper()
	for _, f := range expr.Operators(symbol) {
		if len(f.Args) == 2 && f.Args[0] == typ && f.Args[1] == typ {
			return f
		}
	}
	t.Fatalf("no operator %s of %d", symbol, typ)
	return nil
}

func aggregateNamed(t *testing.T, name string, args ...pgtypes.OID) *expr.Aggregate {
	t.Helper()
	for _, a := range expr.Aggregates(name) {
		if slices.Equal(a.Args, args) {
			return a
		}
	}
	t.Fatalf("no aggregate %s %v", name, args)
	return nil
}

// The kernels agree with the states of package expr, on one input and on
// several that are merged, for one key, two keys and none.
func TestAggregateKernels(t *testing.T) {
	rng := seeded(t)
	env := testEnv(0)
	call := func(name string, slot int, arg, result pgtypes.OID) *expr.AggCall {
		return &expr.AggCall{
			Agg: aggregateNamed(t, name, arg), Args: []expr.Expr{column(slot, testTypes[slot])}, Typ: pgtypes.Of(result),
		}
	}
	calls := []*expr.AggCall{
		{Agg: aggregateNamed(t, "count"), Star: true, Typ: pgtypes.Of(pgtypes.Int8)},
		call("sum", 0, pgtypes.Int8, pgtypes.Numeric), call("avg", 0, pgtypes.Int8, pgtypes.Numeric),
		call("min", 0, pgtypes.Int8, pgtypes.Int8), call("max", 0, pgtypes.Int8, pgtypes.Int8),
		call("sum", 2, pgtypes.Float8, pgtypes.Float8), call("avg", 2, pgtypes.Float8, pgtypes.Float8),
		call("min", 2, pgtypes.Float8, pgtypes.Float8), call("max", 2, pgtypes.Float8, pgtypes.Float8),
		call("max", 1, pgtypes.Text, pgtypes.Text),
	}
	distinct := call("sum", 0, pgtypes.Int8, pgtypes.Numeric)
	distinct.Distinct = true
	filtered := call("sum", 2, pgtypes.Float8, pgtypes.Float8)
	filtered.Filter = &expr.Call{Fn: operator(t, "=", pgtypes.Text), Typ: pgtypes.Of(pgtypes.Bool), Args: []expr.Expr{
		column(1, testTypes[1]), &expr.Const{Typ: testTypes[1], Val: "t1"},
	}}
	texts := call("max", 1, pgtypes.Text, pgtypes.Text)
	texts.Distinct = true
	calls = append(calls, distinct, texts, filtered)
	for range 30 {
		rows := randomRows(rng, rng.IntN(200))
		for _, keyed := range [][]int{{}, {0}, {1}, {0, 1}} {
			keys := make([]expr.Expr, len(keyed))
			for i, k := range keyed {
				keys[i] = column(k, testTypes[k])
			}
			cut := rng.IntN(len(rows) + 1)
			got := drain(t, env, Aggregate(env, []vector.Reader{batches(rng, rows[:cut]), batches(rng, rows[cut:])}, keys, calls), false)
			same(t, fmt.Sprintf("keys %v", keyed), got, naiveAggregate(t, env, rows, keyed, calls))
		}
	}
}

// naiveAggregate feeds the states of package expr row by row.
func naiveAggregate(t *testing.T, env *expr.Env, rows [][]any, keyed []int, calls []*expr.AggCall) []string {
	t.Helper()
	type group struct {
		key    []any
		states []expr.AggState
		seen   map[any]bool
	}
	groups := make(map[string]*group)
	get := func(row []any) *group {
		var key []any
		for _, k := range keyed {
			key = append(key, row[k])
		}
		id := fmt.Sprint(key)
		g := groups[id]
		if g == nil {
			g = &group{key: key, seen: make(map[any]bool)}
			for _, c := range calls {
				g.states = append(g.states, c.Agg.New(c))
			}
			groups[id] = g
		}
		return g
	}
	if len(keyed) == 0 {
		get(make([]any, len(testTypes)))
	}
	for _, row := range rows {
		g := get(row)
		for i, c := range calls {
			if c.Filter != nil && row[1] != any("t1") {
				continue
			}
			var args []any
			for _, a := range c.Args {
				args = append(args, row[a.(*expr.Col).Slot])
			}
			if c.Distinct {
				if g.seen[args[0]] {
					continue
				}
				g.seen[args[0]] = true
			}
			if err := g.states[i].Add(env, args); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out [][]any
	for _, g := range groups {
		row := slices.Clone(g.key)
		for _, s := range g.states {
			v, err := s.Result(env)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		out = append(out, row)
	}
	list := texts(out)
	slices.Sort(list)
	return list
}

// Sort is stable in every direction, and TopN gives what Sort gives first.
func TestSortAndTopN(t *testing.T) {
	rng := seeded(t)
	env := testEnv(0)
	for range 60 {
		rows := randomRows(rng, rng.IntN(300))
		keys := []expr.SortKey{
			{Expr: column(1, testTypes[1]), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0},
			{Expr: column(2, testTypes[2]), Desc: rng.IntN(2) == 0, NullsFirst: rng.IntN(2) == 0},
		}
		want := slices.Clone(rows)
		slices.SortStableFunc(want, func(a, b []any) int {
			for i, k := range keys {
				if c := compareValues(k, a[i+1], b[i+1]); c != 0 {
					return c
				}
			}
			return 0
		})
		same(t, "sort", drain(t, env, Sort(env, batches(rng, rows), keys, Kinds(testTypes)), true), texts(want))
		n := 1 + rng.IntN(20)
		same(t, "top n", drain(t, env, TopN(env, batches(rng, rows), keys, Kinds(testTypes), n), true), texts(want[:min(n, len(want))]))
	}
}

// Set operations count rows as SQL does; NULL equals NULL, and the empty
// string is neither NULL nor lost.
func TestSetOperations(t *testing.T) {
	env := testEnv(0)
	text := []pgtypes.Type{pgtypes.Of(pgtypes.Text)}
	side := func(values ...any) vector.Reader {
		rows := make([][]any, len(values))
		for i, v := range values {
			rows[i] = []any{v}
		}
		return FromSlice(Kinds(text), rows)
	}
	keys := []expr.Expr{column(0, text[0])}
	for _, c := range []struct {
		name string
		op   func(l, r vector.Reader) vector.Reader
		want []string
	}{
		{"except", func(l, r vector.Reader) vector.Reader { return Except(env, l, r, keys, false) }, []string{"", "a"}},
		{"except all", func(l, r vector.Reader) vector.Reader { return Except(env, l, r, keys, true) }, []string{"", "a", "a", "x"}},
		{"intersect", func(l, r vector.Reader) vector.Reader { return Intersect(env, l, r, keys, false) }, []string{"<nil>", "x"}},
		{"intersect all", func(l, r vector.Reader) vector.Reader { return Intersect(env, l, r, keys, true) }, []string{"<nil>", "x"}},
	} {
		got := drain(t, env, c.op(side("x", nil, "", "a", "x", "a"), side("A", "x", nil)), false)
		same(t, c.name, got, c.want)
	}
	got := drain(t, env, Distinct(env, side("x", nil, "", "x", nil, "<nil>"), keys), false)
	same(t, "distinct", got, []string{"", "<nil>", "<nil>", "x"})
}

// An operator that would buffer beyond the budget fails with 53200 and gives
// everything back.
func TestBudget(t *testing.T) {
	rng := seeded(t)
	rows := randomRows(rng, 20_000)
	for i := range rows {
		rows[i][1] = fmt.Sprintf("a text of its own %d", i)
	}
	keys := []expr.Expr{column(1, testTypes[1])}
	for name, op := range map[string]func(env *expr.Env, in vector.Reader) vector.Reader{
		"aggregate": func(env *expr.Env, in vector.Reader) vector.Reader {
			return Aggregate(env, []vector.Reader{in}, keys, nil)
		},
		"distinct": func(env *expr.Env, in vector.Reader) vector.Reader { return Distinct(env, in, keys) },
		"sort": func(env *expr.Env, in vector.Reader) vector.Reader {
			return Sort(env, in, []expr.SortKey{{Expr: keys[0]}}, Kinds(testTypes))
		},
		"join": func(env *expr.Env, in vector.Reader) vector.Reader {
			return Concat(Join(env, JoinSpec{
				Kind: Inner, Left: []vector.Reader{FromSlice(Kinds(testTypes), nil)}, Right: []vector.Reader{in},
				LeftKinds: Kinds(testTypes), RightKinds: Kinds(testTypes), LeftKeys: keys, RightKeys: keys,
			})...)
		},
	} {
		env := testEnv(200 << 10)
		r := op(env, batches(rng, rows))
		var err error
		for b := new(vector.Batch); b != nil && err == nil; {
			b, err = r.Next(env.Ctx)
		}
		if !pgerr.HasCode(err, pgerr.OutOfMemory) {
			t.Errorf("%s: got %v, want SQLSTATE 53200", name, err)
		}
		r.Close()
		if used := env.Account.Used(); used != 0 {
			t.Errorf("%s: %d bytes are still taken", name, used)
		}
	}
}

func BenchmarkAggregate(b *testing.B) {
	env := testEnv(0)
	const n = 1 << 20
	service := &vector.Column{Kind: vector.String, Len: 8192, Codes: make([]uint32, 8192)}
	for i := range 30 {
		service.Dict = append(service.Dict, fmt.Sprintf("service-%d", i))
	}
	ms := &vector.Column{Kind: vector.Float, Len: 8192, Floats: make([]float64, 8192)}
	for i := range service.Codes {
		service.Codes[i], ms.Floats[i] = uint32(i*7%30), float64(i)
	}
	count := &expr.AggCall{Agg: expr.Aggregates("count")[0], Star: true, Typ: pgtypes.Of(pgtypes.Int8)}
	var avg *expr.AggCall
	for _, a := range expr.Aggregates("avg") {
		if a.Args[0] == pgtypes.Float8 {
			avg = &expr.AggCall{Agg: a, Args: []expr.Expr{column(1, pgtypes.Of(pgtypes.Float8))}, Typ: pgtypes.Of(pgtypes.Float8)}
		}
	}
	for name, calls := range map[string][]*expr.AggCall{"count": {count}, "count+avg": {count, avg}} {
		b.Run("key=dictionary/agg="+name, func(b *testing.B) {
			for b.Loop() {
				list := make([]*vector.Batch, n/8192)
				for i := range list {
					list[i] = vector.NewBatch(8192, []*vector.Column{service, ms})
				}
				r := Aggregate(env, []vector.Reader{&listReader{list}}, []expr.Expr{column(0, pgtypes.Of(pgtypes.Text))}, calls)
				if _, err := r.Next(env.Ctx); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
