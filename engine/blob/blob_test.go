package blob

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func content(text string) Content { return Content{sha256.Sum256([]byte(text)), text} }

// A content is written once; one that has not its length is written again.
func TestPut(t *testing.T) {
	created := 0
	mem := vfs.NewMem()
	s := New(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate {
			created++
		}
		return nil
	})), "blobs")
	a, b := content("aaaa"), content("bbbb")
	for _, put := range []struct {
		contents []Content
		created  int
	}{{nil, 0}, {[]Content{a}, 1}, {[]Content{a, b}, 2}, {[]Content{b, a}, 2}} {
		if err := s.Put(put.contents); err != nil || created != put.created {
			t.Fatalf("%d files, want %d, %v", created, put.created, err)
		}
	}
	if got, err := s.Get(a.Hash, 4); err != nil || string(got) != a.Text {
		t.Fatalf("%q %v", got, err)
	}
	_, path := s.path(a.Hash)
	f, err := mem.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(a.Hash, 4); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("an empty file: %v", err)
	}
	problems := 0
	err = s.Check(func(problem error) {
		if problem != nil {
			problems++
		}
	})
	if err != nil || problems != 1 {
		t.Fatalf("check: %d problems, %v", problems, err)
	}
	if err := s.Put([]Content{a}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(a.Hash, 4); err != nil || string(got) != a.Text {
		t.Fatalf("written again: %q %v", got, err)
	}
}

// What a crash left on its way is deleted, and nothing else.
func TestClean(t *testing.T) {
	mem := vfs.NewMem()
	renames := true
	s := New(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename && !renames {
			return errorfs.ErrInjected
		}
		return nil
	})), "blobs")
	if err := s.Clean(); err != nil {
		t.Fatalf("without a folder: %v", err)
	}
	if err := s.Put([]Content{content("kept")}); err != nil {
		t.Fatal(err)
	}
	renames = false
	if err := s.Put([]Content{content("left")}); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatalf("put: %v", err)
	}
	for _, name := range []string{"notes.txt", "7"} { // the second as a crash leaves it
		f, err := mem.Create("blobs/tmp/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := mem.List("blobs/tmp"); err != nil || len(names) != 2 {
		t.Fatalf("%q %v", names, err)
	}
	next := New(mem, "blobs")
	if err := next.Clean(); err != nil {
		t.Fatal(err)
	}
	if names, err := mem.List("blobs/tmp"); err != nil || strings.Join(names, " ") != "notes.txt" {
		t.Fatalf("%q %v", names, err)
	}
	if _, err := next.Get(content("kept").Hash, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := next.Get(content("left").Hash, 4); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("what was never renamed: %v", err)
	}
}
