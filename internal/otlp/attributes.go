package otlp

import (
	"math"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// Attributes collects the item attributes of one request. Telemetry repeats
// itself, and all of this lives on that: a key is first compared with the one
// at its place in the row before, a row's list of keys is one of few shapes,
// and a value is looked for in a small cache.
type attributes struct {
	promoted map[string]promotedKey

	off  []uint32
	keys []uint32
	tags []vector.Tag
	vals []uint64
	strs []string

	keyDict  []string
	keyNotes []keyNote
	keyIndex map[string]uint32

	row    []entry  // of the item being read, as received
	kvs    [][]byte // its KeyValues
	before []uint32 // key codes of the row before
	shapes map[uint64]*shape
	last   *shape

	cache [1 << cacheBits]cached
	epoch uint32 // entries of the cache with another are stale
}

const cacheBits = 10

type cached struct {
	str   string
	code  uint32
	epoch uint32
}

type entry struct {
	key uint32
	value
}

// A keyNote is what a key means besides being an attribute.
type keyNote struct {
	promotedKey
	llm bool
}

// A shape is what follows from the list of keys of a row.
type shape struct {
	keys      []uint32
	order     []int32    // places in the order of jsonb, the last of equal keys
	duplicate bool       // a key occurs twice
	llm       bool       // a span of a language model
	promoted  []promoted // by column, then by rank
}

type promoted struct {
	field int
	place int32
}

func newAttributes(promoted map[string]promotedKey) *attributes {
	return &attributes{promoted: promoted, keyIndex: make(map[string]uint32), shapes: make(map[uint64]*shape)}
}

func (a *attributes) begin() {
	a.off = append(a.off[:0], 0)
	a.keys, a.tags, a.vals = a.keys[:0], a.tags[:0], a.vals[:0]
	clear(a.strs)
	a.strs = a.strs[:0]
	clear(a.keyDict)
	a.keyDict, a.keyNotes = a.keyDict[:0], a.keyNotes[:0]
	clear(a.keyIndex)
	clear(a.shapes)
	a.before, a.last = a.before[:0], nil
	a.epoch++
	if a.epoch == 0 {
		a.cache = [1 << cacheBits]cached{}
		a.epoch = 1
	}
}

// parse reads the attributes of one item, a list of KeyValues, without
// changing any row.
func (a *attributes) parse(kvs [][]byte) error {
	a.kvs = kvs
	a.row = a.row[:0]
	for i, kv := range kvs {
		key, raw, err := keyValue(kv)
		if err != nil {
			return err
		}
		v, err := parseValue(raw, 1)
		if err != nil {
			return err
		}
		var code uint32
		if i < len(a.before) && a.keyDict[a.before[i]] == key {
			code = a.before[i]
		} else {
			text, ok := clean(key)
			code = a.key(text)
			v.lossy = v.lossy || !ok
		}
		switch v.tag {
		case vector.TagString, vector.TagBytes, vector.TagJSON:
			var ok bool
			if v.bits, ok = a.intern(v.str); !ok {
				v.lossy = true
			}
		}
		a.row = append(a.row, entry{code, v})
	}
	return nil
}

// key gives the code of a clean key.
func (a *attributes) key(key string) uint32 {
	code, ok := a.keyIndex[key]
	if !ok {
		code = uint32(len(a.keyDict))
		a.keyIndex[key] = code
		a.keyDict = append(a.keyDict, key)
		p, ok := a.promoted[key]
		if !ok {
			p.field = -1
		}
		a.keyNotes = append(a.keyNotes, keyNote{p, strings.HasPrefix(key, "gen_ai.") || strings.HasPrefix(key, "llm.")})
	}
	return code
}

// intern gives the code of a string value; ok is false when it had to be cleaned.
func (a *attributes) intern(s string) (code uint64, ok bool) {
	slot := &a.cache[cacheSlot(s)]
	if slot.epoch == a.epoch && slot.str == s {
		return uint64(slot.code), true
	}
	text, ok := clean(s)
	code = uint64(len(a.strs))
	a.strs = append(a.strs, text)
	if ok {
		*slot = cached{text, uint32(code), a.epoch}
	}
	return code, ok
}

// cacheSlot hashes the length and both ends of a string.
func cacheSlot(s string) uint64 {
	h := uint64(len(s))
	if n := len(s); n >= 8 {
		h ^= word(s) ^ word(s[n-8:])*0x9E3779B97F4A7C15
		if n >= 24 {
			h ^= word(s[n/2-4:]) * 0xC2B2AE3D27D4EB4F
		}
	} else {
		for i := range n {
			h = h<<8 ^ uint64(s[i]) ^ h>>56
		}
	}
	return h * 0xD6E8FEB86659FD93 >> (64 - cacheBits)
}

func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// add makes the attributes just parsed those of the next row. It gives their
// shape, and ext with the KeyValues appended that jsonb cannot carry.
func (a *attributes) add(ext []byte) (*shape, []byte) {
	sh := a.shape()
	lossy := sh.duplicate
	for _, at := range sh.order {
		e := &a.row[at]
		a.keys = append(a.keys, e.key)
		a.tags = append(a.tags, e.tag)
		a.vals = append(a.vals, e.bits)
		lossy = lossy || e.lossy
	}
	a.off = append(a.off, uint32(len(a.keys)))
	if lossy {
		for i := range a.row {
			if a.row[i].lossy || sh.duplicate && occurrences(sh.keys, a.row[i].key) > 1 {
				ext = appendBytes(ext, extItem, a.kvs[i])
			}
		}
	}
	return sh, ext
}

func occurrences(keys []uint32, key uint32) int {
	n := 0
	for _, k := range keys {
		if k == key {
			n++
		}
	}
	return n
}

// shape finds or makes the shape of the row.
func (a *attributes) shape() *shape {
	same := a.last != nil && len(a.last.keys) == len(a.row)
	hash := uint64(len(a.row))
	a.before = a.before[:0]
	for i := range a.row {
		key := a.row[i].key
		a.before = append(a.before, key)
		hash = (hash ^ uint64(key)) * 0x9E3779B97F4A7C15
		hash ^= hash >> 29
		same = same && a.last.keys[i] == key
	}
	if same {
		return a.last
	}
	sh := a.shapes[hash]
	if sh == nil || !slices.Equal(sh.keys, a.before) {
		sh = a.newShape(slices.Clone(a.before))
		a.shapes[hash] = sh
	}
	a.last = sh
	return sh
}

func (a *attributes) newShape(keys []uint32) *shape {
	sh := &shape{keys: keys}
	order := make([]int32, len(keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(x, y int32) int {
		return pgtypes.CompareJSONKeys(a.keyDict[keys[x]], a.keyDict[keys[y]])
	})
	for i, at := range order {
		if i+1 < len(order) && keys[order[i+1]] == keys[at] {
			sh.duplicate = true
			continue
		}
		sh.order = append(sh.order, at)
		note := a.keyNotes[keys[at]]
		sh.llm = sh.llm || note.llm
		if note.field >= 0 {
			sh.promoted = append(sh.promoted, promoted{note.field, at})
		}
	}
	slices.SortFunc(sh.promoted, func(x, y promoted) int {
		if x.field != y.field {
			return x.field - y.field
		}
		return a.keyNotes[keys[x.place]].rank - a.keyNotes[keys[y.place]].rank
	})
	return sh
}

// promote sets the promoted columns of a row from the attributes just added.
func (a *attributes) promote(t *table, row int, sh *shape) {
	done := -1
	for _, p := range sh.promoted {
		e := &a.row[p.place]
		if p.field == done || e.tag == vector.TagNull {
			continue
		}
		switch {
		case t.cols[p.field].field.Kind == vector.Int64:
			n, ok := a.smallInt(e)
			if !ok {
				continue
			}
			t.int(p.field, row, n)
		case e.tag == vector.TagString || e.tag == vector.TagJSON || e.tag == vector.TagBytes:
			t.interned(p.field, row, a.strs[e.bits], e.bits)
		default:
			t.text(p.field, row, scalarText(e.value))
		}
		done = p.field
	}
}

// smallInt gives a value as an int4.
func (a *attributes) smallInt(e *entry) (int64, bool) {
	n := int64(e.bits)
	switch e.tag {
	case vector.TagInt:
	case vector.TagString:
		var ok bool
		if n, ok = parseInt32(a.strs[e.bits]); !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	return n, n >= math.MinInt32 && n <= math.MaxInt32
}

func (a *attributes) finish(rows int) *vector.Column {
	return &vector.Column{Kind: vector.Map, Len: rows, Attrs: &vector.Attrs{
		Off:     slices.Clone(a.off),
		Keys:    slices.Clone(a.keys),
		Tags:    slices.Clone(a.tags),
		Vals:    slices.Clone(a.vals),
		KeyDict: slices.Clone(a.keyDict),
		Strs:    slices.Clone(a.strs),
	}}
}
