package session

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/pgwire"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
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
		p.env.Account.Close()
		p.env = nil
	}
}

// Run runs the statement, or goes on with it.
func (p *portal) Run(ctx context.Context, w *pgwire.RowWriter, maxRows int) (tag string, suspended bool, err error) {
	s := p.session
	if err := s.allowed(p.stmt.node); err != nil {
		return "", false, err
	}
	if s.status == 0 {
		s.status, s.implicit = 'T', true
	}
	ctx, cancel := p.deadline(ctx)
	defer cancel()
	w.SetStyle(s.settings.style())
	switch p.stmt.node.Kind {
	case syntax.Select:
		suspended, err = p.query(ctx, p.stmt.query, w, maxRows)
		tag = "SELECT " + strconv.Itoa(w.Written())
	case syntax.Explain:
		tag, err = "EXPLAIN", p.explain(ctx, w)
	case syntax.Execute:
		tag, err = p.execute(ctx, w)
	default:
		tag, err = s.utility(ctx, p.stmt.node, w)
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
	if p.env == nil {
		p.env = p.session.env(ctx)
		root := q.Root
		if len(p.params) > 0 {
			root = q.With(p.params).Root
		}
		if p.reader, err = sqlplan.Run(p.env, root, sqlplan.Options{Workers: p.session.handler.opts.Workers}); err != nil {
			return false, err
		}
	}
	p.env.Ctx = ctx
	before := w.Written()
	for p.reader != nil {
		b := p.rest
		p.rest = nil
		if b == nil {
			if b, err = p.reader.Next(ctx); err != nil {
				return false, err
			}
		}
		if b == nil {
			p.Close()
			return false, nil
		}
		if left := maxRows - (w.Written() - before); maxRows > 0 && b.Live() > left {
			b, p.rest = split(b, left)
		}
		if err := w.WriteBatch(b); err != nil {
			return false, err
		}
		if maxRows > 0 && w.Written()-before >= maxRows {
			return true, nil
		}
	}
	return false, nil
}

// split gives the first n live rows, and the others.
func split(b *vector.Batch, n int) (first, rest *vector.Batch) {
	sel := make([]int32, b.Live())
	for k := range sel {
		sel[k] = int32(b.Row(k))
	}
	return b.Select(sel[:n]), b.Select(sel[n:])
}

// explain prints the operators of a query; with ANALYZE after running it.
func (p *portal) explain(ctx context.Context, w *pgwire.RowWriter) error {
	node := p.stmt.node.Node.GetExplainStmt()
	analyze := false
	for _, o := range node.Options {
		d := o.GetDefElem()
		switch d.GetDefname() {
		case "analyze":
			analyze = d.Arg == nil || !strings.Contains(strings.ToLower(d.Arg.String()), "false")
		case "format":
			if f := d.Arg.GetString_().GetSval(); !strings.EqualFold(f, "text") {
				return pgerr.New(pgerr.FeatureNotSupported, "EXPLAIN (FORMAT %s) is not supported", strings.ToUpper(f))
			}
		}
	}
	p.env = p.session.env(ctx)
	start := time.Now()
	steps := &sqlplan.Step{}
	root := p.stmt.query.Root
	if len(p.params) > 0 {
		root = p.stmt.query.With(p.params).Root
	}
	reader, err := sqlplan.Run(p.env, root, sqlplan.Options{
		Workers: p.session.handler.opts.Workers, Steps: steps, Analyze: analyze,
	})
	if err != nil {
		return err
	}
	planned := time.Since(start)
	defer reader.Close()
	for analyze {
		b, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
	}
	lines := steps.Lines()
	if analyze {
		lines = append(lines,
			"Planning Time: "+millis(planned), "Execution Time: "+millis(time.Since(start)-planned))
	}
	for _, line := range lines {
		if err := w.WriteRow([]any{line}); err != nil {
			return err
		}
	}
	return nil
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
	for i, a := range args {
		if values[i], err = a.Eval(env, nil); err != nil {
			return "", err
		}
	}
	inner := &portal{session: s, stmt: prepared, params: values}
	defer inner.Close()
	tag, _, err := inner.Run(ctx, w, 0)
	return tag, err
}
