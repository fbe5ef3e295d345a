package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/scram"
	"github.com/tael-sql/tael-sql/pgwire/script"
)

// passwords are users with their passwords; from a certificate of its name, one
// needs none.
type passwords map[string]string

func (p passwords) Credential(_ context.Context, user string, from Peer) (Credential, error) {
	if user == "broken" {
		return Credential{}, pgerr.New(pgerr.IOError, "the users cannot be read")
	}
	if from.Certificate == user {
		return Credential{Trusted: true}, nil
	}
	password, ok := p[user]
	if !ok {
		return Credential{}, nil
	}
	v := scram.NewVerifier(password)
	return Credential{Verifier: &v}, nil
}

func sqlstate(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code + " " + e.Message
	}
	return fmt.Sprint(err)
}

// Passwords that are right and wrong, users that there are and are not, with
// and without encryption and channel binding.
func TestPasswords(t *testing.T) {
	host, port := listen(t, Options{
		TLS:           &tls.Config{Certificates: []tls.Certificate{certificate(t)}},
		Authenticator: passwords{"alice": "secret,=", "bob": ""},
	})
	const failed = `28P01 password authentication failed for user "%s"`
	for _, c := range []struct{ user, password, want string }{
		{"alice", "secret,=", ""},
		{"alice", "wrong", fmt.Sprintf(failed, "alice")},
		{"carol", "secret,=", fmt.Sprintf(failed, "carol")},
		{"broken", "", "58030 the users cannot be read"},
	} {
		for _, options := range []string{
			"sslmode=disable", "sslmode=require&channel_binding=disable", "sslmode=require&channel_binding=require",
			"sslmode=require&sslnegotiation=direct&channel_binding=require",
		} {
			config, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s:%s@%s:%s/db?%s", c.user, strings.NewReplacer(",", "%2C", "=", "%3D").Replace(c.password), host, port, options))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if err == nil {
				err = conn.Ping(t.Context())
				_ = conn.Close(t.Context())
			}
			if got := sqlstate(err); err == nil && c.want != "" || err != nil && got != c.want {
				t.Errorf("%s, %s, %s: %s, want %q", c.user, c.password, options, got, c.want)
			}
		}
	}
}

// A client whose certificate is of the authority, and of the user's name, needs
// no password; one of another authority is not served.
func TestClientCertificate(t *testing.T) {
	authority, other := newAuthority(t), newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	host, port := listen(t, Options{
		TLS: &tls.Config{
			Certificates: []tls.Certificate{certificate(t)}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven,
		},
		Authenticator: passwords{"alice": "secret"},
	})
	connect := func(user, password string, cert *tls.Certificate) error {
		config, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s:%s@%s:%s/db?sslmode=require", user, password, host, port))
		if err != nil {
			t.Fatal(err)
		}
		if cert != nil {
			config.TLSConfig.Certificates = []tls.Certificate{*cert}
		}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err
	}
	alice, mallory := issue(t, authority, "alice"), issue(t, other, "alice")
	if err := connect("alice", "", &alice); err != nil {
		t.Errorf("with her certificate: %v", err)
	}
	if err := connect("bob", "", &alice); !strings.HasPrefix(sqlstate(err), "28P01") {
		t.Errorf("with somebody else's certificate: %v", err)
	}
	if err := connect("alice", "secret", nil); err != nil {
		t.Errorf("with her password: %v", err)
	}
	if err := connect("alice", "secret", &mallory); err == nil {
		t.Error("a certificate of another authority is taken")
	}
}

// What a client says in place of a proof ends its connection with a clear error.
func TestLoginMessages(t *testing.T) {
	host, port := listen(t, Options{Authenticator: passwords{"alice": "secret"}})
	initial := func(mechanism, message string) []byte {
		body := append(append([]byte(mechanism), 0), binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
		return frame('p', append(body, message...))
	}
	for name, c := range map[string]struct {
		send []byte
		want string
	}{
		"a query":                  {frame('Q', []byte("rows 1\x00")), "08P01"},
		"an unknown mechanism":     {initial("PLAIN", "n,,n=,r=a"), "08P01"},
		"binding without TLS":      {initial(scram.Binding, "p=tls-server-end-point,,n=,r=a"), "08P01"},
		"no SCRAM message":         {initial(scram.Plain, "hello"), "08P01"},
		"a length that is wrong":   {frame('p', []byte(scram.Plain+"\x00\xff\xff\xff\x00n,,n=,r=a")), "08P01"},
		"too long a message":       {binary.BigEndian.AppendUint32([]byte{'p'}, 1<<20), "08P01"},
		"a proof of nothing":       {append(initial(scram.Plain, "n,,n=,r=a"), frame('p', []byte("c=biws,r=a,p=AAAA"))...), "08P01"},
		"a nonce of its own":       {append(initial(scram.Plain, "n,,n=,r=a"), frame('p', []byte("c=biws,r=a,p="+strings.Repeat("A", 43)+"="))...), "08P01"},
		"a query before the proof": {append(initial(scram.Plain, "n,,n=,r=a"), frame('Q', []byte("rows 1\x00"))...), "08P01"},
	} {
		raw, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write(append(script.Startup(3<<16, "user", "alice"), c.send...)); err != nil {
			t.Fatal(err)
		}
		_ = raw.SetReadDeadline(time.Now().Add(10 * time.Second))
		if tcp, ok := raw.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		got, err := io.ReadAll(raw)
		if err != nil || !strings.Contains(string(got), "C"+c.want) || strings.Contains(string(got), "server_version") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		_ = raw.Close()
	}
}

func frame(typ byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)), body...)
}

func newAuthority(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func issue(t *testing.T, authority *tls.Certificate, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, &key.PublicKey, authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
