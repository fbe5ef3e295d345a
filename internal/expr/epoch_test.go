package expr

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// signature finds the operator or function with these argument types.
func signature(t *testing.T, list []*Func, args ...pgtypes.OID) *Func {
	t.Helper()
next:
	for _, f := range list {
		if len(f.Args) != len(args) {
			continue
		}
		for i, a := range f.Args {
			if a != args[i] {
				continue next
			}
		}
		return f
	}
	t.Fatalf("no function of %v", args)
	return nil
}

// TestEpochBuckets holds buckets of the epoch against numeric arithmetic row
// by row, most of all beside the edges of buckets.
func TestEpochBuckets(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	env := &Env{Ctx: t.Context(), Style: &pgtypes.TextStyle{Location: time.UTC}}
	numeric := pgtypes.Of(pgtypes.Numeric)
	bucket := func(seconds *apd.Decimal) *Call {
		epoch := &Call{
			Fn: signature(t, Functions("extract"), pgtypes.Text, pgtypes.Timestamptz), Typ: numeric,
			Args: []Expr{&Const{Val: "epoch", Typ: pgtypes.Of(pgtypes.Text)}, &Col{Slot: 0, Typ: pgtypes.Of(pgtypes.Timestamptz)}},
		}
		quotient := &Call{
			Fn: signature(t, Operators("/"), pgtypes.Numeric, pgtypes.Numeric), Typ: numeric,
			Args: []Expr{epoch, &Const{Val: seconds, Typ: numeric}},
		}
		return &Call{Fn: signature(t, Functions("floor"), pgtypes.Numeric), Typ: numeric, Args: []Expr{quotient}}
	}
	for _, c := range []struct {
		seconds *apd.Decimal
		latest  int64 // µs since 1970
		short   bool
	}{
		{apd.New(1, 0), 90_000_000 * second, true},
		{apd.New(7, 0), 500_000_000 * second, true},
		{apd.New(300, 0), 5_000_000_000 * second, true},
		{apd.New(86_400, 0), 5_000_000_000 * second, true},
		{apd.New(99_999, 0), 5_000_000_000 * second, true},
		{apd.New(1, 0), 5_000_000_000 * second, false}, // too large a quotient
		{apd.New(100_000, 0), 5_000_000_000 * second, false},
		{apd.New(5, -1), 90_000_000 * second, false},
		{apd.New(-300, 0), 90_000_000 * second, false},
	} {
		call := bucket(c.seconds)
		times := make([]int64, 3000)
		whole, _ := c.seconds.Int64()
		for i := range times {
			times[i] = rng.Int64N(c.latest)
			if width := whole * second; width > 0 && i%2 == 0 {
				times[i] = max(times[i]/width*width+rng.Int64N(3)-1, 0)
			}
			times[i] -= pgtypes.EpochUnixMicros
		}
		valid := vector.Ones(len(times))
		valid.Clear(17)
		b := vector.NewBatch(len(times), []*vector.Column{{Kind: vector.Int64, Len: len(times), Ints: times, Valid: valid}})
		short, err := epochBuckets(env, call, b)
		if err != nil {
			t.Fatal(err)
		}
		if (short != nil) != c.short {
			t.Fatalf("seconds %s: the short way is taken: %v", c.seconds, short != nil)
		}
		got, err := call.Vec(env, b)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range times {
			if i == 17 {
				if !got.IsNull(i) {
					t.Fatal("NULL has a bucket")
				}
				continue
			}
			want, err := call.Eval(env, []any{v})
			if err != nil {
				t.Fatal(err)
			}
			if g := got.Value(i).(*apd.Decimal); g.String() != want.(*apd.Decimal).String() {
				t.Fatalf("seconds %s, %d: got %s, want %s", c.seconds, v, g, want)
			}
		}
	}
}
