package engine

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// openParts counts the files of parts that are open for reading.
type openParts struct {
	vfs.FS
	n *atomic.Int64
}

func (d openParts) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.Open(name, o...)
	if err != nil || !strings.HasSuffix(name, ".parquet") {
		return f, err
	}
	d.n.Add(1)
	return countedFile{f, d.n}, nil
}

type countedFile struct {
	vfs.File
	n *atomic.Int64
}

func (f countedFile) Close() error {
	f.n.Add(-1)
	return f.File.Close()
}

// The files of parts are closed when the store is, and those of a part that has
// gone at once: no garbage has to be collected before. Who reads on is told so.
func TestPartFilesClose(t *testing.T) {
	fs := openParts{vfs.NewMem(), new(atomic.Int64)}
	o := testOptions(fs)
	o.PageCacheBytes = 1 // nothing is kept
	db := mustOpen(t, o)
	read := func(v *View) error {
		_, _, err := scanText(v, ScanRequest{Table: "logs"}, false)
		return err
	}
	for range 2 { // the second part and the first are merged
		mustAppend(t, db, record.Logs, "1 a\n2 b\n")
		mustCheckpoint(t, db)
		if _, err := db.Compact(t.Context(), minuteNanos(48*60)); err != nil {
			t.Fatal(err)
		}
		v := db.View()
		if err := read(v); err != nil {
			t.Fatal(err)
		}
		v.Release()
	}
	if _, err := db.Compact(t.Context(), minuteNanos(48*60)); err != nil {
		t.Fatal(err)
	}
	v := db.View()
	inUse := make(map[string]bool)
	for _, p := range v.Parts() {
		inUse[p.Name] = true
	}
	db.parts.files.mu.Lock()
	for f := range db.parts.files.open {
		if !inUse[f.meta.Name] {
			t.Errorf("part %s has gone, its file is open", f.meta.Name)
		}
	}
	db.parts.files.mu.Unlock()
	if err := read(v); err != nil {
		t.Fatal(err)
	}
	if fs.n.Load() == 0 {
		t.Fatal("no file of a part is open")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := fs.n.Load(); n != 0 {
		t.Errorf("after Close %d files of parts are open", n)
	}
	if err := read(v); !errors.Is(err, ErrClosed) {
		t.Errorf("reading after Close gives %v", err)
	}
	v.Release()
	if _, err := Check(fs, "db", testTables); err != nil {
		t.Fatal(err)
	}
	if n := fs.n.Load(); n != 0 {
		t.Errorf("after a check %d files of parts are open", n)
	}
}
