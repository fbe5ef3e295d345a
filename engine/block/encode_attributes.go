package block

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// attributeRows is the attributes of the rows to encode, with keys and texts
// numbered for this block.
type attributeRows struct {
	off   []uint32
	keys  []uint32
	tags  []vector.Tag
	vals  []uint64 // of a text: its number
	names []string // of the keys
	texts *textNumbers
}

// attributes writes a Map field.
func (e *encoder) attributes(c chunk, g gathered) {
	a := gatherAttributes(g)
	a.sort()
	rowSets, count := a.share()
	if rowSets != nil && g.valid == nil {
		e.addBase(codeBase{c.name, rowSets, count})
	}

	type keyValues struct {
		tag  vector.Tag
		tags []vector.Tag
		vals []uint64
	}
	keys := make([]keyValues, len(a.names))
	uses := make([]int, len(keys))
	for _, k := range a.keys[:a.off[count]] {
		uses[k]++
	}
	tags, vals := make([]vector.Tag, a.off[count]), make([]uint64, a.off[count])
	for k, n := range uses {
		keys[k].tags, tags = tags[:0:n], tags[n:]
		keys[k].vals, vals = vals[:0:n], vals[n:]
	}
	keySets, setKeys := make(map[string]uint32), make([]uint32, count)
	var lists []byte
	for s := range count {
		from, to := a.off[s], a.off[s+1]
		list := binary.AppendUvarint(e.keyBuf[:0], uint64(to-from))
		for i := from; i < to; i++ {
			list = binary.AppendUvarint(list, uint64(a.keys[i]))
			k := &keys[a.keys[i]]
			if len(k.vals) == 0 {
				k.tag = a.tags[i]
			} else if k.tag != a.tags[i] {
				k.tag = severalTags
			}
			k.tags, k.vals = append(k.tags, a.tags[i]), append(k.vals, a.vals[i])
		}
		e.keyBuf = list
		code, known := keySets[string(list)]
		if !known {
			code = uint32(len(keySets))
			keySets[string(list)] = code
			if len(keys) <= maxBitsetKeys {
				list = make([]byte, (len(keys)+7)/8)
				for _, k := range a.keys[from:to] {
					list[k>>3] |= 1 << (k & 7)
				}
			}
			lists = append(lists, list...)
		}
		setKeys[s] = code
	}

	numbers := newNumbering(len(a.texts.list))
	raw := binary.AppendUvarint(nil, uint64(len(keys)))
	var rare []byte
	var own []chunk
	var ownRaw [][]byte
	for i, k := range keys {
		enc, values := a.encodeValues(k.tag, k.tags, k.vals, numbers)
		raw = append(appendName(raw, a.names[i]), byte(k.tag))
		raw = binary.AppendUvarint(raw, uint64(len(k.vals)))
		if len(values) < minChunk {
			raw = append(raw, 1)
			rare = binary.AppendUvarint(append(rare, byte(enc)), uint64(len(values)))
			rare = append(rare, values...)
			continue
		}
		raw = append(raw, 0)
		own = append(own, chunk{name: c.name + "\x00" + a.names[i], kind: kindOf(k.tag), encoding: enc, count: len(k.vals)})
		ownRaw = append(ownRaw, values)
	}
	raw = binary.AppendUvarint(raw, uint64(count))
	if rowSets != nil {
		raw = appendCodes(append(raw, 1), rowSets, count)
	} else {
		raw = append(raw, 0)
	}
	raw = append(binary.AppendUvarint(raw, uint64(len(keySets))), lists...)
	raw = appendCodes(raw, setKeys, len(keySets))

	c.valid, c.encoding = e.validity(g.valid), encSets
	e.add(c, raw)
	for i := range own {
		e.add(own[i], ownRaw[i])
	}
	if rare != nil {
		e.add(chunk{name: c.name + "\x01", kind: vector.Any, encoding: encRare}, rare)
	}
}

// minChunk is the length below which a key's values are stored with others:
// an own chunk costs that much in the directory and in reading it.
const minChunk = 64

func kindOf(tag vector.Tag) vector.Kind {
	switch tag {
	case vector.TagBool:
		return vector.Bool
	case vector.TagInt:
		return vector.Int64
	case vector.TagDouble:
		return vector.Float
	}
	return vector.String
}

func gatherAttributes(g gathered) *attributeRows {
	n := 0
	for _, p := range g.rows {
		off := g.cols[p.Source].Attrs.Off
		n += int(off[p.Row+1] - off[p.Row])
	}
	a := &attributeRows{
		off: make([]uint32, 1, len(g.rows)+1), texts: newTextNumbers(n/4, true),
		keys: make([]uint32, 0, n), tags: make([]vector.Tag, 0, n), vals: make([]uint64, 0, n),
	}
	byName := make(map[string]uint32)
	known := make(map[*string][]uint32) // by dictionary of keys: 1 + number by code
	var last *string
	var numbers []uint32
	for _, p := range g.rows {
		from := g.cols[p.Source].Attrs
		if dict := unsafe.SliceData(from.KeyDict); dict != last || len(numbers) < len(from.KeyDict) {
			numbers = known[dict]
			if missing := len(from.KeyDict) - len(numbers); missing > 0 {
				numbers = append(numbers, make([]uint32, missing)...)
				known[dict] = numbers
			}
			last = dict
		}
		for e := from.Off[p.Row]; e < from.Off[p.Row+1]; e++ {
			key := from.Keys[e]
			if numbers[key] == 0 {
				name := from.KeyDict[key]
				n, ok := byName[name]
				if !ok {
					n = uint32(len(a.names))
					byName[name] = n
					a.names = append(a.names, name)
				}
				numbers[key] = n + 1
			}
			val := from.Vals[e]
			switch from.Tags[e] {
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				val = uint64(a.texts.coded(from.Strs, uint32(val)))
			case vector.TagNull:
				val = 0
			}
			a.keys, a.tags, a.vals = append(a.keys, numbers[key]-1), append(a.tags, from.Tags[e]), append(a.vals, val)
		}
		a.off = append(a.off, uint32(len(a.keys)))
	}
	return a
}

// sort brings keys into the order of jsonb: by length, then by bytes.
func (a *attributeRows) sort() {
	order := make([]uint32, len(a.names))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int {
		return cmp.Or(cmp.Compare(len(a.names[x]), len(a.names[y])), strings.Compare(a.names[x], a.names[y]))
	})
	rank, names := make([]uint32, len(order)), make([]string, len(order))
	for i, k := range order {
		rank[k], names[i] = uint32(i), a.names[k]
	}
	a.names = names
	for i, k := range a.keys {
		a.keys[i] = rank[k]
	}
	for s := 1; s < len(a.off); s++ {
		from, to := int(a.off[s-1]), int(a.off[s])
		for i := from + 1; i < to; i++ { // rows are in order as a rule
			for k := i; k > from && a.keys[k-1] > a.keys[k]; k-- {
				a.keys[k-1], a.keys[k] = a.keys[k], a.keys[k-1]
				a.tags[k-1], a.tags[k] = a.tags[k], a.tags[k-1]
				a.vals[k-1], a.vals[k] = a.vals[k], a.vals[k-1]
			}
		}
	}
}

// share keeps one of equal sets where most rows share theirs, and gives the set
// of each row; nil if each row keeps its own.
func (a *attributeRows) share() (rowSets []uint32, count int) {
	rows := len(a.off) - 1
	table, first := newCodeTable(64), []int32{}
	rowSets = make([]uint32, rows)
	for i := range rows {
		h := uint64(14695981039346656037)
		for e := a.off[i]; e < a.off[i+1]; e++ {
			h = (h ^ uint64(a.keys[e])<<8 ^ uint64(a.tags[e])) * 0x9E3779B97F4A7C15
			h = (h ^ h>>29 ^ a.vals[e]) * 0xff51afd7ed558ccd
			h ^= h >> 32
		}
		code := table.code(h)
		if int(code) == len(first) {
			if first = append(first, int32(i)); len(first) > rows/4 {
				return nil, rows
			}
		} else if !a.equal(int(first[code]), i) {
			return nil, rows // two sets with one hash: as good as never
		}
		rowSets[i] = code
	}
	// Keep the first of each. They only move towards the front.
	at := uint32(0)
	off := make([]uint32, 1, len(first)+1)
	for _, i := range first {
		from, to := a.off[i], a.off[i+1]
		copy(a.keys[at:], a.keys[from:to])
		copy(a.tags[at:], a.tags[from:to])
		copy(a.vals[at:], a.vals[from:to])
		at += to - from
		off = append(off, at)
	}
	a.off = off
	return rowSets, len(first)
}

func (a *attributeRows) equal(i, k int) bool {
	from, to, other, end := a.off[i], a.off[i+1], a.off[k], a.off[k+1]
	return slices.Equal(a.keys[from:to], a.keys[other:end]) &&
		slices.Equal(a.tags[from:to], a.tags[other:end]) &&
		slices.Equal(a.vals[from:to], a.vals[other:end])
}

// numbering renumbers the texts of one key after the other.
type numbering struct {
	round []uint32 // of a text's last use
	code  []uint32
	now   uint32
}

func newNumbering(texts int) *numbering {
	return &numbering{round: make([]uint32, texts), code: make([]uint32, texts)}
}

// encodeValues encodes the values of one key.
func (a *attributeRows) encodeValues(tag vector.Tag, tags []vector.Tag, vals []uint64, numbers *numbering) (encoding, []byte) {
	switch tag {
	case vector.TagNull:
		return encConstant, nil
	case vector.TagBool:
		bools := make([]bool, len(vals))
		for i, v := range vals {
			bools[i] = v != 0
		}
		return appendBools(nil, bools)
	case vector.TagInt:
		ints := make([]int64, len(vals))
		for i, v := range vals {
			ints[i] = int64(v)
		}
		return appendInts(nil, ints)
	case vector.TagDouble:
		floats := make([]float64, len(vals))
		for i, v := range vals {
			floats[i] = math.Float64frombits(v)
		}
		return appendFloats(nil, floats)
	case severalTags:
		in := newTextNumbers(len(vals)/4, true)
		t := textColumn{codes: make([]uint32, len(vals))}
		var buf []byte
		for i, v := range vals {
			buf = append(buf[:0], byte(tags[i]))
			switch tags[i] {
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				buf = append(buf, a.texts.list[v]...)
			case vector.TagNull:
			default:
				buf = binary.LittleEndian.AppendUint64(buf, v)
			}
			t.codes[i] = in.text(string(buf))
		}
		t.dict = in.list
		return appendTextColumn(nil, t)
	}
	numbers.now++
	t := textColumn{codes: make([]uint32, len(vals))}
	for i, v := range vals {
		if numbers.round[v] != numbers.now {
			numbers.round[v], numbers.code[v] = numbers.now, uint32(len(t.dict))
			t.dict = append(t.dict, a.texts.list[v])
		}
		t.codes[i] = numbers.code[v]
	}
	return appendTextColumn(nil, t)
}
