package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/wal/record"
)

// A recorder keeps what it is given, or answers with err.
type recorder struct {
	mu       sync.Mutex
	err      error
	requests []engine.Request
	hold     chan struct{} // if set, Append waits for it
	entered  chan struct{} // if set, Append says that it waits
}

func (r *recorder) Append(ctx context.Context, q engine.Request) error {
	if r.hold != nil {
		r.entered <- struct{}{}
		select {
		case <-r.hold:
		case <-ctx.Done():
			return fmt.Errorf("engine: unknown: %w", ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.requests = append(r.requests, q)
	return nil
}

func (r *recorder) taken() []engine.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// start serves on loopback and gives a connection.
func start(t *testing.T, a Appender, o Options) (*Server, *grpc.ClientConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(a, o)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(l); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
		wg.Wait()
	})
	return s, conn
}

func span(id string) *trace.Span {
	return &trace.Span{
		TraceId: []byte("0123456789abcdef"), SpanId: []byte(id), Name: "op", StartTimeUnixNano: 1, EndTimeUnixNano: 2,
	}
}

func traces(spans ...*trace.Span) *tracepb.ExportTraceServiceRequest {
	return &tracepb.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource: &resource.Resource{}, ScopeSpans: []*trace.ScopeSpans{{Spans: spans}},
	}}}
}

// checkStatus checks the code of an error, and whether it has RetryInfo.
func checkStatus(t *testing.T, err error, code codes.Code, retry bool) {
	t.Helper()
	st := status.Convert(err)
	got := false
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			got = info.GetRetryDelay().AsDuration() > 0
		}
	}
	if st.Code() != code || got != retry {
		t.Fatalf("%v with RetryInfo %t, want %v with %t", err, got, code, retry)
	}
}

// The bytes of a request reach the engine untouched, compressed on the way or not.
func TestExport(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	req := traces(span("01234567"), span("76543210"))
	body, err := proto.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		before := time.Now().UnixNano()
		answer, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), req, option...)
		if err != nil {
			t.Fatal(err)
		}
		if answer.PartialSuccess != nil {
			t.Errorf("the answer is %v", answer)
		}
		list := r.taken()
		q := list[len(list)-1]
		if !bytes.Equal(q.Body, body) || q.Items != 2 || q.Rows.N != 2 {
			t.Errorf("got %d items in %d rows of %x, want 2 of %x", q.Items, q.Rows.N, q.Body, body)
		}
		h := q.Header
		if h.Type != record.Traces || h.Codec != record.ProtobufS2 || h.Source != record.OTLPGRPC || h.Hash == [16]byte{} ||
			h.ReceiveNanos < before || h.ReceiveNanos > time.Now().UnixNano() {
			t.Errorf("the header is %+v", h)
		}
	}
	list := r.taken()
	if len(list) != 2 || list[0].Header.Hash != list[1].Header.Hash {
		t.Error("the same request sent twice has two hashes")
	}
}

// A request in which an item has no time may be meant twice.
func TestExportWithoutTimeHasNoHash(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	s := span("01234567")
	s.StartTimeUnixNano = 0
	if _, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(s)); err != nil {
		t.Fatal(err)
	}
	if q := r.taken()[0]; q.Header.Hash != [16]byte{} {
		t.Errorf("the hash is %x", q.Header.Hash)
	}
}

func TestExportPartialSuccess(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	client := tracepb.NewTraceServiceClient(conn)
	answer, err := client.Export(t.Context(), traces(span("01234567"), span("short"), span("76543210")))
	if err != nil {
		t.Fatal(err)
	}
	if p := answer.GetPartialSuccess(); p.GetRejectedSpans() != 1 || !strings.Contains(p.GetErrorMessage(), "span_id") {
		t.Errorf("the answer is %v", answer)
	}
	if q := r.taken()[0]; q.Items != 3 || q.Rows.N != 2 {
		t.Errorf("%d items in %d rows", q.Items, q.Rows.N)
	}
	// Nothing is left to store.
	if answer, err = client.Export(t.Context(), traces(span("short"))); err != nil {
		t.Fatal(err)
	}
	if answer.GetPartialSuccess().GetRejectedSpans() != 1 || len(r.taken()) != 1 {
		t.Errorf("the answer is %v after %d requests", answer, len(r.taken()))
	}
}

func TestExportMalformed(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{})
	for i := range services {
		method := "/" + services[i].name + "/Export"
		_, err := Export(t.Context(), conn, method, []byte("hello, world"))
		checkStatus(t, err, codes.InvalidArgument, false)
		answer, err := Export(t.Context(), conn, method, nil)
		if err != nil || len(answer) != 0 {
			t.Errorf("an empty request: %x, %v", answer, err)
		}
	}
	if len(r.taken()) != 0 {
		t.Error("something was stored")
	}
}

// What may pass must not make a sender drop its data.
func TestExportErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		code  codes.Code
		retry bool
	}{
		{engine.ErrOverloaded, codes.ResourceExhausted, true},
		{engine.ErrDiskFull, codes.ResourceExhausted, true},
		{engine.ErrClosed, codes.Unavailable, true},
		{engine.ErrFailed, codes.Unavailable, true},
		{errors.New("anything"), codes.Unavailable, true},
		{context.DeadlineExceeded, codes.DeadlineExceeded, false},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			_, conn := start(t, &recorder{err: fmt.Errorf("append: %w", c.err)}, Options{})
			_, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(span("01234567")))
			checkStatus(t, err, c.code, c.retry)
		})
	}
}

// The limit holds for the decompressed request, which must not be sent again.
func TestExportTooLarge(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{MaxMessageBytes: 1 << 20})
	s := span("01234567")
	s.Name = strings.Repeat("x", 2<<20)
	for _, option := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
		_, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(s), option...)
		checkStatus(t, err, codes.ResourceExhausted, false)
	}
	if len(r.taken()) != 0 {
		t.Error("something was stored")
	}
}

// While the pool is taken, a request is refused at once and may come again.
func TestExportPool(t *testing.T) {
	r := &recorder{hold: make(chan struct{}), entered: make(chan struct{})}
	s, conn := start(t, r, Options{MaxInFlightBytes: 100})
	client := tracepb.NewTraceServiceClient(conn)
	req := traces(span("01234567"))
	req.ResourceSpans[0].SchemaUrl = strings.Repeat("x", 100-proto.Size(req)-2)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := client.Export(t.Context(), req); err != nil {
			t.Error(err)
		}
	})
	<-r.entered
	_, err := client.Export(t.Context(), traces(span("76543210")))
	checkStatus(t, err, codes.ResourceExhausted, true)
	close(r.hold)
	wg.Wait()
	if n := s.pool.free.Load(); n != 100 {
		t.Errorf("%d bytes are still in flight", 100-n)
	}
}

// Shutdown waits for what is under way.
func TestShutdown(t *testing.T) {
	r := &recorder{hold: make(chan struct{}), entered: make(chan struct{})}
	s, conn := start(t, r, Options{})
	client := tracepb.NewTraceServiceClient(conn)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := client.Export(t.Context(), traces(span("01234567"))); err != nil {
			t.Error(err)
		}
	})
	<-r.entered
	wg.Go(func() { s.Shutdown(context.Background()) })
	close(r.hold)
	wg.Wait()
	if len(r.taken()) != 1 {
		t.Error("the request was lost")
	}
}

// An appender that never answers does not keep Shutdown beyond its context.
func TestShutdownCutsOff(t *testing.T) {
	r := &recorder{hold: make(chan struct{}), entered: make(chan struct{})}
	s, conn := start(t, r, Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := tracepb.NewTraceServiceClient(conn).Export(t.Context(), traces(span("01234567"))); err == nil {
			t.Error("the request was acknowledged")
		}
	})
	<-r.entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Shutdown(ctx)
	wg.Wait()
}

func TestHealthAndReflection(t *testing.T) {
	_, conn := start(t, &recorder{}, Options{})
	for _, name := range []string{"", services[0].name, services[1].name, services[2].name} {
		h, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || h.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", name, h, err)
		}
	}
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range services {
		if err := stream.Send(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: services[i].name},
		}); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("reflection of %s: %v", services[i].name, answer)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
}
