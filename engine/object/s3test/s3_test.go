package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tael-sql/tael-sql/engine/object"
)

// open gives a store that does not rest after a failure.
func open(t *testing.T, endpoint string, timeout time.Duration) object.Store {
	t.Helper()
	s, err := object.NewS3(object.S3Config{Bucket: "tael", Prefix: "a/prefix", Endpoint: endpoint, Timeout: timeout, Rest: -1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(ctx context.Context, s object.Store, name string, content []byte) (object.Info, error) {
	return s.Put(ctx, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

func get(ctx context.Context, s object.Store, name string) ([]byte, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	content := make([]byte, r.Size())
	n, err := r.ReadAt(content, 0)
	if n == len(content) && errors.Is(err, io.EOF) {
		err = nil
	}
	return content[:n], errors.Join(err, r.Close())
}

func names(t *testing.T, s object.Store, prefix string) string {
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

func TestStore(t *testing.T) {
	srv := newServer(t)
	s := open(t, "http://"+srv.addr, 0)
	ctx := t.Context()
	if got := names(t, s, ""); got != "" {
		t.Fatalf("before anything is put: %s", got)
	}
	if _, err := s.Open(ctx, "spans/1.parquet"); !errors.Is(err, object.ErrMissing) || errors.Is(err, object.ErrUnavailable) {
		t.Fatalf("open what is not there: %v", err)
	}
	if err := s.Delete(ctx, "spans/1.parquet"); err != nil {
		t.Fatalf("delete what is not there: %v", err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for name, content := range map[string][]byte{
		"spans/1.parquet": large, "spans/_live": []byte("x"), "spans/2": nil, "spans/sub/deep": []byte("abc"), "logs/1": []byte("ab"),
	} {
		info, err := put(ctx, s, name, content)
		if err != nil || info != (object.Info{Bytes: int64(len(content)), Checksum: xxhash.Sum64(content)}) {
			t.Fatalf("put %s: %v %v", name, info, err)
		}
		if got, err := get(ctx, s, name); err != nil || !bytes.Equal(got, content) {
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
	for prefix, want := range map[string]string{
		"":        "logs/1:2 spans/1.parquet:1600000 spans/2:0 spans/_live:1 spans/sub/deep:3",
		"spans/":  "spans/1.parquet:1600000 spans/2:0 spans/_live:1 spans/sub/deep:3",
		"spans/s": "spans/sub/deep:3",
		"traces":  "",
	} {
		if got := names(t, s, prefix); got != want {
			t.Errorf("list %q: %s, want %s", prefix, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(srv.dir, "buckets/tael/a/prefix/spans/1.parquet")); err != nil {
		t.Errorf("where the prefix says: %v", err)
	}

	// An open reader keeps to its version; the next one has the new content.
	if _, err := put(ctx, s, "spans/1.parquet", []byte("replaced")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(part, 0); err == nil || errors.Is(err, object.ErrUnavailable) {
		t.Errorf("read what was replaced: %v", err)
	}
	if got, err := get(ctx, s, "spans/1.parquet"); err != nil || string(got) != "replaced" {
		t.Fatalf("replaced: %q %v", got, err)
	}
	r, err = s.Open(ctx, "spans/1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(ctx, "spans/1.parquet"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.ReadAt(part[:1], 0); !errors.Is(err, object.ErrMissing) {
		t.Errorf("read what was deleted: %v", err)
	}
	if _, err := put(ctx, s, "../outside", nil); err == nil {
		t.Error("put ../outside")
	}
}

// A list of more names than an answer holds.
func TestPages(t *testing.T) {
	srv := newServer(t)
	s := open(t, "http://"+srv.addr, 0)
	dir := filepath.Join(srv.dir, "buckets/tael/a/prefix/spans")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	want := 2345
	for i := range want {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := s.List(t.Context(), "spans/", func(name string, size int64) error {
		if name != fmt.Sprintf("spans/%05d", n) || size != 1 {
			return fmt.Errorf("number %d is %s with %d bytes", n, name, size)
		}
		n++
		return nil
	})
	if err != nil || n != want {
		t.Fatalf("%d names, %v", n, err)
	}
}

// An object of several parts, of whose bytes few are in memory at a time.
func TestLarge(t *testing.T) {
	srv := newServer(t)
	p := newProxy(t, srv)
	s := open(t, p.URL, 0)
	const size, limit = 80 << 20, 48 << 20
	block := make([]byte, 1<<20)
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := live(), int64(0)
	hash := xxhash.New()
	write := func(w io.Writer) error {
		for i := range size / len(block) {
			for j := range block {
				block[j] = byte(i + j + j>>8)
			}
			_, _ = hash.Write(block)
			if _, err := w.Write(block); err != nil {
				return err
			}
			most = max(most, live()-before)
		}
		return nil
	}
	info, err := s.Put(t.Context(), "spans/large", write)
	if err != nil || info != (object.Info{Bytes: size, Checksum: hash.Sum64()}) {
		t.Fatalf("%v %v", info, err)
	}
	t.Logf("%d MB live at most", most>>20)
	if most > limit {
		t.Errorf("%d bytes live for an object of %d", most, size)
	}
	r, err := s.Open(t.Context(), "spans/large")
	if err != nil {
		t.Fatal(err)
	}
	requests := p.count()
	read := xxhash.New()
	if _, err := io.Copy(read, object.Stream(r)); err != nil || read.Sum64() != info.Checksum {
		t.Fatalf("read %d bytes: %v", r.Size(), err)
	}
	if n := p.count() - requests; n > size>>20 {
		t.Errorf("%d requests for %d bytes", n, r.Size())
	}
	// What fails on its way leaves neither object nor parts.
	stop := errors.New("stop")
	_, err = s.Put(t.Context(), "spans/large", func(w io.Writer) error { return errors.Join(write(w), stop) })
	if !errors.Is(err, stop) {
		t.Fatalf("stopped: %v", err)
	}
	if got := names(t, s, ""); got != fmt.Sprintf("spans/large:%d", size) {
		t.Errorf("%s", got)
	}
	if n := parts(t, srv); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

// parts counts the files of uploads that the server keeps.
func parts(t *testing.T, srv *server) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(srv.dir, "buckets/tael/.sgwtmp"), func(_ string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What a crash left of an upload goes with Clean.
func TestClean(t *testing.T) {
	srv := newServer(t)
	p := newProxy(t, srv)
	s := open(t, p.URL, 0)
	// The upload cannot be aborted, as after a crash.
	p.breaks(times(100, func(r *http.Request) bool { return r.Method == http.MethodDelete }, status(503)))
	_, err := s.Put(t.Context(), "spans/left", func(w io.Writer) error {
		_, err := w.Write(make([]byte, 33<<20))
		return errors.Join(err, io.ErrUnexpectedEOF)
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if parts(t, srv) == 0 {
		t.Fatal("nothing is left")
	}
	p.breaks(nil)
	if err := object.Clean(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := parts(t, srv); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

// A server that is stopped is unavailable soon, and there again when it is.
func TestStopped(t *testing.T) {
	srv := newServer(t)
	s := open(t, "http://"+srv.addr, 2*time.Second)
	ctx := t.Context()
	if _, err := put(ctx, s, "spans/1", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(ctx, "spans/1")
	if err != nil {
		t.Fatal(err)
	}
	srv.halt()
	start := time.Now()
	for what, err := range everything(ctx, s, r) {
		if !errors.Is(err, object.ErrUnavailable) || errors.Is(err, object.ErrMissing) {
			t.Errorf("%s, stopped: %v", what, err)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	srv.start()
	for what, err := range everything(ctx, s, r) {
		if err != nil {
			t.Errorf("%s, started: %v", what, err)
		}
	}
}

// everything does each operation once.
func everything(ctx context.Context, s object.Store, r object.Reader) map[string]error {
	errs := make(map[string]error)
	_, errs["put"] = put(ctx, s, "spans/2", []byte("x"))
	_, errs["put parts"] = put(ctx, s, "spans/3", make([]byte, 17<<20))
	_, errs["open"] = s.Open(ctx, "spans/1")
	_, errs["read"] = r.ReadAt(make([]byte, 2), 1)
	errs["list"] = s.List(ctx, "", func(string, int64) error { return nil })
	errs["clean"] = object.Clean(ctx, s)
	errs["delete"] = s.Delete(ctx, "spans/2")
	return errs
}

// What passes is tried again, three times; what does not pass fails at once.
func TestFaults(t *testing.T) {
	srv := newServer(t)
	p := newProxy(t, srv)
	s := open(t, p.URL, 500*time.Millisecond)
	ctx := t.Context()
	content := bytes.Repeat([]byte("content"), 1000)
	if _, err := put(ctx, s, "spans/1", content); err != nil {
		t.Fatal(err)
	}
	method := func(m, query string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == m && strings.Contains(r.URL.RawQuery, query) }
	}
	for name, f := range map[string]struct {
		match func(*http.Request) bool
		fault fault
	}{
		"500":              {always, status(500)},
		"503":              {always, status(503)},
		"429":              {always, status(429)},
		"silence":          {always, silent},
		"get cut":          {method("GET", ""), cut},
		"get stuck":        {method("GET", ""), stuck},
		"put lost":         {method("PUT", ""), lost},
		"completion lost":  {method("POST", "uploadId"), lost},
		"completion stuck": {method("POST", "uploadId"), stuck},
		"delete lost":      {method("DELETE", ""), lost},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := s.Open(ctx, "spans/1")
			if err != nil {
				t.Fatal(err)
			}
			p.breaks(times(2, f.match, f.fault))
			for what, err := range everything(ctx, s, r) {
				if err != nil {
					t.Errorf("two faults, %s: %v", what, err)
				}
			}
			if got, err := get(ctx, s, "spans/1"); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if got, err := get(ctx, s, "spans/3"); err != nil || len(got) != 17<<20 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			p.breaks(times(3, f.match, f.fault))
			failed := 0
			for what, err := range everything(ctx, s, r) {
				if err == nil {
					continue
				}
				failed++
				if !errors.Is(err, object.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("three faults, %s: %v", what, err)
				}
			}
			if failed != 1 {
				t.Errorf("%d operations failed", failed)
			}
			p.breaks(nil)
			if n := parts(t, srv); n != 0 {
				t.Errorf("%d parts are left", n)
			}
		})
	}
	// Servers may have forgotten an upload that they completed. They have not,
	// if the object is another one.
	t.Run("completed", func(t *testing.T) {
		completion := method("POST", "uploadId")
		for _, completed := range []bool{true, false} {
			first := times(1, completion, lost)
			p.breaks(func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
				if !completion(r) || completed && first(w, r, forward) {
					return false
				}
				w.WriteHeader(404)
				_, _ = io.WriteString(w, "<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>")
				return true
			})
			content := bytes.Repeat([]byte(fmt.Sprint(completed)), 5<<20)
			if _, err := put(ctx, s, "spans/4", content); completed != (err == nil) || err != nil && !errors.Is(err, object.ErrUnavailable) {
				t.Errorf("completed %v: %v", completed, err)
			}
		}
		p.breaks(nil)
	})
	t.Run("refused", func(t *testing.T) {
		r, err := s.Open(ctx, "spans/1")
		if err != nil {
			t.Fatal(err)
		}
		p.breaks(status(403))
		for what, err := range everything(ctx, s, r) {
			if !errors.Is(err, object.ErrUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := p.count(); n != 7 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		p.breaks(silent)
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if _, err := s.Open(ctx, "spans/1"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, object.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}

// After a failure all requests fail at once, until one finds the server there
// again.
func TestRest(t *testing.T) {
	srv := newServer(t)
	p := newProxy(t, srv)
	ctx := t.Context()
	s, err := object.NewS3(object.S3Config{Bucket: "tael", Endpoint: p.URL, Timeout: time.Second, Rest: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(ctx, s, "spans/1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	p.breaks(silent)
	if _, err := s.Open(ctx, "spans/1"); !errors.Is(err, object.ErrUnavailable) || p.count() != 3 {
		t.Fatalf("%d tries, %v", p.count(), err)
	}
	start, fast := time.Now(), 0
	for time.Since(start) < 500*time.Millisecond && fast < 1000 {
		if _, err := s.Open(ctx, "spans/1"); !errors.Is(err, object.ErrUnavailable) {
			t.Fatal(err)
		}
		fast++
	}
	if fast < 1000 || p.count() != 3 {
		t.Errorf("%d requests failed at once, %d were sent", fast, p.count())
	}
	p.breaks(nil)
	for { // the rest ends
		_, err := s.Open(ctx, "spans/1")
		if err == nil {
			break
		}
		if !errors.Is(err, object.ErrUnavailable) || time.Since(start) > 10*time.Second {
			t.Fatal(err)
		}
	}
	if time.Since(start) < 500*time.Millisecond {
		t.Error("there was no rest")
	}
}

// What is asked goes to no other host, whatever the answer says.
func TestRedirect(t *testing.T) {
	srv := newServer(t)
	p, other := newProxy(t, srv), newProxy(t, srv)
	s := open(t, p.URL, time.Second)
	if _, err := put(t.Context(), s, "spans/1", []byte("content")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), "spans/1")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		p.breaks(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			http.Redirect(w, r, other.URL+r.URL.RequestURI(), code)
			return true
		})
		for what, err := range everything(t.Context(), s, r) {
			if !errors.Is(err, object.ErrUnavailable) {
				t.Errorf("%d, %s: %v", code, what, err)
			}
		}
	}
	if n := other.count(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// A bucket that is not there is no store without objects.
func TestNoBucket(t *testing.T) {
	srv := newServer(t)
	s, err := object.Parse("s3://other?timeout=1s&endpoint=http://"+srv.addr, "", vfs.Default)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "spans/1"); !errors.Is(err, object.ErrUnavailable) || errors.Is(err, object.ErrMissing) {
		t.Errorf("open: %v", err)
	}
	if _, err := put(t.Context(), s, "spans/1", nil); !errors.Is(err, object.ErrUnavailable) {
		t.Errorf("put: %v", err)
	}
	if err := s.List(t.Context(), "", nil); !errors.Is(err, object.ErrUnavailable) {
		t.Errorf("list: %v", err)
	}
}

// Errors go to logs: no key is in them.
func TestWrongKey(t *testing.T) {
	srv := newServer(t)
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
		t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
		t.Setenv(key, "wrong-and-not-to-be-seen")
		_, err := put(t.Context(), open(t, "http://"+srv.addr, 0), "spans/1", nil)
		if !errors.Is(err, object.ErrUnavailable) {
			t.Fatalf("%s: %v", key, err)
		}
		for _, secret := range []string{accessKey, secretKey, "not-to-be-seen"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
		}
	}
}
