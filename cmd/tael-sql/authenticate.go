package main

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/scram"
	"github.com/tael-sql/tael-sql/pgwire"
)

// An authenticator says what users have to prove. Who reaches the Unix socket
// is the gateway's own user, or root. While nobody has a password, the owner
// needs none from this machine.
type authenticator struct {
	catalog *catalog.Catalog
	roles   func() ([]catalog.Role, error) // as stored
}

// Credential says what a user has to prove from a peer. Admins have a reserve of
// connections.
func (a authenticator) Credential(_ context.Context, name string, from pgwire.Peer) (pgwire.Credential, error) {
	c, err := a.proof(name, from)
	c.Reserve = a.catalog.Member(name, catalog.Admin)
	return c, err
}

func (a authenticator) proof(name string, from pgwire.Peer) (pgwire.Credential, error) {
	if from.Addr.Network() == "unix" {
		return pgwire.Credential{Trusted: true}, nil
	}
	local := isLoopback(from.Addr)
	if !local && !from.TLS {
		return pgwire.Credential{}, pgerr.New(pgerr.InvalidAuthorization, "connections that are not encrypted are not accepted from %s", hostOf(from.Addr))
	}
	if _, err := a.roles(); err != nil { // then nobody is trusted
		return pgwire.Credential{}, err
	}
	role, ok := a.catalog.Role(name)
	switch {
	case local && !a.passwords(), ok && from.Certificate == name:
		return pgwire.Credential{Trusted: true}, nil
	case !ok:
		return pgwire.Credential{}, nil
	}
	if until, ok := role.ValidUntil.(int64); ok && until < expr.Micros(time.Now()) {
		return pgwire.Credential{}, nil
	}
	if v, ok := scram.Parse(role.Verifier); ok {
		return pgwire.Credential{Verifier: &v}, nil
	}
	return pgwire.Credential{}, nil
}

// passwords reports whether anybody has a password.
func (a authenticator) passwords() bool {
	return slices.ContainsFunc(a.catalog.Roles(), func(r catalog.Role) bool { return r.Login && r.Verifier != "" })
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func hostOf(addr net.Addr) string {
	if host, _, err := net.SplitHostPort(addr.String()); err == nil {
		return host
	}
	return addr.String()
}
