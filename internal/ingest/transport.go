package ingest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// handshakeTimeout is how long a connection may take to say what it is, and to
// be encrypted.
const handshakeTimeout = 10 * time.Second

// transportInfo is what is known of a connection once it has begun.
type transportInfo struct {
	credentials.CommonAuthInfo
	encrypted   bool
	certificate string // common name of a verified client certificate
}

// AuthType implements credentials.AuthInfo.
func (transportInfo) AuthType() string { return "tael-sql" }

// A transportConn is encrypted if its first byte says so: one address takes
// both, and who may send in the clear is the Authorizer's to say.
type transportConn struct {
	net.Conn // as it is on the network
	config   *tls.Config

	once  sync.Once
	err   error         // why it could not begin
	clear *bufio.Reader // what is read in the clear; nil when encrypted
	tls   *tls.Conn
	info  transportInfo // valid once begun
}

// tlsRecord is the first byte of a TLS handshake (RFC 8446, 5.1).
const tlsRecord = 0x16

// begin waits for the first byte and does the handshake.
func (c *transportConn) begin() error {
	c.once.Do(func() {
		c.clear = bufio.NewReaderSize(c.Conn, 16)
		first, err := c.clear.Peek(1)
		if err != nil || first[0] != tlsRecord || c.config == nil {
			c.err = err
			return
		}
		c.tls = tls.Server(&unread{c.Conn, c.clear}, c.config)
		c.clear = nil
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		if c.err = c.tls.HandshakeContext(ctx); c.err != nil {
			return
		}
		c.info.encrypted, c.info.SecurityLevel = true, credentials.PrivacyAndIntegrity
		if chains := c.tls.ConnectionState().VerifiedChains; len(chains) > 0 {
			c.info.certificate = chains[0][0].Subject.CommonName
		}
	})
	return c.err
}

// Read implements net.Conn.
func (c *transportConn) Read(p []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	if c.tls != nil {
		return c.tls.Read(p)
	}
	return c.clear.Read(p)
}

// Write implements net.Conn.
func (c *transportConn) Write(p []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return c.Conn.Write(p)
}

// An unread connection has bytes in a buffer.
type unread struct {
	net.Conn
	in *bufio.Reader
}

func (u *unread) Read(p []byte) (int, error) { return u.in.Read(p) }

// A transportListener makes transportConns.
type transportListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l transportListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &transportConn{Conn: conn, config: l.config}, nil
}

// connKey is where the context of a request over HTTP has its connection.
type connKey struct{}

// A transport tells gRPC about transportConns.
type transport struct{ config *tls.Config }

// ServerHandshake implements credentials.TransportCredentials. gRPC has set a deadline.
func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c := &transportConn{Conn: raw, config: t.config}
	if err := c.begin(); err != nil {
		return nil, nil, err
	}
	return c, c.info, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (t transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("BUG: a server's transport has no clients")
}

// Info implements credentials.TransportCredentials.
func (t transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (t transport) Clone() credentials.TransportCredentials { return t }

// OverrideServerName implements credentials.TransportCredentials.
func (t transport) OverrideServerName(string) error { return nil }

// withProtocol gives a configuration that agrees on a protocol; nil for nil.
func withProtocol(c *tls.Config, protocol string) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.NextProtos = []string{protocol}
	return c
}
