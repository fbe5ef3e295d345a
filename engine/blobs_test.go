package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/wal/record"
)

// blobFiles lists the files under the folder of blobs.
func blobFiles(t *testing.T, fs vfs.FS, dir string) (paths []string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case err != nil:
			t.Fatal(err)
		case info.IsDir():
			paths = append(paths, blobFiles(t, fs, path)...)
		default:
			paths = append(paths, path)
		}
	}
	return paths
}

func textHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// logTexts gives the bodies of the logs with their digests, sorted.
func logTexts(t *testing.T, db *DB, filters ...Filter) []string {
	t.Helper()
	v := db.View()
	defer v.Release()
	s, err := v.Scan(ScanRequest{Table: "logs", Columns: []ColumnRef{{Field: 1}, {Field: 1, Digest: true}}, Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for r := s.Reader(); ; {
		b, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		bodies, err := b.Column(0)
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := b.Column(1)
		if err != nil {
			t.Fatal(err)
		}
		for k := range b.Live() {
			out = append(out, fmt.Sprint(bodies.Str(b.Row(k)), " ", hashes.Value(b.Row(k))))
		}
	}
	slices.Sort(out)
	return out
}

// A long text reads the same, with its hash, wherever it is, also in merged
// blocks; its last word prunes no block; each content is stored once.
func TestOffload(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.BlockRows = 256
	db := mustOpen(t, o)
	small, medium, large := "short", strings.Repeat("m", 100)+"-needle", strings.Repeat("l", 200)+"-thread"
	var want []string
	check := func(placement string) {
		t.Helper()
		slices.Sort(want)
		if got := logTexts(t, db); !slices.Equal(got, want) {
			t.Fatalf("%s: got %q, want %q", placement, got, want)
		}
		for _, word := range []string{"needle", "thread"} {
			found := slices.ContainsFunc(logTexts(t, db, Filter{Ref: ColumnRef{Field: 1}, Contains: "-" + word}), func(row string) bool {
				return strings.Contains(row, word)
			})
			if !found {
				t.Fatalf("%s: %q is pruned", placement, word)
			}
		}
		if got := logTexts(t, db, Filter{Ref: ColumnRef{Field: 1}, Contains: "-absent-"}); placement != "memtable" && len(got) > 0 {
			t.Fatalf("%s: a word that is in no text prunes nothing", placement)
		}
	}
	for i := range reblockInputs + 3 { // so that blocks are merged
		mustAppend(t, db, record.Logs, fmt.Sprintf("590 %s\n590 %s\n591 %s\n", small, medium, large))
		want = append(want, small+" <nil>", medium+" "+textHash(medium), large+" "+textHash(large))
		if i == 0 {
			check("memtable")
		}
		mustCheckpoint(t, db)
	}
	check("blocks")
	v := db.View()
	if n := len(v.Blocks()); n >= reblockInputs {
		t.Fatalf("%d blocks: none were merged", n)
	}
	v.Release()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := checkFolder(t, fs, "db"); r.Blobs != 2 {
		t.Fatalf("%d texts are stored outside, want 2", r.Blobs)
	}
	hash := textHash(large)
	path := "db/blobs/" + hash[:2] + "/" + hash[2:4] + "/" + hash
	if files := blobFiles(t, fs, "db/blobs"); !slices.Equal(files, []string{path}) {
		t.Fatalf("files %q, want %s", files, path)
	}
	db = mustOpen(t, o)
	check("restarted")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A text outside the rows that is damaged or missing is never read as
// something else, and Check finds it.
func TestDamagedBlob(t *testing.T) {
	large := strings.Repeat("l", 200)
	for _, damage := range []string{"", "k" + large[1:], large[1:], "missing"} {
		fs := vfs.NewMem()
		o := testOptions(fs)
		db := mustOpen(t, o)
		mustAppend(t, db, record.Logs, "590 "+large+"\n")
		mustCheckpoint(t, db)
		path := blobFiles(t, fs, "db/blobs")[0]
		if damage == "missing" {
			if err := fs.Remove(path); err != nil {
				t.Fatal(err)
			}
		} else {
			f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write([]byte(damage)); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		v := db.View()
		_, _, err := scanText(v, ScanRequest{Table: "logs"}, false)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), textHash(large)) {
			t.Errorf("%.10q: %v", damage, err)
		}
		v.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Check(fs, "db", testTables)
		if err != nil || len(r.Problems) == 0 || !strings.Contains(r.Problems[0], textHash(large)) {
			t.Errorf("%.10q: check: %q %v", damage, r.Problems, err)
		}
	}
}

// Texts that look like what blocks hold of others stay what they are.
func TestStoredTexts(t *testing.T) {
	ref := layout.Reference{Hash: sha256.Sum256(nil), Len: 300}
	for _, text := range []string{"", "a", "\x00", "\x00\x00", "\x00\x01", "\x00\x02x", string(ref.Append(nil))} {
		got, _, outside, err := layout.ParseStored(layout.StoredText(text))
		if err != nil || outside || got != text {
			t.Errorf("%q became %q, %v, %v", text, got, outside, err)
		}
	}
	if _, got, outside, err := layout.ParseStored(string(ref.Append(nil))); err != nil || !outside || got != ref {
		t.Errorf("reference became %v, %v, %v", got, outside, err)
	}
	whole := string(ref.Append(nil))
	for _, bad := range []string{"\x00\x02", whole[:20], whole[:34], whole + "x"} {
		if _, _, _, err := layout.ParseStored(bad); !errors.Is(err, layout.ErrCorrupt) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
