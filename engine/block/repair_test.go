package block

import (
	"encoding/binary"
	"hash/crc32"
)

// repair makes the checksums of a damaged block right again, as far as its
// header and directory can be read, so that damage reaches the decoders.
func repair(raw []byte) {
	le := binary.LittleEndian
	if len(raw) < headerSize+padding {
		return
	}
	copy(raw, magic)
	size := int(le.Uint32(raw[16:]))
	if size > len(raw)-headerSize-padding {
		return
	}
	le.PutUint64(raw[len(raw)-padding:], 0)
	dir, chunks := raw[headerSize:headerSize+size], raw[headerSize+size:len(raw)-padding]
	r := newReader(raw[headerSize : headerSize+size+padding])
	for range le.Uint32(raw[12:]) {
		r.text()
		r.bytes(2)
		r.uvarint()
		r.uvarint()
		offset, stored := r.uvarint(), r.uvarint()
		r.uvarint()
		if r.bad || offset > uint64(len(chunks)) || stored > uint64(len(chunks))-offset || r.rest() < 4 {
			break
		}
		le.PutUint32(dir[r.at:], crc32.Checksum(chunks[offset:offset+stored], castagnoli))
		r.bytes(4)
	}
	le.PutUint32(raw[20:], crc32.Update(crc32.Checksum(raw[:20], castagnoli), castagnoli, dir))
}
