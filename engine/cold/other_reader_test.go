package cold

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// otherReader reads a file by Arrow's reader, which knows nothing of parts.
type otherReader struct {
	t     *testing.T
	table arrow.Table
}

func openOther(t *testing.T, raw []byte) *otherReader {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return &otherReader{t, table}
}

// column gives the values of a column as texts, "NULL" for NULL; nil if there
// is none.
func (r *otherReader) column(name string) []string {
	places := r.table.Schema().FieldIndices(name)
	if len(places) == 0 {
		return nil
	}
	var out []string
	for _, chunk := range r.table.Column(places[0]).Data().Chunks() {
		for i := range chunk.Len() {
			out = append(out, r.text(chunk, i))
		}
	}
	return out
}

func (r *otherReader) text(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "NULL"
	}
	switch a := a.(type) {
	case *array.Int64:
		return fmt.Sprint(a.Value(i))
	case *array.Int32:
		return fmt.Sprint(a.Value(i))
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(i)))
	case *array.Boolean:
		return fmt.Sprint(a.Value(i))
	case *array.Float64:
		return fmt.Sprintf("%x", math.Float64bits(a.Value(i)))
	case *array.String:
		if !utf8.ValidString(a.Value(i)) {
			r.t.Errorf("%q is in a column of texts", a.Value(i))
		}
		return strconv.Quote(a.Value(i))
	case *array.Binary:
		return strconv.Quote(string(a.Value(i)))
	case *array.FixedSizeBinary:
		return hex.EncodeToString(a.Value(i))
	case *array.Map:
		from, to := a.ValueOffsets(i)
		var pairs []string
		for e := from; e < to; e++ {
			pairs = append(pairs, r.text(a.Keys(), int(e))+" "+r.text(a.Items(), int(e)))
		}
		return strings.Join(pairs, ", ")
	case *array.List:
		from, to := a.ValueOffsets(i)
		var elems []string
		for e := from; e < to; e++ {
			elems = append(elems, r.text(a.ListValues(), int(e)))
		}
		return "[" + strings.Join(elems, " ") + "]"
	}
	r.t.Fatalf("a column of type %T", a)
	return ""
}

// sourceText gives a value as text tells it.
func sourceText(f vector.Field, c *vector.Column, i int) string {
	if c.IsNull(i) {
		return "NULL"
	}
	switch c.Kind {
	case vector.String:
		return strconv.Quote(c.Str(i))
	case vector.Hex:
		return hex.EncodeToString(c.HexBytes(i))
	case vector.Float:
		return fmt.Sprintf("%x", math.Float64bits(c.Floats[i]))
	case vector.Any:
		var elems []string
		for _, x := range c.Anys[i].(*pgtypes.Array).Elems {
			switch x := x.(type) {
			case nil:
				elems = append(elems, "NULL")
			case float64:
				elems = append(elems, fmt.Sprintf("%x", math.Float64bits(x)))
			default:
				elems = append(elems, fmt.Sprint(x))
			}
		}
		return "[" + strings.Join(elems, " ") + "]"
	}
	return fmt.Sprint(c.Value(i))
}

// Another reader of Parquet gives the rows that were written.
func TestOtherReader(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range 3 {
		spec := specs[i%3]
		sources, picks := pickRandomly(rng, spec, 64*GroupChunks+100)
		raw, _, _ := writePart(t, spec, sources, picks)
		r := openOther(t, raw)
		for f, field := range spec.Schema.Fields {
			cols := make([]*vector.Column, len(sources))
			for s := range sources {
				cols[s], _ = sources[s].Column(f)
			}
			want := func(text func(c *vector.Column, i int) string) []string {
				out := make([]string, len(picks))
				for k, p := range picks {
					out[k] = text(cols[p.Source], int(p.Row))
				}
				return out
			}
			same := func(name string, text func(c *vector.Column, i int) string) {
				t.Helper()
				if got, want := r.column(name), want(text); !slices.Equal(got, want) {
					t.Fatalf("column %s is not what was written", name)
				}
			}
			switch form := formOf(spec, f, field); form {
			case formTime:
				name := strings.TrimSuffix(field.Name, nanosSuffix)
				small := r.column(name + "_nanos")
				for k, p := range picks {
					whole, _ := strconv.ParseInt(r.column(name)[k], 10, 64)
					rest, _ := strconv.ParseInt(small[k], 10, 64)
					if v := cols[p.Source].Ints[p.Row]; whole*1000+rest != v || rest < 0 || rest > 999 {
						t.Fatalf("time %d is %d and %d", v, whole, rest)
					}
					if k > 50 {
						break
					}
				}
			case formRelative:
				base := make([]*vector.Column, len(sources))
				for s := range sources {
					base[s], _ = sources[s].Column(spec.Schema.Index(spec.Time))
				}
				for k, text := range r.column(spec.Relative[field.Name]) {
					c, row := cols[picks[k].Source], int(picks[k].Row)
					if want := "NULL"; c.IsNull(row) != (text == want) || !c.IsNull(row) && text != fmt.Sprint(c.Ints[row]-base[picks[k].Source].Ints[row]) {
						t.Fatalf("%s is %s", spec.Relative[field.Name], text)
					}
				}
			case formOutside:
				parsed := func(of func(text string, ref layout.Reference, outside bool) string) func(c *vector.Column, i int) string {
					return func(c *vector.Column, i int) string {
						if c.IsNull(i) {
							return "NULL"
						}
						text, ref, outside, err := layout.ParseStored(c.Str(i))
						if err != nil {
							t.Fatal(err)
						}
						return of(text, ref, outside)
					}
				}
				either := func(is bool, text string) string {
					if !is {
						return "NULL"
					}
					return text
				}
				same(field.Name, parsed(func(text string, _ layout.Reference, outside bool) string {
					return either(!outside, strconv.Quote(text))
				}))
				same(field.Name+"_sha256", parsed(func(_ string, ref layout.Reference, outside bool) string {
					return either(outside, hex.EncodeToString(ref.Hash[:]))
				}))
				same(field.Name+"_bytes", parsed(func(_ string, ref layout.Reference, outside bool) string { return either(outside, fmt.Sprint(ref.Len)) }))
			case formMap:
				r.sameAttributes(field.Name, cols, picks)
			default:
				same(field.Name, func(c *vector.Column, i int) string { return sourceText(field, c, i) })
			}
		}
		if got := r.column("_row"); len(got) != len(picks) || got[5] != fmt.Sprint(sources[picks[5].Source].(*testRows).numbers.Ints[picks[5].Row]) {
			t.Error("the running numbers are not what was written")
		}
	}
}

// sameAttributes finds every attribute in its column, or in one of the maps.
func (r *otherReader) sameAttributes(field string, cols []*vector.Column, picks []block.Pick) {
	maps := [][]string{r.column(field), r.column(field + "_outside")}
	columns := map[string][]string{}
	for _, f := range r.table.Schema().Fields() {
		if key, ok := strings.CutPrefix(f.Name, field+"."); ok {
			columns[key] = r.column(f.Name)
		}
	}
	for k, p := range picks {
		a := cols[p.Source].Attrs
		var rest, outside []string
		for e := a.Off[p.Row]; e < a.Off[p.Row+1]; e++ {
			key := a.KeyDict[a.Keys[e]]
			text := ""
			switch a.Tags[e] {
			case vector.TagString:
				text = strconv.Quote(a.Strs[a.Vals[e]])
			case vector.TagDouble:
				text = fmt.Sprintf("%x", a.Vals[e])
			default:
				text = string(a.AppendText(nil, int(e)))
			}
			if in := columns[key]; in != nil && in[k] != "NULL" {
				if in[k] != text {
					r.t.Fatalf("row %d: attribute %s is %s, want %s", k, key, in[k], text)
				}
				continue
			}
			if away, ok := appendOutsideEntry(nil, a, int(e)); ok {
				outside = append(outside, strconv.Quote(key)+" "+strconv.Quote(string(away)))
			} else {
				rest = append(rest, strconv.Quote(key)+" "+strconv.Quote(string(appendAttribute(nil, a, int(e)))))
			}
		}
		if want := strings.Join(rest, ", "); maps[0][k] != want {
			r.t.Fatalf("row %d: the other attributes are %s, want %s", k, maps[0][k], want)
		}
		want := strings.Join(outside, ", ")
		if len(outside) == 0 {
			want = "NULL"
		}
		if maps[1][k] != want {
			r.t.Fatalf("row %d: the attributes outside are %s, want %s", k, maps[1][k], want)
		}
	}
}

// Every data page holds a chunk, and says what is in it; ids have no filters.
func TestPages(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	sources, picks := pickRandomly(rng, logs, 64*GroupChunks+200)
	raw, meta, _ := writePart(t, logs, sources, picks)
	f, err := file.NewParquetReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	footer := f.MetaData()
	if footer.GetCreatedBy() != "tael-sql" || f.NumRowGroups() != 2 || meta.Chunks() != GroupChunks+4 {
		t.Errorf("created by %s, %d row groups", footer.GetCreatedBy(), f.NumRowGroups())
	}
	if order := footer.KeyValueMetadata().FindValue("tael-sql.order"); order == nil || *order != "service,timestamp_unix_nano" {
		t.Errorf("order %v", order)
	}
	for g := range f.NumRowGroups() {
		group := footer.RowGroup(g)
		for i := range group.NumColumns() {
			c, err := group.ColumnChunk(i)
			if err != nil {
				t.Fatal(err)
			}
			if c.GetOffsetIndexLocation() == nil || c.BloomFilterOffset() != 0 {
				t.Fatalf("column %s has no offset index, or a bloom filter", c.PathInSchema())
			}
			if stats, err := c.Statistics(); (err != nil || stats == nil || !stats.HasNullCount()) && c.Type() != parquet.Types.Boolean {
				t.Errorf("column %s has no statistics", c.PathInSchema())
			}
			pages, err := f.RowGroup(g).GetColumnPageReader(i)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for pages.Next() {
				if _, ok := pages.Page().(file.DataPage); ok {
					n++
				}
			}
			if err := pages.Err(); err != nil || n != []int{GroupChunks, 4}[g] {
				t.Errorf("column %s has %d pages in row group %d: %v", c.PathInSchema(), n, g, err)
			}
		}
	}
}
