package engine

import (
	"runtime"
	"testing"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Nothing holds a store that was closed.
func TestClosedIsCollected(t *testing.T) {
	closed := func() weak.Pointer[DB] {
		db, err := Open("db", testOptions(vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Append(t.Context(), testRequest(record.Traces, "t 1 600 n 1")); err != nil {
			t.Fatal(err)
		}
		db.View().Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(db)
	}()
	for range 10 { // finalizers take a round each
		if runtime.GC(); closed.Value() == nil {
			return
		}
	}
	t.Error("it is still held after ten garbage collections")
}
