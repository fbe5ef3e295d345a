package layout

import (
	"encoding/binary"
	"math"
)

// A PartMeta is the manifest entry of a part. It never changes.
//
// Encoded, with the numbers of encoding/binary: version uint8 · table uint8 ·
// level uint8 · id, rows, bytes, chunk rows, least and greatest LSN, least and
// greatest row number uvarint · least and greatest time varint · checksum
// uint64 little-endian · tail uvarint · checksum of the tail uint64 · name as text · zones as in a BlockMeta · crc uint32
// little-endian, the CRC-32C of what stands before it.
type PartMeta struct {
	Table            uint8
	Level            uint8  // 0: made of blocks; else one more than the highest of the parts that it is made of
	ID               uint64 // from the same counter as those of blocks
	Name             string // in the object store
	Rows             int
	Bytes            int64
	ChunkRows        int   // rows of each chunk but the last
	MinTime, MaxTime int64 // ns since 1970
	MinLSN, MaxLSN   uint64
	MinRow, MaxRow   uint64 // running numbers
	Checksum         uint64 // xxHash64 of the file
	Tail             int64  // bytes behind the row groups: page index and footer
	TailChecksum     uint64 // xxHash64 of these
	Zones            map[string]Zone
}

// partVersion is the version of an encoded PartMeta.
//
//	1: first version.
const partVersion = 1

// Chunks is how many chunks the part has.
func (m *PartMeta) Chunks() int { return (m.Rows + m.ChunkRows - 1) / m.ChunkRows }

// Append encodes the entry.
func (m *PartMeta) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, partVersion, m.Table, m.Level)
	for _, n := range []uint64{m.ID, uint64(m.Rows), uint64(m.Bytes), uint64(m.ChunkRows), m.MinLSN, m.MaxLSN, m.MinRow, m.MaxRow} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendVarint(binary.AppendVarint(dst, m.MinTime), m.MaxTime)
	dst = binary.LittleEndian.AppendUint64(dst, m.Checksum)
	dst = binary.LittleEndian.AppendUint64(binary.AppendUvarint(dst, uint64(m.Tail)), m.TailChecksum)
	dst = appendZones(appendText(dst, m.Name), m.Zones)
	return appendChecksum(dst, start)
}

// DecodePartMeta decodes an entry that Append made.
func DecodePartMeta(raw []byte) (*PartMeta, error) {
	body, err := checked(raw, partVersion, "manifest entry of a part")
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: body}
	m := &PartMeta{
		Table: d.byte(), Level: d.byte(), ID: d.uvarint(), Rows: int(d.uvarint()), Bytes: int64(d.uvarint()), ChunkRows: int(d.uvarint()),
		MinLSN: d.uvarint(), MaxLSN: d.uvarint(), MinRow: d.uvarint(), MaxRow: d.uvarint(),
		MinTime: d.varint(), MaxTime: d.varint(),
	}
	m.Checksum = d.uint64()
	m.Tail, m.TailChecksum = int64(d.uvarint()), d.uint64()
	m.Name, m.Zones = d.text(), d.zones()
	if d.bad || len(d.buf) != 0 || m.Rows < 1 || m.Rows > math.MaxInt32 || m.ChunkRows < 1 {
		return nil, corrupt("manifest entry of a part")
	}
	return m, nil
}

// A PartIndex is what is known of the inside of a part without reading it.
//
// Encoded: version uint8 · trace filter · count of chunks uvarint · chunks ·
// crc uint32. A chunk is its first and last trace id as texts, then the length
// uvarint and the bytes of a BlockMeta, whose Table, ID, Hour and Bytes are 0.
type PartIndex struct {
	Trace  Filter // of the whole part
	Chunks []ChunkMeta
}

// A ChunkMeta describes a chunk.
type ChunkMeta struct {
	*BlockMeta         // its Trace and Keys hold anything where First is set
	First, Last []byte // trace ids, where the part is sorted by them; nil: it is not
}

// partIndexVersion is the version of an encoded PartIndex.
//
//	1: first version.
const partIndexVersion = 1

// Append encodes the index.
func (x *PartIndex) Append(dst []byte) []byte {
	start := len(dst)
	dst = x.Trace.Append(append(dst, partIndexVersion))
	dst = binary.AppendUvarint(dst, uint64(len(x.Chunks)))
	for _, c := range x.Chunks {
		dst = appendText(appendText(dst, string(c.First)), string(c.Last))
		dst = appendText(dst, string(c.BlockMeta.Append(nil)))
	}
	return appendChecksum(dst, start)
}

// DecodePartIndex decodes an index that Append made.
func DecodePartIndex(raw []byte) (*PartIndex, error) {
	body, err := checked(raw, partIndexVersion, "index of a part")
	if err != nil {
		return nil, err
	}
	d := &decoder{buf: body}
	x := &PartIndex{Trace: d.filter()}
	x.Chunks = make([]ChunkMeta, d.count())
	for i := range x.Chunks {
		c := &x.Chunks[i]
		if first, last := d.text(), d.text(); first != "" {
			c.First, c.Last = []byte(first), []byte(last)
		}
		n := d.count()
		if d.bad {
			break
		}
		if c.BlockMeta, err = DecodeMeta(d.buf[:n]); err != nil {
			return nil, err
		}
		d.buf = d.buf[n:]
	}
	if d.bad || len(d.buf) != 0 {
		return nil, corrupt("index of a part")
	}
	return x, nil
}
