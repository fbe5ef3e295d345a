package block

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// widthOf gives the bits that hold values up to limit.
func widthOf(limit uint64) int { return bits.Len64(limit) }

// packedBytes is the length of n values of width bits.
func packedBytes(n, width int) int { return (n*width + 7) / 8 }

// appendPacked appends values in width bits each, least significant first.
func appendPacked[T uint32 | uint64](dst []byte, values []T, width int) []byte {
	if width == 0 {
		return dst
	}
	start, size := len(dst), packedBytes(len(values), width)
	dst = slices.Grow(dst, size+8)
	acc, n := uint64(0), 0
	for _, v := range values {
		acc |= uint64(v) << n
		if n += width; n >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			n -= 64
			acc = uint64(v) >> (width - n) // of the value, the bits that did not fit
		}
	}
	if n > 0 {
		dst = binary.LittleEndian.AppendUint64(dst, acc)
	}
	return dst[:start+size]
}

// appendCodes appends the codes of a dictionary of count values, with their width.
func appendCodes(dst []byte, codes []uint32, count int) []byte {
	width := widthOf(uint64(max(count, 1) - 1))
	return appendPacked(append(dst, byte(width)), codes, width)
}

// unpackCodes reads len(out) values of at most 32 bits. buf has padding bytes
// behind them.
func unpackCodes(buf []byte, width int, out []uint32) {
	le := binary.LittleEndian
	switch width {
	case 0:
		return
	case 8:
		for i := range out {
			out[i] = uint32(buf[i])
		}
		return
	case 16:
		for i := range out {
			out[i] = uint32(le.Uint16(buf[2*i:]))
		}
		return
	case 32:
		for i := range out {
			out[i] = le.Uint32(buf[4*i:])
		}
		return
	}
	mask := uint32(1)<<width - 1
	w := uint(width)
	// Eight values fill width bytes. Up to 7 bits they are in one word; up to
	// 14 bits, four are.
	switch {
	case width < 8:
		for len(out) >= 8 {
			v, o := le.Uint64(buf), out[:8]
			o[0] = uint32(v) & mask
			v >>= w & 63
			o[1] = uint32(v) & mask
			v >>= w & 63
			o[2] = uint32(v) & mask
			v >>= w & 63
			o[3] = uint32(v) & mask
			v >>= w & 63
			o[4] = uint32(v) & mask
			v >>= w & 63
			o[5] = uint32(v) & mask
			v >>= w & 63
			o[6] = uint32(v) & mask
			v >>= w & 63
			o[7] = uint32(v) & mask
			buf, out = buf[width:], out[8:]
		}
	case width <= 15:
		half, shift := width>>1, 4*w&7 // four values end in the middle of a byte or between two
		for len(out) >= 8 {
			v, o := le.Uint64(buf), out[:8]
			o[0] = uint32(v) & mask
			v >>= w & 63
			o[1] = uint32(v) & mask
			v >>= w & 63
			o[2] = uint32(v) & mask
			v >>= w & 63
			o[3] = uint32(v) & mask
			v = le.Uint64(buf[half:]) >> shift
			o[4] = uint32(v) & mask
			v >>= w & 63
			o[5] = uint32(v) & mask
			v >>= w & 63
			o[6] = uint32(v) & mask
			v >>= w & 63
			o[7] = uint32(v) & mask
			buf, out = buf[width:], out[8:]
		}
	}
	bit := uint(0)
	for i := range out {
		out[i] = uint32(le.Uint64(buf[bit>>3:])>>(bit&7)) & mask
		bit += w
	}
}

// unpackInts reads len(out) values of width bits, and makes each
// least + divisor × value. buf has padding bytes behind them.
func unpackInts(buf []byte, width int, least int64, divisor uint64, out []int64) {
	le := binary.LittleEndian
	switch {
	case width == 0:
		for i := range out {
			out[i] = least
		}
		return
	case width == 64:
		for i := range out {
			out[i] = least + int64(le.Uint64(buf[8*i:])*divisor)
		}
		return
	case width > 56: // a value may lie across nine bytes
		mask := uint64(1)<<width - 1
		for i := range out {
			bit := i * width
			v := le.Uint64(buf[bit>>3:]) >> (bit & 7)
			if bit&7 != 0 {
				v |= uint64(buf[bit>>3+8]) << (64 - bit&7)
			}
			out[i] = least + int64(v&mask*divisor)
		}
		return
	}
	mask, bit, w := uint64(1)<<width-1, uint(0), uint(width)
	if divisor == 1 {
		for i := range out {
			out[i] = least + int64(le.Uint64(buf[bit>>3:])>>(bit&7)&mask)
			bit += w
		}
		return
	}
	for i := range out {
		out[i] = least + int64(le.Uint64(buf[bit>>3:])>>(bit&7)&mask*divisor)
		bit += w
	}
}
