// Package layout names everything on disk below the data folder, with the
// codecs of what the engine knows of a block without reading it.
//
//	LOCK             held by the process that has the folder open
//	endpoints.json   where that process listens
//	BALLAST          space to give up when the disk is full
//	wal/             package wal
//	hot/             Pebble, with the keys below
//	blobs/           package blob
//	backup.tmp/      what a backup that runs copies from
//	quarantine/      what a repair took out, a folder for each
//	cold/            parts (package cold) and which rows of them count (package live), unless an object store holds them
//
// Keys of the hot store. Numbers are big-endian, so that keys sort by them; an
// hour (since 1970) is stored with its sign bit flipped.
//
//	v                                        format version of the folder, uint32
//	b table:u8 hour:i64 id:u64               a block (package block)
//	m table:u8 hour:i64 id:u64               its manifest entry (BlockMeta)
//	d table:u8 hour:i64 id:u64               its deletion vector (AppendDead)
//	g table:u8 id:u64                        what its rows, or those of the part, sum up to (Digest)
//	p table:u8 id:u64                        the manifest entry of a part (PartMeta)
//	q table:u8 id:u64                        what is known of its inside (PartIndex)
//	e table:u8 id:u64                        its deletion vector (AppendDead)
//	u table:u8 id:u64                        keys of rows that are dead too (AppendUnsettled)
//	a table:u8                               applied LSN, row count, next block id (TableState)
//	h hash:16                                a request lately received (RequestEntry)
//	k table:u8 key:escaped lsn:u64 inverted  a version of a row of a keyed table, newest first
//	x hash:32                                a text that blocks refer to (Reference), by its SHA-256
//	c name                                   a counter, uint64 little-endian
//
// An escaped key writes its zero bytes as 00 ff and ends with 00 01, so that no
// key is the beginning of another.
package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Files and folders of a data folder.
const (
	LockFile      = "LOCK"
	EndpointsFile = "endpoints.json"
	WALDir        = "wal"
	HotDir        = "hot"
	BlobsDir      = "blobs"
	ColdDir       = "cold"
	BallastFile   = "BALLAST"
	BackupTempDir = "backup.tmp"
	QuarantineDir = "quarantine"
	SearchDir     = "search"
)

// FormatVersion is that of the folder as a whole.
//
//	1: first version.
const FormatVersion = 1

// A KeyKind is the first byte of a key of the hot store.
type KeyKind byte

// The kinds of keys.
const (
	VersionKind KeyKind = 'v'
	BlockKind   KeyKind = 'b'
	MetaKind    KeyKind = 'm'
	DeadKind    KeyKind = 'd'
	StateKind   KeyKind = 'a'
	RequestKind KeyKind = 'h'
	KeyedKind   KeyKind = 'k'
	CounterKind KeyKind = 'c'
	BlobKind    KeyKind = 'x'
	PartKind    KeyKind = 'p'
	IndexKind   KeyKind = 'q'
	VectorKind  KeyKind = 'e'
	DigestKind  KeyKind = 'g'

	UnsettledKind KeyKind = 'u'
)

// VersionKey is the key of the folder's format version.
func VersionKey() []byte { return []byte{byte(VersionKind)} }

const signBit = 1 << 63

func blockKey(kind KeyKind, table uint8, hour int64, id uint64) []byte {
	k := append(make([]byte, 0, 18), byte(kind), table)
	k = binary.BigEndian.AppendUint64(k, uint64(hour)^signBit)
	return binary.BigEndian.AppendUint64(k, id)
}

// BlockKey is the key of a block.
func BlockKey(table uint8, hour int64, id uint64) []byte {
	return blockKey(BlockKind, table, hour, id)
}

// MetaKey is the key of a block's manifest entry.
func MetaKey(table uint8, hour int64, id uint64) []byte { return blockKey(MetaKind, table, hour, id) }

// DeadKey is the key of a block's deletion vector.
func DeadKey(table uint8, hour int64, id uint64) []byte { return blockKey(DeadKind, table, hour, id) }

// A BlockName is what the keys of a block say.
type BlockName struct {
	Kind  KeyKind
	Table uint8
	Hour  int64
	ID    uint64
}

// ParseBlockKey takes a block, manifest or deletion vector key apart.
func ParseBlockKey(k []byte) (n BlockName, ok bool) {
	if len(k) != 18 {
		return n, false
	}
	n = BlockName{
		Kind: KeyKind(k[0]), Table: k[1],
		Hour: int64(binary.BigEndian.Uint64(k[2:]) ^ signBit), ID: binary.BigEndian.Uint64(k[10:]),
	}
	return n, n.Kind == BlockKind || n.Kind == MetaKind || n.Kind == DeadKind
}

// PartName is the name of a new part in the object store: the table, the day of
// its first row, and an id that no other part ever has.
func PartName(table string, first time.Time) string {
	return fmt.Sprintf("%s/%s/%s%s", table, first.UTC().Format(time.DateOnly), ulid.Make(), partSuffix)
}

const partSuffix = ".parquet"

// IsPartName reports whether PartName may have given a name.
func IsPartName(name string) bool {
	segments := strings.Split(name, "/")
	if len(segments) != 3 {
		return false
	}
	_, dayErr := time.Parse(time.DateOnly, segments[1])
	id, ok := strings.CutSuffix(segments[2], partSuffix)
	_, idErr := ulid.ParseStrict(id)
	return ok && dayErr == nil && idErr == nil
}

func partKey(kind KeyKind, table uint8, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 10), byte(kind), table), id)
}

// PartKey is the key of a part's manifest entry.
func PartKey(table uint8, id uint64) []byte { return partKey(PartKind, table, id) }

// PartIndexKey is the key of a part's index.
func PartIndexKey(table uint8, id uint64) []byte { return partKey(IndexKind, table, id) }

// PartDeadKey is the key of a part's deletion vector.
func PartDeadKey(table uint8, id uint64) []byte { return partKey(VectorKind, table, id) }

// UnsettledKey is the key of the unsettled keys of a part.
func UnsettledKey(table uint8, id uint64) []byte { return partKey(UnsettledKind, table, id) }

// DigestKey is the key of the digest of a block or part.
func DigestKey(table uint8, id uint64) []byte { return partKey(DigestKind, table, id) }

// ParsePartKey gives the id in a key of a part.
func ParsePartKey(k []byte) (id uint64, ok bool) {
	if len(k) != 10 {
		return 0, false
	}
	kind := KeyKind(k[0])
	return binary.BigEndian.Uint64(k[2:]), kind == PartKind || kind == IndexKind || kind == VectorKind || kind == UnsettledKind
}

// StateKey is the key of a table's state.
func StateKey(table uint8) []byte { return []byte{byte(StateKind), table} }

// RequestKey is the key of a request by the hash of its body.
func RequestKey(hash [16]byte) []byte { return append([]byte{byte(RequestKind)}, hash[:]...) }

// ParseRequestKey gives the hash of a request's key.
func ParseRequestKey(k []byte) (hash [16]byte, ok bool) {
	if len(k) != 17 || k[0] != byte(RequestKind) {
		return hash, false
	}
	return [16]byte(k[1:]), true
}

// BlobKey is the key of a text that is stored outside the rows.
func BlobKey(hash [32]byte) []byte { return append([]byte{byte(BlobKind)}, hash[:]...) }

// CounterKey is the key of a counter.
func CounterKey(name string) []byte { return append([]byte{byte(CounterKind)}, name...) }

// KeyedPrefix begins the keys of all versions of one row of a keyed table.
func KeyedPrefix(table uint8, key []byte) []byte {
	out := append(make([]byte, 0, len(key)+12), byte(KeyedKind), table)
	for _, c := range key {
		if out = append(out, c); c == 0 {
			out = append(out, 0xff)
		}
	}
	return append(out, 0, 1)
}

// KeyedKey is the key of the version of a row that the record of an LSN wrote.
func KeyedKey(table uint8, key []byte, lsn uint64) []byte {
	return binary.BigEndian.AppendUint64(KeyedPrefix(table, key), ^lsn)
}

// ParseKeyedKey takes a key of a keyed table apart.
func ParseKeyedKey(k []byte) (table uint8, key []byte, lsn uint64, ok bool) {
	const end = 10 // the terminator and the LSN
	if len(k) < 2+end || k[0] != byte(KeyedKind) {
		return 0, nil, 0, false
	}
	escaped, tail := k[2:len(k)-end], k[len(k)-end:]
	if tail[0] != 0 || tail[1] != 1 {
		return 0, nil, 0, false
	}
	key = bytes.ReplaceAll(escaped, []byte{0, 0xff}, []byte{0})
	return k[1], key, ^binary.BigEndian.Uint64(tail[2:]), true
}

// TableRange bounds all keys of one kind of a table: lower inclusive, upper exclusive.
func TableRange(kind KeyKind, table uint8) (lower, upper []byte) {
	return []byte{byte(kind), table}, tableEnd(kind, table)
}

func tableEnd(kind KeyKind, table uint8) []byte {
	if table == 255 {
		return []byte{byte(kind) + 1}
	}
	return []byte{byte(kind), table + 1}
}

// KindRange bounds all keys of one kind.
func KindRange(kind KeyKind) (lower, upper []byte) {
	return []byte{byte(kind)}, []byte{byte(kind) + 1}
}
