package layout

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// A Reference stands in a block for a text that is stored outside the rows,
// under its hash. In the String fields that have a limit a block holds
//
//	00 01 sha256:32 length:uvarint   a reference
//	00 00 rest                       a text that begins with a zero byte: 00 rest
//	anything else                    the text itself
type Reference struct {
	Hash [32]byte // SHA-256 of the text
	Len  int      // its bytes
}

const (
	referenceMark = "\x00\x01"
	escapeMark    = "\x00\x00"
)

// Append appends the reference as a block holds it.
func (r Reference) Append(dst []byte) []byte {
	dst = append(append(dst, referenceMark...), r.Hash[:]...)
	return binary.AppendUvarint(dst, uint64(r.Len))
}

func isReference(stored string) bool { return strings.HasPrefix(stored, referenceMark) }

// StoredText gives a text that stays in its row as a block holds it.
func StoredText(text string) string {
	if strings.HasPrefix(text, "\x00") {
		return "\x00" + text
	}
	return text
}

// ParseStored takes apart what a block holds: a text, or with outside true a
// reference.
func ParseStored(stored string) (text string, ref Reference, outside bool, err error) {
	rest, outside := strings.CutPrefix(stored, referenceMark)
	switch {
	case strings.HasPrefix(stored, escapeMark):
		return stored[1:], ref, false, nil
	case !outside && strings.HasPrefix(stored, "\x00"):
		return "", ref, false, corrupt("a stored text begins with %x", stored[:min(2, len(stored))])
	case !outside:
		return stored, ref, false, nil
	case len(rest) <= len(ref.Hash):
		return "", ref, true, corrupt("a reference of %d bytes", len(stored))
	}
	copy(ref.Hash[:], rest)
	n, size := binary.Uvarint([]byte(rest[len(ref.Hash):]))
	if size != len(rest)-len(ref.Hash) || n > 1<<40 {
		return "", ref, true, corrupt("a reference with a length %x", rest[len(ref.Hash):])
	}
	ref.Len = int(n)
	return "", ref, true, nil
}

// LostText stands in the hot store under the hash of a text that was damaged, and
// is read in its place.
func LostText(hash [32]byte) string {
	return "[lost: a text with the SHA-256 " + hex.EncodeToString(hash[:]) + "]"
}

// ExpiredText stands in the hot store under the hash of a text that retention
// has taken away. What refers to it reads nothing.
func ExpiredText(hash [32]byte) string {
	return "[expired: a text with the SHA-256 " + hex.EncodeToString(hash[:]) + "]"
}
