package layout

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// A Filter says of a 64-bit hash whether it may be in a set: never wrongly
// "no", and wrongly "yes" for one in 2^width hashes. It is a binary fuse
// filter (Graf, Lemire: Binary Fuse Filters, 2022) whose fingerprints of width
// bits are packed: about 1.13 to 1.4 fingerprints a member.
//
// Encoded:
//
//	width     uint8    bits of a fingerprint; 0: no filter, and nothing follows
//	seed      uvarint
//	log       uint8    log2 of the slots of a segment
//	segments  uvarint  0: the empty set, and nothing follows
//	slots     (segments+2) << log fingerprints of width bits, least significant first
//
// The zero Filter may hold anything. A Filter never changes.
type Filter struct {
	width    uint8
	log      uint8
	seed     uint64
	segments uint32
	slots    []byte // packed, with slotPadding bytes behind
}

// slotPadding bytes lie behind the slots, so that each can be read at once.
const slotPadding = 4

// Fingerprint bits of the filters that blocks keep: an absent trace asks all
// blocks, a new span those of a day, so that they must seldom be wrong.
const (
	TraceFilterBits = 12
	KeyFilterBits   = 16
	ValueFilterBits = 8
)

// maxFilterBits is the widest fingerprint.
const maxFilterBits = 16

// Hash is the hash that filters are asked with.
func Hash(b []byte) uint64 { return xxhash.Sum64(b) }

// HashString is Hash of a text.
func HashString(s string) uint64 { return xxhash.Sum64String(s) }

// KeyHash is the hash of a row's key: its fields one after the other.
func KeyHash(parts ...[]byte) uint64 {
	var buf [64]byte
	key := buf[:0]
	for _, p := range parts {
		key = append(key, p...)
	}
	return Hash(key)
}

// BuildFilter makes a filter of the hashes, which may repeat, with
// fingerprints of 1 to 16 bits. The same hashes give the same filter.
func BuildFilter(hashes []uint64, width int) Filter {
	if width < 1 || width > maxFilterBits {
		panic("BUG: width of a filter")
	}
	hashes = distinct(hashes)
	f := Filter{width: uint8(width)}
	if len(hashes) == 0 {
		return f
	}
	f.log, f.segments = shape(len(hashes))
	n := int(f.segments+2) << f.log
	f.slots = make([]byte, (n*width+7)/8+slotPadding)
	peel := peeling{
		counts: make([]uint8, n), hashes: make([]uint64, n),
		queue: make([]uint32, n), order: make([]peeled, 0, len(hashes)),
	}
	// Each attempt fails for a few in a hundred sets.
	for f.seed = 1; f.seed < 1000; f.seed++ {
		if peel.try(&f, hashes) {
			for i := len(peel.order) - 1; i >= 0; i-- {
				p := peel.order[i]
				at := f.places(p.hash)
				print := fingerprint(p.hash) ^ f.slot(at[0]) ^ f.slot(at[1]) ^ f.slot(at[2])
				f.set(at[p.place], print)
			}
			return f
		}
	}
	return Filter{} // never seen; it prunes nothing
}

// shape gives the size that the authors found to be enough for n members.
func shape(n int) (log uint8, segments uint32) {
	size := float64(n)
	log = uint8(min(18, math.Floor(math.Log(size)/math.Log(3.33)+2.25)))
	factor := 2.0
	if n > 1 {
		factor = max(1.125, 0.875+0.25*math.Log(1e6)/math.Log(size))
	}
	capacity := uint32(math.Round(size * factor))
	all := (capacity + 1<<log - 1) >> log
	return log, max(all, 3) - 2
}

// distinct drops repetitions and keeps the order.
func distinct(hashes []uint64) []uint64 {
	var s hashSet
	for _, h := range hashes {
		s.add(h)
	}
	return s.list
}

// peeled is a hash with the one of its three places that it owns.
type peeled struct {
	hash  uint64 // mixed with the seed
	place uint8
}

// peeling takes hashes off that are alone in one of their places, until none
// is left.
type peeling struct {
	counts []uint8  // of the hashes at a place, times 4, and the exclusive or of their places' numbers
	hashes []uint64 // exclusive or of the hashes at a place
	queue  []uint32
	order  []peeled
}

func (p *peeling) try(f *Filter, members []uint64) bool {
	clear(p.counts)
	clear(p.hashes)
	p.order = p.order[:0]
	for _, m := range members {
		h := mix(m, f.seed)
		for k, at := range f.places(h) {
			p.counts[at] = (p.counts[at] + 4) ^ uint8(k)
			p.hashes[at] ^= h
			if p.counts[at] < 4 { // 64 members in one place: it would overflow
				return false
			}
		}
	}
	n := 0
	for at, c := range p.counts {
		if c>>2 == 1 {
			p.queue[n] = uint32(at)
			n++
		}
	}
	for n > 0 {
		n--
		at := p.queue[n]
		if p.counts[at]>>2 != 1 {
			continue
		}
		h, own := p.hashes[at], p.counts[at]&3
		p.order = append(p.order, peeled{h, own})
		for k, other := range f.places(h) {
			p.counts[other] = (p.counts[other] - 4) ^ uint8(k)
			p.hashes[other] ^= h
			if uint8(k) != own && p.counts[other]>>2 == 1 {
				p.queue[n] = other
				n++
			}
		}
	}
	return len(p.order) == len(members)
}

func mix(h, seed uint64) uint64 {
	h += seed * 0x9E3779B97F4A7C15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func fingerprint(mixed uint64) uint32 { return uint32(mixed ^ mixed>>32) }

// places gives the slots of a mixed hash: one in each of three successive
// segments.
func (f *Filter) places(mixed uint64) [3]uint32 {
	hi, _ := bits.Mul64(mixed, uint64(f.segments)<<f.log)
	mask := uint32(1)<<f.log - 1
	first := uint32(hi)
	return [3]uint32{
		first,
		(first + 1<<f.log) ^ uint32(mixed>>18)&mask,
		(first + 2<<f.log) ^ uint32(mixed)&mask,
	}
}

// slot gives a slot, with what lies behind it in the upper bits.
func (f *Filter) slot(i uint32) uint32 {
	bit := uint64(i) * uint64(f.width)
	return binary.LittleEndian.Uint32(f.slots[bit>>3:]) >> (bit & 7)
}

// set writes the fingerprint of a slot that is still zero.
func (f *Filter) set(i, fingerprint uint32) {
	bit := uint64(i) * uint64(f.width)
	word := f.slots[bit>>3:]
	v := fingerprint & (1<<f.width - 1) << (bit & 7)
	binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|v)
}

// Contains reports whether a hash may be a member.
func (f *Filter) Contains(h uint64) bool {
	if f.segments == 0 {
		return f.width == 0
	}
	h = mix(h, f.seed)
	at := f.places(h)
	different := fingerprint(h) ^ f.slot(at[0]) ^ f.slot(at[1]) ^ f.slot(at[2])
	return different&(1<<f.width-1) == 0
}

// Bytes gives the memory that the filter holds.
func (f *Filter) Bytes() int { return len(f.slots) }

// Append encodes the filter.
func (f *Filter) Append(dst []byte) []byte {
	if dst = append(dst, f.width); f.width == 0 {
		return dst
	}
	dst = append(binary.AppendUvarint(dst, f.seed), f.log)
	dst = binary.AppendUvarint(dst, uint64(f.segments))
	return append(dst, f.slots[:max(len(f.slots)-slotPadding, 0)]...)
}

// filter decodes what Append made.
func (d *decoder) filter() Filter {
	f := Filter{width: d.byte()}
	if f.width == 0 {
		return f
	}
	f.seed, f.log = d.uvarint(), d.byte()
	segments := d.uvarint()
	if f.width > maxFilterBits || f.log > 18 || segments > 1<<24 {
		d.fail()
		return Filter{}
	}
	if f.segments = uint32(segments); segments == 0 {
		return f
	}
	n := ((int(segments)+2)<<f.log*int(f.width) + 7) / 8
	if n > len(d.buf) {
		d.fail()
		return Filter{}
	}
	f.slots = append(make([]byte, 0, n+slotPadding), d.buf[:n]...)[:n+slotPadding]
	d.buf = d.buf[n:]
	return f
}

// hashSet is a set of hashes that remembers the order in which they came.
type hashSet struct {
	list  []uint64
	table []uint32 // place in list plus 1; its length is a power of two
}

func (s *hashSet) add(h uint64) {
	if 2*len(s.list) >= len(s.table) {
		s.table = make([]uint32, max(64, 4*len(s.table)))
		for i, old := range s.list {
			s.table[s.find(old)] = uint32(i + 1)
		}
	}
	if at := s.find(h); s.table[at] == 0 {
		s.list = append(s.list, h)
		s.table[at] = uint32(len(s.list))
	}
}

// find gives the place of a hash in the table, or the free one where it goes.
func (s *hashSet) find(h uint64) int {
	mask := len(s.table) - 1
	for at := int(h) & mask; ; at = (at + 1) & mask {
		if p := s.table[at]; p == 0 || s.list[p-1] == h {
			return at
		}
	}
}
