package block

import (
	"math/bits"
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// severalTags is the tag of a key whose values have several types.
const severalTags vector.Tag = 255

// attributeKey is one key of a Map chunk.
type attributeKey struct {
	name  string
	tag   vector.Tag
	count int // sets that have it
	rare  bool
}

// sets is a decoded Map chunk without the values: the distinct sets of
// attributes that its rows have.
type sets struct {
	block   *Block
	chunk   chunk
	valid   vector.Bitmap
	keys    []attributeKey
	count   int      // sets
	rowSets []uint32 // the set of each row that is not NULL; nil: row i has set i
	setKeys []uint32 // the key set of each set
	keySets int
	bitsets []byte   // one after the other, for few keys; nil: the lists
	keyOff  []uint32 // list i is the numbers keyList[keyOff[i]:keyOff[i+1]], ascending
	keyList []uint32
}

// maxBitsetKeys is the most keys for which a key set is a bitmap.
const maxBitsetKeys = 256

// sets reads a Map chunk.
func (b *Block) sets(c chunk) (*sets, error) {
	r, err := b.reader(c, vector.Map)
	if err != nil {
		return nil, err
	}
	m := &sets{block: b, chunk: c}
	if m.valid, err = b.valid(c); err != nil {
		return nil, err
	}
	m.keys = make([]attributeKey, r.int(r.rest()))
	for k := range m.keys {
		m.keys[k] = attributeKey{r.text(), vector.Tag(r.byte()), r.int(b.rows), r.byte() == 1}
	}
	m.count = r.int(c.count)
	if r.byte() == 1 {
		m.rowSets = r.codes(c.count, m.count)
	} else if m.count != c.count {
		r.fail()
	}
	m.keySets = r.int(m.count)
	if len(m.keys) <= maxBitsetKeys {
		m.bitsets = r.bytes(m.keySets * ((len(m.keys) + 7) / 8))
	} else {
		m.lists(r)
	}
	m.setKeys = r.codes(m.count, m.keySets)
	if r.bad {
		return nil, corrupt("column %q cannot be decoded", c.name)
	}
	return m, nil
}

// lists reads key sets that are lists.
func (m *sets) lists(r *reader) {
	m.keyOff = make([]uint32, m.keySets+1)
	for i := range m.keySets {
		for range r.int(len(m.keys)) {
			k := uint32(r.int(len(m.keys) - 1))
			if n := len(m.keyList); n > int(m.keyOff[i]) && m.keyList[n-1] >= k {
				r.fail()
			}
			m.keyList = append(m.keyList, k)
		}
		m.keyOff[i+1] = uint32(len(m.keyList))
	}
}

// unpackBitsets makes lists of the key sets that are bitmaps.
func (m *sets) unpackBitsets() error {
	if m.keyOff != nil {
		return nil
	}
	size := (len(m.keys) + 7) / 8
	m.keyOff = make([]uint32, 1, m.keySets+1)
	for i := range m.keySets {
		for at, b := range m.bitsets[i*size : (i+1)*size] {
			for ; b != 0; b &= b - 1 {
				k := 8*at + bits.TrailingZeros8(b)
				if k >= len(m.keys) {
					return corrupt("key sets of column %q", m.chunk.name)
				}
				m.keyList = append(m.keyList, uint32(k))
			}
		}
		m.keyOff = append(m.keyOff, uint32(len(m.keyList)))
	}
	return nil
}

// having gives 1 for each key set that has a key.
func (m *sets) having(k int) []uint32 {
	has := make([]uint32, m.keySets)
	if m.keyOff == nil {
		size := (len(m.keys) + 7) / 8
		for i := range has {
			has[i] = uint32(m.bitsets[i*size+k>>3]) >> (k & 7) & 1
		}
		return has
	}
	for i := range has {
		if slices.Contains(m.keyList[m.keyOff[i]:m.keyOff[i+1]], uint32(k)) {
			has[i] = 1
		}
	}
	return has
}

// find gives the number of a key, or -1.
func (m *sets) find(key string) int {
	for k := range m.keys {
		if m.keys[k].name == key {
			return k
		}
	}
	return -1
}

// perSet spreads a key's codes over all sets; those without the key get 0. The
// codes' capacity must reach one further than their length. It gives nil if the
// key sets tell of another number of codes.
func (m *sets) perSet(k int, codes []uint32) []uint32 {
	has := m.having(k)
	out := make([]uint32, m.count)
	n := uint32(len(codes))
	codes = codes[:n+1]
	at := uint32(0)
	for s, keySet := range m.setKeys {
		h := has[keySet]
		out[s] = codes[min(at, n)] & -h
		at += h
	}
	if at != n {
		return nil
	}
	return out
}
