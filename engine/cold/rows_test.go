package cold

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

var (
	spans = &Spec{
		Description: layout.Description{
			Schema: otlp.SpansSchema, Time: "start_time_unix_nano", Zones: []string{"end_time_unix_nano"},
			Key: []string{"trace_id", "span_id"}, Trace: "trace_id",
		},
		Order:    []string{"trace_id", "start_time_unix_nano"},
		Relative: map[string]string{"end_time_unix_nano": "duration_ns"}, ChunkRows: 64,
	}
	logs = &Spec{
		Description: layout.Description{Schema: otlp.LogsSchema, Time: "timestamp_unix_nano", Trace: "trace_id", Outside: []string{"body"}},
		Order:       []string{"service", "timestamp_unix_nano"},
		Relative:    map[string]string{"time_unix_nano": "time_offset_ns", "observed_time_unix_nano": "observed_offset_ns"}, ChunkRows: 64,
	}
	metrics = &Spec{
		Description: layout.Description{Schema: otlp.MetricsSchema, Time: "timestamp_unix_nano"},
		Order:       []string{"name", "series_id", "timestamp_unix_nano"},
		Relative:    map[string]string{"time_unix_nano": "time_offset_ns", "start_time_unix_nano": "start_offset_ns"}, ChunkRows: 64,
	}
)

var (
	edgeInts   = []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 40}
	edgeFloats = []float64{
		0, math.Copysign(0, -1), 1, 0.1, -2.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64,
		math.SmallestNonzeroFloat64, 1 << 53, 1e300, math.Float64frombits(0x7ff8000000000123),
	}
	edgeTexts = []string{"", "a", "0", "null", `"q"`, "\x00", "é", "\n\t\\ \"", strings.Repeat("x", 300), `{"$bytes": "x"}`, "a\x00b"}
	edgeJSON  = []string{"[]", `{"a": 1}`, `{"$bytes": "x"}`, `{"$double": 1}`, "[1, \"é\"]", "1", `"text"`, ""}
)

// A rowMaker makes random rows of a schema. Its style makes columns regular (0),
// all different (1) or odd (2), or those that can be NULL so (3).
type rowMaker struct {
	spec  *Spec
	rng   *rand.Rand
	style int
	words int // how many texts there are, of style 0
	keys  []string
	tags  []vector.Tag // by key; 99: any
}

func newRowMaker(rng *rand.Rand, spec *Spec) *rowMaker {
	m := &rowMaker{spec: spec, rng: rng, style: rng.IntN(4), words: 30}
	if rng.IntN(2) == 0 {
		m.words = 400 // more than a chunk has rows
	}
	tags := map[string]vector.Tag{
		"http.method": vector.TagString, "k": vector.TagString, "": vector.TagString, "http.status": vector.TagInt, "dbl": vector.TagDouble,
		"flag": vector.TagBool, "mixed": 99, "null": vector.TagNull, "json": vector.TagJSON, "raw": vector.TagBytes, "Flag": vector.TagBool,
		"key_value.key": vector.TagInt, "mostly": vector.TagInt,
	}
	for i := range 20 {
		tags[fmt.Sprintf("rare.%d", i)] = vector.TagString
	}
	m.keys = slices.SortedFunc(maps.Keys(tags), compareKeys)
	for _, k := range m.keys {
		m.tags = append(m.tags, tags[k])
	}
	return m
}

func (m *rowMaker) int() int64 {
	switch m.style {
	case 1:
		return int64(m.rng.Uint64())
	case 2:
		return edgeInts[m.rng.IntN(len(edgeInts))]
	}
	return m.rng.Int64N(20) * 100
}

func (m *rowMaker) float() float64 {
	if m.style == 2 {
		return edgeFloats[m.rng.IntN(len(edgeFloats))]
	}
	return float64(m.rng.IntN(1000)) / 8
}

func (m *rowMaker) text() string {
	switch m.style {
	case 1:
		return fmt.Sprintf("%016x", m.rng.Uint64())
	case 2:
		return edgeTexts[m.rng.IntN(len(edgeTexts))]
	}
	return fmt.Sprintf("text-%d", m.rng.IntN(m.words))
}

// stored is a text as a field has it that may hold references.
func (m *rowMaker) stored() string {
	text := m.text()
	if m.rng.IntN(4) > 0 {
		return layout.StoredText(text)
	}
	return string(layout.Reference{Hash: sha256.Sum256([]byte(text)), Len: len(text)}.Append(nil))
}

func (m *rowMaker) array(f vector.Field) any {
	elems := make([]any, m.rng.IntN(4))
	for k := range elems {
		if elems[k] = any(m.int()); f.Elem == pgtypes.Float8 {
			elems[k] = m.float()
		}
		if m.style == 2 && m.rng.IntN(5) == 0 {
			elems[k] = nil
		}
	}
	return pgtypes.NewArray(f.Elem, elems)
}

func (m *rowMaker) hex(f vector.Field, n int) *vector.Column {
	c := &vector.Column{Kind: vector.Hex, Width: f.Width, Len: n, Raw: make([]byte, f.Width*n)}
	if f.Nullable && m.style > 1 {
		c.Valid = vector.Ones(n)
	}
	for i := range n {
		if f.Nullable && m.style > 1 && (m.style == 3 || m.rng.IntN(3) == 0) {
			c.Valid.Clear(i)
			continue
		}
		for k := range f.Width {
			c.HexBytes(i)[k] = byte(m.rng.IntN(256))
		}
		if i > 0 && m.rng.IntN(3) > 0 {
			copy(c.HexBytes(i), c.HexBytes(m.rng.IntN(i)))
		}
	}
	return c
}

func (m *rowMaker) attributes(n int) *vector.Column {
	a := &vector.Attrs{Off: []uint32{0}, KeyDict: m.keys}
	for i := range n {
		for key, name := range m.keys {
			if m.rng.IntN(3) == 0 || strings.HasPrefix(name, "rare") && m.rng.IntN(100) > 0 || m.style == 3 {
				continue
			}
			tag, v := m.tags[key], uint64(0)
			if tag == 99 {
				tag = vector.Tag(m.rng.IntN(7))
			}
			if name == "mostly" && i > n/2 && m.rng.IntN(5) == 0 {
				tag = vector.TagString
			}
			switch tag {
			case vector.TagBool:
				v = uint64(m.rng.IntN(2))
			case vector.TagInt:
				v = uint64(m.int())
			case vector.TagDouble:
				v = math.Float64bits(m.float())
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				text := m.text()
				switch {
				case m.rng.IntN(30) == 0 && m.style == 2:
					text = string(layout.Reference{Hash: sha256.Sum256([]byte(text)), Len: m.rng.IntN(1e6)}.Append(nil))
				case tag == vector.TagBytes:
					text = vector.Base64([]byte(text))
				case tag == vector.TagJSON:
					text = edgeJSON[m.rng.IntN(len(edgeJSON))]
				}
				v = uint64(len(a.Strs))
				a.Strs = append(a.Strs, text)
			}
			a.Keys, a.Tags, a.Vals = append(a.Keys, uint32(key)), append(a.Tags, tag), append(a.Vals, v)
		}
		a.Off = append(a.Off, uint32(len(a.Keys)))
	}
	return &vector.Column{Kind: vector.Map, Len: n, Attrs: a}
}

func (m *rowMaker) rows(n int) *vector.Rows {
	rows := &vector.Rows{Schema: m.spec.Schema, N: n}
	for _, f := range m.spec.Schema.Fields {
		switch f.Kind {
		case vector.Hex:
			rows.Cols = append(rows.Cols, m.hex(f, n))
			continue
		case vector.Map:
			rows.Cols = append(rows.Cols, m.attributes(n))
			continue
		}
		b := vector.NewBuilder(f.Kind, n)
		for range n {
			switch {
			case f.Nullable && m.style != 1 && (m.style == 3 || m.rng.IntN(4) == 0):
				b.AppendNull()
			case f.Name == m.spec.Time && m.style != 2:
				b.Append(1_700_000_000_000_000_000 + m.rng.Int64N(3600_000_000_000))
			case f.Kind == vector.Int64:
				b.Append(m.int())
			case f.Kind == vector.Float:
				b.Append(m.float())
			case f.Kind == vector.Bool:
				b.Append(m.rng.IntN(2) == 0)
			case f.Kind == vector.String && slices.Contains(m.spec.Outside, f.Name):
				b.Append(m.stored())
			case f.Kind == vector.String && f.Bytes:
				b.Append(m.text() + "\xff\x00")
			case f.Kind == vector.String:
				b.Append(m.text())
			default:
				b.Append(m.array(f))
			}
		}
		c := b.Finish()
		if f.Kind == vector.String && m.rng.IntN(2) == 0 {
			c = withDict(c)
		}
		rows.Cols = append(rows.Cols, c)
	}
	return rows
}

// withDict makes a String column one with a dictionary.
func withDict(c *vector.Column) *vector.Column {
	in := newInterner()
	out := &vector.Column{Kind: vector.String, Len: c.Len, Valid: c.Valid, Codes: make([]uint32, c.Len)}
	for i, s := range c.Strs {
		if !c.IsNull(i) {
			out.Codes[i] = in.text(s)
		}
	}
	if out.Dict = in.list; len(out.Dict) == 0 {
		out.Dict = []string{""}
	}
	return out
}

// testRows is rows with their bookkeeping.
type testRows struct {
	rows          *vector.Rows
	numbers, lsns *vector.Column
}

func (r *testRows) Rows() int                                { return r.rows.N }
func (r *testRows) Column(field int) (*vector.Column, error) { return r.rows.Cols[field], nil }
func (r *testRows) RowNumbers() (*vector.Column, error)      { return r.numbers, nil }
func (r *testRows) LSNs() (*vector.Column, error)            { return r.lsns, nil }

// Footprint tells the bytes of texts, and 8 of any other value.
func (r *testRows) Footprint(field int) (int, error) {
	c, n := r.rows.Cols[field], 8*r.rows.N
	for _, list := range [][]string{c.Strs, c.Dict} {
		for _, s := range list {
			n += len(s)
		}
	}
	if c.Attrs != nil {
		n += 13 * len(c.Attrs.Keys)
		for _, s := range c.Attrs.Strs {
			n += len(s)
		}
	}
	return n, nil
}

func numbered(rng *rand.Rand, rows *vector.Rows) *testRows {
	r := &testRows{rows: rows, numbers: &vector.Column{Kind: vector.Int64, Len: rows.N}, lsns: &vector.Column{Kind: vector.Int64, Len: rows.N}}
	for i := range rows.N {
		r.numbers.Ints = append(r.numbers.Ints, rng.Int64N(1<<50))
		r.lsns.Ints = append(r.lsns.Ints, int64(7+i/10))
	}
	return r
}

// pickRandomly makes sources and picks n rows of them, sorted by the trace if
// the spec wants that.
func pickRandomly(rng *rand.Rand, spec *Spec, n int) (sources []Source, picks []block.Pick) {
	m := newRowMaker(rng, spec)
	for len(picks) < n {
		size := 1 + rng.IntN(n-len(picks))
		if rng.IntN(3) == 0 {
			m = newRowMaker(rng, spec)
		}
		rows := numbered(rng, m.rows(size))
		for row := range size {
			picks = append(picks, block.Pick{Source: uint32(len(sources)), Row: uint32(row)})
		}
		sources = append(sources, rows)
	}
	rng.Shuffle(n, func(i, k int) { picks[i], picks[k] = picks[k], picks[i] })
	sortPicks(spec, sources, picks)
	return sources, picks
}

func sortPicks(spec *Spec, sources []Source, picks []block.Pick) {
	if !spec.sorted() {
		return
	}
	field := spec.Schema.Index(spec.Trace)
	ids := make([]*vector.Column, len(sources))
	for s := range sources {
		ids[s], _ = sources[s].Column(field)
	}
	slices.SortStableFunc(picks, func(x, y block.Pick) int {
		return bytes.Compare(ids[x.Source].HexBytes(int(x.Row)), ids[y.Source].HexBytes(int(y.Row)))
	})
}

// writePart writes a part in memory, of full row groups.
func writePart(t testing.TB, spec *Spec, sources []Source, picks []block.Pick) ([]byte, *layout.PartMeta, *layout.PartIndex) {
	t.Helper()
	return writeGroups(t, spec, sources, slices.Collect(slices.Chunk(picks, spec.groupRows())))
}

// randomGroups cuts picks into row groups of any number of chunks.
func randomGroups(rng *rand.Rand, spec *Spec, picks []block.Pick) (groups [][]block.Pick) {
	for len(picks) > 0 {
		n := min(len(picks), (1+rng.IntN(GroupChunks))*spec.chunkRows())
		groups, picks = append(groups, picks[:n]), picks[n:]
	}
	return groups
}

func writeGroups(t testing.TB, spec *Spec, sources []Source, groups [][]block.Pick) ([]byte, *layout.PartMeta, *layout.PartIndex) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, spec, func(stored string) (string, error) {
		text, _, _, err := layout.ParseStored(stored)
		return text, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if err := w.WriteGroup(sources, group); err != nil {
			t.Fatal(err)
		}
	}
	meta, index, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	meta.Name = "test"
	return buf.Bytes(), meta, index
}

func openPart(t testing.TB, spec *Spec, raw []byte, meta *layout.PartMeta) *Part {
	t.Helper()
	p, err := Open(bytes.NewReader(raw), int64(len(raw)), spec, meta, NewCache(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// valueText gives a value so that values are equal if their texts are.
func valueText(c *vector.Column, i int) string {
	if c.IsNull(i) {
		return "NULL"
	}
	switch c.Kind {
	case vector.Float:
		return fmt.Sprintf("%x", math.Float64bits(c.Floats[i]))
	case vector.Map:
		var s strings.Builder
		a := c.Attrs
		for e := a.Off[i]; e < a.Off[i+1]; e++ {
			fmt.Fprintf(&s, "%q %d ", a.KeyDict[a.Keys[e]], a.Tags[e])
			switch a.Tags[e] {
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				fmt.Fprintf(&s, "%q, ", a.Strs[a.Vals[e]])
			default:
				fmt.Fprintf(&s, "%x, ", a.Vals[e])
			}
		}
		return s.String()
	case vector.Any:
		a := c.Anys[i].(*pgtypes.Array)
		s := fmt.Sprintf("%d %v", a.Elem, a.Dims)
		for _, x := range a.Elems {
			if f, ok := x.(float64); ok {
				x = math.Float64bits(f)
			}
			s += fmt.Sprintf(" %T %v", x, x)
		}
		return s
	}
	return fmt.Sprintf("%q", c.Value(i))
}

// wellFormed checks the invariants of a column.
func wellFormed(t testing.TB, what string, c *vector.Column, kind vector.Kind, n int) {
	t.Helper()
	bad := func(why string) { t.Fatalf("%s: %s", what, why) }
	if c.Kind != kind || c.Len != n {
		bad(fmt.Sprintf("kind %d with %d rows, expected %d with %d", c.Kind, c.Len, kind, n))
	}
	if c.Valid != nil && c.Valid.Count() == n && n > 0 {
		bad("a bitmap though no row is NULL")
	}
	lens := []int{len(c.Bools), len(c.Ints), len(c.Floats), len(c.Strs), len(c.Codes), len(c.Anys)}
	if kind == vector.Hex {
		lens[0] = len(c.Raw) / c.Width
	}
	if kind == vector.Map {
		lens[0] = len(c.Attrs.Off) - 1
	}
	if slices.Max(lens) != n {
		bad("of another length")
	}
	if kind != vector.String || c.Dict == nil {
		return
	}
	sorted := slices.Clone(c.Dict)
	if slices.Sort(sorted); len(slices.Compact(sorted)) != len(c.Dict) {
		bad("the dictionary has duplicates")
	}
	for i, code := range c.Codes {
		if c.IsNull(i) && code != 0 {
			bad("a NULL with a code")
		}
	}
}

// sameRows compares all of a part with the rows that it was made of.
func sameRows(t testing.TB, p *Part, sources []Source, picks []block.Pick) {
	t.Helper()
	row := 0
	for k := range p.Chunks() {
		c := p.Chunk(k)
		part := picks[row : row+c.Rows()]
		compare := func(name string, kind vector.Kind, got *vector.Column, err error, want func(Source) (*vector.Column, error)) {
			t.Helper()
			if err != nil {
				t.Fatalf("chunk %d %s: %v", k, name, err)
			}
			wellFormed(t, name, got, kind, len(part))
			for i, pick := range part {
				w, err := want(sources[pick.Source])
				if err != nil {
					t.Fatal(err)
				}
				if x, y := valueText(got, i), valueText(w, int(pick.Row)); x != y {
					t.Fatalf("chunk %d row %d %s: %.300s, want %.300s", k, i, name, x, y)
				}
			}
		}
		for f, field := range p.spec.Schema.Fields {
			got, err := c.Column(f)
			compare(field.Name, field.Kind, got, err, func(s Source) (*vector.Column, error) { return s.Column(f) })
		}
		got, err := c.RowNumbers()
		compare("row number", vector.Int64, got, err, Source.RowNumbers)
		got, err = c.LSNs()
		compare("lsn", vector.Int64, got, err, Source.LSNs)
		row += c.Rows()
	}
	if row != len(picks) {
		t.Fatalf("%d rows, want %d", row, len(picks))
	}
}

// randomRows gives some row numbers below n, ascending.
func randomRows(rng *rand.Rand, n int) []int32 {
	var rows []int32
	for i := range n {
		if rng.IntN(cmp.Or(rng.IntN(20), 1)) == 0 {
			rows = append(rows, int32(i))
		}
	}
	return rows
}
