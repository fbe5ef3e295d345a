package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tael-sql/tael-sql/internal/ingest/files"
	"github.com/tael-sql/tael-sql/wal/record"
)

// The content types of OTLP/HTTP.
const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// A webError is an answer that is not a success.
type webError struct {
	code   int
	status error // of gRPC; its message and RetryInfo are the answer's
}

// webErrorf is an error that does not pass.
func webErrorf(code int, format string, args ...any) *webError {
	c := codes.InvalidArgument
	switch code {
	case http.StatusNotFound:
		c = codes.NotFound
	case http.StatusMethodNotAllowed:
		c = codes.Unimplemented
	case http.StatusRequestEntityTooLarge:
		c = codes.ResourceExhausted
	}
	return &webError{code, status.Errorf(c, format, args...)}
}

// webStatus gives a status of gRPC its HTTP code. Senders repeat what is
// answered with 429, 502, 503 and 504, and drop anything else.
func webStatus(err error) *webError {
	code := http.StatusServiceUnavailable
	switch status.Code(err) {
	case codes.InvalidArgument:
		code = http.StatusBadRequest
	case codes.Unauthenticated:
		code = http.StatusUnauthorized
	case codes.PermissionDenied:
		code = http.StatusForbidden
	case codes.ResourceExhausted:
		code = http.StatusTooManyRequests
	case codes.DeadlineExceeded:
		code = http.StatusGatewayTimeout
	}
	return &webError{code, err}
}

// webHandler answers OTLP/HTTP.
func (s *Server) webHandler() http.Handler {
	mux := http.NewServeMux()
	for i := range services {
		sv := &services[i]
		mux.HandleFunc(sv.path, func(w http.ResponseWriter, r *http.Request) { s.post(w, r, sv) })
	}
	mux.HandleFunc(remoteWritePath, s.remoteWrite)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		typ, _ := contentType(r)
		answerError(w, typ, webErrorf(http.StatusNotFound, "there is nothing at %s", r.URL.Path))
	})
	return mux
}

// contentType gives the type of a request, and of its answer; ok is false
// where it is not one of OTLP's, which is answered in JSON.
func contentType(r *http.Request) (typ string, ok bool) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != typeProtobuf && typ != typeJSON {
		return typeJSON, false
	}
	return typ, true
}

// post answers a request to a service.
func (s *Server) post(w http.ResponseWriter, r *http.Request, sv *service) {
	typ, ok := contentType(r)
	if s.cors(w, r); r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answerError(w, typ, webErrorf(http.StatusMethodNotAllowed, "requests are sent by POST, not %s", r.Method))
		return
	}
	if failure := s.authorizeWeb(w, r); failure != nil {
		answerError(w, typ, failure)
		return
	}
	if !ok {
		answerError(w, typ, webErrorf(http.StatusUnsupportedMediaType, "the content type is %s or %s", typeProtobuf, typeJSON))
		return
	}
	b := &webBody{pool: &s.pool, limit: s.opts.MaxMessageBytes}
	defer b.release()
	answer, failure := s.receive(w, r, sv, typ, b)
	if failure != nil {
		answerError(w, typ, failure)
		return
	}
	send(w, typ, http.StatusOK, answer)
}

func (s *Server) receive(w http.ResponseWriter, r *http.Request, sv *service, typ string, b *webBody) (proto.Message, *webError) {
	if failure := b.read(w, r); failure != nil {
		return nil, failure
	}
	body := b.bytes
	if typ == typeJSON {
		// pdata's form of a request takes several times its text.
		if !b.take(min(4*int64(len(body)), s.opts.MaxInFlightBytes/2)) {
			return nil, webStatus(errPool)
		}
		var err error
		if body, err = s.fromJSON(sv.signal, body); err != nil {
			return nil, webErrorf(http.StatusBadRequest, "%v", err)
		}
	}
	answer, err := s.export(r.Context(), sv, record.OTLPHTTP, body)
	if err != nil {
		return nil, webStatus(err)
	}
	return answer, nil
}

// fromJSON makes a bug of the JSON reader that of one request. Protobuf is what
// is stored, so that replay has one reader.
func (s *Server) fromJSON(signal record.Type, text []byte) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Logger.Error("the JSON reader panicked", "signal", signal, "bytes", len(text), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: it cannot be decoded", files.ErrFormat)
		}
	}()
	if len(text) == 0 {
		return nil, nil // as in protobuf: no items
	}
	return files.FromJSON(signal, text)
}

// cors lets pages of the configured origins send.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || len(s.opts.CORSOrigins) == 0 {
		return
	}
	w.Header().Add("Vary", "Origin")
	if !slices.Contains(s.opts.CORSOrigins, "*") && !slices.Contains(s.opts.CORSOrigins, origin) {
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		w.Header().Set("Access-Control-Max-Age", "7200")
	}
}

// A webBody is the decompressed body of a request, in memory of the pool.
type webBody struct {
	pool  *pool
	limit int
	bytes []byte
	taken int64
}

func (b *webBody) take(n int64) bool {
	if !b.pool.take(n) {
		return false
	}
	b.taken += n
	return true
}

func (b *webBody) release() { b.pool.give(b.taken) }

func (b *webBody) read(w http.ResponseWriter, r *http.Request) *webError {
	var in io.Reader = http.MaxBytesReader(w, r.Body, int64(b.limit))
	size := 64 << 10
	switch name := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); {
	case len(r.Header.Values("Content-Encoding")) > 1:
		return webErrorf(http.StatusUnsupportedMediaType, "a body is compressed once at most")
	case name == "" || name == "identity":
		if r.ContentLength > 0 {
			size = int(min(r.ContentLength, int64(b.limit))) + 1
		}
	case openers[name] == nil:
		return webErrorf(http.StatusUnsupportedMediaType, "the content encoding %q is not known; gzip, zstd, deflate and snappy are", name)
	case name == "snappy":
		buffered := bufio.NewReaderSize(in, len(snappyFramed))
		if head, _ := buffered.Peek(len(snappyFramed)); string(head) != snappyFramed {
			return b.readBlock(buffered)
		}
		in = buffered
		fallthrough
	default:
		z, err := openers[name](in)
		if err != nil {
			return webErrorf(http.StatusBadRequest, "%v", errCorrupt)
		}
		defer func() { _ = z.Close() }() // reading has told of all errors
		in = z
	}
	if r.ContentLength > int64(b.limit) {
		return b.tooLarge()
	}
	return b.readAll(in, size)
}

// readBlock reads a block of snappy, whose length stands before it.
func (b *webBody) readBlock(in io.Reader) *webError {
	if problem := b.readAll(in, 64<<10); problem != nil {
		return problem
	}
	n, err := snappy.DecodedLen(b.bytes)
	switch {
	case err != nil:
		return webErrorf(http.StatusBadRequest, "%v", errCorrupt)
	case n > b.limit:
		return b.tooLarge()
	case !b.take(int64(n)):
		return webStatus(errPool)
	}
	if b.bytes, err = snappy.Decode(make([]byte, n), b.bytes); err != nil {
		return webErrorf(http.StatusBadRequest, "%v", errCorrupt)
	}
	return nil
}

// readAll reads in into memory of the pool, of which size bytes at first.
func (b *webBody) readAll(in io.Reader, size int) *webError {
	for {
		if len(b.bytes) == cap(b.bytes) {
			size = min(size, b.limit+1)
			if !b.take(int64(size - len(b.bytes))) {
				return webStatus(errPool)
			}
			b.bytes = append(make([]byte, 0, size), b.bytes...)
			size *= 2
		}
		n, err := in.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch large := (*http.MaxBytesError)(nil); {
		case len(b.bytes) > b.limit, errors.As(err, &large):
			return b.tooLarge()
		case err == io.EOF:
			return nil
		case err != nil:
			return webErrorf(http.StatusBadRequest, "%v", errCorrupt)
		}
	}
}

func (b *webBody) tooLarge() *webError {
	return webErrorf(http.StatusRequestEntityTooLarge, "a request has at most %d bytes, decompressed", b.limit)
}

// answerError answers with a google.rpc.Status.
func answerError(w http.ResponseWriter, typ string, e *webError) {
	st := status.Convert(e.status)
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(info.GetRetryDelay().AsDuration()/time.Second)))
		}
	}
	send(w, typ, e.code, st.Proto())
}

// send writes a message in the type of the request.
func send(w http.ResponseWriter, typ string, code int, m proto.Message) {
	marshal := proto.Marshal
	if typ == typeJSON {
		marshal = protojson.Marshal
	}
	body, err := marshal(m)
	if err != nil {
		panic(fmt.Sprintf("BUG: an answer cannot be encoded: %v", err))
	}
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that is gone sends again
}
