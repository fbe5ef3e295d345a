package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// testKeyed is the keyed table of the tests.
const testKeyed = 7

// A write set in the tests is a line a write: "= key value" puts a keyed row,
// "- key" deletes one, "T …" and "L …" are lines of a traces and of a logs
// request, "D trace" and "d text" delete the spans of a trace and the logs of a
// text that the view has.
func testWriteSet(v *View, body string) *WriteSet {
	ws, err := writeSetOf(v, body)
	if err != nil {
		panic(err)
	}
	return ws
}

func writeSetOf(v *View, body string) (*WriteSet, error) {
	ws := &WriteSet{Header: record.Header{Source: record.SQL, ReceiveNanos: minuteNanos(arrivalMinute)}}
	var traces, logs strings.Builder
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		switch f[0] {
		case "=", "-":
			key := []byte(f[1])
			row, _, err := v.KeyedGet(testKeyed, key)
			if err != nil {
				return nil, err
			}
			w := KeyedWrite{Table: testKeyed, Key: key, Seen: row.LSN}
			if f[0] == "=" {
				w.Value = []byte(f[2])
			}
			ws.Keyed = append(ws.Keyed, w)
		case "D", "d":
			if err := ws.delete(v, f[0] == "D", f[1]); err != nil {
				return nil, err
			}
		case "T":
			traces.WriteString(line[2:])
		case "L":
			logs.WriteString(line[2:])
		}
	}
	if logs.Len() > 0 {
		ws.Requests = append(ws.Requests, testRequest(record.Logs, logs.String()))
	}
	if traces.Len() > 0 {
		ws.Requests = append(ws.Requests, testRequest(record.Traces, traces.String()))
	}
	return ws, nil
}

// delete adds the numbers of the rows that a line deletes.
func (ws *WriteSet) delete(v *View, spans bool, what string) error {
	d := record.Deleted{Type: record.Logs}
	table := "logs"
	if spans {
		d.Type, table = record.Traces, "spans"
	}
	rows, _, err := scanText(v, ScanRequest{Table: table}, true)
	if err != nil {
		return err
	}
	for _, row := range rows {
		number, text, _ := strings.Cut(row, " ")
		if !isDeleted(spans, what, text) {
			continue
		}
		n, err := strconv.ParseUint(number[1:], 10, 64)
		if err != nil {
			return err
		}
		d.Rows = append(d.Rows, n)
	}
	slices.Sort(d.Rows)
	if len(d.Rows) > 0 {
		ws.Deletes = append(ws.Deletes, d)
	}
	return nil
}

// isDeleted reports whether a row is of the trace, or of the text, to delete.
func isDeleted(spans bool, what, row string) bool {
	f := strings.Fields(row)
	if spans {
		return f[0] == what
	}
	return strings.TrimRight(f[1], "-") == what
}

// randomWriteSet makes a write set of few keys, each of them once.
func randomWriteSet(rng *rand.Rand, tag string, value int) string {
	var b strings.Builder
	for _, key := range rng.Perm(6)[:1+rng.IntN(3)] {
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&b, "- %s%d\n", tag, key)
		} else {
			fmt.Fprintf(&b, "= %s%d %d\n", tag, key, value)
		}
	}
	if rng.IntN(3) == 0 {
		fmt.Fprintf(&b, "D %s%d\n", tag, rng.IntN(4))
	}
	if value > 0 && rng.IntN(3) == 0 {
		fmt.Fprintf(&b, "d %s%d\n", tag, value-1-rng.IntN(min(value, 8)))
	}
	for _, kind := range []record.Type{record.Traces, record.Logs} {
		prefix := map[record.Type]string{record.Traces: "T ", record.Logs: "L "}[kind]
		if rng.IntN(2) == 0 {
			continue
		}
		for line := range strings.Lines(randomBody(rng, kind, tag, value)) {
			b.WriteString(prefix + line)
		}
	}
	return b.String()
}

// applySet takes over a committed write set.
func (m *model) applySet(body string) {
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		switch f[0] {
		case "=":
			m.keyed[f[1]] = f[2]
		case "-":
			delete(m.keyed, f[1])
		case "D":
			m.spans = slices.DeleteFunc(m.spans, func(s modelSpan) bool { return isDeleted(true, f[1], s.text) })
		case "d":
			before := len(m.logs)
			m.logs = slices.DeleteFunc(m.logs, func(row string) bool { return isDeleted(false, f[1], row) })
			m.deletedLogs += before - len(m.logs)
		case "T":
			m.apply(record.Traces, line[2:])
		case "L":
			m.apply(record.Logs, line[2:])
		}
	}
}

func keyedText(v *View, lower, upper []byte) ([]string, error) {
	out := []string{}
	for row, err := range v.Keyed(testKeyed, lower, upper) {
		if err != nil {
			return nil, err
		}
		got, ok, err := v.KeyedGet(testKeyed, row.Key)
		if err != nil || !ok || !bytes.Equal(got.Value, row.Value) || got.LSN != row.LSN {
			return nil, fmt.Errorf("the scan gives %s, a look-up %v %v %v", row.Key, got, ok, err)
		}
		out = append(out, string(row.Key)+" "+string(row.Value))
	}
	return out, nil
}

func mustCommit(t testing.TB, db *DB, body string) uint64 {
	t.Helper()
	v := db.View()
	defer v.Release()
	lsn, err := db.Commit(context.Background(), testWriteSet(v, body))
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return lsn
}

func TestKeyedConflicts(t *testing.T) {
	o := testOptions(vfs.NewMem())
	db := mustOpen(t, o)
	before := db.View()
	first := mustCommit(t, db, "= a 1")
	for _, stale := range []string{"= a 2", "- a", "= b 1\n= a 2"} {
		if _, err := db.Commit(context.Background(), testWriteSet(before, stale)); !errors.Is(err, ErrConflict) {
			t.Errorf("%q: %v", stale, err)
		}
	}
	if rows, err := keyedText(before, nil, nil); err != nil || len(rows) != 0 {
		t.Errorf("a view from before has %q, %v", rows, err)
	}
	mustCheckpoint(t, db)
	v := db.View()
	if row, ok, err := v.KeyedGet(testKeyed, []byte("a")); err != nil || !ok || row.LSN != first || string(row.Value) != "1" {
		t.Errorf("after the flush: %v %v %v", row, ok, err)
	}
	v.Release()
	mustCommit(t, db, "= a 2\n= c 3\n= b 2")
	mustCheckpoint(t, db)
	mustCommit(t, db, "- a\n= bb 4")
	v = db.View()
	for bounds, want := range map[string]string{" ": "b 2,bb 4,c 3", "b c": "b 2,bb 4", "bb ": "bb 4,c 3", " b": ""} {
		lower, upper, _ := strings.Cut(bounds, " ")
		var from, to []byte
		if lower != "" {
			from = []byte(lower)
		}
		if upper != "" {
			to = []byte(upper)
		}
		rows, err := keyedText(v, from, to)
		if got := strings.Join(rows, ","); err != nil || got != want {
			t.Errorf("from %q to %q: got %q, want %q, %v", lower, upper, got, want, err)
		}
	}
	v.Release()
	before.Release()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := checkFolder(t, o.FS, "db"); r.Keyed == 0 {
		t.Error("the check saw no keyed rows")
	}
	db = mustOpen(t, o) // sweeps what only old views could have asked for
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := checkFolder(t, o.FS, "db"); r.Keyed != 3 {
		t.Errorf("%d versions of 3 rows are left", r.Keyed)
	}
}
