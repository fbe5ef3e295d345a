package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/tael-sql/tael-sql/wal/record"
)

// Codec is how a client sends requests as they are.
func Codec() encoding.CodecV2 { return newCodec() }

// Export sends an encoded request to an Export method as it is, and gives the
// encoded answer: empty for full success.
func Export(ctx context.Context, conn *grpc.ClientConn, method string, body []byte) ([]byte, error) {
	var answer rawBytes
	err := conn.Invoke(ctx, method, rawBytes(body), &answer, grpc.ForceCodecV2(Codec()))
	return answer, err
}

// A Client sends encoded requests to a gateway, over either transport.
type Client struct {
	conn *grpc.ClientConn // nil: over HTTP
	url  string
	web  *http.Client
}

// NewClient makes a client of grpc://HOST:PORT or http://HOST:PORT.
func NewClient(target string) (*Client, error) {
	if addr, ok := strings.CutPrefix(target, "grpc://"); ok {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		return &Client{conn: conn}, nil
	}
	if !strings.HasPrefix(target, "http://") {
		return nil, fmt.Errorf("a gateway is grpc://HOST:PORT or http://HOST:PORT, not %q", target)
	}
	return &Client{url: strings.TrimRight(target, "/"), web: &http.Client{}}, nil
}

// Send sends a request once, and gives the encoded answer: empty for full
// success. Passes says that an error may pass: the same request should be sent
// again after a while.
func (c *Client) Send(ctx context.Context, signal record.Type, body []byte) (answer []byte, passes bool, err error) {
	i := 0
	for i < len(services) && services[i].signal != signal {
		i++
	}
	if i == len(services) {
		return nil, false, fmt.Errorf("no service takes %s", signal)
	}
	if c.conn != nil {
		answer, err = Export(ctx, c.conn, "/"+services[i].name+"/Export", body)
		code := status.Code(err)
		return answer, code == codes.ResourceExhausted || code == codes.Unavailable, err
	}
	return c.post(ctx, c.url+services[i].path, body)
}

func (c *Client) post(ctx context.Context, url string, body []byte) (answer []byte, passes bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	r.Header.Set("Content-Type", typeProtobuf)
	w, err := c.web.Do(r)
	if err != nil {
		return nil, ctx.Err() == nil, err
	}
	defer func() { _ = w.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(w.Body, 1<<20))
	if err != nil {
		return nil, true, err
	}
	if w.StatusCode == http.StatusOK {
		return answer, false, nil
	}
	var st rpcstatus.Status
	if err := proto.Unmarshal(answer, &st); err != nil || w.Header.Get("Content-Type") != typeProtobuf {
		st.Message = ""
	}
	switch w.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		passes = true
	}
	return nil, passes, fmt.Errorf("%s: %s %s", url, w.Status, st.Message)
}

// Close ends the client's connections.
func (c *Client) Close() error {
	if c.conn != nil {
		return c.conn.Close()
	}
	c.web.CloseIdleConnections()
	return nil
}
