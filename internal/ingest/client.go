package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
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
	auth string // Authorization header, or ""
}

// NewClient makes a client of grpc://HOST:PORT, http://HOST:PORT, or grpcs:// and
// https://, which are encrypted; USER:PASSWORD@ may stand before HOST. The
// system's certificates are trusted, or those that SSL_CERT_FILE names.
func NewClient(target string) (*Client, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "grpc" && u.Scheme != "grpcs" && u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("a gateway is grpc://HOST:PORT or http://HOST:PORT, or grpcs:// or https://, not %q", redacted(u))
	}
	c := &Client{}
	if u.User != nil {
		password, _ := u.User.Password()
		c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		u.User = nil
		c.url, c.web = strings.TrimRight(u.String(), "/"), &http.Client{}
		return c, nil
	}
	security := insecure.NewCredentials()
	if u.Scheme == "grpcs" {
		security = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	c.conn, err = grpc.NewClient(u.Host, grpc.WithTransportCredentials(security))
	return c, err
}

// redacted is a target without a password.
func redacted(u *url.URL) string {
	if u == nil {
		return "what was given"
	}
	return u.Redacted()
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
		if c.auth != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.auth)
		}
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
	if c.auth != "" {
		r.Header.Set("Authorization", c.auth)
	}
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
