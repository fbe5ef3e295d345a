package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/internal/vector"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Payloads of rows that are older than they are kept are not seen from that
// moment on, wherever the rows are; their hashes are. A sweep takes the texts
// away once no younger row has them, and one that comes again is there again.
func TestPayloadRetention(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	plain := vector.NewSchema("logs", vector.Field{Name: "time", Kind: vector.Int64}, vector.Field{Name: "body", Kind: vector.String})
	o.Tables = []TableSpec{o.Tables[0], {ID: 2, Record: record.Logs, Schema: plain, Time: "time", Offload: []Offload{{Field: "body", Limit: 64}}, Order: []string{"time"}}}
	o.Payloads, o.BlobGrace = map[string]time.Duration{"logs": time.Hour}, -1
	var clock atomic.Int64
	clock.Store(arrivalMinute)
	o.Now = func() time.Time { return time.Unix(0, minuteNanos(int(clock.Load()))) }
	db := mustOpen(t, o)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if r, err := Check(fs, "db", o.Tables); err != nil || len(r.Problems) > 0 {
			t.Errorf("check: %q, %v", r.Problems, err)
		}
	}()
	long, file := strings.Repeat("l", 100), strings.Repeat("f", 200)
	mustAppend(t, db, record.Logs, "590 "+long+"\n590 short\n620 "+file+"\n")
	want := func(place string, now int, rows ...string) {
		t.Helper()
		slices.Sort(rows)
		if got := payloadRows(t, db, db.PayloadCutoff("logs", minuteNanos(now))); !slices.Equal(got, rows) {
			t.Fatalf("%s, at %d: got %q, want %q", place, now, got, rows)
		}
	}
	expired, younger := "590 <nil> "+textHash(long), "620 "+file+" "+textHash(file)
	both := func(place string) {
		t.Helper()
		want(place, 650, "590 "+long+" "+textHash(long), "590 short <nil>", younger)
		want(place, 651, "590 <nil> <nil>", expired, younger)
	}
	both("memtable")
	mustCheckpoint(t, db)
	both("blocks")
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts go before their time", n)
	}
	clock.Store(651)
	if n := mustSweep(t, db); n != 1 {
		t.Fatalf("%d texts go, not 1", n)
	}
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts go twice", n)
	}
	want("swept", 651, "590 <nil> <nil>", expired, younger)
	clock.Store(600) // went back
	if err := db.shutdown(true); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, o)
	want("swept, by another clock", 640, expired, "590 short <nil>", younger)

	mustAppend(t, db, record.Logs, "619 "+long+"\n")
	mustCheckpoint(t, db)
	again := "619 " + long + " " + textHash(long)
	want("come again", 651, "590 <nil> <nil>", expired, again, younger)
	mustCompact(t, db)
	want("parts", 651, "590 <nil> <nil>", expired, again, younger)
	clock.Store(690)
	if n := mustSweep(t, db); n != 0 {
		t.Fatalf("%d texts go by a clock that is far ahead of what arrived", n)
	}
	mustAppend(t, db, record.Logs, "661 new\n")
	mustCheckpoint(t, db)
	held := db.View()
	if n := mustSweep(t, db); n != 2 {
		t.Fatalf("%d texts go of parts, not 2", n)
	}
	held.Release()
	want("swept parts", 640, expired, "590 short <nil>", "619 <nil> "+textHash(long), "620 <nil> "+textHash(file), "661 new <nil>")
	if got := blobFiles(t, fs, "db/blobs"); len(got) > 0 {
		t.Errorf("files stay: %q", got)
	}
}

// payloadRows gives the logs with the hashes of their bodies, sorted.
func payloadRows(t *testing.T, db *DB, since int64) (out []string) {
	t.Helper()
	v := db.View()
	defer v.Release()
	s, err := v.Scan(ScanRequest{Table: "logs", Columns: []ColumnRef{{Field: 0}, {Field: 1}, {Field: 1, Digest: true}}, PayloadsSince: since})
	if err != nil {
		t.Fatal(err)
	}
	for r := s.Reader(); ; {
		b, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			slices.Sort(out)
			return out
		}
		var cols [3]*vector.Column
		for i := range cols {
			if cols[i], err = b.Column(i); err != nil {
				t.Fatal(err)
			}
		}
		for k := range b.Live() {
			row := b.Row(k)
			minute := (cols[0].Ints[row] - minuteNanos(0)) / int64(time.Minute)
			out = append(out, fmt.Sprint(minute, " ", cols[1].Value(row), " ", cols[2].Value(row)))
		}
	}
}
