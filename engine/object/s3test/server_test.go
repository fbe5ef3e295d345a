package s3test

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	accessKey = "AKIDTESTTESTTEST"
	secretKey = "secret-that-must-not-be-seen"
)

// A server is an S3 server in this process, with one bucket "tael", which is a
// folder. There is one at a time.
type server struct {
	t    *testing.T
	dir  string
	addr string

	stop context.CancelFunc
	done sync.WaitGroup
}

func newServer(t *testing.T) *server {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_REGION", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"buckets/tael", "meta"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	t.Cleanup(func() { s.halt() })
	return s
}

func (s *server) start() {
	s.t.Helper()
	side, err := meta.NewSideCar(filepath.Join(s.dir, "meta"))
	if err != nil {
		s.t.Fatal(err)
	}
	folder, err := posix.New(filepath.Join(s.dir, "buckets"), side, posix.PosixOpts{})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	failed := make(chan error, 1)
	s.done.Go(func() {
		failed <- embedgw.RunVersityGW(ctx, folder, &embedgw.Config{
			RootUserAccess: accessKey, RootUserSecret: secretKey, Ports: []string{s.addr},
			MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10000, Quiet: true, KeepAlive: true,
		})
	})
	for {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			if err := c.Close(); err != nil {
				s.t.Fatal(err)
			}
			return
		}
		select {
		case err := <-failed:
			s.t.Fatalf("S3 server: %v", err)
		default:
		}
	}
}

func (s *server) halt() {
	s.stop()
	s.done.Wait()
}

// A fault answers a request in the server's place, or after it, and says so.
type fault func(w http.ResponseWriter, r *http.Request, forward http.Handler) (answered bool)

// A proxy stands before the server, and breaks requests.
type proxy struct {
	*httptest.Server
	mu       sync.Mutex
	fault    fault
	requests int
}

func newProxy(t *testing.T, s *server) *proxy {
	t.Helper()
	forward := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s.addr})
			r.Out.Host = r.In.Host // it is signed
		},
	}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests++
		broken := p.fault
		p.mu.Unlock()
		if broken == nil || !broken(w, r, forward) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// breaks sets the fault of all requests from now on, and counts anew.
func (p *proxy) breaks(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.requests = f, 0
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// times limits a fault to the first n requests that match.
func times(n int, match func(*http.Request) bool, f fault) fault {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		mu.Lock()
		hit := n > 0 && match(r)
		if hit {
			n--
		}
		mu.Unlock()
		return hit && f(w, r, forward)
	}
}

func always(*http.Request) bool { return true }

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.WriteHeader(code)
		return true
	}
}

// silent takes the request and answers nothing.
func silent(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// cut sends the first half of the server's answer and drops the connection.
func cut(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
	whole := httptest.NewRecorder()
	forward.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// lost has the server do what is asked, and drops its answer.
func lost(_ http.ResponseWriter, r *http.Request, forward http.Handler) bool {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// stuck sends the first half of the server's answer and no more.
func stuck(w http.ResponseWriter, r *http.Request, forward http.Handler) bool {
	whole := httptest.NewRecorder()
	forward.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}
