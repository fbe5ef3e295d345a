package engine

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tael-sql/tael-sql/engine/layout"
	"github.com/tael-sql/tael-sql/internal/vector"
)

const nanosHour = int64(time.Hour)

// hourOf gives the hour since 1970 of a time, rounding towards the past.
func hourOf(nanos int64) int64 {
	h := nanos / nanosHour
	if nanos%nanosHour < 0 {
		h--
	}
	return h
}

// A memKeys finds rows of the memtable by their key. It is guarded by stateMu.
//
// Rows with the same hash form a chain, newest first: versions beyond the
// horizon of each other, or different keys. Rows that died may be in it.
type memKeys struct {
	newest map[uint64]uint64 // key hash → running row number
	older  map[uint64]uint64 // running row number → that of the one before in its chain
}

func newMemKeys(rows int) *memKeys {
	return &memKeys{newest: make(map[uint64]uint64, rows), older: make(map[uint64]uint64)}
}

// add enters a row, with the rows that stay in its chain behind it.
func (m *memKeys) add(hash, number uint64, chain []uint64) {
	m.newest[hash] = number
	for _, before := range chain {
		m.older[number] = before
		number = before
	}
	delete(m.older, number)
}

// within reports whether two times are at most horizon apart.
func within(a, b, horizon int64) bool {
	if a < b {
		a, b = b, a
	}
	return uint64(a-b) <= uint64(horizon) // right even where a-b overflows
}

// hourRange gives the hours in which a version of a row of that time may be.
func hourRange(nanos, horizon int64) (from, to int64) {
	least, greatest := nanos-horizon, nanos+horizon
	if least > nanos {
		least = math.MinInt64
	}
	if greatest < nanos {
		greatest = math.MaxInt64
	}
	return hourOf(least), hourOf(greatest)
}

// keyBytes appends the key of row i.
func (t *table) keyBytes(dst []byte, rows *vector.Rows, i int) []byte {
	for _, f := range t.key {
		dst = append(dst, rows.Cols[f].HexBytes(i)...)
	}
	return dst
}

// blockKeys is the keys of a block with their rows, ordered by hash.
type blockKeys struct {
	cols  []*vector.Column
	times []int64
	index []keyPlace
}

type keyPlace struct {
	hash uint64
	row  int32
}

// newBlockKeys reads the keys of a block or a chunk.
func newBlockKeys(t *table, from stored, rows int) (*blockKeys, error) {
	k := &blockKeys{index: make([]keyPlace, rows)}
	for _, f := range t.key {
		c, err := from.Column(f)
		if err != nil {
			return nil, err
		}
		k.cols = append(k.cols, c)
	}
	c, err := from.Column(t.time)
	if err != nil {
		return nil, err
	}
	k.times = c.Ints
	var key []byte
	for i := range k.index {
		key = k.append(key[:0], i)
		k.index[i] = keyPlace{layout.Hash(key), int32(i)}
	}
	slices.SortFunc(k.index, func(a, b keyPlace) int { return cmp.Compare(a.hash, b.hash) })
	return k, nil
}

func (k *blockKeys) append(dst []byte, i int) []byte {
	for _, c := range k.cols {
		dst = append(dst, c.HexBytes(i)...)
	}
	return dst
}

// find calls fn with each row of the key within the horizon of a time.
func (k *blockKeys) find(hash uint64, key []byte, nanos, horizon int64, fn func(row int)) {
	at, _ := slices.BinarySearchFunc(k.index, hash, func(p keyPlace, h uint64) int { return cmp.Compare(p.hash, h) })
	for ; at < len(k.index) && k.index[at].hash == hash; at++ {
		row := int(k.index[at].row)
		if bytes.Equal(k.append(nil, row), key) && within(k.times[row], nanos, horizon) {
			fn(row)
		}
	}
}

// bytes is what the keys hold in memory.
func (k *blockKeys) bytes() int64 { return int64(len(k.index)) * 56 }

// An hourIndex is the blocks of one partition of a table with one filter of
// all their keys, so that a new row asks each hour once and not each block.
// The applier alone uses it.
type hourIndex struct {
	blocks []*layout.BlockMeta
	unread []*layout.BlockMeta // of blocks, those whose keys are not in the filter
	filter growingFilter
}

// A growingFilter is a Bloom filter with one bit in each word of a cache line
// for each member. It starts anew, twice as large, when it is full.
type growingFilter struct {
	lines    [][8]uint64
	members  int
	capacity int
}

// filterLineMembers is how many members a line of 512 bits takes: about one in
// 1,000 absent keys passes then.
const filterLineMembers = 32

func newGrowingFilter(capacity int) growingFilter {
	lines := (capacity + filterLineMembers - 1) / filterLineMembers
	return growingFilter{lines: make([][8]uint64, max(lines, 1)), capacity: capacity}
}

func (f *growingFilter) line(hash uint64) *[8]uint64 {
	return &f.lines[(hash>>32)*uint64(len(f.lines))>>32]
}

func (f *growingFilter) add(hash uint64) {
	line := f.line(hash)
	bits := hash * 0x9E3779B97F4A7C15
	for i := range line {
		line[i] |= 1 << (bits >> (6 * i) & 63)
	}
	f.members++
}

func (f *growingFilter) contains(hash uint64) bool {
	if len(f.lines) == 0 {
		return false
	}
	line := f.line(hash)
	bits := hash * 0x9E3779B97F4A7C15
	for i := range line {
		if line[i]>>(bits>>(6*i)&63)&1 == 0 {
			return false
		}
	}
	return true
}

// A blockIndex finds the blocks in which a version of a row may be. It follows
// the views; the applier alone uses it.
type blockIndex struct {
	generation uint64 // of the view that it follows; 0: none yet
	hours      map[int64]*hourIndex
	known      map[uint64]bool // ids
}

func newBlockIndex() *blockIndex {
	return &blockIndex{hours: make(map[int64]*hourIndex), known: make(map[uint64]bool)}
}

// follow takes over the list of blocks of a view. Keys of blocks that have
// gone stay in the filters: they moved to other blocks of the same hour.
func (x *blockIndex) follow(v *View, tv *tableView) {
	if x.generation == v.generation+1 {
		return
	}
	x.generation = v.generation + 1
	listed := make(map[uint64]bool, len(tv.blocks))
	for _, b := range tv.blocks {
		listed[b.meta.ID] = true
		if x.known[b.meta.ID] {
			continue
		}
		h := x.hours[b.meta.Hour]
		if h == nil {
			h = &hourIndex{}
			x.hours[b.meta.Hour] = h
		}
		h.blocks, h.unread = append(h.blocks, b.meta), append(h.unread, b.meta)
	}
	for id := range x.known {
		if listed[id] {
			continue
		}
		gone := func(m *layout.BlockMeta) bool { return !listed[m.ID] }
		for _, h := range x.hours {
			h.blocks, h.unread = slices.DeleteFunc(h.blocks, gone), slices.DeleteFunc(h.unread, gone)
		}
		break // all that have gone are dropped at once
	}
	x.known = listed
}

// load enters the keys of blocks that the filter lacks; read gives nil for a
// block that has none to enter.
func (h *hourIndex) load(read func(*layout.BlockMeta) (*blockKeys, error)) error {
	if len(h.unread) == 0 {
		return nil
	}
	need, todo := h.filter.members, h.unread
	for _, m := range h.unread {
		need += m.Rows
	}
	if need > h.filter.capacity {
		h.filter, todo = newGrowingFilter(max(2*need, 4096)), h.blocks
	}
	for _, m := range todo {
		keys, err := read(m)
		if err != nil {
			h.filter, h.unread = growingFilter{}, slices.Clone(h.blocks)
			return err
		}
		if keys == nil {
			continue
		}
		for _, p := range keys.index {
			h.filter.add(p.hash)
		}
	}
	h.unread = nil
	return nil
}
