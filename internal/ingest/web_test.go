package ingest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/wal/record"
)

// startWeb serves OTLP/HTTP on loopback and gives its address.
func startWeb(t *testing.T, a Appender, o Options) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(a, o)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.ServeWeb(l); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
		wg.Wait()
	})
	return s, "http://" + l.Addr().String()
}

// A call is a request to OTLP/HTTP; the zero value of a field is the usual.
type call struct {
	method, path, typ, encoding string
	body                        []byte
	header                      map[string]string
}

func (c call) do(t *testing.T, addr string) (*http.Response, []byte) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/v1/traces"
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, addr+c.path, bytes.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.typ == "" {
		c.typ = typeProtobuf
	}
	r.Header.Set("Content-Type", c.typ)
	if c.encoding != "" {
		r.Header.Set("Content-Encoding", c.encoding)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer, body
}

// checkAnswer checks an answer that is an error, whose body is a Status in the
// type of the request.
func (c call) checkAnswer(t *testing.T, addr string, code int, want codes.Code, retry bool) {
	t.Helper()
	answer, body := c.do(t, addr)
	typ := answer.Header.Get("Content-Type")
	var st rpcstatus.Status
	var err error
	if typ == typeJSON {
		err = protojson.Unmarshal(body, &st)
	} else {
		err = proto.Unmarshal(body, &st)
	}
	if c.typ == "" && typ != typeProtobuf || c.typ != "" && typ != typeJSON {
		t.Errorf("the answer to %q has type %q", c.typ, typ)
	}
	if err != nil || answer.StatusCode != code || codes.Code(st.Code) != want || st.Message == "" || (answer.Header.Get("Retry-After") != "") != retry {
		t.Errorf("%d with %v, Retry-After %q (%v), want %d with %v", answer.StatusCode, &st, answer.Header.Get("Retry-After"), err, code, want)
	}
	for _, d := range st.Details {
		var info errdetails.RetryInfo
		if err := d.UnmarshalTo(&info); err != nil || !retry {
			t.Errorf("the details have %v", d)
		}
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func compressed(t testing.TB, encoding string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "snappy":
		return snappy.Encode(nil, body)
	case "x-snappy-framed":
		w = snappy.NewBufferedWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return body
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The bytes of a request reach the engine untouched, compressed or not.
func TestWebExport(t *testing.T) {
	r := &recorder{}
	_, addr := startWeb(t, r, Options{})
	big := span("01234567")
	big.Name = strings.Repeat("long ", 100_000)
	for _, req := range []*tracepb.ExportTraceServiceRequest{traces(span("01234567"), span("76543210")), traces(big)} {
		body := marshal(t, req)
		for _, encoding := range []string{"", "identity", "gzip", "zstd", "deflate", "snappy", "x-snappy-framed"} {
			answer, got := call{encoding: encoding, body: compressed(t, encoding, body)}.do(t, addr)
			if answer.StatusCode != http.StatusOK || len(got) != 0 || answer.Header.Get("Content-Type") != typeProtobuf {
				t.Fatalf("%q: %s %q", encoding, answer.Status, got)
			}
			list := r.taken()
			q := list[len(list)-1]
			if h := q.Header; !bytes.Equal(q.Body, body) || h.Source != record.OTLPHTTP || h.Codec != record.ProtobufS2 || h.Hash == [16]byte{} {
				t.Errorf("%q: %+v with %d bytes", encoding, h, len(q.Body))
			}
		}
	}
}

// JSON is stored as the protobuf that says the same.
func TestWebJSON(t *testing.T) {
	r := &recorder{}
	_, addr := startWeb(t, r, Options{})
	for path, body := range map[string]string{
		"/v1/traces": `{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "30313233343536373839616263646566", "spanId": "3031323334353637",
			"name": "op", "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": 2, "unknown": {"x": [1]}}]}]}]}`,
		"/v1/logs":    `{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "body": {"stringValue": "x"}}]}]}]}`,
		"/v1/metrics": `{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": "1", "asInt": "3"}]}}]}]}]}`,
	} {
		for _, typ := range []string{typeJSON, "application/json; charset=utf-8"} {
			answer, got := call{path: path, typ: typ, body: []byte(body)}.do(t, addr)
			if answer.StatusCode != http.StatusOK || string(got) != "{}" || answer.Header.Get("Content-Type") != typeJSON {
				t.Errorf("%s: %s %q", path, answer.Status, got)
			}
		}
		list := r.taken()
		if q := list[len(list)-1]; q.Rows.N != 1 || q.Header.Codec != record.ProtobufS2 || q.Header.Hash == [16]byte{} {
			t.Errorf("%s: %+v", path, q.Header)
		}
	}
}

// What is wrong for good is told apart from what may pass.
func TestWebErrors(t *testing.T) {
	_, addr := startWeb(t, &recorder{}, Options{MaxMessageBytes: 1 << 20})
	good := marshal(t, traces(span("01234567")))
	cut := compressed(t, "gzip", bytes.Repeat(good, 100))
	cut = cut[:len(cut)-9]
	large := make([]byte, 2<<20)
	for name, c := range map[string]struct {
		call
		code int
		want codes.Code
	}{
		"malformed":           {call{body: []byte("hello, world")}, 400, codes.InvalidArgument},
		"malformed json":      {call{typ: typeJSON, body: []byte(`{"resourceSpans": 3}`)}, 400, codes.InvalidArgument},
		"no json":             {call{typ: typeJSON, body: []byte("hello")}, 400, codes.InvalidArgument},
		"trailing bytes":      {call{typ: typeJSON, body: []byte(`{} {}`)}, 400, codes.InvalidArgument},
		"bad id in json":      {call{typ: typeJSON, body: []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}`)}, 400, codes.InvalidArgument},
		"not gzip":            {call{encoding: "gzip", body: good}, 400, codes.InvalidArgument},
		"gzip cut off":        {call{encoding: "gzip", body: cut}, 400, codes.InvalidArgument},
		"not zstd":            {call{encoding: "zstd", body: good}, 400, codes.InvalidArgument},
		"not deflate":         {call{encoding: "deflate", body: good}, 400, codes.InvalidArgument},
		"not snappy":          {call{encoding: "snappy", body: []byte("\xff\xff\xff\xff\xff\xff")}, 400, codes.InvalidArgument},
		"not framed snappy":   {call{encoding: "x-snappy-framed", body: good}, 400, codes.InvalidArgument},
		"snappy cut off":      {call{encoding: "snappy", body: compressed(t, "snappy", good)[:20]}, 400, codes.InvalidArgument},
		"snappy bomb":         {call{encoding: "snappy", body: compressed(t, "snappy", large)}, 413, codes.ResourceExhausted},
		"framed snappy bomb":  {call{encoding: "snappy", body: compressed(t, "x-snappy-framed", large)}, 413, codes.ResourceExhausted},
		"unknown compression": {call{encoding: "br", body: good}, 415, codes.InvalidArgument},
		"two compressions":    {call{encoding: "gzip, gzip", body: good}, 415, codes.InvalidArgument},
		"unknown type":        {call{typ: "text/plain", body: good}, 415, codes.InvalidArgument},
		"no such path":        {call{path: "/v1/profiles", body: good}, 404, codes.NotFound},
		"no such path, json":  {call{path: "/v1/nothing", typ: typeJSON}, 404, codes.NotFound},
		"method":              {call{method: http.MethodGet}, 405, codes.Unimplemented},
		"too large":           {call{body: large}, 413, codes.ResourceExhausted},
		"gzip bomb":           {call{encoding: "gzip", body: compressed(t, "gzip", large)}, 413, codes.ResourceExhausted},
		"zstd bomb":           {call{encoding: "zstd", body: compressed(t, "zstd", large)}, 413, codes.ResourceExhausted},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) { c.checkAnswer(t, addr, c.code, c.want, false) })
	}
	// A zstd frame must not make its reader keep more than the window allowed.
	var frame bytes.Buffer
	z, err := zstd.NewWriter(&frame, zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(z, strings.NewReader(strings.Repeat("x", 65<<20)), 65<<20); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	call{encoding: "zstd", body: frame.Bytes()}.checkAnswer(t, addr, 400, codes.InvalidArgument, false)
	for _, typ := range []string{"", typeJSON} {
		if answer, body := (call{typ: typ}).do(t, addr); answer.StatusCode != http.StatusOK {
			t.Errorf("an empty request of type %q: %s %q", typ, answer.Status, body)
		}
	}
}

func TestWebRetry(t *testing.T) {
	body := marshal(t, traces(span("01234567")))
	for _, c := range []struct {
		err  error
		code int
		want codes.Code
	}{
		{engine.ErrOverloaded, 429, codes.ResourceExhausted},
		{engine.ErrDiskFull, 429, codes.ResourceExhausted},
		{engine.ErrClosed, 503, codes.Unavailable},
		{engine.ErrFailed, 503, codes.Unavailable},
		{errors.New("anything"), 503, codes.Unavailable},
	} {
		_, addr := startWeb(t, &recorder{err: fmt.Errorf("append: %w", c.err)}, Options{})
		call{body: body}.checkAnswer(t, addr, c.code, c.want, true)
	}
}

func TestWebPartialSuccess(t *testing.T) {
	r := &recorder{}
	_, addr := startWeb(t, r, Options{})
	body := marshal(t, traces(span("01234567"), span("short"), span("76543210")))
	answer, got := call{body: body}.do(t, addr)
	var response tracepb.ExportTraceServiceResponse
	if err := proto.Unmarshal(got, &response); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %v", answer.Status, err)
	}
	if p := response.GetPartialSuccess(); p.GetRejectedSpans() != 1 || !strings.Contains(p.GetErrorMessage(), "span_id") {
		t.Errorf("the answer is %v", &response)
	}
	late := `{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "18446744073709551615"}, {"timeUnixNano": "1"}]}]}]}`
	_, got = call{path: "/v1/logs", typ: typeJSON, body: []byte(late)}.do(t, addr)
	if text := strings.ReplaceAll(string(got), " ", ""); !strings.Contains(text, `"rejectedLogRecords":"1"`) || !strings.Contains(text, "beyond") {
		t.Errorf("the answer is %s", got)
	}
	if list := r.taken(); len(list) != 2 || list[0].Rows.N != 2 || list[1].Rows.N != 1 {
		t.Errorf("%d requests were stored", len(list))
	}
}

// Bodies that grow without end stay within the pool, and none of it is lost.
func TestWebBombs(t *testing.T) {
	const pool = 12 << 20
	r := &recorder{}
	s, addr := startWeb(t, r, Options{MaxMessageBytes: 4 << 20, MaxInFlightBytes: pool})
	bomb := compressed(t, "zstd", make([]byte, 256<<20))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			answer, _ := call{encoding: "zstd", body: bomb}.do(t, addr)
			if code := answer.StatusCode; code != http.StatusRequestEntityTooLarge && code != http.StatusTooManyRequests {
				t.Errorf("a bomb is answered with %s", answer.Status)
			}
		})
	}
	wg.Wait()
	if n := s.pool.free.Load(); n != pool {
		t.Errorf("%d bytes of the pool are lost", pool-n)
	}
	if len(r.taken()) != 0 {
		t.Error("something was stored")
	}
}

// While the pool is taken, a request is refused at once and may come again.
func TestWebPool(t *testing.T) {
	r := &recorder{hold: make(chan struct{}), entered: make(chan struct{})}
	_, addr := startWeb(t, r, Options{MaxInFlightBytes: 1000})
	s := span("01234567")
	s.Name = strings.Repeat("x", 800)
	body := marshal(t, traces(s))
	var wg sync.WaitGroup
	wg.Go(func() {
		if answer, _ := (call{body: body}).do(t, addr); answer.StatusCode != http.StatusOK {
			t.Error(answer.Status)
		}
	})
	<-r.entered
	call{body: body}.checkAnswer(t, addr, 429, codes.ResourceExhausted, true)
	close(r.hold)
	wg.Wait()
}

func TestWebCORS(t *testing.T) {
	preflight := call{method: http.MethodOptions, header: map[string]string{
		"Origin": "https://a.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
	}}
	for _, c := range []struct {
		origins []string
		want    string
	}{{nil, ""}, {[]string{"https://b.example"}, ""}, {[]string{"https://a.example"}, "https://a.example"}, {[]string{"*"}, "https://a.example"}} {
		_, addr := startWeb(t, &recorder{}, Options{CORSOrigins: c.origins})
		answer, _ := preflight.do(t, addr)
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != c.want || answer.StatusCode != http.StatusNoContent {
			t.Errorf("%v: %s, allowed %q", c.origins, answer.Status, got)
		}
		answer, _ = call{body: marshal(t, traces()), header: map[string]string{"Origin": "https://a.example"}}.do(t, addr)
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != c.want || answer.StatusCode != http.StatusOK {
			t.Errorf("%v: %s, allowed %q", c.origins, answer.Status, got)
		}
	}
}

// Bytes that are no HTTP end their connection, and nothing else.
func TestWebGarbage(t *testing.T) {
	_, addr := startWeb(t, &recorder{}, Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(addr, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("\x00\x01\x02garbage\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if answer, _ := (call{body: marshal(t, traces(&trace.Span{}))}).do(t, addr); answer.StatusCode != http.StatusOK {
		t.Error(answer.Status)
	}
}
