package cold

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Chunks are full but for the last one; a part has rows.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sources, picks := pickRandomly(rng, spans, 64*GroupChunks+1)
	begin := func() *Writer {
		w, err := NewWriter(&bytes.Buffer{}, spans, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if err := begin().WriteGroup(sources, picks); err == nil {
		t.Error("a row group has too many rows")
	}
	w := begin()
	for _, n := range []int{128, 64, 100} {
		if err := w.WriteGroup(sources, picks[:n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteGroup(sources, picks[:64]); err == nil {
		t.Error("a row group follows a chunk that is not full")
	}
	if _, _, err := begin().Close(); err == nil {
		t.Error("a part is empty")
	}
	odd := *spans
	odd.ChunkRows = 100
	if _, err := NewWriter(&bytes.Buffer{}, &odd, nil); err == nil {
		t.Error("chunks do not end at a word")
	}
}

// A source that fails is reported, and so is a place to write that does.
func TestWriteFails(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sources, picks := pickRandomly(rng, logs, 100)
	damaged := &failing{sources[0], 3}
	sources[0] = damaged
	w, err := NewWriter(&bytes.Buffer{}, logs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteGroup(sources, picks); !errors.Is(err, block.ErrCorrupt) {
		t.Errorf("a damaged source: %v", err)
	}
	sources[0] = damaged.Source
	text := func(stored string) (string, error) { return stored, nil }
	w, err = NewWriter(full{}, logs, text)
	if err != nil {
		t.Fatal(err)
	}
	err = w.WriteGroup(sources, picks)
	if err == nil {
		_, _, err = w.Close()
	}
	if !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// failing is a source of which a field cannot be read.
type failing struct {
	Source
	field int
}

func (f *failing) Column(field int) (*vector.Column, error) {
	if field == f.field {
		return nil, block.ErrCorrupt
	}
	return f.Source.Column(field)
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// The manifest entry says what is in the file, and the chunks of a part that is
// sorted by the trace where each is.
func TestMeta(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	sources, picks := pickRandomly(rng, spans, 500)
	_, meta, index := writePart(t, spans, sources, picks)
	rows, field := 0, spans.Schema.Index(spans.Trace)
	for k, c := range index.Chunks {
		for i, bound := range [][]byte{c.First, c.Last} {
			p := picks[rows+i*(c.Rows-1)]
			col, err := sources[p.Source].Column(field)
			if err != nil {
				t.Fatal(err)
			}
			if id := col.HexBytes(int(p.Row)); !bytes.Equal(bound, id) || !index.Trace.Contains(layout.Hash(id)) {
				t.Errorf("chunk %d has a bound %x, want %x", k, bound, id)
			}
		}
		rows += c.Rows
	}
	if rows != 500 || meta.Rows != 500 || meta.ChunkRows != 64 || meta.MinTime > meta.MaxTime || meta.Zones["end_time_unix_nano"].Min == 0 && meta.MinLSN == 0 {
		t.Errorf("the entry says %+v", meta)
	}
	_, _, index = writePart(t, logs, logSources(rng), allPicks(100))
	if c := index.Chunks[0]; c.First != nil || len(c.Tokens) != 1 {
		t.Errorf("a chunk of logs says %v, %d", c.First, len(c.Tokens))
	}
}

func logSources(rng *rand.Rand) []Source {
	return []Source{numbered(rng, newRowMaker(rng, logs).rows(100))}
}

func allPicks(n int) []block.Pick {
	picks := make([]block.Pick, n)
	for i := range picks {
		picks[i].Row = uint32(i)
	}
	return picks
}
