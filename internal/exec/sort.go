package exec

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// place names a row of a buffered batch.
type place struct{ batch, row int32 }

// sorter buffers its input and gives it in order. Only the keys are decoded
// while it sorts; the other columns are gathered for the rows that are given,
// so a sort under a LIMIT does not pay for columns of rows that nobody sees.
type sorter struct {
	env     *expr.Env
	in      vector.Reader
	keys    []expr.SortKey
	kinds   []vector.Kind
	limit   int // give only the first limit rows; 0: all
	batches []*vector.Batch
	keyCols [][]*vector.Column // by batch, by key
	places  []place
	given   int
	started bool
	taken   int64
}

// Sort orders rows by keys, stably. kinds are those of the input's columns.
func Sort(env *expr.Env, in vector.Reader, keys []expr.SortKey, kinds []vector.Kind) vector.Reader {
	return &sorter{env: env, in: in, keys: keys, kinds: kinds}
}

// TopN is Sort that gives only the first n rows, and keeps no more than a
// small multiple of n.
func TopN(env *expr.Env, in vector.Reader, keys []expr.SortKey, kinds []vector.Kind, n int) vector.Reader {
	return &sorter{env: env, in: in, keys: keys, kinds: kinds, limit: n}
}

func (s *sorter) Next(ctx context.Context) (*vector.Batch, error) {
	if !s.started {
		s.started = true
		if err := s.read(ctx); err != nil {
			return nil, err
		}
	}
	n := min(BatchRows, len(s.places)-s.given)
	if n == 0 {
		return nil, nil
	}
	part := s.places[s.given : s.given+n]
	s.given += n
	return vector.NewLazyBatch(n, len(s.kinds), func(i int) (*vector.Column, error) {
		return s.gather(part, i)
	}), nil
}

func (s *sorter) gather(part []place, i int) (*vector.Column, error) {
	b := vector.NewBuilder(s.kinds[i], len(part))
	for _, p := range part {
		c, err := s.batches[p.batch].Column(i)
		if err != nil {
			return nil, err
		}
		b.AppendRow(c, int(p.row))
	}
	return b.Finish(), nil
}

func (s *sorter) read(ctx context.Context) error {
	for {
		b, err := s.in.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		keyCols := make([]*vector.Column, len(s.keys))
		for i, k := range s.keys {
			if keyCols[i], err = k.Expr.Vec(s.env, b); err != nil {
				return err
			}
		}
		if err := s.take(int64(b.Live()) * (8 + slotBytes(s.kinds))); err != nil {
			return err
		}
		s.batches = append(s.batches, b)
		s.keyCols = append(s.keyCols, keyCols)
		at := int32(len(s.batches) - 1)
		for k := range b.Live() {
			s.places = append(s.places, place{at, int32(b.Row(k))})
		}
		if s.limit > 0 && len(s.places) > 4*s.limit+4*BatchRows {
			s.cut()
		}
	}
	s.order()
	if s.limit > 0 && len(s.places) > s.limit {
		s.places = s.places[:s.limit]
	}
	return nil
}

// cut drops the rows that cannot be among the first limit, and the batches
// that no remaining row is in.
func (s *sorter) cut() {
	s.order()
	s.places = slices.Clone(s.places[:s.limit])
	used := make([]bool, len(s.batches))
	for _, p := range s.places {
		used[p.batch] = true
	}
	for i, u := range used {
		if !u {
			s.batches[i], s.keyCols[i] = nil, nil
		}
	}
	s.give()
	_ = s.take(int64(len(s.places)) * (8 + slotBytes(s.kinds)))
}

func (s *sorter) take(n int64) error {
	if err := s.env.Account.Grow(n); err != nil {
		return err
	}
	s.taken += n
	return nil
}

func (s *sorter) give() {
	s.env.Account.Shrink(s.taken)
	s.taken = 0
}

func (s *sorter) order() {
	compare := make([]func(a, b place) int, len(s.keys))
	for i := range s.keys {
		compare[i] = s.comparer(i)
	}
	slices.SortStableFunc(s.places, func(a, b place) int {
		for _, c := range compare {
			if r := c(a, b); r != 0 {
				return r
			}
		}
		return 0
	})
}

// comparer orders places by key i. Columns of one key have one type, but may
// differ in kind from batch to batch (a dictionary here, plain text there).
func (s *sorter) comparer(i int) func(a, b place) int {
	key := s.keys[i]
	typ := key.Expr.Type()
	sign := 1
	if key.Desc {
		sign = -1
	}
	nullSign := 1 // a NULL on the left sorts last
	if key.NullsFirst {
		nullSign = -1
	}
	return func(a, b place) int {
		ca, cb := s.keyCols[a.batch][i], s.keyCols[b.batch][i]
		ra, rb := int(a.row), int(b.row)
		na, nb := ca.IsNull(ra), cb.IsNull(rb)
		switch {
		case na && nb:
			return 0
		case na:
			return nullSign
		case nb:
			return -nullSign
		}
		return sign * compareRows(typ, ca, ra, cb, rb)
	}
}

// compareRows orders two values that are not NULL.
func compareRows(typ pgtypes.Type, ca *vector.Column, ra int, cb *vector.Column, rb int) int {
	if ca.Kind == cb.Kind {
		switch {
		case ca.Kind == vector.Int64:
			return cmp.Compare(ca.Ints[ra], cb.Ints[rb])
		case ca.Kind == vector.String && typ.OID != pgtypes.Jsonb:
			return strings.Compare(ca.Str(ra), cb.Str(rb))
		case ca.Kind == vector.Hex:
			return slices.Compare(ca.HexBytes(ra), cb.HexBytes(rb))
		}
	}
	return pgtypes.Compare(typ, ca.Value(ra), cb.Value(rb))
}

func (s *sorter) Close() {
	s.in.Close()
	s.give()
	s.batches, s.keyCols, s.places = nil, nil, nil
	s.started = true
}
