package exec

import "hash/maphash"

// A keyTable numbers distinct keys in order of appearance. It compares keys in
// full; the hash only says where to look.
//
// A slot is the upper half of a key's hash, then 1 + its number; 0 is empty.
// The upper half also chooses the slot, so that a larger table is filled
// without looking at the keys again.
type keyTable struct {
	keyChunks
	seed   maphash.Seed
	slots  []uint64 // a power of two of them, at most two thirds in use
	places []keyPlace
}

// keyChunks is keys, one after the other. A chunk never moves.
type keyChunks struct{ chunks [][]byte }

// A keyPlace says where a key is.
type keyPlace struct{ chunk, start, size uint32 }

// keyChunkBytes is the size of a chunk; the first is small, a larger key gets
// a chunk of its own.
const (
	firstKeyChunkBytes = 1 << 10
	keyChunkBytes      = 256 << 10
)

func newKeyTable() *keyTable {
	return &keyTable{seed: maphash.MakeSeed(), slots: make([]uint64, 16)}
}

// newKeyTableFor makes a table for n keys that addKept enters.
func newKeyTableFor(seed maphash.Seed, n int) *keyTable {
	size := 16
	for 2*size < 3*n {
		size *= 2
	}
	return &keyTable{seed: seed, slots: make([]uint64, size)}
}

// len is how many keys there are.
func (t *keyTable) len() int { return len(t.places) }

// key gives key number n.
func (t *keyTable) key(n int) []byte {
	p := t.places[n]
	return t.chunks[p.chunk][p.start : p.start+p.size : p.start+p.size]
}

// keep copies a key behind the others.
func (t *keyChunks) keep(key []byte) keyPlace {
	last := len(t.chunks) - 1
	if last < 0 || cap(t.chunks[last])-len(t.chunks[last]) < len(key) {
		size := keyChunkBytes
		if last < 0 {
			size = firstKeyChunkBytes
		}
		t.chunks = append(t.chunks, make([]byte, 0, max(size, len(key))))
		last++
	}
	start := len(t.chunks[last])
	t.chunks[last] = append(t.chunks[last], key...)
	return keyPlace{uint32(last), uint32(start), uint32(len(key))}
}

// addKept gives the number of a key that is in the chunks already, by its hash,
// and whether it is new.
func (t *keyTable) addKept(hash uint32, p keyPlace) (n int, fresh bool) {
	at, n := t.search(hash, t.chunks[p.chunk][p.start:p.start+p.size])
	if n >= 0 {
		return n, false
	}
	n = len(t.places)
	t.slots[at] = uint64(hash)<<32 | uint64(n+1)
	t.places = append(t.places, p)
	return n, true
}

// keyCost is what a key takes beside its bytes, spare room included.
const keyCost = 48

// find gives the number of a key, or -1.
func (t *keyTable) find(key []byte) int {
	_, n := t.search(uint32(maphash.Bytes(t.seed, key)>>32), key)
	return n
}

// add gives the number of a key, and whether it is new.
func (t *keyTable) add(key []byte) (n int, fresh bool) {
	hash := uint32(maphash.Bytes(t.seed, key) >> 32)
	at, n := t.search(hash, key)
	if n >= 0 {
		return n, false
	}
	n = len(t.places)
	t.slots[at] = uint64(hash)<<32 | uint64(n+1)
	t.places = append(t.places, t.keep(key))
	if 3*len(t.places) > 2*len(t.slots) {
		t.grow()
	}
	return n, true
}

// search gives the slot of a key and its number, or an empty slot and -1.
func (t *keyTable) search(hash uint32, key []byte) (at, n int) {
	mask := len(t.slots) - 1
	for at = int(hash) & mask; ; at = (at + 1) & mask {
		slot := t.slots[at]
		if slot == 0 {
			return at, -1
		}
		if uint32(slot>>32) == hash {
			if n = int(uint32(slot)) - 1; string(t.key(n)) == string(key) {
				return at, n
			}
		}
	}
}

func (t *keyTable) grow() {
	slots := make([]uint64, 2*len(t.slots))
	mask := len(slots) - 1
	for _, slot := range t.slots {
		if slot == 0 {
			continue
		}
		at := int(slot>>32) & mask
		for slots[at] != 0 {
			at = (at + 1) & mask
		}
		slots[at] = slot
	}
	t.slots = slots
}
