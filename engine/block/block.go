// Package block is the format of a hot block: up to 8192 rows of one table,
// stored by column, written once and never changed.
//
// All numbers are little-endian; uvarint is that of encoding/binary; a text is
// its length uvarint and its bytes.
//
//	magic      8 bytes  "taelblk1"; the last digit is the version
//	rows       uint32
//	columns    uint32   number of directory entries
//	directory  uint32   its length in bytes
//	crc        uint32   CRC-32C of the 20 bytes above and of the directory
//	directory  one entry a chunk
//	chunks     one after the other, then 8 zero bytes
//
// A directory entry:
//
//	name       text     the field; for an attribute of a Map field the field, a
//	                    zero byte and the key; for its rare attributes the
//	                    field and a byte 1; empty: a validity bitmap
//	kind       uint8    vector.Kind; 0 for a validity bitmap
//	encoding   uint8    below
//	valid      uvarint  0: no row is NULL; k: the k-th validity bitmap of the
//	                    directory says which are not
//	count      uvarint  values in the chunk: only rows that are not NULL (and
//	                    that have the attribute) have one
//	offset     uvarint  of the chunk, from the end of the directory
//	stored     uvarint  bytes of the chunk as stored
//	raw        uvarint  its bytes once decompressed; equal to stored: not compressed (else lz4)
//	crc        uint32   CRC-32C of the stored bytes
//
// Chunks with the same bytes are stored once: a promoted column shares that of
// its attribute. A field without an entry is NULL in every row, or zero if it
// cannot be NULL. Chunks by kind and encoding ("nested" is a uint8 encoding and
// integers in it; "packed" are values of some width in bits, least significant
// first; "codes" are a uint8 width and packed numbers of dictionary values):
//
//	validity      a bitmap, one bit a row
//	Int64
//	  constant    int64
//	  packed      int64 least, uvarint divisor, uint8 width, packed (value-least)/divisor
//	  delta       int64 first value, then the distances between values as packed
//	  dictionary  uvarint count, nested values, codes
//	  sum         two texts: the value is the sum of these two fields
//	  difference  two texts: the first field less the second
//	Float
//	  decimal     uint8 exponent, nested: the value is the integer / 10^exponent
//	  float bits  nested: the bits of IEEE 754
//	  scaled      text, uint8 exponent: the value is that Int64 field / 10^exponent
//	String
//	  constant    the text
//	  dictionary  uvarint count, texts, codes
//	  unique      texts: a dictionary of which value i has code i
//	  plain       texts
//	  mapped      text: a String or Map field without NULLs; uvarint count, texts;
//	              for each code of that field (of a Map: of its sets) the number
//	              of the value, 0 for NULL: uvarint codes, uint8 width, packed
//	Hex
//	  constant    the bytes
//	  plain       the bytes of each value
//	  dictionary  uvarint count, the bytes of each, codes
//	  reference   text: a Hex field; uint8 form; nested integers: 0, or 1 + the
//	              row of that field with the same value (form 0) or 1 + how far
//	              that row is above, zigzag (form 1); then the bytes of those with 0
//	Bool
//	  constant    uint8
//	  plain       a bitmap
//	Any
//	  arrays      uvarint count, uint8 element (1 int8, 2 float8), nested lengths,
//	              elements (nested, or a uint8 encoding and floats), codes
//	  any         uvarint count, texts: uint32 OID and PostgreSQL's binary form;
//	              codes
//	Map
//	  sets        uvarint keys; for each the text, uint8 tag (vector.Tag; 255:
//	              several), uvarint count of values, uint8 1 if it is rare;
//	              uvarint sets; uint8 1 if rows share sets: codes of the rows, else
//	              row i has set i; uvarint key sets; for each a bitmap of its
//	              keys or, beyond 256 keys, their uvarint number and uvarint
//	              numbers; codes: the key set of each set
//	  attribute   an own chunk, encoded as the tag tells: the values of the sets
//	              that have the key, String and Bytes and JSON as String; Bool as
//	              Bool; several tags: String, each a tag as first byte, then the
//	              text or the 8 bytes of vector.Attrs.Vals
//	  rare        for each rare key in order: uint8 encoding, text: its chunk
//
// A list of texts is a uint8 form and
//
//	0  nested lengths, then the texts
//	1  text prefix, uint8 digits, nested: the prefix and a number in that many digits, 0: as many as it has
//	2  uvarint bytes, then that many bytes for each: lower-case hex
//
// Two columns of bookkeeping have names that no field has: "\x00row" the rows'
// running numbers and "\x00lsn" the LSNs of their records.
//
// Version history: 1 first.
package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// MaxRows is the most rows that a block holds.
const MaxRows = 8192

// ErrCorrupt is wrapped by every error about bytes that cannot be a block.
var ErrCorrupt = errors.New("block: corrupt")

const (
	magic      = "taelblk1"
	headerSize = 24

	rowNumberName = "\x00row"
	lsnName       = "\x00lsn"
)

// maxChunkBytes bounds what a directory may ask to allocate.
const maxChunkBytes = 1 << 30

type encoding uint8

// The encodings, as stored.
const (
	encConstant   encoding = 1
	encPacked     encoding = 2
	encDelta      encoding = 3
	encDictionary encoding = 4
	encSum        encoding = 5
	encDifference encoding = 6
	encDecimal    encoding = 7
	encFloatBits  encoding = 8
	encScaled     encoding = 9
	encUnique     encoding = 10
	encPlain      encoding = 11
	encMapped     encoding = 12
	encReference  encoding = 13
	encArrays     encoding = 14
	encAny        encoding = 15
	encSets       encoding = 16
	encRare       encoding = 17
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk is a directory entry.
type chunk struct {
	name     string
	kind     vector.Kind
	encoding encoding
	valid    int
	count    int
	offset   int
	stored   int
	raw      int
	crc      uint32
}

// A Block reads one block. It keeps no decoded columns; it is safe for
// concurrent use.
type Block struct {
	schema   *vector.Schema
	rows     int
	size     int    // of all
	data     []byte // from the end of the directory
	chunks   map[string]chunk
	validity []chunk
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Open reads the directory. raw is kept and must not change. Columns are
// checked when they are decoded.
func Open(schema *vector.Schema, raw []byte) (*Block, error) {
	if len(raw) < headerSize+padding || string(raw[:8]) != magic {
		return nil, corrupt("no header of a block of version 1 at 0")
	}
	le := binary.LittleEndian
	rows, count, size := int(le.Uint32(raw[8:])), int(le.Uint32(raw[12:])), int(le.Uint32(raw[16:]))
	if le.Uint64(raw[len(raw)-padding:]) != 0 {
		return nil, corrupt("no end of a block at %d", len(raw)-padding)
	}
	if rows > MaxRows || size > len(raw)-headerSize-padding || count > size {
		return nil, corrupt("header at 0 out of bounds")
	}
	dir := raw[headerSize : headerSize+size]
	if crc32.Update(crc32.Checksum(raw[:20], castagnoli), castagnoli, dir) != le.Uint32(raw[20:]) {
		return nil, corrupt("checksum of the directory at %d", headerSize)
	}
	b := &Block{schema: schema, rows: rows, size: len(raw), data: raw[headerSize+size:], chunks: make(map[string]chunk, count)}
	r := newReader(raw[headerSize : headerSize+size+padding])
	for range count {
		c := chunk{name: r.text(), kind: vector.Kind(r.byte()), encoding: encoding(r.byte())}
		c.valid, c.count = r.int(count), r.int(rows)
		c.offset, c.stored, c.raw, c.crc = r.int(len(b.data)-padding), r.int(len(b.data)-padding), r.int(maxChunkBytes), r.uint32()
		// lz4 makes at most 255 bytes of one.
		if r.bad || c.offset+c.stored > len(b.data)-padding || c.raw > 255*c.stored {
			return nil, corrupt("directory entry %q", c.name)
		}
		if c.name == "" {
			b.validity = append(b.validity, c)
		} else {
			b.chunks[c.name] = c
		}
	}
	if r.rest() != 0 {
		return nil, corrupt("directory")
	}
	return b, nil
}

// Rows gives the number of rows.
func (b *Block) Rows() int { return b.rows }

// Bytes gives the size of the encoded block.
func (b *Block) Bytes() int { return b.size }

// Column decodes a field of the schema. Of a field that the block does not know
// every row is NULL, or zero if it cannot be NULL.
func (b *Block) Column(field int) (*vector.Column, error) {
	f := b.schema.Fields[field]
	c, ok := b.chunks[f.Name]
	if !ok {
		return absent(f, b.rows), nil
	}
	return b.decode(c, f.Kind, f.Width)
}

// Key decodes one attribute of a Map field as ->> gives it: a String column
// with a dictionary, NULL where the row lacks the attribute or has null.
func (b *Block) Key(field int, key string) (*vector.Column, error) {
	nothing := vector.Field{Kind: vector.String, Nullable: true}
	c, ok := b.chunks[b.schema.Fields[field].Name]
	if !ok {
		return absent(nothing, b.rows), nil
	}
	m, err := b.sets(c)
	if err != nil {
		return nil, err
	}
	k := m.find(key)
	if k < 0 {
		return absent(nothing, b.rows), nil
	}
	return m.text(k)
}

// Keys lists the attributes that rows of a Map field have, in jsonb's order.
func (b *Block) Keys(field int) ([]string, error) {
	c, ok := b.chunks[b.schema.Fields[field].Name]
	if !ok {
		return nil, nil
	}
	m, err := b.sets(c)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(m.keys))
	for k := range keys {
		keys[k] = m.keys[k].name
	}
	return keys, nil
}

// Sets gives the distinct sets of attributes that the rows of a Map field have,
// and how many rows have each.
func (b *Block) Sets(field int) (a *vector.Attrs, rows []uint32, err error) {
	c, ok := b.chunks[b.schema.Fields[field].Name]
	if !ok {
		return &vector.Attrs{Off: []uint32{0}}, nil, nil
	}
	m, err := b.sets(c)
	if err != nil {
		return nil, nil, err
	}
	rows = make([]uint32, m.count)
	for i := range rows {
		if m.rowSets == nil {
			rows[i] = 1
		}
	}
	for _, set := range m.rowSets {
		rows[set]++
	}
	a, err = m.attrs()
	return a, rows, err
}

// Values gives the values of a String field, or those of an attribute of a Map
// field as ->> gives them, without their rows: each once, but of a field whose
// values mostly differ some may repeat.
func (b *Block) Values(field int, key string) ([]string, error) {
	c, ok := b.chunks[b.schema.Fields[field].Name]
	if !ok {
		return nil, nil
	}
	if c.kind == vector.Map {
		m, err := b.sets(c)
		if err != nil {
			return nil, err
		}
		k := m.find(key)
		if k < 0 {
			return nil, nil
		}
		dict, _, err := m.texts(k, true)
		return dict, err
	}
	r, err := b.reader(c, vector.String)
	if err != nil {
		return nil, err
	}
	if c.encoding == encMapped {
		r.text()
		dict := r.texts(r.int(b.rows))
		return dict, r.err(c)
	}
	t := r.textColumn(c.encoding, c.count, true)
	if t.strs != nil {
		return t.strs, r.err(c)
	}
	return t.dict, r.err(c)
}

// RowNumbers decodes the rows' running numbers within the table.
func (b *Block) RowNumbers() (*vector.Column, error) { return b.bookkeeping(rowNumberName) }

// LSNs decodes the LSNs of the rows' records.
func (b *Block) LSNs() (*vector.Column, error) { return b.bookkeeping(lsnName) }

func (b *Block) bookkeeping(name string) (*vector.Column, error) {
	c, ok := b.chunks[name]
	if !ok {
		return nil, corrupt("no column %q", name)
	}
	return b.decode(c, vector.Int64, 0)
}

// Verify checks and decodes every chunk.
func (b *Block) Verify() error {
	for _, c := range b.validity {
		if _, err := b.payload(c); err != nil {
			return err
		}
	}
	for _, c := range b.chunks {
		if _, err := b.payload(c); err != nil {
			return err
		}
	}
	for i := range b.schema.Fields {
		if _, err := b.Column(i); err != nil {
			return err
		}
	}
	if _, err := b.RowNumbers(); err != nil {
		return err
	}
	_, err := b.LSNs()
	return err
}
