package layout

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write the golden files anew")

var schema = vector.NewSchema("spans",
	vector.Field{Name: "trace", Kind: vector.Hex, Width: 16, Nullable: true},
	vector.Field{Name: "span", Kind: vector.Hex, Width: 8},
	vector.Field{Name: "time", Kind: vector.Int64},
	vector.Field{Name: "duration", Kind: vector.Int64, Nullable: true},
	vector.Field{Name: "service", Kind: vector.String, Filter: true},
	vector.Field{Name: "user", Kind: vector.String, Nullable: true, Filter: true},
	vector.Field{Name: "code", Kind: vector.Int64, Nullable: true, Filter: true},
	vector.Field{Name: "body", Kind: vector.String, Tokens: true},
	vector.Field{Name: "attributes", Kind: vector.Map, Filter: true},
	vector.Field{Name: "never", Kind: vector.Int64, Nullable: true},
)

var description = Description{
	Schema: schema, Time: "time", Zones: []string{"duration", "never"}, Key: []string{"trace", "span"}, Trace: "trace",
}

func makeRows(rng *rand.Rand, n int) *vector.Rows {
	b := map[string]*vector.Builder{}
	for _, f := range schema.Fields {
		b[f.Name] = vector.NewBuilder(f.Kind, n)
	}
	trace := &vector.Column{Kind: vector.Hex, Width: 16, Len: n, Raw: make([]byte, 16*n), Valid: vector.Ones(n)}
	span := &vector.Column{Kind: vector.Hex, Width: 8, Len: n, Raw: make([]byte, 8*n)}
	attrs := &vector.Attrs{Off: []uint32{0}, KeyDict: []string{"http.method", "retries"}, Strs: []string{"GET", "POST", "PUT"}}
	for i := range n {
		for k := range 8 {
			trace.HexBytes(i)[k], span.HexBytes(i)[k] = byte(rng.IntN(256)), byte(rng.IntN(256))
		}
		if rng.IntN(10) == 0 {
			trace.Valid.Clear(i)
			clear(trace.HexBytes(i))
		}
		b["time"].Append(int64(1_700_000_000_000_000_000) + rng.Int64N(1e12))
		b["service"].Append(fmt.Sprintf("svc-%d", rng.IntN(20)))
		if rng.IntN(4) == 0 {
			b["duration"].AppendNull()
			b["user"].AppendNull()
			b["code"].AppendNull()
		} else {
			b["duration"].Append(rng.Int64N(1e9) - 1000)
			b["user"].Append(fmt.Sprintf("user-%d", rng.IntN(20000)))
			b["code"].Append(int64(200 + rng.IntN(5)))
		}
		b["body"].Append(fmt.Sprintf("Order %d failed: timeout after %d ms", rng.IntN(1000), rng.IntN(50)))
		b["never"].AppendNull()
		if rng.IntN(2) == 0 {
			attrs.Keys = append(attrs.Keys, 0, 1)
			attrs.Tags = append(attrs.Tags, vector.TagString, vector.TagInt)
			attrs.Vals = append(attrs.Vals, uint64(rng.IntN(3)), uint64(rng.IntN(4)))
		}
		attrs.Off = append(attrs.Off, uint32(len(attrs.Keys)))
	}
	rows := &vector.Rows{Schema: schema, N: n}
	for _, f := range schema.Fields {
		switch f.Name {
		case "trace":
			rows.Cols = append(rows.Cols, trace)
		case "span":
			rows.Cols = append(rows.Cols, span)
		case "attributes":
			rows.Cols = append(rows.Cols, &vector.Column{Kind: vector.Map, Len: n, Attrs: attrs})
		default:
			rows.Cols = append(rows.Cols, b[f.Name].Finish())
		}
	}
	return rows
}

func makeBlock(t testing.TB, rows *vector.Rows) *block.Block {
	t.Helper()
	picks, numbers, lsns := make([]block.Pick, rows.N), make([]uint64, rows.N), make([]uint64, rows.N)
	for i := range picks {
		picks[i], numbers[i], lsns[i] = block.Pick{Row: uint32(i)}, uint64(1000+i), uint64(70+i/10)
	}
	raw, err := block.Encode(schema, []*vector.Rows{rows}, picks, numbers, lsns)
	if err != nil {
		t.Fatal(err)
	}
	b, err := block.Open(schema, raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func describe(t testing.TB, rows *vector.Rows) *BlockMeta {
	t.Helper()
	m, err := Describe(description, makeBlock(t, rows), nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Table, m.ID, m.Hour = 1, 42, 472222
	return m
}

// What an entry says of a block is true of every row, also once decoded.
func TestDescribe(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, n := range []int{1, 10, 300, 3000, block.MaxRows} {
		rows := makeRows(rng, n)
		made := describe(t, rows)
		raw := made.Append(nil)
		m, err := DecodeMeta(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m, made) || string(m.Append(nil)) != string(raw) {
			t.Fatal("the entry decodes to another")
		}
		if m.Rows != n || m.MinRow != 1000 || m.MaxRow != uint64(999+n) || m.MinLSN != 70 || m.MaxLSN != uint64(70+(n-1)/10) {
			t.Fatalf("rows %d, row numbers %d to %d, LSNs %d to %d", m.Rows, m.MinRow, m.MaxRow, m.MinLSN, m.MaxLSN)
		}
		if z := m.Zones["never"]; z.Min <= z.Max {
			t.Fatal("a column without values has a zone")
		}
		col := func(name string) *vector.Column { return rows.Cols[schema.Index(name)] }
		sets := map[string]ValueSet{}
		maps.Copy(sets, m.Values)
		has := func(name string, value string) {
			set, ok := sets[name]
			if !ok || !set.Contains(value) {
				t.Fatalf("n=%d: %q has no %q", n, name, value)
			}
		}
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for i := range n {
			trace, span := col("trace").HexBytes(i), col("span").HexBytes(i)
			if !col("trace").IsNull(i) && !m.Trace.Contains(Hash(trace)) || !m.Keys.Contains(KeyHash(trace, span)) {
				t.Fatalf("row %d is not in the filters", i)
			}
			least, most = min(least, col("time").Ints[i]), max(most, col("time").Ints[i])
			z := m.Zones["duration"]
			if d := col("duration"); !d.IsNull(i) && (d.Ints[i] < z.Min || d.Ints[i] > z.Max) {
				t.Fatalf("duration of row %d is outside of its zone", i)
			}
			has("service", col("service").Str(i))
			if !col("user").IsNull(i) {
				has("user", col("user").Str(i))
				has("code", fmt.Sprint(col("code").Ints[i]))
			}
			tokens := m.Tokens["body"]
			for _, h := range TokenHashes(col("body").Str(i)) {
				if !tokens.Contains(h) {
					t.Fatalf("a token of row %d is missing", i)
				}
			}
			a := col("attributes").Attrs
			for e := a.Off[i]; e < a.Off[i+1]; e++ {
				has(AttributeName("attributes", a.KeyDict[a.Keys[e]]), string(a.AppendText(nil, int(e))))
			}
		}
		if m.MinTime != least || m.MaxTime != most || m.Zones["time"] != (Zone{least, most}) {
			t.Fatal("times")
		}
		if !m.AttributeAll["attributes"] {
			t.Fatal("not every attribute is listed")
		}
		if set := sets["service"]; set.Exact == nil || set.Contains("svc-99") || !slices.IsSorted(set.Exact) {
			t.Fatal("services are not listed exactly")
		}
		if n == block.MaxRows {
			wrong, users := 0, sets["user"]
			for i := range 10_000 {
				if users.Contains(fmt.Sprintf("nobody-%d", i)) {
					wrong++
				}
			}
			if wrong > 100 {
				t.Fatalf("%d of 10000 absent values pass", wrong)
			}
			if len(raw) > 80_000 {
				t.Fatalf("the entry takes %d bytes", len(raw))
			}
		}
	}
}

// Any flipped bit of what this package encodes is reported.
func TestChecksums(t *testing.T) {
	dead := vector.NewBitmap(100)
	dead.Set(3)
	for name, c := range map[string]struct {
		raw    []byte
		decode func([]byte) error
	}{
		"meta": {describe(t, makeRows(rand.New(rand.NewPCG(1, 1)), 10)).Append(nil), func(raw []byte) error {
			_, err := DecodeMeta(raw)
			return err
		}},
		"state": {TableState{1, 2, 3}.Append(nil), func(raw []byte) error {
			_, err := DecodeState(raw)
			return err
		}},
		"request": {RequestEntry{1, 2}.Append(nil), func(raw []byte) error {
			_, err := DecodeRequest(raw)
			return err
		}},
		"dead": {AppendDead(nil, dead, 100), func(raw []byte) error {
			_, err := DecodeDead(raw, 100)
			return err
		}},
	} {
		if err := c.decode(c.raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range c.raw {
			for bit := range 8 {
				damaged := slices.Clone(c.raw)
				damaged[i] ^= 1 << bit
				if err := c.decode(damaged); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: bit %d of byte %d: %v", name, bit, i, err)
				}
			}
			if err := c.decode(c.raw[:i]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s cut to %d bytes: %v", name, i, err)
			}
		}
	}
}

// Deletion vectors come back whether few or many rows are dead.
func TestDead(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, rows := range []int{1, 63, 64, 65, 1000, 8192, 1 << 16, 1<<16 + 1, 200_000} {
		for _, count := range []int{0, 1, rows / 50, rows / 2, rows} {
			dead := vector.NewBitmap(rows)
			for _, row := range rng.Perm(rows)[:count] {
				dead.Set(row)
			}
			raw := AppendDead(nil, dead, rows)
			got, err := DecodeDead(raw, rows)
			if err != nil || !slices.Equal(got, dead) {
				t.Fatalf("%d of %d: %v", count, rows, err)
			}
			if _, err := DecodeDead(raw, rows+1); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("a vector of %d rows is taken for one of %d: %v", rows, rows+1, err)
			}
			if len(raw) > 14+min(2*count, rows/8+8) {
				t.Fatalf("%d of %d take %d bytes", count, rows, len(raw))
			}
		}
	}
}

// Entries of version 1 open for ever, and still come out the same.
func TestGolden(t *testing.T) {
	dead := vector.NewBitmap(70)
	dead.Set(3)
	dead.Set(69)
	made := map[string][]byte{
		"meta":    describe(t, makeRows(rand.New(rand.NewPCG(1, 1)), 100)).Append(nil),
		"state":   TableState{AppliedLSN: 5, Rows: 1 << 40, NextBlock: 7}.Append(nil),
		"request": RequestEntry{LSN: 9, ReceiveNanos: -1}.Append(nil),
		"dead":    AppendDead(nil, dead, 70),
	}
	golden := map[string][]byte{}
	for name, raw := range made {
		path := filepath.Join("testdata", name+".v1")
		if *rewriteGolden {
			if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if golden[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if string(golden[name]) != string(raw) {
			t.Errorf("%s is encoded otherwise than in version 1", name)
		}
	}
	m, err := DecodeMeta(golden["meta"])
	if err != nil {
		t.Fatal(err)
	}
	services := m.Values["service"].Exact
	if m.ID != 42 || m.Rows != 100 || m.MaxLSN != 79 || !strings.HasPrefix(services[0], "svc-") || len(m.Values) != 5 {
		t.Errorf("the entry reads %d %d %d %q %d", m.ID, m.Rows, m.MaxLSN, services, len(m.Values))
	}
	if s, err := DecodeState(golden["state"]); err != nil || s != (TableState{5, 1 << 40, 7}) {
		t.Errorf("the state reads %v, %v", s, err)
	}
	if r, err := DecodeRequest(golden["request"]); err != nil || r != (RequestEntry{9, -1}) {
		t.Errorf("the request reads %v, %v", r, err)
	}
	if d, err := DecodeDead(golden["dead"], 70); err != nil || !slices.Equal(d, dead) {
		t.Errorf("the deletion vector reads %v, %v", d, err)
	}
}

func BenchmarkDescribe(b *testing.B) {
	blk := makeBlock(b, makeRows(rand.New(rand.NewPCG(1, 1)), block.MaxRows))
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		m, err := Describe(description, blk, nil)
		if err != nil {
			b.Fatal(err)
		}
		size = len(m.Append(nil))
	}
	b.ReportMetric(float64(block.MaxRows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/block.MaxRows, "bytes/row")
}
