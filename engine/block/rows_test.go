package block

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// schema has a field of every kind.
var schema = vector.NewSchema("test",
	vector.Field{Name: "id", Kind: vector.Hex, Width: 16},
	vector.Field{Name: "span", Kind: vector.Hex, Width: 8},
	vector.Field{Name: "parent", Kind: vector.Hex, Width: 8, Nullable: true},
	vector.Field{Name: "time", Kind: vector.Int64},
	vector.Field{Name: "end", Kind: vector.Int64},
	vector.Field{Name: "duration", Kind: vector.Int64},
	vector.Field{Name: "duration_ms", Kind: vector.Float},
	vector.Field{Name: "huge", Kind: vector.Int64, Nullable: true},
	vector.Field{Name: "service", Kind: vector.String},
	vector.Field{Name: "version", Kind: vector.String, Nullable: true},
	vector.Field{Name: "body", Kind: vector.String, Nullable: true},
	vector.Field{Name: "value", Kind: vector.Float, Nullable: true},
	vector.Field{Name: "price", Kind: vector.Float, Nullable: true},
	vector.Field{Name: "root", Kind: vector.Bool},
	vector.Field{Name: "remote", Kind: vector.Bool, Nullable: true},
	vector.Field{Name: "bounds", Kind: vector.Any, Nullable: true},
	vector.Field{Name: "counts", Kind: vector.Any, Nullable: true},
	vector.Field{Name: "other", Kind: vector.Any, Nullable: true},
	vector.Field{Name: "attributes", Kind: vector.Map},
	vector.Field{Name: "resource", Kind: vector.Map},
	vector.Field{Name: "sometimes", Kind: vector.Map, Nullable: true},
	vector.Field{Name: "nothing", Kind: vector.String, Nullable: true},
	vector.Field{Name: "same", Kind: vector.String},
)

var (
	edgeInts   = []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 40}
	edgeFloats = []float64{
		0, math.Copysign(0, -1), 1, 0.1, -2.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64,
		math.SmallestNonzeroFloat64, 1 << 53, 1<<53 + 2, 1e300, math.Float64frombits(0x7ff8000000000123),
	}
	edgeTexts = []string{"", "a", "0", "00", "007", "ab12", "\x00", "é", strings.Repeat("x", 300), "9999999999999999999"}
)

// A rowMaker makes random rows; its style makes columns regular or wild.
type rowMaker struct {
	rng   *rand.Rand
	style int
	keys  []string
}

func newRowMaker(rng *rand.Rand) *rowMaker {
	m := &rowMaker{rng: rng, style: rng.IntN(3)}
	m.keys = []string{"k", "", "http.status", "dbl", "flag", "mixed", "null", "json", "id", "none\x00sense"}
	if rng.IntN(4) == 0 {
		for i := range 300 { // more than a bitmap is made for
			m.keys = append(m.keys, fmt.Sprintf("rare.%d", i))
		}
	}
	rng.Shuffle(len(m.keys), func(i, k int) { m.keys[i], m.keys[k] = m.keys[k], m.keys[i] })
	return m
}

func (m *rowMaker) null() bool { return m.style != 1 && m.rng.IntN(5) == 0 }

func (m *rowMaker) int() int64 {
	if m.style == 2 {
		return edgeInts[m.rng.IntN(len(edgeInts))]
	}
	return m.rng.Int64N(1000) * 1000
}

func (m *rowMaker) float() float64 {
	switch m.style {
	case 0:
		return float64(m.rng.IntN(100000)) / 100
	case 1:
		return m.rng.NormFloat64()
	}
	return edgeFloats[m.rng.IntN(len(edgeFloats))]
}

func (m *rowMaker) text() string {
	switch m.style {
	case 0:
		return fmt.Sprintf("user-%d", m.rng.IntN(100000))
	case 1:
		return fmt.Sprintf("%016x", m.rng.Uint64())
	}
	return edgeTexts[m.rng.IntN(len(edgeTexts))]
}

func (m *rowMaker) attribute(a *vector.Attrs, key int, tag vector.Tag) {
	v := uint64(0)
	switch tag {
	case vector.TagBool:
		v = uint64(m.rng.IntN(2))
	case vector.TagInt:
		v = uint64(m.int())
	case vector.TagDouble:
		v = math.Float64bits(m.float())
	case vector.TagString, vector.TagBytes, vector.TagJSON:
		v = uint64(len(a.Strs))
		a.Strs = append(a.Strs, m.text())
	}
	a.Keys, a.Tags, a.Vals = append(a.Keys, uint32(key)), append(a.Tags, tag), append(a.Vals, v)
}

func (m *rowMaker) rows(n int) *vector.Rows {
	builders := map[string]*vector.Builder{}
	rows := &vector.Rows{Schema: schema, N: n}
	hex := func(width int, nullable bool) *vector.Column {
		c := &vector.Column{Kind: vector.Hex, Width: width, Len: n, Raw: make([]byte, width*n)}
		for i := range c.Raw {
			c.Raw[i] = byte(m.rng.Uint32())
		}
		if nullable {
			c.Valid = vector.Ones(n)
		}
		return c
	}
	attrs := func() *vector.Column {
		return &vector.Column{Kind: vector.Map, Len: n, Attrs: &vector.Attrs{Off: []uint32{0}, KeyDict: m.keys}}
	}
	hexes := map[string]*vector.Column{"id": hex(16, false), "span": hex(8, false), "parent": hex(8, true)}
	maps := map[string]*vector.Column{"attributes": attrs(), "resource": attrs(), "sometimes": attrs()}
	maps["sometimes"].Valid = vector.NewBitmap(n)
	for _, f := range schema.Fields {
		builders[f.Name] = vector.NewBuilder(f.Kind, n)
	}
	add := func(name string, v any) { builders[name].Append(v) }
	maybe := func(name string, v any) {
		if m.null() {
			v = nil
		}
		add(name, v)
	}
	order := make([]int, len(m.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int {
		if d := len(m.keys[x]) - len(m.keys[y]); d != 0 {
			return d
		}
		return strings.Compare(m.keys[x], m.keys[y])
	})
	resource := m.rng.IntN(5)
	for i := range n {
		if m.rng.IntN(10) == 0 {
			resource = m.rng.IntN(5)
		}
		if m.rng.IntN(3) == 0 {
			copy(hexes["id"].HexBytes(i), hexes["id"].HexBytes(m.rng.IntN(i+1)))
		}
		if p := hexes["parent"]; m.null() {
			p.Valid.Clear(i)
			clear(p.HexBytes(i))
		} else if m.rng.IntN(4) > 0 {
			copy(p.HexBytes(i), hexes["span"].HexBytes(m.rng.IntN(n)))
		}
		start, duration := 1_700_000_000_000_000_000+m.rng.Int64N(3600_000_000_000), m.int()
		add("time", start)
		add("end", start+duration)
		add("duration", duration)
		add("duration_ms", float64(duration)/1e6)
		maybe("huge", m.int())
		add("service", fmt.Sprintf("svc-%d", resource))
		if resource == 0 {
			add("version", nil)
		} else {
			add("version", fmt.Sprintf("1.%d", resource/2))
		}
		maybe("body", m.text())
		maybe("value", m.float())
		maybe("price", float64(m.rng.IntN(1000))/8)
		add("root", m.rng.IntN(2) == 0)
		maybe("remote", m.rng.IntN(2) == 0)
		if m.style == 2 {
			maybe("bounds", pgtypes.NewArray(pgtypes.Float8, []any{m.float(), 2.5, nil}))
		} else {
			maybe("bounds", pgtypes.NewArray(pgtypes.Float8, []any{1.0, 2.5, float64(m.rng.IntN(3))}))
		}
		counts := make([]any, m.rng.IntN(4))
		for k := range counts {
			counts[k] = m.int()
		}
		maybe("counts", pgtypes.NewArray(pgtypes.Int8, counts))
		maybe("other", []any{
			[]byte(m.text()), apd.New(m.rng.Int64N(1e6), -3), pgtypes.Interval{Months: 1, Days: 2, Micros: 3}, pgtypes.UUID{1, 2},
		}[m.rng.IntN(4)])
		add("nothing", nil)
		add("same", "for all")

		a := maps["attributes"].Attrs
		for _, key := range order {
			if m.rng.IntN(3) == 0 || strings.HasPrefix(m.keys[key], "rare") && m.rng.IntN(100) > 0 {
				continue
			}
			tag, ok := map[string]vector.Tag{
				"http.status": vector.TagInt, "dbl": vector.TagDouble, "flag": vector.TagBool, "null": vector.TagNull,
				"json": vector.TagJSON, "mixed": vector.Tag(m.rng.IntN(7)),
			}[m.keys[key]]
			if !ok {
				tag = vector.TagString
			}
			m.attribute(a, key, tag)
		}
		a.Off = append(a.Off, uint32(len(a.Keys)))
		for _, name := range []string{"resource", "sometimes"} {
			a := maps[name].Attrs
			if name == "resource" || !m.null() {
				if name == "sometimes" {
					maps[name].Valid.Set(i)
				}
				for at, key := range order[:resource] {
					a.Keys, a.Tags, a.Vals = append(a.Keys, uint32(key)), append(a.Tags, vector.TagInt), append(a.Vals, uint64(at*resource))
				}
			}
			a.Off = append(a.Off, uint32(len(a.Keys)))
		}
	}
	for _, f := range schema.Fields {
		switch {
		case hexes[f.Name] != nil:
			rows.Cols = append(rows.Cols, hexes[f.Name])
		case maps[f.Name] != nil:
			rows.Cols = append(rows.Cols, maps[f.Name])
		default:
			c := builders[f.Name].Finish()
			if f.Kind == vector.String && m.rng.IntN(2) == 0 {
				c = withDict(c)
			}
			rows.Cols = append(rows.Cols, c)
		}
	}
	return rows
}

// withDict makes a String column one with a dictionary.
func withDict(c *vector.Column) *vector.Column {
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Codes: make([]uint32, c.Len)}
	seen := map[string]uint32{}
	for i, s := range c.Strs {
		if c.IsNull(i) {
			continue
		}
		code, ok := seen[s]
		if !ok {
			code = uint32(len(out.Dict))
			seen[s], out.Dict = code, append(out.Dict, s)
		}
		out.Codes[i] = code
	}
	if out.Dict == nil {
		out.Dict = []string{""}
	}
	return out
}

// pickRandomly picks n rows of several sources in any order.
func pickRandomly(rng *rand.Rand, n int) (sources []*vector.Rows, picks []Pick, numbers, lsns []uint64) {
	m := newRowMaker(rng)
	for len(picks) < n {
		size := 1 + rng.IntN(n-len(picks))
		for row := range size {
			picks = append(picks, Pick{uint32(len(sources)), uint32(row)})
		}
		sources = append(sources, m.rows(size))
	}
	rng.Shuffle(n, func(i, k int) { picks[i], picks[k] = picks[k], picks[i] })
	for i := range picks {
		numbers, lsns = append(numbers, rng.Uint64N(1<<60)), append(lsns, uint64(7+i/10))
	}
	return sources, picks, numbers, lsns
}
