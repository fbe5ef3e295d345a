package ingest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// authorizeTest lets in "sender" with the password "se:cret" and the certificate
// of "device"; "reader" may not send; "unsure" is not known now.
func authorizeTest(_ context.Context, c Caller) error {
	switch {
	case c.User == "sender" && c.Password == "se:cret", !c.Given && c.Certificate == "device":
		return nil
	case c.User == "reader":
		return fmt.Errorf("%w: reader", ErrForbidden)
	case c.User == "unsure":
		return errors.New("the store has failed")
	default:
		return fmt.Errorf("%w: %q", ErrUnauthenticated, c.User)
	}
}

func basic(user string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":se:cret"))
}

// callers is what each Authorization header is answered.
var callers = []struct {
	header string
	code   codes.Code
	status int
}{
	{"", codes.Unauthenticated, http.StatusUnauthorized},
	{basic("sender"), codes.OK, http.StatusOK},
	{strings.ToLower(basic("sender")[:5]) + basic("sender")[5:], codes.OK, http.StatusOK},
	{"Bearer sender:se:cret", codes.OK, http.StatusOK},
	{"Bearer " + basic("sender")[len("Basic "):], codes.OK, http.StatusOK},
	{"Basic sender:se:cret", codes.Unauthenticated, http.StatusUnauthorized},
	{"Digest sender:se:cret", codes.Unauthenticated, http.StatusUnauthorized},
	{"Bearer", codes.Unauthenticated, http.StatusUnauthorized},
	{basic("nobody"), codes.Unauthenticated, http.StatusUnauthorized},
	{basic("reader"), codes.PermissionDenied, http.StatusForbidden},
	{basic("unsure"), codes.Unavailable, http.StatusServiceUnavailable},
}

func TestCallers(t *testing.T) {
	r := &recorder{}
	_, conn := start(t, r, Options{Authorize: authorizeTest})
	_, addr := startWeb(t, r, Options{Authorize: authorizeTest})
	body, taken := marshal(t, traces(span("12345678"))), 0
	for _, c := range callers {
		ctx := t.Context()
		if c.header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
		}
		if _, err := Export(ctx, conn, "/"+services[0].name+"/Export", body); status.Code(err) != c.code {
			t.Errorf("gRPC, %q: %v", c.header, err)
		}
		w, _ := call{body: body, header: map[string]string{"Authorization": c.header}}.do(t, addr)
		if w.StatusCode != c.status {
			t.Errorf("HTTP, %q: %s", c.header, w.Status)
		}
		if asks := w.Header.Get("WWW-Authenticate") != ""; asks != (c.status == http.StatusUnauthorized) {
			t.Errorf("HTTP, %q: %v", c.header, w.Header)
		}
		if c.code == codes.OK {
			taken += 2
		}
	}
	if n := len(r.taken()); n != taken {
		t.Errorf("%d requests were stored, of %d that may be", n, taken)
	}
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
}

// Nobody who may not send makes the server read a body.
func TestCallerBeforeBody(t *testing.T) {
	_, addr := startWeb(t, &recorder{}, Options{Authorize: authorizeTest})
	conn, err := net.Dial("tcp", strings.TrimPrefix(addr, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, len("HTTP/1.1 401"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 401" {
		t.Errorf("%q, %v", answer, err)
	}
}

// authority makes certificates: of a server, and of a client called "device".
func authority(t *testing.T) (pool *x509.CertPool, server, client tls.Certificate) {
	t.Helper()
	make1 := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if parent == nil {
			parent, signer = template, private
		}
		template.SerialNumber, template.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, private
	}
	ca, caKey := make1(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf := func(name string, usage x509.ExtKeyUsage) tls.Certificate {
		cert, private := make1(&x509.Certificate{
			Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, ca, caKey)
		return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: private}
	}
	pool = x509.NewCertPool()
	pool.AddCert(ca)
	return pool, leaf("gateway", x509.ExtKeyUsageServerAuth), leaf("device", x509.ExtKeyUsageClientAuth)
}

// One address takes connections in the clear and encrypted ones; a certificate
// says who the sender is, where no password does.
func TestTransports(t *testing.T) {
	pool, server, client := authority(t)
	var mu sync.Mutex
	var last Caller
	o := Options{
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven},
		Authorize: func(ctx context.Context, c Caller) error {
			mu.Lock()
			defer mu.Unlock()
			last = c
			return authorizeTest(ctx, c)
		},
	}
	_, conn := start(t, &recorder{}, o)
	_, addr := startWeb(t, &recorder{}, o)
	body := marshal(t, traces(span("12345678")))
	for _, c := range []struct {
		name        string
		config      *tls.Config // nil: in the clear
		header      string
		code        codes.Code
		certificate string
	}{
		{"clear", nil, basic("sender"), codes.OK, ""},
		{"encrypted", &tls.Config{RootCAs: pool}, basic("sender"), codes.OK, ""},
		{"encrypted, nobody", &tls.Config{RootCAs: pool}, "", codes.Unauthenticated, ""},
		{"certificate", &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}}, "", codes.OK, "device"},
		{"certificate, another user", &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}}, basic("reader"), codes.PermissionDenied, "device"},
	} {
		check := func(way string, code codes.Code, err error) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if code != c.code || last.TLS != (c.config != nil) || last.Certificate != c.certificate || !isLocal(last.Addr) {
				t.Errorf("%s, %s: %s, %+v: %v", c.name, way, code, last, err)
			}
			last = Caller{}
		}
		security := insecure.NewCredentials()
		if c.config != nil {
			security = credentials.NewTLS(c.config)
		}
		rpc, err := grpc.NewClient(conn.Target(), grpc.WithTransportCredentials(security))
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if c.header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
		}
		_, err = Export(ctx, rpc, "/"+services[0].name+"/Export", body)
		_ = rpc.Close()
		check("gRPC", status.Code(err), err)

		target := addr
		if c.config != nil {
			target = "https" + strings.TrimPrefix(addr, "http")
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target+"/v1/traces", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", typeProtobuf)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		web := &http.Transport{TLSClientConfig: c.config, DisableKeepAlives: true}
		w, err := web.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_ = w.Body.Close()
		check("HTTP", map[int]codes.Code{200: codes.OK, 401: codes.Unauthenticated, 403: codes.PermissionDenied}[w.StatusCode], nil)
	}
}

func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Where nothing is configured, a handshake is an error and no crash; garbage too.
func TestNoTransport(t *testing.T) {
	_, addr := startWeb(t, &recorder{}, Options{})
	if _, err := (&http.Transport{}).RoundTrip(mustRequest(t, "https"+strings.TrimPrefix(addr, "http"))); err == nil {
		t.Error("encrypted without a certificate")
	}
	if w, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustRequest(t, addr)); err != nil || w.StatusCode == 0 {
		t.Error(err)
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/traces", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewClient(t *testing.T) {
	for _, target := range []string{"grpc://h:1", "grpcs://u:p@h:1", "http://h:1", "https://u:p@h:1/"} {
		c, err := NewClient(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
		} else if (c.auth != "") != strings.Contains(target, "@") || strings.Contains(c.url, "@") {
			t.Errorf("%s: %+v", target, c)
		}
	}
	for _, target := range []string{"h:1", "ftp://h:1", "grpc:", "ftp://u:secret@h"} {
		if _, err := NewClient(target); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", target, err)
		}
	}
}
