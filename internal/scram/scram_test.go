package scram

import (
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// A verifier that PostgreSQL 15 made of the password "tael".
const postgresVerifier = "SCRAM-SHA-256$4096:t2TDcmNQJB9bkaVeN3zN6Q==$8dSQ4CVH1RL78SnuW3aHwkOfc+nY+Wzhfty4dNl/hfs=:1ocq3matYoNRwTThgtoDNDu1rczgMXdsdejJZEVK5vI="

func TestVerifier(t *testing.T) {
	v, ok := Parse(postgresVerifier)
	if !ok || v.String() != postgresVerifier {
		t.Fatalf("Parse gives %v, %v", v, ok)
	}
	if !v.Matches("tael") || v.Matches("tale") {
		t.Error("PostgreSQL's verifier is of another password")
	}
	if made := NewVerifier("tael"); !made.Matches("tael") || made.String() == NewVerifier("tael").String() {
		t.Error("a verifier is not of its password, or has no salt of its own")
	}
	for _, bad := range []string{
		"", "md5aaaa", "SCRAM-SHA-256$", strings.Replace(postgresVerifier, "4096", "0", 1),
		strings.Replace(postgresVerifier, "4096", "999999999", 1), postgresVerifier[:len(postgresVerifier)-4],
		strings.Replace(postgresVerifier, ":", "", 1),
	} {
		if _, ok := Parse(bad); ok {
			t.Errorf("%q is taken for a verifier", bad)
		}
	}
}

// client is another implementation's client.
func client(t *testing.T, password string) *scram.ClientConversation {
	t.Helper()
	c, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.NewConversation()
}

// login runs an exchange between an implementation that is not ours and ours.
func login(t *testing.T, v Verifier, password string) error {
	t.Helper()
	c := client(t, password)
	e, err := NewExchange(v, nil, Plain)
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Step("")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.First([]byte(first))
	if err != nil {
		return err
	}
	final, err := c.Step(string(answer))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := e.Final([]byte(final))
	if err != nil {
		return err
	}
	if _, err := c.Step(string(proof)); err != nil || !c.Valid() {
		t.Errorf("the client does not take the server's proof: %v", err)
	}
	return nil
}

func TestExchange(t *testing.T) {
	for _, password := range []string{"tael", "pass,word=", "p\u00e4ss\u00a0wort", "\u2168"} {
		v := NewVerifier(password)
		if err := login(t, v, password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
		if err := login(t, v, password+"x"); !errors.Is(err, ErrProof) {
			t.Errorf("another password than %q gives %v", password, err)
		}
	}
	secret := []byte("of this server")
	if err := login(t, Mock(secret, "nobody"), "tael"); !errors.Is(err, ErrProof) {
		t.Errorf("a user that there is not gives %v", err)
	}
	if a, b := Mock(secret, "nobody"), Mock(secret, "nobody"); a.String() != b.String() {
		t.Error("the salt of a user that there is not changes")
	}
}

// Each first message gives an error of its kind, or is taken ("").
func TestFirst(t *testing.T) {
	cases := []struct {
		mechanism string
		encrypted bool
		message   string
		want      error
	}{
		{Plain, false, "n,,n=,r=abc", nil},
		{Plain, false, "y,,n=,r=abc", nil},
		{Plain, true, "n,,n=,r=abc", nil},
		{Plain, true, "y,,n=,r=abc", ErrBinding},
		{Plain, true, "p=tls-server-end-point,,n=,r=abc", ErrMalformed},
		{Binding, true, "p=tls-server-end-point,,n=,r=abc", nil},
		{Binding, true, "p=tls-unique,,n=,r=abc", ErrMalformed},
		{Binding, true, "n,,n=,r=abc", ErrMalformed},
		{Plain, false, "n,a=other,n=,r=abc", ErrMalformed},
		{Plain, false, "n,,n=,r=", ErrMalformed},
		{Plain, false, "n,,n=,r=a b", ErrMalformed},
		{Plain, false, "n,,m=1,n=,r=abc", ErrMalformed},
		{Plain, false, "", ErrMalformed},
	}
	for _, c := range cases {
		var endPoint []byte
		if c.encrypted {
			endPoint = []byte("hash")
		}
		e, err := NewExchange(NewVerifier("x"), endPoint, c.mechanism)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.First([]byte(c.message)); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s, encrypted %v, %q: %v, want %v", c.mechanism, c.encrypted, c.message, err, c.want)
		}
	}
	if _, err := NewExchange(Verifier{}, nil, Binding); err == nil {
		t.Error("channel binding without a channel")
	}
}
