package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/lib/pq"

	"github.com/tael-sql/tael-sql/pgwire/script"
)

// listen serves toys on loopback and gives the address.
func listen(t *testing.T, o Options) (host string, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(toy{}, o)
	done := make(chan error, 1)
	s.wg.Go(func() { done <- s.Serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			t.Error(err)
		}
	})
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func connectPGX(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// pgx speaks the extended protocol in binary with named statements; its other
// modes are text, unnamed statements and simple queries.
func TestPGX(t *testing.T) {
	host, port := listen(t, Options{})
	dsn := fmt.Sprintf("postgres://alice@%s:%s/db?sslmode=prefer", host, port)
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			conn := connectPGX(t, dsn+"&default_query_exec_mode="+mode)
			if err := conn.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			for range 2 { // the second time from the cache
				rows, err := conn.Query(t.Context(), "rows 1000")
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for rows.Next() {
					var id int64
					var name string
					if err := rows.Scan(&id, &name); err != nil {
						t.Fatal(err)
					}
					if id != int64(n) || name != fmt.Sprint("row ", n) {
						t.Fatalf("row %d is (%d, %s)", n, id, name)
					}
					n++
				}
				if n != 1000 || rows.Err() != nil || rows.CommandTag().String() != "SELECT 1000" {
					t.Errorf("%d rows, %v, tag %s", n, rows.Err(), rows.CommandTag())
				}
			}
			if mode != "simple_protocol" && mode != "exec" {
				var sum int64
				if err := conn.QueryRow(t.Context(), "sum $1 $2", 40, 2).Scan(&sum); err != nil || sum != 42 {
					t.Errorf("sum %d, %v", sum, err)
				}
			}
			var pgErr *pgconn.PgError
			if _, err := conn.Exec(t.Context(), "fail 22012 division by zero"); !errors.As(err, &pgErr) || pgErr.Code != "22012" {
				t.Errorf("got %v", err)
			}
			if _, err := conn.Exec(t.Context(), "nothing"); err != nil {
				t.Errorf("after an error: %v", err)
			}
		})
	}
}

// A batch is pipelined: its error ends it, and the connection lives on.
func TestPGXBatch(t *testing.T) {
	host, port := listen(t, Options{})
	conn := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db", host, port))
	var batch pgx.Batch
	for i := range 50 {
		batch.Queue(fmt.Sprintf("rows %d", i))
	}
	results := conn.SendBatch(t.Context(), &batch)
	for i := range 50 {
		if tag, err := results.Exec(); err != nil || tag.RowsAffected() != int64(i) {
			t.Fatalf("query %d: %v, %v", i, tag, err)
		}
	}
	if err := results.Close(); err != nil {
		t.Fatal(err)
	}
	var bad pgx.Batch
	bad.Queue("rows 1")
	bad.Queue("fail 22012 division by zero")
	bad.Queue("rows 1")
	if err := conn.SendBatch(t.Context(), &bad).Close(); err == nil {
		t.Error("the batch did not fail")
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// w30 at the edges: rows whose messages end at, before and behind the sizes of buffers.
func TestRowSizes(t *testing.T) {
	host, port := listen(t, Options{})
	conn := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db", host, port))
	for _, size := range []int{4 << 10, 8 << 10, 16 << 10, 64 << 10, 128 << 10} {
		for d := -24; d <= 2; d++ {
			rows, err := conn.Query(t.Context(), fmt.Sprintf("wide 3 %d", size+d), pgx.QueryExecModeExec)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for rows.Next() {
				if got := len(rows.RawValues()[0]); got != size+d {
					t.Fatalf("got %d bytes, want %d", got, size+d)
				}
				n++
			}
			if n != 3 || rows.Err() != nil {
				t.Fatalf("size %d: %d rows, %v", size+d, n, rows.Err())
			}
		}
	}
}

// w33: a statement is cancelled by the client's own request, while the server
// looks whether the client is still there; the connection lives on.
func TestPGXCancel(t *testing.T) {
	for _, options := range []string{
		"sslmode=disable&max_protocol_version=3.0", "sslmode=disable&max_protocol_version=3.2", "sslmode=require",
	} {
		t.Run(options, func(t *testing.T) {
			host, port := listen(t, Options{
				ProbeAfter: time.Millisecond, TLS: &tls.Config{Certificates: []tls.Certificate{certificate(t)}},
			})
			conn := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db?%s", host, port, options))
			for range 3 {
				stop := time.AfterFunc(20*time.Millisecond, func() {
					if err := conn.PgConn().CancelRequest(context.Background()); err != nil {
						t.Error(err)
					}
				})
				var pgErr *pgconn.PgError
				if _, err := conn.Exec(t.Context(), "sleep"); !errors.As(err, &pgErr) || pgErr.Code != "57014" {
					t.Fatalf("got %v", err)
				}
				stop.Stop()
				if tag, err := conn.Exec(t.Context(), "rows 3"); err != nil || tag.RowsAffected() != 3 {
					t.Errorf("got %v, %v", tag, err)
				}
			}
		})
	}
}

// lib/pq sends text; binary_parameters sends parameters in binary.
func TestLibPQ(t *testing.T) {
	host, port := listen(t, Options{})
	for _, option := range []string{"", " binary_parameters=yes"} {
		db, err := sql.Open("postgres", fmt.Sprintf("host=%s port=%s user=alice dbname=db sslmode=disable%s", host, port, option))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		var sum int64
		if err := db.QueryRow("sum $1 $2", 40, 2).Scan(&sum); err != nil || sum != 42 {
			t.Errorf("sum %d, %v", sum, err)
		}
		rows, err := db.Query("rows 3")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for rows.Next() {
			var id int64
			var name string
			if err := rows.Scan(&id, &name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		if got := strings.Join(names, ","); got != "row 0,row 1,row 2" || rows.Err() != nil {
			t.Errorf("got %s, %v", got, rows.Err())
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("fail 22012 division by zero"); err == nil {
			t.Error("the statement did not fail")
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// w00, w02: TLS is taken up by SSLRequest, and from the first byte with ALPN.
func TestTLS(t *testing.T) {
	host, port := listen(t, Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}})
	conn := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db?sslmode=require", host, port))
	if _, err := conn.Exec(t.Context(), "rows 10000"); err != nil {
		t.Error(err)
	}
	if _, ok := conn.PgConn().Conn().(*tls.Conn); !ok {
		t.Error("the connection is not encrypted")
	}
	direct := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db?sslmode=require&sslnegotiation=direct", host, port))
	if _, err := direct.Exec(t.Context(), "rows 10000"); err != nil {
		t.Error(err)
	}
	plain := connectPGX(t, fmt.Sprintf("postgres://alice@%s:%s/db?sslmode=disable", host, port))
	if err := plain.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	// Without ALPN a direct connection could be one that was meant for another protocol.
	raw, err := tls.Dial("tcp", net.JoinHostPort(host, port), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write(script.Startup(3<<16, "user", "alice")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, err := raw.Read(b); err == nil && b[0] != 'E' {
		t.Errorf("got %q", b[:n])
	}
}

// w00: a client that pipelines plaintext behind its SSLRequest is not served.
func TestTLSStuffing(t *testing.T) {
	host, port := listen(t, Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}})
	raw, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write(append(script.Packet(sslRequest, nil), script.Startup(3<<16, "user", "alice")...)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := raw.Read(b)
	if err == nil && strings.Contains(string(b[:n]), "server_version") || n > 0 && b[0] == 'R' {
		t.Errorf("got %q", b[:n])
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
