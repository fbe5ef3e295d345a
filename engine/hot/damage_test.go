package hot

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A bit of Pebble's manifest is flipped, wherever: Pebble would open the state
// before that record. Where a later record proves that it was synced, the store
// does not open, and the place is named. A manifest that a crash has cut short
// does open, if the tables of that state are there, and Cut says where.
func TestManifestDamage(t *testing.T) {
	fs := vfs.NewMem()
	quiet := Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, Still: true}
	s, err := Open(fs, "db/hot", quiet)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		err = errors.Join(err, s.Commit([]Write{{fmt.Appendf(nil, "k%d", i), []byte("v")}}))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	desc, err := pebble.Peek("db/hot", fs)
	if err != nil {
		t.Fatal(err)
	}
	manifest := readFile(t, fs, desc.ManifestFilename)
	var records []int // where they begin
	for at := 0; at < len(manifest); {
		kind, next := readChunk(manifest, at)
		if kind != chunkFull {
			t.Fatalf("a chunk of kind %d at %d", kind, at)
		}
		records = append(records, at)
		at = next
	}
	if len(records) < 6 {
		t.Fatalf("%d records", len(records))
	}
	quiet.ReadOnly = true
	place := regexp.MustCompile(`hot/MANIFEST-\d+ at (\d+): `)
	open := func(content []byte) (said int, opened bool) {
		t.Helper()
		writeFile(t, fs, desc.ManifestFilename, content)
		s, err := Open(fs, "db/hot", quiet)
		var text string
		if err != nil {
			text = err.Error()
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v is no ErrCorrupt", err)
			}
		} else {
			if s.Cut() != nil {
				text = s.Cut().Error()
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if m := place.FindStringSubmatch(text); m != nil {
			said, _ := strconv.Atoi(m[1])
			return said, err == nil
		}
		if text != "" {
			t.Fatalf("%q names no place", text)
		}
		return -1, true
	}
	begin := func(at int) int { // of the record that has a byte
		i, found := slices.BinarySearch(records, at)
		if !found {
			i--
		}
		return records[i]
	}
	for at := range manifest {
		damaged := slices.Clone(manifest)
		damaged[at] ^= 1 << (at % 8)
		said, opened := open(damaged)
		if said != begin(at) || opened && said != records[len(records)-1] {
			t.Fatalf("a flip at %d of the record at %d: said to be at %d, opened %v", at, begin(at), said, opened)
		}
	}
	for n := records[1] + 1; n < len(manifest); n++ {
		want := begin(n)
		if want == n {
			want = -1
		}
		if said, _ := open(manifest[:n]); said != want && want != -1 {
			t.Fatalf("a manifest of %d bytes is said to be cut at %d, want %d", n, said, want)
		}
	}
	if said, opened := open(append(slices.Clone(manifest), make([]byte, 100)...)); said != -1 || !opened {
		t.Fatalf("a manifest with zeros behind is said to be cut at %d, opened %v", said, opened)
	}
}

func readFile(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(slices.Clone(content)) // a vfs.File may change what it writes
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Damage of a table is named in one line.
func TestTableDamage(t *testing.T) {
	s, err := Open(damagedStore(t), "hot", Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, Still: true})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Each([]byte("a"), []byte("z"), func(_, _ []byte) error { return nil })
	if !errors.Is(err, ErrCorrupt) || !regexp.MustCompile(`hot/\d+\.sst at 0: `).MatchString(err.Error()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("reading gives %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
