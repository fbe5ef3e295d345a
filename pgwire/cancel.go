package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"os"
	"sync"
	"time"
)

// Cancel keys are guessed in vain: a miss keeps one of so few places taken for
// so long.
const (
	cancelPlaces  = 16
	cancelPenalty = time.Second
)

// Key lengths of protocol 3.0, and of 3.2, where up to 256 bytes are allowed.
const (
	shortKeyBytes = 4
	longKeyBytes  = 32
)

func newKey(long bool) []byte {
	n := shortKeyBytes
	if long {
		n = longKeyBytes
	}
	key := make([]byte, n)
	_, _ = rand.Read(key) // documented never to fail
	return key
}

// running makes the context of a statement. A CancelRequest, a shutdown that
// waits no longer and a client that has gone end it. The caller must not read
// from the connection until it has called done or stopWatching.
func (c *conn) running() (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(c.server.ctx)
	c.setCancel(cancel)
	watched := make(chan struct{})
	watch := time.AfterFunc(c.server.opts.ProbeAfter, func() {
		defer close(watched)
		_, err := c.in.Peek(1)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel()
		}
	})
	c.stopWatching = sync.OnceFunc(func() {
		if !watch.Stop() {
			c.interruptRead()
			<-watched
			if err := c.allowRead(); err != nil {
				c.broken = err
			}
		}
	})
	return ctx, func() {
		c.stopWatching()
		c.setCancel(nil)
		cancel()
	}
}

func (c *conn) setCancel(f context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelRunning = f
}

func (c *conn) cancelStatement() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelRunning != nil {
		c.cancelRunning()
	}
}

// cancel serves a CancelRequest that came on c: it ends the running statement
// of the connection with that key. The client sees its connection closed,
// whether the key was right or not.
func (s *Server) cancel(c *conn, pid uint32, key []byte) {
	timeout := time.NewTimer(s.opts.StartupTimeout)
	defer timeout.Stop()
	select {
	case s.cancels <- struct{}{}:
		defer func() { <-s.cancels }()
	case <-timeout.C:
		return
	case <-s.quit:
		return
	}
	s.mu.Lock()
	target := s.byPID[pid]
	s.mu.Unlock()
	if target != nil && subtle.ConstantTimeCompare(target.key, key) == 1 {
		s.metrics.cancels.WithLabelValues("hit").Inc()
		target.cancelStatement()
		return
	}
	s.metrics.cancels.WithLabelValues("miss").Inc()
	_ = c.net.Close() // now, so that the time tells nothing
	penalty := time.NewTimer(s.cancelPenalty)
	defer penalty.Stop()
	select {
	case <-penalty.C:
	case <-s.quit:
	}
}

// signal cancels what a connection runs, or ends it.
func (s *Server) signal(pid uint32, terminate bool) bool {
	s.mu.Lock()
	target := s.byPID[pid]
	s.mu.Unlock()
	if target == nil {
		return false
	}
	if terminate {
		target.terminated.Store(true)
		target.interruptRead()
	}
	target.cancelStatement()
	return true
}
