package pgwire

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// A CopyReader gives what a client sends for COPY FROM STDIN. It is valid during
// the Run whose RowWriter made it.
type CopyReader struct {
	conn *conn
	ctx  context.Context
	left []byte // of the last chunk; valid until the next message
	err  error  // that all reads end with
}

// CopyIn tells the client that COPY FROM STDIN of so many columns begins.
func (w *RowWriter) CopyIn(ctx context.Context, columns int, binary bool) (*CopyReader, error) {
	format := byte(0)
	if binary {
		format = 1
	}
	m := &pgproto3.CopyInResponse{OverallFormat: format, ColumnFormatCodes: make([]uint16, columns)}
	for i := range m.ColumnFormatCodes {
		m.ColumnFormatCodes[i] = uint16(format)
	}
	w.conn.send(m)
	w.conn.stopWatching()
	return &CopyReader{conn: w.conn, ctx: ctx}, w.conn.flush()
}

// Read gives the data without the bounds of the messages that they came in. It
// fails with what the client says when it gives up, and with the context's
// error. At the end it gives io.EOF.
func (r *CopyReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil {
		r.left, r.err = r.next()
	}
	if len(r.left) == 0 {
		return 0, r.err
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Drain reads up to the end, after which the client waits for an answer.
func (r *CopyReader) Drain() error {
	for r.err == nil {
		r.left, r.err = r.next()
	}
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

func (r *CopyReader) next() ([]byte, error) {
	if err := r.conn.await(r.ctx); err != nil {
		return nil, err
	}
	typ, body, err := r.conn.read()
	if err != nil {
		return nil, r.conn.lost(err)
	}
	switch typ {
	case 'd':
		return body, nil
	case 'c':
		return nil, io.EOF
	case 'f':
		var m pgproto3.CopyFail
		if err := decode(&m, body); err != nil {
			return nil, err
		}
		return nil, pgerr.New(pgerr.QueryCanceled, "COPY from stdin failed: %s", m.Message)
	case 'H', 'S': // clients send them without waiting for the COPY to begin
		return nil, nil
	}
	return nil, r.conn.lost(pgerr.New(pgerr.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ))
}

// await waits for the first byte of a message, as long as ctx lasts: a message
// that has begun is read to its end.
func (c *conn) await(ctx context.Context) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		c.interruptRead()
	})
	_, err := c.in.Peek(1)
	if !stop() {
		<-interrupted
		if err := c.allowRead(); err != nil {
			return c.lost(err)
		}
		return ctx.Err()
	}
	if err != nil {
		return c.lost(err)
	}
	return nil
}

// lost notes that nothing more can be read, which ends the connection.
func (c *conn) lost(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && c.ending() {
		err = errShutdown
	}
	if c.broken == nil {
		c.broken = err
	}
	return err
}
