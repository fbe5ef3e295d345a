package layout

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Digest sums up the rows of a block or part, for who wants to know which
// attributes and which groups of values there are. It is derived: where none is
// stored, it can be made of the rows. Dead rows count while they are stored.
//
// Encoded, with the numbers of encoding/binary: version uint8 · attributes ·
// groups · crc uint32 little-endian, the CRC-32C of what stands before it.
// Attributes are a count uvarint and in order of their names the name as text,
// rows uvarint, tags uint8, sketch, and a count uvarint of examples, each its
// hash uint32 as uvarint and a text. Groups are a count uvarint and for each a
// count uvarint of values as texts, rows uvarint, greatest time varint, sketch.
// A sketch is a count uvarint and its hashes as distances uvarint.
type Digest struct {
	Attributes map[string]*AttributeDigest // by AttributeName
	Groups     map[string]*GroupDigest     // by their values, with a zero byte between
}

// An AttributeDigest is of one attribute of a field.
type AttributeDigest struct {
	Rows     int64 // that have it
	Tags     uint8 // bit t: a value has vector.Tag t
	Values   Sketch
	Examples []Example // of the values, those of the least hashes
}

// An Example is a value of an attribute, as ->> gives it, cut after
// maxExampleBytes.
type Example struct {
	Hash uint32
	Text string
}

// A GroupDigest is of the rows that share the values of some fields.
type GroupDigest struct {
	Rows    int64
	MaxTime int64 // ns since 1970
	Members Sketch
}

const (
	maxExamples     = 5
	maxExampleBytes = 120
)

// digestVersion is the version of an encoded Digest.
//
//	1: first version.
const digestVersion = 1

// NewDigest makes an empty one.
func NewDigest() *Digest {
	return &Digest{Attributes: make(map[string]*AttributeDigest), Groups: make(map[string]*GroupDigest)}
}

// Attribute finds or enters an attribute.
func (d *Digest) Attribute(name string) *AttributeDigest {
	a := d.Attributes[name]
	if a == nil {
		a = &AttributeDigest{}
		d.Attributes[name] = a
	}
	return a
}

// Group finds or enters a group.
func (d *Digest) Group(values ...string) *GroupDigest {
	name := strings.Join(values, "\x00")
	g := d.Groups[name]
	if g == nil {
		g = &GroupDigest{MaxTime: math.MinInt64}
		d.Groups[name] = g
	}
	return g
}

// Add counts a value; text is asked for where it becomes an example.
func (a *AttributeDigest) Add(hash uint64, text func() string) {
	h := uint32(hash >> 32)
	if !a.Values.add(h) {
		return
	}
	if n := len(a.Examples); n < maxExamples || h < a.Examples[n-1].Hash {
		a.example(Example{h, cutText(text(), maxExampleBytes)})
	}
}

func (a *AttributeDigest) example(e Example) {
	at, known := slices.BinarySearchFunc(a.Examples, e.Hash, func(x Example, h uint32) int {
		return int(int64(x.Hash) - int64(h))
	})
	if !known && at < maxExamples {
		a.Examples = slices.Insert(a.Examples, at, e)
		a.Examples = a.Examples[:min(len(a.Examples), maxExamples)]
	}
}

// cutText cuts a text at a character.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return strings.Clone(s)
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit] + "…"
}

// Merge adds what another digest says.
func (d *Digest) Merge(other *Digest) {
	for name, o := range other.Attributes {
		a := d.Attribute(name)
		a.Rows, a.Tags = a.Rows+o.Rows, a.Tags|o.Tags
		a.Values.merge(o.Values)
		for _, e := range o.Examples {
			a.example(e)
		}
	}
	for name, o := range other.Groups {
		g := d.Group(name)
		g.Rows, g.MaxTime = g.Rows+o.Rows, max(g.MaxTime, o.MaxTime)
		g.Members.merge(o.Members)
	}
}

// Append encodes the digest.
func (d *Digest) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, digestVersion)
	dst = appendMap(dst, d.Attributes, func(dst []byte, a *AttributeDigest) []byte {
		dst = a.Values.append(append(binary.AppendUvarint(dst, uint64(a.Rows)), a.Tags))
		dst = binary.AppendUvarint(dst, uint64(len(a.Examples)))
		for _, e := range a.Examples {
			dst = appendText(binary.AppendUvarint(dst, uint64(e.Hash)), e.Text)
		}
		return dst
	})
	dst = appendMap(dst, d.Groups, func(dst []byte, g *GroupDigest) []byte {
		dst = binary.AppendVarint(binary.AppendUvarint(dst, uint64(g.Rows)), g.MaxTime)
		return g.Members.append(dst)
	})
	return appendChecksum(dst, start)
}

// DecodeDigest decodes what Append made.
func DecodeDigest(raw []byte) (*Digest, error) {
	body, err := checked(raw, digestVersion, "digest")
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: body}
	out := &Digest{}
	out.Attributes = decodeMap(d, func() *AttributeDigest {
		a := &AttributeDigest{Rows: int64(d.uvarint()), Tags: d.byte(), Values: d.sketch()}
		for range d.count() {
			a.Examples = append(a.Examples, Example{uint32(d.uvarint()), d.text()})
		}
		return a
	})
	out.Groups = decodeMap(d, func() *GroupDigest {
		return &GroupDigest{Rows: int64(d.uvarint()), MaxTime: d.varint(), Members: d.sketch()}
	})
	if d.bad || len(d.buf) != 0 {
		return nil, corrupt("digest")
	}
	return out, nil
}

// Bytes estimates the memory of the digest.
func (d *Digest) Bytes() int64 {
	n := 64
	for name, a := range d.Attributes {
		n += 160 + len(name) + 4*len(a.Values)
		for _, e := range a.Examples {
			n += 24 + len(e.Text)
		}
	}
	for name, g := range d.Groups {
		n += 96 + len(name) + 4*len(g.Members)
	}
	return int64(n)
}

// Names lists the attributes in order.
func (d *Digest) Names() []string { return slices.Sorted(maps.Keys(d.Attributes)) }

// A Sketch estimates how many different hashes it was given: it holds the
// least of them, ascending (Bar-Yossef et al., 2002). It is exact below
// sketchSize, and within about 6 % beyond.
type Sketch []uint32

const sketchSize = 256

// Add counts a hash.
func (s *Sketch) Add(hash uint64) { s.add(uint32(hash >> 32)) }

// add reports whether the sketch has changed.
func (s *Sketch) add(h uint32) bool {
	list := *s
	if len(list) == sketchSize && h >= list[sketchSize-1] {
		return false
	}
	at, known := slices.BinarySearch(list, h)
	if known {
		return false
	}
	list = slices.Insert(list, at, h)
	*s = list[:min(len(list), sketchSize)]
	return true
}

func (s *Sketch) merge(o Sketch) {
	if len(o) == 0 {
		return
	}
	a, out := *s, make(Sketch, 0, min(len(*s)+len(o), sketchSize))
	for len(out) < sketchSize && (len(a) > 0 || len(o) > 0) {
		switch {
		case len(o) == 0 || len(a) > 0 && a[0] < o[0]:
			out, a = append(out, a[0]), a[1:]
		case len(a) > 0 && a[0] == o[0]:
			a = a[1:]
			fallthrough
		default:
			out, o = append(out, o[0]), o[1:]
		}
	}
	*s = out
}

// Estimate gives the number of different hashes.
func (s Sketch) Estimate() int64 {
	if len(s) < sketchSize {
		return int64(len(s))
	}
	return int64((sketchSize - 1) / (float64(s[sketchSize-1]) / (1 << 32)))
}

func (s Sketch) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	last := uint32(0)
	for _, h := range s {
		dst, last = binary.AppendUvarint(dst, uint64(h-last)), h
	}
	return dst
}

func (d *decoder) sketch() Sketch {
	n := d.count()
	if n == 0 {
		return nil
	}
	s := make(Sketch, n)
	last := uint32(0)
	for i := range s {
		last += uint32(d.uvarint())
		s[i] = last
	}
	return s
}
