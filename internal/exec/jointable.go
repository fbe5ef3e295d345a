package exec

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// joinShares is how many tables the build rows are divided among by their
// keys' hashes: each is filled by one goroutine.
const joinShares = 16

// A joinTable is the right input of a join, by key. It is built once, by as
// many goroutines as that has readers, and from then on only read.
type joinTable struct {
	JoinSpec
	env     *expr.Env
	seed    maphash.Seed
	build   buffer
	places  []place // by build row
	next    []int32 // chain of equal keys, by build row; -1 ends it
	shares  [joinShares]joinShare
	matched vector.Bitmap // build rows that found a partner, for Right and Full; set atomically
	taken   int64

	once    sync.Once
	err     error
	probing atomic.Int32 // probers that have not come to their end
	open    atomic.Int32 // probers that are not closed
}

// A joinShare is the rows of some hashes.
type joinShare struct {
	keys  *keyTable
	heads []int32 // first build row of each key
}

func newJoinTable(env *expr.Env, spec JoinSpec) *joinTable {
	t := &joinTable{JoinSpec: spec, env: env, seed: maphash.MakeSeed(), build: buffer{env: env, kinds: spec.RightKinds}}
	t.probing.Store(int32(len(spec.Left)))
	t.open.Store(int32(len(spec.Left)))
	return t
}

// ready builds the table, or waits until another prober has.
func (t *joinTable) ready(ctx context.Context) error {
	t.once.Do(func() { t.err = t.fill(ctx) })
	return t.err
}

// release gives up a prober's hold on the table.
func (t *joinTable) release() {
	if t.open.Add(-1) > 0 {
		return
	}
	t.once.Do(func() { t.err = context.Canceled }) // nobody builds it any more
	for _, r := range t.Right {
		r.Close()
	}
	t.build.release()
	t.env.Account.Shrink(t.taken)
	t.taken = 0
}

// find gives the first build row with a key, or -1.
func (t *joinTable) find(key []byte) int32 {
	hash := maphash.Bytes(t.seed, key)
	share := &t.shares[hash%joinShares]
	_, n := share.keys.search(uint32(hash>>32), key)
	if n < 0 {
		return -1
	}
	return share.heads[n]
}

// fill reads the right input, then divides its rows by their keys.
func (t *joinTable) fill(ctx context.Context) error {
	builders := make([]*joinBuilder, len(t.Right))
	errs := make([]error, len(t.Right))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i, in := range t.Right {
		b := &joinBuilder{table: t, rows: buffer{env: t.env, kinds: t.RightKinds}}
		builders[i] = b
		wg.Go(func() {
			if errs[i] = b.read(ctx, in); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	rows := 0
	for _, b := range builders {
		b.first, b.firstBatch = int32(rows), int32(len(t.build.batches))
		rows += b.count
		t.taken += b.taken
		t.build.batches = append(t.build.batches, b.rows.batches...)
		t.build.taken += b.rows.taken
	}
	if err := firstError(errs); err != nil {
		return err
	}
	if err := t.env.Account.Grow(int64(rows) * joinRowCost); err != nil {
		return err
	}
	t.taken += int64(rows) * joinRowCost
	t.places, t.next = make([]place, rows), make([]int32, rows)
	if t.Kind == Right || t.Kind == Full {
		t.matched = vector.NewBitmap(rows)
	}
	var share atomic.Int32
	for range builders {
		wg.Go(func() {
			for s := share.Add(1) - 1; s < joinShares; s = share.Add(1) - 1 {
				t.divide(builders, int(s))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// joinRowCost is what a build row takes beside its values and its key.
const joinRowCost = 12

// divide fills one share from what the builders have for it.
func (t *joinTable) divide(builders []*joinBuilder, s int) {
	n := 0
	for _, b := range builders {
		n += len(b.shares[s].rows)
	}
	share := &t.shares[s]
	share.keys = newKeyTableFor(t.seed, n)
	tails := make([]int32, 0, n)
	for _, b := range builders {
		from := &b.shares[s]
		firstChunk := uint32(len(share.keys.chunks))
		share.keys.chunks = append(share.keys.chunks, from.chunks...)
		for _, r := range from.rows {
			no := b.first + r.no
			t.places[no], t.next[no] = place{b.firstBatch + r.at.batch, r.at.row}, -1
			if r.null {
				continue
			}
			r.key.chunk += firstChunk
			k, fresh := share.keys.addKept(r.hash, r.key)
			if fresh {
				share.heads, tails = append(share.heads, no), append(tails, no)
				continue
			}
			t.next[tails[k]], tails[k] = no, no
		}
		from.rows = nil
	}
}

// A joinBuilder reads one reader of the right input.
type joinBuilder struct {
	table  *joinTable
	rows   buffer
	count  int
	shares [joinShares]builderShare
	taken  int64

	first, firstBatch int32 // numbers in the table of its first row and batch
}

// builderShare is the rows of a builder for one share of the table.
type builderShare struct {
	keyChunks
	rows []builderRow
}

type builderRow struct {
	no   int32 // within the builder
	hash uint32
	key  keyPlace
	at   place
	null bool // a NULL in the key: nobody's partner
}

// builderRowCost is what a row takes beside its values and its key.
const builderRowCost = 32

func (b *joinBuilder) read(ctx context.Context, in vector.Reader) error {
	for {
		batch, err := in.Next(ctx)
		if err != nil || batch == nil {
			return err
		}
		at, err := b.rows.add(batch)
		if err != nil {
			return err
		}
		enc, err := newKeyEncoder(b.table.env, b.table.RightKeys, batch)
		if err != nil {
			return err
		}
		size := int64(batch.Live()) * builderRowCost
		for k := range batch.Live() {
			size += int64(b.insert(enc, place{at, int32(batch.Row(k))}))
		}
		if err := b.table.env.Account.Grow(size); err != nil {
			return err
		}
		b.taken += size
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// insert enters a row and gives the bytes of its key.
func (b *joinBuilder) insert(enc *keyEncoder, at place) int {
	row := builderRow{no: int32(b.count), at: at}
	b.count++
	if enc.anyNull(int(at.row)) {
		row.null = true
		b.shares[0].rows = append(b.shares[0].rows, row)
		return 0
	}
	key := enc.encode(int(at.row))
	hash := maphash.Bytes(b.table.seed, key)
	share := &b.shares[hash%joinShares]
	row.hash, row.key = uint32(hash>>32), share.keep(key)
	share.rows = append(share.rows, row)
	return len(key)
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
