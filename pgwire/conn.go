package pgwire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// conn is one client. Its loop owns everything but cancelRunning.
type conn struct {
	server   *Server
	net      net.Conn
	in       *bufio.Reader
	out      []byte // encoded, not yet written
	pid      uint32
	key      []byte
	longKeys bool // protocol 3.2: cancel keys of 32 bytes
	session  Session
	broken   error // of a write: nothing more can be sent

	statements map[string]Statement
	portals    map[string]*portal
	skipping   bool // after an error, until Sync
	failed     bool // an error happened since the last Sync

	mu            sync.Mutex         // guards cancelRunning
	cancelRunning context.CancelFunc // nil: no statement runs
}

func stack() string { return string(debug.Stack()) }

// message appends a message to the output.
func (c *conn) message(typ byte, body []byte) {
	c.out = append(c.out, typ)
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(body)+4))
	c.out = append(c.out, body...)
}

// send appends a message of package pgproto3.
func (c *conn) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(c.out)
	if err != nil { // a message over 1 GiB
		c.broken = err
		return
	}
	c.out = out
}

// flush writes the output; a client that does not take it in time is cut off.
func (c *conn) flush() error {
	if c.broken != nil {
		return c.broken
	}
	if len(c.out) == 0 {
		return nil
	}
	err := c.net.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout))
	if err == nil {
		_, err = c.net.Write(c.out)
	}
	if cap(c.out) > 4*flushBytes {
		c.out = nil
	}
	c.out = c.out[:0]
	c.broken = err
	return err
}

// ready tells the client that its turn has come.
func (c *conn) ready(status byte) error {
	c.message('Z', []byte{status})
	if status == 'I' {
		c.closePortals()
	}
	return c.flush()
}

func (c *conn) closePortals() {
	for _, p := range c.portals {
		p.Close()
	}
	c.portals = make(map[string]*portal)
}

// Notice sends a notice.
func (c *conn) Notice(severity string, e *pgerr.Error) {
	c.send((*pgproto3.NoticeResponse)(response(severity, e)))
}

// ParameterStatus tells the client of a setting.
func (c *conn) ParameterStatus(name, value string) {
	c.send(&pgproto3.ParameterStatus{Name: name, Value: value})
}

func response(severity string, e *pgerr.Error) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: string(e.Code), Message: e.Message,
		Detail: e.Detail, Hint: e.Hint, Position: int32(e.Position),
	}
}

// fail sends an error and skips to the next Sync.
func (c *conn) fail(err error) {
	e := pgerr.From(err)
	if e.Code == pgerr.Internal || e.Err != nil {
		c.server.opts.Logger.Error("statement failed", "sqlstate", string(e.Code), "message", e.Message, "cause", e.Err)
	}
	c.send(response("ERROR", e))
	c.failed = true
}

// fatal sends an error that ends the connection.
func (c *conn) fatal(err error) {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return // the client is gone, or said nothing that deserves an answer
	}
	c.send(response("FATAL", e))
	_ = c.flush() // the connection ends either way
}

func (c *conn) close() {
	c.closePortals()
	if c.session != nil {
		c.session.Close()
	}
	c.server.unregister(c)
	_ = c.net.Close() // nothing is left to lose
}

// interruptRead wakes a connection that waits for its client.
func (c *conn) interruptRead() {
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // best effort
}

// statement gives the context of a statement that runs now.
func (c *conn) statement() (context.Context, func()) {
	ctx, cancel := context.WithCancel(c.server.ctx)
	c.mu.Lock()
	c.cancelRunning = cancel
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		c.cancelRunning = nil
		c.mu.Unlock()
		cancel()
	}
}

func (c *conn) cancelStatement() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelRunning != nil {
		c.cancelRunning()
	}
}

// loop serves messages until the client leaves.
func (c *conn) loop() {
	c.statements, c.portals = make(map[string]Statement), make(map[string]*portal)
	for {
		typ, body, err := c.read()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && c.server.isClosing() {
				err = pgerr.New(pgerr.AdminShutdown, "terminating connection due to administrator command")
			}
			c.fatal(err)
			return
		}
		if typ == 'X' {
			return
		}
		if err := c.dispatch(typ, body); err != nil {
			c.fatal(err)
			return
		}
		if c.broken != nil {
			return
		}
	}
}

// read takes one message. The body is valid until the next call.
func (c *conn) read() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > uint32(c.server.opts.MaxMessage) {
		return 0, nil, pgerr.New(pgerr.ProtocolViolation, "invalid message length")
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(c.in, body)
	return head[0], body, err
}

// dispatch serves one message. An error it returns ends the connection.
func (c *conn) dispatch(typ byte, body []byte) error {
	var m pgproto3.FrontendMessage
	switch typ {
	case 'Q':
		m = &pgproto3.Query{}
	case 'P':
		m = &pgproto3.Parse{}
	case 'B':
		m = &pgproto3.Bind{}
	case 'D':
		m = &pgproto3.Describe{}
	case 'E':
		m = &pgproto3.Execute{}
	case 'C':
		m = &pgproto3.Close{}
	case 'S', 'H':
	case 'd', 'c', 'f': // COPY data without a COPY: ignored, as PostgreSQL does
		return nil
	case 'F':
		c.fail(pgerr.New(pgerr.FeatureNotSupported, "function calls by the protocol are not supported"))
		return c.sync()
	default:
		return pgerr.New(pgerr.ProtocolViolation, "invalid frontend message type %d", typ)
	}
	if m != nil {
		if err := m.Decode(body); err != nil {
			return pgerr.New(pgerr.ProtocolViolation, "invalid message format").Wrap(err)
		}
	}
	switch {
	case typ == 'S':
		return c.sync()
	case typ == 'H':
		return c.flush()
	case c.skipping && typ != 'Q':
		return nil
	}
	if q, ok := m.(*pgproto3.Query); ok {
		c.skipping = false
		return c.query(q.String)
	}
	if err := c.extended(m); err != nil {
		c.fail(err)
		c.skipping = true
		return c.flush() // an error is never held back until Sync
	}
	return nil
}

func (c *conn) sync() error {
	c.skipping = false
	status := c.session.Sync(c.server.ctx, c.failed)
	c.failed = false
	return c.ready(status)
}

// query runs the statements of a simple Query until one fails.
func (c *conn) query(sql string) error {
	ctx, done := c.statement()
	err := c.runAll(ctx, sql)
	done()
	if err != nil {
		c.fail(err)
	}
	if p := c.portals[""]; p != nil {
		p.Close()
		delete(c.portals, "")
	}
	return c.sync()
}

func (c *conn) runAll(ctx context.Context, sql string) error {
	list, err := c.session.Parse(ctx, sql, nil)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	for _, st := range list {
		if err := c.runSimple(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) runSimple(ctx context.Context, st Statement) error {
	p, err := c.session.Bind(ctx, st, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	columns := p.Columns()
	formats := make([]int16, len(columns))
	if columns != nil {
		c.describe(columns, formats)
	}
	tag, _, err := p.Run(ctx, &RowWriter{conn: c, columns: columns, formats: formats}, 0)
	if err != nil {
		return err
	}
	c.complete(tag)
	return nil
}

func (c *conn) complete(tag string) {
	if tag == "" {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}

// describe sends a RowDescription.
func (c *conn) describe(columns []Column, formats []int16) {
	d := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(columns))}
	for i, col := range columns {
		format := int16(0)
		if i < len(formats) {
			format = formats[i]
		}
		d.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(col.Name), TableOID: uint32(col.TableOID), TableAttributeNumber: uint16(col.Attr),
			DataTypeOID: uint32(col.Type.OID), DataTypeSize: typeLen(col.Type), TypeModifier: col.Type.Mod, Format: format,
		}
	}
	c.send(d)
}
