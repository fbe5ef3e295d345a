package layout

// KeyedState is the number under which the applied LSN of the keyed tables is
// kept, as one table (StateKey). No table has it.
const KeyedState = 0

// keyedVersion is the version of the encoding of a row of a keyed table.
//
//	1: first version.
const keyedVersion = 1

const (
	keyedPut    = 0
	keyedDelete = 1
)

// AppendKeyed encodes a version of a row.
//
//	version uint8 · form uint8 (0 put, 1 delete) · value (put only) · crc uint32
//
// crc is the CRC-32C of what stands before it, little-endian.
func AppendKeyed(dst, value []byte, deleted bool) []byte {
	start := len(dst)
	if deleted {
		return appendChecksum(append(dst, keyedVersion, keyedDelete), start)
	}
	return appendChecksum(append(append(dst, keyedVersion, keyedPut), value...), start)
}

// DecodeKeyed decodes a copy of what AppendKeyed made.
func DecodeKeyed(raw []byte) (value []byte, deleted bool, err error) {
	body, err := checked(raw, keyedVersion, "keyed row")
	switch {
	case err != nil:
		return nil, false, err
	case len(body) > 0 && body[0] == keyedPut:
		return append([]byte{}, body[1:]...), false, nil
	case len(body) == 1 && body[0] == keyedDelete:
		return nil, true, nil
	}
	return nil, false, corrupt("form of a keyed row")
}
