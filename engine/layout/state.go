package layout

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// A TableState is what the hot store knows of a table as a whole. It is
// written in the batch of the blocks that it speaks of.
//
//	version uint8 · applied LSN uint64 · rows uint64 · next block id uint64 · crc uint32
//
// Integers are little-endian; crc is the CRC-32C of what stands before it.
type TableState struct {
	AppliedLSN uint64 // every record up to it is in blocks
	Rows       uint64 // running numbers given out up to AppliedLSN
	NextBlock  uint64
}

// stateVersion is the version of an encoded TableState.
//
//	1: first version.
const stateVersion = 1

// Append encodes the state.
func (s TableState) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, stateVersion)
	dst = binary.LittleEndian.AppendUint64(dst, s.AppliedLSN)
	dst = binary.LittleEndian.AppendUint64(dst, s.Rows)
	dst = binary.LittleEndian.AppendUint64(dst, s.NextBlock)
	return appendChecksum(dst, start)
}

// DecodeState decodes a state that Append made.
func DecodeState(raw []byte) (s TableState, err error) {
	body, err := checked(raw, stateVersion, "table state")
	if err != nil {
		return s, err
	}
	if len(body) != 24 {
		return s, corrupt("table state of %d bytes", len(body))
	}
	le := binary.LittleEndian
	return TableState{AppliedLSN: le.Uint64(body), Rows: le.Uint64(body[8:]), NextBlock: le.Uint64(body[16:])}, nil
}

// A RequestEntry remembers a request, so that a repetition is recognised.
//
//	version uint8 · LSN uint64 · receive time int64, ns since 1970 · crc uint32
type RequestEntry struct {
	LSN          uint64
	ReceiveNanos int64
}

// requestVersion is the version of an encoded RequestEntry.
//
//	1: first version.
const requestVersion = 1

// Append encodes the entry.
func (e RequestEntry) Append(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(append(dst, requestVersion), e.LSN)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.ReceiveNanos))
	return appendChecksum(dst, start)
}

// DecodeRequest decodes an entry that Append made.
func DecodeRequest(raw []byte) (e RequestEntry, err error) {
	body, err := checked(raw, requestVersion, "request entry")
	if err != nil {
		return e, err
	}
	if len(body) != 16 {
		return e, corrupt("request entry of %d bytes", len(body))
	}
	return RequestEntry{binary.LittleEndian.Uint64(body), int64(binary.LittleEndian.Uint64(body[8:]))}, nil
}

// deadVersion is the version of an encoded deletion vector.
//
//	1: first version.
const deadVersion = 1

// The forms of a deletion vector; a short one is written.
const (
	deadBitmap = 0
	deadList   = 1
	deadGaps   = 2
)

// AppendDead encodes the deletion vector of a block or part of that many rows.
//
//	version uint8 · form uint8 · rows uint32
//	form 0: a bitmap of the rows in uint64 words; a set bit is a dead row
//	form 1: the numbers of the dead rows, ascending, each uint16
//	form 2: for each dead row uvarint how many live ones stand between it and
//	        the dead one before it; beyond 65,536 rows
//	crc uint32, the CRC-32C of what stands before it
func AppendDead(dst []byte, dead vector.Bitmap, rows int) []byte {
	start, count := len(dst), dead.Count()
	form := byte(deadBitmap)
	switch {
	case rows <= 1<<16 && 2*count < 8*len(dead):
		form = deadList
	case rows > 1<<16 && 2*count < 8*len(dead): // most gaps take a byte or two
		form = deadGaps
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, deadVersion, form), uint32(rows))
	next := 0
	for i, w := range dead {
		if form == deadBitmap {
			dst = binary.LittleEndian.AppendUint64(dst, w)
			continue
		}
		for ; w != 0; w &= w - 1 {
			row := i<<6 + bits.TrailingZeros64(w)
			if form == deadList {
				dst = binary.LittleEndian.AppendUint16(dst, uint16(row))
			} else {
				dst = binary.AppendUvarint(dst, uint64(row-next))
			}
			next = row + 1
		}
	}
	return appendChecksum(dst, start)
}

// DeadRows gives how many rows the block of an encoded deletion vector has.
func DeadRows(raw []byte) (rows int, err error) {
	body, err := checked(raw, deadVersion, "deletion vector")
	if err != nil {
		return 0, err
	}
	if len(body) < 5 {
		return 0, corrupt("deletion vector of %d bytes", len(raw))
	}
	return int(binary.LittleEndian.Uint32(body[1:])), nil
}

// DecodeDead decodes the deletion vector of a block or part of that many rows.
func DecodeDead(raw []byte, rows int) (vector.Bitmap, error) {
	body, err := checked(raw, deadVersion, "deletion vector")
	if err != nil {
		return nil, err
	}
	if len(body) < 5 || int(binary.LittleEndian.Uint32(body[1:])) != rows {
		return nil, corrupt("deletion vector of another number of rows than %d", rows)
	}
	dead := vector.NewBitmap(rows)
	form, body := body[0], body[5:]
	switch {
	case form == deadBitmap && len(body) == 8*len(dead):
		for i := range dead {
			dead[i] = binary.LittleEndian.Uint64(body[8*i:])
		}
		if rows&63 != 0 && dead[len(dead)-1]>>(rows&63) != 0 {
			return nil, corrupt("deletion vector beyond the last row")
		}
	case form == deadList && len(body)%2 == 0:
		for ; len(body) > 0; body = body[2:] {
			row := int(binary.LittleEndian.Uint16(body))
			if row >= rows {
				return nil, corrupt("deletion vector names row %d of %d", row, rows)
			}
			dead.Set(row)
		}
	case form == deadGaps:
		d := &decoder{buf: body}
		for next := uint64(0); len(d.buf) > 0; next++ { // never beyond rows
			gap := d.uvarint()
			if d.bad || gap >= uint64(rows)-next {
				return nil, corrupt("deletion vector names row %d of %d", next+gap, rows)
			}
			next += gap
			dead.Set(int(next))
		}
	default:
		return nil, corrupt("deletion vector of form %d and %d bytes", form, len(body))
	}
	return dead, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// appendChecksum ends an encoding that began at start.
func appendChecksum(dst []byte, start int) []byte {
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// checked checks the version in front of an encoding and the checksum behind
// it, and gives what stands between them.
func checked(raw []byte, version byte, what string) ([]byte, error) {
	if len(raw) < 5 {
		return nil, corrupt("%s of %d bytes", what, len(raw))
	}
	body := raw[:len(raw)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(raw[len(raw)-4:]) {
		return nil, corrupt("checksum of a %s", what)
	}
	if body[0] != version {
		return nil, corrupt("version %d of a %s; this program knows %d", body[0], what, version)
	}
	return body[1:], nil
}
