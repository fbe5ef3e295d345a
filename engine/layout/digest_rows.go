package layout

import (
	"strings"

	"github.com/tael-sql/tael-sql/internal/pgtypes"
	"github.com/tael-sql/tael-sql/internal/vector"
)

// AddAttributes counts the attributes of a Map field. weights is how many rows
// have each set of a.
func (d *Digest) AddAttributes(field string, a *vector.Attrs, weights []uint32) {
	digests := make([]*AttributeDigest, len(a.KeyDict))
	hashes := make([]uint64, len(a.Strs)) // 0: not yet known
	var buf []byte
	for set, weight := range weights {
		if weight == 0 {
			continue
		}
		for e := a.Off[set]; e < a.Off[set+1]; e++ {
			key := a.Keys[e]
			digest := digests[key]
			if digest == nil {
				digest = d.Attribute(AttributeName(field, a.KeyDict[key]))
				digests[key] = digest
			}
			digest.Rows += int64(weight)
			digest.Tags |= 1 << a.Tags[e]
			switch a.Tags[e] {
			case vector.TagNull:
			case vector.TagString, vector.TagBytes, vector.TagJSON:
				text := a.Strs[a.Vals[e]]
				if hashes[a.Vals[e]] == 0 {
					hashes[a.Vals[e]] = HashString(text)
				}
				if isReference(text) { // no example
					digest.Values.Add(hashes[a.Vals[e]])
					continue
				}
				digest.Add(hashes[a.Vals[e]], func() string { return text })
			default:
				buf = a.AppendText(buf[:0], int(e))
				digest.Add(Hash(buf), func() string { return string(buf) })
			}
		}
	}
}

// tagsOfJSON are the tags of raw jsonb values by what jsonb_typeof calls them;
// a number is an int unless it has a fraction.
var tagsOfJSON = map[string]vector.Tag{
	"null": vector.TagNull, "string": vector.TagString, "boolean": vector.TagBool, "number": vector.TagInt,
	"array": vector.TagJSON, "object": vector.TagJSON,
}

// AddDocuments counts the members of the jsonb objects of a String field in the
// rows that are not dead.
func (d *Digest) AddDocuments(field string, c *vector.Column, dead vector.Bitmap) {
	counts := make(map[string]int64)
	if c.Dict != nil {
		byCode := make([]int64, len(c.Dict))
		for i, code := range c.Codes {
			if !c.IsNull(i) && !isDead(dead, i) {
				byCode[code]++
			}
		}
		for code, n := range byCode {
			if n > 0 {
				counts[c.Dict[code]] = n
			}
		}
	} else {
		for i, doc := range c.Strs {
			if !c.IsNull(i) && !isDead(dead, i) {
				counts[doc]++
			}
		}
	}
	for doc, rows := range counts {
		for key, raw := range pgtypes.JSONEach(doc) {
			digest := d.Attribute(AttributeName(field, key))
			tag := tagsOfJSON[pgtypes.JSONTypeOf(raw)]
			if tag == vector.TagInt && strings.Contains(raw, ".") {
				tag = vector.TagDouble
			}
			digest.Rows += rows
			digest.Tags |= 1 << tag
			if text, null := pgtypes.JSONText(raw); !null {
				digest.Add(HashString(text), func() string { return text })
			}
		}
	}
}

func isDead(dead vector.Bitmap, row int) bool { return dead != nil && dead.Get(row) }

// maxGroupFields is the most fields that make a group.
const maxGroupFields = 4

// AddGroups counts the rows that are not dead by the values of String fields,
// and the different members among them. NULL counts as the empty text.
func (d *Digest) AddGroups(fields []*vector.Column, member, times *vector.Column, dead vector.Bitmap) {
	codes := make([][]uint32, len(fields))
	texts := make([][]string, len(fields))
	for i, c := range fields {
		codes[i], texts[i] = coded(c)
	}
	memberCodes, memberTexts := coded(member)
	hashes := make([]uint64, len(memberTexts))
	for i, text := range memberTexts {
		hashes[i] = HashString(text)
	}
	type pair struct {
		group  *GroupDigest
		member uint32
	}
	groups := make(map[[maxGroupFields]uint32]*GroupDigest)
	seen := make(map[pair]struct{})
	values := make([]string, len(fields))
	for row := range member.Len {
		if isDead(dead, row) {
			continue
		}
		var key [maxGroupFields]uint32
		for i := range fields {
			key[i] = codes[i][row]
		}
		g := groups[key]
		if g == nil {
			for i, code := range key[:len(fields)] {
				values[i] = texts[i][code]
			}
			g = d.Group(values...)
			groups[key] = g
		}
		g.Rows++
		g.MaxTime = max(g.MaxTime, times.Ints[row])
		p := pair{g, memberCodes[row]}
		if _, known := seen[p]; !known {
			seen[p] = struct{}{}
			g.Members.Add(hashes[p.member])
		}
	}
}

// coded gives a String column as codes; NULL has the code of the empty text.
func coded(c *vector.Column) (codes []uint32, texts []string) {
	if c.Dict != nil && c.Valid == nil {
		return c.Codes, c.Dict
	}
	codes = make([]uint32, c.Len)
	numbers := make(map[string]uint32)
	for i := range codes {
		text := ""
		if !c.IsNull(i) {
			text = c.Str(i)
		}
		n, known := numbers[text]
		if !known {
			n = uint32(len(texts))
			numbers[text], texts = n, append(texts, text)
		}
		codes[i] = n
	}
	return codes, texts
}
