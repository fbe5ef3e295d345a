package s3test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/VictoriaMetrics/easyproto"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/engine/object"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/tables"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A gateway is the engine with its tables, whose parts are in a bucket.
type gateway struct {
	t   *testing.T
	dir string
	fs  vfs.FS
	s   object.Store
	db  *engine.DB
	cat *catalog.Catalog
}

func (g *gateway) open() {
	g.t.Helper()
	db, err := engine.Open(g.dir, engine.Options{
		FS: g.fs, Tables: tables.Specs(), Keyed: tables.KeyedSpecs(), Cold: g.s, HotWindow: -1, MinFreeShare: -1,
		Decode: func(h record.Header, body []byte) (*vector.Rows, int, error) {
			d, err := otlp.Decode(h, body)
			if err != nil {
				return nil, 0, err
			}
			return d.Rows, d.Items, nil
		},
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.db = db
}

func (g *gateway) reopen() {
	g.t.Helper()
	if err := g.db.Close(); err != nil {
		g.t.Fatal(err)
	}
	g.open()
}

// send appends n spans, a second apart from a time on; their ids follow from
// their numbers.
func (g *gateway) send(first, n int, start time.Time, operation string) {
	g.t.Helper()
	var m easyproto.Marshaler
	scope := m.MessageMarshaler().AppendMessage(1).AppendMessage(2)
	for i := first; i < first+n; i++ {
		id := binary.BigEndian.AppendUint64(make([]byte, 8, 16), uint64(i+1))
		span, nanos := scope.AppendMessage(2), uint64(start.Add(time.Duration(i)*time.Second).UnixNano())
		span.AppendBytes(1, id)
		span.AppendBytes(2, id[8:])
		span.AppendString(5, operation)
		span.AppendFixed64(7, nanos)
		span.AppendFixed64(8, nanos+1000)
	}
	h, body := record.Header{Type: record.Traces, ReceiveNanos: time.Now().UnixNano()}, m.Marshal(nil)
	d, err := otlp.Decode(h, body)
	if err == nil {
		err = g.db.Append(g.t.Context(), engine.Request{Header: h, Body: body, Rows: d.Rows, Items: d.Items})
	}
	if err != nil {
		g.t.Fatalf("append: %v", err)
	}
}

func (g *gateway) checkpoint() {
	g.t.Helper()
	if err := g.db.Checkpoint(g.t.Context()); err != nil {
		g.t.Fatalf("checkpoint: %v", err)
	}
}

// count reads the spans since a time as a statement does, and counts them by
// operation.
func (g *gateway) count(since time.Time) (map[string]int, error) {
	table, rel := g.cat.Relation("public", "spans", nil)
	tx := tables.NewStore(g.db).Begin(false)
	defer tx.Rollback()
	snapshot := tx.Snapshot()
	defer snapshot.Release()
	ctx := g.t.Context()
	start := catalog.ColumnRef{Index: rel.Index("start_time")}
	readers, err := table.Scan(ctx, &catalog.ScanRequest{
		Env:     &expr.Env{Ctx: ctx, Account: vector.NewAccount(nil, 1<<30), Snapshot: snapshot},
		Columns: []catalog.ColumnRef{start, {Index: rel.Index("operation")}},
		Filters: []catalog.Filter{{Column: start, Op: catalog.GreaterEqual, Values: []any{expr.Micros(since)}}},
		Workers: 1,
	})
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	for _, r := range readers {
		defer r.Close()
		for {
			b, err := r.Next(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				break
			}
			starts, err := b.Column(0)
			if err != nil {
				return nil, err
			}
			names, err := b.Column(1)
			if err != nil {
				return nil, err
			}
			for i := range b.Live() {
				if starts.Ints[b.Row(i)] >= expr.Micros(since) {
					counts[names.Str(b.Row(i))]++
				}
			}
		}
	}
	return counts, nil
}

func (g *gateway) expect(what string, since time.Time, want map[string]int) {
	g.t.Helper()
	got, err := g.count(since)
	if err != nil {
		g.t.Fatalf("%s: %v", what, err)
	}
	for _, name := range []string{"old", "again", "new"} {
		if got[name] != want[name] {
			g.t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

// Parts in a bucket: while its server is away what needs them fails with
// SQLSTATE 58030, ingest and newer rows do not, and all is right once it is
// there again.
func TestEngine(t *testing.T) {
	srv := newServer(t)
	cat := catalog.New("tael", "tael")
	tables.Register(cat)
	g := &gateway{t: t, dir: t.TempDir(), fs: vfs.Default, s: open(t, "http://"+srv.addr, time.Second), cat: cat}
	g.open()
	defer func() {
		if err := g.db.Close(); err != nil {
			t.Error(err)
		}
		r, err := engine.CheckParts(g.fs, g.dir, tables.Specs(), g.s)
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("check: %v %v", r.Problems, err)
		}
	}()
	ctx, now := t.Context(), time.Now()
	old, hot := now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	g.send(0, 5000, old, "old")
	g.send(10_000, 100, now.Add(-4*time.Hour), "new")
	g.checkpoint()
	if _, err := g.db.Compact(ctx, hot.UnixNano()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, g.s, "spans/"); got == "" {
		t.Fatal("nothing is in the bucket")
	}
	g.expect("as it is", time.Unix(0, 0), map[string]int{"old": 5000, "new": 100})
	g.reopen()

	srv.halt()
	down := func(fresh int) {
		t.Helper()
		got, err := g.count(time.Unix(0, 0))
		if code := pgerr.From(err).Code; err == nil || code != "58030" {
			t.Fatalf("%v rows, SQLSTATE %s, %v", got, code, err)
		}
		g.expect("newer rows", hot, map[string]int{"new": fresh})
	}
	down(100)
	g.send(10_100, 20, now.Add(-4*time.Hour), "new")
	g.send(1000, 10, old, "again")
	g.checkpoint()
	down(120)
	if _, err := g.db.Compact(ctx, hot.UnixNano()); !errors.Is(err, engine.ErrUnavailable) && !errors.Is(err, object.ErrUnavailable) {
		t.Fatalf("compact: %v", err)
	}
	g.reopen()
	down(120)

	srv.start()
	g.expect("there again", time.Unix(0, 0), map[string]int{"old": 4990, "again": 10, "new": 120})
	if _, err := g.db.Compact(ctx, hot.UnixNano()); err != nil {
		t.Fatal(err)
	}
	g.expect("compacted", time.Unix(0, 0), map[string]int{"old": 4990, "again": 10, "new": 120})
	g.reopen()
	g.expect("after a start", time.Unix(0, 0), map[string]int{"old": 4990, "again": 10, "new": 120})
}
