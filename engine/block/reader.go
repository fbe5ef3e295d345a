package block

import (
	"encoding/binary"
	"unsafe"
)

// padding bytes are readable behind every buffer of packed numbers, so that a
// number can be loaded with what follows it.
const padding = 8

// reader takes numbers and texts from a buffer that has padding bytes behind
// its end. After a read beyond the end bad is set and everything reads as zero.
type reader struct {
	buf []byte // with padding
	at  int
	end int
	bad bool
}

func newReader(padded []byte) *reader {
	return &reader{buf: padded, end: len(padded) - padding}
}

func (r *reader) fail() { r.bad, r.at = true, r.end }

// rest gives the bytes that are left.
func (r *reader) rest() int { return r.end - r.at }

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > r.rest() {
		r.fail()
		return nil
	}
	r.at += n
	return r.buf[r.at-n : r.at : r.at]
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

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.buf[r.at:r.end])
	if size <= 0 {
		r.fail()
		return 0
	}
	r.at += size
	return n
}

// int reads a length or a count of at most limit.
func (r *reader) int(limit int) int {
	n := r.uvarint()
	if n > uint64(limit) {
		r.fail()
		return 0
	}
	return int(n)
}

// text reads a text, which shares the buffer's memory.
func (r *reader) text() string { return r.string(r.int(r.rest())) }

func (r *reader) string(n int) string {
	b := r.bytes(n)
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// packed reads n numbers of width bits, with padding behind them.
func (r *reader) packed(n, width int) []byte {
	size := packedBytes(n, width)
	if size > r.rest() {
		r.fail()
		return make([]byte, size+padding)
	}
	r.at += size
	return r.buf[r.at-size : r.at+padding]
}

// codes reads a width and n codes below count.
func (r *reader) codes(n, count int) []uint32 {
	width := int(r.byte())
	if width > 32 {
		r.fail()
		width = 0
	}
	out := make([]uint32, n)
	unpackCodes(r.packed(n, width), width, out)
	if count>>width == 0 && !below(out, uint32(count)) {
		r.fail()
		clear(out)
	}
	return out
}

// below reports whether all codes are below count.
func below(codes []uint32, count uint32) bool {
	most := uint32(0)
	for _, c := range codes {
		most = max(most, c)
	}
	return len(codes) == 0 || most < count
}
