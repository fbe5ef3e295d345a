package wal

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A created log goes on with the record that was asked for, also after a crash
// before the first one.
func TestCreate(t *testing.T) {
	for _, next := range []uint64{1, 2, 1 << 40} {
		fs := vfs.NewCrashableMem()
		o := Options{SegmentBytes: 4 << 10, Spares: 1}
		if err := Create(fs, "log", next, o); err != nil {
			t.Fatal(err)
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		if r, err := Check(fs, "log", nil); err != nil || r.LastLSN != next-1 || r.FirstLSN != next {
			t.Fatalf("next %d: %+v, %v", next, r, err)
		}
		l, err := Open(fs, "log", o)
		if err != nil {
			t.Fatal(err)
		}
		lsn, p, err := l.Append(record.Header{Type: record.Traces, Codec: record.ProtobufS2, Source: record.OTLPGRPC}, []byte("x"))
		if err != nil || lsn != next {
			t.Fatalf("next %d: the first record is %d: %v", next, lsn, err)
		}
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err := Check(fs, "log", nil); err != nil || r.FirstLSN != next || r.LastLSN != next {
			t.Fatalf("next %d: %+v, %v", next, r, err)
		}
		if err := Create(fs, "log", next, o); err == nil {
			t.Error("a log was created over another")
		}
	}
}
