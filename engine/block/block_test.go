package block

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// schema has a field of every kind.
var schema = vector.NewSchema("test",
	vector.Field{Name: "id", Kind: vector.Hex, Width: 16},
	vector.Field{Name: "parent", Kind: vector.Hex, Width: 8, Nullable: true},
	vector.Field{Name: "time", Kind: vector.Int64},
	vector.Field{Name: "status", Kind: vector.Int64, Nullable: true},
	vector.Field{Name: "service", Kind: vector.String},
	vector.Field{Name: "body", Kind: vector.String, Nullable: true},
	vector.Field{Name: "value", Kind: vector.Float, Nullable: true},
	vector.Field{Name: "root", Kind: vector.Bool},
	vector.Field{Name: "bounds", Kind: vector.Any, Nullable: true},
	vector.Field{Name: "attributes", Kind: vector.Map},
	vector.Field{Name: "nothing", Kind: vector.String, Nullable: true},
)

func randomRows(rng *rand.Rand, n int) *vector.Rows {
	null := func() bool { return rng.IntN(5) == 0 }
	builders := map[string]*vector.Builder{}
	for _, f := range schema.Fields {
		builders[f.Name] = vector.NewBuilder(f.Kind, n)
	}
	id := &vector.Column{Kind: vector.Hex, Width: 16, Len: n, Raw: make([]byte, 16*n)}
	parent := &vector.Column{Kind: vector.Hex, Width: 8, Len: n, Raw: make([]byte, 8*n), Valid: vector.Ones(n)}
	attrs := &vector.Attrs{Off: []uint32{0}, KeyDict: []string{"k", "http.status", "dbl", "rare"}}
	edge := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 40}
	for i := range n {
		for k := range 16 {
			id.Raw[16*i+k] = byte(rng.Uint32())
		}
		if null() {
			parent.Valid.Clear(i)
		} else {
			for k := range 8 {
				parent.Raw[8*i+k] = byte(rng.Uint32())
			}
		}
		builders["time"].Append(1_700_000_000_000_000_000 + rng.Int64N(3600_000_000_000))
		if null() {
			builders["status"].AppendNull()
		} else {
			builders["status"].Append(edge[rng.IntN(len(edge))])
		}
		builders["service"].Append(fmt.Sprintf("svc-%d", rng.IntN(30)))
		if null() {
			builders["body"].AppendNull()
		} else {
			builders["body"].Append(fmt.Sprintf("line %d %x", i, rng.Uint64()))
		}
		switch rng.IntN(6) {
		case 0:
			builders["value"].AppendNull()
		case 1:
			builders["value"].Append(math.Inf(-1))
		default:
			builders["value"].Append(rng.NormFloat64())
		}
		builders["root"].Append(rng.IntN(2) == 0)
		if null() {
			builders["bounds"].AppendNull()
		} else {
			builders["bounds"].Append(pgtypes.NewArray(pgtypes.Float8, []any{rng.Float64(), 2.5, nil}))
		}
		builders["nothing"].AppendNull()
		for key := range attrs.KeyDict {
			if rng.IntN(3) == 0 {
				continue
			}
			attrs.Keys = append(attrs.Keys, uint32(key))
			switch key {
			case 0:
				attrs.Tags = append(attrs.Tags, vector.TagString)
				attrs.Vals = append(attrs.Vals, uint64(len(attrs.Strs)))
				attrs.Strs = append(attrs.Strs, fmt.Sprintf("v%d", rng.IntN(9)))
			case 1:
				attrs.Tags = append(attrs.Tags, vector.TagInt)
				attrs.Vals = append(attrs.Vals, uint64(edge[rng.IntN(len(edge))]))
			case 2:
				attrs.Tags = append(attrs.Tags, vector.TagDouble)
				attrs.Vals = append(attrs.Vals, math.Float64bits(rng.NormFloat64()))
			default:
				attrs.Tags = append(attrs.Tags, vector.TagBool)
				attrs.Vals = append(attrs.Vals, uint64(rng.IntN(2)))
			}
		}
		attrs.Off = append(attrs.Off, uint32(len(attrs.Keys)))
	}
	rows := &vector.Rows{Schema: schema, N: n}
	for _, f := range schema.Fields {
		switch f.Name {
		case "id":
			rows.Cols = append(rows.Cols, id)
		case "parent":
			rows.Cols = append(rows.Cols, parent)
		case "attributes":
			// jsonb orders keys by length: k, dbl, rare, http.status
			rows.Cols = append(rows.Cols, &vector.Column{Kind: vector.Map, Len: n, Attrs: attrs})
		default:
			rows.Cols = append(rows.Cols, builders[f.Name].Finish())
		}
	}
	return rows
}

func encodeAll(t testing.TB, rows *vector.Rows) []byte {
	t.Helper()
	picks := make([]Pick, rows.N)
	numbers, lsns := make([]uint64, rows.N), make([]uint64, rows.N)
	for i := range picks {
		picks[i], numbers[i], lsns[i] = Pick{Row: uint32(i)}, uint64(1000+i), uint64(7+i/10)
	}
	raw, err := Encode(schema, []*vector.Rows{rows}, picks, numbers, lsns)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Every value of every kind comes back, by column and by attribute.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, n := range []int{1, 7, 64, 65, 1000, MaxRows} {
		rows := randomRows(rng, n)
		b, err := Open(schema, encodeAll(t, rows))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(); err != nil {
			t.Fatal(err)
		}
		for f := range schema.Fields {
			got, err := b.Column(f)
			if err != nil {
				t.Fatal(err)
			}
			want := rows.Cols[f]
			for i := range n {
				w, g := want.Value(i), got.Value(i)
				if schema.Fields[f].Kind == vector.Map {
					for k, key := range want.Attrs.KeyDict {
						if w, g := text(want.Attrs, i, uint32(k)), lookup(got.Attrs, i, key); w != g {
							t.Fatalf("rows=%d field %s row %d key %s: got %q, want %q", n, schema.Fields[f].Name, i, key, g, w)
						}
					}
					continue
				}
				if !reflect.DeepEqual(w, g) {
					t.Fatalf("rows=%d field %s row %d: got %v, want %v", n, schema.Fields[f].Name, i, g, w)
				}
			}
		}
		attrs := rows.Cols[schema.Index("attributes")].Attrs
		for k, key := range attrs.KeyDict {
			col, err := b.Key(schema.Index("attributes"), key)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				got := ""
				if !col.IsNull(i) {
					got = col.Str(i)
				}
				if want := text(attrs, i, uint32(k)); got != want {
					t.Fatalf("key %s row %d: got %q, want %q", key, i, got, want)
				}
			}
		}
		numbers, err := b.RowNumbers()
		if err != nil || numbers.Ints[n-1] != int64(1000+n-1) {
			t.Fatalf("row numbers: %v %v", numbers, err)
		}
	}
}

func text(a *vector.Attrs, i int, code uint32) string {
	e := a.Find(i, code)
	if e < 0 {
		return ""
	}
	return string(a.AppendText(nil, e))
}

func lookup(a *vector.Attrs, i int, key string) string {
	code, ok := a.Key(key)
	if !ok {
		return ""
	}
	return text(a, i, code)
}

// A flipped bit anywhere before the padding is noticed and never panics.
func TestBitFlips(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	raw := encodeAll(t, randomRows(rng, 200))
	for range 2000 {
		at := rng.IntN((len(raw) - padding) * 8)
		raw[at/8] ^= 1 << (at % 8)
		b, err := Open(schema, raw)
		if err == nil {
			err = b.Verify()
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d flipped: %v", at, err)
		}
		raw[at/8] ^= 1 << (at % 8)
	}
}

// A field that came later is NULL in old blocks.
func TestUnknownField(t *testing.T) {
	raw := encodeAll(t, randomRows(rand.New(rand.NewPCG(1, 1)), 10))
	wider := vector.NewSchema("test", append(append([]vector.Field{}, schema.Fields...),
		vector.Field{Name: "new", Kind: vector.Int64, Nullable: true})...)
	b, err := Open(wider, raw)
	if err != nil {
		t.Fatal(err)
	}
	col, err := b.Column(wider.Index("new"))
	if err != nil || !col.IsNull(3) {
		t.Fatalf("got %v, %v", col, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(encodeAll(f, randomRows(rand.New(rand.NewPCG(1, 1)), 20)))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if b, err := Open(schema, raw); err == nil {
			_ = b.Verify()
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := encodeAll(b, randomRows(rand.New(rand.NewPCG(1, 1)), MaxRows))
	b.Logf("%d bytes", len(raw))
	blk, err := Open(schema, raw)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"service", "time", "id", "attributes"} {
		b.Run("column="+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := blk.Column(schema.Index(name)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(MaxRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
