package pgwire

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// flushBytes is how much output is gathered before it is written.
const flushBytes = 64 << 10

// A RowWriter encodes result rows into the connection's output, in the format
// that the client asked for.
type RowWriter struct {
	conn    *conn
	columns []Column
	formats []int16 // by column: 0 text, 1 binary
	style   *pgtypes.TextStyle
	written int
}

// SetStyle sets how text output looks.
func (w *RowWriter) SetStyle(s *pgtypes.TextStyle) { w.style = s }

// Written gives the number of rows so far.
func (w *RowWriter) Written() int { return w.written }

// begin starts a DataRow message and gives the place of its length.
func (w *RowWriter) begin() int {
	w.conn.out = append(w.conn.out, 'D', 0, 0, 0, 0)
	w.conn.out = binary.BigEndian.AppendUint16(w.conn.out, uint16(len(w.columns)))
	return len(w.conn.out) - 6
}

func (w *RowWriter) end(at int) error {
	binary.BigEndian.PutUint32(w.conn.out[at:], uint32(len(w.conn.out)-at))
	w.written++
	if len(w.conn.out) >= flushBytes {
		return w.conn.flush()
	}
	return nil
}

// WriteRow writes one row of values in the form of package pgtypes.
func (w *RowWriter) WriteRow(row []any) error {
	at := w.begin()
	for i, v := range row {
		if err := w.value(i, v); err != nil {
			w.conn.out = w.conn.out[:at-1] // no half row reaches the client
			return err
		}
	}
	return w.end(at)
}

func (w *RowWriter) value(i int, v any) (err error) {
	if v == nil {
		w.conn.out = binary.BigEndian.AppendUint32(w.conn.out, math.MaxUint32)
		return nil
	}
	at := len(w.conn.out)
	w.conn.out = append(w.conn.out, 0, 0, 0, 0)
	if w.formats[i] == 1 {
		w.conn.out, err = pgtypes.AppendBinary(w.conn.out, w.columns[i].Type, v)
	} else {
		w.conn.out, err = pgtypes.AppendText(w.conn.out, w.columns[i].Type, v, w.style)
	}
	binary.BigEndian.PutUint32(w.conn.out[at:], uint32(len(w.conn.out)-at-4))
	return err
}

// WriteBatch writes the live rows of a batch.
func (w *RowWriter) WriteBatch(b *vector.Batch) error {
	cols := make([]*vector.Column, len(w.columns))
	for i := range cols {
		c, err := b.Column(i)
		if err != nil {
			return err
		}
		cols[i] = c
	}
	for k := range b.Live() {
		row := b.Row(k)
		at := w.begin()
		for i, c := range cols {
			if err := w.cell(i, c, row); err != nil {
				w.conn.out = w.conn.out[:at-1]
				return err
			}
		}
		if err := w.end(at); err != nil {
			return err
		}
	}
	return nil
}

// cell writes one value without boxing it where its kind allows.
func (w *RowWriter) cell(i int, c *vector.Column, row int) error {
	if c.IsNull(row) {
		w.conn.out = binary.BigEndian.AppendUint32(w.conn.out, math.MaxUint32)
		return nil
	}
	at := len(w.conn.out)
	out := append(w.conn.out, 0, 0, 0, 0)
	switch {
	case c.Kind == vector.String && w.formats[i] == 0,
		c.Kind == vector.String && w.columns[i].Type.OID == pgtypes.Text:
		out = append(out, c.Str(row)...)
	case c.Kind == vector.Hex:
		out = c.AppendHex(out, row)
	case c.Kind == vector.Map && w.formats[i] == 0:
		out = c.Attrs.AppendRowJSON(out, row)
	case c.Kind == vector.Int64 && w.formats[i] == 0 && w.columns[i].Type.OID == pgtypes.Int8:
		out = strconv.AppendInt(out, c.Ints[row], 10)
	default:
		return w.value(i, c.Value(row))
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	w.conn.out = out
	return nil
}
