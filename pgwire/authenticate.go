package pgwire

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/scram"
)

// Codes of an Authentication message.
const (
	authenticationOk           = 0
	authenticationSASL         = 10
	authenticationSASLContinue = 11
	authenticationSASLFinal    = 12
)

// maxSASLBytes is the longest message of a login (PG_MAX_SASL_MESSAGE_LENGTH).
const maxSASLBytes = 1024

// An Authenticator knows how users prove who they are.
type Authenticator interface {
	// Credential gives what a user has to prove from a peer. Whether there is such
	// a user must not show: a name that is unknown has the zero value.
	Credential(ctx context.Context, user string, from Peer) (Credential, error)
}

// A Peer is the other end of a connection.
type Peer struct {
	Addr        net.Addr
	TLS         bool
	Certificate string // common name in the client's certificate, if it was verified; "": it has none
}

// A Credential is what a user has to prove.
type Credential struct {
	Trusted  bool            // nothing
	Verifier *scram.Verifier // knowledge of its password; nil: nothing suffices
	Reserve  bool            // the user may have one of the last connections
}

// authenticate gives an error, which ends the connection, unless the user is
// who they say.
func (c *conn) authenticate(first *firstPacket) error {
	if a := c.server.opts.Authenticator; a != nil {
		peer := Peer{Addr: c.raw.RemoteAddr(), TLS: c.tls}
		if t, ok := c.net.(*tls.Conn); ok {
			if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
				peer.Certificate = chains[0][0].Subject.CommonName
			}
		}
		cred, err := a.Credential(c.server.ctx, first.user, peer)
		if err != nil {
			return pgerr.From(err)
		}
		c.reserve = cred.Reserve
		if !cred.Trusted {
			if err := c.login(first.user, cred.Verifier); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conn) authentication(code uint32, data []byte) {
	c.message('R', append(binary.BigEndian.AppendUint32(nil, code), data...)...)
}

// login is an exchange by SCRAM. A user without a verifier fails as one with
// another password does, and at the same point.
func (c *conn) login(user string, v *scram.Verifier) error {
	mechanisms, endPoint := []string{scram.Plain}, c.endPoint()
	if endPoint != nil {
		mechanisms = []string{scram.Binding, scram.Plain}
	}
	var list []byte
	for _, m := range mechanisms {
		list = append(append(list, m...), 0)
	}
	c.authentication(authenticationSASL, append(list, 0))
	mechanism, message, err := c.initialResponse()
	if err != nil {
		return err
	}
	if v == nil {
		mock := scram.Mock(c.server.secret, user)
		v = &mock
	}
	exchange, err := scram.NewExchange(*v, endPoint, mechanism)
	if err != nil {
		return pgerr.New(pgerr.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	answer, err := exchange.First(message)
	if err != nil {
		return c.loginError(user, err)
	}
	c.authentication(authenticationSASLContinue, answer)
	if message, err = c.saslMessage(); err != nil {
		return err
	}
	if answer, err = exchange.Final(message); err != nil {
		return c.loginError(user, err)
	}
	c.authentication(authenticationSASLFinal, answer)
	return nil
}

func (c *conn) loginError(user string, err error) error {
	c.server.metrics.connections.WithLabelValues("unauthenticated").Inc()
	switch {
	case errors.Is(err, scram.ErrProof):
		return pgerr.New(pgerr.InvalidPassword, "password authentication failed for user \"%s\"", user)
	case errors.Is(err, scram.ErrBinding):
		return pgerr.New(pgerr.InvalidAuthorization, "SCRAM channel binding check failed")
	}
	return pgerr.New(pgerr.ProtocolViolation, "malformed SCRAM message").WithDetail("%s.", err.Error())
}

// initialResponse reads the mechanism that the client chose and its first
// message:
//
//	mechanism 0, length int32 (-1: none), message
func (c *conn) initialResponse() (mechanism string, message []byte, err error) {
	body, err := c.saslMessage()
	if err != nil {
		return "", nil, err
	}
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) != uint64(len(rest)-4) {
		return "", nil, pgerr.New(pgerr.ProtocolViolation, "invalid message format")
	}
	return string(name), rest[4:], nil
}

// saslMessage reads a message of the login, after sending what goes before it.
func (c *conn) saslMessage() ([]byte, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	if head, err := c.in.Peek(5); err != nil {
		return nil, err
	} else if head[0] != 'p' {
		return nil, pgerr.New(pgerr.ProtocolViolation, "expected SASL response, got message type %d", head[0])
	} else if size := binary.BigEndian.Uint32(head[1:]); size > maxSASLBytes {
		return nil, pgerr.New(pgerr.ProtocolViolation, "invalid message length")
	}
	_, body, err := c.read()
	return body, err
}

// endPoint is the channel binding tls-server-end-point (RFC 5929, section 4):
// the hash of the certificate, by the hash of its signature. nil: there is none.
func (c *conn) endPoint() []byte {
	if c.certificate == nil || len(c.certificate.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(c.certificate.Certificate[0])
	if err != nil {
		return nil
	}
	hash := crypto.SHA256 // also in place of MD5 and SHA-1
	switch leaf.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = crypto.SHA512
	case x509.PureEd25519: // no hash is defined
		return nil
	}
	h := hash.New()
	h.Write(leaf.Raw)
	return h.Sum(nil)
}
