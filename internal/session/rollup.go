package session

import (
	"context"
	"time"

	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
)

// RollUp stores what metrics_5m is of the points that expire, and deletes what
// has expired of it.
func (h *Handler) RollUp(ctx context.Context) error {
	return h.opts.Store.RollUp(ctx, h.rowsOf)
}

// rowsOf runs a query of the store itself.
func (h *Handler) rowsOf(ctx context.Context, sql string) (rows [][]any, err error) {
	st, err := syntax.ParseOne(sql)
	if err != nil {
		return nil, err
	}
	path := []string{"pg_catalog", "public"}
	q, err := bind.Bind(st, bind.Environment{Catalog: h.opts.Catalog, Database: h.opts.Database, Path: path, System: true})
	if err != nil {
		return nil, err
	}
	tx := h.opts.Store.Begin(false)
	defer tx.Rollback()
	now := expr.Micros(time.Now())
	env := &expr.Env{
		Ctx: ctx, Now: now, Statement: now, Style: &pgtypes.TextStyle{Location: time.UTC}, User: h.opts.User, Database: h.opts.Database,
		SearchPath: path, Account: vector.NewAccount(h.memory, h.queryMemory.Load()), Snapshot: tx.Snapshot(), Memo: &expr.Memo{},
	}
	defer release(env)
	r, err := sqlplan.Run(env, q.Root, sqlplan.Options{Workers: 1})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return rows, err
		}
		cols := make([]*vector.Column, b.Width())
		for i := range cols {
			if cols[i], err = b.Column(i); err != nil {
				return nil, err
			}
		}
		for k := range b.Live() {
			row := make([]any, len(cols))
			for i, c := range cols {
				row[i] = c.Value(b.Row(k))
			}
			rows = append(rows, row)
		}
	}
}
