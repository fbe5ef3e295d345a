package pgwire

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Codes that stand in place of a protocol version in a startup packet.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104

	maxStartupBytes = 10_000 // PostgreSQL's MAX_STARTUP_PACKET_LENGTH
	tlsHandshake    = 0x16   // first byte of a TLS record that opens a connection

	majorVersion = 3
	minorVersion = 2 // the newest; 1 was never used
)

// errDone says that the connection is done with and nothing is to be sent.
var errDone = errors.New("connection is done")

// firstPacket is what a client says to start a session.
type firstPacket struct {
	user, database string
	settings       map[string]string
}

// startup reads packets until the one that starts a session: each request for
// encryption at most once. A cancel request is served and ends the connection.
func (c *conn) startup() (*firstPacket, error) {
	if err := c.directTLS(); err != nil {
		return nil, err
	}
	sslAsked, gssAsked := c.tls, c.tls
	for {
		code, body, err := c.readPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case code == sslRequest && !sslAsked:
			sslAsked = true
			if err := c.answerSSL(); err != nil {
				return nil, err
			}
		case code == gssRequest && !gssAsked:
			gssAsked = true
			if err := c.answer('N'); err != nil {
				return nil, err
			}
		case code == cancelRequest:
			if len(body) > 4 {
				c.server.cancel(c, binary.BigEndian.Uint32(body), body[4:])
			}
			return nil, errDone
		case code>>16 != majorVersion:
			return nil, pgerr.New(pgerr.FeatureNotSupported, "unsupported frontend protocol %d.%d: server supports %d.0 to %d.%d",
				code>>16, code&0xffff, majorVersion, majorVersion, minorVersion)
		default:
			return c.parameters(code&0xffff, body)
		}
	}
}

// readPacket reads a packet without a type byte.
func (c *conn) readPacket() (code uint32, body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:4]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > maxStartupBytes {
		return 0, nil, pgerr.New(pgerr.ProtocolViolation, "invalid length of startup packet")
	}
	if _, err := io.ReadFull(c.in, head[4:]); err != nil {
		return 0, nil, err
	}
	body = make([]byte, size-8)
	_, err = io.ReadFull(c.in, body)
	return binary.BigEndian.Uint32(head[4:]), body, err
}

// answer replies to a request for encryption. What came before the reply was
// not encrypted, but the client may think that it was: it is refused.
func (c *conn) answer(b byte) error {
	if c.in.Buffered() > 0 {
		return pgerr.New(pgerr.ProtocolViolation, "received unencrypted data after SSL request").
			WithDetail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.")
	}
	_, err := c.net.Write([]byte{b})
	return err
}

func (c *conn) answerSSL() error {
	if c.server.opts.TLS == nil || c.tls || c.raw.RemoteAddr().Network() == "unix" { // as PostgreSQL does
		return c.answer('N')
	}
	if err := c.answer('S'); err != nil {
		return err
	}
	return c.encrypt(c.raw)
}

// directTLS encrypts a connection that starts with a TLS handshake. It must
// name the protocol, so that no other one can be talked into it.
func (c *conn) directTLS() error {
	first, err := c.in.Peek(1)
	if err != nil || first[0] != tlsHandshake {
		return err
	}
	if c.server.opts.TLS == nil {
		return errDone
	}
	if err := c.encrypt(buffered{Conn: c.raw, in: c.in}); err != nil {
		return err
	}
	if c.net.(*tls.Conn).ConnectionState().NegotiatedProtocol != alpn {
		return pgerr.New(pgerr.ProtocolViolation, "received direct SSL connection request without ALPN protocol negotiation extension")
	}
	return nil
}

// encrypt makes a new reader: nothing that came in the clear is in it.
func (c *conn) encrypt(nc net.Conn) error {
	t := tls.Server(nc, c.tlsConfig())
	if err := t.HandshakeContext(c.server.ctx); err != nil {
		return err
	}
	c.net, c.in, c.tls = t, bufio.NewReaderSize(t, idleBytes), true
	return nil
}

// tlsConfig remembers the certificate that a handshake uses: SCRAM is bound to it.
func (c *conn) tlsConfig() *tls.Config {
	config := c.server.opts.TLS.Clone()
	get, list := config.GetCertificate, config.Certificates
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if get != nil {
			cert, err := get(hello)
			c.certificate = cert
			return cert, err
		}
		for i := range list {
			if c.certificate = &list[i]; hello.SupportsCertificate(c.certificate) == nil {
				break
			}
		}
		return c.certificate, nil
	}
	return config
}

// buffered is a connection of which some bytes have been read ahead.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// parameters reads the name-value pairs and negotiates the version.
func (c *conn) parameters(minor uint32, body []byte) (*firstPacket, error) {
	pairs, err := splitPairs(body)
	if err != nil {
		return nil, err
	}
	first := &firstPacket{settings: make(map[string]string)}
	var unknown []string
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], strings.ToValidUTF8(pairs[i+1], "?")
		switch {
		case strings.HasPrefix(name, "_pq_."):
			unknown = append(unknown, name)
		case name == "user":
			first.user = value
		case name == "database":
			first.database = value
		case name == "replication":
			if !slices.Contains([]string{"false", "off", "no", "0"}, strings.ToLower(value)) {
				return nil, pgerr.New(pgerr.FeatureNotSupported, "replication connections are not supported")
			}
		case name == "options":
			options, err := parseOptions(value)
			if err != nil {
				return nil, err
			}
			for name, value := range options { // a parameter of its own counts for more
				if _, ok := first.settings[name]; !ok {
					first.settings[name] = value
				}
			}
		default:
			first.settings[name] = value
		}
	}
	c.negotiate(minor, unknown)
	if first.user == "" {
		return nil, pgerr.New(pgerr.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	return first, nil
}

// negotiate answers a client that asked for more than there is.
func (c *conn) negotiate(minor uint32, unknown []string) {
	c.longKeys = minor >= minorVersion
	speak := uint32(0)
	if c.longKeys {
		speak = minorVersion
	}
	if speak == minor && len(unknown) == 0 {
		return
	}
	body := binary.BigEndian.AppendUint32(nil, majorVersion<<16|speak)
	body = binary.BigEndian.AppendUint32(body, uint32(len(unknown)))
	for _, name := range unknown {
		body = append(append(body, name...), 0)
	}
	c.message('v', body...)
}

// splitPairs takes (name 0 value 0)* 0 apart.
func splitPairs(body []byte) ([]string, error) {
	bad := pgerr.New(pgerr.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
	var pairs []string
	for {
		word, rest, ok := bytes.Cut(body, []byte{0})
		switch {
		case !ok:
			return nil, bad
		case len(word) == 0 && len(pairs)%2 == 0:
			if len(rest) > 0 {
				return nil, bad
			}
			return pairs, nil
		}
		pairs, body = append(pairs, string(word)), rest
	}
}

// parseOptions reads "-c name=value --name=value", where a backslash takes the
// next character as it is.
func parseOptions(s string) (map[string]string, error) {
	options := make(map[string]string)
	words := splitOptions(s)
	for i := 0; i < len(words); i++ {
		w := words[i]
		setting, long := strings.CutPrefix(w, "--")
		if !long {
			short, ok := strings.CutPrefix(w, "-c")
			if !ok {
				return nil, pgerr.New(pgerr.SyntaxError, "invalid command-line argument for server process: %s", w)
			}
			if setting = short; setting == "" && i+1 < len(words) {
				i++
				setting = words[i]
			}
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, pgerr.New(pgerr.SyntaxError, "%s requires a value", w)
		}
		options[strings.ReplaceAll(name, "-", "_")] = value
	}
	return options, nil
}

// splitOptions splits at white space (pg_split_opts).
func splitOptions(s string) []string {
	var words []string
	var word []byte
	in := false
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case strings.IndexByte(" \t\n\r\v\f", b) >= 0:
			if in {
				words = append(words, string(word))
			}
			word, in = word[:0], false
			continue
		case b == '\\' && i+1 < len(s):
			i++
			b = s[i]
		}
		word, in = append(word, b), true
	}
	if in {
		words = append(words, string(word))
	}
	return words
}
