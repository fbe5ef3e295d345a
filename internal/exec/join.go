package exec

import (
	"context"

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
	Left, Right vector.Reader
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

// join builds a table of its right input and probes it with the left one.
type join struct {
	JoinSpec
	env     *expr.Env
	build   buffer
	places  []place
	next    []int32       // chain of equal keys, by build row; -1 ends it
	keys    *keyTable     // of the build rows
	heads   []int32       // first build row of each key
	tails   []int32       // last build row of each key
	matched vector.Bitmap // build rows that found a partner, for Right and Full
	built   bool
	taken   int64

	probe        *vector.Batch // the left batch at work
	enc          *keyEncoder
	probeMatched vector.Bitmap // by row of probe
	at           int           // next live row of probe
	chain        int32         // next build row for it; -1: start with row at
	tail         bool          // the left input has ended
	tailAt       int
}

// Join joins two inputs.
func Join(env *expr.Env, spec JoinSpec) vector.Reader {
	return &join{
		JoinSpec: spec, env: env, chain: -1,
		build: buffer{env: env, kinds: spec.RightKinds},
		keys:  newKeyTable(),
	}
}

func (j *join) Next(ctx context.Context) (*vector.Batch, error) {
	if !j.built {
		j.built = true
		if err := j.readBuild(ctx); err != nil {
			return nil, err
		}
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

func (j *join) readBuild(ctx context.Context) error {
	for {
		b, err := j.Right.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		at, err := j.build.add(b)
		if err != nil {
			return err
		}
		enc, err := newKeyEncoder(j.env, j.RightKeys, b)
		if err != nil {
			return err
		}
		before := j.taken
		for k := range b.Live() {
			j.insert(enc, at, b.Row(k))
		}
		if err := j.env.Account.Grow(j.taken - before); err != nil {
			j.taken = before
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if j.Kind == Right || j.Kind == Full {
		j.matched = vector.NewBitmap(len(j.places))
	}
	return nil
}

func (j *join) insert(enc *keyEncoder, batch int32, row int) {
	n := int32(len(j.places))
	j.places = append(j.places, place{batch, int32(row)})
	j.next = append(j.next, -1)
	j.taken += 12
	if enc.anyNull(row) {
		return
	}
	key := enc.encode(row)
	no, fresh := j.keys.add(key)
	if fresh {
		j.heads, j.tails = append(j.heads, n), append(j.tails, n)
		j.taken += int64(len(key)) + keyCost
		return
	}
	j.next[j.tails[no]], j.tails[no] = n, n
}

// anyNull reports whether a key of row i is NULL.
func (e *keyEncoder) anyNull(i int) bool {
	for _, c := range e.cols {
		if c.IsNull(i) {
			return true
		}
	}
	return false
}

func (j *join) nextProbe(ctx context.Context) error {
	b, err := j.Left.Next(ctx)
	if err != nil {
		return err
	}
	if b == nil {
		j.tail = true
		return nil
	}
	j.probe, j.at, j.chain = b, 0, -1
	j.probeMatched = vector.NewBitmap(b.N)
	j.enc, err = newKeyEncoder(j.env, j.LeftKeys, b)
	return err
}

// candidates gives the next pairs with equal keys: rows of the probe batch and
// build rows.
func (j *join) candidates() (rows, pairs []int32) {
	live := j.probe.Live()
	for j.at < live && len(rows) < pairRows {
		i := j.probe.Row(j.at)
		if j.chain < 0 {
			no := -1
			if !j.enc.anyNull(i) {
				no = j.keys.find(j.enc.encode(i))
			}
			if no < 0 {
				j.at++
				continue
			}
			j.chain = j.heads[no]
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
func (j *join) judge(rows, pairs []int32) (*vector.Batch, error) {
	out := j.pair(rows, pairs)
	if j.Residual != nil {
		if err := expr.Filter(j.env, j.Residual, out); err != nil {
			return nil, err
		}
	}
	for k := range out.Live() {
		i := out.Row(k)
		j.probeMatched.Set(int(rows[i]))
		if j.matched != nil {
			j.matched.Set(int(pairs[i]))
		}
	}
	if j.Kind == Semi || j.Kind == Anti {
		return nil, nil
	}
	return out, nil
}

// pair makes a batch of left rows beside build rows; negative numbers give NULLs.
func (j *join) pair(rows, pairs []int32) *vector.Batch {
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
func (j *join) unmatched() *vector.Batch {
	if j.Kind == Inner || j.Kind == Right {
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
func (j *join) unmatchedBuild() *vector.Batch {
	if j.matched == nil {
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

func (j *join) Close() {
	j.Left.Close()
	j.Right.Close()
	j.build.release()
	j.env.Account.Shrink(j.taken)
	j.taken, j.tail = 0, true
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
