package layout

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// ErrCorrupt is wrapped by every error about bytes that cannot be decoded.
var ErrCorrupt = errors.New("layout: corrupt")

// A Zone is the range of a column's values in a block.
type Zone struct{ Min, Max int64 }

// A ValueSet says which values a text column has in a block: exactly while
// there are few, else by a filter.
type ValueSet struct {
	Exact  []string // sorted; nil: the filter decides
	Filter Filter
}

// maxExact is the most distinct values that a ValueSet lists, maxExactBytes
// the most text.
const (
	maxExact      = 64
	maxExactBytes = 2048
)

// Contains reports whether a row may have the value.
func (v ValueSet) Contains(s string) bool {
	if v.Exact != nil {
		_, ok := slices.BinarySearch(v.Exact, s)
		return ok
	}
	return v.Filter.Contains(HashString(s))
}

// A BlockMeta is what is known of a block without reading it. It never changes.
//
// Encoded: version uint8, uvarint and zigzag varint numbers in the order of the
// fields, maps as a count and their entries in order of the keys, then CRC-32C
// of all that uint32 little-endian. Version history: 1 first.
type BlockMeta struct {
	Table        uint8
	ID           uint64
	Hour         int64 // of the rows' times, hours since 1970; LateHour for the late partition
	Rows         int
	Bytes        int
	MinLSN       uint64
	MaxLSN       uint64
	Zones        map[string]Zone // by field: Int64 fields
	Trace        Filter
	Keys         Filter
	Values       map[string]ValueSet // by field, or field NUL key for an attribute
	Tokens       map[string]Filter   // by field
	AttributeAll map[string]bool     // Map fields whose every key is in Values
}

// LateHour is the partition of rows far from their arrival.
const LateHour = math.MinInt64

const metaVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append encodes the entry.
func (m *BlockMeta) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, metaVersion, m.Table)
	for _, n := range []uint64{m.ID, uint64(m.Rows), uint64(m.Bytes), m.MinLSN, m.MaxLSN} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendVarint(dst, m.Hour)
	dst = appendMap(dst, m.Zones, func(dst []byte, z Zone) []byte {
		return binary.AppendVarint(binary.AppendVarint(dst, z.Min), z.Max)
	})
	dst = m.Keys.append(m.Trace.append(dst))
	dst = appendMap(dst, m.Values, func(dst []byte, v ValueSet) []byte {
		if v.Exact == nil {
			return v.Filter.append(append(dst, 0))
		}
		dst = binary.AppendUvarint(append(dst, 1), uint64(len(v.Exact)))
		for _, s := range v.Exact {
			dst = appendText(dst, s)
		}
		return dst
	})
	dst = appendMap(dst, m.Tokens, func(dst []byte, f Filter) []byte { return f.append(dst) })
	dst = appendMap(dst, m.AttributeAll, func(dst []byte, _ bool) []byte { return dst })
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendMap[V any](dst []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, k := range keys {
		dst = value(appendText(dst, k), m[k])
	}
	return dst
}

// decoder takes numbers from a buffer; bad is set at a read beyond its end.
type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.buf) == 0 {
		d.bad = true
		return 0
	}
	c := d.buf[0]
	d.buf = d.buf[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.buf)
	if size <= 0 {
		d.bad, d.buf = true, nil
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.buf)
	if size <= 0 {
		d.bad, d.buf = true, nil
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

// count reads a count of things of at least one byte each.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.buf)) {
		d.bad, d.buf = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.count()
	s := string(d.buf[:n])
	d.buf = d.buf[n:]
	return s
}

func (d *decoder) filter() Filter {
	n := d.uvarint()
	if n > uint64(len(d.buf)/8) || n%filterWords != 0 {
		d.bad, d.buf = true, nil
		return nil
	}
	f := make(Filter, n)
	for i := range f {
		f[i] = binary.LittleEndian.Uint64(d.buf[8*i:])
	}
	d.buf = d.buf[8*n:]
	if n == 0 {
		return nil
	}
	return f
}

func decodeMap[V any](d *decoder, value func() V) map[string]V {
	n := d.count()
	m := make(map[string]V, n)
	for range n {
		k := d.text()
		m[k] = value()
		if d.bad {
			return nil
		}
	}
	return m
}

// DecodeMeta decodes an entry that Append made.
func DecodeMeta(raw []byte) (*BlockMeta, error) {
	if len(raw) < 6 || raw[0] != metaVersion {
		return nil, ErrCorrupt
	}
	body := raw[:len(raw)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(raw[len(raw)-4:]) {
		return nil, ErrCorrupt
	}
	d := &decoder{buf: body[1:]}
	m := &BlockMeta{Table: d.byte(), ID: d.uvarint(), Rows: int(d.uvarint()), Bytes: int(d.uvarint()), MinLSN: d.uvarint(), MaxLSN: d.uvarint()}
	m.Hour = d.varint()
	m.Zones = decodeMap(d, func() Zone { return Zone{d.varint(), d.varint()} })
	m.Trace, m.Keys = d.filter(), d.filter()
	m.Values = decodeMap(d, func() ValueSet {
		if d.byte() == 0 {
			return ValueSet{Filter: d.filter()}
		}
		exact := make([]string, d.count())
		for i := range exact {
			exact[i] = d.text()
		}
		return ValueSet{Exact: exact}
	})
	m.Tokens = decodeMap(d, d.filter)
	m.AttributeAll = decodeMap(d, func() bool { return true })
	if d.bad || len(d.buf) != 0 {
		return nil, ErrCorrupt
	}
	return m, nil
}

// A Source gives the column of a field for the rows of a block to be, and the
// place in it of each row.
type Source interface {
	Rows() int
	// Each calls fn with every run of rows that share a column.
	Each(field int, fn func(c *vector.Column, row int))
}

// A Description says what Describe collects.
type Description struct {
	Schema *vector.Schema
	Zones  []string
	Key    []string
	Trace  string
}

// Describe fills the zones, filters and value sets of a block's rows.
func (m *BlockMeta) Describe(d Description, src Source) {
	m.Rows = src.Rows()
	m.Zones, m.Values = make(map[string]Zone), make(map[string]ValueSet)
	m.Tokens, m.AttributeAll = make(map[string]Filter), make(map[string]bool)
	for _, name := range d.Zones {
		m.zone(name, d.Schema.Index(name), src)
	}
	if d.Trace != "" {
		hashes := make(map[uint64]struct{})
		src.Each(d.Schema.Index(d.Trace), func(c *vector.Column, row int) {
			if !c.IsNull(row) {
				hashes[Hash(c.HexBytes(row))] = struct{}{}
			}
		})
		m.Trace = BuildFilter(members(hashes), TraceFilterBits)
	}
	if len(d.Key) > 0 {
		m.Keys = BuildFilter(keyHashes(d, src), KeyFilterBits)
	}
	for i, f := range d.Schema.Fields {
		switch {
		case f.Kind == vector.Map && f.Filter:
			m.attributes(i, f.Name, src)
		case f.Kind == vector.String && f.Filter:
			m.values(i, f.Name, src)
		}
		if f.Tokens {
			m.tokens(i, f.Name, src)
		}
	}
}

func members(set map[uint64]struct{}) []uint64 {
	out := make([]uint64, 0, len(set))
	for h := range set {
		out = append(out, h)
	}
	slices.Sort(out) // the same rows give the same bytes
	return out
}

func (m *BlockMeta) zone(name string, field int, src Source) {
	z := Zone{math.MaxInt64, math.MinInt64}
	src.Each(field, func(c *vector.Column, row int) {
		if !c.IsNull(row) {
			z.Min, z.Max = min(z.Min, c.Ints[row]), max(z.Max, c.Ints[row])
		}
	})
	m.Zones[name] = z
}

// KeyHash is the hash of a row's key: its fields one after the other.
func KeyHash(parts ...[]byte) uint64 {
	var buf [64]byte
	key := buf[:0]
	for _, p := range parts {
		key = append(key, p...)
	}
	return Hash(key)
}

func keyHashes(d Description, src Source) []uint64 {
	keys := make([][]byte, src.Rows())
	for _, name := range d.Key {
		i := 0
		src.Each(d.Schema.Index(name), func(c *vector.Column, row int) {
			keys[i] = append(keys[i], c.HexBytes(row)...)
			i++
		})
	}
	hashes := make([]uint64, len(keys))
	for i, k := range keys {
		hashes[i] = Hash(k)
	}
	return hashes
}

func (m *BlockMeta) values(field int, name string, src Source) {
	set := newValueCollector()
	src.Each(field, func(c *vector.Column, row int) {
		if !c.IsNull(row) {
			set.add(c.Str(row))
		}
	})
	m.Values[name] = set.finish()
}

func (m *BlockMeta) tokens(field int, name string, src Source) {
	hashes := make(map[uint64]struct{})
	src.Each(field, func(c *vector.Column, row int) {
		if !c.IsNull(row) {
			Words(c.Str(row), func(token []byte) { hashes[Hash(token)] = struct{}{} })
		}
	})
	m.Tokens[name] = BuildFilter(members(hashes), ValueFilterBits)
}

// maxAttributeSets bounds how many attribute keys of a block have value sets.
const maxAttributeSets = 48

// attributes collects a value set for each key of a Map, as ->> gives values.
func (m *BlockMeta) attributes(field int, name string, src Source) {
	sets := make(map[string]*valueCollector)
	var buf []byte
	complete := true
	src.Each(field, func(c *vector.Column, row int) {
		a := c.Attrs
		for e := a.Off[row]; e < a.Off[row+1]; e++ {
			key := a.KeyDict[a.Keys[e]]
			set := sets[key]
			if set == nil {
				if len(sets) == maxAttributeSets {
					complete = false
					continue
				}
				set = newValueCollector()
				sets[key] = set
			}
			switch a.Tags[e] {
			case vector.TagNull:
			case vector.TagString:
				set.add(a.Strs[a.Vals[e]])
			default:
				buf = a.AppendText(buf[:0], int(e))
				set.add(string(buf))
			}
		}
	})
	for key, set := range sets {
		m.Values[name+"\x00"+key] = set.finish()
	}
	if complete {
		m.AttributeAll[name] = true
	}
}

// valueCollector gathers the distinct values of a column.
type valueCollector struct {
	exact  map[string]struct{}
	bytes  int
	hashes map[uint64]struct{}
	last   string
	any    bool
}

func newValueCollector() *valueCollector {
	return &valueCollector{exact: make(map[string]struct{})}
}

func (v *valueCollector) add(s string) {
	if v.any && s == v.last {
		return
	}
	v.last, v.any = s, true
	if v.hashes != nil {
		v.hashes[HashString(s)] = struct{}{}
		return
	}
	if _, ok := v.exact[s]; ok {
		return
	}
	v.bytes += len(s)
	if len(v.exact) < maxExact && v.bytes <= maxExactBytes {
		v.exact[strings.Clone(s)] = struct{}{}
		return
	}
	v.hashes = make(map[uint64]struct{})
	for e := range v.exact {
		v.hashes[HashString(e)] = struct{}{}
	}
	v.hashes[HashString(s)] = struct{}{}
}

func (v *valueCollector) finish() ValueSet {
	if v.hashes != nil {
		return ValueSet{Filter: BuildFilter(members(v.hashes), ValueFilterBits)}
	}
	exact := make([]string, 0, len(v.exact))
	for s := range v.exact {
		exact = append(exact, s)
	}
	slices.Sort(exact)
	return ValueSet{Exact: exact}
}
