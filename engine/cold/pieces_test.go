package cold

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// farFile counts how often it is read.
type farFile struct {
	*bytes.Reader
	piece int
	reads int
}

func (f *farFile) PieceBytes() int { return f.piece }

func (f *farFile) ReadAt(p []byte, offset int64) (int, error) {
	f.reads++
	return f.Reader.ReadAt(p, offset)
}

// A far file is read by few requests, of pieces of any size, and gives the
// same rows.
func TestPieces(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	sources, picks := pickRandomly(rng, spans, 64*GroupChunks+300)
	raw, meta, _ := writePart(t, spans, sources, picks)
	for _, piece := range []int{3000, 20_000, len(raw) / 3, 1 << 20} {
		for _, limit := range []int64{100_000, 1 << 30} {
			file := &farFile{Reader: bytes.NewReader(raw), piece: piece}
			p, err := Open(file, int64(len(raw)), spans, meta, NewCache(limit))
			if err != nil {
				t.Fatal(err)
			}
			sameRows(t, p, sources, picks)
			if most := len(raw)/piece + 2; limit == 1<<30 && file.reads > most {
				t.Errorf("%d reads of pieces of %d bytes, at most %d expected", file.reads, piece, most)
			}
		}
	}
}
