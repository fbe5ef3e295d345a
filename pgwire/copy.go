package pgwire

import (
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tael-sql/tael-sql/internal/pgerr"
)

// BeginCopy tells the client that what follows is COPY TO STDOUT: chunks of
// CopyData instead of rows, of as many columns, up to EndCopy.
func (w *RowWriter) BeginCopy(columns int, binary bool) {
	format := byte(0)
	if binary {
		format = 1
	}
	m := &pgproto3.CopyOutResponse{OverallFormat: format, ColumnFormatCodes: make([]uint16, columns)}
	for i := range m.ColumnFormatCodes {
		m.ColumnFormatCodes[i] = uint16(format)
	}
	w.conn.send(m)
}

// CopyData sends a chunk, usually a row.
func (w *RowWriter) CopyData(data []byte) error {
	if len(data) > maxRowBytes {
		return pgerr.New(pgerr.ProgramLimitExceeded, "row is too large").
			WithDetail("It has %d bytes, of %d at most.", len(data), maxRowBytes)
	}
	w.conn.message('d', data...)
	if len(w.conn.buf) >= flushBytes {
		return w.conn.flush()
	}
	return nil
}

// EndCopy says that there is no more. A COPY that fails has no EndCopy.
func (w *RowWriter) EndCopy() { w.conn.send(&pgproto3.CopyDone{}) }
