package exec

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A SampleSpec says which rows a sample keeps: those whose hash, of the values
// of columns From and on, is below a share of all hashes.
type SampleSpec struct {
	Share  float64 // 0 to 1
	Seed   uint64
	Batch  bool // whole batches, by their first row
	From   int
	Types  []pgtypes.Type // of these columns
	limit  uint64
	buffer []byte
}

type sample struct {
	in vector.Reader
	SampleSpec
}

// Sample gives the rows of a sample.
func Sample(in vector.Reader, spec SampleSpec) vector.Reader {
	spec.limit = uint64(math.RoundToEven(spec.Share * (1 << 32)))
	return &sample{in: in, SampleSpec: spec}
}

func (s *sample) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		b, err := s.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		cols := make([]*vector.Column, len(s.Types))
		for i := range cols {
			if cols[i], err = b.Column(s.From + i); err != nil {
				return nil, err
			}
		}
		if s.Batch {
			if b.Live() > 0 && s.keeps(cols, b.Row(0)) {
				return b, nil
			}
			continue
		}
		var sel []int32
		for k := range b.Live() {
			if row := b.Row(k); s.keeps(cols, row) {
				sel = append(sel, int32(row))
			}
		}
		if len(sel) > 0 {
			return b.Select(sel), nil
		}
	}
}

func (s *sample) keeps(cols []*vector.Column, row int) bool {
	s.buffer = binary.LittleEndian.AppendUint64(s.buffer[:0], s.Seed)
	for i, c := range cols {
		s.buffer = pgtypes.AppendKey(s.buffer, s.Types[i], c.Value(row))
	}
	return xxhash.Sum64(s.buffer)>>32 < s.limit
}

func (s *sample) Close() { s.in.Close() }
