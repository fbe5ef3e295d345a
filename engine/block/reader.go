package block

import (
	"encoding/binary"
	"math/bits"
)

// reader takes numbers and texts from a buffer. After a read beyond its end
// bad is set and everything reads as zero.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.buf) {
		r.bad, r.buf = true, nil
		return nil
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.bytes(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) int() int {
	n, size := binary.Uvarint(r.buf)
	if size <= 0 || n > maxChunkBytes {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[size:]
	return int(n)
}

func (r *reader) text() string { return string(r.bytes(r.int())) }

// widthOf gives the bits that hold values up to limit.
func widthOf(limit uint64) int { return bits.Len64(limit) }

// appendPacked appends values in width bits each, least significant first.
func appendPacked(dst []byte, values []uint64, width int) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, (len(values)*width+7)/8)...)
	out := dst[start:]
	bit := 0
	for _, v := range values {
		for rest := width; rest > 0; {
			n := min(8-bit&7, rest)
			out[bit>>3] |= byte(v&(1<<n-1)) << (bit & 7)
			v >>= n
			bit += n
			rest -= n
		}
	}
	return dst
}

// packedBytes is the length of n values of width bits.
func packedBytes(n, width int) int { return (n*width + 7) / 8 }

// unpack reads n values of width bits; buf must be readable for 8 bytes behind
// them.
func unpack[T uint32 | uint64](buf []byte, width int, out []T) {
	if width == 0 {
		return
	}
	if width > 56 { // may straddle nine bytes
		for i := range out {
			bit := i * width
			v := binary.LittleEndian.Uint64(buf[bit>>3:]) >> (bit & 7)
			if bit&7 != 0 {
				v |= uint64(buf[bit>>3+8]) << (64 - bit&7)
			}
			if width < 64 {
				v &= 1<<width - 1
			}
			out[i] = T(v)
		}
		return
	}
	mask := uint64(1)<<width - 1
	bit := 0
	for i := range out {
		out[i] = T(binary.LittleEndian.Uint64(buf[bit>>3:]) >> (bit & 7) & mask)
		bit += width
	}
}
