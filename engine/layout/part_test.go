package layout

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// chunksOf describes rows in chunks of size, sorted by the trace or not.
func chunksOf(t testing.TB, rows *vector.Rows, size int, sorted bool) []ChunkMeta {
	t.Helper()
	d := description
	d.Outside = []string{"body"}
	c := NewChunks(d, rows.N, size, sorted, func(stored string) (string, error) { return "whole " + stored, nil })
	numbers, lsns := &vector.Column{Kind: vector.Int64, Len: rows.N}, &vector.Column{Kind: vector.Int64, Len: rows.N}
	for i := range rows.N {
		numbers.Ints, lsns.Ints = append(numbers.Ints, int64(1000+i)), append(lsns.Ints, int64(70+i/10))
	}
	for i := range schema.Fields {
		if err := c.Column(i, rows.Cols[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.Bookkeeping(numbers, lsns)
	chunks, _ := c.Finish()
	return chunks
}

func samplePart(t testing.TB) (*PartMeta, *PartIndex) {
	rows := makeRows(rand.New(rand.NewPCG(1, 1)), 300)
	x := &PartIndex{Trace: BuildFilter([]uint64{1, 2, 3}, TraceFilterBits), Chunks: chunksOf(t, rows, 64, false)}
	x.Chunks = append(x.Chunks, chunksOf(t, rows, 300, true)...)
	m := SummarizeChunks(x.Chunks)
	m.Table, m.Level, m.ID, m.Name, m.Bytes, m.ChunkRows = 1, 2, 42, "spans/2026-11-23/a.parquet", 1<<40, 64
	m.Checksum, m.Tail, m.TailChecksum = 1<<63+5, 4096, 1<<62+7
	return m, x
}

// Entries of version 1 open for ever, and still come out the same.
func TestPartGolden(t *testing.T) {
	m, x := samplePart(t)
	for name, raw := range map[string][]byte{"part": m.Append(nil), "index": x.Append(nil)} {
		path := filepath.Join("testdata", name+".v1")
		if *rewriteGolden {
			if err := os.WriteFile(path, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(golden, raw) {
			t.Errorf("%s is encoded otherwise than in version 1", name)
		}
	}
	if got, err := DecodePartMeta(m.Append(nil)); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("the entry reads %+v, %v, want %+v", got, err, m)
	}
	got, err := DecodePartIndex(x.Append(nil))
	if err != nil || !bytes.Equal(got.Append(nil), x.Append(nil)) {
		t.Fatalf("the index reads otherwise: %v", err)
	}
	last := got.Chunks[len(got.Chunks)-1]
	if !got.Trace.Contains(2) || last.Rows != 300 || len(last.First) != 16 || got.Chunks[0].First != nil || last.MaxLSN != 99 {
		t.Errorf("the index reads %+v", last)
	}
}

// No byte of an entry changes unseen.
func TestPartDamage(t *testing.T) {
	m, x := samplePart(t)
	for name, raw := range map[string][]byte{"part": m.Append(nil), "index": x.Append(nil)} {
		for i := 0; i < len(raw); i += 1 + len(raw)/500 {
			damaged := slices.Clone(raw)
			damaged[i] ^= 1 << (i & 7)
			_, err := DecodePartMeta(damaged)
			if name == "index" {
				_, err = DecodePartIndex(damaged)
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: byte %d: %v", name, i, err)
			}
		}
	}
}

// What the index says of a chunk is true of every row of it.
func TestChunks(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range 6 {
		rows := makeRows(rng, 1+rng.IntN(3000))
		size := []int{64, 512, 1024}[i%3]
		chunks := chunksOf(t, rows, size, i < 3)
		for k, c := range chunks {
			from := k * size
			for row := from; row < from+c.Rows; row++ {
				sayTrue(t, rows, row, c, i < 3)
			}
			if set, ok := c.Values["service"]; !ok || set.Contains("svc-none") && set.Exact != nil {
				t.Errorf("services %v", set)
			}
		}
		if last := chunks[len(chunks)-1]; (len(chunks)-1)*size+last.Rows != rows.N || last.MaxRow != uint64(999+rows.N) {
			t.Errorf("the last chunk has %d rows to %d", last.Rows, last.MaxRow)
		}
	}
}

func sayTrue(t *testing.T, rows *vector.Rows, row int, c ChunkMeta, sorted bool) {
	t.Helper()
	col := func(name string) *vector.Column { return rows.Cols[schema.Index(name)] }
	trace := col("trace")
	if !sorted && !trace.IsNull(row) && !c.Trace.Contains(Hash(trace.HexBytes(row))) {
		t.Fatal("a trace is missing")
	}
	if !sorted && !c.Keys.Contains(KeyHash(trace.HexBytes(row), col("span").HexBytes(row))) {
		t.Fatal("a key is missing")
	}
	for _, name := range []string{"time", "duration"} {
		if z, c := c.Zones[name], col(name); !c.IsNull(row) && (c.Ints[row] < z.Min || c.Ints[row] > z.Max) {
			t.Fatalf("%s %d is not in %v", name, c.Ints[row], z)
		}
	}
	texts := map[string]string{"service": col("service").Str(row)}
	if user := col("user"); !user.IsNull(row) {
		texts["user"], texts["code"] = user.Str(row), strconv.FormatInt(col("code").Ints[row], 10)
	}
	attributes := col("attributes").Attrs
	for e := attributes.Off[row]; e < attributes.Off[row+1]; e++ {
		texts[AttributeName("attributes", attributes.KeyDict[attributes.Keys[e]])] = string(attributes.AppendText(nil, int(e)))
	}
	for name, text := range texts {
		if set, ok := c.Values[name]; ok && !set.Contains(text) {
			t.Fatalf("%q is not in the values of %q", text, name)
		} else if !ok && name != "user" {
			t.Fatalf("no values of %q", name)
		}
	}
	tokens := c.Tokens["body"]
	for _, h := range TokenHashes(fmt.Sprintf("whole %s", col("body").Str(row))) {
		if !tokens.Contains(h) {
			t.Fatal("a token is missing")
		}
	}
}

// An attribute with many values, or one that is stored outside its row, may
// have any value; others still prune.
func TestChunkAttributes(t *testing.T) {
	s := vector.NewSchema("t", vector.Field{Name: "a", Kind: vector.Map, Filter: true})
	a := &vector.Attrs{Off: []uint32{0}, KeyDict: []string{"few", "many", "away"}, Strs: []string{"x", string(Reference{Len: 9}.Append(nil))}}
	for i := range uint64(2000) {
		a.Keys, a.Tags, a.Vals = append(a.Keys, 0, 1, 2), append(a.Tags, vector.TagString, vector.TagInt, vector.TagString), append(a.Vals, 0, i, 1)
		a.Off = append(a.Off, uint32(len(a.Keys)))
	}
	c := NewChunks(Description{Schema: s}, 2000, 2048, false, nil)
	if err := c.Column(0, &vector.Column{Kind: vector.Map, Len: 2000, Attrs: a}); err != nil {
		t.Fatal(err)
	}
	chunks, _ := c.Finish()
	for key, may := range map[string]bool{"few": false, "many": true, "away": true} {
		set, ok := chunks[0].Values[AttributeName("a", key)]
		if !ok || set.Contains("not there") != may {
			t.Errorf("%s: %t, %t", key, ok, set.Contains("not there"))
		}
	}
	if !chunks[0].AttributeAll["a"] {
		t.Error("there are more attributes than the index says")
	}
}

// Keys of parts come apart again, and none is taken for one of a block.
func TestPartKeys(t *testing.T) {
	for _, key := range [][]byte{PartKey(3, 77), PartIndexKey(3, 77), PartDeadKey(3, 77)} {
		if id, ok := ParsePartKey(key); !ok || id != 77 {
			t.Errorf("key %x has id %d, %t", key, id, ok)
		}
		if _, ok := ParseBlockKey(key); ok {
			t.Errorf("key %x is taken for one of a block", key)
		}
	}
	if _, ok := ParsePartKey(RequestKey([16]byte{})); ok {
		t.Error("a request's key is taken for one of a part")
	}
}
