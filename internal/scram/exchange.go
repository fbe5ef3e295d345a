package scram

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The mechanisms' names.
const (
	Plain   = "SCRAM-SHA-256"
	Binding = "SCRAM-SHA-256-PLUS" // bound to the TLS connection by tls-server-end-point
)

// Errors of an exchange. ErrMalformed and ErrBinding are the client's mistakes,
// ErrProof is a wrong password.
var (
	ErrMalformed = errors.New("malformed SCRAM message")
	ErrBinding   = errors.New("SCRAM channel binding check failed")
	ErrProof     = errors.New("SCRAM proof does not match")
)

const nonceBytes = 18 // PostgreSQL's SCRAM_RAW_NONCE_LEN

// An Exchange is the server's side of one login:
//
//	client → First:  n,,n=,r=NONCE
//	server:          r=NONCE+,s=SALT,i=ITERATIONS
//	client → Final:  c=BINDING,r=NONCE+,p=PROOF
//	server:          v=SIGNATURE
//
// The name in n= is ignored: the startup packet has the user.
type Exchange struct {
	verifier Verifier
	endPoint []byte // hash of the server's certificate; nil: the connection is not encrypted
	plus     bool

	header      string // GS2 header of the first message
	clientFirst string // the first message without it
	serverFirst string
	nonce       string
}

// NewExchange begins a login over a connection that is encrypted with the
// certificate of a hash, or is not (nil), by one of the two mechanisms.
func NewExchange(v Verifier, endPoint []byte, mechanism string) (*Exchange, error) {
	if mechanism != Plain && (mechanism != Binding || endPoint == nil) {
		return nil, fmt.Errorf("%w: mechanism %q", ErrMalformed, mechanism)
	}
	return &Exchange{verifier: v, endPoint: endPoint, plus: mechanism == Binding}, nil
}

// First answers the client's first message.
func (e *Exchange) First(message []byte) ([]byte, error) {
	text := string(message)
	flag, rest, ok := strings.Cut(text, ",")
	if !ok {
		return nil, fmt.Errorf("%w: no channel binding flag", ErrMalformed)
	}
	switch {
	case flag == "n" && e.plus, flag == "y" && e.plus, strings.HasPrefix(flag, "p=") && !e.plus:
		return nil, fmt.Errorf("%w: the mechanism and its flag %q do not fit", ErrMalformed, flag)
	case flag == "y" && e.endPoint != nil:
		// It thinks that the server has none, to which somebody in between led it.
		return nil, fmt.Errorf("%w: the client does not see that the server supports it", ErrBinding)
	case flag == "n", flag == "y", flag == "p=tls-server-end-point":
	default:
		return nil, fmt.Errorf("%w: channel binding %q", ErrMalformed, flag)
	}
	authorize, bare, ok := strings.Cut(rest, ",")
	if !ok || authorize != "" { // acting for somebody else is not supported
		return nil, fmt.Errorf("%w: authorization identity", ErrMalformed)
	}
	e.header, e.clientFirst = flag+",,", bare
	name, nonce, ok := strings.Cut(bare, ",")
	if !ok || !strings.HasPrefix(name, "n=") || !strings.HasPrefix(nonce, "r=") {
		return nil, fmt.Errorf("%w: user name and nonce", ErrMalformed)
	}
	nonce, _, _ = strings.Cut(nonce[2:], ",") // extensions follow
	if nonce == "" || strings.IndexFunc(nonce, func(r rune) bool { return r < 0x21 || r > 0x7e }) >= 0 {
		return nil, fmt.Errorf("%w: nonce", ErrMalformed)
	}
	own := make([]byte, nonceBytes)
	_, _ = rand.Read(own) // crypto/rand never fails
	e.nonce = nonce + base64.StdEncoding.EncodeToString(own)
	e.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", e.nonce, base64.StdEncoding.EncodeToString(e.verifier.Salt), e.verifier.Iterations)
	return []byte(e.serverFirst), nil
}

// Final checks the client's proof and gives the server's own.
func (e *Exchange) Final(message []byte) ([]byte, error) {
	text := string(message)
	at := strings.LastIndex(text, ",p=")
	if at < 0 {
		return nil, fmt.Errorf("%w: no proof", ErrMalformed)
	}
	withoutProof := text[:at]
	proof, err := base64.StdEncoding.DecodeString(text[at+len(",p="):])
	if err != nil || len(proof) != sha256.Size {
		return nil, fmt.Errorf("%w: proof", ErrMalformed)
	}
	binding, rest, _ := strings.Cut(withoutProof, ",")
	nonce, _, _ := strings.Cut(rest, ",")
	if nonce != "r="+e.nonce {
		return nil, fmt.Errorf("%w: another nonce", ErrMalformed)
	}
	want := e.header
	if e.plus {
		want += string(e.endPoint)
	}
	if binding != "c="+base64.StdEncoding.EncodeToString([]byte(want)) {
		return nil, ErrBinding
	}
	all := e.clientFirst + "," + e.serverFirst + "," + withoutProof
	key := mac(e.verifier.StoredKey, all) // becomes the client's key
	subtle.XORBytes(key, key, proof)
	stored := sha256.Sum256(key)
	if !hmac.Equal(stored[:], e.verifier.StoredKey) {
		return nil, ErrProof
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(e.verifier.ServerKey, all))), nil
}
