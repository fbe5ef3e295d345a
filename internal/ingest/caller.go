package ingest

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// A Caller is who sends a request, as far as is known before its body is read.
type Caller struct {
	Addr        net.Addr
	TLS         bool
	Certificate string // common name of a verified client certificate, or ""
	Given       bool   // User and Password were sent
	User        string
	Password    string
}

// Why a caller may not send. Any other error of an Authorizer says that it is
// not known now.
var (
	ErrUnauthenticated = errors.New("the sender has not proved who it is")
	ErrForbidden       = errors.New("the sender may not write telemetry")
)

// An Authorizer says whether a caller may send: nil, or an error that wraps one
// of those above.
type Authorizer func(ctx context.Context, c Caller) error

// healthMethods is what anybody may call.
const healthMethods = "/grpc.health.v1.Health/"

// tapped lets a gRPC request in, before its body is read.
func (s *Server) tapped(ctx context.Context, info *tap.Info) (context.Context, error) {
	if s.opts.Authorize == nil || strings.HasPrefix(info.FullMethodName, healthMethods) {
		return ctx, nil
	}
	var c Caller
	if p, ok := peer.FromContext(ctx); ok {
		c.Addr = p.Addr
		if auth, ok := p.AuthInfo.(transportInfo); ok {
			c.TLS, c.Certificate = auth.encrypted, auth.certificate
		}
	}
	if values := metadata.MD(info.Header).Get("authorization"); len(values) == 1 {
		c.credentials(values[0])
	}
	return ctx, s.authorize(ctx, c)
}

// authorizeWeb lets a request over HTTP in, before its body is read.
func (s *Server) authorizeWeb(w http.ResponseWriter, r *http.Request) *webError {
	if s.opts.Authorize == nil {
		return nil
	}
	var c Caller
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		c.Addr = conn.RemoteAddr()
		if t, ok := conn.(*transportConn); ok {
			c.TLS, c.Certificate = t.info.encrypted, t.info.certificate
		}
	}
	if values := r.Header.Values("Authorization"); len(values) == 1 {
		c.credentials(values[0])
	}
	err := s.authorize(r.Context(), c)
	if status.Code(err) == codes.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Basic realm="tael-sql", charset="UTF-8"`)
	}
	if err != nil {
		w.Header().Set("Connection", "close") // or net/http reads the body before it answers
		return webStatus(err)
	}
	return nil
}

// authorize gives the status of gRPC of a caller that may not send.
func (s *Server) authorize(ctx context.Context, c Caller) error {
	switch err := s.opts.Authorize(ctx, c); {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnauthenticated):
		return status.Error(codes.Unauthenticated, err.Error())
	case errors.Is(err, ErrForbidden):
		return status.Error(codes.PermissionDenied, err.Error())
	default:
		s.opts.Logger.Error("it is not known who may send", "error", err)
		return status.Error(codes.Unavailable, "it is not known who may send")
	}
}

// credentials reads an Authorization header: Basic, or Bearer with the same
// content or with USER:PASSWORD as it is.
func (c *Caller) credentials(header string) {
	scheme, rest, _ := strings.Cut(header, " ")
	rest = strings.TrimSpace(rest)
	basic, bearer := strings.EqualFold(scheme, "Basic"), strings.EqualFold(scheme, "Bearer")
	if !basic && !bearer {
		return
	}
	if raw, err := base64.StdEncoding.DecodeString(rest); err == nil {
		rest = string(raw)
	} else if basic {
		return
	}
	c.User, c.Password, c.Given = strings.Cut(rest, ":")
}
