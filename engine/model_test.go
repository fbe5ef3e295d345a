package engine

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0: a new one")

func newSeed(t testing.TB) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

// A model is what the rows must be: a plain list.
type model struct {
	spans []modelSpan // live
	logs  []string
	keyed map[string]string

	deletedLogs int // in all
}

type modelSpan struct {
	trace, span string
	minute      int
	text        string
}

// horizonMinutes is the default replace horizon.
const horizonMinutes = 24 * 60

// apply takes over an acknowledged body.
func (m *model) apply(kind record.Type, body string) {
	if kind == record.WriteSet {
		m.applySet(body)
		return
	}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if line[0] == '!' {
			continue
		}
		if kind == record.Logs {
			m.logs = append(m.logs, line)
			continue
		}
		s := modelSpan{text: line}
		if _, err := fmt.Sscan(line, &s.trace, &s.span, &s.minute); err != nil {
			panic("BUG: " + err.Error())
		}
		m.spans = slices.DeleteFunc(m.spans, func(o modelSpan) bool {
			d := o.minute - s.minute
			return o.trace == s.trace && o.span == s.span && d <= horizonMinutes && -d <= horizonMinutes
		})
		m.spans = append(m.spans, s)
	}
}

func (m *model) clone() *model {
	return &model{spans: slices.Clone(m.spans), logs: slices.Clone(m.logs), keyed: maps.Clone(m.keyed), deletedLogs: m.deletedLogs}
}

func (m *model) rows(table string, keep func(modelSpan) bool) []string {
	if table == "logs" {
		return slices.Sorted(slices.Values(m.logs))
	}
	out := []string{}
	if table == "keyed" {
		for key, value := range m.keyed {
			out = append(out, key+" "+value)
		}
		slices.Sort(out)
		return out
	}
	for _, s := range m.spans {
		if keep == nil || keep(s) {
			out = append(out, s.text)
		}
	}
	slices.Sort(out)
	return out
}

// randomBody makes a request of few keys, so that many rows replace others,
// some of them far away in time. tag makes traces of its own; value is in
// every row.
func randomBody(rng *rand.Rand, kind record.Type, tag string, value int) string {
	var b strings.Builder
	for range 1 + rng.IntN(6) {
		minute := arrivalMinute - rng.IntN(150)
		switch rng.IntN(12) {
		case 0:
			minute = arrivalMinute - 20*60 - rng.IntN(20*60) // late, or of yesterday
		case 1:
			minute = arrivalMinute + rng.IntN(40*60)
		case 2:
			b.WriteString("!rejected\n")
		}
		if kind == record.Logs {
			// A third stays in its row, a third goes to the hot store, a third to files.
			fill := strings.Repeat("-", []int{0, 80, 160}[rng.IntN(3)])
			fmt.Fprintf(&b, "%d %s%d%s\n", minute, tag, value, fill)
		} else {
			fmt.Fprintf(&b, "%s%d %d %d n%d %d\n", tag, rng.IntN(4), rng.IntN(4), minute, rng.IntN(3), value)
		}
	}
	return b.String()
}

// compare scans everything, and with filters, and compares with the model.
func compareWithModel(rng *rand.Rand, v *View, m *model) error {
	for _, table := range []string{"spans", "logs"} {
		got, _, err := scanText(v, ScanRequest{Table: table}, false)
		if err != nil {
			return err
		}
		if want := m.rows(table, nil); !slices.Equal(got, want) {
			return fmt.Errorf("%s: got %q, want %q", table, got, want)
		}
		rows, err := v.RowsSince(context.Background(), table, 0)
		if err != nil {
			return err
		}
		if rows != int64(len(got)) {
			return fmt.Errorf("%s: metadata counts %d rows, a scan %d", table, rows, len(got))
		}
	}
	rows, err := keyedText(v, nil, nil)
	if err != nil {
		return err
	}
	if want := m.rows("keyed", nil); !slices.Equal(rows, want) {
		return fmt.Errorf("keyed: got %q, want %q", rows, want)
	}
	trace := fmt.Sprintf("w%d", rng.IntN(6))
	got, stats, err := scanText(v, ScanRequest{Table: "spans", Filters: []Filter{{Ref: ColumnRef{Field: 0}, Equals: []any{traceID(trace)}}}}, false)
	if err != nil {
		return err
	}
	if want := m.rows("spans", func(s modelSpan) bool { return s.trace == trace }); !slices.Equal(got, want) {
		return fmt.Errorf("trace %s: got %q, want %q, %+v", trace, got, want, stats)
	}
	// A range and a value may leave rows in, but none out.
	from := rng.IntN(600)
	filters := []Filter{{Ref: ColumnRef{Field: 2}, Min: minuteNanos(from), Max: minuteNanos(from + 90)}, {Ref: ColumnRef{Field: 3}, Equals: []any{"n1"}}}
	if got, _, err = scanText(v, ScanRequest{Table: "spans", Filters: filters}, false); err != nil {
		return err
	}
	for _, row := range m.rows("spans", func(s modelSpan) bool {
		return s.minute >= from && s.minute <= from+90 && strings.Contains(s.text, " n1 ")
	}) {
		if _, ok := slices.BinarySearch(got, row); !ok {
			return fmt.Errorf("the filter from %d left out %q", from, row)
		}
	}
	return nil
}

// TestModel drives the engine at random: whatever is in the memtable, in
// blocks, in merged blocks or was replayed, the rows are those of the model,
// and a view keeps its own.
func TestModel(t *testing.T) {
	seed := newSeed(t)
	for round := range 12 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		fs := vfs.NewMem()
		o := testOptions(fs)
		o.BlockRows = 4 + rng.IntN(40)
		o.MaxMemtableRows = 20 + rng.IntN(400)
		db := mustOpen(t, o)
		m := &model{keyed: map[string]string{}}
		held, heldModel := db.View(), m.clone()
		for step := range 150 {
			switch rng.IntN(20) {
			case 0:
				mustCheckpoint(t, db)
			case 1: // as after a crash, but with everything written
				held.Release()
				if err := db.shutdown(rng.IntN(2) == 0); err != nil {
					t.Fatal(err)
				}
				checkFolder(t, fs, "db")
				db = mustOpen(t, o)
				held, heldModel = db.View(), m.clone()
			case 2:
				if err := compareWithModel(rng, held, heldModel); err != nil {
					t.Fatalf("round %d, step %d, held view: %v", round, step, err)
				}
				held.Release()
				held, heldModel = db.View(), m.clone()
			case 3, 4, 5, 6:
				body := randomWriteSet(rng, "w", step)
				mustCommit(t, db, body)
				m.applySet(body)
			default:
				kind := record.Traces
				if rng.IntN(4) == 0 {
					kind = record.Logs
				}
				body := randomBody(rng, kind, "w", step)
				mustAppend(t, db, kind, body)
				m.apply(kind, body)
			}
			v := db.View()
			if err := compareWithModel(rng, v, m); err != nil {
				t.Fatalf("round %d, step %d: %v", round, step, err)
			}
			v.Release()
		}
		held.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkFolder(t, fs, "db")
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}
