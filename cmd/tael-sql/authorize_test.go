package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/wal/record"
)

// Until an ingester has a password, who is on this machine may send; from then
// on ingesters and admins may, and nobody else.
func TestSenders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	g := testGateway(t, dir)
	defer func() { stopGateway(t, g, dir) }()
	check := func(user string, want codes.Code) {
		t.Helper()
		for scheme, addr := range map[string]string{"grpc://": g.endpoints.OTLPGRPC, "http://": g.endpoints.OTLPHTTP} {
			c, err := ingest.NewClient(scheme + user + addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = c.Send(t.Context(), record.Traces, []byte{})
			got := status.Code(err)
			if scheme == "http://" && err != nil {
				got = codes.Unknown
				for code, of := range map[codes.Code]int{codes.Unauthenticated: http.StatusUnauthorized, codes.PermissionDenied: http.StatusForbidden} {
					if strings.Contains(err.Error(), http.StatusText(of)) {
						got = code
					}
				}
			}
			if got != want {
				t.Errorf("%s%s: %v, want %s", scheme, user, err, want)
			}
		}
	}
	check("", codes.OK)
	addUserWith(t, dir, "chief", "boss", "--role", "admin")
	check("", codes.OK) // statements need a password now, telemetry does not
	check("boss:wrong@", codes.Unauthenticated)
	addUserWith(t, dir, "first", "collector", "--role", "ingester")
	addUserWith(t, dir, "looker", "ann")
	check("", codes.Unauthenticated)
	check("collector:first@", codes.OK)
	check("collector:first@", codes.OK) // as remembered
	check("collector:second@", codes.Unauthenticated)
	check("nobody:first@", codes.Unauthenticated)
	check("boss:chief@", codes.OK)
	check("ann:looker@", codes.PermissionDenied)
	addUserWith(t, dir, "second", "collector", "--role", "ingester")
	check("collector:first@", codes.Unauthenticated)
	check("collector:second@", codes.OK)
	boss, err := login(t, g, "boss", "chief", "sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if out := ask(boss, "ALTER ROLE collector VALID UNTIL '2020-01-01'"); out != "ALTER ROLE\n" {
		t.Fatal(out)
	}
	check("collector:second@", codes.Unauthenticated)
}
