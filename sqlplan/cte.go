package sqlplan

import (
	"context"

	"github.com/tael-sql/tael-sql/internal/exec"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
)

// cteRows is the rows of a CTE, computed once a statement; or, while the
// recursive part of one runs, the working table that it reads.
type cteRows struct {
	cols    []bind.Column
	kinds   []vector.Kind
	batches []*vector.Batch
	env     *expr.Env
	taken   int64
}

// read keeps all rows of in.
func (r *cteRows) read(env *expr.Env, in vector.Reader) error {
	r.env = env
	for {
		b, err := in.Next(env.Ctx)
		if err != nil || b == nil {
			return err
		}
		if err := r.add(b); err != nil {
			return err
		}
	}
}

func (r *cteRows) add(b *vector.Batch) error {
	for i := range b.Width() { // a lazy column must not outlive its block's scan
		if _, err := b.Column(i); err != nil {
			return err
		}
	}
	n := int64(b.Live()) * int64(16+32*b.Width())
	if err := r.env.Account.Grow(n); err != nil {
		return err
	}
	r.taken += n
	r.batches = append(r.batches, b)
	return nil
}

func (r *cteRows) release() {
	if r.env != nil {
		r.env.Account.Shrink(r.taken)
	}
	r.taken, r.batches = 0, nil
}

// reader gives the rows; any number of readers may run at once, since each has
// selections of its own.
func (r *cteRows) reader() vector.Reader { return &replay{batches: r.batches} }

type replay struct{ batches []*vector.Batch }

func (r *replay) Next(context.Context) (*vector.Batch, error) {
	if len(r.batches) == 0 {
		return nil, nil
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	return b.Select(b.Sel), nil
}

func (r *replay) Close() {}

func (c *compiler) cteRef(n *bind.CTERef) (*stage, error) {
	rows, ok := c.ctes[n.CTE]
	if !ok {
		var err error
		if rows, err = c.compute(n.CTE); err != nil {
			return nil, err
		}
	}
	return &stage{
		readers: []vector.Reader{rows.reader()}, cols: n.Cols,
		step: &Step{Title: "CTE Scan on " + n.CTE.Name, Rows: 100, Width: 32 * len(n.Cols)},
	}, nil
}

// compute runs a CTE. A recursive one runs its recursive part over the rows
// that the last round added, until a round adds none.
func (c *compiler) compute(n *bind.CTE) (*cteRows, error) {
	all := &cteRows{cols: n.Cols, kinds: kindsOf(n.Cols)}
	first, err := c.compile(n.Query)
	if err != nil {
		return nil, err
	}
	in := first.reader()
	defer in.Close()
	if n.Recursive == nil {
		err = all.read(c.env, in)
		c.ctes[n] = all
		return all, err
	}
	all.env = c.env
	seen := newRowSet(c.env, n.Cols)
	defer seen.close()
	working, err := c.round(in, n, seen, all)
	defer func() { c.ctes[n] = all }()
	for err == nil && len(working.batches) > 0 {
		c.ctes[n] = working
		var next *stage
		if next, err = c.compile(n.Recursive); err != nil {
			break
		}
		reader := next.reader()
		last := working
		working, err = c.round(reader, n, seen, all)
		reader.Close()
		last.release()
		if err == nil {
			err = c.env.Ctx.Err()
		}
	}
	return all, err
}

// round keeps the rows of one round, new ones only under UNION.
func (c *compiler) round(in vector.Reader, n *bind.CTE, seen *rowSet, all *cteRows) (*cteRows, error) {
	working := &cteRows{cols: n.Cols, kinds: kindsOf(n.Cols), env: c.env}
	for {
		b, err := in.Next(c.env.Ctx)
		if err != nil || b == nil {
			return working, err
		}
		if !n.UnionAll {
			if b, err = seen.fresh(b); err != nil {
				return working, err
			}
			if b.Live() == 0 {
				continue
			}
		}
		if err := all.add(b); err != nil {
			return working, err
		}
		if err := working.add(b.Select(b.Sel)); err != nil {
			return working, err
		}
	}
}

// rowSet drops rows that came before, for the whole of a recursive UNION.
type rowSet struct {
	feed *feed
	out  vector.Reader
}

// feed gives the one batch that it was handed.
type feed struct{ batch *vector.Batch }

func (f *feed) Next(context.Context) (*vector.Batch, error) {
	b := f.batch
	f.batch = nil
	return b, nil
}

func (f *feed) Close() {}

func newRowSet(env *expr.Env, cols []bind.Column) *rowSet {
	f := &feed{}
	return &rowSet{feed: f, out: exec.Distinct(env, f, columnRefs(cols))}
}

func (s *rowSet) fresh(b *vector.Batch) (*vector.Batch, error) {
	s.feed.batch = b
	out, err := s.out.Next(context.Background())
	if err != nil || out != nil {
		return out, err
	}
	return b.Select([]int32{}), nil
}

func (s *rowSet) close() { s.out.Close() }
