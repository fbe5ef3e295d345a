package pgwire

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// Options configure a Server. The zero value is valid.
type Options struct {
	MaxConnections int           // default 100
	StartupTimeout time.Duration // from accept to the first ReadyForQuery; default 10 s
	WriteTimeout   time.Duration // for a client to take what it asked for; default 30 s
	MaxMessage     int           // bytes of one message; default 16 MiB
	Logger         *slog.Logger  // default: discard
}

func (o Options) withDefaults() Options {
	o.MaxConnections = cmp.Or(o.MaxConnections, 100)
	o.StartupTimeout = cmp.Or(o.StartupTimeout, 10*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 30*time.Second)
	o.MaxMessage = cmp.Or(o.MaxMessage, 16<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Server accepts connections and runs a session for each.
type Server struct {
	handler Handler
	opts    Options

	ctx  context.Context // ends when statements must end
	stop context.CancelFunc
	wg   sync.WaitGroup
	pid  atomic.Uint32

	mu       sync.Mutex // guards what follows
	byPID    map[uint32]*conn
	listener net.Listener
	closing  bool
}

// NewServer makes a server that hands its connections to h.
func NewServer(h Handler, o Options) *Server {
	s := &Server{handler: h, opts: o.withDefaults(), byPID: make(map[uint32]*conn)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return l.Close()
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			s.opts.Logger.Warn("accept", "error", err)
			time.Sleep(10 * time.Millisecond) // out of descriptors: wait for one to be freed
			continue
		}
		s.wg.Go(func() { s.serve(nc) })
	}
}

// Connections counts the sessions that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byPID)
}

// Shutdown stops accepting, closes idle connections with 57P01, and lets
// running statements end until ctx does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	if s.listener != nil {
		_ = s.listener.Close() // a second close has nothing to say
	}
	for _, c := range s.byPID {
		c.interruptRead()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	s.wg.Go(func() {
		select {
		case <-ctx.Done():
			s.stop()
		case <-done:
		}
	})
	for s.Connections() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.stop()
	close(done)
	s.mu.Lock()
	for _, c := range s.byPID {
		_ = c.net.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return ctx.Err()
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// serve runs one connection from accept to close.
func (s *Server) serve(nc net.Conn) {
	c := &conn{server: s, net: nc, in: bufio.NewReaderSize(nc, 16<<10)}
	defer func() {
		if r := recover(); r != nil {
			s.opts.Logger.Error("a connection panicked", "panic", r, "stack", stack())
			c.fatal(pgerr.New(pgerr.Internal, "internal error"))
		}
		c.close()
	}()
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetKeepAlivePeriod(time.Minute) // best effort
	}
	if err := nc.SetDeadline(time.Now().Add(s.opts.StartupTimeout)); err != nil {
		return
	}
	params, err := c.startup()
	if err == nil {
		err = c.open(params)
	}
	if err != nil {
		c.fatal(err)
		return
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return
	}
	c.loop()
}

// register enters a connection; it fails beyond the limit and at shutdown.
func (s *Server) register(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return pgerr.New(pgerr.CannotConnectNow, "the database system is shutting down")
	}
	if len(s.byPID) >= s.opts.MaxConnections {
		return pgerr.New(pgerr.TooManyConnections, "sorry, too many clients already")
	}
	c.pid = s.pid.Add(1)
	n := 4
	if c.longKeys {
		n = 32
	}
	c.key = make([]byte, n)
	if _, err := rand.Read(c.key); err != nil {
		return err
	}
	s.byPID[c.pid] = c
	return nil
}

func (s *Server) unregister(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPID[c.pid] == c {
		delete(s.byPID, c.pid)
	}
}

// open starts the session and greets the client.
func (c *conn) open(params map[string]string) error {
	if err := c.server.register(c); err != nil {
		return err
	}
	c.message('R', []byte{0, 0, 0, 0}) // AuthenticationOk
	session, err := c.server.handler.Open(c.server.ctx, Startup{
		User: params["user"], Database: cmp.Or(params["database"], params["user"]), Parameters: params,
		RemoteAddr: c.net.RemoteAddr(), PID: c.pid, Conn: c,
	})
	if err != nil {
		return err
	}
	c.session = session
	c.message('K', append(binary.BigEndian.AppendUint32(nil, c.pid), c.key...))
	return c.ready(c.session.Sync(c.server.ctx, false))
}
