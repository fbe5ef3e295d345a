package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tael-sql/tael-sql/engine/block"
	"github.com/tael-sql/tael-sql/engine/cold"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// sortKeys is what the rows of one source are sorted by: the fields of
// TableSpec.Order, then the running number.
type sortKeys struct {
	cols    []*vector.Column
	numbers []int64
}

func newSortKeys(t *table, s cold.Source) (k sortKeys, err error) {
	for _, f := range t.order {
		c, err := s.Column(f)
		if err != nil {
			return k, err
		}
		k.cols = append(k.cols, c)
	}
	numbers, err := s.RowNumbers()
	if err != nil {
		return k, err
	}
	k.numbers = numbers.Ints
	return k, nil
}

// prefix gives a number that orders as the first field does, as far as eight
// bytes tell.
func (k *sortKeys) prefix(row int) uint64 {
	if len(k.cols) == 0 {
		return 0
	}
	var buf [8]byte
	switch c := k.cols[0]; c.Kind {
	case vector.Hex:
		copy(buf[:], c.HexBytes(row))
	case vector.String:
		copy(buf[:], c.Str(row))
	default:
		return uint64(c.Ints[row]) ^ 1<<63
	}
	return binary.BigEndian.Uint64(buf[:])
}

// compare orders row i of k and row j of other.
func (k *sortKeys) compare(i int, other *sortKeys, j int) int {
	for n, c := range k.cols {
		o := other.cols[n]
		var d int
		switch c.Kind {
		case vector.Hex:
			d = bytes.Compare(c.HexBytes(i), o.HexBytes(j))
		case vector.String:
			d = cmp.Compare(c.Str(i), o.Str(j))
		default:
			d = cmp.Compare(c.Ints[i], o.Ints[j])
		}
		if d != 0 {
			return d
		}
	}
	return cmp.Compare(k.numbers[i], other.numbers[j])
}

// sortPicks orders rows as a part holds them.
func sortPicks(t *table, sources []cold.Source, picks []block.Pick) error {
	keys := make([]sortKeys, len(sources))
	for i, s := range sources {
		var err error
		if keys[i], err = newSortKeys(t, s); err != nil {
			return err
		}
	}
	type place struct {
		prefix uint64
		pick   block.Pick
	}
	places := make([]place, len(picks))
	for i, p := range picks {
		places[i] = place{keys[p.Source].prefix(int(p.Row)), p}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return keys[a.pick.Source].compare(int(a.pick.Row), &keys[b.pick.Source], int(b.pick.Row))
	})
	for i, p := range places {
		picks[i] = p.pick
	}
	return nil
}
