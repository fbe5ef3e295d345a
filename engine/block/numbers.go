package block

import (
	"encoding/binary"
	"math"
)

// appendInts appends integers in the shortest of their encodings.
func appendInts(dst []byte, values []int64) (encoding, []byte) {
	le := binary.LittleEndian
	if len(values) == 0 {
		return encConstant, le.AppendUint64(dst, 0)
	}
	least, most := values[0], values[0]
	leastDelta, mostDelta := int64(math.MaxInt64), int64(math.MinInt64)
	last := values[0]
	for _, v := range values[1:] {
		least, most = min(least, v), max(most, v)
		d := v - last // wraps, and wraps back at decoding
		leastDelta, mostDelta = min(leastDelta, d), max(mostDelta, d)
		last = v
	}
	if least == most {
		return encConstant, le.AppendUint64(dst, uint64(least))
	}
	n := len(values)
	divisor := divisorOf(values, least)
	packed := n * widthOf((uint64(most)-uint64(least))/divisor)
	if delta := 64 + n*widthOf(uint64(mostDelta)-uint64(leastDelta)); delta < packed-packed/8 {
		deltas := make([]int64, n-1)
		for i := range deltas {
			deltas[i] = values[i+1] - values[i]
		}
		return encDelta, appendPackedInts(le.AppendUint64(dst, uint64(values[0])), deltas, leastDelta, mostDelta)
	}
	if dict, codes := intDictionary(values, n/8); dict != nil &&
		64*len(dict)+n*widthOf(uint64(len(dict)-1)) < packed-packed/8 {
		return encDictionary, appendCodes(appendNested(binary.AppendUvarint(dst, uint64(len(dict))), dict), codes, len(dict))
	}
	return encPacked, appendPackedInts(dst, values, least, most)
}

// appendNested appends integers with their encoding in front.
func appendNested(dst []byte, values []int64) []byte {
	at := len(dst)
	enc, dst := appendInts(append(dst, 0), values)
	dst[at] = byte(enc)
	return dst
}

// appendPackedInts appends the least value, the divisor, the width and
// (value - least) / divisor for each value.
func appendPackedInts(dst []byte, values []int64, least, most int64) []byte {
	divisor := divisorOf(values, least)
	width := widthOf((uint64(most) - uint64(least)) / divisor)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(least))
	dst = append(binary.AppendUvarint(dst, divisor), byte(width))
	offsets := make([]uint64, len(values))
	for i, v := range values {
		offsets[i] = uint64(v) - uint64(least)
	}
	if divisor > 1 {
		for i := range offsets {
			offsets[i] /= divisor
		}
	}
	return appendPacked(dst, offsets, width)
}

// divisorOf gives the greatest common divisor of the distances from least: 1000
// for times in nanoseconds that were measured in microseconds.
func divisorOf(values []int64, least int64) uint64 {
	g := uint64(0)
	for _, v := range values {
		d := uint64(v) - uint64(least)
		if d == 0 || g != 0 && d%g == 0 {
			continue
		}
		for d != 0 {
			g, d = d, g%d
		}
		if g == 1 {
			return 1
		}
	}
	return max(g, 1)
}

// intDictionary numbers distinct values in order of appearance; dict is nil
// beyond limit of them.
func intDictionary(values []int64, limit int) (dict []int64, codes []uint32) {
	if limit < 2 {
		return nil, nil
	}
	t := newCodeTable(limit)
	codes = make([]uint32, len(values))
	last, code := values[0], t.code(uint64(values[0]))
	for i, v := range values {
		if v != last {
			if last, code = v, t.code(uint64(v)); len(t.keys) > limit {
				return nil, nil
			}
		}
		codes[i] = code
	}
	dict = make([]int64, len(t.keys))
	for i, k := range t.keys {
		dict[i] = int64(k)
	}
	return dict, codes
}

// nested reads n integers with their encoding in front.
func (r *reader) nested(n int) []int64 { return r.ints(encoding(r.byte()), n) }

// ints reads n integers that appendInts wrote.
func (r *reader) ints(enc encoding, n int) []int64 {
	out := make([]int64, n)
	switch enc {
	case encConstant:
		unpackInts(nil, 0, r.int64(), 1, out)
	case encPacked:
		r.packedInts(out)
	case encDelta:
		first := r.int64()
		if n == 0 {
			r.fail()
			return out
		}
		r.packedInts(out[1:])
		out[0] = first
		for i, d := range out[1:] {
			first += d
			out[i+1] = first
		}
	case encDictionary:
		dict := r.nested(r.int(n))
		codes := r.codes(n, len(dict))
		if r.bad {
			return out
		}
		for i, c := range codes {
			out[i] = dict[c]
		}
	default:
		r.fail()
	}
	return out
}

func (r *reader) packedInts(out []int64) {
	least, divisor, width := r.int64(), r.uvarint(), int(r.byte())
	if width > 64 {
		r.fail()
		return
	}
	if packed := r.packed(len(out), width); !r.bad {
		unpackInts(packed, width, least, divisor, out)
	}
}

// powers are those of ten by which decimal floats become integers.
var powers = [...]float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// appendFloats appends floats: as integers divided by a power of ten where that
// gives every one back bit by bit, else as their bits.
func appendFloats(dst []byte, values []float64) (encoding, []byte) {
	ints := make([]int64, len(values))
	if exponent, ok := decimals(values, ints); ok {
		return encDecimal, appendNested(append(dst, byte(exponent)), ints)
	}
	for i, v := range values {
		ints[i] = int64(math.Float64bits(v))
	}
	return encFloatBits, appendNested(dst, ints)
}

// decimals finds the least exponent that is enough for all values.
func decimals(values []float64, ints []int64) (exponent int, ok bool) {
	for i := 0; i < len(values); {
		v := values[i]
		x := math.Round(v * powers[exponent])
		if !(math.Abs(x) < 1<<53) {
			return 0, false
		}
		if math.Float64bits(float64(int64(x))/powers[exponent]) != math.Float64bits(v) {
			if exponent++; exponent == len(powers) {
				return 0, false
			}
			i = 0
			continue
		}
		ints[i] = int64(x)
		i++
	}
	return exponent, true
}

// floats reads n floats that appendFloats wrote.
func (r *reader) floats(enc encoding, n int) []float64 {
	out := make([]float64, n)
	switch enc {
	case encDecimal:
		exponent := int(r.byte())
		if exponent >= len(powers) {
			r.fail()
			return out
		}
		for i, v := range r.nested(n) {
			out[i] = float64(v) / powers[exponent]
		}
	case encFloatBits:
		for i, v := range r.nested(n) {
			out[i] = math.Float64frombits(uint64(v))
		}
	default:
		r.fail()
	}
	return out
}

// codeTable numbers distinct 64-bit keys in order of appearance.
type codeTable struct {
	keys  []uint64
	slots []uint32 // code plus 1; its length is a power of two
}

func newCodeTable(size int) *codeTable {
	return &codeTable{slots: make([]uint32, 1<<widthOf(uint64(2*size+1)))}
}

// code gives the number of a key, a new one if it is new.
func (t *codeTable) code(key uint64) uint32 {
	if 2*len(t.keys) >= len(t.slots) {
		t.slots = make([]uint32, 2*len(t.slots))
		for i, k := range t.keys {
			t.slots[t.find(k)] = uint32(i + 1)
		}
	}
	at := t.find(key)
	if t.slots[at] == 0 {
		t.keys = append(t.keys, key)
		t.slots[at] = uint32(len(t.keys))
	}
	return t.slots[at] - 1
}

func (t *codeTable) find(key uint64) int {
	h := key * 0x9E3779B97F4A7C15
	mask := len(t.slots) - 1
	for at := int(h>>32) & mask; ; at = (at + 1) & mask {
		if s := t.slots[at]; s == 0 || t.keys[s-1] == key {
			return at
		}
	}
}

// lookup gives the number of a key.
func (t *codeTable) lookup(key uint64) (code uint32, ok bool) {
	s := t.slots[t.find(key)]
	return s - 1, s != 0
}
