package pgwire

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
)

const (
	// flushBytes is how much output is gathered before it is written: what a
	// client that does not read can make the server hold, but for one row.
	flushBytes = 64 << 10
	// idleBytes is the buffer that an idle connection may keep.
	idleBytes = 2 << 10
	// maxColumns is PostgreSQL's MaxTupleAttributeNumber.
	maxColumns = 1664
)

// outBuffers holds output buffers that connections gave back when they fell idle.
var outBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, flushBytes+flushBytes/4)
	return &b
}}

// output gathers messages for a client. It holds whole messages at any time,
// so that an error, or a panic, between two of them leaves the stream intact.
type output struct {
	buf      []byte
	reported map[string]string // settings as the client knows them
	changed  []string          // settings to report before the next ReadyForQuery
	values   map[string]string // of changed
	broken   error             // of a write: nothing more can be sent
}

// begin makes room for a message.
func (o *output) begin() []byte {
	if o.buf == nil {
		o.buf = (*outBuffers.Get().(*[]byte))[:0]
	}
	return o.buf
}

// message appends a message.
func (o *output) message(typ byte, body ...byte) {
	out := append(o.begin(), typ)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)+4))
	o.buf = append(out, body...)
}

// send appends a message of package pgproto3.
func (o *output) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(o.begin())
	if err != nil { // a message over 1 GiB
		o.broken = err
		return
	}
	o.buf = out
}

// release gives a large buffer back; the connection is idle.
func (o *output) release() {
	switch {
	case cap(o.buf) > 4*flushBytes:
		o.buf = nil
	case cap(o.buf) > idleBytes:
		b := o.buf
		outBuffers.Put(&b)
		o.buf = nil
	}
}

// flush writes the output; a client that does not take it in time is cut off.
func (c *conn) flush() error {
	if c.broken != nil || len(c.buf) == 0 {
		return c.broken
	}
	err := c.raw.SetWriteDeadline(time.Now().Add(c.server.opts.WriteTimeout))
	if err == nil {
		var n int
		n, err = c.net.Write(c.buf)
		c.server.metrics.sentBytes.Add(float64(n))
	}
	c.buf = c.buf[:0]
	c.broken = err
	return err
}

// Notice sends a notice.
func (c *conn) Notice(severity string, e *pgerr.Error) {
	c.send((*pgproto3.NoticeResponse)(response(severity, e)))
}

// ParameterStatus reports a setting: at once while the session opens, later
// before the next ReadyForQuery, as PostgreSQL does since version 14.
func (c *conn) ParameterStatus(name, value string) {
	if c.session == nil {
		c.report(name, value)
		return
	}
	if _, ok := c.values[name]; !ok {
		c.changed = append(c.changed, name)
	}
	c.values[name] = value
}

func (c *conn) report(name, value string) {
	if old, ok := c.reported[name]; ok && old == value {
		return
	}
	c.reported[name] = value
	c.send(&pgproto3.ParameterStatus{Name: name, Value: clean(value)})
}

// ready tells the client that its turn has come.
func (c *conn) ready(status byte) error {
	if c.status = status; status == 'I' {
		c.registry.EndTransaction()
		if err := c.notifications(); err != nil {
			return err
		}
	}
	slices.SortFunc(c.changed, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	for _, name := range c.changed { // in the order that PostgreSQL has its settings in
		c.report(name, c.values[name])
	}
	c.changed = c.changed[:0]
	clear(c.values)
	c.message('Z', status)
	err := c.flush()
	c.release()
	c.idle = true
	return err
}

// clean removes what would end a string of the protocol early.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "") }

func response(severity string, e *pgerr.Error) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: string(e.Code), Message: clean(e.Message),
		Detail: clean(e.Detail), Hint: clean(e.Hint), Where: clean(e.Context), Position: int32(e.Position),
	}
}

// fail sends an error. It gives one back that ends the connection.
func (c *conn) fail(err error) error {
	if c.broken != nil {
		return c.broken
	}
	if c.server.ctx.Err() != nil || c.terminated.Load() {
		return errShutdown
	}
	if _, ok := errors.AsType[*pgerr.Error](err); !ok && errors.Is(err, context.Canceled) {
		err = pgerr.New(pgerr.QueryCanceled, "canceling statement due to user request")
	}
	e := pgerr.From(err)
	if e.Code == pgerr.AdminShutdown || e.Code == pgerr.IdleSessionTimeout {
		return e
	}
	c.count(e)
	c.send(response("ERROR", e))
	c.failed = true
	return nil
}

// fatal sends an error that ends the connection. Errors without a SQLSTATE say
// that the client is gone, or said nothing that deserves an answer.
func (c *conn) fatal(err error) {
	e, ok := errors.AsType[*pgerr.Error](err)
	if !ok {
		c.server.opts.Logger.Debug("connection ended", "pid", c.pid, "cause", err)
		return
	}
	c.count(e)
	c.send(response("FATAL", e))
	if c.flush() == nil && e.Code == pgerr.ProtocolViolation {
		c.linger()
	}
}

// count logs and counts an error. The text of one may quote the client's own
// values, so the log has the cause only.
func (c *conn) count(e *pgerr.Error) {
	c.server.metrics.errors.WithLabelValues(string(e.Code[:min(2, len(e.Code))])).Inc()
	if e.Err != nil {
		c.server.opts.Logger.Error("error with a cause", "pid", c.pid, "sqlstate", string(e.Code), "cause", e.Err)
	}
}

// describe sends a RowDescription.
func (c *conn) describe(columns []Column, formats []int16) {
	d := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(columns))}
	for i, col := range columns {
		d.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(clean(col.Name)), TableOID: uint32(col.TableOID), TableAttributeNumber: uint16(col.Attr),
			DataTypeOID: uint32(col.Type.OID), DataTypeSize: typeLen(col.Type), TypeModifier: col.Type.Mod,
		}
		if formats != nil {
			d.Fields[i].Format = formats[i]
		}
	}
	c.send(d)
}

// typeLen is the size that RowDescription gives of a type.
func typeLen(t pgtypes.Type) int16 {
	if info := pgtypes.Lookup(t.OID); info != nil {
		return info.Len
	}
	return -1
}

// complete ends the result of a statement.
func (c *conn) complete(tag string) {
	if tag == "" {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}
