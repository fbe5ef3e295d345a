package engine

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/wal/record"
)

// A part is not in the cold folder, or has another size: the start says it with
// its table, hours and rows, what needs the part fails, and all else works. Put
// back it is read again.
func TestMissingPart(t *testing.T) {
	for name, damage := range map[string]func(fs vfs.FS, file string, content []byte) error{
		"missing": func(fs vfs.FS, file string, _ []byte) error { return fs.Remove(file) },
		"of ":     func(fs vfs.FS, file string, content []byte) error { return writeFile(fs, file, content[:100]) },
	} {
		t.Run(strings.TrimSpace(name), func(t *testing.T) {
			fs := vfs.NewMem()
			var log bytes.Buffer
			o := testOptions(fs)
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			db := mustOpen(t, o)
			mustAppend(t, db, record.Logs, "1 a\n61 b\n62 c\n")
			mustAppend(t, db, record.Traces, "a 1 1 span 1\n")
			mustCheckpoint(t, db)
			if _, err := db.Compact(t.Context(), minuteNanos(60*5)); err != nil {
				t.Fatal(err)
			}
			mustAppend(t, db, record.Logs, "599 young\n")
			v := db.View()
			parts := slices.DeleteFunc(v.Parts(), func(p PartInfo) bool { return p.Table != "logs" })
			v.Release()
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			f := make(files)
			if err := readTree(fs, "db", f); err != nil {
				t.Fatal(err)
			}
			lostRows := 0
			for _, p := range parts {
				file := path.Join("db/cold", p.Name)
				if err := damage(fs, file, f[file]); err != nil {
					t.Fatal(err)
				}
				lostRows += p.Rows
			}
			log.Reset()
			db = mustOpen(t, o)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			for _, p := range parts {
				said := slices.DeleteFunc(strings.Split(log.String(), "\n"), func(line string) bool { return !strings.Contains(line, p.Name) })
				if len(said) != 1 {
					t.Fatalf("of %s is said\n%s", p.Name, strings.Join(said, "\n"))
				}
				for _, want := range []string{"level=ERROR", "table=logs", "from_hour=", "to_hour=", fmt.Sprintf("rows=%d ", p.Rows)} {
					if !strings.Contains(said[0], want) {
						t.Errorf("%s lacks %s", said[0], want)
					}
				}
			}
			expect := func(lost bool) {
				t.Helper()
				v := db.View()
				defer v.Release()
				for _, p := range v.Parts() {
					if want := lost && p.Table == "logs"; want != (p.Problem != "") || !strings.HasPrefix(p.Problem, name) && want {
						t.Errorf("the problem of %s is %q", p.Name, p.Problem)
					}
				}
				for _, m := range db.Metrics().Tables {
					wantParts, wantRows := 0, 0
					if lost && m.Name == "logs" {
						wantParts, wantRows = len(parts), lostRows
					}
					if m.LostParts != wantParts || m.LostRows != int64(wantRows) {
						t.Errorf("metrics say %d parts of %s with %d rows are lost", m.LostParts, m.Name, m.LostRows)
					}
				}
				if rows, _, err := scanText(v, ScanRequest{Table: "spans"}, false); err != nil || len(rows) != 2 {
					t.Errorf("spans: %q, %v", rows, err)
				}
				rows, _, err := scanText(v, ScanRequest{Table: "logs", Since: minuteNanos(300)}, false)
				if err != nil || !slices.Equal(rows, []string{"599 young"}) {
					t.Errorf("new logs: %q, %v", rows, err)
				}
				rows, _, err = scanText(v, ScanRequest{Table: "logs"}, false)
				if lost && (!errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "logs/")) || !lost && (err != nil || len(rows) != lostRows+1) {
					t.Errorf("logs: %q, %v", rows, err)
				}
			}
			mustAppend(t, db, record.Traces, "b 1 598 on 1\n")
			expect(true)
			for _, p := range parts {
				file := path.Join("db/cold", p.Name)
				if err := writeFile(fs, file, f[file]); err != nil {
					t.Fatal(err)
				}
			}
			v = db.View()
			_, _, err := scanText(v, ScanRequest{Table: "logs"}, false)
			v.Release()
			if err != nil {
				t.Errorf("logs that are there again: %v", err)
			}
			expect(false)
		})
	}
}

func writeFile(fs vfs.FS, path string, content []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(slices.Clone(content)) // a vfs.File may change what it writes
	return errors.Join(err, f.Close())
}

// A span comes again while the part of its older version is not there: put back,
// also after starts, the part does not bring the older one back.
func TestReplacedInMissingPart(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	db := mustOpen(t, o)
	mustAppend(t, db, record.Traces, "a 1 1 old 1\nb 1 2 old 2\n")
	mustCheckpoint(t, db)
	if _, err := db.Compact(t.Context(), minuteNanos(300)); err != nil {
		t.Fatal(err)
	}
	v := db.View()
	file := path.Join("db/cold", v.Parts()[0].Name)
	v.Release()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f := make(files)
	if err := readTree(fs, "db", f); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove(file); err != nil {
		t.Fatal(err)
	}
	for i, body := range []string{"a 1 1 new 1\n", "", ""} {
		db = mustOpen(t, o)
		if body != "" {
			mustAppend(t, db, record.Traces, body)
		}
		if err := db.shutdown(i > 0); err != nil { // first from the log, then from the hot store
			t.Fatal(err)
		}
	}
	if err := writeFile(fs, file, f[file]); err != nil {
		t.Fatal(err)
	}
	db = mustOpenChecked(t, o)
	v = db.View()
	defer v.Release()
	rows, _, err := scanText(v, ScanRequest{Table: "spans"}, false)
	if slices.Sort(rows); err != nil || !slices.Equal(rows, []string{"a 1 1 new 1", "b 1 2 old 2"}) {
		t.Errorf("got %q, %v", rows, err)
	}
}
