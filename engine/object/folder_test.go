package object

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random tests")

func put(ctx context.Context, s Store, name string, content []byte) (Info, error) {
	return s.Put(ctx, name, func(w io.Writer) error {
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 3000)
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

func get(t *testing.T, s Store, name string) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	if err != nil {
		return nil, err
	}
	content := make([]byte, r.Size())
	n, err := r.ReadAt(content, 0)
	if errors.Is(err, io.EOF) && n == len(content) {
		err = nil
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return content, err
}

func names(t *testing.T, s Store, prefix string) string {
	t.Helper()
	var all []string
	err := s.List(t.Context(), prefix, func(name string, size int64) error {
		all = append(all, fmt.Sprintf("%s:%d", name, size))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cold") // two folders to create
	for name, s := range map[string]*Folder{"disk": NewFolder(vfs.Default, dir), "memory": NewFolder(vfs.NewMem(), "cold")} {
		t.Run(name, func(t *testing.T) { testStore(t, s) })
	}
}

// testStore is what every store does.
func testStore(t *testing.T, s Store) {
	ctx := t.Context()
	if got := names(t, s, ""); got != "" {
		t.Fatalf("before anything is put: %s", got)
	}
	if _, err := s.Open(ctx, "spans/1.parquet"); !errors.Is(err, ErrMissing) {
		t.Fatalf("open what is not there: %v", err)
	}
	if err := s.Delete(ctx, "spans/1.parquet"); err != nil {
		t.Fatalf("delete what is not there: %v", err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for name, content := range map[string][]byte{
		"spans/1.parquet": large, "spans/_live": []byte("x"), "spans/2": nil, "spans-b": []byte("ab"), "spans/sub/deep": []byte("abc"),
	} {
		info, err := put(ctx, s, name, content)
		if err != nil || info != (Info{int64(len(content)), xxhash.Sum64(content)}) {
			t.Fatalf("put %s: %v %v", name, info, err)
		}
		if got, err := get(t, s, name); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("get %s: %d bytes, %v", name, len(got), err)
		}
	}
	r, err := s.Open(ctx, "spans/1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 10)
	if n, err := r.ReadAt(part, 1_000_003); err != nil || n != 10 || string(part) != "3456789abc" {
		t.Fatalf("%q %v", part[:n], err)
	}
	if n, err := r.ReadAt(part, r.Size()-3); !errors.Is(err, io.EOF) || n != 3 || string(part[:3]) != "def" {
		t.Fatalf("over the end: %q %v", part[:n], err)
	}
	if n, err := r.ReadAt(part, r.Size()); !errors.Is(err, io.EOF) || n != 0 {
		t.Fatalf("behind the end: %d %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{
		"":           "spans-b:2 spans/1.parquet:1600000 spans/2:0 spans/_live:1 spans/sub/deep:3",
		"spans/":     "spans/1.parquet:1600000 spans/2:0 spans/_live:1 spans/sub/deep:3",
		"spans/s":    "spans/sub/deep:3",
		"spans":      "spans-b:2 spans/1.parquet:1600000 spans/2:0 spans/_live:1 spans/sub/deep:3",
		"logs":       "",
		"spans/sub/": "spans/sub/deep:3",
	} {
		if got := names(t, s, prefix); got != want {
			t.Errorf("list %q: %s, want %s", prefix, got, want)
		}
	}
	stop := errors.New("stop")
	if err := s.List(ctx, "", func(string, int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("list, stopped: %v", err)
	}

	if _, err := put(ctx, s, "spans/_live", []byte("replaced")); err != nil {
		t.Fatal(err)
	}
	if got, err := get(t, s, "spans/_live"); err != nil || string(got) != "replaced" {
		t.Fatalf("replaced: %q %v", got, err)
	}
	// What fails on its way leaves the old content, and no trace.
	before := names(t, s, "")
	_, err = s.Put(ctx, "spans/_live", func(w io.Writer) error {
		if _, err := w.Write(large); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("put, stopped: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	_, err = s.Put(cancelled, "spans/_live", func(w io.Writer) error {
		cancel()
		_, err := w.Write(large)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("put, cancelled: %v", err)
	}
	if got := names(t, s, ""); got != before {
		t.Fatalf("%s, before %s", got, before)
	}
	for range 2 {
		if err := s.Delete(ctx, "spans/1.parquet"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Open(ctx, "spans/1.parquet"); !errors.Is(err, ErrMissing) {
		t.Fatalf("open what is deleted: %v", err)
	}
	if _, err := s.Open(ctx, "spans/sub"); !errors.Is(err, ErrMissing) {
		t.Fatalf("open a folder: %v", err)
	}
}

// Names come from outside: none leads out of the store.
func TestNames(t *testing.T) {
	parent := t.TempDir()
	s := NewFolder(vfs.Default, filepath.Join(parent, "cold"))
	for _, name := range []string{
		"", "/", "/etc/passwd", "..", "../x", "a/../x", "a/..", "./a", "a//b", "a/", ".a", "a/.a.1.tmp", "a\x00b", "a b",
		"ä", `a\b`, "a:b", "*", strings.Repeat("a", 10<<10),
	} {
		if _, err := put(t.Context(), s, name, []byte("x")); err == nil {
			t.Errorf("put %q", name)
		}
		if _, err := s.Open(t.Context(), name); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("open %q: %v", name, err)
		}
		if err := s.Delete(t.Context(), name); err == nil {
			t.Errorf("delete %q", name)
		}
		if name == "" || name == "a/" {
			continue
		}
		if err := s.List(t.Context(), name, nil); err == nil {
			t.Errorf("list %q", name)
		}
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// What was on its way at a crash is deleted, and nothing else.
func TestClean(t *testing.T) {
	mem := vfs.NewMem()
	var broken atomic.Bool
	s := NewFolder(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && (op.Kind == errorfs.OpRename || op.Kind == errorfs.OpRemove) {
			return errorfs.ErrInjected
		}
		return nil
	})), "cold")
	if err := s.Clean(t.Context()); err != nil {
		t.Fatalf("without a folder: %v", err)
	}
	for _, name := range []string{"spans/kept", "top"} {
		if _, err := put(t.Context(), s, name, []byte("kept")); err != nil {
			t.Fatal(err)
		}
	}
	broken.Store(true)
	for _, name := range []string{"spans/left", "spans/kept", "a.b-c_d", "a/b/c"} {
		if _, err := put(t.Context(), s, name, []byte("left")); !errors.Is(err, errorfs.ErrInjected) {
			t.Fatal(err)
		}
	}
	others := []string{".notes.tmp", ".x.01.tmp", ".x.99999999999999999999.tmp", "x.1.tmp", ".x.1.tmp~"}
	for _, name := range others {
		f, err := mem.Create("cold/spans/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, s, ""); got != "spans/kept:4 spans/x.1.tmp:0 top:4" {
		t.Fatalf("what is on its way is listed: %s", got)
	}
	if err := NewFolder(mem, "cold").Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]int{"cold": 3, "cold/spans": 1 + len(others), "cold/a/b": 0} {
		if got, err := mem.List(folder); err != nil || len(got) != want {
			t.Errorf("%s: %q %v", folder, got, err)
		}
	}
}

// A clone is a state of the disk after a crash, with what had to be there.
type clone struct {
	fs   *vfs.MemFS
	op   string
	done map[string][]byte   // put, or replaced
	open map[string][][]byte // on its way: either content will do; nil is none
}

// crashes puts and replaces objects, and returns clones of before each
// operation that writes.
func crashes(rng *rand.Rand, wrap func(vfs.FS) vfs.FS) (clones []clone, err error) {
	mem := vfs.NewCrashableMem()
	done := map[string][]byte{}
	var name string // on its way
	var contents [][]byte
	take := func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		c := clone{op: fmt.Sprintf("%v %s", op.Kind, op.Path), done: map[string][]byte{}, open: map[string][][]byte{}}
		for n, content := range done {
			if n != name {
				c.done[n] = content
			}
		}
		if name != "" {
			c.open[name] = contents
		}
		for _, percent := range []int{0, 50, 100} {
			c.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			clones = append(clones, c)
		}
		return nil
	}
	s := NewFolder(wrap(errorfs.Wrap(mem, errorfs.InjectorFunc(take))), "db/cold")
	for i := range 12 {
		content := make([]byte, rng.IntN(1200<<10)>>(2*rng.IntN(6)))
		for j := range content {
			content[j] = byte(i + j>>10)
		}
		name = fmt.Sprintf("t%d/%d", rng.IntN(2), rng.IntN(4))
		contents = [][]byte{done[name], content}
		if _, err := put(context.Background(), s, name, content); err != nil {
			return nil, err
		}
		done[name] = content
		name = ""
		if err := take(errorfs.Op{}); err != nil {
			return nil, err
		}
	}
	return clones, nil
}

// verdict says what a clone has lost, torn or made up.
func verdict(t *testing.T, c clone) error {
	t.Helper()
	s := NewFolder(c.fs, "db/cold")
	if err := s.Clean(t.Context()); err != nil {
		return err
	}
	known := 0
	err := s.List(t.Context(), "", func(name string, _ int64) error {
		known++
		got, err := get(t, s, name)
		if err != nil {
			return err
		}
		if want, ok := c.done[name]; ok {
			if !bytes.Equal(got, want) {
				return fmt.Errorf("%s: %d bytes, not the %d that were put", name, len(got), len(want))
			}
			return nil
		}
		contents, ok := c.open[name]
		if !ok || (!bytes.Equal(got, contents[0]) || contents[0] == nil) && !bytes.Equal(got, contents[1]) {
			return fmt.Errorf("%s: %d bytes, torn", name, len(got))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name := range c.done {
		if _, err := s.Open(t.Context(), name); err != nil {
			return err
		}
	}
	for name, contents := range c.open {
		if _, err := s.Open(t.Context(), name); err != nil && contents[0] != nil {
			return fmt.Errorf("what was to be replaced: %w", err)
		}
	}
	return nil
}

// At every crash point each object is whole or absent, and there once Put
// said so. With a sync left out it is not.
func TestCrash(t *testing.T) {
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	clones, err := crashes(rng, func(fs vfs.FS) vfs.FS { return fs })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clones {
		if err := verdict(t, c); err != nil {
			t.Fatalf("crash at %s: %v", c.op, err)
		}
	}
	t.Logf("%d crash points", len(clones))
	for name, forgotten := range map[string]forgetful{"folders": {folders: true}, "files": {files: true}} {
		clones, err := crashes(rng, func(fs vfs.FS) vfs.FS { forgotten.FS = fs; return forgotten })
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for _, c := range clones {
			if verdict(t, c) != nil {
				bad++
			}
		}
		if bad == 0 {
			t.Errorf("syncs of %s were left out, and %d crash points do not show it", name, len(clones))
		}
	}
}

// A forgetful file system leaves out syncs.
type forgetful struct {
	vfs.FS
	folders, files bool
}

func (f forgetful) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if f.folders && err == nil {
		file = unsynced{file}
	}
	return file, err
}

func (f forgetful) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	if f.files && err == nil {
		file = unsynced{file}
	}
	return file, err
}

type unsynced struct{ vfs.File }

func (unsynced) Sync() error     { return nil }
func (unsynced) SyncData() error { return nil }

// Whatever operation fails, Put says so, and what it was to replace is there,
// or what replaced it.
func TestFailures(t *testing.T) {
	old, next := bytes.Repeat([]byte("old"), 1000), bytes.Repeat([]byte("next"), 1<<20)
	for n := int64(0); ; n++ {
		mem := vfs.NewMem()
		var count, on atomic.Int64
		var failed errorfs.OpKind
		s := NewFolder(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if on.Load() == 0 || count.Add(1)-1 != n {
				return nil
			}
			failed = op.Kind
			return errorfs.ErrInjected
		})), "cold")
		if _, err := put(t.Context(), s, "spans/a", old); err != nil {
			t.Fatal(err)
		}
		on.Store(1)
		_, err := put(t.Context(), s, "spans/a", next)
		if err == nil {
			_, err = put(t.Context(), s, "spans/sub/b", next)
		}
		on.Store(0)
		if count.Load() <= n {
			if err != nil {
				t.Fatal(err)
			}
			if n < 20 {
				t.Fatalf("%d operations", n)
			}
			return
		}
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("operation %d (%v) failed: %v", n, failed, err)
		}
		got, err := get(t, s, "spans/a")
		if err != nil || !bytes.Equal(got, old) && !bytes.Equal(got, next) {
			t.Fatalf("operation %d (%v) failed: %d bytes, %v", n, failed, len(got), err)
		}
		if r, err := s.Open(t.Context(), "spans/sub/b"); err == nil && r.Size() != int64(len(next)) {
			t.Fatalf("operation %d (%v) failed: torn", n, failed)
		}
	}
}

// A folder's sync is not tried again: it may say yes to what is lost.
func TestFailedSync(t *testing.T) {
	broken := false
	s := NewFolder(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken && op.Kind == errorfs.OpFileSync && op.Path == "cold/spans" {
			return errorfs.ErrInjected
		}
		return nil
	})), "cold")
	if _, err := put(t.Context(), s, "spans/a", []byte("a")); err != nil {
		t.Fatal(err)
	}
	broken = true
	if _, err := put(t.Context(), s, "spans/b", []byte("b")); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatalf("put: %v", err)
	}
	broken = false
	if _, err := put(t.Context(), s, "spans/c", []byte("c")); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatalf("put after a failed sync: %v", err)
	}
	if got, err := get(t, s, "spans/a"); err != nil || string(got) != "a" {
		t.Fatalf("%q %v", got, err)
	}
}

// Whatever fails of the disk where an object is read, the store is unavailable;
// what is not there is missing.
func TestUnreadable(t *testing.T) {
	var failing atomic.Int64
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpKind(failing.Load()) {
			return errorfs.ErrInjected
		}
		return nil
	}))
	failing.Store(-1)
	s := NewFolder(fs, "cold")
	if _, err := put(t.Context(), s, "a/b", []byte("content")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		op errorfs.OpKind
		do func() error
	}{
		{errorfs.OpOpen, func() error { return openAndClose(s, "a/b") }},
		{errorfs.OpFileStat, func() error { return openAndClose(s, "a/b") }},
		{errorfs.OpFileReadAt, func() error {
			_, err := r.ReadAt(make([]byte, 4), 1)
			return err
		}},
		{errorfs.OpList, func() error { return s.List(t.Context(), "", func(string, int64) error { return nil }) }},
		{errorfs.OpStat, func() error { return s.List(t.Context(), "", func(string, int64) error { return nil }) }},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("operation %d: %v", c.op, err)
		}
		failing.Store(int64(c.op))
		err := c.do()
		failing.Store(-1)
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("operation %d fails with %v", c.op, err)
		}
	}
	if n, err := r.ReadAt(make([]byte, 8), 0); n != 7 || err != io.EOF {
		t.Errorf("reading over the end gives %d, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := openAndClose(s, "a"); !errors.Is(err, ErrMissing) || errors.Is(err, ErrUnavailable) {
		t.Errorf("a folder gives %v", err)
	}
}

func openAndClose(s Store, name string) error {
	r, err := s.Open(context.Background(), name)
	if err != nil {
		return err
	}
	return r.Close()
}
