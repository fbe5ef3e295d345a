package engine

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

var metamorphicRounds = flag.Int("metamorphic-rounds", 10, "stores that TestMetamorphic drives")

// A metamorph drives one store at random, under options that change at each
// start, and keeps what its rows must be.
type metamorph struct {
	t    *testing.T
	rng  *rand.Rand
	opts Options
	mem  *vfs.MemFS
	down *atomic.Bool // the object store; nil: a folder that is always there
	dir  string
	db   *DB

	clock atomic.Int64 // minute
	rows  map[string]map[uint64]modelSpan
	next  map[string]uint64 // number of the next row
	keyed map[string]string
	sent  map[string]int // minute at which a hashed request was taken last
	held  []heldView
	jobs  sync.WaitGroup // overlap with the steps
	ops   []string
}

// A heldView is a view with what it must give.
type heldView struct {
	view  *View
	rows  map[string][]string
	keyed []string
}

var metamorphicKinds = map[string]record.Type{"spans": record.Traces, "logs": record.Logs}

func newMetamorph(t *testing.T, rng *rand.Rand) *metamorph {
	m := &metamorph{
		t: t, rng: rng, mem: vfs.NewCrashableMem(), dir: "db", keyed: make(map[string]string), sent: make(map[string]int),
		rows: map[string]map[uint64]modelSpan{"spans": {}, "logs": {}}, next: make(map[string]uint64),
	}
	m.clock.Store(arrivalMinute)
	m.opts = testOptions(m.mem)
	m.opts.Now = func() time.Time { return time.Unix(0, minuteNanos(int(m.clock.Load()))) }
	m.opts.Keyed = []KeyedSpec{{ID: testKeyed, Name: "keyed"}}
	m.opts.ReplaceHorizon = []time.Duration{0, 48 * time.Hour}[rng.IntN(2)] // Check knows the default, so no less
	m.opts.DedupeWindow = []time.Duration{0, 0, -1}[rng.IntN(3)]
	if rng.IntN(2) == 0 {
		m.opts.Retention = map[string]time.Duration{"spans": time.Duration(2+rng.IntN(60)) * time.Hour, "logs": time.Duration(1+rng.IntN(20)) * time.Hour}
	}
	if rng.IntN(2) == 0 {
		m.down = new(atomic.Bool)
	}
	m.vary()
	m.db = mustOpen(t, m.opts)
	return m
}

// vary draws those options that may change from one start to the next.
func (m *metamorph) vary() {
	o, rng := &m.opts, m.rng
	o.FS = m.mem
	if m.down != nil {
		store := newSwitchedStore(m.mem)
		store.down = m.down
		o.Cold = store
	}
	o.BlockRows = 4 + rng.IntN(60)
	o.ChunkRows = 64 << rng.IntN(2)
	o.MaxMemtableRows = 20 + rng.IntN(400)
	o.MaxMemtableBytes = []int64{0, 4 << 10}[rng.IntN(2)]
	o.HotWindow = []time.Duration{-1, time.Hour}[rng.IntN(2)]
	o.BlockCacheBytes = []int64{0, 1}[rng.IntN(2)]
	o.PageCacheBytes = []int64{0, 1 << 10}[rng.IntN(2)]
	o.BlobFileBytes = []int{100, 128, 0}[rng.IntN(3)]
	o.WAL.SegmentBytes = 4 << 10 << rng.IntN(5)
	m.note("options: blocks of %d, chunks of %d, memtable %d rows %d bytes, hot %v, texts of %d in files, segments of %d",
		o.BlockRows, o.ChunkRows, o.MaxMemtableRows, o.MaxMemtableBytes, o.HotWindow, o.BlobFileBytes, o.WAL.SegmentBytes)
}

func (m *metamorph) note(format string, args ...any) {
	m.ops = append(m.ops, fmt.Sprintf(format, args...))
}

func (m *metamorph) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// isDown reports whether the object store is out of reach.
func (m *metamorph) isDown() bool { return m.down != nil && m.down.Load() }

// tolerate fails unless there is no error but that of an object store that is
// out of reach, or was a moment ago.
func (m *metamorph) tolerate(err error) {
	m.t.Helper()
	if m.down == nil || !errors.Is(err, ErrUnavailable) {
		m.must(err)
	}
}

func (m *metamorph) now() int { return int(m.clock.Load()) }

// request makes a request of few keys that arrives now.
func (m *metamorph) request(kind record.Type, body string) Request {
	r := testRequest(kind, body)
	r.Header.ReceiveNanos = minuteNanos(m.now())
	return r
}

// body is randomBody around the present.
func (m *metamorph) body(kind record.Type, step int) string {
	var b strings.Builder
	for line := range strings.Lines(randomBody(m.rng, kind, "w", step)) {
		f := strings.Fields(line)
		if at := map[record.Type]int{record.Traces: 2, record.Logs: 0}[kind]; line[0] != '!' {
			minute := 0
			_, err := fmt.Sscan(f[at], &minute)
			m.must(err)
			f[at] = fmt.Sprint(minute + m.now() - arrivalMinute)
		}
		b.WriteString(strings.Join(f, " ") + "\n")
	}
	return b.String()
}

// took enters the rows of a request that was acknowledged.
func (m *metamorph) took(table, body string) {
	horizon := int(cmp.Or(m.opts.ReplaceHorizon, 24*time.Hour) / time.Minute)
	for line := range strings.Lines(body) {
		number := m.next[table]
		m.next[table]++
		if line[0] == '!' {
			continue
		}
		row := modelSpan{text: strings.TrimSpace(line)}
		var err error
		if table == "logs" {
			_, err = fmt.Sscan(line, &row.minute)
		} else {
			_, err = fmt.Sscan(line, &row.trace, &row.span, &row.minute)
			maps.DeleteFunc(m.rows[table], func(_ uint64, o modelSpan) bool {
				return o.trace == row.trace && o.span == row.span && max(o.minute-row.minute, row.minute-o.minute) <= horizon
			})
		}
		m.must(err)
		m.rows[table][number] = row
	}
}

// append sends a request, perhaps one that was sent before.
func (m *metamorph) append(step int) {
	table := []string{"spans", "spans", "logs"}[m.rng.IntN(3)]
	kind := metamorphicKinds[table]
	body := m.body(kind, step)
	if again := slices.Sorted(maps.Keys(m.sent)); len(again) > 0 && m.rng.IntN(4) == 0 {
		table, body, _ = strings.Cut(again[m.rng.IntN(len(again))], " ")
		kind = metamorphicKinds[table]
	} else if m.rng.IntN(2) == 0 {
		m.note("append %s %q", table, body)
		m.must(m.db.Append(context.Background(), m.request(kind, body)))
		m.took(table, body)
		return
	}
	m.note("send %s %q", table, body)
	r := m.request(kind, body)
	r.Header.Hash = hashedRequest(kind, body).Header.Hash
	m.must(m.db.Append(context.Background(), r))
	before, known := m.sent[table+" "+body]
	if window := 10; m.opts.DedupeWindow == 0 && known && m.now()-before <= window {
		return
	}
	m.sent[table+" "+body] = m.now()
	m.took(table, body)
}

// commit writes a write set of keyed rows, requests and deletes.
func (m *metamorph) commit(step int) {
	v := m.db.View()
	defer v.Release()
	text := ""
	for _, key := range m.rng.Perm(6)[:m.rng.IntN(3)] {
		if name := fmt.Sprintf("w%d", key); m.rng.IntN(3) == 0 {
			text += "- " + name + "\n"
			delete(m.keyed, name)
		} else {
			text += fmt.Sprintf("= %s %d\n", name, step)
			m.keyed[name] = fmt.Sprint(step)
		}
	}
	ws := testWriteSet(v, text)
	ws.Header.ReceiveNanos = minuteNanos(m.now())
	for _, table := range []string{"spans", "logs"} {
		if m.rng.IntN(2) == 0 && !m.isDown() { // rows of parts could not be found
			d := m.choose(table)
			text += fmt.Sprintf("delete %s %v\n", table, d.Rows)
			if len(d.Rows) > 0 {
				ws.Deletes = append(ws.Deletes, d)
			}
		}
	}
	for _, table := range []string{"logs", "spans"} {
		if m.rng.IntN(3) == 0 {
			body := m.body(metamorphicKinds[table], step)
			text += table + " " + body
			ws.Requests = append(ws.Requests, m.request(metamorphicKinds[table], body))
			m.took(table, body)
		}
	}
	m.note("commit %q", text)
	_, err := m.db.Commit(context.Background(), ws)
	m.must(err)
}

// choose takes rows to delete out: some, or a run of them, or all; with some
// that are gone.
func (m *metamorph) choose(table string) record.Deleted {
	d := record.Deleted{Type: metamorphicKinds[table]}
	from, to, share := uint64(0), m.next[table], 1+m.rng.IntN(12)
	if to > 0 && m.rng.IntN(2) == 0 {
		from = m.rng.Uint64N(to)
		to, share = min(to, from+m.rng.Uint64N(30)), 1
	}
	for n := from; n < to; n++ {
		if _, live := m.rows[table][n]; (live || m.rng.IntN(20) == 0) && m.rng.IntN(share) == 0 {
			d.Rows = append(d.Rows, n)
			delete(m.rows[table], n)
		}
	}
	return d
}

// restart closes the store, or takes what a power cut leaves of the disk, and
// opens it under other options.
func (m *metamorph) restart() {
	if m.rng.IntN(2) == 0 {
		m.jobs.Wait()
	}
	var cut *vfs.MemFS
	if m.rng.IntN(2) == 0 { // in the middle of what runs
		percent := m.rng.IntN(3) * 50
		cut = m.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: m.rng})
		m.note("power cut, %d %% of what is not synced stays", percent)
	}
	m.jobs.Wait()
	m.release()
	graceful := m.rng.IntN(2) == 0
	m.note("stop, graceful: %t", graceful)
	m.must(m.db.shutdown(graceful))
	m.check()
	if cut != nil {
		m.mem = cut
	}
	m.vary()
	m.open()
}

func (m *metamorph) open() {
	m.t.Helper()
	db, err := Open(m.dir, m.opts)
	m.must(err)
	m.db = db
}

// check looks through the closed folder.
func (m *metamorph) check() {
	if m.isDown() {
		return
	}
	r, err := Check(m.mem, m.dir, testTables)
	if m.opts.Cold != nil {
		r, err = CheckParts(m.mem, m.dir, testTables, m.opts.Cold)
	}
	if m.must(err); len(r.Problems) > 0 {
		m.t.Fatalf("check: %q", r.Problems)
	}
}

// background starts a job that runs while the next steps do.
func (m *metamorph) background() {
	before := m.now() - m.rng.IntN(400)
	switch m.rng.IntN(3) {
	case 0:
		m.note("checkpoint")
		m.jobs.Go(func() {
			if err := m.db.Checkpoint(context.Background()); err != nil {
				m.t.Errorf("checkpoint: %v", err)
			}
		})
	case 1:
		m.note("compact before %d", before)
		m.jobs.Go(func() {
			if _, err := m.db.Compact(context.Background(), minuteNanos(before)); err != nil && (m.down == nil || !errors.Is(err, ErrUnavailable)) {
				m.t.Errorf("compact: %v", err)
			}
		})
	default:
		m.note("retention")
		m.jobs.Go(func() {
			if _, err := m.db.ApplyRetention(context.Background()); err != nil && (m.down == nil || !errors.Is(err, ErrUnavailable)) {
				m.t.Errorf("retention: %v", err)
			}
		})
	}
	if m.rng.IntN(2) == 0 {
		m.jobs.Wait()
	}
}

// restore takes a backup and goes on with what is restored from it.
func (m *metamorph) restore(step int) {
	if m.down != nil {
		return
	}
	m.jobs.Wait()
	m.release()
	backup, dir := fmt.Sprintf("backup%d", step), fmt.Sprintf("restored%d", step)
	m.note("restore from a backup")
	_, err := m.db.Backup(context.Background(), backup, false)
	m.must(err)
	m.must(m.db.shutdown(m.rng.IntN(2) == 0))
	m.check()
	_, err = Restore(context.Background(), backup, dir, m.opts)
	m.must(err)
	m.dir = dir
	m.vary()
	m.open()
}

// want gives the rows of a table that have not expired, with their numbers.
func (m *metamorph) want(table string) []string {
	since := m.since(table)
	out := []string{}
	for n, row := range m.rows[table] {
		if since == 0 || minuteNanos(row.minute) >= since {
			out = append(out, fmt.Sprintf("#%d %s", n, row.text))
		}
	}
	slices.Sort(out)
	return out
}

func (m *metamorph) since(table string) int64 { return m.db.Cutoff(table, minuteNanos(m.now())) }

func (m *metamorph) wantKeyed() []string {
	return (&model{keyed: m.keyed}).rows("keyed", nil)
}

// compare looks at the newest view.
func (m *metamorph) compare() {
	v := m.db.View()
	defer v.Release()
	for _, table := range []string{"spans", "logs"} {
		want := m.want(table)
		m.expect(v, table, want, m.since(table))
		n, err := v.RowsSince(context.Background(), table, m.since(table))
		if m.tolerate(err); err == nil && n != int64(len(want)) {
			m.t.Fatalf("%s: %d rows are counted, want %d", table, n, len(want))
		}
		if m.opts.Retention == nil && !m.isDown() && v.Rows(table) != int64(len(want)) && !m.unsettled(v) {
			m.t.Fatalf("%s: metadata has %d rows, want %d", table, v.Rows(table), len(want))
		}
		m.find(v, table, want)
	}
	m.expectKeyed(v, m.wantKeyed())
}

// unsettled reports whether metadata may count rows of parts that nobody sees.
func (m *metamorph) unsettled(v *View) bool {
	for _, tv := range v.tables {
		for _, p := range tv.parts {
			if len(p.unsettled) > 0 {
				return true
			}
		}
	}
	return false
}

func (m *metamorph) expect(v *View, table string, want []string, since int64) {
	m.t.Helper()
	got, _, err := scanText(v, ScanRequest{Table: table, Since: since}, true)
	m.tolerate(err)
	if err == nil && !slices.Equal(got, want) {
		m.t.Fatalf("%s: %d rows, want %d; too many: %q, missing: %q", table, len(got), len(want), without(got, want), without(want, got))
	}
}

// without gives the rows of one sorted list that are not in another.
func without(list, other []string) (out []string) {
	for _, row := range list {
		if _, ok := slices.BinarySearch(other, row); !ok {
			out = append(out, row)
		}
	}
	return out
}

// find looks rows up by what blocks and parts are pruned by: a filter leaves out
// none that it means, and brings back none that is dead.
func (m *metamorph) find(v *View, table string, want []string) {
	from := m.now() - m.rng.IntN(1000)
	to := from + m.rng.IntN(200)
	trace := fmt.Sprintf("w%d", m.rng.IntN(4))
	for _, q := range []struct {
		table   string
		filters []Filter
		means   func(row modelSpan) bool
	}{
		{"spans", []Filter{{Ref: ColumnRef{Field: 0}, Equals: []any{traceID(trace)}}}, func(r modelSpan) bool { return r.trace == trace }},
		{"spans", []Filter{{Ref: ColumnRef{Field: 2}, Min: minuteNanos(from), Max: minuteNanos(to)}, {Ref: ColumnRef{Field: 3}, Equals: []any{"n1"}}}, func(r modelSpan) bool {
			return r.minute >= from && r.minute <= to && strings.Contains(r.text, " n1 ")
		}},
		{"logs", []Filter{{Ref: ColumnRef{Field: 0}, Min: minuteNanos(from), Max: minuteNanos(to)}}, func(r modelSpan) bool {
			return r.minute >= from && r.minute <= to
		}},
	} {
		if q.table != table {
			continue
		}
		got, _, err := scanText(v, ScanRequest{Table: table, Filters: q.filters, Since: m.since(table)}, true)
		if m.tolerate(err); err != nil {
			continue
		}
		if dead := without(got, want); dead != nil {
			m.t.Fatalf("%s: a filter brings back %q", table, dead)
		}
		for n, row := range m.rows[table] {
			text := fmt.Sprintf("#%d %s", n, row.text)
			if _, live := slices.BinarySearch(want, text); !live || !q.means(row) {
				continue
			}
			if _, ok := slices.BinarySearch(got, text); !ok {
				m.t.Fatalf("%s: a filter leaves out %q", table, text)
			}
		}
	}
}

func (m *metamorph) expectKeyed(v *View, want []string) {
	m.t.Helper()
	got, err := keyedText(v, nil, nil)
	if m.must(err); !slices.Equal(got, want) {
		m.t.Fatalf("keyed: got %q, want %q", got, want)
	}
}

// hold keeps a view, or looks at one that was kept.
func (m *metamorph) hold() {
	if len(m.held) == 2 {
		m.release()
		return
	}
	h := heldView{view: m.db.View(), rows: make(map[string][]string), keyed: m.wantKeyed()}
	for table := range metamorphicKinds {
		h.rows[table] = m.want(table)
	}
	m.held = append(m.held, h)
	m.note("hold a view, at %d", m.now())
}

// release looks at the kept views and gives them up. What has expired since they
// were made may be in them or not.
func (m *metamorph) release() {
	for _, h := range m.held {
		m.note("release")
		for table, rows := range h.rows {
			if m.opts.Retention == nil {
				m.expect(h.view, table, rows, 0)
			}
		}
		m.expectKeyed(h.view, h.keyed)
		h.view.Release()
	}
	m.held = nil
}

func (m *metamorph) step(step int) {
	switch op := m.rng.IntN(40); {
	case op < 18:
		m.append(step)
	case op < 25:
		m.commit(step)
	case op < 31:
		m.background()
	case op < 33:
		m.restart()
	case op < 35:
		m.hold()
	case op < 38:
		m.clock.Add(int64([]int{1, 9, 60, 600}[m.rng.IntN(4)]))
		m.note("clock %d", m.now())
	case op < 39:
		if m.down != nil { // a delete that cannot find its rows waits, also one that is replayed
			m.jobs.Wait()
			mustCheckpoint(m.t, m.db)
			m.down.Store(!m.down.Load())
			m.note("object store down: %t", m.isDown())
		}
	default:
		m.restore(step)
	}
	m.compare()
}

// TestMetamorphic drives stores through everything that may come, at random and
// with jobs that overlap: whatever the options, and wherever the rows are, they
// are those of a plain map by running number.
func TestMetamorphic(t *testing.T) {
	seed := newSeed(t)
	for round := range *metamorphicRounds {
		m := newMetamorph(t, rand.New(rand.NewPCG(seed, uint64(round))))
		defer func() {
			if t.Failed() {
				t.Logf("round %d:\n%s", round, strings.Join(m.ops[max(0, len(m.ops)-60):], "\n"))
			}
		}()
		for step := range 150 {
			m.step(step)
			if t.Failed() {
				return
			}
		}
		m.jobs.Wait()
		m.release()
		m.must(m.db.Close())
		m.check()
		m.ops = nil
	}
}
