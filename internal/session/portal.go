package session

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
	"github.com/tael-sql/tael-sql/tables"
)

// A portal is a statement with its parameter values, perhaps in the midst of
// its rows.
type portal struct {
	session *Session
	stmt    *statement
	params  []any

	env    *expr.Env
	reader vector.Reader // open while there may be more rows
	rest   *vector.Batch // rows that did not fit under the last row limit

	affected int64 // rows changed
}

// Columns gives the result columns.
func (p *portal) Columns() []pgwire.Column { return p.stmt.columns }

// Close ends the portal.
func (p *portal) Close() {
	if p.reader != nil {
		p.reader.Close()
		p.reader = nil
	}
	if p.env != nil {
		release(p.env)
		p.env = nil
	}
}

// Run runs the statement, or goes on with it.
func (p *portal) Run(ctx context.Context, w *pgwire.RowWriter, maxRows int) (tag string, suspended bool, err error) {
	began := time.Now()
	tag, suspended, err = p.run(ctx, w, maxRows)
	if !suspended {
		p.session.audit(p.stmt.node, "", tag, began, err)
	}
	return tag, suspended, err
}

func (p *portal) run(ctx context.Context, w *pgwire.RowWriter, maxRows int) (tag string, suspended bool, err error) {
	s := p.session
	if err := s.allowed(p.stmt.node); err != nil {
		return "", false, err
	}
	s.enter()
	s.begins(p.stmt.node.Text)
	defer func() { s.rests(err) }()
	ctx, cancel := p.deadline(ctx)
	defer cancel()
	w.SetStyle(s.settings.style())
	switch p.stmt.node.Kind {
	case syntax.Select:
		suspended, err = p.query(ctx, p.stmt.query, w, maxRows)
		tag = "SELECT " + strconv.Itoa(w.Written())
	case syntax.Insert:
		suspended, err = p.query(ctx, p.stmt.query, w, maxRows)
		tag = "INSERT 0 " + strconv.FormatInt(p.affected, 10)
	case syntax.Update, syntax.Delete:
		suspended, err = p.query(ctx, p.stmt.query, w, maxRows)
		tag = p.stmt.node.Tag + " " + strconv.FormatInt(p.affected, 10)
	case syntax.Explain:
		tag, err = "EXPLAIN", p.explain(ctx, w)
	case syntax.Execute:
		tag, err = p.execute(ctx, w)
	case syntax.Copy:
		if p.stmt.target != nil {
			tag, err = p.copyFrom(ctx, w)
		} else {
			tag, err = p.copyOut(ctx, w)
		}
	case syntax.Declare:
		tag, err = p.stmt.node.Tag, s.declare(ctx, p.stmt, p.params)
	case syntax.CreateTable:
		tag, err = p.stmt.node.Tag, s.createTable(p.stmt)
	case syntax.CreateView:
		tag, err = p.stmt.node.Tag, s.createView(ctx, p.stmt)
	case syntax.CreateTableAs:
		var n int
		n, err = p.createTableAs(ctx)
		tag = "SELECT " + strconv.Itoa(n)
	case syntax.Drop:
		tag, err = p.stmt.node.Tag, s.drop(ctx, p.stmt)
	case syntax.Truncate:
		tag, err = p.stmt.node.Tag, s.truncate(p.stmt)
	case syntax.Lock:
		tag, err = p.stmt.node.Tag, s.lock(p.stmt)
	case syntax.Discard:
		tag, err = p.stmt.node.Tag, s.discard(p.stmt)
	default:
		tag, err = s.utility(ctx, p.stmt.node, w)
	}
	for _, w := range s.warnings.take() {
		s.warn(w.code, w.text)
	}
	if err != nil {
		p.Close()
		return "", false, ended(ctx, err)
	}
	return tag, suspended, nil
}

// deadline applies statement_timeout.
func (p *portal) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	ms, err := strconv.ParseInt(p.session.settings.get("statement_timeout"), 10, 64)
	if err != nil || ms == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
}

// ended says why a statement whose context is over has failed.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return pgerr.New(pgerr.QueryCanceled, "canceling statement due to statement timeout")
	}
	return pgerr.New(pgerr.QueryCanceled, "canceling statement due to user request")
}

// query gives rows up to the limit.
func (p *portal) query(ctx context.Context, q *bind.Query, w *pgwire.RowWriter, maxRows int) (suspended bool, err error) {
	_, suspended, err = p.ahead(ctx, q, int64(maxRows), w.WriteBatch)
	return suspended, err
}

// ahead gives up to n rows, all if n is 0. Suspended: there may be more.
func (p *portal) ahead(ctx context.Context, q *bind.Query, n int64, emit emitFunc) (moved int64, suspended bool, err error) {
	if p.env == nil {
		if err := p.open(ctx, q); err != nil {
			return 0, false, err
		}
	}
	p.env.Ctx = ctx
	for p.reader != nil {
		b := p.rest
		p.rest = nil
		if b == nil {
			if b, err = p.reader.Next(ctx); err != nil {
				return moved, false, err
			}
		}
		if b == nil {
			p.Close()
			return moved, false, nil
		}
		if left := n - moved; n > 0 && int64(b.Live()) > left {
			b, p.rest = split(b, int(left))
		}
		if emit != nil {
			if err := emit(b); err != nil {
				return moved, false, err
			}
		}
		moved += int64(b.Live())
		if n > 0 && moved >= n {
			return moved, true, nil
		}
	}
	return moved, false, nil
}

// open starts the query. One that changes rows runs to its end, whatever the
// client fetches of it, and again over a new view if another transaction has
// changed what it was to change.
func (p *portal) open(ctx context.Context, q *bind.Query) error {
	s := p.session
	if q.Modifies && s.settings.get("transaction_read_only") == "on" {
		return pgerr.New(pgerr.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", p.stmt.node.Tag)
	}
	root := q.With(p.params).Root
	options := sqlplan.Options{Workers: s.handler.opts.Workers}
	if !q.Modifies {
		p.env = s.env(ctx)
		var err error
		p.reader, err = sqlplan.Run(p.env, root, options)
		return err
	}
	options.Affected = &p.affected
	mark, notices := s.current().Mark(), s.notices.mark()
	for {
		p.env, p.affected = s.env(ctx), 0
		batches, err := p.runToEnd(ctx, root, options)
		if !errors.Is(err, tables.ErrChanged) {
			p.reader = &batchList{batches}
			return err
		}
		release(p.env)
		s.tx.RollbackTo(mark)
		s.notices.rollbackTo(notices)
	}
}

func (p *portal) runToEnd(ctx context.Context, root bind.Node, options sqlplan.Options) ([]*vector.Batch, error) {
	reader, err := sqlplan.Run(p.env, root, options)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var batches []*vector.Batch
	for {
		b, err := reader.Next(ctx)
		if err != nil || b == nil {
			return batches, err
		}
		for i := range b.Width() { // a lazy column must not outlive its operator
			if _, err := b.Column(i); err != nil {
				return nil, err
			}
		}
		if err := p.env.Account.Grow(int64(b.Live()) * int64(16+32*b.Width())); err != nil {
			return nil, err
		}
		batches = append(batches, b)
	}
}

// A batchList gives batches that are there.
type batchList struct{ batches []*vector.Batch }

func (l *batchList) Next(context.Context) (*vector.Batch, error) {
	if len(l.batches) == 0 {
		return nil, nil
	}
	b := l.batches[0]
	l.batches = l.batches[1:]
	return b, nil
}

func (l *batchList) Close() {}

// split gives the first n live rows, and the others.
func split(b *vector.Batch, n int) (first, rest *vector.Batch) {
	sel := make([]int32, b.Live())
	for k := range sel {
		sel[k] = int32(b.Row(k))
	}
	return b.Select(sel[:n]), b.Select(sel[n:])
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 3, 64) + " ms"
}

// execute runs a statement of PREPARE.
func (p *portal) execute(ctx context.Context, w *pgwire.RowWriter) (string, error) {
	s := p.session
	node := p.stmt.node.Node.GetExecuteStmt()
	prepared, err := s.preparedStatement(node.Name)
	if err != nil {
		return "", err
	}
	args, err := bind.Arguments(p.stmt.node, node.Name, node.Params, prepared.params, s.environment(nil))
	if err != nil {
		return "", err
	}
	values := make([]any, len(args))
	env := s.env(ctx)
	defer release(env)
	for i, a := range args {
		if values[i], err = a.Eval(env, nil); err != nil {
			return "", err
		}
	}
	inner := &portal{session: s, stmt: prepared, params: values}
	defer inner.Close()
	tag, _, err := inner.run(ctx, w, 0)
	return tag, err
}
