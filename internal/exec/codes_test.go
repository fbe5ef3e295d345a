package exec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Rows with the same code have the same key.
func TestRowCodes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var numerics []any
	for i := range 20 {
		numerics = append(numerics, apd.New(int64(i/2), 0)) // each value twice in memory
	}
	values := map[pgtypes.OID]func() any{
		pgtypes.Int8:        func() any { return int64(rng.IntN(9)) },
		pgtypes.Bool:        func() any { return rng.IntN(2) == 0 },
		pgtypes.Float8:      func() any { return []any{0.0, math.Copysign(0, -1), math.NaN(), 1.5}[rng.IntN(4)] },
		pgtypes.Numeric:     func() any { return numerics[rng.IntN(len(numerics))] },
		pgtypes.Text:        func() any { return string(rune('a' + rng.IntN(5))) },
		pgtypes.IntervalOID: func() any { return pgtypes.Interval{Days: int32(rng.IntN(3))} },
	}
	coded := 0
	for range 300 {
		var types []pgtypes.Type
		for oid := range values {
			if rng.IntN(3) == 0 {
				types = append(types, pgtypes.Of(oid))
			}
		}
		n := 1 + rng.IntN(200)
		var cols []*vector.Column
		var keys []expr.Expr
		for i, kind := range Kinds(types) {
			b := vector.NewBuilder(kind, n)
			for range n {
				if rng.IntN(5) == 0 {
					b.AppendNull()
				} else {
					b.Append(values[types[i].OID]())
				}
			}
			c := b.Finish()
			if kind == vector.String {
				c = withDictionary(c)
			}
			cols, keys = append(cols, c), append(keys, column(i, types[i]))
		}
		b := vector.NewBatch(n, cols)
		for i := range n {
			if rng.IntN(3) > 0 {
				b.Sel = append(b.Sel, int32(i))
			}
		}
		enc, err := newKeyEncoder(testEnv(1<<30), keys, b)
		if err != nil {
			t.Fatal(err)
		}
		var r rowCoder
		if !r.assign(enc.cols, b) {
			continue
		}
		coded++
		byCode := make(map[uint32]string)
		for k, code := range r.codes {
			key := string(enc.encode(b.Row(k)))
			if had, ok := byCode[code]; ok && had != key {
				t.Fatalf("%v: code %d is of keys %q and %q", types, code, had, key)
			}
			if byCode[code] = key; int(code) >= r.width {
				t.Fatalf("code %d of %d", code, r.width)
			}
		}
	}
	if coded < 100 {
		t.Errorf("only %d batches had codes", coded)
	}
}
