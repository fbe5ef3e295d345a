package block

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// gatherTexts numbers the distinct texts in order of appearance; ok is false
// beyond limit of them.
func gatherTexts(g gathered, limit int) (t textColumn, ok bool) {
	oneDict := true
	for _, c := range g.cols {
		oneDict = oneDict && c.Dict != nil && unsafe.SliceData(c.Dict) == unsafe.SliceData(g.cols[0].Dict)
	}
	in := newTextNumbers(64, !oneDict)
	t.codes = make([]uint32, len(g.rows))
	for k, p := range g.rows {
		c := g.cols[p.Source]
		if c.Dict != nil {
			t.codes[k] = in.coded(c.Dict, c.Codes[p.Row])
		} else {
			t.codes[k] = in.text(c.Strs[p.Row])
		}
		if len(in.list) > limit {
			return t, false
		}
	}
	t.dict = in.list
	return t, true
}

// textNumbers numbers distinct texts in order of appearance. Codes of a shared
// dictionary are looked up once.
type textNumbers struct {
	list    []string
	byText  *codeTable // by hash; nil: there is one dictionary, without duplicates
	byHash  []uint32   // of these the number
	clashes map[string]uint32
	dicts   map[*string]uint64
	codes   *codeTable // dictionary<<32 | code
	numbers []uint32   // of these
	last    *string
	lastNo  uint64
}

func newTextNumbers(size int, several bool) *textNumbers {
	t := &textNumbers{list: []string{}, dicts: make(map[*string]uint64), codes: newCodeTable(size)}
	if several {
		t.byText = newCodeTable(size)
	}
	return t
}

func (t *textNumbers) text(s string) uint32 {
	n := uint32(len(t.list))
	if t.byText != nil {
		code := t.byText.code(xxhash.Sum64String(s))
		switch {
		case int(code) == len(t.byHash):
			t.byHash = append(t.byHash, n)
		case t.list[t.byHash[code]] == s:
			return t.byHash[code]
		default: // two texts with one hash
			if known, ok := t.clashes[s]; ok {
				return known
			}
			if t.clashes == nil {
				t.clashes = make(map[string]uint32)
			}
			t.clashes[s] = n
		}
	}
	t.list = append(t.list, s)
	return n
}

func (t *textNumbers) coded(dict []string, code uint32) uint32 {
	if first := unsafe.SliceData(dict); first != t.last {
		no, ok := t.dicts[first]
		if !ok {
			no = uint64(len(t.dicts)) << 32
			t.dicts[first] = no
		}
		t.last, t.lastNo = first, no
	}
	n := t.codes.code(t.lastNo | uint64(code))
	if int(n) == len(t.numbers) {
		t.numbers = append(t.numbers, t.text(dict[code]))
	}
	return t.numbers[n]
}
