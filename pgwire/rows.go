package pgwire

import (
	"encoding/binary"
	"math"

	"github.com/tael-sql/tael-sql/internal/pgerr"
	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// maxRowBytes is what a DataRow can be: beyond, some clients' lengths overflow.
const maxRowBytes = 1 << 30

// nullLength stands in place of the length of a NULL.
const nullLength = math.MaxUint32

// A RowWriter encodes result rows into the connection's output, in the formats
// that the client asked for, and writes them as they grow. It is valid during
// the Run that it was given to.
type RowWriter struct {
	conn    *conn
	columns []Column
	formats []int16 // by column: 0 text, 1 binary
	style   *pgtypes.TextStyle
	written int
}

func newRowWriter(c *conn, columns []Column, formats []int16) *RowWriter {
	return &RowWriter{conn: c, columns: columns, formats: formats}
}

// SetStyle sets how text output looks. Without it, it looks as by default.
func (w *RowWriter) SetStyle(s *pgtypes.TextStyle) { w.style = s }

// Written gives the number of rows written in this Run.
func (w *RowWriter) Written() int { return w.written }

// Flush sends what is written.
func (w *RowWriter) Flush() error { return w.conn.flush() }

// begin starts a DataRow after the whole messages of the output.
func (w *RowWriter) begin() (out []byte, at int) {
	out = append(w.conn.begin(), 'D', 0, 0, 0, 0)
	at = len(out) - 4
	return binary.BigEndian.AppendUint16(out, uint16(len(w.columns))), at
}

// end makes the row part of the output.
func (w *RowWriter) end(out []byte, at int) error {
	if len(out)-at > maxRowBytes {
		return pgerr.New(pgerr.ProgramLimitExceeded, "row is too large").
			WithDetail("It has %d bytes, of %d at most.", len(out)-at, maxRowBytes)
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at))
	w.conn.buf = out
	w.written++
	if len(out) >= flushBytes {
		return w.conn.flush()
	}
	return nil
}

// WriteRow writes one row of values in the form of package pgtypes.
func (w *RowWriter) WriteRow(row []any) (err error) {
	out, at := w.begin()
	for i := range w.columns {
		if out, err = w.value(out, i, row[i]); err != nil {
			return err
		}
	}
	return w.end(out, at)
}

func (w *RowWriter) value(out []byte, i int, v any) (_ []byte, err error) {
	if v == nil {
		return binary.BigEndian.AppendUint32(out, nullLength), nil
	}
	at := len(out)
	out = append(out, 0, 0, 0, 0)
	if w.formats[i] == 1 {
		out, err = pgtypes.AppendBinary(out, w.columns[i].Type, v)
	} else {
		out, err = pgtypes.AppendText(out, w.columns[i].Type, v, w.style)
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	return out, err
}

// WriteBatch writes the live rows of a batch, whose first columns are those of
// the portal. An empty batch says that the next may be long in coming: what is
// written goes out.
func (w *RowWriter) WriteBatch(b *vector.Batch) error {
	if b.N == 0 {
		return w.Flush()
	}
	cols := make([]*vector.Column, len(w.columns))
	cells := make([]Cell, len(w.columns))
	for i := range cols {
		c, err := b.Column(i)
		if err != nil {
			return err
		}
		cols[i], cells[i] = c, NewCell(w.columns[i].Type, w.style, w.formats[i] == 1, c)
	}
	for k := range b.Live() {
		row := b.Row(k)
		out, start := w.begin()
		for i, c := range cols {
			if c.IsNull(row) {
				out = binary.BigEndian.AppendUint32(out, nullLength)
				continue
			}
			if cells[i] == nil {
				var err error
				if out, err = w.value(out, i, c.Value(row)); err != nil {
					return err
				}
				continue
			}
			at := len(out)
			out = cells[i](append(out, 0, 0, 0, 0), row)
			binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
		}
		if err := w.end(out, start); err != nil {
			return err
		}
	}
	return nil
}
