package layout

import (
	"encoding/binary"
	"hash/crc32"
)

// A TableState is what the hot store knows of a table as a whole. It is
// written in the batch of the blocks that it speaks of.
//
//	version uint8 · applied LSN uint64 · rows uint64 · next block id uint64 · crc uint32
//
// Version history: 1 first.
type TableState struct {
	AppliedLSN uint64 // every record up to it is in blocks
	Rows       uint64 // running numbers given out up to AppliedLSN
	NextBlock  uint64
}

const stateVersion = 1

// Append encodes the state.
func (s TableState) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, stateVersion)
	dst = binary.LittleEndian.AppendUint64(dst, s.AppliedLSN)
	dst = binary.LittleEndian.AppendUint64(dst, s.Rows)
	dst = binary.LittleEndian.AppendUint64(dst, s.NextBlock)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// DecodeState decodes a state that Append made.
func DecodeState(raw []byte) (s TableState, err error) {
	if len(raw) != 29 || raw[0] != stateVersion ||
		crc32.Checksum(raw[:25], castagnoli) != binary.LittleEndian.Uint32(raw[25:]) {
		return s, ErrCorrupt
	}
	le := binary.LittleEndian
	return TableState{AppliedLSN: le.Uint64(raw[1:]), Rows: le.Uint64(raw[9:]), NextBlock: le.Uint64(raw[17:])}, nil
}

// AppendDead encodes a deletion vector: version uint8, the number of rows
// uint32, a bitmap of these rows, crc uint32. A set bit is a dead row.
// Version history: 1 first.
func AppendDead(dst []byte, dead []uint64, rows int) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(append(dst, 1), uint32(rows))
	for _, w := range dead {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// DecodeDead decodes a deletion vector of a block with that many rows.
func DecodeDead(raw []byte, rows int) ([]uint64, error) {
	words := (rows + 63) / 64
	n := 5 + 8*words
	if len(raw) != n+4 || raw[0] != 1 || int(binary.LittleEndian.Uint32(raw[1:])) != rows ||
		crc32.Checksum(raw[:n], castagnoli) != binary.LittleEndian.Uint32(raw[n:]) {
		return nil, ErrCorrupt
	}
	dead := make([]uint64, words)
	for i := range dead {
		dead[i] = binary.LittleEndian.Uint64(raw[5+8*i:])
	}
	return dead, nil
}
