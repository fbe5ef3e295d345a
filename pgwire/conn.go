package pgwire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// bodyStep is how far a message's buffer grows ahead of the bytes that have
// arrived, whatever length the message claims.
const bodyStep = 64 << 10

// lingerTime is how long input is thrown away after a protocol error, so that
// the client reads the error before it learns that the connection is closed.
const lingerTime = time.Second

var errShutdown = pgerr.New(pgerr.AdminShutdown, "terminating connection due to administrator command")

// conn is one client. The goroutine of serve owns it but for raw, pid and key,
// which never change once it is registered, and for what mu guards.
type conn struct {
	server *Server
	raw    net.Conn // deadlines and closing

	pid      uint32
	key      []byte
	longKeys bool // protocol 3.2: cancel keys of 32 bytes

	net     net.Conn // raw, or TLS over it
	in      *bufio.Reader
	body    []byte // of the last message, if small
	tls     bool
	session Session

	certificate *tls.Certificate // the server's, once encrypted
	reserve     bool             // may have one of the last connections

	output

	registry *Registry
	idle     bool // nothing has come since the last ReadyForQuery
	status   byte // of the transaction, as the last ReadyForQuery said
	skipping bool // after an error, until Sync
	failed   bool // an error happened since the last Sync

	terminated   atomic.Bool // the administrator ends it
	stopWatching func()      // of the running statement

	mu            sync.Mutex         // guards what follows
	cancelRunning context.CancelFunc // nil: no statement runs
	waiting       bool               // for a message, and may be woken
	woken         bool               // there may be notifications
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		server: s, raw: nc, net: nc, in: bufio.NewReaderSize(nc, idleBytes), registry: newRegistry(),
		output: output{reported: make(map[string]string), values: make(map[string]string)},
	}
}

// serve runs the connection from accept to close.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.close()
	defer c.recovered("connection")
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		// Best effort: without it the connection still works.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 6})
	}
	if err := c.run(); err != nil {
		c.fatal(err)
	}
}

// recovered turns a panic into the end of this connection.
func (c *conn) recovered(where string) {
	if r := recover(); r != nil {
		c.server.opts.Logger.Error("panic", "where", where, "pid", c.pid, "panic", r, "stack", string(debug.Stack()))
		c.server.metrics.panics.Inc()
		c.fatal(pgerr.New(pgerr.Internal, "internal error"))
	}
}

func (c *conn) run() error {
	if err := c.raw.SetDeadline(time.Now().Add(c.server.opts.StartupTimeout)); err != nil {
		return err
	}
	first, err := c.startup()
	if err != nil {
		return err
	}
	err = c.authenticate(first)
	if err == nil {
		err = c.open(first)
	}
	if c.server.opts.Login != nil && first.user != "" {
		c.server.opts.Login(first.user, c.raw.RemoteAddr(), err)
	}
	if err != nil {
		return err
	}
	if err := c.allowRead(); err != nil {
		return err
	}
	return c.loop()
}

// close gives back what the connection holds.
func (c *conn) close() {
	defer func() { _ = c.net.Close() }() // nothing is left to lose
	defer c.recovered("closing a session")
	c.registry.DropPortals()
	if c.session != nil {
		c.session.Close()
	}
	c.buf = c.buf[:0]
	c.release()
}

// interruptRead wakes a connection that waits for its client.
func (c *conn) interruptRead() {
	_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // fails only if it is closed already
}

// ending reports whether a connection that waits for its client has to end.
func (c *conn) ending() bool { return c.server.closing.Load() || c.terminated.Load() }

// allowRead undoes interruptRead, unless a shutdown has begun meanwhile.
func (c *conn) allowRead() error {
	if err := c.raw.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if c.ending() {
		c.interruptRead()
	}
	return nil
}

// linger throws input away for a while.
func (c *conn) linger() {
	if half, ok := c.net.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	if c.raw.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.net) // ends by deadline or end of input
	}
}

// loop serves messages until the client leaves, or gives the error that ends
// the connection.
func (c *conn) loop() error {
	for {
		if c.idle && c.server.closing.Load() || c.terminated.Load() {
			return errShutdown
		}
		var typ byte
		var body []byte
		var err error
		if c.idle && c.status == 'I' {
			err = c.wait()
		}
		if err == nil {
			typ, body, err = c.read()
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && c.ending() {
				return errShutdown
			}
			return err
		}
		if typ == 'X' {
			return nil
		}
		c.idle = false
		if err := c.dispatch(typ, body); err != nil {
			return err
		}
		if len(c.buf) >= flushBytes { // of a client that never asks for its answers
			if err := c.flush(); err != nil {
				return err
			}
		}
		if c.broken != nil {
			return c.broken
		}
	}
}

// read takes one message. The body is valid until the next call.
func (c *conn) read() (typ byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > uint32(c.server.opts.MaxMessageBytes) {
		return 0, nil, pgerr.New(pgerr.ProtocolViolation, "invalid message length").
			WithDetail("A message can have up to %d bytes.", c.server.opts.MaxMessageBytes)
	}
	c.server.metrics.receivedBytes.Add(float64(size) + 1)
	left := int(size) - 4
	body = c.body[:0]
	for left > 0 {
		step := min(left, max(bodyStep, len(body)))
		at := len(body)
		body = slices.Grow(body, step)[:at+step]
		if _, err := io.ReadFull(c.in, body[at:]); err != nil {
			return 0, nil, err
		}
		left -= step
	}
	if cap(body) <= idleBytes {
		c.body = body
	}
	return head[0], body, nil
}

// dispatch serves one message. An error it gives ends the connection.
func (c *conn) dispatch(typ byte, body []byte) error {
	switch typ {
	case 'S':
		return c.sync()
	case 'd', 'c', 'f': // COPY data without a COPY: a client may not know yet that it failed
		return nil
	case 'Q', 'P', 'B', 'D', 'E', 'C', 'H', 'F':
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid frontend message type %d", typ)
	}
	if c.skipping {
		return nil
	}
	switch typ {
	case 'H':
		return c.flush()
	case 'Q':
		return c.query(body)
	case 'F':
		if err := c.fail(pgerr.New(pgerr.FeatureNotSupported, "function calls by the protocol are not supported")); err != nil {
			return err
		}
		return c.sync()
	}
	if err := c.extended(typ, body); err != nil {
		if err := c.fail(err); err != nil {
			return err
		}
		c.skipping = true
		return c.flush() // an error is never held back until Sync
	}
	return nil
}

func (c *conn) sync() error {
	c.skipping = false
	ctx, done := c.running()
	status, err := c.session.Sync(ctx, c.failed)
	done()
	if err != nil {
		if err := c.fail(err); err != nil {
			return err
		}
	}
	c.failed = false
	return c.ready(status)
}

// decode reads a message's body.
func decode(m pgproto3.FrontendMessage, body []byte) error {
	if err := m.Decode(body); err != nil {
		return pgerr.New(pgerr.ProtocolViolation, "invalid message format")
	}
	return nil
}

// checkText refuses what is not in the encoding that was agreed on. A NUL ends
// strings of the protocol, so no text has one.
func checkText(text []byte) error {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			return pgerr.New(pgerr.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", text[i])
		}
		i += n
	}
	return nil
}

// query runs the statements of a simple Query until one fails. The last one is
// said to be complete when its transaction is, should that end with the Query.
func (c *conn) query(body []byte) error {
	c.registry.DropStatement("")
	c.registry.DropPortal("")
	ctx, done := c.running()
	tag, err := c.runAll(ctx, body)
	var status byte
	if err == nil {
		status, err = c.session.Sync(ctx, false)
	}
	done()
	if err == nil {
		c.complete(tag)
		return c.ready(status)
	}
	if err := c.fail(err); err != nil {
		return err
	}
	if status == 0 {
		return c.sync()
	}
	c.failed = false
	return c.ready(status)
}

// runAll gives the tag of the last statement, which it leaves to be sent.
func (c *conn) runAll(ctx context.Context, body []byte) (tag string, err error) {
	var q pgproto3.Query
	if err := decode(&q, body); err != nil {
		return "", err
	}
	if err := checkText(body[:len(body)-1]); err != nil {
		return "", err
	}
	list, err := c.session.Parse(ctx, q.String, nil)
	if err != nil {
		return "", err
	}
	for i, st := range list {
		if i > 0 {
			c.complete(tag)
		}
		if tag, err = c.runSimple(ctx, st); err != nil {
			return "", err
		}
	}
	return tag, nil
}

func (c *conn) runSimple(ctx context.Context, st Statement) (tag string, err error) {
	p, err := c.session.Bind(ctx, st, nil)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if len(st.Params()) > 0 {
		return "", pgerr.New(pgerr.UndefinedParameter, "there is no parameter $1")
	}
	columns := p.Columns()
	if len(columns) > maxColumns {
		return "", errColumns()
	}
	formats := make([]int16, len(columns))
	if b, ok := p.(BinaryPortal); ok && b.Binary() {
		for i := range formats {
			formats[i] = 1
		}
	}
	if columns != nil {
		c.describe(columns, formats)
	}
	tag, _, err = p.Run(ctx, newRowWriter(c, columns, formats), 0)
	if c.terminated.Load() {
		return "", errShutdown
	}
	return tag, err
}

func errColumns() error {
	return pgerr.New(pgerr.TooManyColumns, "target lists can have at most %d entries", maxColumns)
}
