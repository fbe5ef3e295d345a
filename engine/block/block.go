// Package block is the format of a hot block: up to 8192 rows of one table,
// stored by column, written once and never changed.
//
// All numbers are little-endian; uvarint is that of encoding/binary.
//
//	magic      8 bytes  "taelblk1"
//	rows       uint32
//	columns    uint32   number of directory entries
//	directory  uint32   its length in bytes
//	crc        uint32   CRC-32C of the 20 bytes above and the directory
//	directory  one entry a chunk
//	chunks     one after the other, then 8 zero bytes
//
// A directory entry:
//
//	name       uvarint length, bytes: the field; for one attribute of a Map
//	           field the field, a zero byte and the key
//	kind       uint8    vector.Kind
//	encoding   uint8    below
//	offset     uvarint  of the chunk, from the end of the directory
//	stored     uvarint  bytes of the chunk as stored
//	raw        uvarint  its bytes once decompressed; equal to stored: not compressed (else lz4)
//	crc        uint32   CRC-32C of the stored bytes
//
// A chunk starts with uint8 1 and a bitmap of ceil(rows/8) bytes if rows may be
// NULL (or lack the attribute), else uint8 0. The values follow by encoding:
//
//	absent     nothing: every row is NULL (the chunk is empty)
//	constant   one value: every row that is not NULL has it
//	packed     int64 least value, uint8 width, then (value - least) in width bits a row
//	dictionary uvarint count, that many uvarint lengths, texts; uint8 width, codes in width bits a row
//	plain      a uvarint length a row, then the texts
//	raw        the bytes of each row: Hex ids and float bits (NULL as zeros)
//	bits       one bit a row
//	anys       a uvarint length a row, then arrays in PostgreSQL's binary form
//	attribute  dictionary, each text with its vector.Tag as first byte
//	keys       of a Map: uvarint count, then each key with its length; the values
//	           are in the attribute chunks
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
	"maps"
	"slices"

	"github.com/tael-sql/tael-sql/internal/vector"
)

// MaxRows is the most rows that a block holds.
const MaxRows = 8192

// ErrCorrupt is wrapped by every error about bytes that cannot be a block.
var ErrCorrupt = errors.New("block: corrupt")

const (
	magic      = "taelblk1"
	headerSize = 24
	padding    = 8 // readable bytes behind the last chunk, for wide loads

	rowNumberName = "\x00row"
	lsnName       = "\x00lsn"
)

type encoding uint8

const (
	encAbsent encoding = iota + 1
	encConstant
	encPacked
	encDictionary
	encPlain
	encRaw
	encBits
	encAnys
	encAttribute
	encKeys
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunk is a directory entry.
type chunk struct {
	name     string
	kind     vector.Kind
	encoding encoding
	offset   int
	stored   int
	raw      int
	crc      uint32
}

// A Block reads one block. It keeps no decoded columns; it is safe for
// concurrent use.
type Block struct {
	schema *vector.Schema
	rows   int
	size   int
	data   []byte // from the end of the directory
	chunks map[string]chunk
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Open reads the directory. raw is kept and must not change. Columns are
// checked when they are decoded.
func Open(schema *vector.Schema, raw []byte) (*Block, error) {
	if len(raw) < headerSize+padding || string(raw[:8]) != magic {
		return nil, corrupt("no block header")
	}
	le := binary.LittleEndian
	rows, count, size := int(le.Uint32(raw[8:])), int(le.Uint32(raw[12:])), int(le.Uint32(raw[16:]))
	if rows > MaxRows || size > len(raw)-headerSize-padding || count > size {
		return nil, corrupt("header out of bounds")
	}
	dir := raw[headerSize : headerSize+size]
	if crc32.Update(crc32.Checksum(raw[:20], castagnoli), castagnoli, dir) != le.Uint32(raw[20:]) {
		return nil, corrupt("directory checksum")
	}
	b := &Block{schema: schema, rows: rows, size: len(raw), data: raw[headerSize+size:], chunks: make(map[string]chunk, count)}
	r := reader{buf: dir}
	for range count {
		c := chunk{name: r.text(), kind: vector.Kind(r.byte()), encoding: encoding(r.byte())}
		c.offset, c.stored, c.raw, c.crc = r.int(), r.int(), r.int(), r.uint32()
		if r.bad || c.offset+c.stored > len(b.data)-padding || c.raw > maxChunkBytes {
			return nil, corrupt("directory entry %q", c.name)
		}
		b.chunks[c.name] = c
	}
	return b, nil
}

// maxChunkBytes bounds what a directory may ask to allocate.
const maxChunkBytes = 1 << 30

// Bytes gives the size of the encoded block.
func (b *Block) Bytes() int { return b.size }

// Rows gives the number of rows.
func (b *Block) Rows() int { return b.rows }

// Column decodes a field of the schema. A field that the block does not know
// is NULL in every row.
func (b *Block) Column(field int) (*vector.Column, error) {
	f := b.schema.Fields[field]
	c, ok := b.chunks[f.Name]
	if !ok {
		return absent(f.Kind, f.Width, b.rows), nil
	}
	if f.Kind == vector.Map {
		return b.mapColumn(c)
	}
	return b.decode(c, f.Kind, f.Width)
}

// Key decodes one attribute of a Map field as ->> gives it: NULL where the row
// lacks it.
func (b *Block) Key(field int, key string) (*vector.Column, error) {
	c, ok := b.chunks[b.schema.Fields[field].Name+"\x00"+key]
	if !ok {
		return absent(vector.String, 0, b.rows), nil
	}
	col, err := b.decode(c, vector.String, 0)
	if err != nil {
		return nil, err
	}
	return attributeText(col), nil
}

// Keys lists the attributes that rows of a Map field have, in jsonb's order.
func (b *Block) Keys(field int) ([]string, error) {
	c, err := b.Column(field)
	if err != nil {
		return nil, err
	}
	return c.Attrs.KeyDict, nil
}

// Values gives the distinct values of a String field, or with a key of an
// attribute of a Map field as ->> gives them, without its rows.
func (b *Block) Values(field int, key string) ([]string, error) {
	c, err := b.Column(field)
	if key != "" {
		c, err = b.Key(field, key)
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for i := range b.rows {
		if !c.IsNull(i) {
			seen[c.Str(i)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
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
