package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tael-sql/tael-sql/engine"
	"github.com/tael-sql/tael-sql/internal/otlp"
	"github.com/tael-sql/tael-sql/wal/record"
)

// How long a sender is asked to wait.
const (
	retrySoon  = time.Second      // a queue is full
	retryLater = 15 * time.Second // somebody must free space, or start the gateway again
)

// errPool refuses a request for want of memory.
var errPool = retry(codes.ResourceExhausted, "too many bytes of requests are under way", retrySoon)

// exportGRPC stores a request that came over gRPC.
func (s *Server) exportGRPC(ctx context.Context, sv *service, body []byte) (proto.Message, error) {
	if !s.pool.take(int64(len(body))) {
		return nil, errPool
	}
	defer s.pool.give(int64(len(body)))
	return s.export(ctx, sv, record.OTLPGRPC, body)
}

// export stores one request. The error is a status of gRPC.
func (s *Server) export(ctx context.Context, sv *service, source record.Source, body []byte) (proto.Message, error) {
	header := record.Header{
		Type:           sv.signal,
		Codec:          record.ProtobufS2,
		Source:         source,
		MappingVersion: otlp.MappingVersion,
		ReceiveNanos:   time.Now().UnixNano(),
	}
	sent := body
	if s.opts.Rewrite != nil {
		if !s.pool.take(int64(len(body))) {
			return nil, errPool
		}
		defer s.pool.give(int64(len(body)))
		var err error
		if body, err = s.opts.Rewrite(sv.signal, body); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	decoded, err := s.decode(header, body)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if decoded.Rows.N > 0 {
		if !decoded.HasZeroTime { // items without a time of their own differ each time that they are sent
			header.Hash = bodyHash(sv.signal, sent)
		}
		err := s.appender.Append(ctx, engine.Request{Header: header, Body: body, Rows: decoded.Rows, Items: decoded.Items})
		if err != nil {
			return nil, s.appendError(err)
		}
	}
	if decoded.Rejected > 0 {
		return sv.partial(int64(decoded.Rejected), decoded.Reason), nil
	}
	return sv.full, nil
}

// decode makes a bug of the decoder that of one request.
func (s *Server) decode(h record.Header, body []byte) (d *otlp.Decoded, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Logger.Error("the decoder panicked", "signal", h.Type, "bytes", len(body), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: it cannot be decoded", otlp.ErrMalformed)
		}
	}()
	return s.opts.Decode(h, body)
}

// bodyHash identifies a request that is sent again.
func bodyHash(signal record.Type, body []byte) [16]byte {
	h := sha256.New()
	h.Write([]byte{byte(signal)})
	h.Write(body)
	return [16]byte(h.Sum(nil))
}

// appendError answers what kept a request from being durable. All of it may
// pass, if only with another gateway, so that the sender must keep the request.
func (s *Server) appendError(err error) error {
	switch {
	case errors.Is(err, engine.ErrOverloaded):
		return retry(codes.ResourceExhausted, "the gateway is overloaded", retrySoon)
	case errors.Is(err, engine.ErrDiskFull):
		return retry(codes.ResourceExhausted, "the gateway's disk is full", retryLater)
	case errors.Is(err, engine.ErrClosed):
		return retry(codes.Unavailable, "the gateway is shutting down", retrySoon)
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the deadline passed before the request was durable")
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the request was cancelled before it was durable")
	}
	s.opts.Logger.Error("a request could not be stored", "error", err)
	return retry(codes.Unavailable, "the gateway cannot store anything", retryLater)
}

// retry is an answer that asks to send the request again after a while.
func retry(code codes.Code, message string, after time.Duration) error {
	st := status.New(code, message)
	with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	if err != nil {
		return st.Err()
	}
	return with.Err()
}
