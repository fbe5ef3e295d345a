package layout

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// A Filter says of a 64-bit hash whether it may be in a set: never wrongly
// "no". It is a Bloom filter in blocks of 512 bits (a cache line), with 8 bits
// set for each member: at 12 bits a member about 1 in 300 absent ones pass, at
// 20 bits 1 in 4,000.
type Filter []uint64

const (
	filterWords = 8 // of a block
	filterBits  = 8 // set for each member
)

// Bits a member of the filters that blocks keep.
const (
	TraceFilterBits = 12
	KeyFilterBits   = 20
	ValueFilterBits = 10
)

// Hash is the hash that filters are asked with.
func Hash(b []byte) uint64 { return xxhash.Sum64(b) }

// HashString is Hash of a text.
func HashString(s string) uint64 { return xxhash.Sum64String(s) }

// BuildFilter makes a filter of the hashes with that many bits a member.
func BuildFilter(hashes []uint64, bitsPerMember int) Filter {
	blocks := (len(hashes)*bitsPerMember + 511) / 512
	f := make(Filter, max(blocks, 1)*filterWords)
	for _, h := range hashes {
		block := f.block(h)
		for range filterBits {
			h = next(h)
			block[h>>61] |= 1 << (h >> 55 & 63)
		}
	}
	return f
}

// block picks the cache line of a hash.
func (f Filter) block(h uint64) []uint64 {
	at, _ := bits.Mul64(h, uint64(len(f)/filterWords))
	return f[at*filterWords : (at+1)*filterWords]
}

func next(h uint64) uint64 { return h*0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03 }

// Contains reports whether h may be a member. The nil filter may hold anything.
func (f Filter) Contains(h uint64) bool {
	if len(f) == 0 {
		return true
	}
	block := f.block(h)
	for range filterBits {
		h = next(h)
		if block[h>>61]>>(h>>55&63)&1 == 0 {
			return false
		}
	}
	return true
}

// Append encodes the filter: uvarint words, each 8 bytes little-endian.
func (f Filter) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(f)))
	for _, w := range f {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// Words lists the tokens of a text: runs of ASCII letters and digits in lower
// case, and runs of other bytes above 0x7f as they are. A text contains a
// literal only if it has every token that stands in the literal with a
// separator on both sides.
func Words(text string, each func(token []byte)) {
	var buf [64]byte
	token := buf[:0]
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= 'A' && c <= 'Z':
			token = append(token, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			token = append(token, c)
		default:
			if len(token) > 0 {
				each(token)
				token = token[:0]
			}
		}
	}
	if len(token) > 0 {
		each(token)
	}
}

// InnerWords lists the tokens of a literal that every text containing it has:
// those that neither begin nor end it.
func InnerWords(literal string, each func(token []byte)) {
	isWord := func(c byte) bool {
		return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80
	}
	start, end := 0, len(literal)
	for start < end && isWord(literal[start]) {
		start++
	}
	for end > start && isWord(literal[end-1]) {
		end--
	}
	Words(literal[start:end], each)
}
