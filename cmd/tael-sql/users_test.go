package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"
)

// login connects as a user over TCP.
func login(t *testing.T, g *gateway, name, password, options string) (*pgx.Conn, error) {
	t.Helper()
	dsn := fmt.Sprintf("postgres://%s@%s/%s?%s", url.UserPassword(name, password), g.endpoints.PG, database, options)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

// addUserWith runs user add with a password on standard input.
func addUserWith(t *testing.T, dir, password string, args ...string) {
	t.Helper()
	root := newRoot()
	root.SetIn(strings.NewReader(password + "\n"))
	root.SetArgs(append([]string{"user", "add", "--data-dir", dir}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Users are added to a stopped and to a running gateway; from the first one on
// everybody needs a password, of which nothing is kept but a verifier.
func TestUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	addUserWith(t, dir, "correct horse", "ann")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	for _, c := range []struct{ name, password, want string }{
		{"ann", "correct horse", ""},
		{"ann", "wrong", "28P01"},
		{user, "", "28P01"},
		{"nobody", "correct horse", "28P01"},
	} {
		conn, err := login(t, g, c.name, c.password, "sslmode=disable")
		switch {
		case c.want == "" && err == nil:
			if out := ask(conn, "SELECT current_user, count(*) FROM spans"); out != "current_user | count\nann | 0\nSELECT 1\n" {
				t.Error(out)
			}
		case c.want == "" || err == nil || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s, %q: %v, want %q", c.name, c.password, err, c.want)
		}
	}
	addUserWith(t, dir, "second", "bob", "--role", "admin")
	addUserWith(t, dir, "battery staple", "ann") // another password
	out, err := runCommand(t, "user", "list", "--data-dir", dir)
	if want := "user  roles   connects\nann   reader  yes\nbob   admin   yes\n"; err != nil || out != want {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := login(t, g, "ann", "correct horse", "sslmode=disable"); err == nil {
		t.Error("the old password is taken")
	}
	ann, err := login(t, g, "ann", "battery staple", "sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := login(t, g, "bob", "second", "sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if out := ask(bob, "ALTER ROLE ann VALID UNTIL '2020-01-01'"); out != "ALTER ROLE\n" {
		t.Fatal(out)
	}
	if _, err := login(t, g, "ann", "battery staple", "sslmode=disable"); err == nil {
		t.Error("a password is taken after its time")
	}
	if out := ask(ann, "CHECKPOINT"); !strings.HasPrefix(out, "42501") {
		t.Error(out)
	}
	if out := ask(bob, "CHECKPOINT"); out != "CHECKPOINT\n" {
		t.Error(out)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that the running gateway has given its name
		}
		for _, secret := range []string{"correct horse", "battery staple"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s has a password", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if out, err := runCommand(t, "user", "drop", "--data-dir", dir, name); err != nil {
			t.Fatal(out, err)
		}
	}
	if _, err := runCommand(t, "user", "drop", "--data-dir", dir, "bob"); err == nil || err.Error() != `role "bob" does not exist` {
		t.Error(err)
	}
	connect(t, g) // nobody has a password any more
}

// Statements of users of each role, with what they may and may not do.
func TestRoles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	conns := map[string]*pgx.Conn{user: connect(t, g)}
	datadriven.RunTest(t, "testdata/roles/roles.txt", func(t *testing.T, d *datadriven.TestData) string {
		name := user
		d.MaybeScanArgs(t, "as", &name)
		if d.HasArg("again") {
			delete(conns, name)
		}
		if conns[name] == nil {
			conn, err := login(t, g, name, "secret of "+name, "sslmode=disable")
			if err != nil {
				return err.Error()[strings.LastIndex(err.Error(), "FATAL"):] + "\n"
			}
			conns[name] = conn
		}
		return ask(conns[name], d.Input)
	})
}

// With a certificate, connections can be encrypted; a new one is taken up
// without a restart.
func TestEncryption(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	writeCertificate(t, cert, key, 1)
	t.Setenv("TAEL_SQL_TLS_CERT", cert)
	t.Setenv("TAEL_SQL_TLS_KEY", key)
	addUserWith(t, dir, "secret", "ann")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	serial := func() int64 {
		conn, err := login(t, g, "ann", "secret", "sslmode=require&channel_binding=require")
		if err != nil {
			t.Fatal(err)
		}
		return conn.PgConn().Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	writeCertificate(t, cert, key, 2)
	if n := serial(); n != 2 {
		t.Errorf("certificate %d", n)
	}
	if err := os.WriteFile(cert, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d", n)
	}
	writeCertificate(t, cert, key, 3)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("certificate %d, whose key everybody can read", n)
	}
}

// Addresses that others can reach need certificates.
func TestPublicAddress(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"PG_ADDR", "0.0.0.0:5433", "set tls.cert and tls.key"},
		{"PG_ADDR", ":5433", "set tls.cert and tls.key"},
		{"OTLP_GRPC_ADDR", "[::]:4317", "set tls.cert and tls.key"},
		{"ADMIN_ADDR", "192.0.2.1:7711", "it has no authentication"},
		{"TLS_CERT", "cert.pem", "belong together"},
	} {
		t.Run(c.key, func(t *testing.T) {
			t.Setenv("TAEL_SQL_"+c.key, c.value)
			if _, err := loadConfig(newServe().Flags()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.value, err)
			}
		})
	}
}

func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(serial*1000, 0) // so that it has changed, however coarse the clock is
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}
