package cold

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// bodies are logs of which some have long bodies; the rest is constant.
func bodies(t *testing.T, lengths []int, dict bool) Source {
	t.Helper()
	rows := &vector.Rows{Schema: logs.Schema, N: len(lengths)}
	text := strings.Repeat("0123456789abcdef", 1<<12)
	for _, f := range logs.Schema.Fields {
		b := vector.NewBuilder(f.Kind, rows.N)
		if f.Kind == vector.Map {
			rows.Cols = append(rows.Cols, &vector.Column{Kind: f.Kind, Len: rows.N, Attrs: &vector.Attrs{Off: make([]uint32, rows.N+1)}})
			continue
		}
		if f.Kind == vector.Hex {
			rows.Cols = append(rows.Cols, &vector.Column{Kind: f.Kind, Len: rows.N, Width: f.Width, Raw: make([]byte, f.Width*rows.N)})
			continue
		}
		for i, n := range lengths {
			switch {
			case f.Name == "body":
				b.Append(fmt.Sprintf("%07d", i) + text[:n])
			case f.Nullable:
				b.AppendNull()
			case f.Kind == vector.Int64:
				b.Append(int64(i))
			default:
				b.Append("x")
			}
		}
		c := b.Finish()
		if f.Name == "body" && dict {
			c = withDict(c)
		}
		rows.Cols = append(rows.Cols, c)
	}
	return numbered(rand.New(rand.NewPCG(1, 1)), rows)
}

// Chunks and row groups have as many rows as their bytes allow, wherever long
// ones are, and are full where all are short.
func TestFit(t *testing.T) {
	spec := whole(logs)
	long := func(from, to, n int) []int {
		lengths := make([]int, 4*ChunkRows)
		for i := range lengths {
			if lengths[i] = 20; i >= from && i < to {
				lengths[i] = n
			}
		}
		return lengths
	}
	for _, test := range []struct {
		name      string
		lengths   []int
		chunkRows int
		groups    []int // chunks of each
	}{
		{"short", long(0, 0, 0), 8192, []int{4}},
		{"all of 4000", long(0, 4*ChunkRows, 4000), 1024, []int{8, 8, 8, 8}},
		{"one of eight of 8000", long(8192, 12288, 8000), 1024, []int{11, 16, 5}},
		{"a few", long(8192, 8192+16, 60000), 8192, []int{4}},
		{"few of 60000", long(0, 512, 60000), 128, []int{16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16}},
	} {
		for _, dict := range []bool{false, true} {
			source := bodies(t, test.lengths, dict)
			fit, err := spec.Fit([]Source{source}, allPicks(len(test.lengths)))
			if err != nil {
				t.Fatal(err)
			}
			var groups []int
			from := 0
			for _, end := range fit.Ends {
				groups = append(groups, (end-from+fit.ChunkRows-1)/fit.ChunkRows)
				from = end
			}
			if fit.ChunkRows != test.chunkRows || fmt.Sprint(groups) != fmt.Sprint(test.groups) || from != len(test.lengths) {
				t.Errorf("%s, dictionary %t: %d rows in a chunk, groups of %v chunks", test.name, dict, fit.ChunkRows, groups)
			}
		}
	}
}

// What the footer tells of a part's columns is about what the columns of the
// source took.
func TestFootprint(t *testing.T) {
	spec := whole(logs)
	lengths := make([]int, ChunkRows)
	for i := range lengths {
		lengths[i] = i % 600
	}
	source := bodies(t, lengths, false)
	raw, meta, _ := writePart(t, spec, []Source{source}, allPicks(ChunkRows))
	chunk := openPart(t, spec, raw, meta).Chunk(0)
	b, err := block.Encode(spec.Schema, []*vector.Rows{source.(*testRows).rows}, allPicks(ChunkRows), make([]uint64, ChunkRows), make([]uint64, ChunkRows))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := block.Open(spec.Schema, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range spec.Schema.Fields {
		if f.Name != "body" && f.Name != "timestamp_unix_nano" && f.Name != "trace_id" {
			continue
		}
		want := map[string]int{"body": (16 + 7 + 300) * ChunkRows, "timestamp_unix_nano": 8 * ChunkRows, "trace_id": 16 * ChunkRows}[f.Name]
		for _, s := range []Source{chunk, opened} {
			if n, err := s.Footprint(i); err != nil || n < want*9/10 || n > want*5/4 {
				t.Errorf("%s of a %T takes %d bytes, want %d: %v", f.Name, s, n, want, err)
			}
		}
	}
}
