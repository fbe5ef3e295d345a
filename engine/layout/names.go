// Package layout names everything on disk below the data folder, and holds the
// codecs of the manifest: what the engine knows of a block without reading it.
package layout

import "encoding/binary"

// Files and folders of a data folder.
const (
	LockFile      = "LOCK"
	EndpointsFile = "endpoints.json"
	WALDir        = "wal"
	HotDir        = "hot"
	BallastFile   = "BALLAST"
)

// Keys of the hot store. Numbers are big-endian, so that keys sort by them.
//
//	v                          format version of the folder, uint32
//	b table:u8 id:u64          a block (package block)
//	m table:u8 id:u64          its manifest entry (BlockMeta)
//	d table:u8 id:u64          the deletion vector of a block
//	a table:u8                 applied LSN u64, row count u64, next block id u64 (TableState)
const (
	versionPrefix = 'v'
	blockPrefix   = 'b'
	metaPrefix    = 'm'
	deadPrefix    = 'd'
	statePrefix   = 'a'
)

// FormatVersion is that of the folder as a whole. Version history: 1 first.
const FormatVersion = 1

// VersionKey is the key of the folder's format version.
func VersionKey() []byte { return []byte{versionPrefix} }

func key(prefix, table byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix, table}, id)
}

// BlockKey is the key of a block.
func BlockKey(table uint8, id uint64) []byte { return key(blockPrefix, table, id) }

// MetaKey is the key of a block's manifest entry.
func MetaKey(table uint8, id uint64) []byte { return key(metaPrefix, table, id) }

// DeadKey is the key of a block's deletion vector.
func DeadKey(table uint8, id uint64) []byte { return key(deadPrefix, table, id) }

// StateKey is the key of a table's state.
func StateKey(table uint8) []byte { return []byte{statePrefix, table} }

// ParseKey takes a block, manifest or deletion vector key apart.
func ParseKey(k []byte) (prefix, table byte, id uint64, ok bool) {
	if len(k) != 10 {
		return 0, 0, 0, false
	}
	return k[0], k[1], binary.BigEndian.Uint64(k[2:]), true
}

// A KeyKind tells the three keys of a block apart.
type KeyKind byte

// The kinds that ParseKey gives.
const (
	BlockKind KeyKind = blockPrefix
	MetaKind  KeyKind = metaPrefix
	DeadKind  KeyKind = deadPrefix
)

// TableRange bounds all keys of one kind of a table: lower inclusive, upper exclusive.
func TableRange(kind KeyKind, table uint8) (lower, upper []byte) {
	return []byte{byte(kind), table}, []byte{byte(kind), table + 1}
}
