package exec

import (
	"context"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A JoinKind is what a join gives of rows with and without a partner.
type JoinKind uint8

// The kinds. Semi and Anti give left rows only, those with and those without a partner.
const (
	Inner JoinKind = iota + 1
	Left
	Right
	Full
	Semi
	Anti
)

// A JoinSpec describes a join of two inputs.
type JoinSpec struct {
	Kind        JoinKind
	Left, Right []vector.Reader // the readers of an input share its rows
	LeftKinds   []vector.Kind
	RightKinds  []vector.Kind
	// LeftKeys and RightKeys are equal in a pair; NULL equals nothing. Each is
	// over its own input. None: every pair is a candidate.
	LeftKeys, RightKeys []expr.Expr
	// Residual decides over candidates; it sees the columns of Left, then those
	// of Right. nil: true.
	Residual expr.Expr
}

// pairRows is how many candidate pairs are judged at once.
const pairRows = 8192

// Join joins two inputs: one reader for each of Left, which share the result.
// The first of them that is asked builds a table of the right input.
func Join(env *expr.Env, spec JoinSpec) []vector.Reader {
	t := newJoinTable(env, spec)
	out := make([]vector.Reader, len(spec.Left))
	for i, left := range spec.Left {
		out[i] = &prober{joinTable: t, left: left, chain: -1}
	}
	return out
}

// A prober looks for the partners of the rows of one left reader.
type prober struct {
	*joinTable
	left vector.Reader

	probe        *vector.Batch // the left batch at work
	enc          *keyEncoder
	probeMatched vector.Bitmap // by row of probe
	at           int           // next live row of probe
	chain        int32         // next build row for it; -1: start with row at
	tail         bool          // the left input has ended
	last         bool          // and those of all others too
	tailAt       int
}

func (j *prober) Next(ctx context.Context) (*vector.Batch, error) {
	if err := j.ready(ctx); err != nil {
		return nil, err
	}
	for !j.tail {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if j.probe == nil {
			if err := j.nextProbe(ctx); err != nil {
				return nil, err
			}
			continue
		}
		var out *vector.Batch
		var err error
		if rows, pairs := j.candidates(); len(rows) > 0 {
			out, err = j.judge(rows, pairs)
		} else {
			out = j.unmatched()
			j.probe = nil
		}
		if err != nil {
			return nil, err
		}
		if out != nil && out.Live() > 0 {
			return out, nil
		}
	}
	return j.unmatchedBuild(), nil
}

func (j *prober) nextProbe(ctx context.Context) error {
	b, err := j.left.Next(ctx)
	if err != nil {
		return err
	}
	if b == nil {
		j.tail, j.last = true, j.probing.Add(-1) == 0
		return nil
	}
	j.probe, j.at, j.chain = b, 0, -1
	if j.Kind != Inner && j.Kind != Right {
		j.probeMatched = vector.NewBitmap(b.N)
	}
	j.enc, err = newKeyEncoder(j.env, j.LeftKeys, b)
	return err
}

// candidates gives the next pairs with equal keys: rows of the probe batch and
// build rows.
func (j *prober) candidates() (rows, pairs []int32) {
	live := j.probe.Live()
	for j.at < live && len(rows) < pairRows {
		i := j.probe.Row(j.at)
		if j.chain < 0 {
			first := int32(-1)
			if !j.enc.anyNull(i) {
				first = j.find(j.enc.encode(i))
			}
			if first < 0 {
				j.at++
				continue
			}
			j.chain = first
		}
		for j.chain >= 0 && len(rows) < pairRows {
			rows = append(rows, int32(i))
			pairs = append(pairs, j.chain)
			j.chain = j.next[j.chain]
		}
		if j.chain < 0 {
			j.at++
		}
	}
	return rows, pairs
}

// judge applies the residual condition to candidates, notes who found a
// partner, and gives the joined rows if the kind gives pairs.
func (j *prober) judge(rows, pairs []int32) (*vector.Batch, error) {
	out := j.pair(rows, pairs)
	if j.Residual != nil {
		if err := expr.Filter(j.env, j.Residual, out); err != nil {
			return nil, err
		}
	}
	if j.probeMatched != nil || j.matched != nil {
		for k := range out.Live() {
			i := out.Row(k)
			if j.probeMatched != nil {
				j.probeMatched.Set(int(rows[i]))
			}
			if j.matched != nil {
				n := pairs[i]
				atomic.OrUint64(&j.matched[n>>6], 1<<(n&63))
			}
		}
	}
	if j.Kind == Semi || j.Kind == Anti {
		return nil, nil
	}
	return out, nil
}

// pair makes a batch of left rows beside build rows; negative numbers give NULLs.
func (j *prober) pair(rows, pairs []int32) *vector.Batch {
	probe, n := j.probe, max(len(rows), len(pairs))
	places := make([]place, n)
	for k := range places {
		places[k] = place{batch: -1}
		if pairs != nil && pairs[k] >= 0 {
			places[k] = j.places[pairs[k]]
		}
	}
	left := len(j.LeftKinds)
	return vector.NewLazyBatch(n, left+len(j.RightKinds), func(i int) (*vector.Column, error) {
		if i >= left {
			return j.build.gather(places, i-left)
		}
		if rows == nil {
			return vector.Const(j.LeftKinds[i], nil, n), nil
		}
		c, err := probe.Column(i)
		if err != nil {
			return nil, err
		}
		return vector.Take(c, rows), nil
	})
}

// unmatched gives what the kind wants of the probe batch once all its
// candidates are judged.
func (j *prober) unmatched() *vector.Batch {
	if j.probeMatched == nil {
		return nil
	}
	rows := make([]int32, 0, 64)
	for k := range j.probe.Live() {
		i := j.probe.Row(k)
		if j.probeMatched.Get(i) == (j.Kind == Semi) {
			rows = append(rows, int32(i))
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if j.Kind == Semi || j.Kind == Anti {
		return j.probe.Select(rows)
	}
	return j.pair(rows, nil)
}

// unmatchedBuild gives the build rows without a partner, for Right and Full.
// The prober does it that ends last: then all have been looked for.
func (j *prober) unmatchedBuild() *vector.Batch {
	if j.matched == nil || !j.last {
		return nil
	}
	pairs := make([]int32, 0, 64)
	for ; j.tailAt < len(j.places) && len(pairs) < pairRows; j.tailAt++ {
		if !j.matched.Get(j.tailAt) {
			pairs = append(pairs, int32(j.tailAt))
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	return j.pair(nil, pairs)
}

func (j *prober) Close() {
	j.left.Close()
	j.tail, j.last = true, false
	j.release()
}

// Hashable gives the type under which both sides of an equality have the same
// key encoding, or false when pairs of the types must be compared one by one.
func Hashable(a, b pgtypes.Type) (pgtypes.Type, bool) {
	if a.OID == b.OID {
		return pgtypes.Of(a.OID), true
	}
	if isInteger(a.OID) && isInteger(b.OID) {
		return pgtypes.Of(pgtypes.Int8), true
	}
	if isText(a.OID) && isText(b.OID) {
		return pgtypes.Of(pgtypes.Text), true
	}
	return pgtypes.Type{}, false
}

func isInteger(oid pgtypes.OID) bool {
	switch oid {
	case pgtypes.Int2, pgtypes.Int4, pgtypes.Int8, pgtypes.Oid, pgtypes.Regclass, pgtypes.Regtype,
		pgtypes.Regproc, pgtypes.Regnamespace:
		return true
	}
	return false
}

func isText(oid pgtypes.OID) bool {
	return oid == pgtypes.Text || oid == pgtypes.Varchar || oid == pgtypes.Name
}
