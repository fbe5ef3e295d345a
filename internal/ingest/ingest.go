// Package ingest receives OTLP, and Prometheus remote-write as OTLP, and hands
// it to the engine.
//
// An export is answered when the engine has made it durable. What the sender
// should send again is answered with RetryInfo; what can never be stored is
// INVALID_ARGUMENT, or counted in a partial success when only some of the
// items cannot.
//
// The package knows nothing of how rows are stored.
package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/tap"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/ingest/remotewrite"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

// An Appender makes a request durable, or says why not with an error of
// package engine.
type Appender interface {
	Append(ctx context.Context, r engine.Request) error
}

// Options configure NewServer. The zero value is valid.
type Options struct {
	// MaxMessageBytes limits a request, decompressed. Default 16 MiB.
	MaxMessageBytes int
	// MaxInFlightBytes limits all requests under way together. Default 128 MiB.
	MaxInFlightBytes int64
	// Decode is what makes rows of a request, here and where the engine replays
	// it. Default otlp.Decode.
	Decode func(h record.Header, body []byte) (*otlp.Decoded, error)
	// Rewrite takes out of a request what must not be stored. The error is
	// otlp.ErrMalformed. Default: all is stored as it came.
	Rewrite func(signal record.Type, body []byte) ([]byte, error)
	// CORSOrigins are the origins whose pages may send over HTTP; "*" is any.
	CORSOrigins []string
	// Authorize says who may send. Default: anybody.
	Authorize Authorizer
	// TLS lets connections be encrypted, on the same addresses. Default: none can.
	TLS *tls.Config
	// MaxStreams limits the requests under way on one connection. Default 100.
	MaxStreams uint32
	// Logger receives what no client is told. Default: discard.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, 16<<20)
	o.MaxInFlightBytes = cmp.Or(o.MaxInFlightBytes, 128<<20)
	o.MaxStreams = cmp.Or(o.MaxStreams, 100)
	if o.Decode == nil {
		o.Decode = otlp.Decode
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Server receives OTLP over gRPC and over HTTP.
type Server struct {
	appender Appender
	opts     Options
	grpc     *grpc.Server
	health   *health.Server
	web      *http.Server
	pool     pool // bytes of requests under way

	prometheus remotewrite.Translator
}

// NewServer makes a server; Serve and ServeWeb start it.
func NewServer(a Appender, o Options) *Server {
	o = o.withDefaults()
	var s *Server
	s = &Server{
		appender: a,
		opts:     o,
		grpc: grpc.NewServer(
			grpc.ForceServerCodecV2(newCodec()),
			grpc.MaxRecvMsgSize(o.MaxMessageBytes),
			grpc.MaxConcurrentStreams(o.MaxStreams),
			grpc.Creds(transport{withProtocol(o.TLS, "h2")}), grpc.ConnectionTimeout(handshakeTimeout),
			grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) { return s.tapped(ctx, info) }),
		),
		health: health.NewServer(),
	}
	s.pool.free.Store(o.MaxInFlightBytes)
	s.web = &http.Server{
		Handler: s.webHandler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 32 << 10, ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	for i := range services {
		s.grpc.RegisterService(services[i].desc(), s)
		s.health.SetServingStatus(services[i].name, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	return s
}

// A pool is bytes that all requests under way share.
type pool struct{ free atomic.Int64 }

func (p *pool) take(n int64) bool {
	if p.free.Add(-n) < 0 {
		p.free.Add(n)
		return false
	}
	return true
}

func (p *pool) give(n int64) { p.free.Add(n) }

// Serve answers gRPC on l until Shutdown, and closes it.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// ServeWeb answers OTLP/HTTP on l until Shutdown, and closes it.
func (s *Server) ServeWeb(l net.Listener) error {
	if err := s.web.Serve(transportListener{l, withProtocol(s.opts.TLS, "http/1.1")}); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown lets the requests under way end, until ctx ends; those left are
// then cut off.
func (s *Server) Shutdown(ctx context.Context) {
	s.health.Shutdown()
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		s.grpc.GracefulStop()
		close(ended)
	})
	if err := s.web.Shutdown(ctx); err != nil {
		s.opts.Logger.Info("requests over HTTP are cut off", "error", err)
		if err := s.web.Close(); err != nil {
			s.opts.Logger.Warn("the HTTP listener did not close", "error", err)
		}
	}
	select {
	case <-ended:
	case <-ctx.Done():
		s.grpc.Stop()
	}
	wg.Wait()
}
