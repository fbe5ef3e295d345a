package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/tael-sql/tael-sql/catalog"
	"github.com/tael-sql/tael-sql/internal/expr"
	"github.com/tael-sql/tael-sql/internal/ingest"
	"github.com/tael-sql/tael-sql/internal/scram"
)

// An ingestAuthorizer says who may send telemetry: users who are members of
// ingester, or of admin. While no such user but an admin has a password, whoever
// is on this machine may.
type ingestAuthorizer struct {
	authenticator
	proved *provedPasswords
}

// Authorize is an ingest.Authorizer.
func (a ingestAuthorizer) Authorize(ctx context.Context, c ingest.Caller) error {
	local := isLoopback(c.Addr)
	if !local && !c.TLS {
		return fmt.Errorf("%w: connections that are not encrypted are not accepted from elsewhere", ingest.ErrUnauthenticated)
	}
	if _, err := a.roles(); err != nil { // then nobody is trusted
		return err
	}
	name := c.User
	switch {
	case c.Given:
		if !a.knows(ctx, c.User, c.Password) {
			return fmt.Errorf("%w: no such user and password", ingest.ErrUnauthenticated)
		}
	case c.Certificate != "":
		name = c.Certificate
		if role, ok := a.catalog.Role(name); !ok || !mayLogIn(role) {
			return fmt.Errorf("%w: there is no user of the certificate's name", ingest.ErrUnauthenticated)
		}
	case local && !a.ingesters():
		return nil
	default:
		return fmt.Errorf("%w: send a user and a password", ingest.ErrUnauthenticated)
	}
	if !a.catalog.Member(name, catalog.Ingester) && !a.catalog.Member(name, catalog.Admin) {
		return fmt.Errorf("%w: user %q is not an ingester", ingest.ErrForbidden, name)
	}
	return nil
}

// ingesters reports whether an ingester has a password.
func (a ingestAuthorizer) ingesters() bool {
	for _, r := range a.catalog.Roles() {
		if r.Login && r.Verifier != "" && !a.catalog.Member(r.Name, catalog.Admin) && a.catalog.Member(r.Name, catalog.Ingester) {
			return true
		}
	}
	return false
}

// mayLogIn reports whether a role is a user whose time has not run out.
func mayLogIn(r catalog.Role) bool {
	until, ends := r.ValidUntil.(int64)
	return r.Login && (!ends || until >= expr.Micros(time.Now()))
}

func (a ingestAuthorizer) knows(ctx context.Context, name, password string) bool {
	role, ok := a.catalog.Role(name)
	if !ok || !mayLogIn(role) {
		return false
	}
	return a.proved.matches(ctx, role.Verifier, password)
}

// provedPasswords remembers which passwords have been right, since to find out
// takes milliseconds and a sender asks with every request. It has neither
// passwords nor anything that tells one: HMACs under a key that nobody knows.
type provedPasswords struct {
	key  []byte
	turn chan struct{} // one at a time is found out, so that guesses cost one processor at most

	mu     sync.Mutex
	proofs map[[sha256.Size]byte]struct{}
}

// maxProved bounds provedPasswords: beyond, all are found out anew.
const maxProved = 1024

func newProvedPasswords() *provedPasswords {
	return &provedPasswords{key: []byte(rand.Text()), turn: make(chan struct{}, 1), proofs: make(map[[sha256.Size]byte]struct{})}
}

// matches reports whether a password is that of a verifier. A new verifier, of a
// changed password, has other proofs.
func (p *provedPasswords) matches(ctx context.Context, verifier, password string) bool {
	h := hmac.New(sha256.New, p.key)
	_, _ = fmt.Fprintf(h, "%d:%s%s", len(verifier), verifier, password) // never fails
	proof := [sha256.Size]byte(h.Sum(nil))
	p.mu.Lock()
	_, known := p.proofs[proof]
	p.mu.Unlock()
	if known {
		return true
	}
	v, ok := scram.Parse(verifier)
	if !ok {
		return false
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	right := v.Matches(password)
	<-p.turn
	if right {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.proofs) >= maxProved {
			clear(p.proofs)
		}
		p.proofs[proof] = struct{}{}
	}
	return right
}
