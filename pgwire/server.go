package pgwire

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// alpn is the protocol name that PostgreSQL 17 registered for TLS.
const alpn = "postgresql"

// killAfter is how long statements that a shutdown has cancelled may take to
// end before their connections are cut.
const killAfter = time.Second

// Options configure a Server. The zero value is valid.
type Options struct {
	// MaxConnections is how many sessions may be open, the last of them by users
	// with a reserve. Default 100.
	MaxConnections int
	// MaxPerHost is how many of them may come from one address; Unix sockets have
	// none. Default: no other limit.
	MaxPerHost int
	// MaxStarting is how many connections may be without a session yet; those
	// beyond are closed unread. Default 1000.
	MaxStarting int
	// StartupTimeout is the time from accept to the first ReadyForQuery. Default 10 s.
	StartupTimeout time.Duration
	// WriteTimeout is the time that a client may take to read 64 KiB of what it
	// asked for. Default 30 s.
	WriteTimeout time.Duration
	// ProbeAfter is how long a statement runs before the server looks whether
	// its client is still there. Default 1 s.
	ProbeAfter time.Duration
	// MaxMessageBytes is the longest message of a client. Default 16 MiB.
	MaxMessageBytes int
	// TLS accepts encrypted connections. Default: they are declined.
	TLS *tls.Config
	// Authenticator says what users have to prove. Default: nothing.
	Authenticator Authenticator
	// Login is told who has connected, or why not. Default: nobody is.
	Login func(user string, from net.Addr, err error)
	// Logger receives panics and the causes of errors. Default: discard.
	Logger *slog.Logger
	// Registerer receives the metrics. Default: none.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() Options {
	o.MaxConnections = cmp.Or(o.MaxConnections, 100)
	o.MaxStarting = cmp.Or(o.MaxStarting, 1000)
	o.StartupTimeout = cmp.Or(o.StartupTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	o.ProbeAfter = cmp.Or(o.ProbeAfter, time.Second)
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, 16<<20)
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
		o.TLS.MinVersion = max(o.TLS.MinVersion, tls.VersionTLS12)
		o.TLS.NextProtos = []string{alpn}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Server accepts connections and runs a session for each.
type Server struct {
	handler       Handler
	opts          Options
	metrics       *metrics
	secret        []byte        // of mock verifiers
	cancels       chan struct{} // a place for each CancelRequest being served
	cancelPenalty time.Duration

	ctx     context.Context // ends when statements must end
	stop    context.CancelFunc
	quit    chan struct{} // closed when shutdown begins
	closing atomic.Bool   // likewise; set under mu
	wg      sync.WaitGroup

	mu        sync.Mutex // guards what follows
	conns     map[*conn]struct{}
	byPID     map[uint32]*conn // those that have a session or are about to
	lastPID   uint32
	listeners map[net.Listener]struct{}
}

// NewServer makes a server that hands its connections to h.
func NewServer(h Handler, o Options) *Server {
	s := &Server{
		handler: h, opts: o.withDefaults(), metrics: newMetrics(o.Registerer),
		secret: []byte(rand.Text()), cancels: make(chan struct{}, cancelPlaces), cancelPenalty: cancelPenalty, quit: make(chan struct{}),
		conns: make(map[*conn]struct{}), byPID: make(map[uint32]*conn), listeners: make(map[net.Listener]struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections until Shutdown, which closes the listener. It may
// be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	closing := s.closing.Load()
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	if closing {
		return l.Close()
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.accept(nc)
		case errors.Is(err, net.ErrClosed):
			return nil
		default: // out of descriptors: wait for one to be freed
			s.opts.Logger.Warn("accept", "cause", err)
			select {
			case <-time.After(10 * time.Millisecond):
			case <-s.quit:
			}
		}
	}
}

// accept starts a connection's goroutine, which ends with the connection.
func (s *Server) accept(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() || len(s.conns)-len(s.byPID) >= s.opts.MaxStarting {
		s.metrics.connections.WithLabelValues("refused").Inc()
		_ = nc.Close() // nothing was promised
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.wg.Go(c.serve)
}

// SetLimits replaces Options.MaxConnections and Options.MaxPerHost; who is
// connected stays.
func (s *Server) SetLimits(connections, perHost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.MaxConnections, s.opts.MaxPerHost = cmp.Or(connections, s.opts.MaxConnections), perHost
}

// Connections counts the sessions that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byPID)
}

// Shutdown stops accepting, ends idle connections with 57P01 and lets running
// statements end until ctx does; then it cancels them. It returns when every
// connection is closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing.Swap(true) {
		close(s.quit)
	}
	for l := range s.listeners {
		_ = l.Close() // it may be closed already
	}
	for c := range s.conns {
		c.interruptRead()
	}
	s.mu.Unlock()
	defer s.stop()

	done := make(chan struct{})
	var waiter sync.WaitGroup
	waiter.Go(func() {
		s.wg.Wait()
		close(done)
	})
	defer waiter.Wait()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.stop()
	kill := time.NewTimer(killAfter)
	defer kill.Stop()
	select {
	case <-done:
	case <-kill.C:
		s.mu.Lock()
		for c := range s.conns {
			_ = c.raw.Close() // its goroutine finds out
		}
		s.mu.Unlock()
	}
	return ctx.Err()
}

// reserved is how many connections are kept for some users; as many as
// PostgreSQL's superuser_reserved_connections, if that leaves most to the others.
// The caller holds mu.
func (s *Server) reserved() int {
	if s.opts.Authenticator == nil {
		return 0
	}
	return min(3, s.opts.MaxConnections/10)
}

// register enters a connection that is to have a session; it fails beyond the
// limit and at shutdown.
func (s *Server) register(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := error(nil)
	switch {
	case s.closing.Load():
		err = pgerr.New(pgerr.CannotConnectNow, "the database system is shutting down")
	case len(s.byPID) >= s.opts.MaxConnections:
		err = pgerr.New(pgerr.TooManyConnections, "sorry, too many clients already")
	case s.opts.MaxPerHost > 0 && s.fromHost(c) >= s.opts.MaxPerHost:
		err = pgerr.New(pgerr.TooManyConnections, "too many connections from host \"%s\"", host(c.raw.RemoteAddr()))
	case len(s.byPID) >= s.opts.MaxConnections-s.reserved() && !c.reserve:
		err = pgerr.New(pgerr.TooManyConnections, "remaining connection slots are reserved for non-replication superuser connections")
	}
	if err != nil {
		s.metrics.connections.WithLabelValues("refused").Inc()
		return err
	}
	for { // clients read it as an int32
		s.lastPID = s.lastPID&(1<<31-1) + 1
		if s.byPID[s.lastPID] == nil {
			break
		}
	}
	c.pid, c.key = s.lastPID, newKey(c.longKeys)
	s.byPID[c.pid] = c
	s.metrics.connections.WithLabelValues("opened").Inc()
	s.metrics.open.Inc()
	return nil
}

// fromHost counts the sessions from the address that c comes from. The caller
// holds mu.
func (s *Server) fromHost(c *conn) (n int) {
	of := host(c.raw.RemoteAddr())
	if of == "" {
		return 0
	}
	for _, other := range s.byPID {
		if host(other.raw.RemoteAddr()) == of {
			n++
		}
	}
	return n
}

// host is the address of a peer on a network, without its port.
func host(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}

// forget drops a connection that has ended.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.byPID[c.pid] == c {
		delete(s.byPID, c.pid)
		s.metrics.open.Dec()
	}
}

// open starts the session and greets the client.
func (c *conn) open(first *firstPacket) error {
	if err := c.server.register(c); err != nil {
		return err
	}
	c.authentication(authenticationOk, nil)
	session, err := c.server.handler.Open(c.server.ctx, Startup{
		User: first.user, Database: cmp.Or(first.database, first.user), Parameters: first.settings,
		RemoteAddr: c.raw.RemoteAddr(), TLS: c.tls, PID: c.pid, Conn: c, Registry: c.registry, Signal: c.server.signal,
	})
	if err != nil {
		return pgerr.From(err)
	}
	c.session = session
	c.message('K', append(binary.BigEndian.AppendUint32(nil, c.pid), c.key...)...)
	return c.ready('I')
}
