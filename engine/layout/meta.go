package layout

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// ErrCorrupt is wrapped by every error about bytes that cannot be decoded.
var ErrCorrupt = errors.New("layout: corrupt")

// A Zone is the range of a column's values in a block; Min > Max: it has none.
type Zone struct{ Min, Max int64 }

// A ValueSet says which values a column has in a block: exactly while there
// are few, else by a filter. A String is itself, an Int64 its decimal digits,
// a Hex its bytes, an attribute what ->> gives. NULL is not a value.
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

// newValueSet makes the set of values, which may repeat.
func newValueSet(values []string) ValueSet {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if len(values) <= maxExact && size <= maxExactBytes {
		exact := append(make([]string, 0, len(values)), values...)
		slices.Sort(exact)
		return ValueSet{Exact: slices.Compact(exact)}
	}
	hashes := make([]uint64, len(values))
	for i, v := range values {
		hashes[i] = HashString(v)
	}
	return ValueSet{Filter: BuildFilter(hashes, ValueFilterBits)}
}

// Contains reports whether a row may have the value.
func (v *ValueSet) Contains(s string) bool {
	if v.Exact != nil {
		_, ok := slices.BinarySearch(v.Exact, s)
		return ok
	}
	return v.Filter.Contains(HashString(s))
}

// A BlockMeta is what is known of a block without reading it. It never changes.
//
// Encoded, with the numbers of encoding/binary: version uint8 · table uint8 ·
// id, rows, bytes, least and greatest LSN, least and greatest row number
// uvarint · hour, least and greatest time varint · zones · trace filter · key
// filter · values · tokens · fields with every attribute · crc uint32
// little-endian, the CRC-32C of what stands before it.
//
// A text is its length uvarint and its bytes. Zones, values, tokens and the
// last list are a count uvarint and that many entries in order of their names:
// the name as text, then
//
//	zone    least and greatest value varint
//	values  0 and a filter, or 1, a count uvarint and the values as texts
//	tokens  a filter
type BlockMeta struct {
	Table            uint8
	ID               uint64
	Hour             int64 // of the rows' times, hours since 1970; LateHour for the late partition
	Rows             int
	Bytes            int
	MinTime, MaxTime int64 // ns since 1970
	MinLSN, MaxLSN   uint64
	MinRow, MaxRow   uint64 // running numbers
	Zones            map[string]Zone
	Trace            Filter
	Keys             Filter
	Values           map[string]ValueSet // by field, or AttributeName
	Tokens           map[string]Filter   // by field
	AttributeAll     map[string]bool     // Map fields whose every attribute is in Values
}

// LateHour is the partition of rows far from their arrival.
const LateHour = math.MinInt64

// metaVersion is the version of an encoded BlockMeta.
//
//	1: first version.
const metaVersion = 1

// AttributeName is the name of an attribute of a Map field in Values.
func AttributeName(field, key string) string { return field + "\x00" + key }

// Append encodes the entry.
func (m *BlockMeta) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, metaVersion, m.Table)
	for _, n := range []uint64{m.ID, uint64(m.Rows), uint64(m.Bytes), m.MinLSN, m.MaxLSN, m.MinRow, m.MaxRow} {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, n := range []int64{m.Hour, m.MinTime, m.MaxTime} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = appendZones(dst, m.Zones)
	dst = m.Keys.Append(m.Trace.Append(dst))
	dst = appendMap(dst, m.Values, func(dst []byte, v ValueSet) []byte {
		if v.Exact == nil {
			return v.Filter.Append(append(dst, 0))
		}
		dst = binary.AppendUvarint(append(dst, 1), uint64(len(v.Exact)))
		for _, s := range v.Exact {
			dst = appendText(dst, s)
		}
		return dst
	})
	dst = appendMap(dst, m.Tokens, func(dst []byte, f Filter) []byte { return f.Append(dst) })
	dst = appendMap(dst, m.AttributeAll, func(dst []byte, _ bool) []byte { return dst })
	return appendChecksum(dst, start)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendMap[V any](dst []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(m)))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		dst = value(appendText(dst, name), m[name])
	}
	return dst
}

func appendZones(dst []byte, zones map[string]Zone) []byte {
	return appendMap(dst, zones, func(dst []byte, z Zone) []byte {
		return binary.AppendVarint(binary.AppendVarint(dst, z.Min), z.Max)
	})
}

func (d *decoder) zones() map[string]Zone {
	return decodeMap(d, func() Zone { return Zone{d.varint(), d.varint()} })
}

// DecodeMeta decodes an entry that Append made.
func DecodeMeta(raw []byte) (*BlockMeta, error) {
	body, err := checked(raw, metaVersion, "manifest entry")
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: body}
	m := &BlockMeta{
		Table: d.byte(), ID: d.uvarint(), Rows: int(d.uvarint()), Bytes: int(d.uvarint()),
		MinLSN: d.uvarint(), MaxLSN: d.uvarint(), MinRow: d.uvarint(), MaxRow: d.uvarint(),
		Hour: d.varint(), MinTime: d.varint(), MaxTime: d.varint(),
	}
	m.Zones = d.zones()
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
		return nil, corrupt("manifest entry")
	}
	return m, nil
}

// decoder takes numbers from a buffer; bad is set at a read beyond its end,
// after which everything reads as zero.
type decoder struct {
	buf []byte
	bad bool
}

func (d *decoder) fail() { d.bad, d.buf = true, nil }

func (d *decoder) byte() byte {
	if len(d.buf) == 0 {
		d.fail()
		return 0
	}
	c := d.buf[0]
	d.buf = d.buf[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.buf)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

func (d *decoder) uint64() uint64 {
	if len(d.buf) < 8 {
		d.fail()
		return 0
	}
	n := binary.LittleEndian.Uint64(d.buf)
	d.buf = d.buf[8:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.buf)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

// count reads a count of things of at least one byte each.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.buf)) {
		d.fail()
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

func decodeMap[V any](d *decoder, value func() V) map[string]V {
	n := d.count()
	m := make(map[string]V, n)
	for range n {
		name := d.text()
		m[name] = value()
		if d.bad {
			return nil
		}
	}
	return m
}
