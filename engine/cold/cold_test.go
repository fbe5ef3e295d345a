package cold

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tael-sql/tael-sql/internal/vector"
)

var specs = []*Spec{spans, logs, metrics}

// What is written comes back, for each table and every type of column.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range 9 {
		spec := specs[i%3]
		n := 1 + rng.IntN(300)
		if i%6 == 0 {
			n = 1000 + rng.IntN(500) // several row groups
		}
		sources, picks := pickRandomly(rng, spec, n)
		raw, meta, index := writeGroups(t, spec, sources, randomGroups(rng, spec, picks))
		if meta.Rows != n || meta.Bytes != int64(len(raw)) || len(index.Chunks) != meta.Chunks() {
			t.Fatalf("the entry says %+v of %d rows in %d bytes", meta, n, len(raw))
		}
		p := openPart(t, spec, raw, meta)
		sameRows(t, p, sources, picks)
		if err := p.Verify(); err != nil {
			t.Fatal(err)
		}
		sameKeys(t, p)
		sameFew(t, rng, p)
	}
}

// A part has nothing of fields that came later, and keeps those that it has.
func TestLaterFields(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	sources, picks := pickRandomly(rng, spans, 150)
	raw, meta, _ := writePart(t, spans, sources, picks)
	later := *spans
	fields := []vector.Field{
		{Name: "new_text", Kind: vector.String, Nullable: true},
		{Name: "new_number", Kind: vector.Int64},
		{Name: "new_map", Kind: vector.Map},
		{Name: "new_maybe_map", Kind: vector.Map, Nullable: true},
		{Name: "new_list", Kind: vector.Any, Nullable: true},
	}
	n := len(fields)
	later.Schema = vector.NewSchema("spans", append(fields, spans.Schema.Fields...)...)
	c := openPart(t, &later, raw, meta).Chunk(1)
	old := openPart(t, spans, raw, meta).Chunk(1)
	for f, field := range later.Schema.Fields {
		got, err := c.Column(f)
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, field.Name, got, field.Kind, c.Rows())
		for i := range c.Rows() {
			want := map[string]string{"new_text": "NULL", "new_number": "'\\x00'", "new_maybe_map": "NULL", "new_list": "NULL"}[field.Name]
			if f >= n {
				col, err := old.Column(f - n)
				if err != nil {
					t.Fatal(err)
				}
				want = valueText(col, i)
			}
			if text := valueText(got, i); text != want {
				t.Fatalf("%s is %s, want %s", field.Name, text, want)
			}
		}
	}
}

// sameKeys compares single attributes with those of whole Map columns.
func sameKeys(t *testing.T, p *Part) {
	field := p.spec.Schema.Index("attributes")
	for k := range p.Chunks() {
		c := p.Chunk(k)
		whole, err := c.Column(field)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range append(whole.Attrs.KeyDict, "none") {
			got, err := c.Key(field, key)
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, key, got, vector.String, c.Rows())
			if got.Dict == nil {
				t.Fatalf("key %s has no dictionary", key)
			}
			code, known := whole.Attrs.Key(key)
			for i := range c.Rows() {
				want := "NULL"
				if e := whole.Attrs.Find(i, code); known && e >= 0 && whole.Attrs.Tags[e] != vector.TagNull {
					want = fmt.Sprintf("%q", whole.Attrs.AppendText(nil, e))
				}
				if text := valueText(got, i); text != want {
					t.Fatalf("chunk %d row %d key %q: %s, want %s", k, i, key, text, want)
				}
			}
		}
	}
}

// sameFew compares some rows with whole columns.
func sameFew(t *testing.T, rng *rand.Rand, p *Part) {
	for k := range p.Chunks() {
		c := p.Chunk(k)
		rows := randomRows(rng, c.Rows())
		for f, field := range p.spec.Schema.Fields {
			whole, err := c.Column(f)
			if err != nil {
				t.Fatal(err)
			}
			few, err := p.Chunk(k).Few(f, rows)
			if err != nil {
				t.Fatal(err)
			}
			if wellFormed(t, field.Name, few, field.Kind, len(rows)); few.Len != len(rows) || few.Kind != field.Kind {
				t.Fatalf("%s has %d rows of kind %d", field.Name, few.Len, few.Kind)
			}
			for i, row := range rows {
				if x, y := valueText(few, i), valueText(whole, int(row)); x != y {
					t.Fatalf("chunk %d row %d %s: %s, want %s", k, row, field.Name, x, y)
				}
			}
		}
	}
}
