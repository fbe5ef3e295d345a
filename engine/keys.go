package engine

import (
	"bytes"
	"math"
	"time"

	"github.com/tael-sql/tael-sql/engine/block"
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

// keyIndex finds the older version of a row: in the memtable by a map, in
// blocks, hour by hour, by their key filters.
//
// The map holds 64-bit hashes. Of two different keys with the same hash, one
// in 2^64 pairs, only the later is found again; the reading of the key itself
// keeps a wrong row from being replaced.
type keyIndex struct {
	horizon int64             // ns
	mem     map[uint64]uint64 // key hash → running row number
	hours   map[int64]*hourKeys
}

// hourKeys knows the keys of the blocks of one hour.
type hourKeys struct {
	blocks []*blockRef
}

func newKeyIndex(horizon time.Duration) *keyIndex {
	return &keyIndex{horizon: int64(horizon), mem: make(map[uint64]uint64), hours: make(map[int64]*hourKeys)}
}

// addBlock enters a block. Its own filter stands for its keys.
func (k *keyIndex) addBlock(b *blockRef) {
	h := k.hours[b.meta.Hour]
	if h == nil {
		h = &hourKeys{}
		k.hours[b.meta.Hour] = h
	}
	h.blocks = append(h.blocks, b)
}

// candidates calls fn with the blocks that may hold a key of a row with that
// time: those of the hours within the horizon, and the late ones.
func (k *keyIndex) candidates(hash uint64, nanos int64, fn func(*blockRef)) {
	from, to := hourOf(nanos-min(k.horizon, nanos-math.MinInt64)), hourOf(nanos+min(k.horizon, math.MaxInt64-nanos))
	if int64(len(k.hours)) <= to-from {
		for hour, h := range k.hours {
			if hour == layout.LateHour || hour >= from && hour <= to {
				h.probe(hash, fn)
			}
		}
		return
	}
	for hour := from; hour <= to; hour++ {
		if h := k.hours[hour]; h != nil {
			h.probe(hash, fn)
		}
	}
	if h := k.hours[layout.LateHour]; h != nil {
		h.probe(hash, fn)
	}
}

func (h *hourKeys) probe(hash uint64, fn func(*blockRef)) {
	for _, b := range h.blocks {
		if b.meta.Keys.Contains(hash) {
			fn(b)
		}
	}
}

// keyBytes appends the key of row i.
func (t *table) keyBytes(dst []byte, rows *vector.Rows, i int) []byte {
	for _, f := range t.key {
		dst = append(dst, rows.Cols[f].HexBytes(i)...)
	}
	return dst
}

// blockKeys is the decoded key columns of a block.
type blockKeys struct {
	cols   []*vector.Column
	byHash map[uint64]int32
}

func (db *DB) readKeys(t *table, b *blockRef) (*blockKeys, error) {
	blk, err := db.openBlock(t, b)
	if err != nil {
		return nil, err
	}
	return keysOf(t, blk)
}

func keysOf(t *table, blk *block.Block) (*blockKeys, error) {
	k := &blockKeys{byHash: make(map[uint64]int32, blk.Rows())}
	for _, f := range t.key {
		c, err := blk.Column(f)
		if err != nil {
			return nil, err
		}
		k.cols = append(k.cols, c)
	}
	var key []byte
	for i := range blk.Rows() {
		key = k.append(key[:0], i)
		k.byHash[layout.Hash(key)] = int32(i)
	}
	return k, nil
}

func (k *blockKeys) append(dst []byte, i int) []byte {
	for _, c := range k.cols {
		dst = append(dst, c.HexBytes(i)...)
	}
	return dst
}

// find gives the row with a key.
func (k *blockKeys) find(hash uint64, key []byte) (int, bool) {
	i, ok := k.byHash[hash]
	if !ok || !bytes.Equal(k.append(nil, int(i)), key) {
		return 0, false
	}
	return int(i), true
}
