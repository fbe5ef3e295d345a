package session

import (
	"context"
	"math"
	"slices"
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// maxScrollRows is how many rows a cursor that was declared neither SCROLL nor
// NO SCROLL keeps to go back to. Beyond, it can go back to its start alone.
const maxScrollRows = 10_000

// A cursor is a query that FETCH and MOVE step through, as DECLARE makes it.
// It reads its query as far as it was asked to, over the view that was there
// when it was declared.
type cursor struct {
	session  *Session
	stmt     *statement
	params   []any
	scroll   bool // SCROLL: keeps all rows
	noScroll bool // NO SCROLL: keeps none behind the current one
	hold     bool
	binary   bool // FETCH gives binary values where the client could not say what it wants
	kept     bool // its transaction has ended: it is left to CLOSE
	broken   bool // an error ended it

	env    *expr.Env
	reader vector.Reader // nil before the first row, and once ended
	ended  bool

	// Row k of the result, counted from 1, is in batches if k > dropped.
	batches []*vector.Batch
	dropped int64
	read    int64 // rows read from reader
	at      int64 // current row; 0: before the first, read+1: after the last
}

// declare makes a cursor.
func (s *Session) declare(ctx context.Context, st *statement, params []any) error {
	n := st.node.Node.GetDeclareCursorStmt()
	const binary, scroll, noScroll, hold = 1, 2, 4, 32
	if n.Options&hold == 0 && s.implicit {
		return pgerr.New(pgerr.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	c := &cursor{
		session: s, stmt: &statement{session: s, node: st.node, query: st.query, columns: wireColumns(st.query.Columns)}, params: params,
		scroll: n.Options&scroll != 0, noScroll: n.Options&noScroll != 0, hold: n.Options&hold != 0, binary: n.Options&binary != 0,
		env: s.env(ctx),
	}
	if err := s.startup.Registry.PutPortal(n.Portalname, c, c.hold); err != nil {
		c.Close()
		return err
	}
	return nil
}

// Binary reports whether p is a FETCH from a binary cursor.
func (p *portal) Binary() bool {
	if p.stmt.node.Kind != syntax.Fetch {
		return false
	}
	found, err := p.session.portal(p.stmt.node.Node.GetFetchStmt().Portalname)
	c, ok := found.(*cursor)
	return err == nil && ok && c.binary
}

// portal finds a cursor by name: of DECLARE, or a portal of the protocol.
func (s *Session) portal(name string) (pgwire.Portal, error) {
	p, err := s.startup.Registry.Portal(name)
	if err != nil {
		return nil, pgerr.New(pgerr.InvalidCursorName, "cursor \"%s\" does not exist", name)
	}
	return p, nil
}

// closeCursor is CLOSE.
func (s *Session) closeCursor(n *pg.ClosePortalStmt) error {
	if n.Portalname == "" {
		s.startup.Registry.DropPortals()
		return nil
	}
	if !s.startup.Registry.DropPortal(n.Portalname) {
		return pgerr.New(pgerr.InvalidCursorName, "cursor \"%s\" does not exist", n.Portalname)
	}
	return nil
}

// keepCursors reads the cursors WITH HOLD to their ends, before their
// transaction commits, and closes the others.
func (s *Session) keepCursors(ctx context.Context) error {
	registry := s.startup.Registry
	for _, name := range registry.PortalNames() {
		c, ok := s.held(name)
		if !ok || c.kept {
			continue
		}
		for !c.ended {
			if err := c.fill(ctx); err != nil {
				return err
			}
		}
		c.kept = true
	}
	registry.EndTransaction()
	return nil
}

// dropCursors closes the cursors of a transaction that is rolled back.
func (s *Session) dropCursors() {
	for _, name := range s.startup.Registry.PortalNames() {
		if c, ok := s.held(name); ok && !c.kept {
			s.startup.Registry.DropPortal(name)
		}
	}
	s.startup.Registry.EndTransaction()
}

// dropCursorsBut closes the cursors that were not there at a savepoint.
func (s *Session) dropCursorsBut(names []string) {
	for _, name := range s.startup.Registry.PortalNames() {
		if !slices.Contains(names, name) {
			s.startup.Registry.DropPortal(name)
		}
	}
}

func (s *Session) held(name string) (*cursor, bool) {
	p, err := s.startup.Registry.Portal(name)
	if err != nil {
		return nil, false
	}
	c, ok := p.(*cursor)
	return c, ok && c.hold
}

// Columns gives the result columns.
func (c *cursor) Columns() []pgwire.Column { return c.stmt.columns }

// Close ends the cursor.
func (c *cursor) Close() {
	if c.reader != nil {
		c.reader.Close()
		c.reader = nil
	}
	if c.env != nil {
		release(c.env)
		c.env = nil
	}
	c.batches, c.ended = nil, true
}

// Run goes on with the cursor where a client executes it as a portal.
func (c *cursor) Run(ctx context.Context, w *pgwire.RowWriter, maxRows int) (tag string, suspended bool, err error) {
	if err := c.session.allowed(c.stmt.node); err != nil {
		return "", false, err
	}
	w.SetStyle(c.session.settings.style())
	n := int64(math.MaxInt64)
	if maxRows > 0 {
		n = int64(maxRows)
	}
	moved, err := c.ahead(ctx, n, w.WriteBatch)
	if err != nil {
		c.broken = true
		return "", false, ended(ctx, err)
	}
	return "SELECT " + strconv.FormatInt(moved, 10), moved == n, nil
}

// fetch is FETCH and MOVE; it gives the tag.
func (s *Session) fetch(ctx context.Context, n *pg.FetchStmt, w *pgwire.RowWriter) (string, error) {
	found, err := s.portal(n.Portalname)
	if err != nil {
		return "", err
	}
	tag, emit := "FETCH ", emitFunc(w.WriteBatch)
	if n.Ismove {
		tag, emit = "MOVE ", nil
	}
	c, declared := found.(*cursor)
	if !declared {
		moved, err := fetchPortal(ctx, found, n, emit)
		return tag + strconv.FormatInt(moved, 10), err
	}
	if c.broken {
		return "", pgerr.New(pgerr.ObjectNotInPrerequisiteState, "portal \"%s\" cannot be run", n.Portalname)
	}
	var moved int64
	switch n.Direction {
	case pg.FetchDirection_FETCH_ABSOLUTE:
		moved, err = c.absolute(ctx, n.HowMany, emit)
	case pg.FetchDirection_FETCH_RELATIVE:
		moved, err = c.relative(ctx, n.HowMany, emit)
	case pg.FetchDirection_FETCH_BACKWARD:
		moved, err = c.step(ctx, -n.HowMany, emit)
	default:
		moved, err = c.step(ctx, n.HowMany, emit)
	}
	c.broken = err != nil
	return tag + strconv.FormatInt(moved, 10), err
}

// fetchPortal is FETCH and MOVE of a portal that the protocol has bound, which
// goes forward only.
func fetchPortal(ctx context.Context, found pgwire.Portal, n *pg.FetchStmt, emit emitFunc) (int64, error) {
	p, ok := found.(*portal)
	if !ok || p.stmt.node.Kind != syntax.Select {
		return 0, pgerr.New(pgerr.FeatureNotSupported, "FETCH from a portal that is no query is not supported")
	}
	if n.Direction != pg.FetchDirection_FETCH_FORWARD || n.HowMany <= 0 {
		return 0, errForwardOnly()
	}
	moved, _, err := p.ahead(ctx, p.stmt.query, n.HowMany, emit)
	return moved, err
}

// An emitFunc takes rows; nil stands for moving over them.
type emitFunc func(*vector.Batch) error

func (f emitFunc) rows(b *vector.Batch, sel []int32) error {
	if f == nil {
		return nil
	}
	return f(b.Select(sel))
}

// step gives the next n rows, the -n before, or the current one.
func (c *cursor) step(ctx context.Context, n int64, emit emitFunc) (int64, error) {
	switch {
	case n > 0:
		return c.ahead(ctx, n, emit)
	case n < 0:
		return c.back(ctx, -n, emit)
	case c.at > 0 && c.at <= c.read:
		return 1, c.emitRow(c.at, emit)
	}
	return 0, nil
}

// absolute goes to row n, from the end if n is negative, and gives it.
func (c *cursor) absolute(ctx context.Context, n int64, emit emitFunc) (int64, error) {
	if n < 0 {
		if _, err := c.ahead(ctx, math.MaxInt64, nil); err != nil {
			return 0, err
		}
		n = max(c.read+1+n, 0)
	}
	var err error
	switch {
	case n <= c.at && n <= c.dropped+1 && c.dropped > 0:
		err = c.restart()
	case n <= c.at && c.at > 0:
		_, err = c.back(ctx, c.at-n+1, nil)
	}
	if err != nil || n == 0 {
		return 0, err
	}
	return c.relative(ctx, n-c.at, emit)
}

// relative goes n rows on, or back, and gives the row there.
func (c *cursor) relative(ctx context.Context, n int64, emit emitFunc) (int64, error) {
	var err error
	switch {
	case n > 1:
		_, err = c.ahead(ctx, n-1, nil)
		n = 1
	case n < -1:
		_, err = c.back(ctx, -n-1, nil)
		n = -1
	}
	if err != nil {
		return 0, err
	}
	return c.step(ctx, n, emit)
}

// ahead gives up to n rows after the current one.
func (c *cursor) ahead(ctx context.Context, n int64, emit emitFunc) (moved int64, err error) {
	for moved < n {
		if c.at >= c.read {
			if c.ended {
				c.at = c.read + 1
				break
			}
			if err := c.fill(ctx); err != nil {
				return moved, err
			}
			continue
		}
		b, first := c.batchOf(c.at + 1)
		take := min(n-moved, int64(b.Live())-first)
		if err := emit.rows(b, rows(b, first, take)); err != nil {
			return moved, err
		}
		c.at += take
		moved += take
		c.trim()
	}
	return moved, nil
}

// back gives up to n rows before the current one, the nearest first.
func (c *cursor) back(ctx context.Context, n int64, emit emitFunc) (moved int64, err error) {
	if emit == nil && n >= c.at && c.dropped > 0 {
		moved = max(c.at-1, 0)
		return moved, c.restart()
	}
	if c.noScroll && n > 0 {
		return 0, errForwardOnly()
	}
	for moved < n && c.at > 1 {
		if c.at-1 <= c.dropped {
			return moved, errForwardOnly()
		}
		b, first := c.batchOf(c.at - 1)
		take := min(n-moved, first+1)
		sel := rows(b, first-take+1, take)
		slices.Reverse(sel)
		if err := emit.rows(b, sel); err != nil {
			return moved, err
		}
		c.at -= take
		moved += take
	}
	if moved < n {
		c.at = 0
	}
	return moved, nil
}

func errForwardOnly() error {
	return pgerr.New(pgerr.ObjectNotInPrerequisiteState, "cursor can only scan forward").
		WithHint("Declare it with SCROLL option to enable backward scan.")
}

func (c *cursor) emitRow(k int64, emit emitFunc) error {
	b, first := c.batchOf(k)
	return emit.rows(b, rows(b, first, 1))
}

// batchOf finds row k, which is kept, and its number among the batch's live rows.
func (c *cursor) batchOf(k int64) (b *vector.Batch, first int64) {
	k -= c.dropped + 1
	for _, b := range c.batches {
		if k < int64(b.Live()) {
			return b, k
		}
		k -= int64(b.Live())
	}
	panic("BUG: a cursor's row is not kept")
}

// rows selects n live rows of a batch.
func rows(b *vector.Batch, first, n int64) []int32 {
	sel := make([]int32, n)
	for i := range sel {
		sel[i] = int32(b.Row(int(first) + i))
	}
	return sel
}

// batchBytes is what a batch is taken to need.
func batchBytes(b *vector.Batch) int64 { return int64(b.Live()) * int64(16+32*b.Width()) }

// trim gives up the batches before the current row where none may go back to them.
func (c *cursor) trim() {
	if c.scroll || !c.noScroll && c.read-c.dropped <= maxScrollRows {
		return
	}
	for len(c.batches) > 0 && c.dropped+int64(c.batches[0].Live()) < c.at {
		c.dropped += int64(c.batches[0].Live())
		c.env.Account.Shrink(batchBytes(c.batches[0]))
		c.batches = slices.Delete(c.batches, 0, 1)
	}
}

// fill reads the next batch.
func (c *cursor) fill(ctx context.Context) (err error) {
	c.env.Ctx = ctx
	if c.reader == nil {
		root := c.stmt.query.With(c.params).Root
		if c.reader, err = sqlplan.Run(c.env, root, sqlplan.Options{Workers: c.session.handler.opts.Workers}); err != nil {
			return err
		}
	}
	b, err := c.reader.Next(ctx)
	if err != nil {
		return err
	}
	if b == nil {
		c.reader.Close()
		c.reader, c.ended = nil, true
		return nil
	}
	if b.N == 0 {
		return nil
	}
	for i := range b.Width() { // a lazy column must not outlive its operator
		if _, err := b.Column(i); err != nil {
			return err
		}
	}
	if err := c.env.Account.Grow(batchBytes(b)); err != nil {
		return err
	}
	c.batches = append(c.batches, b)
	c.read += int64(b.Live())
	return nil
}

// restart goes back to before the first row of a cursor that has dropped some.
func (c *cursor) restart() error {
	if c.kept || c.noScroll {
		return errForwardOnly()
	}
	if c.reader != nil {
		c.reader.Close()
		c.reader = nil
	}
	for _, b := range c.batches {
		c.env.Account.Shrink(batchBytes(b))
	}
	c.batches, c.dropped, c.read, c.at, c.ended = nil, 0, 0, 0, false
	return nil
}

// describeCursor gives what FETCH of a cursor gives: nothing, as long as there
// is none, for it may be declared before the statement runs.
func (st *statement) describeCursor(name string) {
	st.columns = nil
	if p, err := st.session.portal(name); err == nil && st.node.Kind == syntax.Fetch {
		st.columns = p.Columns()
	}
}
