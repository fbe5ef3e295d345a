package pgwire

import (
	"encoding/binary"
	"math"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// A Cell appends the value of a column's row, which is not NULL, without
// making an interface of it.
type Cell func(out []byte, row int) []byte

// NewCell chooses the encoder of values of type t that a column of a batch
// holds; nil means that they go through package pgtypes one by one.
func NewCell(t pgtypes.Type, style *pgtypes.TextStyle, isBinary bool, c *vector.Column) Cell {
	switch c.Kind {
	case vector.Bool:
		return boolCell(c.Bools, isBinary)
	case vector.Int64:
		if isBinary {
			return intCell(c.Ints, t.OID)
		}
		return func(out []byte, row int) []byte { return pgtypes.AppendIntText(out, t, c.Ints[row], style) }
	case vector.Float:
		switch {
		case !isBinary:
			return func(out []byte, row int) []byte { return pgtypes.AppendFloatText(out, t, c.Floats[row], style) }
		case t.OID == pgtypes.Float4:
			return func(out []byte, row int) []byte {
				return binary.BigEndian.AppendUint32(out, math.Float32bits(float32(c.Floats[row])))
			}
		default:
			return func(out []byte, row int) []byte {
				return binary.BigEndian.AppendUint64(out, math.Float64bits(c.Floats[row]))
			}
		}
	case vector.String:
		return versioned(t, isBinary, func(out []byte, row int) []byte { return append(out, c.Str(row)...) })
	case vector.Hex:
		return c.AppendHex
	case vector.Map:
		return versioned(t, isBinary, c.Attrs.AppendRowJSON)
	default:
		return nil
	}
}

func boolCell(values []bool, isBinary bool) Cell {
	yes, no := byte('t'), byte('f')
	if isBinary {
		yes, no = 1, 0
	}
	return func(out []byte, row int) []byte {
		if values[row] {
			return append(out, yes)
		}
		return append(out, no)
	}
}

// intCell encodes integers in as many bytes as their type has.
func intCell(values []int64, oid pgtypes.OID) Cell {
	switch oid {
	case pgtypes.Int2:
		return func(out []byte, row int) []byte { return binary.BigEndian.AppendUint16(out, uint16(values[row])) }
	case pgtypes.Int8, pgtypes.Timestamptz, pgtypes.Timestamp, pgtypes.Time:
		return func(out []byte, row int) []byte { return binary.BigEndian.AppendUint64(out, uint64(values[row])) }
	case pgtypes.Date: // its infinities change with its width
		return nil
	default:
		return func(out []byte, row int) []byte { return binary.BigEndian.AppendUint32(out, uint32(values[row])) }
	}
}

// versioned puts the version byte before the binary form of jsonb.
func versioned(t pgtypes.Type, isBinary bool, text Cell) Cell {
	if !isBinary || t.OID != pgtypes.Jsonb && t.OID != pgtypes.Jsonpath {
		return text
	}
	return func(out []byte, row int) []byte { return text(append(out, 1), row) }
}
