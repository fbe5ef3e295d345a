package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/sqlplan"
	"github.com/tael-sql/tael-sql/sqlplan/bind"
	"github.com/tael-sql/tael-sql/sqlplan/syntax"
	"github.com/tael-sql/tael-sql/tables"
	"github.com/tael-sql/tael-sql/wal/record"
)

// ours is the engine with its SQL, in this process, below the wire.
type ours struct {
	dir     string
	db      *engine.DB
	store   *tables.Store
	catalog *catalog.Catalog
	workers int
}

func openOurs(dir string, workers int, changes ...func(*engine.Options)) (*ours, error) {
	options := engine.Options{
		Tables: tables.Specs(), Keyed: tables.KeyedSpecs(),
		Decode: func(h record.Header, body []byte) (*vector.Rows, int, error) {
			d, err := otlp.Decode(h, body)
			if err != nil {
				return nil, 0, err
			}
			return d.Rows, d.Items, nil
		},
	}
	for _, change := range changes {
		change(&options)
	}
	db, err := engine.Open(dir, options)
	if err != nil {
		return nil, err
	}
	cat := catalog.New("tael", "tael")
	tables.Register(cat)
	return &ours{dir: dir, db: db, store: tables.NewStore(db), catalog: cat, workers: workers}, nil
}

// run plans and runs a query, and gives its rows as text; with discard it only
// reads them.
func (o *ours) run(ctx context.Context, sql string, discard bool) (rows [][]string, err error) {
	st, err := syntax.ParseOne(sql)
	if err != nil {
		return nil, err
	}
	q, err := bind.Bind(st, bind.Environment{Catalog: o.catalog, Database: "tael", Path: []string{"pg_catalog", "public"}})
	if err != nil {
		return nil, err
	}
	tx := o.store.Begin(false)
	defer tx.Rollback()
	snapshot := tx.Snapshot()
	defer snapshot.Release()
	now := expr.Micros(time.Now())
	style := &pgtypes.TextStyle{Location: time.UTC}
	env := &expr.Env{
		Ctx: ctx, Now: now, Statement: now, Style: style, User: "tael", Database: "tael",
		SearchPath: []string{"pg_catalog", "public"}, Account: vector.NewAccount(nil, 4<<30), Snapshot: snapshot,
	}
	r, err := sqlplan.Run(env, q.Root, sqlplan.Options{Workers: o.workers})
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
		if discard {
			continue
		}
		for k := range b.Live() {
			row := make([]string, len(cols))
			for i, c := range cols {
				row[i] = cell(q.Columns[i].Type, c.Value(b.Row(k)))
			}
			rows = append(rows, row)
		}
	}
}

// trace reads every stored column of a trace's spans, and counts them.
func (o *ours) trace(id string) (rows int, err error) {
	raw, err := hex.DecodeString(id)
	if err != nil {
		return 0, err
	}
	schema := otlp.SpansSchema
	r := engine.ScanRequest{Table: schema.Name, Filters: []engine.Filter{{
		Ref: engine.ColumnRef{Field: schema.Index("trace_id")}, Equals: []any{raw},
	}}}
	for i := range schema.Fields {
		r.Columns = append(r.Columns, engine.ColumnRef{Field: i})
	}
	v := o.db.View()
	defer v.Release()
	scan, err := v.Scan(r)
	if err != nil {
		return 0, err
	}
	reader := scan.Reader()
	defer reader.Close()
	for {
		b, err := reader.Next(context.Background())
		if err != nil || b == nil {
			return rows, err
		}
		for i := range b.Width() {
			if _, err := b.Column(i); err != nil {
				return 0, err
			}
		}
		rows += b.Live()
	}
}

// cell prints a value so that both engines print equal ones alike.
func cell(t pgtypes.Type, v any) string {
	switch t.OID {
	case pgtypes.Timestamptz:
		if n, ok := v.(int64); ok {
			return canonical(time.UnixMicro(n + pgtypes.EpochUnixMicros))
		}
	case pgtypes.Numeric:
		if v != nil {
			text, err := pgtypes.AppendText(nil, t, v, &pgtypes.TextStyle{})
			if err == nil {
				var f float64
				if _, err := fmt.Sscan(string(text), &f); err == nil {
					return canonical(f)
				}
			}
		}
	}
	return canonical(v)
}
